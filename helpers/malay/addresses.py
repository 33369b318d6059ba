"""Postal addresses of Malaysia found in running text.

`find_addresses("tinggal di No. 12, Jalan Mawar 3, Taman Indah, 43000 Kajang, Selangor")` gives one
`Address` with unit, street, area, postcode, town and state. An address is a chain of parts, each opened
by its own word (No., Jalan, Taman, Kampung …) and told apart by commas, line ends or nothing but the
next such word; it must hold enough parts to find a door. “Jalan Tun Razak” alone is a place, not an address.

The words and the postcode ranges of the states are in `data/places.json`.
"""

import json
import re
from dataclasses import dataclass
from pathlib import Path

from helpers.malay.identifiers import Identifier

_DATA = json.loads((Path(__file__).parent / "data" / "places.json").read_text(encoding="utf-8"))
STATES, TOWNS = _DATA["states"], frozenset(_DATA["towns"])
_HEADS = {word: kind for kind in ("area", "street", "unit") for word in _DATA[kind]}  # “batu 7” is a unit, “Batu Caves” is not
_STOP = frozenset(_DATA["stop"])  # words at which a name in small letters surely ends


def _either(name):
    return "|".join(re.escape(word).replace(r"\ ", r"\s+") for word in sorted(_DATA[name], key=len, reverse=True))


_ABBREVIATED = re.compile(r"\b(?:no|jln|jl|lrg|tmn|kg|kpg|sek|psrn|blk|tkt|st|bt|sg|tg|dr|hj|p|n|w|w\.p|k|s|u|b)$", re.I)
_WORD = re.compile(r"#?\d[\w/.-]*[\w]|#?\d|[A-Za-zÀ-ÿ]+(?:['’/-][\w]+|\d[\w/-]*)*")
_CODE = re.compile(r"#?[A-Za-z]{0,3}\d[\w/.-]*|[A-Z](?:[-/][\w]+)+")  # 12A, 3/27B, U5, B-08-12
_GAP = re.compile(r"(?:[ \t]*,[ \t]*(?:\n[ \t]*)?|[ \t]*\n[ \t]*|[ \t]+[-–][ \t]+|[ \t]*[()][ \t]*|[ \t]+)")
_DOTTED = re.compile(r"\.[ \t]*,?[ \t]*")
_NUMBERED = re.compile(  # what must follow “No.”, “Lot”, “Tingkat” … to make it a unit
    r"\.?\s*(?:rumah\s*|unit\s*|pintu\s*)?[#:]?\s*[A-Z]?-?\d|\.?\s*[A-Z]\b|\s+(?:bawah|satu|dua|tiga|empat|lima|no)\b", re.I
)
_FLOOR = re.compile(r"(?:bawah|satu|dua|tiga|empat|lima|[A-Z])$", re.I)
_BEFORE_CODE = re.compile(rf"[\s,]*(?:{_either('street')}|taman|kampung|kg)\b", re.I)
_POSTCODE = re.compile(r"(?<![\w.,/-])(?<!RM )(\d{5})(?![\w/-]|[.,]\d)")
_TOWN_NAME = re.compile(r"[ \t]+(?:[A-Z][a-z'’]+|[A-Z]{3,})(?:[ \t]+(?:[A-Z][a-z'’]+|[A-Z]{3,})){0,2}")
_START = re.compile(
    r"(?<![\w/&'’-])(?:(?P<box>Peti\s+Surat|P\.?\s?O\.?\s+Box|Beg\s+Berkunci|W\.?D\.?T\.?|PS)\s*(?:No\.?\s*)?\d+[\w-]*"
    rf"|(?i:(?P<word>{'|'.join(_HEADS)}))\.?(?=[\s\d,#]|\Z)"
    r"|(?P<code>#?(?:[A-Z]\d*-)?\d{1,5}[A-Z]?(?:[-/]\w{1,4}){0,3})(?=\s*,?\s*\n?\s*[A-Za-z]))"
)
_STREET_NEXT = re.compile(rf"\s*,?\s*\n?\s*(?!lebuhraya|off|dataran)(?:{_either('street')})\s", re.I)
_AREA_NEXT = re.compile(rf"\s*,\s*\n?\s*(?:{_either('area')})\s", re.I)
_LABEL = re.compile(
    rf"\b(?:(?P<address>{_either('labels_address')})|{_either('labels_home')})\b[^.;\n]{{0,28}}(?:\n[^.;\n]{{0,4}})?$", re.I
)
_DOOR = re.compile(r"\b(?:no|nombor|lot|unit|pt|rumah|plot|suite|pintu)\b\W{0,3}\w*\d|^#?[A-Z]?-?\d|\d-\d|\b[A-Z]-\d", re.I)
_HOME = re.compile(rf"(?:{_either('home')})\b", re.I)


