"""Short forms and bahasa pasar to standard Malay, and back.

`normalise("sy x tau nk g mana, org2 kat situ mcm sibuk je")` gives “saya tidak tahu hendak pergi mana,
orang-orang di situ macam sibuk sahaja”, with every change and its place in both texts: `.restore()` gives the
original back, character for character, and `.original_span(a, b)` says where a piece of the new text came from.

Nothing is guessed: a form with several meanings (*kat*, *dr*, *ckp*) is changed only where the words beside it
decide, by the rules in `shortforms.json`, and otherwise left alone. `x` is “tidak” only in front of a Malay word,
and `2` doubles only a word that the root list knows. Addresses, hashtags, numbers, amounts and acronyms stay.
What it does not do: spelling mistakes, dialects, and English, which all stay as they are.
"""

import functools
import json
import re
from dataclasses import dataclass
from pathlib import Path

from helpers.malay import affixes

# What nobody wants changed: addresses, files, tags, code, numbers with what is glued to them, abbreviations with points.
_PROTECTED = re.compile(
    r"`[^`\n]*`|(?:https?://|www\.)\S+|\S+@\S+|[#@]\w+|(?:\b[A-Za-z]\.){2,}|RM\s?[\d.,]+\w*|(?<!\w)\d[\w.,:/%-]*"
    r"|[\w/-]+\.(?:com|my|org|net|gov|edu|io|txt|pdf|docx?|xlsx?|csv|jsonl?|jpe?g|png|html?|py)\b\S*",
    re.I,
)
_WORD = re.compile(r"(?<![\w@#/\\_&=:;'’.-])(?P<word>[A-Za-z]+(?:[2²][A-Za-z]{0,5})?)(?:-(?P=word))?(?![\w@/\\_=&]|[-.'’][A-Za-z0-9])")
_TAIL = re.compile(r"(?P<stem>[a-z]{2,}?)(?P<tail>nya|nye|lah|la|kah|ke)")
_DOUBLE = re.compile(r"(?P<base>[a-z]{2,})[2²](?P<tail>(?:an|kan|i)?(?:nya|nye|ku|mu)?(?:lah|la)?)")
_SPELT = {"nye": "nya", "la": "lah", "ke": "kah"}


@dataclass(frozen=True)
class Change:
    """One change. `start`/`end` count characters in the original, `new_start`/`new_end` in the new text."""

    start: int
    end: int
    new_start: int
    new_end: int
    old: str
    new: str
    kind: str  # "singkatan", "pasar", "konteks", "gandaan" or "nafi"


@dataclass(frozen=True)
class Normalised:
    """A text in standard words, with what was changed."""

    text: str
    changes: tuple[Change, ...]

    def restore(self):
        """The original text, rebuilt from the new one and the changes."""
        pieces, at = [], 0
        for change in self.changes:
            pieces += [self.text[at : change.new_start], change.old]
            at = change.new_end
        return "".join([*pieces, self.text[at:]])

    def original_span(self, start, end):
        """Where the characters `start:end` of the new text stand in the original; whole changes where it cuts into one."""
        ends = []
        for point, last in ((start, False), (end, True)):
            shift = 0
            for change in self.changes:
                if change.new_end <= point and not (last is False and change.new_end == point == change.new_start):
                    shift = change.end - change.new_end
                elif change.new_start < point:
                    point, shift = (change.end, 0) if last else (change.start, 0)
                    break
            ends.append(point + shift)
        return tuple(ends)


@functools.cache
def tables():
    """The tables of `shortforms.json`; lists of words as sets."""
    data = json.loads((Path(__file__).parent / "data" / "shortforms.json").read_text(encoding="utf-8"))
    return {key: frozenset(value.split()) if isinstance(value, str) and key != "catatan" else value for key, value in data.items()}


@functools.lru_cache(maxsize=20_000)
def is_malay(word):
    """Whether a word (lower case) is a short form or built on a known root."""
    data = tables()
    if word in data["singkatan"] or word in data["pasar"] or word in data["konteks"] or word == "x":
        return word not in data["inggeris_juga"]
    return word.isalpha() and word not in data["inggeris"] and affixes.analyse(word)[0].known


class _Text:
    """A text as words with neighbours; a neighbour is "" across a full stop or a line end."""

    def __init__(self, text):
        self.text = text
        spans = [m.span() for m in _PROTECTED.finditer(text)]
        taken = bytearray(len(text))
        for start, end in spans:
            taken[start:end] = b"\1" * (end - start)
        self.words = [m for m in _WORD.finditer(text) if not any(taken[m.start() : m.end()])]
        self.tokens = sorted([m.span() for m in self.words] + spans)
        self.index = {span[0]: position for position, span in enumerate(self.tokens)}
        letters = [c for c in text if c.isalpha()]
        self.shouting = len(self.words) > 2 and sum(c.isupper() for c in letters) > 0.7 * len(letters)

    def neighbour(self, match, step):
        """The token `step` places away, as written, or "" where the clause ends between."""
        here = self.index[match.start()]
        if not 0 <= here + step < len(self.tokens):
            return ""
        low, high = sorted((here, here + step))
        between = self.text[self.tokens[low][1] : self.tokens[high][0]]
        return "" if re.search(r"[.!?;:\n()\[\]“”\"]", between) else self.text[slice(*self.tokens[here + step])]

    def malay_around(self, match):
        """Whether the nearest words are Malay rather than English."""
        near = [self.neighbour(match, step).lower() for step in (-2, -1, 1, 2)]
        return sum(map(is_malay, near)) > sum(word in tables()["inggeris"] for word in near)


