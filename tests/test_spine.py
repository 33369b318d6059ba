"""The main job in the smoke profile, interrupted and resumed, as a learner would run it."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def start(runs):
    environment = {**os.environ, "LEPASLATIH_RUNS": str(runs), "PYTHONPATH": str(ROOT)}
    environment.pop("LEPASLATIH_PROFILE", None)
    environment.pop("LEPASLATIH_RUN", None)
    return subprocess.Popen(
        [sys.executable, "-m", "helpers", "run", "--profile", "smoke"],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


@pytest.mark.skipif(os.name == "nt", reason="process groups are ended differently on Windows")
def test_the_main_job_runs_is_killed_and_goes_on(tmp_path):
    first = start(tmp_path)
    deadline = time.time() + 600
    while time.time() < deadline and first.poll() is None:
        states = list(tmp_path.glob("*/state.json"))
        if states and "00_start_here" in json.loads(states[0].read_text())["done"]:
            break
        time.sleep(0.5)
    assert first.poll() is None, first.stdout.read()
    os.killpg(first.pid, signal.SIGKILL)
    first.wait()
    (folder,) = [p for p in tmp_path.iterdir() if p.is_dir()]
    done_before = (folder / "00_start_here.ipynb").stat().st_mtime_ns

    second = start(tmp_path)
    output, _ = second.communicate(timeout=900)
    assert second.returncode == 0, output
    assert [p for p in tmp_path.iterdir() if p.is_dir()] == [folder]
    assert (folder / "00_start_here.ipynb").stat().st_mtime_ns == done_before
    state = json.loads((folder / "state.json").read_text())
    assert state["finished"] and len(state["done"]) == 4 and state["memory"]["sum"] > 5e8

    assert {"adapter_model.safetensors", "adapter_config.json", "README.md"} <= {p.name for p in (folder / "adapter").iterdir()}
    board = json.loads((folder / "scoreboard.json").read_text())
    assert {"base, free", "dice", "rules", "tuned here", "served"} <= set(board["columns"])
    for column in ("rules", "tuned here", "served"):
        share = board["columns"][column]["fields"]
        assert 0 <= share["low"] <= share["value"] <= share["high"] <= 1 and share["n"] > 0
    assert "recommendation" in output and "tuned here" in output

    report = (folder / "report.html").read_text(encoding="utf-8")
    assert "Before and after" in report and report.count("<details>") == 4
    assert not re.search(r"<(?:script|link|img)[^>]+(?:src|href)=[\"']https?://", report)
    assert not list(folder.glob("*.part*"))
