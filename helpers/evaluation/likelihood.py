"""Scores from likelihoods: bits per byte, minimal pairs, multiple choice, routing. No text is generated.

    from helpers.evaluation import likelihood
    likelihood.log_likelihoods(model, tokenizer, [("Ibu kota Malaysia ialah", " Kuala Lumpur")])
    likelihood.bits_per_byte(model, tokenizer, ["Selamat pagi."])
    likelihood.score_items(model, tokenizer, corpus.builtin("diagnostics"))

Conventions are those of EleutherAI's evaluation harness, so that both give the same numbers: an empty context is the
beginning-of-text token; a space before an answer belongs to the answer; pairs compare whole log-likelihoods (as BLiMP,
Warstadt and others 2020, does), multiple choice compares log-likelihood per character of the answer (`acc_norm`).
"""

import math
from collections import Counter
from dataclasses import dataclass

from helpers.evaluation.intervals import bootstrap_ratio, wilson

ANSWER = "Jawapan:"


@dataclass(frozen=True)
class Likelihood:
    """What a model thinks of a continuation: natural log-probability, and how many tokens it has."""

    log_probability: float
    tokens: int


def prefix_token(tokenizer):
    """The token that stands for an empty context: beginning of text where there is one, else end of text."""
    return tokenizer.bos_token_id if tokenizer.bos_token_id is not None else tokenizer.eos_token_id


def encode_pair(tokenizer, context, continuation):
    """Token ids of context and continuation; spaces at the end of the context move to the continuation.

    Both are tokenised together and cut where the context's own tokens end, as tokens may not respect the border.
    """
    spaces = len(context) - len(context.rstrip())
    if spaces:
        context, continuation = context[:-spaces], context[-spaces:] + continuation
    if not context:
        return [prefix_token(tokenizer)], tokenizer(continuation, add_special_tokens=False)["input_ids"]
    whole = tokenizer(context + continuation, add_special_tokens=False)["input_ids"]
    cut = len(tokenizer(context, add_special_tokens=False)["input_ids"])
    return whole[:cut], whole[cut:]


def log_likelihoods(model, tokenizer, pairs, batch_tokens=1024, progress=None):
    """The log-likelihood of each continuation after its context.

    Args:
        pairs: list of `(context, continuation)` texts; the context may be empty.
        batch_tokens: padded tokens a forward pass; sets memory (1024 tokens of a 49,000-word vocabulary take 0.2 GB).
        progress: a description for a progress bar, or None.

    Returns:
        list of `Likelihood` (natural logarithms) in the order of `pairs`.
    """
    return score_tokens(model, [encode_pair(tokenizer, *pair) for pair in pairs], batch_tokens, progress)


def score_tokens(model, encoded, batch_tokens=1024, progress=None):
    """As `log_likelihoods`, for `(context ids, continuation ids)`. ValueError for an empty continuation."""
    import torch
    from tqdm.auto import tqdm

    if any(not continuation for _, continuation in encoded):
        raise ValueError("there is nothing to score: a continuation is empty")
    order = sorted(range(len(encoded)), key=lambda i: len(encoded[i][0]) + len(encoded[i][1]))
    results, batch = [None] * len(encoded), []
    bar = tqdm(total=len(encoded), desc=progress, disable=progress is None)
    with torch.inference_mode():
        for position, index in enumerate(order):
            batch.append(index)
            following = order[position + 1] if position + 1 < len(order) else None
            longest = None if following is None else len(encoded[following][0]) + len(encoded[following][1])
            if following is None or longest * (len(batch) + 1) > batch_tokens:
                for i, value in zip(batch, _forward(model, [encoded[i] for i in batch])):
                    results[i] = value
                bar.update(len(batch))
                batch = []
    bar.close()
    return results


def _forward(model, batch):
    """One padded pass. Padding stands left, so that every continuation ends at the right edge and few logits are made."""
    import torch

    width = max(len(c) + len(a) for c, a in batch) - 1  # the last token is only predicted
    keep = max(len(a) for _, a in batch)
    ids, mask = torch.zeros(len(batch), width, dtype=torch.long), torch.zeros(len(batch), width, dtype=torch.long)
    for row, (context, answer) in enumerate(batch):
        tokens = (context + answer)[:-1]
        ids[row, width - len(tokens) :], mask[row, width - len(tokens) :] = torch.tensor(tokens), 1
    ids, mask = ids.to(model.device), mask.to(model.device)
    positions = (mask.cumsum(1) - 1).clamp(min=0)
    logits = model(input_ids=ids, attention_mask=mask, position_ids=positions, logits_to_keep=keep, use_cache=False).logits
    values = []
    for row, (_, answer) in enumerate(batch):
        wanted = torch.tensor(answer, device=logits.device)
        line = logits[row, -len(answer) :].float()
        chosen = line.gather(1, wanted[:, None])[:, 0] - line.logsumexp(1)
        values.append(Likelihood(chosen.double().sum().item(), len(answer)))
    return values


