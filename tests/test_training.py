"""Fine-tuning: a loss that equals the usual one, runs that survive being killed, and adapters that load anywhere."""

import copy
import json
import os
import random
import shutil
import signal
from dataclasses import asdict
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from helpers import models, training
from helpers.models.constrained import Slot
from helpers.training import Example, Settings
from helpers.training.run import WHOLE

HERE = Path(__file__).resolve().parent
SETTINGS = {"rank": 4, "alpha": 8, "learning_rate": 1e-2, "batch": 2, "epochs": 1.0, "warmup_steps": 2, "save_every": 3, "seed": 7}


def documents(tokenizer, count=20, seed=3):
    """Letters of different lengths, with their answers, as examples."""
    rng, made = random.Random(seed), []
    for number in range(count):
        amount = f"RM{rng.randint(2, 9)},{rng.randint(100, 999)}"
        letter = f"Gaji saya {amount} sebulan. " + " ".join(
            rng.choices(["Terima kasih.", "Saya bekerja di Ipoh.", "Anak dua."], k=number % 4)
        )
        prompt = models.prompt_ids(tokenizer, [{"role": "user", "content": letter}])
        made.append(
            training.example(tokenizer, prompt, [(Slot("Gaji", (amount,)), amount), (Slot(amount, ("gaji", "sewa"), None), "gaji")])
        )
    return made


def disturbed(model, settings=None, seed=5):
    """The model with LoRA whose second matrices are not zero, so that all its gradients matter."""
    model = training.with_lora(model, settings or Settings(rank=4))
    torch.manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                parameter.normal_(std=0.05)
    return model


def logits(model, tokenizer, text="Gaji saya RM4,500 sebulan."):
    with torch.inference_mode():
        return model(torch.tensor([tokenizer(text)["input_ids"]])).logits[0]


def item(example):
    return {
        "input_ids": torch.tensor(example.input_ids), "prompt_length": example.prompt_length, "weights": torch.tensor(example.weights)
    }  # fmt: skip


# ---- the example


def test_decisions_weigh_one_and_forced_tokens_little(tokenizer):
    def encode(text):
        return tokenizer(text, add_special_tokens=False)["input_ids"]

    prompt = [5, 6, 7]
    quote, label = "Aminah binti Yusof", "komitmen bulanan"
    lines = [(Slot("Nama", (quote, "Ipoh")), quote), (Slot("RM350", (label, "gaji"), None), label)]
    made = training.example(tokenizer, prompt, lines)

    assert tokenizer.decode(made.input_ids[3:]) == f"Nama: {quote}\nRM350: {label}\n{tokenizer.eos_token}"
    assert made.input_ids[:3] == prompt and made.prompt_length == 3
    assert len(made.weights) == len(made) - 3
    keys, values = [len(encode("Nama:")), len(encode("RM350:"))], [len(encode(f" {quote}\n")), len(encode(f" {label}\n"))]
    forced = training.FORCED_WEIGHT
    assert forced == 0.15
    assert values[1] > 2  # a label of more than one token, or this would not show anything
    assert made.weights == [forced] * keys[0] + [1.0] * values[0] + [forced] * keys[1] + [1.0] + [forced] * values[1]


def test_a_tuned_model_is_asked_for_what_it_was_taught(tokenizer):
    """The tokens that are trained are those the constrained decoder walks through."""
    from helpers.models.constrained import token_tree

    slot = Slot("Gaji", ("RM2,650", "RM2,650.00", "RM26"))
    for choice in slot.choices:
        made = training.example(tokenizer, [1], [(slot, choice)])
        ids = made.input_ids[1 + len(tokenizer("Gaji:")["input_ids"]) : -1]
        node = token_tree(tokenizer, slot.options)
        for token in ids[:-1]:
            node = node[token]
        assert None in node and tokenizer.decode([ids[-1]]) == "\n"


# ---- the loss


def usual_loss(model, example):
    """Masked cross-entropy with all logits, as a sum over the answer's tokens."""
    ids = torch.tensor([example.input_ids])
    labels = ids.clone()
    labels[:, : example.prompt_length] = -100
    everything = model(input_ids=ids).logits[0, :-1].float()
    return F.cross_entropy(everything, labels[0, 1:], ignore_index=-100, reduction="sum")


