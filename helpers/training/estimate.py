"""What a run will take, before it starts: memory, minutes, disk; and the setting that would fit where it does not.

    found = estimate.estimate(model, documents, settings, speed=280.0)     # speed: float32 GFLOP/s of this computer
    print(found)                        # 61,000 tokens: about 3.3 minutes, 1.3 GB of memory …

Memory is added up from the shapes: what the process holds now, the buffers of the largest micro-batch, LoRA and its
optimiser. Minutes are floating-point operations over the speed that was measured, times the share of it that training reaches.
"""

from dataclasses import dataclass, field

from helpers import machine

GB = machine.GB
# Share of the measured speed of matrix products that training reaches, by `python -m benchmarks.training` on two cores.
EFFICIENCY = {"by hand": machine.TRAINING_SHARE, "autograd": 0.4}
# Beside what is added up: the head's scores, the allocator, Trainer's own objects (see benchmarks/memory.py).
SLACK = 0.15 * GB


class DoesNotFit(ValueError):
    """The run needs more memory or disk than there is; the message names the setting that would fit."""


@dataclass
class Estimate:
    """Predicted cost of a run: seconds, bytes of memory and disk, the micro-batch in tokens, and a reason for each."""

    tokens: int
    seconds: float
    memory: int
    disk: int
    micro_batch_tokens: int
    reasons: dict = field(default_factory=dict)

    def __str__(self):
        return (
            f"{self.tokens:,} tokens: about {self.seconds / 60:.1f} minutes, {self.memory / GB:.1f} GB of memory, "
            f"{self.disk / 1e6:.0f} MB of disk; {self.micro_batch_tokens} tokens at a time"
        )


def shapes(model):
    """Sizes that the arithmetic needs, from a model with LoRA: a dictionary of numbers."""
    inner = model.get_base_model() if hasattr(model, "get_base_model") else model
    config = inner.config.get_text_config()
    layers = inner.model.layers
    adapted = [i for i, layer in enumerate(layers) if any(p.requires_grad for p in layer.parameters())]
    linear = sum(p.numel() for name, p in layers[0].named_parameters() if p.dim() == 2 and "lora_" not in name)
    return {
        "layers": len(layers), "trained": len(layers) - (adapted[0] if adapted else len(layers)), "linear": linear,
        "width": config.hidden_size, "inner": config.intermediate_size, "vocabulary": config.vocab_size,
        "attention": config.num_attention_heads * getattr(config, "head_dim", config.hidden_size // config.num_attention_heads),
        "keys": config.num_key_value_heads * getattr(config, "head_dim", config.hidden_size // config.num_attention_heads),
        "lora": sum(p.numel() for p in model.parameters() if p.requires_grad),
    }  # fmt: skip


def flop_per_token(s, supervised, length, cached=False):
    """Floating-point operations for one token that is trained on: (in every pass, once before the first).

    Forward and backward through a frozen matrix are two products of 2 operations a weight; the gradient of the weight itself
    is not needed. LoRA's own weights need all three. Attention: queries by keys and weights by values, over half of the
    `length` positions on average, forward and twice backward. The head works on the `supervised` share of the positions.
    """
    frozen = s["layers"] - s["trained"]
    attention = 2 * 2 * s["attention"] * length / 2
    upper = s["trained"] * (4 * s["linear"] + 3 * attention) + 6 * s["lora"] + 4 * s["width"] * s["vocabulary"] * supervised
    lower = frozen * (2 * s["linear"] + attention)
    return (upper, lower) if cached else (upper + lower, 0.0)


def bytes_per_token(s, by_hand, rank=16):
    """Bytes that a token of a micro-batch takes while it waits for its backward pass, and the scratch beside it."""
    qkv, gate_up = s["attention"] + 2 * s["keys"], 2 * s["inner"]
    if not by_hand:  # autograd keeps PEFT's intermediate results: measured as about 3.7 times what the hand-written layers keep
        return int(3.7 * s["trained"] * 4 * (qkv + 2 * s["attention"] + 2 * s["width"] + gate_up))
    kept = s["trained"] * (qkv + 2 * s["attention"] + 2 * s["width"] + gate_up + 7 * rank + 16)
    scratch = 8 * s["width"] + 2 * s["attention"] + 4 * s["inner"]
    return 4 * (kept + scratch)


def estimate(model, documents, settings, speed, by_hand=True, available=None):
    """Predict a run; raises `DoesNotFit` (a ValueError) with the setting that would fit.

    Args:
        documents: list of `Example`; settings: `Settings`; speed: measured float32 speed in GFLOP/s.
        available: bytes that may be used in all; default: the settings' `memory`, or what is free now.
    """
    import psutil

    s, tokens = shapes(model), sum(len(d) for d in documents)
    supervised = sum(len(d.weights) for d in documents) / tokens
    longest = max(len(d) for d in documents)
    held = psutil.Process().memory_info().rss
    limit = available or settings.memory or held + machine.memory()[1]
    fixed = held + 12 * s["lora"] + SLACK  # LoRA's weights are held already; gradients and two moments are not
    each = bytes_per_token(s, by_hand, settings.rank)
    cached = settings.layers is not None and by_hand
    micro = max(longest, min(settings.micro_batch_tokens, int((limit - fixed) / each)))
    memory = int(fixed + micro * each)
    if memory > limit:
        fits = int((limit - fixed) / each)
        advice = f"leave out documents of more than {fits} tokens" if fits >= 32 else "close other programs, or choose a smaller model"
        fewer = int((limit - fixed - longest * 4 * (8 * s["width"] + 6 * s["inner"])) / (longest * each / max(s["trained"], 1)))
        if 0 < fewer < s["trained"]:
            advice += f", or train only the top layers (layers={fewer})"
        raise DoesNotFit(
            f"the longest document, {longest} tokens, needs {memory / GB:.1f} GB and {limit / GB:.1f} GB may be used: {advice}"
        )
    disk = 3 * 3 * 4 * s["lora"] + (4 * s["width"] * tokens if cached else 0)  # three checkpoints of weights and two moments
    every, once = flop_per_token(s, supervised, tokens / len(documents), cached)
    rate = max(speed, 0.5) * 1e9 * EFFICIENCY["by hand" if by_hand else "autograd"]
    trained_tokens = int(tokens * settings.epochs)
    seconds = (trained_tokens * every + tokens * once) / rate
    reasons = {
        "seconds": f"{every / 1e9:.2f} GFLOP a token at {rate / 1e9:.0f} GFLOP/s, a part of the measured {speed:.0f}",
        "memory": f"{fixed / GB:.2f} GB before the first token and {each / 1e6:.2f} MB for each of {micro} tokens",
        "disk": "three checkpoints" + (" and the outputs of the frozen layers" if cached else ""),
    }
    return Estimate(trained_tokens, seconds, memory, disk, micro, reasons)
