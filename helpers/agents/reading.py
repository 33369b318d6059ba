"""Reading a letter: the tuned model, and what it is compared with.

Each reader has `read(letter) -> Reading`. `ModelReader` asks a backend; `RulesReader` is the careful regular-expression
baseline; `RandomReader` picks among the possible quotes and labels by dice; `SilentReader` says nothing at all. The
last two are floors: a score means little until it is known what they get.
"""

import random
import time
from dataclasses import dataclass, field

from helpers.worlds.mortgage import fields as mortgage_fields
from helpers.worlds.mortgage import task


@dataclass
class Reading:
    """What a reader found: `fields` name → `{"value", "quotes"}` or None, a confidence (0–1) for each, and the raw answer."""

    fields: dict
    confidence: dict = field(default_factory=dict)
    text: str = ""
    tokens: int = 0
    seconds: float = 0.0

    def values(self):
        """Field name → value or None."""
        return {name: found and found["value"] for name, found in self.fields.items()}


class ModelReader:
    """A language model behind a backend (`helpers.agents.backends`)."""

    def __init__(self, backend):
        self.backend = backend

    def read(self, letter):
        """Ask the model, check every quote against the letter, read the values."""
        start = time.perf_counter()
        answer = self.backend.fill(task.messages(letter), mortgage_fields.slots(letter))
        quotes, confidence = mortgage_fields.parse_answer(answer.text, answer.confidence)
        found = mortgage_fields.evidence(letter, quotes)
        return Reading(found, confidence, answer.text, answer.tokens, time.perf_counter() - start)


class RulesReader:
    """The regular-expression baseline."""

    def read(self, letter):
        """Read by cues and patterns."""
        from helpers.worlds.mortgage import rules

        start = time.perf_counter()
        quotes = rules.extract(letter)
        found = mortgage_fields.evidence(letter, quotes)
        return Reading(found, {name: 1.0 for name in found}, seconds=time.perf_counter() - start)


class RandomReader:
    """Chooses every quote and label by dice, as often as there are choices."""

    def __init__(self, seed=0):
        self.rng = random.Random(seed)

    def read(self, letter):
        """Fill every slot with any of its options."""
        text = "\n".join(f"{slot.key}: {self.rng.choice(slot.options)}" for slot in mortgage_fields.slots(letter))
        quotes, _ = mortgage_fields.parse_answer(text)
        return Reading(mortgage_fields.evidence(letter, quotes), {f.name: 0.0 for f in mortgage_fields.FIELDS}, text)


class SilentReader:
    """Finds nothing in any letter: right wherever the letter is silent, wrong everywhere else."""

    def read(self, letter):
        """Every field None."""
        return Reading({f.name: None for f in mortgage_fields.FIELDS}, {f.name: 0.0 for f in mortgage_fields.FIELDS})
