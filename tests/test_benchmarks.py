"""The training benchmark: every arm really trains the same loss on the same letters, and what is reported is what was measured."""

import dataclasses
import json
import math
import subprocess
import sys

import pytest
import torch
import torch.nn.functional as F

from benchmarks import arms, measure, training
from helpers.training import Example, Settings, with_lora
from helpers.worlds.mortgage import letters

pytest.importorskip("trl")
SMALL = {"documents": 4, "held_out": (4, 1)}
# the tiny model has two layers
OPTIONS = {"ours-top": {"layers": 1}, "ours-top15": {"layers": 1}}


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Nothing here needs a true peak, or an idle computer."""
    monkeypatch.setattr(measure, "matmul_peak", lambda device: 100.0)
    monkeypatch.setattr(measure, "wait_until_idle", lambda limit: 0.0)


@pytest.fixture(scope="module")
def examples(tokenizer):
    return arms.documents(tokenizer, 4, seed=0)


def plain_loss(model, examples):
    """The mean loss of all answer tokens, from all logits of one document after the other."""
    losses = []
    with torch.no_grad():
        for e in examples:
            ids = torch.tensor(e.input_ids)
            logits = model(ids[None]).logits[0]
            losses += [F.cross_entropy(logits[at - 1], ids[at]) for at in range(e.prompt_length, len(e))]
    return float(torch.stack(losses).mean())


# ---- the arms


@pytest.mark.parametrize("arm", arms.ARMS)
def test_every_arm_trains_and_counts_real_tokens(arm, tiny, tiny_folder, examples, tokenizer, monkeypatch):
    trained = []
    monkeypatch.setattr(measure, "held_out_loss", lambda model, unseen: trained.append(model) or plain_loss(model, unseen))
    two = {} if arm == "trl-packing" else {"batch": 2}  # letters a step, so that there is something to pad
    job = arms.Job(arm, epochs=3, model=str(tiny_folder), options={**two, **OPTIONS.get(arm, {})}, **SMALL)
    row = arms.run(job)

    changed = [name for name, p in trained[0].named_parameters() if "lora_B" in name and p.abs().sum() > 0]
    wanted = 1 if arm in OPTIONS else 2
    assert len(changed) == 7 * wanted  # every linear layer of the layers that are trained
    assert plain_loss(trained[0].eval(), examples) < plain_loss(tiny[0], examples) - 0.01
    assert row["tokens"] == 3 * sum(map(len, examples)) and row["documents"] == 3 * len(examples)
    unseen = arms.held_out(tokenizer, 4, 1)
    assert row["loss"] == pytest.approx(plain_loss(trained[0], unseen), rel=1e-5)
    padded = arm in ("trl-quickstart", "trl-tuned", "peft-loop", "ours-head")
    assert row["padding"] > 0 if padded else row["padding"] == 0
    assert row["tokens_per_second"] > 0 and row["max_rss"] > 1e8


@pytest.mark.parametrize("arm", ["trl-tuned", "peft-loop", "ours", "ours-top"])
def test_an_arm_stops_at_the_bar(arm, tiny_folder):
    options = OPTIONS.get(arm, {})
    row = arms.run(arms.Job(arm, model=str(tiny_folder), every=2, bar=1e9, epochs=3, options=options, **SMALL))
    assert row["reached"] and row["steps"] == 2 and len(row["curve"]) == 1
    assert row["seconds"] == row["curve"][0][1]


def test_an_arm_that_misses_the_bar_says_so(tiny_folder):
    row = arms.run(arms.Job("peft-loop", model=str(tiny_folder), every=1, bar=0.0, options={"batch": 2}, **SMALL))
    assert not row["reached"] and row["steps"] == 2 and [step for step, *_ in row["curve"]] == [1, 2]


def test_the_loops_minimise_the_plain_loss(tiny, examples):
    model, tokenizer = tiny
    model = with_lora(model, Settings(rank=4))
    batch, expected = arms.padded(examples, tokenizer, "cpu"), plain_loss(model, examples)
    for name, loss in arms.LOSSES.items():
        assert float(loss(model, examples, batch).detach()) == pytest.approx(expected, rel=1e-5), name


TRL = [("trl-tuned", {"loss": loss, "layout": layout}) for loss in ("nll", "labels") for layout in ("grouped", "flat")]
TRL += [("trl-packing", {"row": 2048, "loss": loss}) for loss in ("nll", "labels")]


@pytest.mark.parametrize(("arm", "options"), [("trl-quickstart", {}), *TRL])
def test_trl_minimises_the_plain_loss(arm, options, tiny, tiny_folder, examples, monkeypatch):
    """One step with all documents, whose loss is taken before anything is learnt. In packed rows they must not see each other."""
    from trl import SFTTrainer

    train, found = SFTTrainer.train, []
    monkeypatch.setattr(SFTTrainer, "train", lambda self: found.append(train(self).training_loss))
    row = arms.run(arms.Job(arm, model=str(tiny_folder), options={"batch": 8, **options}, documents=4, held_out=(1, 0)))
    assert row["steps"] == 1 and found == [pytest.approx(plain_loss(tiny[0], examples), rel=1e-5)]


def test_letters_of_the_benchmark(tokenizer, monkeypatch):
    asked, written = set(), letters.written
    monkeypatch.setattr(letters, "written", lambda split: asked.add(split) or written(split))
    trained = [tuple(e.input_ids) for seed in range(3) for e in arms.documents(tokenizer, 96, seed)]
    unseen = [tuple(e.input_ids) for e in arms.held_out(tokenizer, 60, 20)]
    assert asked == {"train", "dev"}
    assert len(unseen) >= 30 and not set(unseen) & set(trained)
    assert all(set(e.weights) == {1.0} for e in arms.documents(tokenizer, 6, 0))


# ---- the instruments


def test_held_out_loss_is_the_plain_masked_loss(tiny, examples):
    model, tokenizer = tiny
    model.train()
    found = measure.held_out_loss(model, examples)
    assert found == pytest.approx(plain_loss(model, examples), rel=1e-5)
    assert found == pytest.approx(float(model(**arms.padded(examples, tokenizer, "cpu")).loss.detach()), rel=1e-5)
    assert model.training


def test_lengths_are_those_of_documents():
    a, b = Example([1, 2, 3], 1, [1.0, 1.0]), Example([4] * 5, 1, [1.0] * 4)
    assert measure.lengths_of([a, b]) == measure.lengths_of([(7, a), (8, b)]) == [3, 5]
    assert measure.lengths_of([{"input_ids": [1, 2, 3]}, {"input_ids": [4] * 5}]) == [3, 5]
    assert measure.lengths_of([{"input_ids": [1] * 8, "seq_lengths": [3, 5]}]) == [3, 5]


def test_the_clock_leaves_out_warm_up_and_looks(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(measure.time, "perf_counter", lambda: now[0])

    def look(model):
        now[0] += 1000
        return 0.5

    meter = measure.Meter(look, every=2, bar=0.6, warm=4)
    meter.off_the_clock(look, None)
    meter.start()
    reached = []
    for seconds, lengths in ((50, [10, 10]), (30, [10, 10]), (2, [30, 10]), (2, [40])):
        now[0] += seconds
        meter.batch(lengths, 80)
        reached.append(meter.step(None))
    assert [step[0] for step in meter.steps] == [50, 80, 82, 84]
    assert meter.speed() == (40 + 40) / 4  # two steps of two documents are the warm-up
    assert meter.curve == [(2, 80, 0.5), (4, 84, 0.5)] and reached == [False, True, False, True]
    assert meter.measure(None) and len(meter.curve) == 2 and meter.seconds() == 84


def test_operations_are_those_that_pytorch_counts(tiny, examples):
    from torch.utils.flop_counter import FlopCounterMode

    model, _ = tiny
    model.set_attn_implementation("eager")  # whose products are counted: all positions, twice what a causal one needs
    model = with_lora(model, Settings(rank=4))
    model.enable_input_require_grads()
    document = examples[0]
    with FlopCounterMode(display=False) as counter:
        arms.loss_of_documents(model, [document], None).backward()
    share, config = (len(document) - document.prompt_length) / len(document), model.get_base_model().config
    expected = len(document) * measure.flop_per_token(config, share, 2 * len(document), rank=4)
    assert counter.get_total_flops() == pytest.approx(expected, rel=1e-3)


def test_operations_of_the_embedded_model(tokenizer):
    from transformers import LlamaConfig

    config = LlamaConfig(vocab_size=49_152, hidden_size=576, intermediate_size=1536, num_hidden_layers=30, num_attention_heads=9, num_key_value_heads=3)  # fmt: skip
    assert measure.flop_per_token(config, 0.33, 210, 16) == pytest.approx(0.52e9, rel=0.03)
    assert measure.flop_per_token(config, 0.0, 210, 16, layers=10) == pytest.approx(measure.flop_per_token(config, 0.0, 210, 16) / 3)


def test_a_tree_of_processes_is_watched():
    inner = "import time; x = b'x' * 150_000_000; time.sleep(1.2)"
    outer = f"import subprocess, sys; x = b'x' * 100_000_000; subprocess.run([sys.executable, '-c', {inner!r}]); sys.exit('done')"
    seen = measure.watch([sys.executable, "-c", outer], every=0.05)
    assert max(size for _, size in seen["rss"]) > 250_000_000
    assert seen["code"] == 1 and seen["errors"].strip() == "done" and 0 <= seen["others"] <= 1


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="memory is limited on Linux only")
def test_memory_is_really_limited():
    code = "x = b'x' * int({} * 1e6)"
    assert measure.watch([sys.executable, "-c", code.format(100)], limit_gb=0.5)["code"] == 0
    refused = measure.watch([sys.executable, "-c", code.format(800)], limit_gb=0.5)
    assert refused["code"] != 0 and refused["limit"].endswith("of 0.5 GB")


# ---- runs, and what is said about them


def row(arm, seed=0, kind="speed", **more):
    """A row as a run leaves it."""
    job = dataclasses.asdict(arms.Job(arm, kind, seed))
    base = {
        "tokens_per_second": 100.0,
        "seconds": 60.0,
        "setup": 1.0,
        "cold": 70.0,
        "memory": 2.0,
        "loss": 1.0,
        "share": 0.5,
        "padding": 0.1,
    }
    return {"job": job, "busy": 0.0, "others": 0.0, "limit": "", "peak": 120.0, "documents": 24, "reached": True, **base, **more}


def test_a_run_is_done_once_and_a_failed_one_again(tmp_path, monkeypatch):
    calls, path, rows = [], tmp_path / "training.json", []

    def watch(command, limit_gb):
        calls.append(command)
        if len(calls) > 1:
            job = json.loads(training.Path(command[-2]).read_text())
            result = {
                **row("ours"),
                "job": job,
                "ended": 105.0,
                "paused": 20.0,
                "max_rss": 10,
                "flop_per_token": 5e8,
                "tokens_per_second": 120.0,
            }
            measure.write(training.Path(command[-1]), result)
        return {"code": 0 if len(calls) > 1 else 1, "errors": "a\nno room\n", "began": 50.0, "others": 0.2, "limit": "",
                "rss": [(60, 2e9), (104, 3e9), (106, 9e9)]}  # fmt: skip

    monkeypatch.setattr(measure, "watch", watch)
    job = arms.Job("ours", seed=0)
    assert training.once(job, rows, path)["error"] == "no room"
    assert "FAILED" in training.report(rows) and "no room" in training.report(rows)
    done = training.once(job, rows, path)
    assert done["cold"] == 35.0 and done["memory"] == 3.0 and done["share"] == pytest.approx(120 * 0.5 / 120)
    kept = json.loads(path.read_text())["rows"]
    assert training.once(job, kept, path) == kept[0] and len(calls) == 2 and len(kept) == 1
    for number, (bar, many) in enumerate(((0.9, 2), (0.8, 2), (0.8, 2))):  # a run to another bar takes the old one's place
        training.once(arms.Job("ours", "loss", seed=1, bar=bar), kept, path)
        assert len(calls) == min(3 + number, 4) and len(json.loads(path.read_text())["rows"]) == many


def test_the_report_compares_within_a_seed():
    rows = [row("trl-tuned", seed, tokens_per_second=speed) for seed, speed in enumerate((80, 100, 200))]
    rows += [row("ours", seed, tokens_per_second=speed, memory=1.4, share=0.7) for seed, speed in enumerate((240, 250, 300))]
    text = training.report(rows)
    assert "| ours | 250 (240–300) | 2.50 (1.50–3.00) | 1.40" in text
    assert "| ≥ 2.20× | 2.50× | yes |" in text and "| ≤ 1.50 | 1.40 | yes |" in text and "| ≥ 75% | 70% | **no** |" in text
    assert "disturbed" not in text and "1 of 7 runs were disturbed" in training.report([*rows, row("ours", 3, others=0.3)])


def test_the_report_of_time_to_a_loss():
    rows = [row("trl-tuned", seed, "loss", seconds=300.0, reached=False) for seed in range(2)]
    rows += [row("ours-top", seed, "loss", seconds=seconds) for seed, seconds in enumerate((50.0, 60.0))]
    rows += [row("ours", 0, "loss", seconds=10.0), row("ours", 1, "loss", seconds=500.0, reached=False)]
    text = training.report(rows)
    assert "| ours-top | 2 of 2 | 55 (50–60) |" in text and "5.50 (5.00–6.00)" in text
    assert "| ours | 1 of 2 | 10 |" in text
    assert "| ≥ 5.00× | 5.50× | yes |" in text  # not the arm that did not always get there


def test_arms_take_turns_and_the_bar_is_the_peers_loss(tmp_path, monkeypatch):
    done = []
    monkeypatch.setattr(training, "once", lambda job, rows, path: done.append(job) or row(job.arm, job.seed, job.kind, loss=0.9 + job.seed))
    assert training.main(["--seeds", "2", "--arms", "ours,peft-loop", "--out", str(tmp_path)]) == 0
    assert [(job.arm, job.seed) for job in done] == [("ours", 0), ("peft-loop", 0), ("peft-loop", 1), ("ours", 1)]
    done.clear()
    training.main(["--seeds", "2", "--to-loss", "8", "--out", str(tmp_path)])
    bars = {(job.arm, job.seed): job.bar for job in done}
    assert bars.pop(("trl-tuned", 0)) is None and bars.pop(("trl-tuned", 1)) is None
    assert bars == {(arm, seed): 0.9 + seed for arm in training.EPOCHS for seed in range(2)}
    assert all(job.documents == 8 and (job.every == 4) == (job.arm != "trl-tuned") for job in done)


def test_a_whole_benchmark_in_processes_of_its_own(tmp_path, tiny_folder, capsys):
    arguments = ["--seeds", "1", "--documents", "4", "--held-out", "2", "0", "--model", str(tiny_folder), "--arms", "peft-loop", "--out", str(tmp_path)]  # fmt: skip
    assert training.main(arguments) == 0
    (found,) = json.loads((tmp_path / "training.json").read_text())["rows"]
    assert found["memory"] * 1e9 >= found["max_rss"] > 1e8 and found["cold"] > found["seconds"] > 0
    assert math.isfinite(found["loss"]) and found["peak"] > 0
    assert "| peft-loop |" in capsys.readouterr().out


@pytest.mark.parametrize(("arguments", "said"), [(["--arms", "mine"], "choose from"), (["--device", "cuda"], "no GPU")])
def test_what_cannot_be_run_is_refused_in_one_line(arguments, said, capsys):
    if "cuda" in arguments and torch.cuda.is_available():
        pytest.skip("there is a GPU")
    with pytest.raises(SystemExit):
        training.main(arguments)
    assert said in capsys.readouterr().err.splitlines()[-1]


def test_importing_the_benchmark_is_light():
    code = "import sys, benchmarks.training; sys.exit(bool({'torch', 'transformers', 'trl'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], cwd=training.__file__.rsplit("/", 2)[0]).returncode == 0
