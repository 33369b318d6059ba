"""Names, titles and registers: how Malaysians address one another, and how formal a text is.

`parse_name("YBhg. Dato' Ir. Dr. Haji Ahmad bin Ismail")` takes a name apart; `greeting(...)` says what a letter opens with
(“Dato'”, “Tuan”, “Tuan/Puan” where the name does not tell). `register("Sy nk mintak cuti esk blh x?").label` is “pasar”.

Titles stand in `titles.json`, the cues of registers in `register.json`. Registers are counted, not felt: each cue is a span
that can be shown. “rasmi” is the letter and the minutes, “baku” standard prose, “santai” everyday talk written with whole
words, “pasar” short forms and bazaar Malay, “campur” Malay mixed with English.
"""

import functools
import json
import re
from dataclasses import dataclass
from pathlib import Path

from helpers.malay import affixes, shortforms

_DATA = Path(__file__).parent / "data"


@dataclass(frozen=True)
class Name:
    """A Malaysian name. Empty strings for what it does not have; `gender` is "L", "P" or ""."""

    titles: tuple[str, ...]
    given: str
    particle: str
    parent: str
    alias: str
    gender: str

    @property
    def full(self):
        """The name without titles."""
        alias = f" @ {self.alias}" if self.alias else ""
        return " ".join(part for part in (self.given + alias, self.particle, self.parent) if part)


@dataclass(frozen=True)
class Cue:
    """One piece of evidence for a register."""

    start: int
    end: int
    text: str
    points_to: str


@dataclass(frozen=True)
class Register:
    """The register of a text. `counts` per register are cues; `english` is the share of English words."""

    label: str
    counts: dict
    english: float
    cues: tuple[Cue, ...]


@functools.cache
def titles():
    """The table of titles: {spelling in lower case: entry}."""
    data = json.loads((_DATA / "titles.json").read_text(encoding="utf-8"))
    spellings = {}
    for entry in data["gelaran"]:
        for spelling in (entry["gelaran"], *entry["bentuk"]):
            spellings[spelling.lower()] = entry
    particles = {form.lower(): entry for entry in data["penanda"] for form in (entry["penanda"], *entry["bentuk"])}
    return {"titles": spellings, "particles": particles, "descent": data["keturunan"]}


def _entry(title):
    found = titles()["titles"].get(re.sub(r"\s+", " ", title.strip()).lower())
    if not found:
        raise ValueError(f"unknown title: {title!r}; see helpers/malay/data/titles.json")
    return found


def parse_name(text):
    """Take a name apart: titles in the order written (in their full spelling), given name, particle, parent's name, alias.

    “Tan Sri” is a title, “Tan Mei Ling” is not; Tengku, Syed, Wan, Nik and the like stay in the given name. “anak” is a particle
    only between two names (*Jabu anak Ngumbang*). Raises ValueError for text without a name.
    """
    words = re.sub(r"\s+", " ", text.strip().strip(",")).split(" ")
    known, found, at = titles()["titles"], [], 0
    while at < len(words):
        for size in (3, 2, 1):
            entry = known.get(" ".join(words[at : at + size]).lower())
            # a title needs a name behind it; abbreviations of two letters without a point must be written as such
            if entry and at + size <= len(words):
                spelling = " ".join(words[at : at + size])
                if len(spelling) <= 2 and spelling.islower():
                    continue
                found.append(entry)
                at += size
                break
        else:
            break
    rest = words[at:]
    if not rest or not rest[0]:
        raise ValueError(f"no name in {text!r}; give the whole name")
    particle, gender, given, parent = "", "", rest, []
    for size in (2, 1):
        for position in range(1, len(rest) - size):
            entry = titles()["particles"].get(" ".join(rest[position : position + size]).lower())
            if entry and not particle:
                particle, gender, given, parent = entry["penanda"], entry["jantina"], rest[:position], rest[position + size :]
    name, _, alias = " ".join(given).partition(" @ ")
    parent, _, parent_alias = " ".join(parent).partition(" @ ")
    gender = gender or next((entry["jantina"] for entry in found if entry.get("jantina")), "")
    return Name(tuple(entry["gelaran"] for entry in found), name, particle, parent, alias or parent_alias, gender)


def order_titles(names):
    """Titles in the order of an official letter: honorific, rank, Profesor, award, Ir./Ts., Dr., Haji, form of address.

    Encik, Puan and the like are left out behind a higher title (“Encik Dr.” and “Dato' Encik” are mistakes).
    """
    entries = sorted((_entry(name) for name in names), key=lambda e: e["turutan"])
    higher = any(e["jenis"] in ("kurniaan", "akademik", "profesional", "tentera", "keagamaan") for e in entries)
    return [e["gelaran"] for e in entries if not (higher and e["jenis"] == "panggilan")]


