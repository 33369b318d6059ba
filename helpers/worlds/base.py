"""What the four workplaces have in common: a state in SQLite, typed tools, a written policy, tasks with gold actions.

    desk = Counter()                                   # in memory; give a path to keep it
    desk.call("route", {"agency": "JPJ", "urgency": "biasa"})
    desk.state()                                       # what an examination compares

One class is the agent's tools, the MCP server, the source of training traces and the examiner: nothing about a
workplace is written twice. The public methods named in `TOOLS` are what an agent may call; everything else is for people.
"""

import inspect
import json
import re
import sqlite3
import sys
import threading
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Annotated

REGISTERS = ("rasmi", "pasar", "campur")
TELL = "beritahu"  # the key of a tool's result that holds a sentence for the person, ready to be passed on
ERROR = "ralat"  # the key of a result that refuses a call, with one line on what to do

# How a tool's argument is to be found, where its type is no list of choices. An agent that chooses instead of writing
# takes its options from these; for every other agent they are plain text.
Quote = Annotated[str, "quote"]  # words of the person, as they stand
Known = Annotated[str, "known"]  # an id that the task or an earlier result has shown, such as PMB-104
_ID = re.compile(r"\b[A-Z]{2,5}-[A-Z0-9]*\d[A-Z0-9]*\b")


@dataclass(frozen=True)
class Fact:
    """Something that a person knows and tells when asked: the agent's question, and a pattern that recognises such a
    question in anybody's words."""

    question: str
    asked: str


@dataclass(frozen=True)
class Task:
    """One task of an examination, or of training.

    `opening` and every value of `facts` map a register to words: what the person says first, and what they tell when
    asked. `gold` lists the right actions, `{"ask": fact}`, `{"tool": name, "arguments": {…}}` or
    `{"say": courtesy}` (a key of `World.SAYS`); any path that ends in
    the same state passes. `communicate`: what the person must have been told (amounts and dates in any form).
    `setup`: what differs from the world's own start.
    """

    id: str
    kind: str
    opening: dict
    gold: list
    facts: dict = field(default_factory=dict)
    communicate: list = field(default_factory=list)
    setup: dict = field(default_factory=dict)


def load_tasks(path):
    """The tasks of a JSONL file; ValueError names the line that cannot be read."""
    tasks = []
    for number, line in enumerate(Path(path).read_text(encoding="utf-8").splitlines(), 1):
        try:
            tasks.append(Task(**json.loads(line)))
        except (ValueError, TypeError) as error:
            raise ValueError(f"{Path(path).name}, line {number}: {error}") from error
    return tasks


class World:
    """A workplace. A subclass sets the class attributes, loads its start in `_begin`, and writes its tools as methods
    that return a dictionary and raise ValueError, with one line, where a call makes no sense."""

    NAME = ""
    TOOLS: tuple = ()  # at most five
    FACTS: dict = {}  # name → Fact
    SAYS: dict = {
        "salam": "Salam sejahtera. Sila beritahu kami apa yang boleh dibantu.",
        "tamat": "Sama-sama. Terima kasih kerana menghubungi kami.",
    }
    REFUSAL: tuple = ()  # (tool, arguments) that hands a case to a person: what an agent that always refuses would do
    SCHEMA = ""
    COMPARED: dict = {}  # table → the columns that an examination compares (no times, no free words)

    def __init__(self, path=":memory:", setup=None):
        """Open the workplace on an SQLite file, or in memory; `setup` is a task's."""
        self._db = sqlite3.connect(path, check_same_thread=False)
        self._db.row_factory = sqlite3.Row
        self._lock = threading.RLock()
        with self._lock, self._db:
            self._db.execute("PRAGMA secure_delete = ON")  # what is taken out is overwritten in the file too
            self._db.executescript(self.SCHEMA)
            self._begin(setup or {})

    def _begin(self, setup):
        """Fill the tables with the world's start and what `setup` adds."""
        raise NotImplementedError

    @classmethod
    @cache
    def policy(cls):
        """The workplace's written policy, in Malay: `policy.md` beside the class."""
        return (Path(sys.modules[cls.__module__].__file__).parent / "policy.md").read_text(encoding="utf-8")

    @classmethod
    def brief(cls):
        """What a tuned model is told instead of the policy: its title, and what the title cannot remind it of."""
        return inspect.cleandoc(cls.policy()).splitlines()[0].lstrip("# ")

    def call(self, name, arguments):
        """Call a tool as an agent does. Whatever is wrong with the call comes back as `{"ralat": one line}`."""
        if name not in self.TOOLS:
            return {ERROR: f"tiada alat bernama {name!r}; pilih {', '.join(self.TOOLS)}"}
        try:
            with self._lock, self._db:  # a call that fails changes nothing
                return _checked(type(self), name)(self, **arguments)
        except (TypeError, ValueError, KeyError) as error:
            return {ERROR: _one_line(error)}

    def query(self, sql, *values):
        """Rows of a query as dictionaries."""
        with self._lock:
            return [dict(row) for row in self._db.execute(sql, values)]

    def state(self):
        """Table → sorted rows of the compared columns: equal states are equal outcomes."""
        found = {}
        for table, columns in self.COMPARED.items():
            rows = self.query(f"SELECT {', '.join(columns)} FROM {table}")
            found[table] = sorted([[normal(row[c]) for c in columns] for row in rows], key=json.dumps)
        return found

    def close(self):
        """Close the database."""
        self._db.close()


@cache
def _checked(world, name):
    """A tool with its arguments validated against its type hints."""
    from pydantic import ConfigDict, validate_call

    return validate_call(getattr(world, name), config=ConfigDict(arbitrary_types_allowed=True, extra="forbid"))


def _one_line(error):
    """What a model can use of an exception: for a wrong argument its name and what was expected."""
    if hasattr(error, "errors"):
        return "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
    return " ".join(str(error.args[0] if error.args else error).split())


def arguments(tool):
    """Argument → type hint of a tool, in order, without `self`."""
    hints = inspect.get_annotations(tool, eval_str=True)
    return {name: hints[name] for name in inspect.signature(tool).parameters if name != "self"}


def ids(text):
    """Ids such as PMB-104 in a text, each once, in order of appearance."""
    return list(dict.fromkeys(_ID.findall(text)))


def normal(value):
    """A value in the form in which two are compared: RM amounts as numbers, dates as ISO, words without case and spaces."""
    from helpers.malay import dates, quantities

    if not isinstance(value, str):
        return round(value, 2) if isinstance(value, float) else value
    text = " ".join(value.split()).casefold().strip(" .")
    for found in (*quantities.find_amounts(text), *dates.find_dates(text)):
        if (found.start, found.end) == (0, len(text)) and found.value is not None:
            return found.value if isinstance(found.value, float) else str(found.value)
    return text
