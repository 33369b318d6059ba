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
    """As `log_likelihoods`, for `(context ids, continuation ids)`. ValueError for an empty continuation.

    Continuations of one context, such as the options of a question, go through the model together, behind one copy of the context.
    """
    import torch
    from tqdm.auto import tqdm

    if any(not continuation for _, continuation in encoded):
        raise ValueError("there is nothing to score: a continuation is empty")
    packs = sorted(_packs(encoded), key=lambda pack: _length(pack, encoded))
    results, batch = [None] * len(encoded), []
    bar = tqdm(total=len(encoded), desc=progress, disable=progress is None)
    with torch.inference_mode():
        for position, pack in enumerate(packs):
            batch.append(pack)
            following = packs[position + 1 : position + 2]
            if not following or _length(following[0], encoded) * (len(batch) + 1) > batch_tokens:
                members = [index for _, indices in batch for index in indices]
                for index, value in zip(members, _forward(model, [(c, [encoded[i][1] for i in m]) for c, m in batch])):
                    results[index] = value
                bar.update(len(members))
                batch = []
    bar.close()
    return results


PACK = 256  # tokens; longer packs would spend more on attention than they save


def _packs(encoded):
    """`(context, indices)`: continuations of one context, as many as stay below `PACK` tokens."""
    filling, packs = {}, []
    for index, (context, _) in enumerate(encoded):
        pack = filling.get(tuple(context))
        if pack is None or _length((pack[0], [*pack[1], index]), encoded) > PACK:
            pack = filling[tuple(context)] = (context, [])
            packs.append(pack)
        pack[1].append(index)
    return packs


def _length(pack, encoded):
    return len(pack[0]) + sum(len(encoded[index][1]) - 1 for index in pack[1])


def _forward(model, batch):
    """One padded pass over `(context, answers)`; the likelihoods of all answers, in order.

    Padding stands left, so that answers end at the right edge and few logits are made. An answer sees the context and
    itself, not its neighbours: a mask says so, and every answer's positions count on from the context.
    """
    import torch

    widths = [len(context) + sum(len(answer) - 1 for answer in answers) for context, answers in batch]  # last tokens are only predicted
    width, rows = max(widths), len(batch)
    keep = 1 + max(size - len(context) for size, (context, _) in zip(widths, batch))
    ids, positions = torch.zeros(rows, width, dtype=torch.long), torch.zeros(rows, width, dtype=torch.long)
    seen = torch.eye(width, dtype=torch.bool).repeat(rows, 1, 1)  # padding sees itself, as a softmax over nothing is not a number
    places = []  # (row, positions that predict, answer), positions counted from the right edge
    for row, ((context, answers), size) in enumerate(zip(batch, widths)):
        start, end = width - size, width - size + len(context)
        ids[row, start:end], positions[row, start:end] = torch.tensor(context), torch.arange(len(context))
        seen[row, start:end, start:end] = torch.ones(len(context), len(context), dtype=torch.bool).tril()
        for answer in answers:
            inner = len(answer) - 1
            if inner:
                ids[row, end : end + inner] = torch.tensor(answer[:-1])
                positions[row, end : end + inner] = torch.arange(len(context), len(context) + inner)
                seen[row, end : end + inner, start : start + len(context)] = True
                seen[row, end : end + inner, end : end + inner] = torch.ones(inner, inner, dtype=torch.bool).tril()
            last = start + len(context) - 1
            places.append((row, [last - width, *range(end - width, end - width + inner)], answer))
            end += inner
    mask = torch.zeros(seen.shape, dtype=model.dtype).masked_fill(~seen, torch.finfo(model.dtype).min)[:, None].to(model.device)
    logits = model(
        input_ids=ids.to(model.device), attention_mask=mask, position_ids=positions.to(model.device), logits_to_keep=keep, use_cache=False
    ).logits
    values = []
    for row, where, answer in places:
        line = logits[row, where].float()
        wanted = torch.tensor(answer, device=logits.device)
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