def test_the_loss_is_the_usual_one_gradients_included(tiny):
    model, tokenizer = tiny
    model = disturbed(model)
    example = documents(tokenizer, 4)[3]
    example = Example(example.input_ids, example.prompt_length, [1.0] * len(example.weights))

    def with_gradients(loss):
        model.zero_grad()
        loss.backward()
        return loss.item(), {name: p.grad.clone() for name, p in model.named_parameters() if p.requires_grad}

    ours, our_gradients = with_gradients(training.supervised_loss(model, item(example)))
    theirs, their_gradients = with_gradients(usual_loss(model, example))
    assert ours == pytest.approx(theirs, rel=1e-5)
    assert our_gradients.keys() == their_gradients.keys() and len(our_gradients) == 2 * 7 * 2  # A and B, of seven layers, twice
    for name, gradient in our_gradients.items():
        assert gradient.abs().max() > 0, name
        assert torch.allclose(gradient, their_gradients[name], atol=1e-5 * float(gradient.abs().max()) + 1e-7, rtol=1e-4), name


def test_weights_weigh(tiny):
    model, tokenizer = tiny
    example = documents(tokenizer, 1)[0]
    whole = training.supervised_loss(model, item(example))
    parts = 0.0
    for position, weight in enumerate(example.weights):
        alone = [0.0] * len(example.weights)
        alone[position] = 1.0
        parts += weight * training.supervised_loss(model, item(Example(example.input_ids, example.prompt_length, alone))).item()
    assert whole.item() == pytest.approx(parts, rel=1e-4)


def test_a_step_divides_by_the_weights_of_its_batch(tiny, tmp_path):
    """The first loss on the curve is the weighted mean over all the documents of the step, not a mean of means."""
    model, tokenizer = tiny
    examples = documents(tokenizer, 4)
    with torch.no_grad():
        total = sum(float(training.supervised_loss(model, item(e))) for e in examples)
    expected = total / sum(sum(e.weights) for e in examples)
    result = training.finetune(model, tokenizer, examples, tmp_path / "adapter", Settings(**{**SETTINGS, "batch": 4}))
    assert len(result.curve) == 1
    assert result.curve[0][1] == pytest.approx(expected, rel=1e-3)


# ---- a run


@pytest.fixture(scope="module")
def run(_tiny, tokenizer, tmp_path_factory):
    """One run that is never killed: `(result, model after it)`."""
    folder, model = tmp_path_factory.mktemp("run") / "adapter", copy.deepcopy(_tiny)
    result = training.finetune(model, tokenizer, documents(tokenizer), folder, Settings(**SETTINGS), card="# Kad model")
    return result, model


def test_a_run_learns_and_leaves_a_whole_folder(run, tokenizer):
    result, _ = run
    folder = Path(result.adapter)
    assert [step for step, _ in result.curve] == list(range(1, 11))
    assert sum(loss for _, loss in result.curve[-3:]) < 0.95 * sum(loss for _, loss in result.curve[:3])
    assert result.tokens == sum(len(e) for e in documents(tokenizer))
    assert result.resumed_from == 0 and result.seconds > 0 and result.peak_memory > 1e8
    assert [p.name for p in folder.parent.iterdir()] == ["adapter"]  # no working folder is left
    assert (folder / "README.md").read_text() == "# Kad model"
    about = json.loads((folder / "training.json").read_text())
    assert about["settings"] == asdict(Settings(**SETTINGS))
    assert [tuple(row) for row in about["curve"]] == result.curve
    assert about["adapter"] == "adapter"


def test_the_folder_loads_with_plain_peft(run, _tiny, tokenizer):
    from peft import PeftModel

    result, trained = run
    plain = PeftModel.from_pretrained(copy.deepcopy(_tiny), result.adapter).eval()
    assert torch.allclose(logits(plain, tokenizer), logits(trained, tokenizer), atol=1e-6)
    assert not torch.allclose(logits(plain, tokenizer), logits(_tiny, tokenizer), atol=1e-2)


def test_merged_and_unmerged_agree(run, tiny_folder):
    result, _ = run
    merged, tokenizer = models.load(tiny_folder, adapter=result.adapter, merge=True)
    apart, _ = models.load(tiny_folder, adapter=result.adapter, merge=False)
    assert torch.allclose(logits(merged, tokenizer), logits(apart, tokenizer), atol=1e-4)
    assert not hasattr(merged, "peft_config")
    trainable = [name for name, p in apart.named_parameters() if p.requires_grad]
    assert trainable and all("lora_" in name for name in trainable)


