"""Does training text contain what a test asks? Runs of eight words that stand in a test set of the kit.

    from helpers.corpus import contamination
    index = contamination.Index(contamination.kit_tests())
    index.look(["… teks latihan …"])        # [Match(row=0, test="mortgage/written_test_a", item="uji-01", words="saya ingin …")]

Words are compared in lower case without punctuation. A match is found by hash and then checked word by word, and the longest common
run is reported. Runs that more than ten test items share are formulas, not answers, and do not count (so GPT-3's authors did, Brown
et al. 2020, appendix C, with 13 words). A test item of fewer than eight words counts only where it is a whole training text.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from helpers import corpus
from helpers.corpus import formats, ngrams

WORDS, COMMON, LEAST = 8, 10, 4
_WORLDS = Path(__file__).parent.parent / "worlds"  # a higher room: its test files are read as data, by path
# columns that name or describe an item; the others are what a model reads or should answer
LABELS = {
    "id",
    "split",
    "domain",
    "register",
    "task",
    "phenomenon",
    "kind",
    "fault",
    "note",
    "topic",
    "voice",
    "features",
    "source",
    "subject",
    "level",
}


@dataclass(frozen=True)
class Match:
    """Text number `row` has a run of `words` in common with item `item` of the test set `test`."""

    row: int
    test: str
    item: str
    words: str


def pieces(record):
    """The texts of a test item (values of any depth), without its labels: a list of str."""
    if isinstance(record, str):
        return [record]
    if isinstance(record, dict):
        record = [value for name, value in record.items() if str(name).lower() not in LABELS]
    return [piece for value in record for piece in pieces(value)] if isinstance(record, list) else []


def kit_tests():
    """The items of every test set in the kit: `(set, item, text)`.

    These are the test splits of the built-in sets, the built-in sets without splits, which are for measuring only, and the
    files with “test” in their name in the worlds' data.
    """
    for name in corpus.names():
        for number, row in enumerate(corpus.builtin(name)):
            if row.get("split", "test") == "test":
                yield from ((name, str(row.get("id", number)), text) for text in pieces(row))
    for path in sorted(_WORLDS.glob("*/data/*test*.jsonl")):
        yield from file_tests(path, f"{path.parent.parent.name}/{path.stem}")


def file_tests(path, name=None):
    """The items of a test set in a file (JSONL, JSON or CSV), such as MalayMMLU's: `(set, item, text)`.

    Raises ValueError where the file is not there or nothing in it can be read.
    """
    path, found = Path(path).expanduser(), 0
    if not path.is_file() or path.suffix.lower() not in formats.READERS or path.suffix.lower() in formats.DOCUMENTS:
        raise ValueError(f"{path} is no test set: give a JSONL, JSON or CSV file")
    problems = formats.Problems()
    for place, row in formats.READERS[path.suffix.lower()](path, path.name, problems, False):
        for text in pieces(row):
            found += 1
            yield name or path.stem, str(row.get("id", place)) if isinstance(row, dict) else str(place), text
    if not found:
        raise ValueError(f"{path} holds no test items ({problems[0] if problems else 'it is empty'}): give a JSONL, JSON or CSV file")


class Index:
    """The runs of words of test sets: 12 bytes a run, and the items' words to check against."""

    def __init__(self, items, words=WORDS, common=COMMON):
        """items: `(set, item, text)`; words: the length of a run; common: a run in more items than this is a formula."""
        if words < 2:
            raise ValueError(f"words={words}: give the length of a run of words, for example 8 or 13")
        self.words, self.items, self._whole = words, [], {}
        for test, item, text in items:
            found = ngrams.words(text)
            if len(found) >= words:
                self.items.append((test, item, found))
            elif len(found) >= LEAST:
                self._whole.setdefault(" ".join(found), (test, item))
        runs, owner = ngrams.runs([" ".join(found) for *_, found in self.items], words)
        pairs = np.unique(np.stack([runs, owner.astype(np.uint64)], 1), axis=0) if len(runs) else np.empty((0, 2), np.uint64)
        _, inverse, counts = np.unique(pairs[:, 0], return_inverse=True, return_counts=True)
        self.formulas = int((counts > common).sum())
        pairs = pairs[counts[inverse] <= common] if len(pairs) else pairs
        self._runs, self._owner = pairs[:, 0].copy(), pairs[:, 1].astype(np.int32)

    @property
    def tests(self):
        """The names of the sets that are looked for, sorted."""
        return sorted({test for test, *_ in [*self.items, *self._whole.values()]})

    def fingerprint(self):
        """A hash of what is looked for: equal for equal test sets and settings."""
        digest = hashlib.sha256(f"{self.words} {sorted(self._whole)}".encode())
        digest.update(self._runs.tobytes())
        return digest.hexdigest()[:16]

    def look(self, texts, hashed=None):
        """The texts that hold a run of a test item, as a list of `Match` in order of rows, one a text: its longest run.

        hashed: what `ngrams.hashed_words(texts)` gave, where it is known already.
        """
        hashed = hashed or ngrams.hashed_words(texts)
        runs, row = ngrams.runs_of(*hashed, self.words)
        at = np.searchsorted(self._runs, runs)
        hits = np.flatnonzero(self._runs[np.minimum(at, len(self._runs) - 1)] == runs) if len(self._runs) else []
        owners = {}
        for hit in hits:
            last = int(np.searchsorted(self._runs, runs[hit], side="right"))
            owners.setdefault(int(row[hit]), set()).update(self._owner[at[hit] : last].tolist())
        found = []
        for number, items in owners.items():
            best = max(
                (
                    (len(run.split()), -item, run)
                    for item in items
                    if (run := ngrams.shared_run(texts[number], self.items[item][2], self.words))
                ),
                default=None,
            )
            if best:
                found.append(Match(number, *self.items[-best[1]][:2], best[2]))
        if self._whole:
            for number in np.flatnonzero(np.diff(hashed[1]) < self.words).tolist():
                whole = " ".join(ngrams.words(texts[number]))
                if whole in self._whole:
                    found.append(Match(number, *self._whole[whole], whole))
        return sorted(found, key=lambda match: match.row)
