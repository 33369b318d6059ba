"""The cards and the search in them: BM25 over what the cards say and what their witnesses said.

    index(rows).best("hujung barang kosong lepas cuti", "suntikan")     # [("KAD-001", 14.2), …]
    retrieval(cases, search)                                             # {"top3": 0.95, "false_known": 0.03, …}

Operators do not use the cards' words. So short forms are written out (`malay.shortforms`), words are cut to their roots
(`malay.affixes`), and words of one meaning in a workshop (*leak*, *meleleh*, *bocor*) share a token, from `data/words.json`.
BM25 is that of the library bm25s (Lù 2024, arXiv:2407.03618), with Lucene's formula.
"""

import json
import math
import re
from collections import Counter
from functools import cache, lru_cache
from pathlib import Path

DATA = Path(__file__).parent / "data"


@cache
def load_cards():
    """The cards of `data/cards.jsonl`, as a tuple of dictionaries; those without consent too."""
    return tuple(json.loads(line) for line in (DATA / "cards.jsonl").read_text(encoding="utf-8").splitlines())


@cache
def load_interviews():
    """Interview id → its row of `data/interviews.jsonl`."""
    rows = [json.loads(line) for line in (DATA / "interviews.jsonl").read_text(encoding="utf-8").splitlines()]
    return {row["id"]: row for row in rows}


@cache
def _words():
    """(pattern of the phrases, phrase → group, word → groups, words that are not searched) of `data/words.json`."""
    data = json.loads((DATA / "words.json").read_text(encoding="utf-8"))
    phrases, words = {}, {}
    for group, members in data["groups"].items():
        for member in members:
            if " " in member:
                phrases[member] = group
            else:
                words.setdefault(member, []).append(group)
    pattern = re.compile(rf"\b(?:{'|'.join(map(re.escape, sorted(phrases, key=len, reverse=True)))})\b")
    return pattern, phrases, words, frozenset(data["stop"].split())


@lru_cache(maxsize=20_000)
def _root(word):
    from helpers.malay import affixes

    return affixes.analyse(word)[0].root if word.isalpha() and len(word) > 3 else word


@lru_cache(maxsize=4_000)
def tokens(text):
    """The roots of a text and the groups that its words and phrases belong to, as a tuple of strings."""
    from helpers.malay import normalise

    pattern, phrases, words, stop = _words()
    plain, standard = text.lower(), normalise(text).text.lower()
    found = [f"#{phrases[m]}" for m in dict.fromkeys([*pattern.findall(plain), *pattern.findall(standard)])]
    for word in re.findall(r"[a-z]+\d*(?:-\d+)?|\d+", standard):
        root = _root(word)
        groups = words.get(word) or words.get(root) or ()
        found += [f"#{group}" for group in groups]
        if root not in stop and word not in stop:
            found.append(root)
    return tuple(found)


def document(card):
    """What is searched of a card (a row of the table): the symptom weighs most."""
    return "\n".join([card["symptom"], card["symptom"], card["heard"], card["cause"], card["exception"]])


class Index:
    """A BM25 index of `(id, machine, text)` rows."""

    def __init__(self, rows):
        import bm25s

        self.rows = rows
        self._bm25 = bm25s.BM25(method="lucene", k1=1.2, b=0.4)
        self._bm25.index([list(tokens(text)) for _, _, text in rows], show_progress=False)
        self._tokens = {card: set(tokens(text)) for card, _, text in rows}
        self._counts = Counter(token for have in self._tokens.values() for token in have)

    def weight(self, token):
        """How much a token tells cards apart: its inverse document frequency; one that no card has weighs most."""
        count = self._counts[token]
        return math.log(1 + (len(self.rows) - count + 0.5) / (count + 0.5))

    def known_tokens(self, text):
        """The tokens of a text that some card has."""
        return [token for token in dict.fromkeys(tokens(text)) if token in self._counts]

    def coverage(self, words, card):
        """The share, by weight, of the words' tokens that a card has: 0 to 1."""
        wanted = list(dict.fromkeys(tokens(words)))
        total = sum(map(self.weight, wanted))
        return sum(self.weight(token) for token in wanted if token in self._tokens[card]) / total if total else 0.0

    def best(self, words, machine="tidak pasti", count=3):
        """The best `count` cards for some words on a machine, as `(id, score)`, best first; a card without a common word is left out."""
        query = self.known_tokens(words)
        if not query:
            return []
        scores = self._bm25.get_scores(query)
        found = [(card, float(s)) for (card, at, _), s in zip(self.rows, scores) if s > 0 and machine in (at, "tidak pasti")]
        return sorted(found, key=lambda pair: (-pair[1], pair[0]))[:count]


def strength(score):
    """A score in words: `kuat`, `sederhana` or `lemah` (bounds set on the training tasks)."""
    return "kuat" if score >= 7 else "sederhana" if score >= 4 else "lemah"


@lru_cache(maxsize=128)
def index(rows):
    """The index of a tuple of `(id, machine, text)` rows; made once for the same rows."""
    return Index(rows)


def start_index():
    """The index of the cards that may be shown at the start."""
    cards = [c for c in load_cards() if c["consent"] == "setuju" and not c["superseded_by"]]
    heard = {c["id"]: " ".join(c["source"]["quotes"][p] for p in ("gejala", "sebab", "pengecualian")) for c in cards}
    return index(tuple((c["id"], c["machine"], document({**c, "heard": heard[c["id"]]})) for c in cards))


def retrieval(cases, search):
    """How often the right card is among the first three, and how often something is called known that is not.

    `cases`: dictionaries with `words`, `machine` and `card` (None where no card explains it).
    `search(words, machine)`: ids, best first; an empty list says “not known”. Returns shares with their counts; None where
    there is no case of that sort.
    """
    known = [(case["card"], list(search(case["words"], case["machine"]))) for case in cases if case["card"]]
    unknown = [list(search(case["words"], case["machine"])) for case in cases if not case["card"]]

    def share(hits):
        return sum(hits) / len(hits) if hits else None

    return {
        "top1": share([found[:1] == [card] for card, found in known]), "top3": share([card in found[:3] for card, found in known]),
        "known": len(known), "false_known": share([bool(found) for found in unknown]), "unknown": len(unknown),
    }  # fmt: skip
