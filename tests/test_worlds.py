"""The four workplaces together: tasks that can be replayed, said and learnt, and test tasks kept apart."""

import re

import pytest

from helpers import examine, worlds
from helpers.agents import calls, menu, person
from helpers.evaluation import agents

SPLITS = ("train", "dev", "test")


@pytest.fixture(scope="module")
def tokenizer():
    from transformers import AutoTokenizer

    from helpers import models

    return calls.adopt(AutoTokenizer.from_pretrained(models.safetensors_path(models.catalogue()["smollm2-135m"])))


@pytest.mark.parametrize("name", worlds.WORLDS)
def test_a_workplace_has_few_tools_and_a_short_policy(name):
    world = worlds.load(name)
    assert 3 <= len(world.TOOLS) <= 5 and len(world.policy().split()) <= 185
    assert all(len(f["description"]) > 20 for f in (s["function"] for s in calls.schemas(world)))
    questions = [fact.question for fact in world.FACTS.values()]
    assert len(set(questions)) == len(questions)


@pytest.mark.parametrize("name", worlds.WORLDS)
def test_there_are_enough_written_tasks_of_every_sort(name):
    counts = {split: worlds.tasks(name, split) for split in SPLITS}
    assert len(counts["train"]) >= 60 and len(counts["dev"]) >= 20
    single = [t for t in counts["test"] if len(t.opening) == 1]
    dialogs = [t for t in counts["test"] if len(t.opening) == 3 and any("ask" in g for g in t.gold)]
    assert len(single) >= 40 and len(dialogs) >= 15
    still = [t for t in counts["test"] if not any("tool" in g for g in t.gold)]
    assert len(still) >= 5  # where the right thing is to do nothing


@pytest.mark.parametrize("name", worlds.WORLDS)
def test_gold_is_passed_by_its_own_examination(name):
    world = worlds.load(name)
    for split in (*SPLITS, *worlds.TRAINING[1:]):
        for task in worlds.tasks(name, split):
            for trial in range(len(task.opening)):
                said = person.trace(world, task, trial)
                assert all(agents.communicated(task.communicate, said)), task.id
    task = next(t for t in worlds.tasks(name, "dev") if any("tool" in g for g in t.gold))
    gold = iter([m for m in person.trace(world, task) if m["role"] == "assistant"])
    assert agents.examine(world, [task], lambda messages, tools: dict(next(gold)))[0]["passed"]


@pytest.mark.parametrize("name", worlds.WORLDS)
def test_everything_that_is_to_be_learnt_is_on_the_menu(name, tokenizer):
    world = worlds.load(name)
    tools, says = calls.schemas(world), person.says(world)
    written = [task for split in worlds.TRAINING for task in worlds.tasks(name, split)[::8]]
    for task in (*written, *worlds.compose(name, 12, seed=5)):
        document = menu.document(tokenizer, person.trace(world, task), tools, says)
        assert sum(weight == 1.0 for weight in document.weights) >= 1, task.id


def _runs(text, length=6):
    words = re.findall(r"\w+", text.casefold())
    return {" ".join(words[i : i + length]) for i in range(len(words) - length + 1)}


@pytest.mark.parametrize("name", worlds.WORLDS)
def test_training_shares_no_wording_with_the_test(name):
    def texts(task):
        return [*task.opening.values(), *(text for said in task.facts.values() for text in said.values())]

    written = [task for split in worlds.TRAINING for task in worlds.tasks(name, split)]
    assert len({task.id for task in written}) == len(written) > 1000
    seen = {run for task in (*written, *worlds.compose(name, 150, seed=0)) for text in texts(task) for run in _runs(text)}
    shared = [(task.id, run) for task in worlds.tasks(name, "test") for text in texts(task) for run in _runs(text) & seen]
    assert shared == []


@pytest.mark.parametrize("name", worlds.WORLDS)
def test_the_yardsticks_do_better_than_the_floors(name):
    world, tasks = worlds.load(name), worlds.tasks(name, "dev")

    def passed(agent):
        rows = agents.examine(world, tasks, examine.agent(agent, name))
        return sum(row["passed"] for row in rows) / len(rows)

    scores = {agent: passed(agent) for agent in ("rules", "nothing", "refusing", "dice")}
    assert scores["rules"] >= 0.6 and max(scores["nothing"], scores["refusing"], scores["dice"]) <= 0.35, scores
