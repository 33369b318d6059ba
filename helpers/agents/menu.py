"""Everything that an agent may say or do next, as token trees: the menu that a small model chooses from.

    menu = Menu(tokenizer, messages, tools, says)     # questions, answers that tools gave, and every possible call
    menu.choose(score)                                # the path that the model finds most probable
    document(tokenizer, messages, tools, says)        # the same trees say which tokens of a trace were decisions

An argument's options come from its schema: an `enum`, a boolean, an id seen in the conversation (`format: known`) or
words of the person (`format: quote`). So no call can be malformed, and no figure can be made up; it can still be wrong.
"""

import json
import math
import re

from helpers.agents import calls
from helpers.training.documents import Example
from helpers.worlds import base

END = "<|im_end|>"
# What a token is worth in training. Most tokens of a conversation leave no choice; where a quote begins and ends is a
# matter of taste; the rest decides the case.
DECISION, QUOTE, FORCED = 1.0, 0.3, 0.02
LONGEST_QUOTE = 10  # words
AROUND = " .,;:!?()[]\"'“”‘’…-–—"  # punctuation that belongs to the sentence, not to the quote


class Menu:
    """The options of one turn. `says`: sentences that the agent may always say, such as its questions."""

    def __init__(self, tokenizer, messages, tools, says=()):
        self.tokenizer, self._trees, self._worth = tokenizer, {}, {}
        heads = {text + END: () for text in (*says, *tells(messages)) if text}
        for tool in tools:
            head, *later = _segments(tool["function"], messages)
            if all(values for _, values in later):  # a tool without a possible argument cannot be called
                heads[head] = tuple(later)
        self._root = self._tree([(text, later) for text, later in heads.items()])

    def _tree(self, options, worth=DECISION):
        """A prefix tree of token ids; its leaves hold the segments that follow. `worth`: what its decisions weigh."""
        root = {}
        for ids, (text, later) in zip(self.tokenizer([t for t, _ in options], add_special_tokens=False)["input_ids"], options):
            node = root
            for token in ids:
                node = node.setdefault(token, {})
            if node:
                raise ValueError(f"the option {text!r} is the beginning of another")
            node[None] = later
        self._worth[id(root)] = worth
        return root

    def _next(self, node):
        """The tree after a leaf, or None at the end."""
        later = node[None]
        if not later:
            return None
        (worth, first), *rest = later
        key = first, tuple(rest)
        if key not in self._trees:
            self._trees[key] = self._tree([(text, tuple(rest)) for text in first], worth)
        return self._trees[key]

    def choose(self, score, pick=None):
        """Walk down the trees. `score(ids)` gives log-probabilities over the vocabulary after what was written so far.

        `pick(logs) -> index` chooses among the log-probabilities of the options; the highest by default. Returns the
        token ids and a list of `(probability, options)` of every decision, renormalised among the options.
        """
        written, decisions, node = [], [], self._root
        while node is not None:
            if None in node:
                node = self._next(node)
                continue
            options = list(node)
            token = options[0]
            if len(options) > 1:
                logs = score(written)[options].log_softmax(-1)
                best = pick(logs) if pick else int(logs.argmax())
                token = options[best]
                decisions.append((math.exp(float(logs[best])), len(options)))
            written.append(token)
            node = node[token]
        return written, decisions

    def weights(self, ids, forced=FORCED):
        """What each token of a message is worth in training: `DECISION`, `QUOTE` or, where nothing is decided, `forced`.

        ValueError if the menu does not have this message: a model that chooses could never say it.
        """
        found, node, worth = [], self._root, DECISION
        for token in ids:
            if node is not None and None in node:
                node = self._next(node)
                worth = self._worth.get(id(node), DECISION)
            if node is None or token not in node:
                raise ValueError(f"not on the menu after {self.tokenizer.decode(ids[: len(found)])!r}: {self.tokenizer.decode(ids)!r}")
            found.append(worth if len(node) > 1 else forced)
            node = node[token]
        if node.get(None) != ():
            raise ValueError(f"not a whole message: {self.tokenizer.decode(ids)!r}")
        return found


