"""The engine against plain PEFT: the same loss, the same gradients, the same runs; and what it refuses."""

import copy
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from test_training import SETTINGS, disturbed, documents

from helpers import training
from helpers.training import Example, Settings
from helpers.training.documents import conversation, fingerprint, micro_batches, prose, together
from helpers.training.engine import Engine, held_out_loss
from helpers.training.estimate import DoesNotFit, bytes_per_token, estimate, flop_per_token, shapes
from helpers.training.head import CHUNK, HeadLoss

HERE = Path(__file__).resolve().parent


def plain_loss(model, batch):
    """What PEFT users write: a padded batch, an attention mask, all the logits, masked labels. The sum of weighted losses."""
    longest = max(map(len, batch))
    ids, mask, labels, weights = (
        torch.zeros(len(batch), longest, dtype=kind) for kind in (torch.long, torch.long, torch.long, torch.float64)
    )
    labels.fill_(-100)
    for row, document in enumerate(batch):
        ids[row, : len(document)] = torch.tensor(document.input_ids)
        mask[row, : len(document)] = 1
        answer = slice(document.prompt_length, len(document))
        labels[row, answer] = ids[row, answer]
        weights[row, answer] = torch.tensor(document.weights, dtype=torch.float64)
    logits = model(input_ids=ids, attention_mask=mask).logits[:, :-1].double()
    losses = F.cross_entropy(logits.flatten(0, 1), labels[:, 1:].flatten(), ignore_index=-100, reduction="none")
    return torch.dot(losses, weights[:, 1:].flatten())


def gradients(model, loss):
    model.zero_grad()
    loss.backward()
    return {name: p.grad.clone() for name, p in model.named_parameters() if p.requires_grad}


def furthest(ours, theirs):
    """The largest relative distance between gradients of the same name."""
    assert ours.keys() == theirs.keys()
    return max(float((ours[name] - theirs[name]).norm() / theirs[name].norm()) for name in theirs)


# ---- the gate: loss and every gradient


@pytest.mark.parametrize("by_hand", [True, False])
@pytest.mark.parametrize("layers", [None, 1])
def test_loss_and_gradients_are_peft_s(tiny, by_hand, layers):
    model, tokenizer = tiny
    model = disturbed(model, Settings(rank=4, layers=layers))
    batch = documents(tokenizer, 5)
    theirs = plain_loss(model, batch)
    their_gradients = gradients(model, theirs)
    engine = Engine(model, by_hand=by_hand)
    assert (engine.layers is not None) == by_hand, engine.reason
    ours = engine.loss(engine.batch(batch))
    assert ours.item() == pytest.approx(theirs.item(), rel=1e-5)
    assert len(their_gradients) == (layers or 2) * 7 * 2
    assert furthest(gradients(model, ours), their_gradients) < 1e-4


def test_loss_and_gradients_are_peft_s_on_the_real_model(smol):
    from helpers.worlds.mortgage import task

    base, tokenizer = smol
    model = disturbed(copy.deepcopy(base), Settings())
    batch = task.examples(tokenizer, task.training_rows(3))
    engine = Engine(model)
    ours = engine.loss(engine.batch(batch))
    our_gradients = gradients(model, ours)
    theirs = plain_loss(model, batch)
    assert ours.item() == pytest.approx(theirs.item(), rel=1e-5)
    assert len(our_gradients) == 30 * 7 * 2
    assert furthest(our_gradients, gradients(model, theirs)) < 1e-4


def test_the_head_s_loss_is_closer_to_the_truth_than_float32_autograd():
    torch.manual_seed(1)
    positions, words = CHUNK + 7, 20_000
    hidden, weight, weights = torch.randn(positions, 32), torch.randn(words, 32), torch.rand(positions)
    targets = torch.randint(0, words, (positions,))

    def usual(dtype):
        x = hidden.to(dtype, copy=True).requires_grad_()
        loss = torch.dot(F.cross_entropy(x @ weight.to(dtype).t(), targets, reduction="none"), weights.to(dtype))
        loss.backward()
        return loss.item(), x.grad

    x = hidden.clone().requires_grad_()
    loss = HeadLoss.apply(x, weight, targets, weights)
    (2 * loss).backward()
    true, gradient = usual(torch.float64)
    assert loss.item() == pytest.approx(true, rel=1e-6)
    assert float((x.grad / 2 - gradient).norm() / gradient.norm()) < 1e-5


