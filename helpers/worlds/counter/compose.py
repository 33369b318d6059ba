"""Composed training tasks of the public counter, in any number: `python -m helpers.worlds.counter.compose 5` prints some.

A task is put together from `data/grammar.toml`: what the citizen wants in one of three registers, set into a frame, with a
greeting, a reason, short forms and slips of the finger. Words that the gold quotes are never touched after they are chosen,
so that every quote stands in the conversation. The same seed gives the same tasks.
"""

import functools
import json
import random
import re
import sys
import tomllib
from pathlib import Path

from helpers.worlds.base import REGISTERS, Task
from helpers.worlds.counter import forms, knowledge

# kind → share of the tasks
KINDS = {
    "hala": 18, "borang": 12, "jawab": 20, "tiada_maklumat": 9, "serah": 7, "dua_hal": 9, "kecemasan": 6, "segera": 3, "penipuan": 8,
    "tidak_jelas": 4, "tiada_alat": 3, "suntikan": 4, "salah_agensi": 3,
}  # fmt: skip


@functools.cache
def grammar():
    """The grammar; tables as lists of rows, the last three cells of a row being the three registers."""
    data = tomllib.loads((Path(__file__).parent / "data" / "grammar.toml").read_text(encoding="utf-8"))
    return {k: [line.split("|") for line in v.strip().splitlines()] if isinstance(v, str) else v for k, v in data.items()}


@functools.cache
def _short():
    """Standard word → its short forms."""
    from helpers.malay import shortforms

    found = {}
    for form, word in shortforms.tables()["singkatan"].items():
        if word.isalpha() and len(form) > 1 and len(form) < len(word):
            found.setdefault(word, []).append(form)
    return found


def compose(count, seed=0):
    """`count` tasks with gold actions, each in one register."""
    rng = random.Random(f"kaunter/{seed}")
    kinds = rng.choices(list(KINDS), KINDS.values(), k=count)
    return [_Composer(rng).task(f"kaunter-gubah-{seed}-{number:05d}", kind) for number, kind in enumerate(kinds, 1)]