def test_a_run_goes_on_from_an_adapter(run, tiny_folder, tmp_path):
    result, _ = run
    model, tokenizer = models.load(tiny_folder, adapter=result.adapter, merge=False)
    more = training.finetune(model, tokenizer, documents(tokenizer), tmp_path / "more", Settings(**SETTINGS))
    assert more.curve[0][1] < 0.95 * result.curve[0][1]


KILLED = """
import os, signal, sys
from pathlib import Path
from transformers import TrainerCallback
from helpers import models, training
from test_training import SETTINGS, documents

class Kill(TrainerCallback):
    def on_step_end(self, args, state, control, **kwargs):
        if state.global_step == 8:
            os.kill(os.getpid(), signal.SIGKILL)

model, tokenizer = models.load(sys.argv[1])
training.finetune(model, tokenizer, documents(tokenizer), Path(sys.argv[2]), training.Settings(**SETTINGS), [Kill()])
"""


def test_a_killed_run_ends_like_one_that_was_not(run, tiny, tmp_path, tiny_folder, python):
    from safetensors.torch import load_file

    whole, _ = run
    model, tokenizer = tiny
    folder = tmp_path / "adapter"
    done = python(KILLED, tiny_folder, folder, PYTHONPATH=f"{HERE}{os.pathsep}{HERE.parent}")
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert not folder.exists()
    work = tmp_path / "adapter.part"
    assert training.latest_checkpoint(work).name == "checkpoint-6"

    # the kill came while a newer checkpoint was being written
    half = shutil.copytree(work / "checkpoint-6", work / "checkpoint-8")
    state = (half / "trainer_state.json").read_bytes()
    (half / "trainer_state.json").write_bytes(state[: len(state) // 2])
    (half / WHOLE).unlink()

    result = training.finetune(model, tokenizer, documents(tokenizer), folder, Settings(**SETTINGS))
    assert result.resumed_from == 6
    assert [step for step, _ in result.curve] == [step for step, _ in whole.curve]
    assert [loss for _, loss in result.curve] == pytest.approx([loss for _, loss in whole.curve], rel=1e-4)
    ours, theirs = (load_file(Path(r.adapter) / "adapter_model.safetensors") for r in (result, whole))
    assert ours.keys() == theirs.keys()
    for name, tensor in ours.items():
        assert torch.allclose(tensor, theirs[name], atol=1e-5, rtol=1e-3), name
    assert not work.exists()


# ---- checkpoints, and what is refused


def test_a_half_written_checkpoint_is_passed_over(tmp_path):
    def checkpoint(step):
        folder = tmp_path / f"checkpoint-{step}"
        folder.mkdir()
        (folder / WHOLE).write_text(str(step))
        return folder

    assert training.latest_checkpoint(tmp_path) is None
    assert training.latest_checkpoint(tmp_path / "nowhere") is None
    older, newer = checkpoint(9), checkpoint(100)
    assert training.latest_checkpoint(tmp_path) == newer  # by number, not by name
    (newer / WHOLE).unlink()
    assert training.latest_checkpoint(tmp_path) == older


def test_nothing_to_train_on(tiny, tmp_path):
    with pytest.raises(ValueError, match="empty"):
        training.finetune(*tiny, [], tmp_path / "adapter")
    assert list(tmp_path.iterdir()) == []


def test_a_loss_that_is_not_a_number_leaves_no_adapter(tiny, tmp_path):
    model, tokenizer = tiny
    model.model.norm.weight.data.fill_(float("nan"))
    with pytest.raises(RuntimeError, match="learning rate"):
        training.finetune(model, tokenizer, documents(tokenizer, 4), tmp_path / "adapter", Settings(**SETTINGS))
    assert not (tmp_path / "adapter").exists()


def test_only_lora_is_trained(tiny):
    model, _ = tiny
    adapted = training.with_lora(model, Settings(rank=4))
    trainable = sum(p.numel() for p in adapted.parameters() if p.requires_grad)
    shapes = [(64, 64), (64, 32), (64, 32), (64, 64), (64, 128), (64, 128), (128, 64)]  # q k v o gate up down
    assert trainable == 2 * sum(4 * (rows + columns) for rows, columns in shapes)
