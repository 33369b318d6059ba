"""How Malaysian is this text, against Indonesian? A lexicon of contrasts, with a language detector as second opinion.

    from helpers.malay.purity import purity, suggest

    result = purity("Dia pergi ke kantor naik mobil karena hujan.")
    result.score        # 0.00 (1 is Malaysian, 0 is Indonesian, 0.5 means that nothing was said)
    result.verdict      # "Indonesian"
    result.words        # the causes: spans with their side, weight and the other side's word
    suggest("Dia pergi ke kantor naik mobil karena hujan.")  # kantor → pejabat, mobil → kereta, karena → kerana

The lexicon is `data/contrasts.jsonl` (docs/data-contrasts.md): one contrast a row, each word with a weight from 0 (said in both
countries) to 3 (said in one only). False friends carry a rule of context *in their row*: `bisa` is Indonesian for “can”, unless a
snake is near. Words are also found with -nya, -lah, di-, me- … and doubled (`mobil-mobilnya`). A row counts once, however often its
words occur: repetition is no evidence. The score is a sum of log-odds,

    score = sigmoid(LEXICON · (Σ Malaysian weights − Σ Indonesian weights) + LINGUA · log(P(Malay) / P(Indonesian)) + LINGUA_BIAS)

with lingua's probabilities, or sigmoid(LEXICON_ALONE · …) without lingua. It says which country a text comes from; how *mixed* a
long text is shows in `words` and `suggest`. `python -m helpers.malay.purity tests/data/purity_dev.jsonl d e f g` fits the constants
(the sentences whose id begins with d–g were written after the first lexicon was finished).
"""

import json
import math
import re
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

LEXICON_PATH = Path(__file__).parent / "data" / "contrasts.jsonl"
# Fitted with the command at the end of the docstring. LINGUA_BIAS: lingua leans to Malay where the two languages say the same.
LEXICON, LINGUA, LINGUA_BIAS, LEXICON_ALONE = 2.0, 0.78, -0.24, 2.14
UNCLEAR = (0.4, 0.6)  # between these two scores the verdict is "unclear"
# In a rule of context “#” stands for a number, in digits or in words.
_NUMBER = re.compile("[0-9].*|satu|dua|tiga|empat|lima|enam|tujuh|d?e?lapan|sembilan|sepuluh|sebelas|setengah|seratus|seribu|berapa")

_TOKEN = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*(?:-[^\W\d_]+)*|\d+(?:[.,:]\d+)*|[^\w\s]|\n")
_ENCLITIC = re.compile(r"(?<=...)(nya|lah|kah|ku|mu|pun)$")
_ONLY_ENCLITIC = re.compile("nya|lah|kah|ku|mu|pun")
# Prefixes with the sound that they may have swallowed (men+tulis), in the order of trying. After Malay school grammar.
_PREFIX = (
    ("memper", ""), ("diper", ""), ("menge", ""), ("meng", ""), ("meng", "k"), ("meny", "s"), ("men", ""), ("men", "t"), ("mem", ""),
    ("mem", "p"), ("me", ""), ("penge", ""), ("peng", ""), ("peng", "k"), ("peny", "s"), ("pen", ""), ("pen", "t"), ("pem", ""),
    ("pem", "p"), ("pe", ""), ("per", ""), ("ber", ""), ("ter", ""), ("di", ""), ("ke", ""), ("se", ""),
)  # fmt: skip
_VERBAL = frozenset({"meng", "men", "mem", "me", "ber", "di"})
_SUFFIX = ("kan", "i", "an")
# How much may be cut to find a word of each kind (see `_stems`): respelt roots take every affix, *menkarena* and *Bekasikan* do not exist.
_DEPTH = {"spelling": 3, "vocabulary": 2, "affix": 2, "function": 1, "colloquial": 1, "name": 0}


class Cause(NamedTuple):
    """One span of the text that speaks for a side. `text[start:end] == cause.text`."""

    start: int
    end: int
    text: str
    side: str  # "ms" or "id"
    other: str  # what the other side says, "" where it has no counterpart
    weight: float
    kind: str


@dataclass(frozen=True)
class Purity:
    """The answer of `purity`: `score` in 0–1, the causes in the order of the text, lingua's P(Malay | Malay or Indonesian) or None."""

    score: float
    words: list[Cause] = field(default_factory=list)
    second_opinion: float | None = None

    @property
    def verdict(self):
        """“Malaysian”, “Indonesian” or “unclear”."""
        return "unclear" if UNCLEAR[0] <= self.score <= UNCLEAR[1] else "Malaysian" if self.score > 0.5 else "Indonesian"


_SHAPE = re.compile(r"(?P<prefix>me|di|ber|ter|pe|ke|se)?.*?(?P<suffix>kan|an|i)?")


