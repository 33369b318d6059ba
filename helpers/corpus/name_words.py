"""The words of a text as the reader of names sees them: what each can be, and which belong to places and companies.

`words("Kak Ros di Jalan Tun Razak")` gives linked `Word`s; those of the street are `blocked`. What a word can
be (a strong name part, a surname, a title, an everyday word …) comes from `data/names.json`, where the lists
are explained; `helpers.corpus.person_names` weighs it.
"""

import functools
import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

from helpers.malay.addresses import STATES, TOWNS

DATA = Path(__file__).parent / "data" / "names.json"
# What a list of names.json makes of its words. Soft name parts are everyday words or rare names: they need company.
KINDS = {
    "malay": "strong", "western": "strong", "indian": "strong", "sikh": "strong", "eurasian": "strong",
    "malay_soft": "soft", "western_soft": "soft", "indian_soft": "soft", "borneo": "soft", "orang_asli": "soft",
    "chinese_surname": "surname", "chinese_given": "given", "nick": "nick",
    "titles": "title", "kin": "kin", "particles": "particle", "heads": "head", "company_ends": "company", "places": "place",
    "no_person": "no_person", "stop": "stop", "common": "common", "everyday": "everyday", "wordy": "wordy", "things": "thing",
    "weak_titles": "weak_title", "polite": "polite", "loose_heads": "loose_head", "shops": "shop", "before_places": "before_place",
    "abbreviations": "abbreviation", "never_alone": "never_alone",
}  # fmt: skip
NAME = frozenset({"strong", "soft", "surname", "given"})
PLAIN = frozenset({"stop", "common"})
FIXED = frozenset({"stop", "common", "place", "head", "company", "title", "no_person"})  # never an unknown part of a name
_NOTHING = frozenset()

_TOKEN = re.compile(
    r"(?P<particle>(?<![^\W_])(?:[ad]\s?/\s?[lp]|[sd]/o|w/o)(?![^\W_]))|(?P<word>[^\W\d_]+(?:['’‘`ʼ-][^\W\d_]+)*['’‘]?)|(?P<number>\d[\d.,/-]*)|(?P<mark>\S)",
    re.I,
)
_SKIPPED = re.compile(r"\S*(?:@[\w-]+\.|https?:|www\.|\w\.(?:com|my|net|org|edu|gov)\b|_\w)\S*|\[[A-Z]+(?: \d+)?\]|[@#]\w+")
# Shapes that only names have, for parts that no list knows; `_LIKELY` is weaker and needs capitals in mid-sentence.
_SHAPED = re.compile(
    r"(?:n[ou]o?r|nurul|siti|mohd|muhd|abdul|zul|(?:khai|shah|syah|fakh|hai|bad)rul|amirul|kamarul|s[h]?aiful|mohamad|syed|sharifah|aznor|azrul|hafiz|farah|fazl|fatin|ain|wan|nik|che)"
    r"[a-z]{4,}$|[a-z]{3,}(?:udd?in|ullah|rahman|nizam|hisham|s[hy]ah|zaman|as[hy]ikin|hafiz|azlan|fadzil|farhan|hidayah|azura|liyana)$"
    r"|[a-z]{2,}(?:rajan|nathan|samy|appan|andy|[ls]ingam|kumar|moorthy|murthy|letchumi|lakshmi|rajah|[wv]athi|selva[nm]|krishnan|chandran|segaran|sekaran|e?swaran"
    r"|e?swar[yi]|pillai|velu|amma[lh]|ashini|arasan|inder|preet|deep|jit)$"
)
_LIKELY = re.compile(
    r"(?:n[ou]r|zul|s[hy]az|[fhn]az|fadz|khair|roz|rosl|az[rl]|hafi|amir|izz|irfa|qis|aisy|s[hy]ah|zaf|vij|siv|kum|muth|letch|sara[sv])[a-z]{1,6}$"
)
_UNSHAPED = re.compile(r"norma|nurse|nors|north|norw|wan[gdi]|che[qmrnces]|ni[kc]k?[eas]")
_PREFIXED = re.compile(r"(?:meng|mem|men|meny|ber|ter|per|pem|pen|peng|di)[a-z]{4,}$|ke[a-z]{3,}an$|pe[a-z]{3,}an$")
_SUFFIXED = re.compile(r"([a-z]{3,})(?:nya|kan|lah|kah|pun|mu|ku)$")


