"""The workplaces: one class each, with a state, tools, a written policy and tasks.

from helpers import worlds
Counter = worlds.load("counter")
worlds.tasks("counter", "dev")
"""

import importlib
from functools import cache
from pathlib import Path

WORLDS = {"counter": "Counter", "supply": "Supply", "knowhow": "KnowHow", "customer": "MortgageCounter"}
TRAINING = ("train", "short_a", "short_b")  # whole conversations, and many short ones of first decisions


def load(name):
    """The class of a workplace; ValueError names those that there are."""
    if name not in WORLDS:
        raise ValueError(f"there is no workplace {name!r}: choose one of {', '.join(WORLDS)}")
    return getattr(importlib.import_module(f"{__name__}.{name}"), WORLDS[name])


@cache
def tasks(name, split):
    """The written tasks of a workplace as a tuple: a split of `TRAINING`, "dev" or "test"."""
    from helpers.worlds.base import load_tasks

    load(name)
    return tuple(load_tasks(Path(__file__).parent / name / "data" / f"{split}.jsonl"))


def rules(name):
    """The rule-based system of a workplace, as a `chat(messages, tools)`: what a tuned model is measured against."""
    act = importlib.import_module(f"{__name__}.{name}.rules").Rules().act
    return lambda messages, tools: act(messages)


def compose(name, count, seed):
    """Composed training tasks of a workplace."""
    return importlib.import_module(f"{__name__}.{name}.compose").compose(count, seed)