def windows(ids, prefix, length):
    """Cut a long text into `(context, continuation)` so that every token is predicted once with at most `length` tokens in view."""
    pieces, start = [], 0
    while start < len(ids):
        stop = min(start + length, len(ids))
        first = max(0, stop - length)  # the last piece sees as much as it may
        context = ids[first:start] or ([prefix] if start == 0 else [ids[start - 1]])
        pieces.append((context, ids[start:stop]))
        start = stop
    return pieces


def document_bits(model, tokenizer, texts, batch_tokens=1024, progress=None):
    """For each text `(bits, bytes)`: what the model needs to write it down, against its size in UTF-8."""
    longest = min(getattr(model.config, "max_position_embeddings", 2048) or 2048, 2048)
    encoded, owner = [], []
    for number, text in enumerate(texts):
        pieces = windows(tokenizer(text, add_special_tokens=False)["input_ids"], prefix_token(tokenizer), longest)
        encoded += pieces
        owner += [number] * len(pieces)
    bits = [0.0] * len(texts)
    for number, value in zip(owner, score_tokens(model, encoded, batch_tokens, progress)):
        bits[number] -= value.log_probability / math.log(2)
    return [(b, len(text.encode())) for b, text in zip(bits, texts)]


def bits_per_byte(model, tokenizer, texts, floor=None, **options):
    """Bits the model needs per byte of text: comparable across tokenizers, lower is better. `Mean` over documents."""
    return bootstrap_ratio(document_bits(model, tokenizer, texts, **options), "bits/byte", floor=floor)


def byte_floor(train_texts, test_texts):
    """Bits per byte when only byte frequencies of the training texts are known (with one added to every count)."""
    counts = Counter(b"".join(t.encode() for t in train_texts))
    total = sum(counts.values()) + 256
    data = b"".join(t.encode() for t in test_texts)
    return -sum(math.log2((counts[b] + 1) / total) for b in data) / max(1, len(data))


def requests(row):
    """The `(context, continuation)` pairs of an item and the index of the right one.

    A row is a minimal pair (`good`, `bad`) or multiple choice (`question`, `options`, `answer`).
    """
    if row["kind"] == "pair":
        return [("", row["good"]), ("", row["bad"])], 0
    # No list of options in the prompt: the answer itself is scored, not a letter that stands for it.
    context = f"{row['question']}\n{row.get('cue', ANSWER)}"
    return [(context, " " + option) for option in row["options"]], row["answer"]


def picked(row, values):
    """Which option has the highest score: log-likelihood for pairs, per character of the answer for multiple choice."""
    if row["kind"] == "pair":
        scores = [v.log_probability for v in values]
    else:
        scores = [v.log_probability / len(option) for v, option in zip(values, row["options"])]
    return max(range(len(scores)), key=scores.__getitem__)


def item_marks(model, tokenizer, rows, progress=None, **options):
    """Item by item: right or wrong."""
    asked = [requests(row) for row in rows]
    values = log_likelihoods(model, tokenizer, [pair for pairs, _ in asked for pair in pairs], progress=progress, **options)
    marks, start = [], 0
    for row, (pairs, answer) in zip(rows, asked):
        marks.append(picked(row, values[start : start + len(pairs)]) == answer)
        start += len(pairs)
    return marks


def chance(rows):
    """The share that dice get right: the mean of one over the number of options."""
    return sum(1 / (2 if r["kind"] == "pair" else len(r["options"])) for r in rows) / max(1, len(rows))


def shares(rows, marks, name, key=None):
    """Marks as `Share` with the floor of dice: `{name: all}` and, with a `key`, `{f"{name}:{group}"}` for each group."""
    groups = {name: list(zip(rows, marks))}
    for row, mark in zip(rows, marks) if key else ():
        groups.setdefault(f"{name}:{row[key]}", []).append((row, mark))
    return {label: wilson(sum(m for _, m in found), len(found), floor=chance([r for r, _ in found])) for label, found in groups.items()}


def score_items(model, tokenizer, rows, name="items", key="phenomenon", **options):
    """Minimal pairs and multiple choice by likelihood: `{name: Share, f"{name}:{group}": Share, …}`."""
    return shares(rows, item_marks(model, tokenizer, rows, **options), name, key if rows and key in rows[0] else None)


def route(model, tokenizer, texts, labels, prompt, progress=None):
    """Send each text to the label that the model finds most probable after `prompt.format(text=text)`.

    The label's own probability after an empty text is taken off, or the commonest word would win every time
    (contextual calibration, Zhao and others 2021). Returns `[(label, probability)]`.
    """
    blank = [v.log_probability for v in log_likelihoods(model, tokenizer, [(prompt.format(text=""), " " + label) for label in labels])]
    pairs = [(prompt.format(text=text), " " + label) for text in texts for label in labels]
    values = log_likelihoods(model, tokenizer, pairs, progress=progress)
    chosen = []
    for start in range(0, len(values), len(labels)):
        scores = [v.log_probability - b for v, b in zip(values[start : start + len(labels)], blank)]
        weights = [math.exp(s - max(scores)) for s in scores]
        best = max(range(len(labels)), key=scores.__getitem__)
        chosen.append((labels[best], weights[best] / sum(weights)))
    return chosen


def majority_floor(gold):
    """The share that one answer given to everything gets right: that of the commonest label."""
    return max(Counter(gold).values()) / len(gold) if gold else 0.0