def test_documents_do_not_see_each_other(tiny):
    model, tokenizer = tiny
    model = disturbed(model)
    engine, batch = Engine(model), documents(tokenizer, 3)
    alone = [engine.loss(engine.batch([document])).item() for document in batch]
    together = engine.loss(engine.batch(batch)).item()
    assert together == pytest.approx(sum(alone), rel=1e-5)
    other = Example([7] * len(batch[0]), batch[0].prompt_length, [0.0] * len(batch[0].weights))
    assert engine.loss(engine.batch([other, *batch[1:]])).item() == pytest.approx(sum(alone[1:]), rel=1e-5)


def test_buffers_that_were_used_again_are_refused(tiny):
    model, tokenizer = tiny
    engine, batch = Engine(disturbed(model)), documents(tokenizer, 2)
    first = engine.loss(engine.batch(batch[:1]))
    engine.loss(engine.batch(batch[1:]))
    with pytest.raises(RuntimeError, match="backward before the next forward"):
        first.backward()


def test_a_model_of_another_shape_goes_through_autograd(tiny):
    model, _ = tiny
    from peft import LoraConfig, get_peft_model

    dropped = get_peft_model(model, LoraConfig(r=2, lora_dropout=0.1, target_modules="all-linear", task_type="CAUSAL_LM"))
    assert Engine(dropped).layers is None and "dropout" in Engine(dropped).reason


# ---- runs


def plain_run(model, batches, settings):
    """Plain PEFT and PyTorch: the loss of every step."""
    trainable = [p for p in model.parameters() if p.requires_grad]
    steps, curve = len(batches), []
    optimizer = torch.optim.AdamW(trainable, lr=settings.learning_rate, betas=(0.9, 0.99), weight_decay=0.0)
    warm = min(settings.warmup_steps, max(1, steps // 4))
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda s: s / warm if s < warm else (steps - s) / (steps - warm))
    for batch in batches:
        loss = plain_loss(model, batch) / sum(sum(d.weights) for d in batch)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trainable, settings.max_grad_norm)
        optimizer.step()
        schedule.step()
        curve.append(loss.item())
    return curve


@pytest.mark.parametrize("micro", [64, 512])
def test_thirty_steps_lie_on_plain_peft_s_curve(tiny, tmp_path, micro, monkeypatch):
    model, tokenizer = tiny
    reference, settings = copy.deepcopy(model), Settings(**{**SETTINGS, "learning_rate": 3e-3, "micro_batch_tokens": micro})
    everything = documents(tokenizer, 60)
    drawn, batch_of = [], Engine.batch
    monkeypatch.setattr(Engine, "batch", lambda self, rows, *more: drawn.extend(rows) or batch_of(self, rows, *more))
    ours = [loss for _, loss in training.finetune(model, tokenizer, everything, tmp_path / "a", settings).curve]
    batches = [drawn[at : at + settings.batch] for at in range(0, len(drawn), settings.batch)]
    assert len(drawn) == 60
    theirs = plain_run(training.with_lora(reference, settings).train(), batches, settings)
    assert len(ours) == 30 and sum(ours[-5:]) < 0.9 * sum(ours[:5])
    assert ours == pytest.approx(theirs, rel=2e-3)


