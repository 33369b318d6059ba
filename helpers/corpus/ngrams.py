"""Words and runs of words as numbers: what near-duplicates, contamination and splits are found with.

    from helpers.corpus import ngrams
    ngrams.words("Kanak-kanak itu, katanya, pulang.")        # ['kanak', 'kanak', 'itu', 'katanya', 'pulang']
    runs, row = ngrams.runs(["Saya pergi ke pasar pagi tadi."], n=3)   # one uint64 for each run of three words, and its row

A word is hashed once (BLAKE2b, 8 bytes) and then looked up; a run's hash is made from its words' by NumPy for a whole
batch of texts at once. The hashes are the same in every process and on every computer, so files of them can be kept.
"""

import hashlib
import re

import numpy as np

_WORD = re.compile(r"\w+")
# odd constants without a pattern: the digits of pi after the point
_MIX = np.uint64(0x9E3779B97F4A7C15)


class _Hashes(dict):
    """Word → 64-bit hash, filled as words come; emptied when it has grown large, so that memory stays bounded."""

    LIMIT = 200_000

    def __missing__(self, word):
        if len(self) >= self.LIMIT:
            self.clear()
        self[word] = value = int.from_bytes(hashlib.blake2b(word.encode("utf-8", "replace"), digest_size=8).digest(), "little")
        return value


_hashes = _Hashes()


def words(text):
    """The words of a text in lower case, without punctuation: a list of str."""
    return _WORD.findall(text.lower())


def hashed_words(texts):
    """The words of many texts as one array of uint64, and where each text begins in it (int64, one more than there are texts).

    A text without words (“!!”) counts as one word, itself, so that every text has a hash.
    """
    values, starts = [], np.zeros(len(texts) + 1, np.int64)
    for row, text in enumerate(texts, 1):
        values += map(_hashes.__getitem__, words(text) or [text])
        starts[row] = len(values)
    return np.array(values, np.uint64), starts


def _multipliers(n):
    return np.random.default_rng(20_26).integers(1, 2**63, n, np.uint64) * np.uint64(2) + np.uint64(1)


def mix(values):
    """Spread the bits of uint64 values evenly (the finaliser of SplitMix64), in place. Returns them."""
    values ^= values >> np.uint64(30)
    values *= _MIX
    values ^= values >> np.uint64(27)
    return values


def runs_of(hashed, starts, n, whole=False):
    """The hash of every run of `n` words inside each text: `(hashes uint64, row int64)`, in order of rows.

    whole: a text of fewer than `n` words counts as one run (of all its words; its length goes into the hash); otherwise
    it has none.
    """
    lengths, factors = np.diff(starts), _multipliers(n)
    counts = np.maximum(lengths - n + 1, 0)
    rows = np.repeat(np.arange(len(lengths)), counts)
    # where each run begins: its text's start, plus 0, 1, 2 …
    first = np.arange(len(rows)) + np.repeat(starts[:-1] - np.cumsum(counts) + counts, counts)
    total = np.zeros(len(rows), np.uint64)
    for k in range(n):
        total += hashed[first + k] * factors[k]
    short = np.flatnonzero(lengths < n) if whole else ()
    if len(short):
        extra = [int((hashed[starts[i] : starts[i + 1]] * factors[: lengths[i]]).sum(dtype=np.uint64)) ^ int(lengths[i]) for i in short]
        total, rows = np.concatenate([total, np.array(extra, np.uint64)]), np.concatenate([rows, short])
        order = np.argsort(rows, kind="stable")
        total, rows = total[order], rows[order]
    return mix(total), rows


def runs(texts, n, whole=False):
    """`runs_of` for texts: the hash of every run of `n` words and the text it is in."""
    return runs_of(*hashed_words(texts), n, whole)


def shared_run(text, other_words, n):
    """The first longest run of at least `n` words that `text` shares with a list of words, as text; "" where there is none."""
    mine, places, best = words(text), {}, (0, 0)
    for k in range(len(other_words) - n + 1):
        places.setdefault(tuple(other_words[k : k + n]), []).append(k)
    for start in range(len(mine) - n + 1):
        for k in places.get(tuple(mine[start : start + n]), ()):
            length = n
            while start + length < len(mine) and k + length < len(other_words) and mine[start + length] == other_words[k + length]:
                length += 1
            best = max(best, (length, -start))
    length, start = best[0], -best[1]
    return " ".join(mine[start : start + length])
