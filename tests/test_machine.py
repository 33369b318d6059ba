"""What this computer can do, and the plan: limits of containers, reasons, and an import that costs nothing."""

import dataclasses
import os
import socket

import pytest

from helpers import machine
from helpers.machine import GB, Machine, Plan, best_dtype, plan

AVX2 = {"float32": 120.0, "bfloat16": 3.0, "float16": 2.0}  # bfloat16 is emulated, 40 times slower
AMX = {"float32": 200.0, "bfloat16": 900.0, "float16": 700.0}


def computer(**changes):
    usual = {"cores": 2, "memory": int(8 * GB), "memory_available": int(6 * GB), "disk_free": int(50 * GB), "speeds": AVX2, "hub": False}
    return Machine(**{**usual, **changes})


def write(folder, **files):
    for name, text in files.items():
        path = folder / name.replace("__", "/").replace("_DOT_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{text}\n")
    return folder


@pytest.fixture
def eight_cores(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)), raising=False)


@pytest.mark.parametrize(
    "files, expected",
    [
        ({"cpu_DOT_max": "200000 100000"}, 2),
        ({"cpu_DOT_max": "150000 100000"}, 1),  # one and a half: a second thread would be throttled
        ({"cpu_DOT_max": "50000 100000"}, 1),
        ({"cpu_DOT_max": "6400000 100000"}, 8),  # a quota above what the scheduler allows
        ({"cpu_DOT_max": "max 100000"}, 8),
        ({"cpu__cpu.cfs_quota_us": "300000", "cpu__cpu.cfs_period_us": "100000"}, 3),
        ({"cpu__cpu.cfs_quota_us": "-1", "cpu__cpu.cfs_period_us": "100000"}, 8),
        ({}, 8),
    ],
)
def test_cores_are_cut_by_the_quota(tmp_path, eight_cores, files, expected):
    assert machine.cores(write(tmp_path, **files)) == expected


def test_cores_are_cut_by_the_affinity(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {3}, raising=False)
    assert machine.cores(write(tmp_path, cpu_DOT_max="400000 100000")) == 1


@pytest.mark.parametrize(
    "files",
    [
        {"memory_DOT_max": 500_000_000, "memory_DOT_current": 200_000_000},
        {"memory__memory.limit_in_bytes": 500_000_000, "memory__memory.usage_in_bytes": 200_000_000},
    ],
)
def test_memory_is_cut_by_the_limit(tmp_path, files):
    assert machine.memory(write(tmp_path, **files)) == (500_000_000, 300_000_000)


@pytest.mark.parametrize(
    "limit, used, stat, counter",
    [
        ("memory_DOT_max", "memory_DOT_current", "memory_DOT_stat", "inactive_file"),
        ("memory__memory.limit_in_bytes", "memory__memory.usage_in_bytes", "memory__memory.stat", "total_inactive_file"),
    ],
)
def test_files_in_memory_count_as_free(tmp_path, limit, used, stat, counter):
    """A process that has just read its weights from disk must not find its memory full of them."""
    write(tmp_path, **{limit: 500_000_000, used: 450_000_000, stat: f"anon 100000000\n{counter} 350000000\nactive_file 0"})
    assert machine.memory(tmp_path) == (500_000_000, 400_000_000)


def test_memory_over_the_limit_leaves_nothing(tmp_path):
    assert machine.memory(write(tmp_path, memory_DOT_max=500_000_000, memory_DOT_current=600_000_000))[1] == 0


@pytest.mark.parametrize("files", [{"memory_DOT_max": "max"}, {"memory__memory.limit_in_bytes": 9223372036854771712}, {}])
def test_memory_without_a_limit_is_the_machines(tmp_path, files):
    import psutil

    limit, available = machine.memory(write(tmp_path, **files))
    assert limit == psutil.virtual_memory().total
    assert 0 < available <= limit


@pytest.mark.parametrize(
    "speeds, word", [(AVX2, "0.03 of float32's speed"), (AMX, "4.5 times faster"), ({"float32": 90.0, "bfloat16": 0.0}, "not be measured")]
)
def test_a_processor_computes_in_float32_and_says_why(speeds, word):
    dtype, reason = best_dtype(speeds)
    assert dtype == "float32"
    assert word in reason


@pytest.mark.parametrize(
    "found, profile",
    [
        (computer(), "laptop"),
        (computer(speeds=AMX), "smoke"),
        (computer(gpu="Tesla T4", gpu_memory=int(15.8 * GB), gpu_bf16=False), "laptop"),
        (computer(gpu="Tesla T4", gpu_memory=int(15.8 * GB), gpu_bf16=False), "gpu"),
        (computer(gpu="L4", gpu_memory=int(24 * GB), gpu_bf16=True, hub=True), "gpu"),
        (computer(), "gpu"),
        (computer(speeds={}), "laptop"),
        (computer(speeds={"float32": 0.0}), "laptop"),
    ],
)
def test_every_choice_has_a_reason(found, profile):
    chosen = plan(found, profile)
    names = {field.name for field in dataclasses.fields(Plan)}
    assert set(chosen.reasons) == names - {"profile", "reasons"}
    assert all(len(reason) > 15 and "\n" not in reason for reason in chosen.reasons.values())
    assert chosen.threads == found.cores
    assert (chosen.device == "cuda") == bool(found.gpu and profile == "gpu")