def greeting(name):
    """What a letter calls this person: the highest title's address, “Tuan” or “Puan” by the name's particle, else “Tuan/Puan”.

    `name` is a string or a `Name`. A particle or title decides; a given name alone is never guessed from.
    """
    name = parse_name(name) if isinstance(name, str) else name
    entries = [_entry(title) for title in name.titles]
    ranked = sorted((e for e in entries if e["sapaan"] and e["jenis"] != "kehormat"), key=lambda e: (e["pangkat"], e["turutan"]))
    honour = next((e["sapaan"] for e in entries if e["jenis"] == "kehormat" and e["sapaan"]), "")
    descent = titles()["descent"].get(name.given.split(" ")[0], "")
    if descent == "Raja" and name.particle not in ("bin", "binti"):
        descent = ""  # an Indian name too
    if ranked and ranked[0]["jenis"] != "panggilan":
        return f"{honour} {ranked[0]['sapaan']}".strip()
    if honour:
        return f"{honour} {descent}".strip()
    if descent:
        return descent
    if ranked:
        return ranked[0]["sapaan"]
    return {"L": "Tuan", "P": "Puan"}.get(name.gender, "Tuan/Puan")


def sort_names(names):
    """A list of names (strings) as in an official letter's distribution list: by the highest title, then by the name.

    A teaching rule: the order of precedence proper is set by each state's protocol office.
    """

    def rank(text):
        name = parse_name(text)
        return min((_entry(title)["pangkat"] for title in name.titles), default=60), name.full.lower()

    return sorted(names, key=rank)


@functools.cache
def _cues():
    data = json.loads((_DATA / "register.json").read_text(encoding="utf-8"))
    patterns = {}
    for label in ("rasmi", "baku", "santai", "pasar"):
        words = sorted(data[label], key=len, reverse=True)
        patterns[label] = re.compile(rf"(?<![\w-])(?:{'|'.join(map(re.escape, words))})(?![\w-])", re.I)
    return patterns, frozenset(data["ambigu"].split())


def _english(words):
    """The English words of a text: the common ones, and those that no Malay root explains, next to one of them."""
    common = shortforms.tables()["inggeris"]
    malay = [affixes.analyse(w)[0].known or shortforms.is_malay(w) for w in words]
    sure = [w in common and not affixes.is_root(w) for w in words]
    return [s or (not m and any(sure[max(0, i - 2) : i + 3])) for i, (m, s) in enumerate(zip(malay, sure))]


def register(text):
    """The register of a text with the cues that made it: a `Register`. Empty text is “baku” without cues."""
    patterns, ambiguous = _cues()
    cues, taken = [], set()

    def add(start, end, label):
        if not taken & set(range(start, end)):
            taken.update(range(start, end))
            cues.append(Cue(start, end, text[start:end], label))

    changes = shortforms.normalise(text).changes
    for match in patterns["rasmi"].finditer(text):
        add(match.start(), match.end(), "rasmi")
    for match in patterns["pasar"].finditer(text):
        add(match.start(), match.end(), "pasar")
    for change in changes:
        # a whole colloquial word (nak, tak) is everyday talk; a short form, x or a 2 is written bazaar style
        spelt_out = change.kind in ("pasar", "konteks") and patterns["santai"].fullmatch(change.old.strip())
        add(change.start, change.end, "santai" if spelt_out else "pasar")
    for label in ("santai", "baku"):
        for match in patterns[label].finditer(text):
            if label == "baku" or match.group().lower() not in ambiguous:
                add(match.start(), match.end(), label)
    words = [w.lower() for w in re.findall(r"[A-Za-z]+", text)]
    english = _english(words)
    share = sum(english) / len(words) if words else 0.0
    counts = {label: sum(c.points_to == label for c in cues) for label in ("rasmi", "baku", "santai", "pasar")}
    per_word = 1 / max(1, len(words))
    if share >= 0.2 and share < 0.9 and len(words) > 3:
        label = "campur"
    elif counts["pasar"] >= 2 and counts["pasar"] * per_word >= 0.08 or counts["pasar"] and len(words) < 8:
        label = "pasar"
    elif counts["santai"] + counts["pasar"] >= 1 and (counts["santai"] + counts["pasar"]) * per_word >= 0.04:
        label = "santai"
    elif counts["rasmi"] and not counts["pasar"]:
        label = "rasmi"
    else:
        label = "baku"
    return Register(label, counts, round(share, 3), tuple(sorted(cues, key=lambda c: c.start)))
