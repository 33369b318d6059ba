"""Notebook 06: what it defines is taken out of its text twin and held against PEFT, bitsandbytes' marks and real configurations."""

import json
import math
from pathlib import Path
from types import SimpleNamespace

import jupytext
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from peft import LoraConfig, PeftModel, get_peft_model
from torch import nn
from transformers import AutoConfig, AutoModelForCausalLM

from helpers import lesson, training

TWIN = Path(__file__).resolve().parent.parent / "notebooks" / "source" / "06_lora_by_hand.py"


def definitions():
    """What the notebook's cells with the tag `definition` define, with nothing else of the notebook run."""
    found = {}
    for number, cell in enumerate(jupytext.read(TWIN).cells):
        if "definition" in cell.metadata.get("tags", []):
            exec(compile(cell.source, f"notebook 06, cell {number}", "exec"), found)
    return SimpleNamespace(**found)


by_hand = definitions()


def filled(layer, seed):
    """A `LoRALinear` whose B is not zero, as after some training."""
    with torch.no_grad():
        layer.B.copy_(torch.randn(layer.B.shape, generator=torch.Generator().manual_seed(seed)))
    return layer


def relative(a, b):
    return float((a - b).norm() / b.norm())


# ---- one layer

sizes = st.integers(1, 24)
layers = given(
    n=sizes, m=sizes, tokens=st.integers(1, 9), rank=st.integers(1, 6), alpha=st.sampled_from([1, 3, 8, 32]), bias=st.booleans(), seed=st.integers(0, 99)
)  # fmt: skip


def both(n, m, tokens, rank, alpha, bias, seed):
    """Our layer and PEFT's with the same numbers, some inputs, and a gradient for the outputs."""
    torch.manual_seed(seed)
    base = nn.Linear(n, m, bias=bias)
    config = LoraConfig(r=rank, lora_alpha=alpha, target_modules=["0"])
    theirs = get_peft_model(nn.Sequential(nn.Linear(n, m, bias=bias)), config).base_model.model[0]
    ours = filled(by_hand.LoRALinear(base, rank, alpha), seed)
    with torch.no_grad():
        theirs.base_layer.load_state_dict(base.state_dict())
        theirs.lora_A["default"].weight.copy_(ours.A)
        theirs.lora_B["default"].weight.copy_(ours.B)
    return ours, theirs, torch.randn(tokens, n), torch.randn(tokens, m)


@settings(max_examples=40, deadline=None)
@layers
def test_outputs_and_gradients_are_those_of_peft(**case):
    ours, theirs, X, G = both(**case)
    A, B = theirs.lora_A["default"].weight, theirs.lora_B["default"].weight
    x, y = X.clone().requires_grad_(True), X.clone().requires_grad_(True)
    ours_out, theirs_out = ours(x), theirs(y)
    torch.testing.assert_close(ours_out, theirs_out)
    ours_out.backward(G)
    theirs_out.backward(G)
    torch.testing.assert_close(ours.A.grad, A.grad)
    torch.testing.assert_close(ours.B.grad, B.grad)
    torch.testing.assert_close(x.grad, y.grad)
    assert all(p.grad is None and not p.requires_grad for p in ours.base.parameters())
    for mine, autograd in zip(by_hand.gradients_by_hand(X, G, ours), (A.grad, B.grad)):
        torch.testing.assert_close(mine, autograd, rtol=1e-4, atol=1e-4)


@settings(max_examples=25, deadline=None)
@layers
def test_merged_computes_the_same_and_leaves_the_base_alone(**case):
    ours, theirs, X, _ = both(**case)
    before = ours.base.weight.clone()
    plain = ours.merged()
    assert type(plain) is nn.Linear and torch.equal(ours.base.weight, before)
    torch.testing.assert_close(plain(X), ours(X), rtol=1e-4, atol=1e-4)
    theirs.merge()
    torch.testing.assert_close(plain.weight, theirs.base_layer.weight.data)


def test_a_fresh_layer_is_the_open_layer_and_can_learn():
    torch.manual_seed(0)
    base = nn.Linear(64, 48)
    layer, x = by_hand.LoRALinear(base, 4, 8), torch.randn(5, 64)
    assert torch.equal(layer(x), base(x))
    assert 0.5 / math.sqrt(64) < layer.A.abs().max() <= 1 / math.sqrt(64)
    layer(x).square().sum().backward()
    assert layer.A.grad.abs().max() == 0 and layer.B.grad.abs().max() > 0


