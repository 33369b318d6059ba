"""The nine fields of an application letter: what a model writes about it, and how code reads that.

The language model *quotes and labels*. Four lines quote words (`nama:`, `kerja:`, `jenis:`, `tempat:`; a dash
where the letter is silent). Then it goes through every sum of money and length of time that the letter
mentions, in order, each with a few words around it, and says what it is: `kasar saya [RM4.5k sebulan]: gaji`,
`ansuran kereta [RM350]: hutang`, `umur saya [34 tahun]: lain`. The last line quotes the words that deny any
debt. Labelling each figure where it stands is an easier question for a small model than searching the letter for the
answer to a field, and the sums of several debts come by themselves.

Code *reads*: `RM4.5k sebulan` is 4,500 ringgit a month, two `hutang` are added. A quote that is not in the letter,
or says nothing of the right kind, is no evidence and is rejected.
The rules that people follow when they annotate a letter are in `docs/annotation.md`.
"""

import re
from dataclasses import dataclass

from helpers.malay.quantities import find_amounts, find_durations, find_years, says_none
from helpers.models.constrained import Slot

TODAY = 2026  # the year the letters of the kit are read in; `read` takes another
NOTHING = "-"
OTHER = "lain"  # the label of a figure that answers none of the fields
NO_DEBT = "tiada"  # the key of the line that quotes “tiada hutang lain”

# How people name a type of home. Data, in the order of preference where two overlap.
PROPERTY_TYPES = {
    "semi-d": r"semi[\s-]?d(?:etached)?|berkembar|kembar|twin",
    "townhouse": r"town\s?house",
    "kluster": r"k?cluster|kluster",
    "kondominium": r"kondominium|kondo|condominium|condo|kondo(?:minium)? servis",
    "apartmen": r"apartmen|apartment|apartmn|apart|pangsapuri|service(?:d)? (?:residence|apartment)|servis residen",
    "flat": r"flat|rumah pangsa|pangsa",
    "studio": r"studio",
    "banglo": r"banglo|bungalow|bunglow|sesebuah|rumah agam",
    "kedai": r"kedai|shop\s?(?:house|lot|office)?|shophouse|ruko",
    "teres": r"teres|terrace|terraced|teras|link house|terrase|teris|terres",
    "tanah": r"tanah|land",
}
_TYPE = re.compile("|".join(rf"(?P<t{i}>\b(?:{p})\b)" for i, p in enumerate(PROPERTY_TYPES.values())), re.I)
_TITLES = re.compile(
    r"^(?:(?:encik|en\.?|puan|pn\.?|cik|tuan|datuk|dato'?|datin|tan sri|puan sri|dr\.?|ir\.?|haji|hajah|hj\.?|mr\.?|mrs\.?|ms\.?|"
    r"cikgu|ustaz|ustazah|prof\.?|kapten|sarjan)\s+)+",
    re.I,
)


@dataclass(frozen=True)
class Field:
    """One field: its name in the data, the key or label the model writes for it, what kind of thing it is."""

    name: str
    key: str
    kind: str  # quoted: person, work, place, kind_of_home; labelled: amount, debts, duration, since
    malay: str
    max_words: int = 8


FIELDS = (
    Field("applicant_name", "nama", "person", "nama pemohon", 7),
    Field("employment", "kerja", "work", "pekerjaan", 7),
    Field("years_employed", "kerja", "since", "tempoh bekerja"),
    Field("gross_monthly_income", "gaji", "amount", "pendapatan kasar bulanan"),
    Field("monthly_commitments", "hutang", "debts", "komitmen bulanan"),
    Field("property_type", "jenis", "kind_of_home", "jenis rumah"),
    Field("property_location", "tempat", "place", "lokasi rumah", 9),
    Field("property_price", "harga", "amount", "harga rumah"),
    Field("tenure_years", "tempoh", "duration", "tempoh pembiayaan"),
)
QUOTED = tuple(f for f in FIELDS if f.kind in ("person", "work", "place", "kind_of_home"))
SUMS = tuple(f for f in FIELDS if f.kind in ("amount", "debts"))
TIMES = tuple(f for f in FIELDS if f.kind in ("duration", "since"))
_EDGE = "\"'“”‘’()[]{}<>.,;:!?*_-–—•/~ \t"


def spans(letter, max_words):
    """All runs of up to `max_words` words on one line, without punctuation at their ends, in order."""
    found = {}
    for line in letter.split("\n"):
        words = [(m.start(), m.end()) for m in re.finditer(r"\S+", line)]
        for first in range(len(words)):
            for last in range(first, min(first + max_words, len(words))):
                piece = line[words[first][0] : words[last][1]].strip(_EDGE)
                # a sentence's end closes a run; “a/l”, “Kg.” and “Tmn.” do not
                inner = re.sub(r"\b(?:kg|tmn|jln|bdr|sg|bkt|bt|kpg|en|pn|dr|st|no|hj|mr|ms|b|bt|bte|mohd|md|abd)\.", "", piece, flags=re.I)
                if re.search(r"[.!?;]\s", inner):
                    break
                if piece:
                    found.setdefault(piece)
    return list(found)


