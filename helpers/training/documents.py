"""Training documents: token ids, how many of them are given, and what each token of the rest is worth.

document = example(tokenizer, prompt_ids, lines)        # a form that is filled in, decisions weigh more than forced words
document = conversation(tokenizer, messages)            # a chat: the last answer is learnt
documents = prose(tokenizer, texts, longest=320)        # running text: every token is learnt
documents = together(documents, tokens=700)             # those that begin alike share the beginning
"""

import hashlib
import json
from dataclasses import dataclass

# What one decision is worth against a token that a constrained decoder would force.
FORCED_WEIGHT = 0.15


@dataclass
class Example:
    """One training document: token ids, how many of them are the prompt, and a weight for each token of the answer.

    `branches`: where each of several endings of one prompt starts and stops; an ending sees the prompt and itself.
    """

    input_ids: list
    prompt_length: int
    weights: list
    branches: tuple = ()

    def __len__(self):
        return len(self.input_ids)


def example(tokenizer, prompt_ids, lines, forced_weight=FORCED_WEIGHT):
    """A training document from a prompt and the lines of its answer.

    Args:
        prompt_ids: the conversation up to the answer, as token ids.
        lines: `(slot, answer)` pairs: a `Slot` of `helpers.models.constrained` and the choice to be learnt for it.

    The first token of a label, and every token of a quote, are decisions and weigh 1; keys and the rest of a label
    are forced by the slots and weigh `forced_weight`, enough to learn to write them unaided.
    """

    def encode(text):
        return tokenizer(text, add_special_tokens=False)["input_ids"]

    ids, weights = [], []
    for slot, answer in lines:
        key, value = encode(f"{slot.key}:"), encode(f" {answer}") + encode("\n")
        ids += key + value
        free = slot.nothing is not None
        weights += [forced_weight] * len(key) + ([1.0] * len(value) if free else [1.0] + [forced_weight] * (len(value) - 1))
    return Example(list(prompt_ids) + ids + [tokenizer.eos_token_id], len(prompt_ids), weights + [forced_weight])


def conversation(tokenizer, messages):
    """A document from a chat (a list of `{"role", "content"}`) whose last message is the answer to be learnt.

    ValueError if it is not the assistant's: there would be nothing to learn.
    """
    from helpers import models

    if not messages or messages[-1].get("role") != "assistant" or not str(messages[-1].get("content", "")).strip():
        raise ValueError("a conversation has to end with an answer of the assistant: there is nothing to learn in this one")
    prompt = models.prompt_ids(tokenizer, messages[:-1])
    answer = tokenizer(messages[-1]["content"].strip(), add_special_tokens=False)["input_ids"] + [tokenizer.eos_token_id]
    return Example(list(prompt) + answer, len(prompt), [1.0] * len(answer))


def prose(tokenizer, texts, longest=320):
    """Documents from running text, cut where a passage is longer than `longest` tokens; the first token is given."""
    documents = []
    for text in texts:
        ids = tokenizer(text, add_special_tokens=False)["input_ids"] + [tokenizer.eos_token_id]
        for start in range(0, len(ids), longest):
            piece = ids[start : start + longest]
            if len(piece) > 1:
                documents.append(Example(piece, 1, [1.0] * (len(piece) - 1)))
    return documents


def together(documents, tokens=700):
    """Documents as branches of their common beginning, in groups of at most `tokens` tokens (one alone may be longer).

    Agents' conversations begin with the same policy and tools: read once for a whole group, they cost a fraction, and the
    loss stays the sum of the documents' losses. ValueError where they do not begin alike.
    """
    documents = list(documents)
    if not documents:
        return []
    first, last = min(d.input_ids for d in documents), max(d.input_ids for d in documents)  # what these two share, all share
    shared = min(d.prompt_length for d in documents)
    shared = next((i for i in range(shared) if first[i] != last[i]), shared)
    if not shared:
        raise ValueError("these documents have no common beginning: train on them one by one")
    groups, size = [], 0
    for document in documents:
        if not groups or size + len(document) - shared > tokens:
            groups.append(Example(document.input_ids[:shared], shared, []))
            size = shared
        group, at = groups[-1], size
        group.input_ids = group.input_ids + document.input_ids[shared:]
        group.weights += [0.0] * (document.prompt_length - shared) + document.weights
        size += len(document) - shared
        group.branches += ((at, size),)
    return groups


def micro_batches(documents, tokens):
    """The documents in order, in groups of at most `tokens` tokens (one document may be longer, alone)."""
    groups, size = [], 0
    for document in documents:
        if not groups or size + len(document) > tokens:
            groups.append([])
            size = 0
        groups[-1].append(document)
        size += len(document)
    return groups


def fingerprint(documents, *more):
    """Twelve hexadecimal digits that change with the documents and with anything else that is given (JSON values)."""
    digest = hashlib.sha256(json.dumps(more, sort_keys=True, default=str).encode())
    for document in documents:
        digest.update(repr((document.input_ids, document.prompt_length, document.weights, document.branches)).encode())
    return digest.hexdigest()[:12]
