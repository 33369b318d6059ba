"""The model card of an adapter, in the hub's form: what it is for, data, settings, scores, hours, energy, licence, limits."""

from helpers import machine

# What a computer draws is not measured here; the card says which figure it assumed.
ASSUMED_WATTS = 65


def model_card(title, what, settings, results, scores, data, limits, licence="apache-2.0", base="HuggingFaceTB/SmolLM2-135M-Instruct"):
    """A card as Markdown.

    Args:
        what: one paragraph: what the adapter does and for whom.
        settings: `Settings`; results: a list of `Result`, one for each stage of training.
        scores: lines of text, each with its interval; data: a sentence with the origin and the licence of the data.
        limits: a paragraph: where it fails and what it must not be used for.
        licence: the adapter's, as the hub names it; base: the base model's repository.
    """
    tokens, seconds = sum(r.tokens for r in results), sum(r.seconds for r in results)
    peak = max(r.peak_memory for r in results) / machine.GB
    layers = "all layers" if settings.layers is None else f"the top {settings.layers} layers"
    held_out = [f"held-out loss at the end of stage {n}: {r.held_out[-1][1]:.3f}" for n, r in enumerate(results, 1) if r.held_out]
    return f"""---
base_model: {base}
library_name: peft
license: {licence}
language: [ms, en]
tags: [lora, malay]
---
# {title}

{what}

- **Data:** {data}
- **Settings:** LoRA rank {settings.rank}, alpha {settings.alpha}, {layers}, learning rate {settings.learning_rate:g}, {settings.batch} documents a step, {settings.epochs:g} epoch(s), seed {settings.seed}.
- **Cost:** {tokens:,} tokens in {seconds / 3600:.2f} hours on this computer's processor or GPU, peak memory {peak:.1f} GB; about {seconds / 3600 * ASSUMED_WATTS:.0f} Wh if it draws {ASSUMED_WATTS} W (an assumption, not a measurement).

## Scores
{chr(10).join("- " + line for line in [*scores, *held_out]) or "- none were measured"}

## Limits
{limits}
"""
