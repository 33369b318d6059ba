"""Near-duplicates by MinHash: pairs of rows that share most of their pairs of words.

    from helpers.corpus import duplicates
    found, cluster = duplicates.among(["Pejabat tutup pada hari Isnin ini.", "Mesyuarat esok.", "Pejabat tutup pada hari Isnin ini!"])
    found                                    # [Duplicate(row=2, of=0, similarity=1.0)]

Each text becomes the set of its runs of two words; the Jaccard similarity of two sets is what they share divided by what
they hold together. MinHash (Broder 1997) keeps, for each of 150 hash functions, the smallest hash of the set; two texts agree in
each with a probability equal to their similarity. The 150 are put together in 25 bands of six (locality-sensitive hashing): texts
that agree in a whole band are *candidates*, and candidates are compared word by word. So nothing is dropped on an estimate, and of
the pairs at 0.7, 0.75 and 0.8 about 96, 99 and 99.9% become candidates.

Memory: a row is 100 bytes of band hashes, which may stay on disk (100 MB for a million rows); `find` sorts one band at a time and
holds about 20 bytes a row (20 MB for a million) plus the rows that have a duplicate. The signatures are a dozen lines of
NumPy because they were the fastest that were tried on short rows; see `docs/dependencies.md`.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from helpers.corpus import ngrams

BANDS, ROWS, WORDS, SIMILARITY = 25, 6, 2, 0.7
REMEMBERED = 200_000  # pairs that were compared and are not alike
LEADERS = 50  # kept rows of one cluster that a further row is compared with


@dataclass(frozen=True)
class Duplicate:
    """Row `row` resembles the earlier row `of`, which is kept; `similarity` is their true Jaccard similarity, 0–1."""

    row: int
    of: int
    similarity: float


def signatures(texts, words=WORDS):
    """Band hashes of texts: an array of uint32, shape (25 bands, number of texts)."""
    return signatures_of(*ngrams.hashed_words(texts), words)


def signatures_of(hashed, starts, words=WORDS):
    """`signatures` from what `ngrams.hashed_words` gives."""
    runs, row = ngrams.runs_of(hashed, starts, words, whole=True)
    count = len(starts) - 1
    bands = np.empty((BANDS, count), np.uint32)
    if not count:
        return bands
    first = np.searchsorted(row, np.arange(count))
    rng = np.random.default_rng(1997)
    slope = rng.integers(0, 2**63, BANDS * ROWS, np.uint64) * np.uint64(2) + np.uint64(1)
    shift = rng.integers(0, 2**63, BANDS * ROWS, np.uint64)
    hashes = np.empty_like(runs)
    for band in range(BANDS):
        together = np.zeros(count, np.uint64)
        for k in range(band * ROWS, (band + 1) * ROWS):
            np.multiply(runs, slope[k], out=hashes)
            hashes += shift[k]
            together = ngrams.mix((together ^ np.minimum.reduceat(hashes, first)) * slope[k])
        bands[band] = together >> np.uint64(32)
    return bands


def shingles(text, words=WORDS):
    """The set of a text's runs of `words` words; a shorter text is one run."""
    found = ngrams.words(text) or [text]
    return set(zip(*(found[k:] for k in range(words)))) if len(found) >= words else {tuple(found)}


def jaccard(first, second):
    """The Jaccard similarity of two sets, 0–1."""
    shared = len(first & second)
    return shared / (len(first) + len(second) - shared) if shared else 0.0


class Clusters:
    """Union-find over numbers that belong together; the smallest names its cluster."""

    def __init__(self):
        self.parent = {}

    def root(self, row):
        while (up := self.parent.get(row, row)) != row:
            self.parent[row] = row = self.parent.get(up, up)
        return row

    def join(self, first, second):
        first, second = sorted((self.root(first), self.root(second)))
        self.parent[second] = self.parent[first] = first


def candidates(band):
    """Pairs of rows with an equal hash in one band, as an array (pairs, 2): each with the first and with the one before it."""
    order = np.argsort(band, kind="stable")
    same = np.flatnonzero(band[order[1:]] == band[order[:-1]]) + 1
    if not len(same):
        return np.empty((0, 2), np.int64)
    begins = same[np.flatnonzero(np.diff(same, prepend=-1) != 1)] - 1  # where a group of equal hashes begins
    leader = begins[np.searchsorted(begins, same, side="right") - 1]
    pairs = np.concatenate([np.stack([order[leader], order[same]], 1), np.stack([order[same - 1], order[same]], 1)])
    return np.unique(pairs, axis=0)


def find(bands, text_of, similarity=SIMILARITY, words=WORDS):
    """Near-duplicates of rows whose signatures are known.

    Args:
        bands: an iterable of arrays of uint32, one a band, each with a hash for every row (what `signatures` gives).
        text_of: a function from a row's number to its text; called for candidates only.
        similarity: the Jaccard similarity from which a row is a near-duplicate, 0–1.
        words: the length of a run of words.

    Returns `(duplicates, cluster)`: a list of `Duplicate` in order of rows, and a dict from every row that resembles another to
    the first row of its cluster (kept rows included). A row is a duplicate only of a row that is kept.
    """
    if not 0 < similarity <= 1:
        raise ValueError(f"similarity={similarity}: give a share between 0 and 1, for example 0.7")
    shingles_of = lru_cache(4096)(lambda row: shingles(text_of(row), words))
    clusters, unlike = Clusters(), set()
    for band in bands:
        for first, second in candidates(np.asarray(band)).tolist():
            if (first, second) in unlike or clusters.root(first) == clusters.root(second):
                continue
            if jaccard(shingles_of(first), shingles_of(second)) >= similarity:
                clusters.join(first, second)
            else:
                if len(unlike) >= REMEMBERED:
                    unlike.clear()
                unlike.add((first, second))
    cluster = {row: clusters.root(row) for row in sorted(clusters.parent)}
    leaders, found = {}, []
    for row, root in cluster.items():
        kept = leaders.setdefault(root, [])
        alike, of = max(((jaccard(shingles_of(other), shingles_of(row)), -other) for other in kept), default=(0.0, 0))
        if alike >= similarity:
            found.append(Duplicate(row, -of, alike))
        elif len(kept) < LEADERS:
            kept.append(row)
    return found, cluster


def among(texts, similarity=SIMILARITY, words=WORDS):
    """`find` for a list of texts in memory."""
    return find(signatures(texts, words), texts.__getitem__, similarity, words)
