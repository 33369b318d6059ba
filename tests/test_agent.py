"""The agent that ships with the kit: it repeats its examination, and is honest about it."""

import json

import pytest

from helpers import examine, lesson, worlds
from helpers.evaluation import agents


@pytest.fixture(scope="module")
def loaded():
    from helpers import models

    return models.load(adapter=lesson.AGENT)


def kept(name):
    """What the agent did in the development tasks when it was made."""
    return {row["task"]: row for row in map(json.loads, (lesson.AGENT / f"examination-{name}.jsonl").open(encoding="utf-8"))}


@pytest.mark.parametrize("name", worlds.WORLDS)
def test_the_shipped_agent_repeats_its_examination(name, loaded):
    tasks, before = worlds.tasks(name, "dev")[:6], kept(name)
    assert set(before) == {task.id for task in worlds.tasks(name, "dev")}
    rows = agents.examine(worlds.load(name), tasks, examine.agent("model", name, loaded), whole_policy=False)
    alike = [all(row[what] == before[row["task"]][what] for what in ("state", "told", "calls", "refused")) for row in rows]
    assert sum(alike) >= len(alike) - 1, alike  # another processor may round one close choice the other way


def test_the_card_says_how_it_compares_with_rules():
    card = (lesson.AGENT / "README.md").read_text(encoding="utf-8")
    for name in worlds.WORLDS:
        found = agents.report(list(kept(name).values()))["passed"]
        assert f"{name}, development tasks passed: {found}; the rule-based system" in card