_SPELLINGS = [
    (r"s[yh]", "s"),
    (r"([kdtgb])h", r"\1"),
    (r"ph|v", "f"),
    (r"dz|dh", "z"),
    (r"ee|ie|y", "i"),
    (r"oo|ou", "u"),
    (r"[aei]i", "e"),
    (r"(.)\1", r"\1"),
    (r"h", ""),
]


@functools.lru_cache(50_000)
def _sound(word):
    """A name part without the differences of its spellings (Saiyed and Syed apart; Safiyya, Safiah, Shafiya alike)."""
    for pattern, plain in _SPELLINGS:
        word = re.sub(pattern, plain, word)
    return word


def key(word):
    """A word as the lists hold it: small letters, no apostrophes."""
    return re.sub(r"['’‘`ʼ]", "", word.lower())


@functools.cache
def lists():
    """`names.json` made ready: `kinds` (word to what it can be), `phrases` to block, `titles`, `weak`, and compiled `patterns`."""
    data = json.loads(DATA.read_text(encoding="utf-8"))
    kinds = {}
    for name, kind in KINDS.items():
        for word in data[name]:
            kinds.setdefault(key(word), set()).add(kind)
    phrases = {}
    towns = {name: [t for t in (*TOWNS, *STATES) if (" " in t) == (name == "many")] for name in ("one", "many")}
    for town in towns["one"]:
        kinds.setdefault(town, set()).add("place")
    for figure, group in ((True, data["figures"]), (False, [*data["not_names"], *towns["many"]])):
        for phrase in group:
            parts = tuple(key(w) for w in re.findall(r"[^\W\d_]+(?:['’-][^\W\d_]+)*", phrase))
            phrases.setdefault(parts[0], []).append((parts, figure))
    patterns = {
        name: "|".join(re.escape(x).replace(r"\ ", r"\s+") for x in sorted(data[name], key=len, reverse=True))
        for name in (
            "labels",
            "naming",
            "calling",
            "roles",
            "relations",
            "relation_words",
            "addressing",
            "human_verbs",
            "closings",
            "offices",
        )
    }
    for word in kinds:
        if "place" in kinds[word] and "strong" not in kinds[word]:
            kinds[word].discard("soft")  # Baling, Linggi
    sounds = frozenset(_sound(word) for word, k in kinds.items() if "strong" in k and len(word) > 4 and not k & {"everyday", "common"})
    titles = {key(t).replace(".", ""): "title" for t in data["titles"]} | {key(t): "kin" for t in data["kin"]}
    titles |= {t: "weak" for t in map(key, data["weak_titles"])}
    return SimpleNamespace(
        kinds={w: frozenset(k) for w, k in kinds.items()}, phrases=phrases, titles=titles, patterns=patterns, sounds=sounds
    )


@dataclass(slots=True, eq=False)
class Word:
    """A word, number or mark of a text.

    `style`: `T` Title, `U` UPPER, `l` lower, `P` a particle (bin, a/l, @), `1` a number, `-` a mark. `before` and `after` are
    its neighbours in the same phrase: marks and line ends part phrases, the period of an abbreviation does not.
    """

    text: str
    low: str
    start: int
    end: int
    style: str
    kinds: frozenset = _NOTHING
    index: int = 0
    opens: bool = False  # stands at the beginning of a sentence or line
    blocked: bool = False  # belongs to a place, a company, a figure of history
    before: "Word | None" = field(default=None, repr=False)
    after: "Word | None" = field(default=None, repr=False)

    def has(self, *kinds):
        """Whether the word can be one of these kinds."""
        return not self.kinds.isdisjoint(kinds)

    @property
    def named(self):
        """Whether a list knows the word as a name part (nicknames apart)."""
        return not self.kinds.isdisjoint(NAME)

    @property
    def initial(self):
        return len(self.text) == 1 and self.style == "T" and self.opens_chunk

    @property
    def opens_chunk(self):
        return "chunk" in self.kinds