def test_top_layers_with_cached_lower_ones_train_the_same(tiny, tmp_path):
    model, tokenizer = tiny
    settings = Settings(**{**SETTINGS, "layers": 1, "epochs": 2.0})
    held_out = documents(tokenizer, 4, seed=9)
    plain = copy.deepcopy(model)
    ours = training.finetune(model, tokenizer, documents(tokenizer), tmp_path / "a", settings, held_out=held_out)
    slow = Settings(**{**settings.__dict__, "by_hand": False})
    theirs = training.finetune(plain, tokenizer, documents(tokenizer), tmp_path / "b", slow, held_out=held_out)
    assert [loss for _, loss in ours.curve] == pytest.approx([loss for _, loss in theirs.curve], rel=1e-3)
    assert ours.held_out[-1][1] == pytest.approx(theirs.held_out[-1][1], rel=1e-3)
    config = json.loads((tmp_path / "a" / "adapter_config.json").read_text())
    assert config["layers_to_transform"] == [1]


def test_held_out_loss_is_a_mean_over_weight(tiny):
    model, tokenizer = tiny
    model = disturbed(model)
    held_out = documents(tokenizer, 6)
    expected = sum(float(plain_loss(model, [d])) for d in held_out) / sum(sum(d.weights) for d in held_out)
    assert held_out_loss(Engine(model), held_out, tokens=100) == pytest.approx(expected, rel=1e-4)


def test_training_stops_early_and_keeps_the_best(tiny, tmp_path):
    model, tokenizer = tiny
    settings = Settings(**{**SETTINGS, "learning_rate": 0.3, "epochs": 4.0, "evaluate_every": 2, "patience": 2})
    held_out = documents(tokenizer, 4, seed=9)
    result = training.finetune(model, tokenizer, documents(tokenizer), tmp_path / "a", settings, held_out=held_out)
    losses = dict(result.held_out)
    best = min(losses, key=losses.get)
    assert max(losses) == best + 4 < 40  # two looks after the best one
    from helpers import models

    kept, _ = models.load(_folder_of(tmp_path, tokenizer, model), adapter=result.adapter, merge=False)
    assert held_out_loss(Engine(kept), held_out) == pytest.approx(losses[best], rel=1e-3)


def _folder_of(tmp_path, tokenizer, model):
    base = model.get_base_model() if hasattr(model, "get_base_model") else model
    from conftest import random_llama

    random_llama(tokenizer).save_pretrained(tmp_path / "base")
    tokenizer.save_pretrained(tmp_path / "base")
    assert base.config.hidden_size == 64
    return tmp_path / "base"


WORKER = """
import sys
from pathlib import Path
import torch
from helpers import models, training
from test_training import SETTINGS, documents
torch.set_num_threads(1)
model, tokenizer = models.load(sys.argv[1])
training.finetune(model, tokenizer, documents(tokenizer), Path(sys.argv[2]), training.Settings(**{**SETTINGS, "batch": 4}))
"""


def test_two_workers_with_half_the_batch_equal_one_with_the_whole(tiny, tiny_folder, tokenizer, tmp_path):
    from safetensors.torch import load_file

    script = tmp_path / "worker.py"
    script.write_text(WORKER)
    done = subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", script, tiny_folder, tmp_path / "two"],
        env={**os.environ, "PYTHONPATH": f"{HERE}{os.pathsep}{HERE.parent}", "OMP_NUM_THREADS": "1"}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    model, _ = tiny
    training.finetune(model, tokenizer, documents(tokenizer), tmp_path / "one", Settings(**{**SETTINGS, "batch": 4}))
    one, two = (load_file(tmp_path / name / "adapter_model.safetensors") for name in ("one", "two"))
    for name, tensor in one.items():
        assert torch.allclose(tensor, two[name], atol=1e-4, rtol=1e-2), name
    curves = [json.loads((tmp_path / name / "training.json").read_text())["curve"] for name in ("one", "two")]
    assert [loss for _, loss in curves[0]] == pytest.approx([loss for _, loss in curves[1]], rel=1e-3)


# ---- what is refused, and what a run will take