@dataclass(frozen=True)
class Figure:
    """A sum of money or a length of time mentioned in a letter, and the fields it may answer."""

    start: int
    end: int
    text: str
    fields: tuple

    def in_context(self, letter, before=2):
        """The figure in brackets after a few words of the letter: what the model writes before its label."""
        words = letter[: self.start].replace(":", " ").split()[-before:]
        return " ".join([*words, f"[{self.text}]"])


# What a figure can be at all, in ringgit (a month) and years: a sum of RM350 is no price, 3 months are no tenure.
POSSIBLE = {
    "gross_monthly_income": (500, 80_000), "monthly_commitments": (10, 15_000), "property_price": (30_000, 20_000_000),
    "tenure_years": (3, 45), "years_employed": (0, 50),
}  # fmt: skip


def _possible(fields, value):
    return tuple(f for f in fields if POSSIBLE[f.name][0] <= value <= POSSIBLE[f.name][1])


def figures(letter):
    """Every sum of money (from 10 ringgit) and length of time in a letter, in order of appearance."""
    found = []
    for a in find_amounts(letter):
        fields = tuple(f for f in SUMS if _possible([f], a.high if f.name == "property_price" else a.monthly()))
        found.append(Figure(a.start, a.end, a.text, fields))
    found += [Figure(d.start, d.end, d.text, _possible(TIMES, d.high)) for d in find_durations(letter)]
    found += [Figure(d.start, d.end, d.text, TIMES[:1]) for d in find_years(letter, TODAY)]
    found = sorted((f for f in found if f.fields and "\n" not in f.text), key=lambda f: (f.start, -f.end))
    return [f for i, f in enumerate(found) if i == 0 or f.start >= max(g.end for g in found[:i])]


def candidates(field, letter):
    """The pieces of a letter that may be quoted for a field, without repetition, in order of appearance."""
    if field.kind == "kind_of_home":
        return list(dict.fromkeys(m.group() for m in _TYPE.finditer(letter)))
    return [s for s in spans(letter, field.max_words) if re.search(r"[A-Za-z]{2}", s)]


def denials(letter):
    """The pieces of a letter that may say there is no debt."""
    return [s for s in spans(letter, 5) if says_none(s) and ":" not in s]


def slots(letter):
    """The answer to a letter as a list of `Slot`: what a constrained model may write, line by line."""
    lines = [Slot(f.key, tuple(candidates(f, letter))) for f in QUOTED]
    lines += [Slot(g.in_context(letter), (*(f.key for f in g.fields), OTHER), nothing=None) for g in figures(letter)]
    return [*lines, Slot(NO_DEBT, tuple(denials(letter)))]


def read(field, quotes, today=TODAY):
    """The value that a field's quotes say, or None: a number, a type of home, or the words themselves."""
    quotes = [q for q in quotes if q and q != NOTHING]
    if not quotes:
        return None
    first = quotes[0]
    if field.kind == "debts":
        amounts = [find_amounts(q) for q in quotes]
        if all(amounts):
            return round(sum(a[0].monthly(upper=True) for a in amounts), 2)
        return 0.0 if len(quotes) == 1 and says_none(first) else None
    if field.kind == "amount":
        amounts = find_amounts(first)
        if not amounts:
            return None
        return amounts[0].high if field.name == "property_price" else amounts[0].monthly()
    if field.kind == "kind_of_home":
        match = _TYPE.search(first)
        return list(PROPERTY_TYPES)[int(match.lastgroup[1:])] if match else None
    if field.kind in ("duration", "since"):
        times = find_times(first, today)
        return (times[0].high if field.kind == "duration" else times[0].years) if times else None
    # a title is no part of a name, but “cikgu tadika” is an occupation
    return (_TITLES.sub("", first) if field.kind == "person" else first).strip(_EDGE) or None


def write_answer(letter, quotes):
    """The lines a model should write about a letter.

    `quotes` maps a field's name to the pieces of the letter that answer it; of a piece that stands several times
    in the letter, as many occurrences are labelled as `quotes` names (all of them where a field has one value).
    """
    lines = [f"{f.key}: {(quotes.get(f.name) or [NOTHING])[0]}" for f in QUOTED]
    left = {f.name: list(quotes.get(f.name) or []) for f in SUMS + TIMES}
    for figure in figures(letter):
        field = next((f for f in figure.fields if figure.text in left[f.name]), None)
        rivals = [f for f in figure.fields if f is not field and figure.text in left[f.name]]
        if field is not None and (field.kind == "debts" or rivals):
            left[field.name].remove(figure.text)
        lines.append(f"{figure.in_context(letter)}: {field.key if field else OTHER}")
    denial = [q for q in quotes.get("monthly_commitments") or [] if says_none(q)]
    return "\n".join([*lines, f"{NO_DEBT}: {denial[0] if denial else NOTHING}"])