def _fits(pattern, word):
    """Whether a neighbour fits a pattern of `konteks`: words joined by “|”, “@” classes, “!” for anything but these."""
    if pattern in ("", "!"):
        return True
    if pattern[0] == "!":
        return not _fits(pattern[1:], word)
    classes = {
        "@kata": word.rstrip("2²").isalpha(), "@nombor": word[:1].isdigit(), "@huruf": len(word) == 1 and word.isupper(), "@Besar": word[:1].isupper(),
        "@adjektif": "adjektif" in affixes.lexicon()["words"].get(word.lower(), ()),
    }  # fmt: skip
    return any(classes[p] if p[0] == "@" else word.lower() == p for p in pattern.split("|"))


def _double(form, colloquial):
    """“orang2” → orang-orang, “kawan2nya”, “berlari2an”, “menari2”; None where the word is not known."""
    match = _DOUBLE.fullmatch(form)
    if not match or match["base"] in tables()["bukan_gandaan"]:
        return None
    base = tables()["singkatan"].get(match["base"]) or (colloquial and tables()["pasar"].get(match["base"])) or match["base"]
    tail = re.sub(r"nye(?=l|$)", "nya", re.sub(r"la$", "lah", match["tail"]))
    reading = affixes.analyse(base)[0] if base.isalpha() else None
    if reading is None or not reading.known or len(base) < 3:
        return None
    if not reading.prefixes or reading.suffixes or reading.prefixes[0] in ("peN", "pe", "per"):
        return f"{base}-{base}{tail}"
    return affixes.attach(reading.root, reading.prefixes, double="penuh") + tail


def _negated(text, match, form, colloquial):
    """“x” as tidak in front of a Malay word or at the end of a question, and “xtahu” in one word."""
    data = tables()
    if form != "x":
        rest = form[1:]
        new = _lookup(rest, colloquial) or (rest if len(rest) > 2 and is_malay(rest) else None)
        return f"tidak {new}" if new else None
    before, after = text.neighbour(match, -1), text.neighbour(match, 1)
    if before[:1].isdigit() or before.lower() in data["x_pemboleh_ubah"] or after.lower() in data["x_bukan_nafi"]:
        return None
    if after:
        joined = text.text[match.end() :].startswith(" " + after)
        doubled = _DOUBLE.fullmatch(after.lower())
        small = after[0].islower() or text.shouting
        return "tidak" if joined and small and (is_malay(after.lower()) or doubled and is_malay(doubled["base"])) else None
    asks = re.match(r"\s*(?:\?|$)", text.text[match.end() :])
    return "tidak" if asks and is_malay(before.lower()) else None


def _lookup(form, colloquial):
    data = tables()
    return data["singkatan"].get(form) or (data["pasar"].get(form) if colloquial else None)


def _replacement(text, match, colloquial):
    """(new word, kind) for one word of the text, or None."""
    word, data = match["word"], tables()
    form = word.lower()
    if word.isupper() and len(word) > 1 and not text.shouting:
        return None  # an acronym: YG, MLM, DR
    if word[0].isupper() and text.neighbour(match, -1) and not text.shouting:
        return None  # a name inside a sentence: Kat, Lim Tu Ni, Malcolm X
    if form in data["inggeris_juga"] and not text.malay_around(match):
        return None
    if form in data["konteks"]:
        before, after = text.neighbour(match, -1), text.neighbour(match, 1)
        for want_before, want_after, new in data["konteks"][form]:
            if _fits(want_before, before) and _fits(want_after, after):
                return new and (new, "konteks")
        return None
    new = _lookup(form, colloquial)
    if new:
        return new, "singkatan" if form in data["singkatan"] else "pasar"
    if form[-1] not in "2²" and not re.search(r"[2²]", form):
        tail = _TAIL.fullmatch(form)
        if tail and not affixes.analyse(form)[0].known:
            stem = _lookup(tail["stem"], colloquial) or (tail["stem"] if tail["tail"] == "nye" and affixes.is_root(tail["stem"]) else None)
            if stem and len(tail["stem"]) > 1:
                return stem + _SPELT.get(tail["tail"], tail["tail"]), "singkatan"
        if form[0] == "x":
            new = _negated(text, match, form, colloquial)
            return new and (new, "nafi")
        return None
    new = _double(form, colloquial)
    return new and (new, "gandaan")


def _cased(new, word, shouting):
    if word.isupper() and shouting:
        return new.upper()
    return new[0].upper() + new[1:] if word[0].isupper() else new


def normalise(text, colloquial=True):
    """Write out short forms; with `colloquial`, turn bahasa pasar (*nak*, *camne*, *dorang*) into standard words too.

    Returns a `Normalised`. `.restore()` is the exact original for every text.
    """
    view, pieces, changes, at, length = _Text(text), [], [], 0, 0
    for match in view.words:
        found = _replacement(view, match, colloquial)
        if not found:
            continue
        new, kind = found
        word, twice = match["word"], match.end() > match.end("word")
        new = _cased(new, word, view.shouting)
        if twice and kind != "singkatan":
            continue  # nak-nak is an idiom
        if twice:
            new = f"{new}-{new}"
        start = match.start() - (word.lower() == "la" and text[match.start() - 1 : match.start()] == " ")  # “boleh la” is bolehlah
        if new == match.group():
            continue
        pieces += [text[at:start], new]
        length += start - at
        changes.append(Change(start, match.end(), length, length + len(new), text[start : match.end()], new, kind))
        length += len(new)
        at = match.end()
    return Normalised("".join([*pieces, text[at:]]), tuple(changes))