@dataclass(frozen=True)
class Address(Identifier):
    """A postal address; the parts that it does not have are empty."""

    unit: str = ""
    street: str = ""
    area: str = ""
    postcode: str = ""
    town: str = ""
    state: str = ""


def state_of(postcode):
    """The state of a five-digit postcode, or None where the range belongs to none."""
    prefix = int(postcode[:2])
    return next((state for low, high, state in _DATA["postcodes"] if low <= prefix <= high), None)


def _town(text, position):
    """`(town, state, end)` read at `position`, the longest name that fits; town and state may be empty."""
    chain, at = [], position
    for match in re.compile(r"[ \t]*([A-Za-z][A-Za-z.'’-]*)").finditer(text, position, position + 60):
        if match.start() != at or len(chain) == 5:
            break
        chain.append(match)
        at = match.end()
    low = [m.group(1).lower().rstrip(".") for m in chain]
    for names in (TOWNS, STATES):
        for size in range(len(chain), 0, -1):
            name = " ".join(low[:size])
            if name in names:
                last = chain[size - 1]
                end = last.start(1) + len(last.group(1).rstrip("."))
                return (text[position:end].strip(), "", end) if names is TOWNS else ("", STATES[name], end)
    return "", "", position


def find_postcodes(text):
    """Find five-digit postcodes with a town after them. Returns `Identifier`s whose value is `postcode town`."""
    found = []
    for match in _POSTCODE.finditer(text):
        if not state_of(match.group(1)):
            continue
        town, state, end = _town(text, match.end())
        if not town and not state:
            name = _TOWN_NAME.match(text, match.end())
            if not name or name.group().split()[0].lower() in _STOP:
                continue
            town, end = name.group().strip(), name.end()
        found.append(Identifier(match.start(), end, text[match.start() : end], f"{match.group(1)} {town or state}"))
    return found


class _Chain:
    """One address, read part by part. `parts`: `[kind, start, end]`; `end`: where the last part ends that surely belongs.

    A part of kind `loose` is a name of its own between commas (“Kawasan Perusahaan Nilai”): it belongs if a firm part follows.
    """

    def __init__(self, text, start, postcodes):
        self.text, self.postcodes = text, postcodes
        self.parts, self.at, self.end = [], start, start
        self.count = 0  # words since the part began
        self.small = False  # the part is written in small letters, as in chats
        self.last = ""
        while self.at < len(text) and self.step():
            pass

    @property
    def kind(self):
        return self.parts[-1][0] if self.parts else None

    def open(self, kind, start, end, count=0):
        self.parts.append([kind, start, end])
        self.count = count
        return self.go(end, kind != "loose")

    def go(self, end, firm=True):
        """Takes the text up to `end` into the last part."""
        self.at = self.parts[-1][2] = end
        self.end = end if firm else self.end
        return True

    def gap(self):
        """`(where the next word begins, whether a comma or line end parts them)`, or None where the address ends."""
        if not self.parts:
            return self.at, False
        text, at = self.text, self.at
        dotted = text[at : at + 1] == "." and self.last.isalpha() and _ABBREVIATED.search(text[max(0, at - 5) : at])
        gap = (_DOTTED if dotted else _GAP).match(text, at)
        if not gap or ")" in gap.group() or "\n" in gap.group() and not text[gap.end() :].split("\n")[0].strip():
            return None
        return gap.end(), bool(re.search(r"[,\n(–-]", gap.group()))

    def head(self, word, low):
        """The kind of part that this word opens, or None."""
        if re.match(r"rumah\s+pan(?:j|gs)", self.text[word.start() : word.end() + 8], re.I):
            return "area"
        head = _HEADS.get(low)
        if head == "unit" and not _NUMBERED.match(self.text[word.end() : word.end() + 14]):
            return "area" if low in ("batu", "rumah") and word.group()[0].isupper() and self.parts else None
        if head == "area" and self.kind == "street" and self.count == 0:
            return None  # “Jalan Bukit …”: still the street's name
        return head

    def step(self):
        """Reads the next word; False where the address ends."""
        place = self.gap()
        if place is None:
            return False
        at, parted = place
        if at in self.postcodes:
            return self.postcode(self.postcodes[at])
        word = _WORD.match(self.text, at)
        if not word:
            return False
        body, low, end = word.group(), word.group().lower(), word.end()
        town, state, town_end = _town(self.text, at)
        named = "town" if town else "state"
        goes_on = False
        if (head := self.head(word, low)) and not (low == "no" and self.last.lower() in ("dan", "atau")):
            self.small = body[0].islower()
            goes_on = self.open(head, at, end)
        elif parted and (town or state):
            goes_on = self.open(named, at, town_end, 9)
        elif _CODE.fullmatch(body) and len(body) <= 12 and (not parted or _BEFORE_CODE.match(self.text, end)):
            goes_on = self.code(at, end, body, parted)
        elif low in _STOP or body.isdigit():
            return False
        elif body[0].isupper():
            goes_on = self.capital(at, end, body, parted)
        elif self.small:
            goes_on = self.small_word(at, end, parted, named if town or state else None, town_end)
        self.last = body
        return goes_on and not (self.text[end : end + 1] == "." and self.at == end and not _ABBREVIATED.search(body))

    def postcode(self, item):
        self.open("postcode", item.start, item.end)
        if gap := _GAP.match(self.text, item.end):
            _, state, end = _town(self.text, gap.end())
            if state:
                country = re.compile(r"\s*,\s*malaysia\b", re.I).match(self.text, end)
                self.open("state", gap.end(), country.end() if country else end)
        return False

    def code(self, at, end, body, parted):
        if self.kind in ("town", "state") or re.fullmatch(r"\d{6,}", body) or self.count > 5:
            return False
        if not self.parts or parted:
            return self.open("unit", at, end, 1)
        self.count += 1
        return self.go(end, self.kind != "loose")

    def capital(self, at, end, body, parted):
        if parted or self.kind == "unit" and not _FLOOR.match(body):
            return sum(part[0] == "loose" for part in self.parts) < 3 and self.open("loose", at, end, 1)
        if self.kind in ("town", "state", None) or self.count > 5:
            return False
        self.count += 1
        return self.go(end, self.kind != "loose")

    def small_word(self, at, end, parted, named, town_end):
        if named and (self.count or self.kind not in ("street", "area")):
            return self.open(named, at, town_end, 9)
        if not parted and self.kind in ("street", "area") and self.count < 3:
            self.count += 1
            return self.go(end)
        if parted and re.compile(r"[a-z ]{1,24}\d{5}\b").match(self.text, at):
            return self.open("loose", at, end, 1)
        if self.kind == "loose" and self.count < 4:
            self.count += 1
            return self.go(end, False)
        return False