def test_the_best_of_a_rank_is_exact_from_its_own_rank_on():
    torch.manual_seed(0)
    matrix = torch.randn(12, 3) @ torch.randn(3, 9)
    torch.testing.assert_close(by_hand.best_of_rank(matrix, 3), matrix, rtol=1e-4, atol=1e-4)
    assert (by_hand.best_of_rank(matrix, 2) - matrix).norm() == pytest.approx(float(torch.linalg.svdvals(matrix)[2]), rel=1e-3)


# ---- a whole model


def run(model, document):
    """Logits, the loss of all tokens, and the gradients of all that is trained, by name."""
    ids = torch.tensor([document.input_ids])
    loss = by_hand.token_losses(model, document).mean()
    loss.backward()
    with torch.no_grad():
        return model(input_ids=ids).logits, loss.detach(), {name: p.grad for name, p in model.named_parameters() if p.requires_grad}


@pytest.fixture
def document(tokenizer):
    ids = tokenizer("Pemohon bekerja sebagai guru di Seremban sejak lima tahun lalu.")["input_ids"]
    return training.Example(ids, 3, [1.0] * (len(ids) - 3))


@pytest.fixture
def ours(tiny):
    torch.manual_seed(0)
    model = by_hand.add_lora(tiny[0], 4, 8)
    for seed, (_, layer) in enumerate(by_hand.lora_layers(model)):
        filled(layer, seed)
    return model


def test_a_model_with_our_layers_is_one_with_pefts(ours, document):
    logits, loss, gradients = run(ours, document)
    matrices = {name: (layer.A.detach(), layer.B.detach()) for name, layer in by_hand.lora_layers(ours)}
    peft_model = training.with_lora(by_hand.remove_lora(ours), training.Settings(rank=4, alpha=8))
    for name, (A, B) in matrices.items():
        layer = peft_model.get_submodule(f"base_model.model.{name}")
        layer.lora_A["default"].weight.data.copy_(A)
        layer.lora_B["default"].weight.data.copy_(B)
    their_logits, their_loss, their_gradients = run(peft_model, document)
    assert relative(logits, their_logits) < 1e-5 and relative(loss, their_loss) < 1e-5
    assert len(gradients) == len(their_gradients) == 2 * 7 * 2  # A and B, of seven layers, in two blocks
    for name, gradient in gradients.items():
        theirs = their_gradients[f"base_model.model.{name[:-1]}lora_{name[-1]}.default.weight"]
        assert theirs.norm() > 0 and relative(gradient, theirs) < 1e-4, name


def test_removing_leaves_the_model_as_it_was(tiny):
    model, _ = tiny
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    after = by_hand.remove_lora(by_hand.add_lora(model)).state_dict()
    assert after.keys() == before.keys() and all(torch.equal(after[name], before[name]) for name in before)


def test_our_folder_loads_with_peft_and_pefts_with_ours(ours, document, tmp_path):
    logits = run(ours, document)[0]
    by_hand.save_adapter(ours, tmp_path / "ours")
    peft_model = PeftModel.from_pretrained(by_hand.remove_lora(ours), tmp_path / "ours")
    ids = torch.tensor([document.input_ids])
    with torch.no_grad():
        assert relative(peft_model(input_ids=ids).logits, logits) < 1e-5
        peft_model.save_pretrained(tmp_path / "theirs")
        back = by_hand.load_adapter(peft_model.unload(), tmp_path / "theirs")
        assert relative(back(input_ids=ids).logits, logits) < 1e-5
        assert relative(by_hand.remove_lora(back)(input_ids=ids).logits, logits) > 1e-2  # or the adapter would have done nothing
    config = json.loads((tmp_path / "ours" / "adapter_config.json").read_text())
    assert (config["r"], config["lora_alpha"], len(config["target_modules"])) == (4, 8, 7)