def test_another_run_s_folder_is_refused(tiny, tmp_path):
    model, tokenizer = tiny
    (tmp_path / "a.part").mkdir()
    (tmp_path / "a.part" / "run.json").write_text('{"fingerprint": "another"}')
    with pytest.raises(ValueError, match="choose another folder"):
        training.finetune(model, tokenizer, documents(tokenizer), tmp_path / "a", Settings(**SETTINGS))


def test_a_run_that_does_not_fit_says_what_would(smol, tmp_path):
    base, _ = smol
    model = training.with_lora(copy.deepcopy(base), Settings())
    rows = [Example([5] * 2000, 1000, [1.0] * 1000), Example([5] * 200, 100, [1.0] * 100)]
    import psutil

    held = psutil.Process().memory_info().rss
    with pytest.raises(DoesNotFit, match=r"2000 tokens.*more than \d+ tokens.*layers=\d+") as caught:
        estimate(model, rows, Settings(memory=held + 1_000_000_000), speed=100.0)
    import re

    fits = int(re.search(r"more than (\d+) tokens", str(caught.value)).group(1))
    assert estimate(model, [Example([5] * fits, 10, [1.0] * (fits - 10))], Settings(memory=held + 1_000_000_000), speed=100.0).memory > 0
    with pytest.raises(ValueError, match="cannot be shared"):
        os.environ["WORLD_SIZE"] = "3"
        try:
            from helpers.training.run import _arguments

            _arguments(tmp_path, Settings(), "cpu", 10, [])
        finally:
            del os.environ["WORLD_SIZE"]


def test_the_arithmetic_of_the_estimate(smol):
    base, _ = smol
    model = training.with_lora(copy.deepcopy(base), Settings())
    s = shapes(model)
    assert s["linear"] == 3_538_944 and s["layers"] == s["trained"] == 30 and s["lora"] == 4_884_480
    every, once = flop_per_token(s, supervised=0.35, length=210)
    assert once == 0 and 0.48e9 < every < 0.55e9
    top = shapes(training.with_lora(copy.deepcopy(base), Settings(layers=10)))
    every_top, once_top = flop_per_token(top, 0.35, 210, cached=True)
    assert top["trained"] == 10 and every_top < 0.45 * every and once_top == pytest.approx(20 * 2 * 3_538_944, rel=0.1)
    assert bytes_per_token(top, True) < 0.4 * bytes_per_token(s, True)


def test_the_workspace_is_no_larger_than_predicted(tiny):
    model, tokenizer = tiny
    model = disturbed(model, Settings(rank=4))
    batch = documents(tokenizer, 5)
    engine = Engine(model)
    engine.loss(engine.batch(batch)).backward()
    tokens = sum(map(len, batch))
    predicted = bytes_per_token(shapes(model), True, rank=4)
    assert 0.6 * predicted < engine.space.bytes() / tokens <= predicted