def parse_answer(text, confidence=None):
    """The quotes in a model's answer: field name → list of quotes. Lines of another form are left out.

    `confidence` is a probability for each line, as `choose` gives it. Where two figures claim the same
    single-valued field the more probable one is kept, or the later one when no probabilities are known.
    Returns `(quotes, confidences)`; a field's confidence is that of its least certain line.
    """
    by_key, quotes, sure, denial = {f.key: f for f in QUOTED}, {}, {}, ([], 1.0)
    for number, line in enumerate(text.splitlines()):
        key, colon, rest = (part.strip() for part in line.rpartition(":"))
        probability = confidence[number] if confidence and number < len(confidence) else 1.0
        if not colon:
            continue
        if key == NO_DEBT:
            denial = ([rest] if rest != NOTHING else [], probability)
        elif key in by_key:
            quotes[by_key[key].name] = [rest] if rest != NOTHING else []
            sure[by_key[key].name] = probability
        else:
            figure = re.search(r"\[(.+)\]", key)
            field = figure and next((f for f in (SUMS if find_amounts(figure[1]) else TIMES) if f.key == rest), None)
            if not field:
                continue
            key = figure[1]
            if field.kind == "debts":
                quotes.setdefault(field.name, []).append(key)
                sure[field.name] = min(sure.get(field.name, 1.0), probability)
            elif field.name not in quotes or probability >= sure[field.name]:
                quotes[field.name], sure[field.name] = [key], probability
    if not quotes.get("monthly_commitments"):
        quotes["monthly_commitments"], sure["monthly_commitments"] = denial
    return quotes, {f.name: sure.get(f.name, 1.0) for f in FIELDS}


def find_times(text, today=TODAY):
    """Lengths of time and calendar years in a piece of text, durations first."""
    return find_durations(text) or find_years(text, today)


def evidence(letter, quotes, today=TODAY):
    """Quotes checked against the letter: field name → `{"value", "quotes"}`, or None where nothing stands.

    A field whose quote the letter does not contain, or cannot be read as the right kind of thing, is None.
    """
    fields = {}
    for field in FIELDS:
        said = quotes.get(field.name) or []
        value = read(field, said, today) if said and all(q in letter for q in said) else None
        fields[field.name] = None if value is None else {"value": value, "quotes": said}
    return fields


def target_quotes(letter, answers):
    """The quotes to train on: each annotated quote as the candidate that a model may choose.

    Annotators quote “4 thn”, the candidate may be “dh 4 thn”: the one that overlaps most and reads as
    the annotated value is taken. Raises ValueError where none does, so that a faulty row is seen.
    """
    quotes = {}
    for field in FIELDS:
        answer = answers.get(field.name)
        if answer is None:
            quotes[field.name] = []
            continue
        if field.kind in ("person", "work", "place"):
            quotes[field.name] = [answer["quotes"][0].strip(_EDGE)]
            continue
        if field.kind == "kind_of_home":
            options = candidates(field, letter)
        else:
            options = [g.text for g in figures(letter) if field in g.fields]
            options += denials(letter) if field.kind == "debts" and answer["value"] == 0 else []
        chosen = []
        for quote in answer["quotes"]:
            near = [o for o in options if _overlap(letter, o, quote)]
            near = [o for o in near if field.kind == "debts" or _same(read(field, [o]), answer["value"])] or near
            if not near:
                raise ValueError(f"no candidate for {field.name}: {quote!r}")
            chosen.append(max(near, key=lambda o: (o == quote, _overlap(letter, o, quote), -len(o))))
        if not _same(read(field, chosen), answer["value"]):
            raise ValueError(f"{field.name}: {chosen} does not read as {answer['value']}")
        quotes[field.name] = chosen
    return quotes


def _overlap(letter, one, other):
    """Longest overlap in characters of two pieces of a letter, wherever they stand."""
    best, start = 0, letter.find(other)
    while start >= 0:
        position = letter.find(one)
        while position >= 0:
            best = max(best, min(position + len(one), start + len(other)) - max(position, start))
            position = letter.find(one, position + 1)
        start = letter.find(other, start + 1)
    return best


def _same(value, expected):
    if value is None or isinstance(expected, str):
        return value == expected
    return abs(value - expected) < 0.1


def is_right(field, found, answer):
    """Whether a found field (`{"value", …}` or None) agrees with the annotated one.

    Numbers within 1 ringgit or 0.1 year; words after folding case, punctuation and titles, against the
    value and every reading in `accept`.
    """
    if found is None or answer is None:
        return found is None and answer is None
    value, expected = found["value"], answer["value"]
    if field.kind in ("amount", "debts"):
        return abs(value - expected) < 1
    if field.kind in ("duration", "since"):
        return abs(value - expected) < 0.1
    readings = {fold(r) for r in [expected, *answer.get("accept", []), *(answer["quotes"] if field.kind != "kind_of_home" else [])]}
    return fold(value) in readings


def fold(words):
    """Words as compared: lower case, no title in front, no punctuation, single spaces."""
    return " ".join(re.sub(r"[^\w/@']+", " ", _TITLES.sub("", str(words).strip(_EDGE))).lower().split())