def test_losses_are_those_of_each_next_token(tiny, document):
    model, _ = tiny
    with torch.no_grad():
        losses = by_hand.token_losses(model, document)
        item = {"input_ids": torch.tensor(document.input_ids), "prompt_length": 3, "weights": torch.ones(len(document) - 3)}
        assert len(losses) == len(document) - 1
        assert float(losses[2:].sum()) == pytest.approx(float(training.supervised_loss(model, item)), rel=1e-4)


# ---- arithmetic


@pytest.mark.parametrize("name", by_hand.shapes)
def test_the_shapes_count_what_transformers_builds(name):
    s = by_hand.shapes[name]
    options = {
        "hidden_size": s["hidden"], "num_hidden_layers": s["layers"], "intermediate_size": s["intermediate"], "num_attention_heads": s["heads"],
        "num_key_value_heads": s["kv"], "head_dim": s["head"], "vocab_size": s["vocabulary"], "tie_word_embeddings": s["tied"],
    }  # fmt: skip
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(AutoConfig.for_model("qwen3" if s["head_norms"] else "llama", **options))
    assert by_hand.parameters(s) == sum(p.numel() for p in model.parameters())
    with torch.device("meta"):
        by_hand.add_lora(model, rank=8)
    assert by_hand.lora_parameters(s, 8) == sum(p.numel() for p in model.parameters() if p.requires_grad)
    assert by_hand.linear_parameters(s) == sum(layer.base.weight.numel() for _, layer in by_hand.lora_layers(model))


def test_the_formula_counts_what_autograd_keeps(tiny):
    model, config = by_hand.add_lora(tiny[0], rank=4), tiny[0].config
    s = {"hidden": config.hidden_size, "intermediate": config.intermediate_size, "heads": config.num_attention_heads}
    s |= {"kv": config.num_key_value_heads, "head": config.hidden_size // config.num_attention_heads}
    ids = torch.arange(100).unsqueeze(0)
    measured = by_hand.kept_numbers(model, ids) / ids.numel() / config.num_hidden_layers
    assert measured == pytest.approx(by_hand.activations(s, rank=4), rel=0.1)


# ---- four bits

# The 16 values printed in appendix E of Dettmers and others (2023).
NF4 = [
    -1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635, -0.18477343022823334, -0.09105003625154495, 0.0,
    0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224, 0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0,
]  # fmt: skip


def test_the_marks_are_those_of_the_paper():
    torch.testing.assert_close(by_hand.normal_float(), torch.tensor(NF4), rtol=0, atol=1e-5)


@settings(max_examples=30, deadline=None)
@given(rows=st.integers(1, 6), size=st.floats(1e-6, 1e4), seed=st.integers(0, 99))
def test_rounding_goes_to_the_nearest_mark_and_no_further(rows, size, seed):
    marks, weight = by_hand.normal_float(), size * torch.randn(rows, 128, generator=torch.Generator().manual_seed(seed))
    numbers, scales = by_hand.quantise(weight, marks)
    restored = by_hand.restore(numbers, scales, marks, weight.shape)
    assert numbers.dtype == torch.uint8 and numbers.max() < 16
    nearest = (weight.reshape(-1, 64, 1) - scales[:, :, None] * marks).abs().amin(-1)
    torch.testing.assert_close((weight - restored).abs().reshape(-1, 64), nearest, rtol=1e-3, atol=1e-6 * size)
    torch.testing.assert_close(by_hand.restore(*by_hand.quantise(restored, marks), marks, weight.shape), restored)


def test_a_block_of_zeros_stays_zero():
    marks = by_hand.normal_float()
    assert torch.equal(by_hand.restore(*by_hand.quantise(torch.zeros(2, 64), marks), marks, (2, 64)), torch.zeros(2, 64))


# ---- exercises


@pytest.mark.parametrize(
    "name, right, wrong",
    [
        ("06.1", 419, (418, 420, 576)),
        ("06.2", lambda G, W, A, B, s: G @ W + s * (G @ B) @ A, (lambda G, W, A, B, s: G @ W, lambda G, W, A, B, s: G @ B @ W, 3)),
        ("06.3", by_hand.lora_parameters(by_hand.shapes["Qwen3-4B"], 8) * 2 / 1e6, (66.06, 8.0, "33")),
    ],
)
def test_the_exercises_know_right_from_wrong(name, right, wrong):
    assert lesson.check(name, right) is True
    assert [lesson.check(name, answer) for answer in wrong] == [False] * len(wrong)