FULL = """
import resource, signal, sys
from pathlib import Path
from helpers import models, training
from test_training import SETTINGS, documents
model, tokenizer = models.load(sys.argv[1])
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))   # a disk on which no larger file finds room
training.finetune(model, tokenizer, documents(tokenizer), Path(sys.argv[2]), training.Settings(**SETTINGS))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="limits of this kind are POSIX's")
def test_a_full_disk_is_said_in_one_line_and_the_run_goes_on(tiny, tiny_folder, tokenizer, tmp_path, python):
    done = python(FULL, tiny_folder, tmp_path / "a", PYTHONPATH=f"{HERE}{os.pathsep}{HERE.parent}")
    assert done.returncode != 0
    assert "the disk is full" in done.stderr.strip().splitlines()[-1]
    assert training.latest_checkpoint(tmp_path / "a.part") is None and not (tmp_path / "a").exists()
    model, _ = tiny
    result = training.finetune(model, tokenizer, documents(tokenizer), tmp_path / "a", Settings(**SETTINGS))
    assert len(result.curve) == 10


@pytest.mark.parametrize("wrong", [{"rank": 0}, {"epochs": 0}, {"learning_rate": -1.0}, {"batch": 0}, {"patience": 3}])
def test_settings_that_make_no_sense(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Settings(**wrong)


def test_layers_that_are_not_there(tiny):
    with pytest.raises(ValueError, match="choose from 1 to 2"):
        training.with_lora(tiny[0], Settings(layers=3))


# ---- documents


@given(st.lists(st.integers(1, 40), min_size=1, max_size=30), st.integers(1, 60))
def test_micro_batches_keep_order_and_size(lengths, tokens):
    rows = [Example(list(range(n)), 0, []) for n in lengths]
    groups = micro_batches(rows, tokens)
    assert [d for group in groups for d in group] == rows
    assert all(len(group) == 1 or sum(map(len, group)) <= tokens for group in groups)
    assert all(sum(map(len, a)) + len(b[0]) > tokens for a, b in zip(groups, groups[1:]))


def test_a_chat_is_learnt_from_its_last_answer(tokenizer):
    messages = [{"role": "user", "content": "Apa khabar?"}, {"role": "assistant", "content": "Khabar baik."}]
    made = conversation(tokenizer, messages)
    assert tokenizer.decode(made.input_ids[made.prompt_length :]) == "Khabar baik." + tokenizer.eos_token
    assert tokenizer.decode(made.input_ids[: made.prompt_length]).endswith("<|im_start|>assistant\n")
    assert len(made.weights) == len(made) - made.prompt_length
    for bad in ([], messages[:1], [*messages[:1], {"role": "assistant", "content": " "}]):
        with pytest.raises(ValueError, match="nothing to learn"):
            conversation(tokenizer, bad)


def test_prose_is_cut_and_nothing_is_lost(tokenizer):
    text = "Hujan turun lagi petang itu di Kuala Terengganu. " * 20
    pieces = prose(tokenizer, [text], longest=50)
    assert all(len(p) <= 50 and p.prompt_length == 1 and len(p.weights) == len(p) - 1 for p in pieces)
    assert tokenizer.decode([i for p in pieces for i in p.input_ids]) == text + tokenizer.eos_token


def test_a_fingerprint_changes_with_everything(tokenizer):
    rows = documents(tokenizer, 3)
    marks = {fingerprint(rows), fingerprint(rows[:2]), fingerprint(rows, {"rank": 4}), fingerprint([*rows[:2], Example([1, 2], 1, [1.0])])}
    assert len(marks) == 4 and fingerprint(rows) in marks


@pytest.mark.parametrize("by_hand", [True, False])
def test_branches_of_one_beginning_are_separate_documents(tiny, by_hand):
    model, tokenizer = tiny
    model = disturbed(model, Settings(rank=4))
    prompt = tokenizer("Polisi kaunter: jawab dengan sopan.")["input_ids"]
    endings = [tokenizer(text, add_special_tokens=False)["input_ids"] for text in ("Selamat pagi!", "Ada banjir di Johor.", "Terima kasih")]
    apart = [Example(prompt + ids, len(prompt), [0.0] + [0.5] * (len(ids) - 1)) for ids in endings]
    apart[1].weights[0] = 1.0  # the first token of a branch is predicted from the end of the beginning
    joined = together(apart, tokens=1000)
    assert len(joined) == 1 and len(joined[0]) == len(prompt) + sum(map(len, endings))
    assert len(together(apart, tokens=1)) == 3
    theirs = plain_loss(model, apart)
    their_gradients = gradients(model, theirs)
    engine = Engine(model, by_hand=by_hand)
    ours = engine.loss(engine.batch(joined))
    assert ours.item() == pytest.approx(theirs.item(), rel=1e-5)
    assert furthest(gradients(model, ours), their_gradients) < 1e-4


def test_documents_without_a_common_beginning_are_refused():
    with pytest.raises(ValueError, match="no common beginning"):
        together([Example([1, 2, 3], 1, [1.0, 1.0]), Example([2, 2, 3], 1, [1.0, 1.0])])