def _like(word, others):
    """The other side's words, those first that share a word or the affixes with `word`: pemborosan → pembaziran before membazir."""
    others, parts = [other for other in others if other != word], set(word.split())
    if len(parts) > 1:
        return tuple(sorted(others, key=lambda other: -len(parts & set(other.split()))))
    shape = _SHAPE.fullmatch(word).groups()
    return tuple(sorted(others, key=lambda other: shape != (None, None) and _SHAPE.fullmatch(other).groups() != shape))


class _Entry(NamedTuple):
    row: int
    side: str
    weight: float
    kind: str
    others: tuple
    rule: dict


@lru_cache(1)
def contrasts():
    """The rows of the lexicon as they stand in the file. Do not change them."""
    with LEXICON_PATH.open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


@lru_cache(1)
def _index():
    """(words, exact, phrases, patterns): entries by lower-case word, by word with its capitals, by first word and the beginning of
    the second, by regular expression."""
    words, exact, phrases, patterns = {}, {}, {}, []
    for number, row in enumerate(contrasts()):
        for side, other in (("ms", "id"), ("id", "ms")):
            weights, rules = row.get("weights", {}).get(side, {}), row.get("context", {}).get(side, {})
            for word in row[side]:
                rule = {key: frozenset(value) if isinstance(value, list) else value for key, value in rules.get(word, {}).items()}
                others = () if row.get("group") else _like(word, row[other])
                entry = _Entry(number, side, weights.get(word, row["weight"]), row["kind"], others, rule)
                parts = word.split()
                cased = rule.get("case") or row["kind"] == "name" or (len(word) > 1 and word.isupper())
                key = word if cased else word.lower()
                if len(parts) > 1:
                    if not entry.weight and row["weight"]:
                        continue  # a counterpart only: it must not hide the words in it
                    low = [part.lower() for part in parts]
                    phrases.setdefault(low[0], {}).setdefault(low[1][:2], []).append((low, key if cased else None, entry))
                elif not word.startswith("-"):
                    (exact if cased else words).setdefault(key, []).append(entry)
            if pattern := row.get("patterns", {}).get(side):
                patterns.append((re.compile(pattern), _Entry(number, side, row["weight"], row["kind"], tuple(row[other]), {})))
    for starts in phrases.values():
        for candidates in starts.values():
            candidates.sort(key=lambda candidate: -len(candidate[0]))
    return words, exact, phrases, patterns


def _stems(word):
    """Shorter forms of a word, lightest cut first: (form, enclitic, depth).

    Depth 0 cuts enclitics and doubling, 1 -kan as well, 2 the prefixes of verbs, 3 any affix.
    """
    forms = [word]
    while len(forms) < 3 and (match := _ENCLITIC.search(forms[-1])):
        forms.append(forms[-1][: match.start()])
        yield forms[-1], word[match.start() :], 0
    for form in forms:
        enclitic = word[len(form) :]
        first, _, second = form.partition("-")
        if second and (second.startswith(first) or first.endswith(second)):  # teman-temannya, obat-obatan, mobil-mobil
            yield first, enclitic, 0
        for prefix, swallowed in _PREFIX:
            if form.startswith(prefix):
                root = swallowed + form[len(prefix) :]
                if prefix == "me" and root[:1] not in "lrwy":
                    continue
                for suffix in ("", *_SUFFIX):
                    if root.endswith(suffix) and len(root) - len(suffix) >= 4:
                        depth = 2 if prefix in _VERBAL and not swallowed and suffix != "an" else 3
                        yield root[: len(root) - len(suffix)], enclitic, depth
        if form.endswith("kan") and len(form) >= 7:
            yield form[:-3], enclitic, 1


def _takes(entry, depth):
    """Whether an entry may be found inside a longer word. Weak words and those that hang on their neighbours may not."""
    if entry.weight < 1 or not entry.rule.get("affixes", True) or entry.rule.keys() & {"next", "previous", "with"}:
        return False
    return depth == 0 or (depth <= _DEPTH[entry.kind] and (entry.weight >= 2 or entry.kind == "spelling"))


@lru_cache(1 << 16)
def _entries(token):
    """((entry, enclitic), …) for one token: as listed, else by its stem, else by a pattern. Cached: most words come again."""
    words, exact, _, patterns = _index()
    lower = token.lower().replace("’", "'")
    cased = exact.get(token, [])
    found = cased if any(entry.kind == "name" for entry in cased) else cased + words.get(lower, [])
    if found:
        return tuple((entry, "") for entry in found)
    for form, enclitic, depth in _stems(lower):
        listed = words.get(form, []) + ([] if depth else exact.get(token[: len(form)], []))
        if found := [entry for entry in listed if _takes(entry, depth)]:
            return tuple((entry, enclitic) for entry in found)
        if listed and not depth:
            return ()
    for form in (lower, *(form for form, _, depth in _stems(lower) if not depth)):
        for pattern, entry in patterns:
            if pattern.fullmatch(form):
                return ((entry, ""),)
    return ()