def affixed(low):
    """Whether a word has the look of an everyday Malay word with prefix or suffix, so that it is hardly a name."""
    if len(low) > 6 and _PREFIXED.match(low):
        return True
    stem = _SUFFIXED.match(low)
    return bool(stem) and not lists().kinds.get(stem.group(1), _NOTHING).isdisjoint({"everyday", "stop", "common"})


def _kinds(body, low):
    """What a word can be, by the lists or by its shape."""
    known = lists().kinds
    kinds = known.get(low, _NOTHING)
    if kinds & NAME or "nick" in kinds:
        return kinds
    if "-" in low:  # Chee-Keong, Al-Hafiz; but not anak-anak
        pieces = [p for p in low.split("-") if p not in ("al", "as", "ar", "el", "an", "ad")]
        if pieces and len(set(pieces)) == len(pieces):
            kinds |= frozenset.intersection(*(known.get(p, _NOTHING) for p in pieces))
        return kinds
    if body[0].isupper() and not _UNSHAPED.match(low) and not kinds & FIXED:
        if len(low) >= 7 and _SHAPED.match(low):
            return kinds | {"strong"}
        if not body.isupper() and "everyday" not in kinds and (_LIKELY.match(low) or len(low) > 4 and _sound(low) in lists().sounds):
            return kinds | {"soft"}
    return kinds


def _tokens(text):
    skipped, at = [(m.start(), m.end()) for m in _SKIPPED.finditer(text)], 0
    for match in _TOKEN.finditer(text):
        while at < len(skipped) and skipped[at][1] <= match.start():
            at += 1
        body, kind, start, end = match.group(), match.lastgroup, match.start(), match.end()
        if at < len(skipped) and skipped[at][0] <= start and body != "@":
            yield Word(body, "", start, end, "-")
        elif kind == "word":
            low = key(body)
            if body[-1] in "'’‘" and low not in ("dato", "to", "ja"):
                body, end = body[:-1], end - 1
            kinds = _kinds(body, low)
            style = "U" if body.isupper() and len(body) > 1 else "T" if body[0].isupper() else "l"
            if "particle" in kinds and low not in ("b", "ak", "al", "ap", "anak"):
                style = "P"
            if len(body) == 1 and text[max(0, start - 1) : start] in ("", " ", "(", "\n", ".", "/", "“"):
                kinds |= {"chunk"}
            yield Word(body, low, start, end, style, kinds)
        elif kind == "particle":
            yield Word(body, re.sub(r"\s", "", body.lower()), start, end, "P", frozenset({"particle"}))
        else:
            style = "1" if kind == "number" else "P" if body == "@" else "-"
            yield Word(body, body, start, end, style, frozenset({"particle"}) if body == "@" else _NOTHING)


def words(text):
    """The words, numbers and marks of a text, linked and with places, companies and people of history blocked."""
    found = list(_tokens(text))
    for index, word in enumerate(found):
        word.index = index
    for left, right in zip(found, found[1:]):
        if right.start - left.end > 3 or "\n" in text[left.end : right.start]:
            continue
        if left.style != "-" and right.style != "-":
            left.after, right.before = right, left
        elif (
            right.text == "."
            and (left.has("abbreviation") or len(left.text) == 1)
            and left.style in "TUlP"
            and right.index + 1 < len(found)
        ):
            further = found[right.index + 1]
            if further.style != "-" and further.start - right.end <= 3 and "\n" not in text[right.end : further.start]:
                left.after, further.before = further, left
    for index, word in enumerate(found):
        previous = found[index - 1] if index else None
        word.opens = previous is None or "\n" in text[previous.end : word.start] or (previous.text in '.!?:•*-–"“' and word.before is None)
    _Blocks(text, found).block()
    return found