def test_a_gpu_computes_in_what_it_has():
    card = {"gpu": "a card", "gpu_memory": int(16 * GB)}
    assert plan(computer(**card, gpu_bf16=False), "gpu").dtype == "float16"
    assert plan(computer(**card, gpu_bf16=True), "gpu").dtype == "bfloat16"
    assert plan(computer(**card, hub=False), "gpu").model == "smollm2-135m"
    assert plan(computer(**card, hub=True), "gpu").model != "smollm2-135m"


def test_less_memory_gives_a_smaller_micro_batch():
    sizes = [plan(computer(memory_available=int(free * GB))).micro_batch_tokens for free in (16, 2, 1.4, 1.2, 0.5)]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] == sizes[1] > sizes[2] > sizes[3] > sizes[4] == 128


def test_minutes_follow_the_measured_speed():
    slow, fast = (plan(computer(speeds={"float32": speed}), tokens=600_000) for speed in (50.0, 100.0))
    assert slow.minutes == pytest.approx(2 * fast.minutes, rel=0.02)
    assert plan(computer(), tokens=200_000).minutes == pytest.approx(2 * plan(computer(), tokens=100_000).minutes, abs=0.11)


@pytest.fixture
def hub_settings(monkeypatch):
    for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


def test_the_hub_is_asked_at_its_address(hub_settings):
    with socket.create_server(("127.0.0.1", 0)) as listening:
        hub_settings.setenv("HF_ENDPOINT", f"http://127.0.0.1:{listening.getsockname()[1]}")
        assert machine.hub_reachable()
        for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"):
            for value in ("1", "true", "YES"):
                hub_settings.setenv(name, value)
                assert not machine.hub_reachable()
            hub_settings.setenv(name, "0")
            assert machine.hub_reachable()
            hub_settings.delenv(name)
    assert not machine.hub_reachable()  # nobody listens any more


def test_look_measures_this_computer(hub_settings, tmp_path):
    import torch

    threads = torch.get_num_threads()
    hub_settings.setenv("HF_HUB_OFFLINE", "1")
    hub_settings.setenv("LEPASLATIH_HOME", str(tmp_path / "not" / "there" / "yet"))
    try:
        found = machine.look(seconds=0.02)
    finally:
        torch.set_num_threads(threads)
    assert found.cores == machine.cores()
    assert 0 < found.memory_available <= found.memory
    assert found.disk_free > 0
    assert found.speeds["float32"] > 0.1
    assert found.hub is False
    assert not (tmp_path / "not").exists()  # looking changes nothing


def test_the_table_has_a_row_for_each_finding_and_choice():
    found = computer()
    chosen = plan(found)
    rows = machine.table(found, chosen)
    assert all(len(row) == 3 and all(isinstance(cell, str) for cell in row) for row in rows)
    cells = {what: (value, reason) for what, value, reason in rows}
    assert len(cells) == len(rows)
    assert cells["cores"][0] == "2"
    assert cells["memory"][0] == "8.0 GB, 6.0 GB free"
    assert cells["GPU"][0] == "none"
    assert cells["matmul bfloat16"][0] == "3 GFLOP/s"
    for choice, reason in chosen.reasons.items():
        assert cells[f"plan: {choice}"] == (str(getattr(chosen, choice)), reason)


def test_the_home_is_where_the_user_said(monkeypatch, tmp_path):
    monkeypatch.setenv("LEPASLATIH_HOME", str(tmp_path / "here"))
    assert machine.home() == tmp_path / "here"
    monkeypatch.setenv("LEPASLATIH_HOME", "~/there")
    assert "~" not in str(machine.home())


def test_what_was_measured_is_remembered(monkeypatch, tmp_path):
    import json

    monkeypatch.setenv("LEPASLATIH_HOME", str(tmp_path / "new"))
    path = machine.remember(computer())
    assert Machine(**json.loads(path.read_text())) == computer()
    assert [p.name for p in path.parent.iterdir()] == ["machine.json"]


def test_importing_the_rooms_loads_nothing_heavy(python):
    done = python(
        "import sys, helpers, helpers.machine, helpers.models, helpers.lesson\n"
        "heavy = ('torch', 'transformers', 'peft', 'pandas', 'numpy', 'matplotlib', 'IPython', 'ipywidgets', 'psutil')\n"
        "print(*[name for name in heavy if name in sys.modules])"
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == []
