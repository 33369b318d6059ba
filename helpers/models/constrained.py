"""Choose instead of write: greedy decoding in which every line of the answer must come from a list.

A small model writes nonsense more easily than it chooses nonsense. Each `Slot` is one line of the answer,
`key: choice`. The choices of a slot become a prefix tree over tokens; where the tree has one branch the tokens are
*forced* and go through the model together in one pass, so an answer of 100 tokens needs about 20 passes.
Where it branches, the model's own probabilities decide; their product is the line's confidence.

`grammar` writes the same slots as a GBNF grammar, which a llama.cpp server understands.
Method: jump-forward decoding, as in SGLang (arXiv 2312.07104); grammar syntax of llama.cpp.
"""

import json
import math
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Slot:
    """One line of an answer: `key: ` and one of `choices`, or `nothing` (None: one of the choices must be taken)."""

    key: str
    choices: tuple
    nothing: str | None = "-"

    @property
    def options(self):
        """Everything that may stand behind the key."""
        return (*self.choices, *([self.nothing] if self.nothing is not None else []))


@dataclass
class Answer:
    """What a constrained generation wrote: `text`, a probability for each line, and the work it took."""

    text: str = ""
    confidence: list = field(default_factory=list)
    tokens: int = 0
    passes: int = 0


def token_tree(tokenizer, choices):
    """A prefix tree of token ids as nested dicts; a choice ends where the key None is present."""
    root = {}
    for ids in tokenizer([" " + c for c in choices], add_special_tokens=False)["input_ids"]:
        node = root
        for token in ids:
            node = node.setdefault(token, {})
        node[None] = {}
    return root


def choose(model, tokenizer, prompt_ids, slots):
    """Fill the slots, one after another, with the most probable choices.

    Args:
        model: a causal language model; its `device` and dtype are used as they are.
        tokenizer: its tokenizer.
        prompt_ids: list of token ids of the conversation up to the assistant's answer.
        slots: list of `Slot`, in the order in which they are to be written.

    Returns an `Answer`; `confidence[i]` is the probability (0–1) of line i under the model.
    """
    import torch
    from transformers import DynamicCache

    def encode(text):
        return tokenizer(text, add_special_tokens=False)["input_ids"]

    cache, written, pending, answer = DynamicCache(config=model.config), [], list(prompt_ids), Answer()
    (newline,) = encode("\n")
    for slot in slots:
        start = encode(f"{slot.key}:")
        written += start
        pending += start
        node, log_probability = token_tree(tokenizer, slot.options), 0.0
        while True:
            options = [newline if token is None else token for token in node]
            token = options[0]
            if len(options) > 1:
                with torch.inference_mode():
                    output = model(torch.tensor([pending], device=model.device), past_key_values=cache, logits_to_keep=1)
                logs = torch.log_softmax(output.logits[0, -1].float(), dim=-1)[options]
                answer.passes, pending, best = answer.passes + 1, [], int(logs.argmax())
                token, log_probability = options[best], log_probability + float(logs[best])
            written.append(token)
            pending.append(token)
            if token == newline:
                break
            node = node[token]
        answer.confidence.append(math.exp(log_probability))
    answer.text, answer.tokens = tokenizer.decode(written), len(written)
    return answer


def grammar(slots):
    """The slots as a GBNF grammar: a llama.cpp server that is given it can only write such an answer."""
    rules = ["root ::= " + " ".join(f"s{i}" for i in range(len(slots)))]
    for i, slot in enumerate(slots):
        choices = " | ".join(json.dumps(" " + choice, ensure_ascii=False) for choice in slot.options)
        rules.append(f's{i} ::= {json.dumps(slot.key + ":", ensure_ascii=False)} ({choices}) "\\n"')
    return "\n".join(rules)
