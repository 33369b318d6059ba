"""Composed training tasks of the supply desk, in any number: `python -m helpers.worlds.supply.compose 5` prints some.

    tasks = compose(2000, seed=0)

A task is a state of the factory (`variant`), a notice put together from `data/grammar.toml` in one of three registers, and
the right actions, found by brute force (`optimum.gold`). Numbers and lengths of time are put in last, so that no slip of the
finger touches what the gold quotes. The same count and seed give the same tasks.
"""

import datetime
import functools
import json
import random
import re
import sys
import tomllib
from typing import get_args

from helpers.worlds.base import REGISTERS, Task
from helpers.worlds.supply import Place, Supply, optimum, start

# kind → share of the tasks
KINDS = {
    "pesan": 36, "bahagian": 6, "tempat": 12, "tanya_tempoh": 9, "tanya_pembekal": 7, "tanya_dua": 5, "tanya_tempat": 4, "tanya_bahagian": 4,
    "sapaan_dahulu": 3, "desakan": 4, "arahan_dalam_notis": 4, "tiada_risiko": 8, "melebihi_had": 6, "tiada_calon": 6, "khabar": 4, "sudah_ada_draf": 3,
    "belum_disahkan": 4, "tiada_gangguan": 5, "dibatalkan": 5, "kualiti": 5, "mencurigakan": 5, "luar_skop": 4, "maklumat": 5, "sembang": 3,
}  # fmt: skip
CLOSED = ("tiada_gangguan", "dibatalkan", "kualiti", "mencurigakan")
_UNITS = {
    "rasmi": (("hari", 1), ("minggu", 7), ("bulan", 30)),
    "pasar": (("hari", 1), ("ari", 1), ("minggu", 7), ("mgu", 7), ("bulan", 30), ("bln", 30)),
    "campur": (("days", 1), ("hari", 1), ("weeks", 7), ("minggu", 7), ("working days", 1.4), ("months", 30)),
}
_MALAY = ("satu", "dua", "tiga", "empat", "lima", "enam", "tujuh", "lapan", "sembilan", "sepuluh", "sebelas", "dua belas")
_ENGLISH = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
_SLOTS = re.compile(r"(\{\w+\})")


@functools.cache
def grammar():
    """Register → part of a message → phrases."""
    from helpers.worlds.supply.start import _DATA

    return tomllib.loads((_DATA / "grammar.toml").read_text(encoding="utf-8"))


@functools.cache
def _short():
    from helpers.malay import shortforms

    found = {}
    for form, word in shortforms.tables()["singkatan"].items():
        if word.isalpha() and 1 < len(form) < len(word):
            found.setdefault(word, []).append(form)
    return found


