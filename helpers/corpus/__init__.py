"""Data sets: the built-in ones with their cards, the hub's, and the learner's own documents made into a training set.

    from helpers import corpus
    corpus.names()                                 # ['diagnostics', 'instructions', 'preferences', 'prose', 'retention' …]
    rows = corpus.builtin("prose", split="train")  # a list of dicts
    print(corpus.card("prose"))

    from helpers.corpus import pipeline
    report = pipeline.run("dokumen_pejabat", "runs/corpus")      # train.jsonl, dev.jsonl, test.jsonl, dropped.jsonl, card.md

| module | does |
|---|---|
| `readers`, `formats` | rows from CSV, JSONL, JSON, text, web pages and PDF, one at a time |
| `clean` | mojibake, HTML, e-mail parts, broken words; texts that are none |
| `language` | Malay, English, another script; Malaysian or Indonesian |
| `duplicates` | near-duplicates by MinHash, checked word by word |
| `personal` | personal data found and replaced by placeholders |
| `licences` | known licences and what each asks |
| `contamination` | runs of words that stand in a test set |
| `splits` | train, dev and test without leakage, and the proof |
| `pipeline`, `steps` | all of it, streaming and resumable; its steps and their settings |
| `journal`, `report` | what a run has done so far; what it did |
| `cards` | what a data set looks like, measured |
| `hub` | the hub's data sets: licence first, then rows |
| `ngrams` | words and runs of words as numbers, for the others |
"""

import json
from pathlib import Path

DATA = Path(__file__).parent / "data"


def names():
    """The names of the built-in data sets, sorted."""
    return sorted(path.stem for path in DATA.glob("*.jsonl"))


def builtin(name, split=None):
    """The rows of a built-in data set as a list of dicts; `split`: only that split's. ValueError where there is none."""
    path = DATA / f"{name}.jsonl"
    if not path.is_file():
        raise ValueError(f"there is no built-in data set {name!r}: choose one of {', '.join(names())}")
    with open(path, encoding="utf-8") as file:
        rows = [json.loads(line) for line in file if line.strip()]
    if split is None:
        return rows
    found = [row for row in rows if row.get("split") == split]
    if not found:
        known = sorted({row["split"] for row in rows if "split" in row})
        raise ValueError(f"{name} has no split {split!r}: choose {', '.join(known)}" if known else f"{name} has no splits: leave split out")
    return found


def card(name):
    """The data card of a built-in set: Markdown."""
    path = DATA / f"{name}.md"
    if not path.is_file():
        raise ValueError(f"there is no card for {name!r}: choose one of {', '.join(n for n in names() if (DATA / f'{n}.md').is_file())}")
    return path.read_text(encoding="utf-8")
