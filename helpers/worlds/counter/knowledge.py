"""The counter's dated knowledge base, and BM25 search over it.

    load()[0]["id"]                                   # KBS-001
    search("brape kompaun parking", load())           # up to three passages, best first

Passages and queries go through the same steps: short forms to standard words, a few bazaar and English words to their
Malay fellows, affixes off (`helpers.malay.affixes`), function words away. The ranking is BM25 (Robertson and Zaragoza,
2009) as `bm25s` has it.
"""

import functools
import json
import re
import tomllib
from pathlib import Path

PASSAGES = 3
FLOOR = 1.3  # BM25 score below which a passage shares no more than a common word with the query
_WORDS = tomllib.loads((Path(__file__).parent / "data" / "words.toml").read_text(encoding="utf-8"))
_STOP, _SAME = frozenset(_WORDS["stop"].split()), _WORDS["same"]


@functools.cache
def load():
    """The start of the knowledge base as a tuple of dictionaries: id, agency, title, text, answer, date, expires (ISO, or None)."""
    lines = (Path(__file__).parent / "data" / "knowledge.jsonl").read_text(encoding="utf-8").splitlines()
    return tuple(json.loads(line) for line in lines)


@functools.lru_cache(maxsize=4096)
def _root(word):
    from helpers.malay import affixes

    reading = affixes.analyse(word)[0]
    return reading.root if reading.known else word


def words(text):
    """The search terms of a text, in order: roots in lower case, without function words."""
    from helpers.malay import shortforms

    found = []
    for word in re.findall(r"[a-z0-9]+", shortforms.normalise(text).text.lower()):
        if word not in _STOP:
            root = _SAME.get(word) or _SAME.get(_root(word)) or _root(word)
            found += [w for w in root.split() if w not in _STOP]
    return found


@functools.lru_cache(maxsize=8)
def _index(texts):
    import bm25s

    index = bm25s.BM25()
    index.index([words(text) for text in texts], show_progress=False)
    return index


def search(query, passages):
    """The passages (at most `PASSAGES`) nearest to a query, best first; those that share too little with it are left out."""
    index = _index(tuple(f"{p['title']}. {p['title']}. {p['text']} {p['agency']}" for p in passages))
    terms = [word for word in words(query) if word in index.vocab_dict]
    if not terms:
        return []
    found, scores = index.retrieve([terms], k=min(PASSAGES, len(passages)), show_progress=False)
    return [passages[i] for i, score in zip(found[0], scores[0]) if score >= FLOOR]