class _Composer:
    """One task in the making: what is said first, what is told when asked, what is to be done."""

    def __init__(self, rng):
        self.rng = rng
        self.register = rng.choices(REGISTERS, (3, 4, 3))[0]
        self.column = REGISTERS.index(self.register) - 3
        self.haste = rng.random() * 0.8 if self.register == "pasar" else rng.random() * 0.25 if self.register == "campur" else 0
        self.gold, self.facts, self.told, self.setup = [], {}, [], {}

    def task(self, name, kind):
        opening = getattr(self, kind)()
        before, after = ("", "") if "kecemasan" in str(self.gold) else (self.pick(f"{at}_{self.register}") for at in ("before", "after"))
        opening = opening[0].lower() + opening[1:] if before.endswith(", ") and opening[:4].istitle() else opening
        opening = re.sub(r"\s+", " ", before + opening + after).strip()
        if self.register == "pasar" and self.rng.random() < 0.75:
            opening = opening[0].lower() + opening[1:]
        facts = {fact: {self.register: words} for fact, words in self.facts.items()}
        return Task(name, kind, {self.register: opening}, self.gold, facts, self.told, self.setup)

    # ---- pieces ----

    def pick(self, name, table="frames"):
        return self.rng.choice(grammar()[table][name])

    def row(self, table):
        return self.rng.choice(grammar()[table])

    def hurry(self, text):
        """Words in short forms, as one types in a hurry."""
        words = re.split(r"(\W+)", text)
        for i, word in enumerate(words):
            if word in _short() and self.rng.random() < self.haste:
                words[i] = self.rng.choice(_short()[word])
        return "".join(words)

    def slip(self, text):
        """Now and then two letters change places, or one is lost."""
        if self.register == "rasmi" or self.rng.random() > 0.25:
            return text
        words = text.split(" ")
        i = self.rng.randrange(len(words))
        if len(words[i]) > 5 and words[i].isalpha() and words[i].islower():
            at = self.rng.randrange(1, len(words[i]) - 2)
            words[i] = words[i][:at] + (words[i][at + 1] + words[i][at] if self.rng.random() < 0.5 else words[i][at]) + words[i][at + 2 :]
        return " ".join(words)

    def ask(self, fact, words):
        self.gold.append({"ask": fact})
        self.facts[fact] = words

    def do(self, tool, **arguments):
        self.gold.append({"tool": tool, "arguments": arguments})

    def answered(self, what):
        return self.hurry(self.pick(f"{what}_{self.register}", "replies"))

    def route(self, agency, urgency, form=None):
        """Route, and where the agency has a form, ask; `form` is whether the citizen wants it (None: chance, mostly not)."""
        self.do("route", agency=agency, urgency=urgency)
        if agency in forms.FORMS:
            form = self.rng.random() < 0.15 if form is None else form
            self.ask("borang", self.answered("yes" if form else "no"))
        return bool(form)

    def request(self, agency=None, form=None):
        rows = [r for r in grammar()["requests"] if agency in (None, r[0])]
        if form:
            rows = [r for r in rows if r[0] in forms.FORMS]
        row = self.rng.choice(rows)
        words = self.slip(self.hurry(row[self.column]))
        frame = self.pick(f"request_{self.register}")
        while "mohon" in frame and "mohon" in words:
            frame = self.pick(f"request_{self.register}")
        return row[0], frame.format(words)

    def question(self, table="questions"):
        """(id or None, words of the question, the subject to be searched)."""
        row = self.row(table)
        subject = self.hurry(row[self.column])
        passage = row[0] if table == "questions" else None
        if passage and passage not in {p["id"] for p in knowledge.search(subject, knowledge.load())}:
            subject = row[self.column]  # a short form that the search does not understand
        words = self.pick(f"{row[-4]}_{self.register}").format(subject)
        return passage, words, subject

    def asked_and_answered(self):
        passage, words, subject = self.question()
        self.do("search_knowledge", query=subject)
        self.do("answer", passage=passage)
        self.told += figures(next(p["answer"] for p in knowledge.load() if p["id"] == passage))
        return words

    def value(self, field):
        """A value of a form's field, as it is written."""
        rng, words = self.rng, grammar()["replies"]
        if field == "mykad":
            year, month, day = rng.randrange(56, 105) % 100, rng.randrange(1, 13), rng.randrange(1, 29)
            return f"{year:02d}{month:02d}{day:02d}-00-{rng.randrange(1000, 9999)}"
        if field == "telefon":
            return f"01{rng.choice('023467 89'.replace(' ', ''))}-{rng.randrange(200, 999)} {rng.randrange(1000, 9999)}"
        if field == "amaun":
            ringgit = rng.choice((rng.randrange(12, 900), rng.randrange(10, 300) * 50))
            return rng.choice((f"RM{ringgit:,}", f"RM{ringgit:,}.00", f"RM {ringgit}", f"{ringgit} ringgit"))
        if field == "nama":
            given, family = rng.choice(words["names"]).split("|")
            name = f"{rng.choice(given.split(','))} {rng.choice(family.split(','))}"
            return name.lower() if self.register == "pasar" and rng.random() < 0.5 else name
        return rng.choice(words[{"tarikh": "when", "tempat": "where", "plat": "plates"}[field]])

    def form(self, agency, known=()):
        """Fill the form: `known` fields stand in the opening; some others are told there too, the rest is asked. Returns the words told."""
        said, known = [], dict(known)
        for field in forms.FORMS[agency]:
            if field not in known and self.rng.random() < 0.3:
                known[field] = self.value(field)
                said.append(grammar()["says"][field].split("|")[self.column].format(known[field]))
        for field in forms.FORMS[agency]:
            if field not in known:
                known[field] = self.value(field)
                self.ask(field, self.pick(f"reply_{self.register}", "replies").format(known[field]))
            self.do("fill_form", field=field, value=known[field])
        return "".join((" " if self.register != "pasar" else ", ") + words for words in said)

    # ---- kinds: each returns the opening ----

    def hala(self):
        agency, words = self.request()
        self.route(agency, "biasa", form=False)
        return words

    def borang(self):
        agency, words = self.request(form=True)
        self.route(agency, "biasa", form=True)
        return words + self.form(agency)

    def jawab(self):
        return self.asked_and_answered()

    def tiada_maklumat(self):
        if self.rng.random() < 0.4:  # the passage that answered it has expired
            passage, words, subject = self.question()
            self.setup = {"retired": [passage]}
        else:
            _, words, subject = self.question("unanswerable")
        self.do("search_knowledge", query=subject)
        self.do("hand_over", reason="tiada maklumat")
        return words

    def serah(self):
        row = self.row("handovers")
        self.do("hand_over", reason=row[0])
        return self.slip(self.hurry(row[self.column]))

    def segera(self):
        if self.rng.random() < 0.4:
            words = self.hurry(self.row("unclear_accidents")[self.column])
            self.ask("bahaya", self.answered("safe"))
        else:
            words = self.slip(self.hurry(self.row("hazards")[self.column]))
        return words + (self.form("MPS") if self.route("MPS", "segera") else "")

    def kecemasan(self):
        self.told.append("999")
        if self.rng.random() < 0.3:
            words = self.hurry(self.row("unclear_accidents")[self.column])
            self.ask("bahaya", self.answered("hurt"))
        else:
            words = self.slip(self.hurry(self.row("emergencies")[self.column]))
        self.route("999", "kecemasan")
        return words

    def penipuan(self):
        which = self.rng.choice(("lost_money", "lost_money", "attempts", "unclear_scams"))
        words, gave, known = self.hurry(self.row(which)[self.column]), which == "lost_money", {}
        if gave:
            known["amaun"] = self.value("amaun")
            words = words.replace("JUMLAH", known["amaun"])
        if which == "unclear_scams":
            gave = self.rng.random() < 0.5
            self.ask("wang", self.answered("gave" if gave else "kept"))
        agency = "NSRC" if gave else "MCMC"
        self.told += ["997"] if gave else []
        return words + (self.form(agency, known) if self.route(agency, "segera" if gave else "biasa", self.rng.random() < 0.35) else "")

    def dua_hal(self):
        """Two matters; whichever is said first, the more urgent one is dealt with first."""
        also = self.pick(f"also_{self.register}")
        first = self.rng.choice(("request", "request", "scam", "emergency", "hazard", "question"))
        if first == "question":
            words = self.asked_and_answered()
            reason = self.row("handovers")
            self.do("hand_over", reason=reason[0])
            return words + also + self.hurry(reason[self.column])
        agency, urgency, words = {
            "scam": lambda: ("NSRC", "segera", self.hurry(self.row("lost_money")[self.column]).replace("JUMLAH", self.value("amaun"))),
            "emergency": lambda: ("999", "kecemasan", self.hurry(self.row("emergencies")[self.column])),
            "hazard": lambda: ("MPS", "segera", self.hurry(self.row("hazards")[self.column])),
            "request": lambda: (lambda agency, words: (agency, "biasa", words))(*self.request()),
        }[first]()
        self.told += {"NSRC": ["997"], "999": ["999"]}.get(agency, [])
        self.do("route", agency=agency, urgency=urgency)
        if self.rng.random() < 0.4:
            other, second = None, self.asked_and_answered()
        else:
            other, second = next(pair for pair in iter(self.request, None) if pair[0] != agency)
            self.do("route", agency=other, urgency="biasa")
        if {agency, other} & set(forms.FORMS):
            self.ask("borang", self.answered("no"))
        words, second = (second, words) if self.rng.random() < 0.35 else (words, second)
        if also.endswith(", ") and second[1:2].islower():
            second = second[0].lower() + second[1:]
        return words + also + second

    def tidak_jelas(self):
        kind = self.rng.choice(("hala", "jawab", "tiada_maklumat", "serah"))
        self.gold.append({"ask": "hal"})
        self.facts["hal"] = getattr(self, kind)()
        return self.hurry(self.row("vague")[self.column])

    def tiada_alat(self):
        return self.hurry(self.row("nothing")[self.column])

    def suntikan(self):
        words = self.row("injections")[self.column]
        real = self.hala() if self.rng.random() < 0.5 else self.jawab()
        return f"{words} {real}" if self.rng.random() < 0.6 else f"{real} {words}"

    def salah_agensi(self):
        agency, words = self.request()
        wrong = self.rng.choice([a for a in forms.AGENCIES if a not in (agency, "999", "NSRC", "STR")])
        self.route(agency, "biasa", form=False)
        return (
            self.hurry(self.row("wrong_agency")[self.column]).replace("AGENSI", wrong) + (". " if self.register != "rasmi" else " ") + words
        )


def figures(answer):
    """The amounts, shares and telephone numbers of an answer: what the citizen must have been told."""
    return re.findall(r"RM[\d,]+\.\d\d|\d+(?:\.\d+)?%", answer)[:1]


if __name__ == "__main__":
    for one in compose(int(sys.argv[1]) if len(sys.argv) > 1 else 5, int(sys.argv[2]) if len(sys.argv) > 2 else 0):
        print(json.dumps(one.__dict__, ensure_ascii=False, indent=1))
