"""The scripted person of a task: says the opening, tells a fact when asked for it, and leaves when nothing is asked.

    person = Person(Counter, task, trial=0)
    person(None)                               # the opening
    person("Boleh saya dapatkan nombor MyKad anda?")   # the fact, in the person's own words, or None when they leave

Trials differ in register: the first three speak rasmi, pasar and mixed where the task has them, later ones open in one
register and answer in another. The same trial always says the same.
"""

import re

from helpers.agents import calls, menu
from helpers.worlds import base

PATIENCE = 2  # questions that the person cannot answer before they leave
PUZZLED = "Maaf, saya tidak pasti."
_ASKS = re.compile(
    r"\?|\b(?:sila|minta|mohon|tolong|nyatakan|boleh\s+(?:saya|kami|sy|encik|cik|tuan|puan|awak|anda|beri|beritahu)|berikan|beritahu|please|could|can you)\b",
    re.I,
)


class Person:
    """Someone with a task, for one conversation."""

    def __init__(self, world, task, trial=0):
        self.facts, self.courtesies, self.task, self.puzzled = world.FACTS, set(world.SAYS.values()), task, 0
        registers = list(task.opening)
        self.register = registers[trial % len(registers)]
        self.answers_in = registers[(trial + trial // len(registers)) % len(registers)]

    def __call__(self, text):
        """The next words of the person; None when they have left."""
        if text is None:
            return self.task.opening[self.register]
        asked = [name for name, fact in self.facts.items() if text.strip() == fact.question]
        if not asked and _ASKS.search(text):
            asked = [name for name, fact in self.facts.items() if re.search(fact.asked, text, re.I)]
        told = [self._words(name) for name in asked if name in self.task.facts]
        if told:
            return " ".join(told)
        if (asked or "?" in text) and text not in self.courtesies:
            self.puzzled += 1
            return PUZZLED if self.puzzled <= PATIENCE else None
        return None

    def _words(self, name):
        said = self.task.facts[name]
        return said if isinstance(said, str) else said.get(self.answers_in) or next(iter(said.values()))


def replay(world, task):
    """Take the gold actions of a task in a fresh world and return it. ValueError where a tool refuses one."""
    made = world(setup=task.setup)
    for step in task.gold:
        if "tool" in step:
            _act(made, task, step)
    return made


def _act(made, task, step):
    """What a gold action gives. ValueError where the tool refuses it: then the task is wrong."""
    answer = made.call(step["tool"], step["arguments"])
    if base.ERROR in answer:
        raise ValueError(f"{task.id}: {step['tool']} refused the gold action: {answer[base.ERROR]}")
    return answer


def trace(world, task, trial=0):
    """The conversation of the gold actions with the person: what a model learns from, in the OpenAI shape.

    After the last action the agent passes on what the tools gave it to tell, or says the step's own `say`.
    """
    made, person = world(setup=task.setup), Person(world, task, trial)
    messages = [calls.system(world, whole=False), {"role": "user", "content": person(None)}]
    for step in [*task.gold, {}]:
        told = menu.tells(messages)
        if "tool" in step:
            order = [name for name in base.arguments(getattr(world, step["tool"])) if name in step["arguments"]]
            message = calls.call(step["tool"], {name: step["arguments"][name] for name in order})
            messages += [message, calls.result(message["tool_calls"][0]["id"], _act(made, task, step))]
            continue
        if "ask" in step:
            text = world.FACTS[step["ask"]].question
        elif "say" in step:
            text = world.SAYS[step["say"]]
        elif told or not task.gold:
            text = told[0] if told else world.SAYS["salam"]
        elif messages[-1]["role"] == "user":
            text = world.SAYS["tamat"]
        else:
            break
        messages.append(calls.say(text))
        if (reply := person(text)) is None:
            break
        messages.append({"role": "user", "content": reply})
    made.close()
    if messages[-1]["role"] != "assistant":
        raise ValueError(f"{task.id}: the gold actions end before the agent has said something")
    return messages


def says(world):
    """Everything that an agent of a world may always say: its questions and its courtesies."""
    return [*(fact.question for fact in world.FACTS.values()), *world.SAYS.values()]