def _holds(rule, tokens, first, last):
    """Whether a rule of context allows the words first … last (indices into tokens)."""

    def beside(index, wanted):
        return 0 <= index < len(tokens) and (tokens[index] in wanted or ("#" in wanted and bool(_NUMBER.fullmatch(tokens[index]))))

    def around(wanted):  # in the same sentence
        start, stop = first, last + 1
        while start > 0 and tokens[start - 1] not in ".!?\n":
            start -= 1
        while stop < len(tokens) and tokens[stop] not in ".!?\n":
            stop += 1
        return any(token in wanted for token in tokens[start:stop])

    if "case" in rule and (first == 0 or tokens[first - 1] in ".!?\n"):  # a capital says nothing where a sentence begins
        return False
    if beside(last + 1, rule.get("not_next", ())) or beside(first - 1, rule.get("not_previous", ())) or around(rule.get("without", ())):
        return False
    return (
        not rule.keys() & {"next", "previous", "with"}
        or beside(last + 1, rule.get("next", ()))
        or beside(first - 1, rule.get("previous", ()))
        or around(rule.get("with", ()))
    )


def _matches(text):
    """(start, end, entry, enclitic) of every span with a listed word, longest phrases first, left to right."""
    phrases = _index()[2]
    spans = [(match.start(), match.end(), match.group()) for match in _TOKEN.finditer(text)]
    tokens = [span[2].lower() for span in spans]
    position = 0
    while position < len(tokens):
        found, width = None, 1
        starts = phrases.get(tokens[position])
        follows = tokens[position + 1][:2] if starts and position + 1 < len(tokens) else None
        for parts, cased, entry in starts.get(follows, ()) if follows else ():
            if found and len(parts) < width:
                break  # longest first: what follows is shorter
            heard = tokens[position : position + len(parts)]
            enclitic = heard[-1][len(parts[-1]) :]
            if len(heard) < len(parts) or heard[:-1] != parts[:-1] or not heard[-1].startswith(parts[-1]):
                continue
            if (enclitic and not _ONLY_ENCLITIC.fullmatch(enclitic)) or (cased and text[spans[position][0]] != cased[0]):
                continue
            better = found is None or (not enclitic, entry.weight) > (not found[1], found[0].weight)
            if better and _holds(entry.rule, tokens, position, position + len(parts) - 1):
                found, width = (entry, enclitic), len(parts)
        if found is None:
            for entry, enclitic in _entries(spans[position][2]):
                if (found is None or entry.weight > found[0].weight) and (not entry.rule or _holds(entry.rule, tokens, position, position)):
                    found = (entry, enclitic)
        if found:
            yield spans[position][0], spans[position + width - 1][1], *found
        position += width


@lru_cache(1)
def _detector():
    """lingua with three languages: loading takes 0.4 s and 80 MB (its low-accuracy mode: 9 MB, but 72% instead of 86% right)."""
    from lingua import Language, LanguageDetectorBuilder

    languages = (Language.MALAY, Language.INDONESIAN, Language.ENGLISH)
    return LanguageDetectorBuilder.from_languages(*languages).build(), Language


def lingua_opinion(text):
    """lingua's P(Malay) against P(Indonesian), 0–1, or None where it finds no letters. Raises ImportError without lingua."""
    detector, language = _detector()
    values = {value.language: value.value for value in detector.compute_language_confidence_values(text)}
    malay, indonesian = values[language.MALAY], values[language.INDONESIAN]
    return malay / (malay + indonesian) if malay + indonesian else None


@lru_cache(1)
def _lingua_installed():
    from importlib.util import find_spec

    return find_spec("lingua") is not None


def _evidence(matches):
    """Σ Malaysian − Σ Indonesian weights; each row of the lexicon counts once a side, with its heaviest word."""
    heaviest = {}
    for _, _, entry, _ in matches:
        key = entry.row, entry.side
        heaviest[key] = max(heaviest.get(key, 0.0), entry.weight)
    return sum(weight if side == "ms" else -weight for (_, side), weight in heaviest.items())


def _log_odds(probability):
    probability = min(max(probability, 0.01), 0.99)  # lingua says 0 or 1 of long texts; no single witness may be that sure
    return math.log(probability / (1 - probability))


