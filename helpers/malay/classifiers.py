"""Classifiers (penjodoh bilangan): which one a noun takes, and where a text has the wrong one.

`classifier_for("pisau")` is ["bilah"]; `check("Dia membeli dua ekor kereta.")` finds “dua ekor kereta” and suggests
“dua buah kereta”. The nouns stand in `classifiers.json`, in groups with their classifiers, the usual one first, and
those that are right in some contexts (“sepotong ayam”) after it.

The checker is careful rather than complete: it speaks only about nouns in the table, right behind the classifier
(Malay puts the head first), and says nothing about measures and containers (*dua gelas air*).
"""

import functools
import json
import re
from dataclasses import dataclass
from pathlib import Path

from helpers.malay import affixes

_UNIT = r"(?:satu|dua|tiga|empat|lima|enam|tujuh|lapan|sembilan|sepuluh|sebelas|seratus|seribu|sejuta)"
_NUMBER = rf"(?:\d[\d,.]*|beberapa|berapa|setiap|tiap-tiap|{_UNIT}(?:\s+(?:{_UNIT}|belas|puluh|ratus|ribu|juta))*)"
_PLURAL = re.compile(
    r"\b(?P<many>banyak|semua|setiap|para|beberapa|sebilangan|kebanyakan)\s+(?P<noun>(?P<half>[a-z]+)-(?P=half))(?![\w-])", re.I
)


@dataclass(frozen=True)
class Problem:
    """A wrong classifier ("penjodoh") or a doubled noun behind a number word ("ganda")."""

    start: int
    end: int
    text: str
    kind: str
    noun: str
    suggestion: str


@functools.cache
def tables():
    """The table turned round: {noun: groups}, the set of classifiers, nouns that say too little to judge."""
    data = json.loads((Path(__file__).parent / "data" / "classifiers.json").read_text(encoding="utf-8"))
    nouns = {}
    for group in data["kumpulan"]:
        for noun in group["benda"].split(","):
            nouns.setdefault(noun.strip().lower(), []).append(group)
    classifiers = {c for group in data["kumpulan"] for c in group["penjodoh"]}
    return {"nouns": nouns, "classifiers": frozenset(classifiers), "vague": frozenset(data["kabur"].split())}


def groups():
    """The groups of the table, as stored: dictionaries with kumpulan, penjodoh, benda."""
    seen = {id(group): group for entries in tables()["nouns"].values() for group in entries}
    return list(seen.values())


def classifier_for(noun):
    """The classifiers that a noun takes, the usual one first; an empty list where the table does not know.

    `noun` may be a phrase (“kapal terbang”, “pokok durian”); its longest known beginning counts, and a doubled noun counts as one.
    People named with juru- or -wan take “orang” even where they are not in the table.
    """
    phrase = noun.strip().lower()
    if not phrase:
        raise ValueError("no noun given; write one, for instance “pisau”")
    words = [phrase] if phrase in tables()["nouns"] else re.sub(r"\b(\w+)-\1\b", r"\1", phrase).split()
    for size in range(min(len(words), 3), 0, -1):
        entries = tables()["nouns"].get(" ".join(words[:size]))
        if entries:
            return list(dict.fromkeys(c for group in entries for c in group["penjodoh"]))
    reading = affixes.analyse(words[0])[0]
    if reading.known and ("juru" in reading.prefixes or {"wan", "wati", "man"} & set(reading.suffixes)):
        return ["orang"]
    return []


def _noun_at(text, at):
    """The longest noun of the table that begins at `at`: (noun, groups, end, doubled), or None."""
    words = re.compile(r"[A-Za-z]+(?:-[A-Za-z]+)*(?:[ ]+[A-Za-z]+(?:-[A-Za-z]+)*){0,2}").match(text, at)
    if not words:
        return None
    pieces = [m for m in re.finditer(r"\S+", words.group())]
    for size in range(len(pieces), 0, -1):
        phrase = " ".join(p.group() for p in pieces[:size]).lower()
        phrase = re.sub(r"(?<=\w)(?:nya|ku|mu)$", "", phrase) if phrase not in tables()["nouns"] else phrase
        doubled = re.fullmatch(r"(\w+)-\1", phrase)
        for name in (phrase, doubled and doubled.group(1)):
            if name in tables()["nouns"]:
                return name, tables()["nouns"][name], at + pieces[size - 1].end(), bool(doubled) and name != phrase
    return None


def check(text):
    """Find wrong classifiers, and nouns doubled behind a number word (“banyak buku-buku”).

    Returns a list of `Problem`, left to right; empty for correct text. `suggestion` is the corrected phrase.
    """
    table, found = tables(), []
    names = "|".join(sorted(table["classifiers"], key=len, reverse=True))
    pattern = re.compile(rf"(?<![\w-])(?:(?P<number>{_NUMBER})\s+(?P<word>{names})|(?P<one>se)(?P<joined>{names}))(?![\w-])[ ]+", re.I)
    for match in pattern.finditer(text):
        noun = _noun_at(text, match.end())
        if not noun or noun[0] in table["vague"]:
            continue
        name, entries, end, doubled = noun
        used = (match["word"] or match["joined"]).lower()
        allowed = {c for group in entries for c in group["penjodoh"] + group.get("juga", [])}
        people = used == "orang" and any(group.get("tempat") for group in entries)  # dua orang kampung: two villagers
        best = entries[0]["penjodoh"][0]
        if used not in allowed and not people:
            start = match.start("one") if match["one"] else match.start("number")
            amount = match["one"] + best if match["one"] else f"{match['number']} {best}"
            rest = text[match.end() : end]
            found.append(Problem(start, end, text[start:end], "penjodoh", name, f"{amount} {name if doubled else rest}"))
        elif doubled:
            found.append(Problem(match.start(), end, text[match.start() : end], "ganda", name, text[match.start() : match.end()] + name))
    for match in _PLURAL.finditer(text):
        half, whole = match["half"].lower(), match["noun"].lower()
        known = (
            half in table["nouns"]
            or "nama" in affixes.lexicon()["words"].get(half, ())
            or affixes.analyse(half)[0].prefixes[:1] in (("pe",), ("peN",))
        )
        if known and whole not in table["nouns"] and not affixes.is_root(whole):
            found.append(Problem(match.start(), match.end(), match.group(), "ganda", half, f"{match['many']} {match['half']}"))
    return sorted(found, key=lambda p: p.start)