def _begins(text, match):
    """Whether a bare number may begin an address: “27 Jalan SS 2/24”, “B-12-3A, Pangsapuri …”."""
    code, end = match.group("code"), match.end()
    if not code:
        return True
    if re.search(r"(?:RM\s?|\d[.,]|\b[A-Z][\w'-]*\s)$", text[: match.start()]):
        return False
    if _STREET_NEXT.match(text, end):
        return True
    coded = re.fullmatch(r"#?(?:[A-Z]\d*-)?\d+[A-Z]?(?:-\w+)+|#.*", code) and not re.fullmatch(r"\d{1,2}-\d{1,2}(?:-\d{2,4})?", code)
    if _AREA_NEXT.match(text, end):
        return bool(coded) or code[0].isdigit()
    return bool(coded and re.compile(r"\s*,\s*[A-Z]").match(text, end))


def _finds_a_door(kinds, body, label):
    """Whether these parts are enough: a number and a street, a street and a postcode, or a label and two parts."""
    place = kinds & {"street", "area"}
    if "postcode" in kinds and (place or "unit" in kinds) or "box" in kinds and place:
        return True
    if "unit" in kinds and place and _DOOR.search(body) and ("street" in kinds or _HOME.search(body)):
        return True
    if label and label.group("address"):
        return bool(place)
    return bool(label and place and (len(place) > 1 or kinds & {"town", "state"}))


def _fields(text, parts):
    fields = {}
    for kind, start, end in parts:
        if kind == "postcode":
            fields |= {"postcode": text[start : start + 5], "town": text[start + 5 : end].strip(" ,\n")}
            fields.setdefault("state", state_of(fields["postcode"]))
        elif kind != "loose":
            fields[kind] = text[start:end].strip(" ,") if kind == "state" else fields.get(kind) or text[start:end].strip(" ,")
    return fields


def find_addresses(text):
    """Find postal addresses. Returns `Address`es, left to right; `value` is the address on one line."""
    postcodes, found, position = {item.start: item for item in find_postcodes(text)}, [], 0
    while match := _START.search(text, position):
        start, position = match.start(), match.end()
        if not _begins(text, match):
            continue
        if match.group("box"):
            gap = _GAP.match(text, match.end())
            chain = _Chain(text, gap.end() if gap else len(text), postcodes)
            kinds, parts = {"box", "unit"}, [["unit", start, match.end()], *chain.parts]
        else:
            chain = _Chain(text, start, postcodes)
            kinds, parts = set(), chain.parts
        parts = [part for part in parts if part[2] <= chain.end]
        kinds |= {part[0] for part in parts}
        body = text[start : chain.end].rstrip(" ,.-–(\n")
        if _finds_a_door(kinds, body, _LABEL.search(text[max(0, start - 60) : start])):
            value = re.sub(r"\s*\n\s*", ", ", body).replace(",,", ",")
            found.append(Address(start, start + len(body), body, value, True, **_fields(text, parts)))
            position = max(position, chain.end)
    return found