class _Blocks:
    """Finds the words that belong to places, companies and people of history."""

    def __init__(self, text, found):
        self.text, self.words = text, found
        self.small = not re.search(r"(?<![.!?\n] )(?<!^)\b[A-Z][a-z]+", text)  # a chat without capitals

    def block(self):
        for word in self.words:
            if word.style in "1-":
                continue
            for phrase, figure in lists().phrases.get(word.low, ()):
                self.phrase(word, phrase, figure)
            if "head" in word.kinds and word.style != "P":
                self.forward(word)
            if word.low in ("tahun", "darjah", "tingkatan", "kelas", "ting"):  # the class “5 Bestari”
                number = word.after
                if number and re.fullmatch(r"[1-6]", number.text) and number.after and number.after.style in "TU":
                    number.after.blocked = True
            if "company" in word.kinds and (word.style in "TU" or word.low in ("sdn", "bhd", "enterprise", "trading", "plt")):
                self.backward(word)
        for mark in self.words:
            after = self.beside(mark, 1) if mark.text == "&" or mark.low in ("dan", "and") else None
            if after and after.style in "TU" and re.match(r"rakan|anak|co$|sons|bros|brothers|keluarga$", after.low):
                self.backward(mark)

    def beside(self, word, step):
        """The token to the right (1) or left (-1) on the same line, marks included."""
        at = word.index + step
        if not 0 <= at < len(self.words):
            return None
        other = self.words[at]
        gap = self.text[word.end : other.start] if step > 0 else self.text[other.end : word.start]
        return other if len(gap) <= 3 and "\n" not in gap else None

    def phrase(self, word, phrase, figure):
        chain = [word]
        for part in phrase[1:]:
            chain.append(chain[-1].after)
            if chain[-1] is None or chain[-1].low != part:
                return
        if word.style == "l" and not self.small:
            return
        if figure:  # “Sudirman bin Hassan” is somebody else than Sudirman
            around = [w for w in (word.before, chain[-1].after) if w]
            if any(w.style == "P" or w.style in "TU" and "strong" in w.kinds for w in around):
                return
            if len(phrase) == 1 and word.before and (word.before.has("polite") or word.before.low in ("cikgu", "kak", "abang", "pak")):
                return
        for part in chain:
            part.blocked = True

    def forward(self, head):
        """Blocks the capitalised words after the head of a place: Jalan, Hospital, Masjid …"""
        small = head.style == "l"
        led = head.before is not None and head.before.low in ("ketua", "tuan", "orang", "isi", "tok", "pak", "mak", "abang")
        if led and head.low in ("kampung", "rumah", "kg", "laut", "tanah", "kedai", "bank") or small and "loose_head" in head.kinds:
            return  # “Ketua Kampung Gundik”, “kelas Azman”
        at, count = head, 0
        while count < 7 and (word := self.beside(at, 1)):
            if word.text == "(" and not count and re.match(r"\([CTM]\)", self.text[word.start :]):  # SJK(C)
                at = self.words[word.index + 2]
                continue
            if word.text == "&" and count or word.text == "." and (at.has("abbreviation") or len(at.text) == 1 or at is head):
                at = word
                continue
            if "polite" in word.kinds or small and "shop" in head.kinds and (word.has("kin") or word.low == "cikgu"):
                break  # “hospital Encik Ali”, “gerai Kak Ros”
            follows = word.style in "TU" or word.style == "P" and count and word.text != "@" or word.style == "1" and not count
            if small and self.small and word.style == "l":
                follows = word.named and "stop" not in word.kinds or word.has("title") or word.low in ("sultan", "tengku", "tunku")
            if not follows or head.style == "U" and (word.style == "T" and len(head.low) > 4 or count >= 5):
                break
            word.blocked = True
            at, count = word, count + 1

    def backward(self, end):
        """Blocks the words before the end of a company's name: Sdn Bhd, Enterprise, & Anak-anak …"""
        at, count = end, 0
        while count < 6 and (word := self.beside(at, -1)):
            if word.text in ("&", ".", "(", ")", "/") or word.low == "dan" and count and at.low.startswith(("rakan", "anak")):
                at = word
                continue
            alike = end.style == "l" and word.style == "l" and word.kinds and "stop" not in word.kinds
            if "polite" in word.kinds or word.style not in "TUP" and not alike:
                break
            if word.style == "U" and end.style == "T" and "stop" in word.kinds:
                break
            word.blocked = True
            at, count = word, count + 1