class _Writer:
    """Writes one task's words in one register."""

    def __init__(self, rng, register):
        self.rng, self.register, self.phrases = rng, register, grammar()[register]

    def say(self, part, **slots):
        """A phrase of a part of the grammar with its slots filled; only the words around them get slips."""
        return self.fill(self.rng.choice(self.phrases[part]), **slots)

    def fill(self, phrase, **slots):
        pieces = [slots[p[1:-1]] if _SLOTS.fullmatch(p) else self.slip(p) for p in _SLOTS.split(phrase)]
        return "".join(pieces)

    def slip(self, text):
        """Short forms and slips of the finger, for whoever does not write formally."""
        if self.register == "rasmi":
            return text
        rate = 0.14 if self.register == "pasar" else 0.05

        def change(match):
            word = match.group()
            if self.rng.random() > rate:
                return word
            if word in _short():
                return self.rng.choice(_short()[word])
            if len(word) > 4 and self.rng.random() < 0.35:
                at = self.rng.randrange(1, len(word) - 1)
                return self.rng.choice(
                    [word[:at] + word[at + 1 :], word[:at] + word[at + 1] + word[at] + word[at + 2 :], word[:at] + word[at] + word[at:]]
                )
            return word

        return re.sub(r"\b[a-z]+\b", change, text)

    def sentence(self, text):
        """As the register would have it: a capital and a full stop, or neither."""
        text = text.strip()
        if not text:
            return ""
        if self.register == "pasar" or self.register == "campur" and self.rng.random() < 0.2:
            return text
        text = text[0].upper() + text[1:]
        return text if text[-1] in '.?!:,”"' else text + "."

    def join(self, *pieces):
        """Pieces as one message; pieces that are empty are left out."""
        sep = self.rng.choice([" ", ", ", ". ", "\n"]) if self.register == "pasar" else self.rng.choice([" ", " ", " ", "\n"])
        text = sep.join(p for p in pieces if p)
        return re.sub(r"([,.:?])[,.]\s", r"\1 ", text)

    def length(self, low, high):
        """A length of time in words, of about so many days."""
        for _ in range(50):
            unit, size = self.rng.choice(_UNITS[self.register])
            number = self.rng.randint(1, 12 if size > 1 else 28)
            if not low <= number * size <= high:
                continue
            english = unit in ("days", "weeks", "months", "working days")
            if number == 1 and not english and size > 1 and self.rng.random() < 0.6:
                return "se" + unit
            if self.rng.random() < 0.08 and number < 10:
                return f"{number}-{number + 1} {unit}"
            word = str(number)
            if number <= 12 and self.rng.random() < 0.45:
                word = (_ENGLISH if english else _MALAY)[number - 1]
            if number == 1 and english:
                unit = unit.rstrip("s")
            return f"{word}{'' if self.register == 'pasar' and word.isdecimal() and self.rng.random() < 0.25 else ' '}{unit}"
        return f"{high} hari"

    def end(self, low, high):
        """An end date in words, between so many days from today."""
        day = start.today() + datetime.timedelta(days=self.rng.randint(low, high))
        months = {11: ("November", "Nov"), 12: ("Disember", "Dis"), 1: ("Januari", "Jan"), 2: ("Februari", "Feb")}
        if self.register == "campur":
            months[12] = ("December", "Dec", "Disember")
        name = self.rng.choice(months[day.month])
        forms = [f"{day.day} {name}", f"{day.day}/{day.month}/{day.year}"]
        forms += [f"{day.day} {name} {day.year}"] if self.register != "pasar" else [f"{day.day}hb {name}"]
        return self.rng.choice(forms)

    def time(self, prefix, low=8, high=45):
        """(sentence, the words that say how long); `prefix` "" in a notice, "a_" in an answer."""
        sort = self.rng.choices(["length", "until", "unknown"], [60, 28, 12])[0]
        if high < 8:
            sort = "length"
        if sort == "unknown":
            at = self.rng.randrange(len(self.phrases["unknown"]))
            quote = self.phrases["unknown_quote"][at]
            if prefix:
                quote = quote.lower()
                return self.sentence(self.say("a_unknown", q=quote)), quote
            return self.sentence(self.phrases["unknown"][at]), quote
        words = self.length(low, high) if sort == "length" else self.end(low, high)
        clause = self.sentence(self.say(prefix + sort, **{"d" if sort == "length" else "t": words}))
        return clause, words if words in clause else words[0].upper() + words[1:]  # it began the sentence


@functools.cache
def _subjects():
    _, tables = start.state({})
    return sorted({row["supplier"] for row in tables["parts"][1]}), tables["parts"][1], {s["supplier"]: s for s in tables["suppliers"][1]}


def _named(writer, supplier, names):
    """A supplier as people refer to it: number, name and number, or number in brackets."""
    name = names[supplier]["name"]
    return writer.rng.choices([supplier, f"{name} ({supplier})", f"{supplier} {name}"], [70, 18, 12])[0]


def _nameless(writer, part):
    """A supplier that is only described: by what it makes for us."""
    malay = {"rasmi": "pembekal {}", "pasar": "supplier {}", "campur": "our {} supplier"}[writer.register]
    return malay.format(part["name"])


