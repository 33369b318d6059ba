"""Which tool an agent may call in which state of a conversation, and which calls wait for a person.

    approval = Approval()
    loop.run(world, chat, person, guard=Permissions.load("supply", approval))       # asked before every call
    approval.waiting                                   # {1: '["draft_order", {"part": "PRT-204", …}]'}
    approval.decide(1, True)                           # by a person; the same call passes once

What a tool may do is decided here and in the world, outside the model, so that no text can talk the guard round. Where a value
came from counts: after Debenedetti et al. 2025, “Defeating prompt injections by design” (CaMeL).
"""

import json
import re
import tomllib
from dataclasses import dataclass, field
from pathlib import Path

from helpers.worlds.base import ERROR, ids

_DATA = re.compile(r"<data sumber=.*?</data>", re.S)  # what `guard.mark` has marked


@dataclass(frozen=True)
class Rule:
    """When a tool may be called: `after` one of these has succeeded, at most `most` times in a conversation; `own` arguments only as
    a tool's result has shown them, `said` ones only in the person's own words, outside marked data. `person`: calls with one of
    these values (argument → list; an empty list: every call) need a person's approval."""

    after: tuple = ()
    most: int = 9
    own: tuple = ()
    said: tuple = ()
    person: dict = field(default_factory=dict)


class Permissions:
    """Which tools may be called in which state of a conversation: a `guard` for `loop.run`. A tool without a rule is refused."""

    def __init__(self, rules, approval=None):
        self.rules, self.approval = {tool: Rule(**rule) for tool, rule in rules.items()}, approval

    @classmethod
    def load(cls, world, approval=None):
        """The kit's rules for a world (counter, supply, knowhow, customer), from `data/permissions.toml`."""
        return cls(tomllib.loads((Path(__file__).parent / "data" / "permissions.toml").read_text(encoding="utf-8"))[world], approval)

    def __call__(self, world, name, arguments, messages):
        """Why this call may not be made now, as one line in Malay, or None."""
        rule, done = self.rules.get(name), _done(messages)
        if rule is None or not isinstance(arguments, dict):
            return f"panggilan {name!r} tidak dibenarkan di sini"
        if rule.after and not any(tool in rule.after for tool, _ in done):
            return f"panggil {' atau '.join(rule.after)} dahulu"
        if sum(tool == name for tool, _ in done) >= rule.most:
            return f"{name} hanya boleh dipanggil {rule.most} kali dalam satu perbualan; serahkan kepada pegawai"
        shown = "\n".join(
            leaf for _, result in done for leaf in _leaves(result) if ids(leaf) == [leaf]
        )  # ids in running text may be an attack's
        words = "\n".join(_DATA.sub(" ", m["content"]) for m in messages if m["role"] == "user")
        for names, text, where in ((rule.own, shown, "ditunjukkan oleh alat"), (rule.said, words, "disebut sendiri oleh orang itu")):
            for argument in names:
                if not re.search(rf"(?<![\w-]){re.escape(str(arguments.get(argument)))}(?![\w-])", text):
                    return f"{argument}: hanya nilai yang sudah {where} boleh digunakan"
        careful = any(not values or arguments.get(argument) in values for argument, values in rule.person.items())
        if careful and self.approval is not None and not self.approval.granted(name, arguments):
            return "menunggu kelulusan pegawai; jangan katakan bahawa hal ini sudah dibuat"
        return None


def _leaves(value):
    """The keys and plain values inside a result, as text."""
    if isinstance(value, dict):
        return [leaf for name, inner in value.items() for leaf in (str(name), *_leaves(inner))]
    if isinstance(value, list):
        return [leaf for inner in value for leaf in _leaves(inner)]
    return [str(value)]


def _done(messages):
    """The calls of a conversation that succeeded: `(tool, result)` in order."""
    names = {call["id"]: call["function"]["name"] for message in messages for call in message.get("tool_calls") or ()}
    results = [(names.get(m.get("tool_call_id")), json.loads(m["content"])) for m in messages if m["role"] == "tool"]
    return [(name, result) for name, result in results if not (isinstance(result, dict) and ERROR in result)]


class Approval:
    """Calls that wait for a person. A yes is good for one call, with exactly the arguments that the person saw.

    `person`: who is asked at once, `person(tool, arguments) -> bool`; without one, calls wait in `waiting` (number → call) until
    somebody decides. Deciding is no tool: an agent cannot reach it.
    """

    def __init__(self, person=None):
        self.person, self.waiting, self._granted, self._last = person, {}, [], 0

    def granted(self, tool, arguments):
        """Whether a call is approved, which spends the approval; otherwise it waits."""
        call = json.dumps([tool, arguments], sort_keys=True, ensure_ascii=False, default=str)
        if self.person:
            return bool(self.person(tool, arguments))
        if call in self._granted:
            self._granted.remove(call)
            return True
        if call not in self.waiting.values():
            self._last += 1
            self.waiting[self._last] = call
        return False

    def decide(self, number, approved):
        """A person's answer to a waiting call."""
        if number not in self.waiting:
            raise ValueError(f"no call waits under {number}: choose from {list(self.waiting)}")
        call = self.waiting.pop(number)
        self._granted += [call] if approved else []