def tells(messages):
    """What the tools have given the agent to tell the person and it has not yet told, as one text in a list."""
    found, said = [], "\n".join(m["content"] or "" for m in messages if m["role"] == "assistant")
    for message in messages:
        if message["role"] == "tool":
            answer = json.loads(message["content"])
            if isinstance(answer, dict) and (text := answer.get(base.TELL)) and text not in said:
                found.append(text)
    return [" ".join(dict.fromkeys(found))] if found else []


def _segments(function, messages):
    """A call as text in pieces: the head, then for each argument what a decision weighs and its options, each with what
    follows up to the next argument."""
    properties = list(function["parameters"]["properties"].items())
    head = f'{calls.OPEN}{{"name": "{function["name"]}", "arguments": {{'
    tail = "}}" + calls.CLOSE + END
    if not properties:
        return [head + tail]
    pieces = [f'{head}"{properties[0][0]}":']
    for number, (_, kind) in enumerate(properties):
        follows = tail if number == len(properties) - 1 else f', "{properties[number + 1][0]}":'
        worth = QUOTE if kind.get("format") == "quote" else DECISION
        pieces.append((worth, tuple(f" {value}{follows}" for value in options(kind, messages))))
    return pieces


def options(kind, messages):
    """The values that an argument may take, as JSON, given its schema and the conversation."""
    if kind.get("format") == "known":
        text = "\n".join(m["content"] or "" for m in messages if m["role"] in ("user", "tool"))
        found = base.ids(text)
    elif kind.get("format") == "quote":
        found = [span for m in messages if m["role"] == "user" for span in spans(m["content"])]
    elif kind.get("type") == "boolean":
        return ["false", "true"]
    else:
        found = kind.get("enum", [])
    return [json.dumps(value, ensure_ascii=False) for value in dict.fromkeys(found)]


def spans(text, longest=LONGEST_QUOTE):
    """All runs of at most `longest` words within a line, without the punctuation around them."""
    found = []
    for line in text.splitlines():
        words = [m for m in re.finditer(r"\S+", line)]
        for first in range(len(words)):
            for last in range(first, min(first + longest, len(words))):
                span = line[words[first].start() : words[last].end()]
                span = span.strip(AROUND)
                if span and "<|" not in span:
                    found.append(span)
        found += re.findall(r"(?<=[-/.])\d{3,}\b", line)  # the last digits of a number that is written with hyphens
    return list(dict.fromkeys(found))


def harmless(messages):
    """Messages in which nobody's words can pass for a marker of the chat template."""
    return [{**m, "content": m["content"].replace("<|", "< |")} if m.get("content") else m for m in messages]


def prompt(tokenizer, messages, tools):
    """Token ids of a conversation up to the assistant's next message."""
    return tokenizer.apply_chat_template(harmless(messages), tools=tools, add_generation_prompt=True, tokenize=True, return_dict=False)


def document(tokenizer, messages, tools, says=(), forced=FORCED):
    """A trace as a training document: every message of the assistant is learnt, with its decisions weighing most."""
    ids, weights, first = [], [], None
    for number, message in enumerate(messages):
        if message["role"] != "assistant":
            continue
        before = prompt(tokenizer, messages[:number], tools)
        whole = tokenizer.apply_chat_template(harmless(messages[: number + 1]), tools=tools, tokenize=True, return_dict=False)
        first = len(before) if first is None else first
        weights += [0.0] * (len(before) - first - len(weights))
        end = len(whole) - 1  # the template's line break after the message is nobody's decision
        if whole[: len(before)] != before:
            raise ValueError("the template does not only add to a conversation")
        weights += Menu(tokenizer, messages[:number], tools, says).weights(whole[len(before) : end], forced)
        ids = whole[:end]
    while weights and weights[-1] < QUOTE:  # nothing is decided any more
        weights.pop()
    return Example(ids[: first + len(weights)], first, weights)