def _task(number, kind, rng):
    """One task, or None where the drawn state does not show what the kind is about."""
    register = rng.choice(REGISTERS)
    w = _Writer(rng, register)
    mains, parts, names = _subjects()
    setup, gold, facts = {"variant": rng.randrange(10_000, 1_000_000)}, [], {}
    hello, request = w.say("hello"), w.say("request")
    supplier = rng.choice(mains)
    who, name = _named(w, supplier, names), supplier

    def done(opening, gold, told=(), facts=facts):
        facts = {key: {register: text} for key, text in facts.items()}
        return Task(f"SUPC-{number:05d}", kind, {register: opening}, gold, facts, list(told), setup)

    if kind in (*CLOSED, "luar_skop", "sembang"):
        setup.clear()
        if kind == "sembang":
            if rng.random() < 0.6:
                return done(w.say("thanks"), [{"say": "tamat"}])
            return done(w.say("greet"), [{"ask": "notice"}, {"say": "tamat"}], facts={"notice": w.say("nothing")})
        text = w.sentence(w.say(kind) if kind == "luar_skop" else w.say(kind, who=who))
        opening = w.join(
            hello, text, w.say("noise") if rng.random() < 0.15 else "", request if kind != "luar_skop" and rng.random() < 0.7 else ""
        )
        return done(opening, [{"tool": "close_notice", "arguments": {"outcome": kind}}])

    low, high = (1, 3) if kind == "tiada_risiko" else (8, 45)
    clause, quote = w.time("", low, high)
    if kind in ("bahagian", "tanya_bahagian"):
        part = rng.choice(parts)
        name = part["part"]
        event = w.say("part", who=name if kind == "bahagian" else part["name"])
    elif kind in ("tempat", "tanya_tempat") or kind in ("khabar", "maklumat", "tiada_risiko") and rng.random() < 0.3:
        name = rng.choice(get_args(Place))
        vague = {"rasmi": "laluan utama pembekal kita", "pasar": "tmpt lalu lori kita", "campur": "our inbound route"}[register]
        event = w.say("place", where=vague if kind == "tanya_tempat" else name)
    else:
        mine = [part for part in parts if part["supplier"] == supplier]
        event = w.say("supplier", who=_nameless(w, rng.choice(mine)) if kind in ("tanya_pembekal", "tanya_dua") else who)
    source = w.say("source", who=supplier) if kind in ("pesan", "tiada_calon", "melebihi_had") else ""
    extra = ""
    if kind in ("desakan", "arahan_dalam_notis"):
        extra = w.sentence(w.say("push" if kind == "desakan" else "inject", x=rng.choice([s for s in sorted(names) if s != supplier])))
    asks = {"tanya_tempoh": ["duration"], "tanya_pembekal": ["supplier"], "tanya_dua": ["supplier", "duration"], "tanya_tempat": ["place"]}
    asks |= {"tanya_bahagian": ["part"], "sapaan_dahulu": ["notice"], "khabar": ["confirmed"], "belum_disahkan": ["confirmed"]}
    told_time = "" if "duration" in asks.get(kind, ()) else clause
    if "duration" in asks.get(kind, ()):
        facts["duration"], quote = w.time("a_", low, high)
    if kind in ("khabar", "belum_disahkan"):
        event = w.say("rumour", e=event)
        facts["confirmed"] = w.say("yes" if kind == "khabar" else "no")
    if "supplier" in asks.get(kind, ()):
        facts["supplier"] = w.say("a_supplier", s=supplier)
    if kind == "tanya_tempat":
        facts["place"] = w.say("a_place", where=name)
    if kind == "tanya_bahagian":
        facts["part"] = w.say("a_part", s=name)
    body = [w.sentence(f"{source} {event}"), told_time]
    if rng.random() < 0.2:
        body.insert(rng.randrange(1, 3), w.sentence(w.say("noise")))
    body.append(extra)
    tail = w.say("info") if kind == "maklumat" else request if rng.random() < 0.8 else ""
    notice = w.join(hello, *([tail, *body] if tail and rng.random() < 0.15 and kind != "maklumat" else [*body, tail]))
    opening = notice
    if kind == "sapaan_dahulu":
        opening, facts["notice"] = w.say("greet"), notice
    gold = [{"ask": fact} for fact in asks.get(kind, ())]
    if kind == "belum_disahkan":
        setup.clear()
        return done(opening, [*gold, {"tool": "close_notice", "arguments": {"outcome": kind}}])
    if kind == "sudah_ada_draf":
        mine = [part["part"] for part in parts if part["supplier"] == supplier]
        setup["drafts"] = [[mine[0], "SUP-25", rng.randrange(500, 4000, 100)]]
    if kind == "melebihi_had":
        setup["limit"] = rng.randrange(2000, 20_001, 500)
    desk = Supply(setup=setup)
    if kind == "maklumat":
        tool, argument = ("check_place", "place") if name in get_args(Place) else ("check_supply", "subject")
        found = desk.call(tool, {argument: name, "duration": quote})["berisiko"]
        desk.close()
        gold.append({"tool": tool, "arguments": {argument: name, "duration": quote}})
        return done(opening, gold, [row["bahagian"] for row in found]) if found else None
    steps, told = optimum.gold(desk, name, quote)
    desk.close()
    ends = {step["arguments"]["outcome"] for step in steps if step["tool"] == "close_notice"}
    if kind in ("tiada_risiko", "melebihi_had", "tiada_calon") and kind not in ends:
        return None
    if kind not in ("tiada_risiko", "sudah_ada_draf") and "tiada_risiko" in ends and rng.random() < 0.7:
        return None
    return done(opening, [*gold, *steps], told)


def compose(count, seed=0):
    """`count` tasks; the same count and seed give the same ones, and no two have the same words."""
    rng, tasks, seen = random.Random(f"supply/compose/{seed}"), [], set()
    while len(tasks) < count:
        kind = rng.choices(list(KINDS), KINDS.values())[0]
        for _ in range(40):  # until the drawn state shows what the kind is about
            task = _task(len(tasks), kind, rng)
            words = task and json.dumps([task.opening, task.facts])
            if task and (words not in seen or kind == "sembang"):
                seen.add(words)
                tasks.append(task)
                break
    return tasks


if __name__ == "__main__":
    for made in compose(int(sys.argv[1]) if len(sys.argv) > 1 else 5, int(sys.argv[2]) if len(sys.argv) > 2 else 0):
        print(json.dumps(vars(made), ensure_ascii=False))