def purity(text, second_opinion=None):
    """How Malaysian `text` is, against Indonesian: a `Purity` with a score of 0–1 and the words that caused it.

    `second_opinion`: True asks lingua too (ImportError where it is missing), False asks the lexicon only, None (default) asks
    lingua where it is installed. On a text in another language the score means nothing. Raises ValueError for what is no string.
    """
    if not isinstance(text, str):
        raise ValueError(f"purity needs a string, not {type(text).__name__}: give it one text, and loop over many.")
    matches = [match for match in _matches(text) if match[2].weight]
    evidence = _evidence(matches)
    opinion = None
    if second_opinion or (second_opinion is None and _lingua_installed()):
        opinion = lingua_opinion(text)
    logit = LEXICON_ALONE * evidence if opinion is None else LEXICON * evidence + LINGUA * _log_odds(opinion) + LINGUA_BIAS
    score = 1 / (1 + math.exp(-min(max(logit, -30), 30)))
    causes = [
        Cause(start, end, text[start:end], entry.side, entry.others[0] if entry.others else "", entry.weight, entry.kind)
        for start, end, entry, _ in matches
    ]
    return Purity(score, causes, opinion)


def suggest(text, least=1.0):
    """The Indonesian words of `text` with what a Malaysian would write: a list of {start, end, text, malaysian, gloss}.

    `least` is the smallest weight that is worth a remark. A particle such as -nya goes over to the suggestion; other affixes do not.
    """
    rows = contrasts()
    return [
        {
            "start": start,
            "end": end,
            "text": text[start:end],
            "malaysian": [other + enclitic for other in entry.others],
            "gloss": rows[entry.row]["gloss"],
        }
        for start, end, entry, enclitic in _matches(text)
        if entry.side == "id" and entry.weight >= least and entry.others and not entry.others[0].startswith("-")
    ]


def contrast_table(kind=None):
    """The lexicon as rows for a table: kind, malaysian, indonesian, meaning, weight, context; sorted by kind, strongest first."""
    table = [
        {
            "kind": row["kind"],
            "malaysian": ", ".join(row["ms"]),
            "indonesian": ", ".join(row["id"]),
            "meaning": row["gloss"],
            "weight": row["weight"],
            "context": json.dumps(row["context"], ensure_ascii=False) if "context" in row else "",
        }
        for row in contrasts()
        if kind in (None, row["kind"])
    ]
    if not table:
        raise ValueError(f"No contrasts of kind {kind!r}: choose from {', '.join(sorted({row['kind'] for row in contrasts()}))}.")
    return sorted(table, key=lambda row: (row["kind"], -row["weight"], row["malaysian"]))


def read_labelled(path):
    """Rows {"id", "text", "label"} of a JSONL file, labels "ms" (Malaysian) or "id" (Indonesian). Raises ValueError for any other."""
    with Path(path).open(encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines if line.strip()]
    if wrong := sorted({str(row.get("label")) for row in rows} - {"ms", "id"}):
        raise ValueError(f"{path}: labels must be “ms” or “id”, not {', '.join(wrong)}: mend the file and try again.")
    return rows


def _fit(features, labels, ridge=3.0, steps=30):
    """Weights of a logistic regression without intercept, by Newton's method; `ridge` keeps them finite where classes part cleanly."""
    import numpy as np

    weights = np.zeros(features.shape[1])
    for _ in range(steps):
        odds = 1 / (1 + np.exp(-features @ weights))
        hessian = (features * (odds * (1 - odds))[:, None]).T @ features + ridge * np.eye(len(weights))
        weights -= np.linalg.solve(hessian, features.T @ (odds - labels) + ridge * weights)
    return weights


def fit(rows, folds=10):
    """Fit the constants of the score to labelled rows: {name: (constants, accuracy cross-validated in `folds`)}; needs lingua."""
    import numpy as np

    evidence = [_evidence([match for match in _matches(row["text"]) if match[2].weight]) for row in rows]
    opinions = [lingua_opinion(row["text"]) for row in rows]
    labels = np.array([row["label"] == "ms" for row in rows], float)
    both = np.column_stack([evidence, [_log_odds(0.5 if one is None else one) for one in opinions], np.ones(len(rows))])
    order = np.random.default_rng(0).permutation(len(rows))
    result = {}
    for name, columns in {"lexicon and lingua": [0, 1, 2], "lexicon alone": [0], "lingua alone": [1, 2]}.items():
        features, right = both[:, columns], 0
        for held_out in np.array_split(order, folds):
            weights = _fit(np.delete(features, held_out, 0), np.delete(labels, held_out))
            logits = features[held_out] @ weights
            right += int((logits * (2 * labels[held_out] - 1) > 0).sum())  # no evidence is no right answer
        result[name] = _fit(features, labels).round(2).tolist(), right / len(rows)
    return result


if __name__ == "__main__":
    import sys

    chosen = [row for row in read_labelled(sys.argv[1]) if row.get("id", "").startswith(tuple(sys.argv[2:] or [""]))]
    for name, (constants, accuracy) in fit(chosen).items():
        print(f"{name}: constants {constants}, accuracy in ten-fold cross-validation {accuracy:.3f}")
