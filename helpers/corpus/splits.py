"""Train, dev and test without leakage: what belongs together stays together, and a check proves it.

    from helpers.corpus import splits
    parts, moved = splits.split(rows, group="penulis")     # {"train": […], "dev": […], "test": […]}
    splits.check(parts, group="penulis").ok                # True: no group and no run of eight words is in two parts

A row's group is the value of a column (an author, a case), else its document, else the row itself. Groups of near-duplicates are joined.
A hash of the group and a seed chooses the part, so a group keeps its part when other rows come and go. Then every group of dev or test that
shares a run of eight words with another part moves, to test or to train, until none does. Runs in more than ten rows are formulas
(“dengan segala hormatnya merujuk perkara di atas”) and may be everywhere; both functions name them.
"""

import hashlib
from collections import Counter, defaultdict
from dataclasses import dataclass, field

import numpy as np

from helpers.corpus import duplicates, ngrams
from helpers.corpus.formats import DOCUMENTS

NAMES = ("train", "dev", "test")
TRAIN, DEV, TEST = range(3)
WORDS, COMMON = 8, 10


def group_of(row, group=None):
    """The name of a row's group: its column `group` (or in its `meta`), else its document, else its own id.

    Pages and paragraphs of one text file or PDF are one document; rows of a table are documents of their own. An empty value of
    the column groups nothing.
    """
    if group == "row":
        return f"row {row['id']}"
    if group is not None:
        value = row.get(group, row.get("meta", {}).get(group))
        if value not in (None, ""):
            return f"{group}={value}"
    source = row.get("source", "")
    return source if str(source).lower().endswith(DOCUMENTS) else f"row {row['id']}"


def number_of(group):
    """A group's name as a number: 64 bits, the same everywhere."""
    return int.from_bytes(hashlib.blake2b(group.encode("utf-8", "replace"), digest_size=8).digest(), "little")


def joined(groups, clusters):
    """Groups after joining those that a cluster of near-duplicates connects.

    groups: array of uint64, one a row. clusters: a dict from rows to the first row of their cluster. Returns a new array.
    """
    union = duplicates.Clusters()
    for row, first in clusters.items():
        if groups[row] != groups[first]:
            union.join(int(groups[row]), int(groups[first]))
    if not union.parent:
        return groups.copy()
    old = np.array(sorted(union.parent), np.uint64)
    new = np.array([union.root(int(group)) for group in old], np.uint64)
    at = np.minimum(np.searchsorted(old, groups), len(old) - 1)
    return np.where(old[at] == groups, new[at], groups)


def assign(groups, shares=(0.9, 0.05, 0.05), seed=0):
    """The part of every row: an array of uint8 (0 train, 1 dev, 2 test).

    groups: array of uint64, one a row; shares: of train, dev and test, adding up to 1. A test share of a group's numbers goes to
    test, whatever else there is.
    """
    if len(shares) != 3 or min(shares) < 0 or abs(sum(shares) - 1) > 1e-6:
        raise ValueError(f"shares={shares}: give three shares of train, dev and test that add up to 1, for example (0.9, 0.05, 0.05)")
    # a seed of its own kind of hash, so that groups close in number are far apart in place
    place = ngrams.mix(ngrams.mix(groups ^ np.uint64(number_of(f"seed {seed}")))) / 2.0**64
    return np.where(place < shares[2], TEST, np.where(place < shares[2] + shares[1], DEV, TRAIN)).astype(np.uint8)


def without_leaks(parts, groups, runs, common=COMMON):
    """Move groups that share a run of words with another part until none does.

    Args:
        parts: array of uint8 from `assign`.
        groups: array of uint64, one a row.
        runs: a function without arguments that yields `(hashes, rows)` in batches, as `ngrams.runs` gives; called twice.
        common: a run in more rows than this is a formula.

    Returns `(parts, report)`: the new array, and `{"moved": rows moved, "formulas": runs that are formulas}`. Memory: 20 bytes
    for every run of dev and test.
    """
    parts, start = parts.copy(), parts
    held = [(hashes[parts[rows] != TRAIN], rows[parts[rows] != TRAIN]) for hashes, rows in runs()]
    hashes, rows = (
        np.concatenate([pair[k] for pair in held]) if held else np.zeros(0, kind) for k, kind in ((0, np.uint64), (1, np.int64))
    )
    known, run = np.unique(hashes, return_inverse=True)
    if not len(known):
        return parts, {"moved": 0, "formulas": 0}
    in_train, count = np.zeros(len(known), bool), np.zeros(len(known), np.int64)
    for hashes, where in runs():
        at = np.minimum(np.searchsorted(known, hashes), len(known) - 1)
        hit = known[at] == hashes
        pairs = np.unique(np.stack([at[hit], where[hit]], 1), axis=0)  # a run counts once a row
        np.add.at(count, pairs[:, 0], 1)
        in_train[pairs[parts[pairs[:, 1]] == TRAIN, 0]] = True
    telling = count <= common
    while True:
        by_part = [np.bincount(run[parts[rows] == part], minlength=len(known)) > 0 for part in (TRAIN, DEV, TEST)]
        trained = in_train | by_part[TRAIN]
        to_train = telling[run] & trained[run] & (parts[rows] != TRAIN)
        to_test = telling[run] & (by_part[DEV] & by_part[TEST])[run] & (parts[rows] == DEV)
        if not to_train.any() and not to_test.any():
            break
        # a whole group moves; to train where both call
        parts[np.isin(groups, groups[rows[to_test]]) & (parts == DEV)] = TEST
        parts[np.isin(groups, groups[rows[to_train]])] = TRAIN
    return parts, {"moved": int((parts != start).sum()), "formulas": int((~telling).sum())}


def parts_of(rows, group=None, shares=(0.9, 0.05, 0.05), seed=0, words=WORDS, common=COMMON):
    """The part of every row of a list: `(array of uint8, report)`; see the module for how."""
    texts = [row["text"] for row in rows]
    groups = np.array([number_of(group_of(row, group)) for row in rows], np.uint64)
    groups = joined(groups, duplicates.among(texts)[1])
    return without_leaks(assign(groups, shares, seed), groups, lambda: [ngrams.runs(texts, words)], common)


def split(rows, group=None, shares=(0.9, 0.05, 0.05), seed=0, words=WORDS, common=COMMON):
    """Split rows in memory. Returns `({"train": rows, "dev": rows, "test": rows}, report)`."""
    parts, report = parts_of(rows, group, shares, seed, words, common)
    return {name: [row for row, part in zip(rows, parts) if part == number] for number, name in enumerate(NAMES)}, report


@dataclass
class Check:
    """What crosses from one part to another: groups, runs of words as text, and formulas, which are allowed."""

    groups: list = field(default_factory=list)
    runs: list = field(default_factory=list)
    formulas: list = field(default_factory=list)

    @property
    def ok(self):
        """Whether nothing crosses but formulas."""
        return not self.groups and not self.runs


def check(parts, group=None, words=WORDS, common=COMMON):
    """Prove that no group and no run of words stands in two parts, by comparing the words themselves.

    parts: a dict from "train", "dev" and "test" to iterables of rows; train is streamed, the others' runs are held in memory.
    Returns a `Check`.
    """
    place, groups, rows_with = defaultdict(set), defaultdict(set), Counter()

    def runs_in(row):
        found = ngrams.words(row["text"])
        return {" ".join(found[k : k + words]) for k in range(len(found) - words + 1)}

    for name in ("test", "dev"):
        for row in parts.get(name, ()):
            groups[row.get("group") or group_of(row, group)].add(name)
            for run in runs_in(row):
                place[run].add(name)
                rows_with[run] += 1
    for row in parts.get("train", ()):
        name = row.get("group") or group_of(row, group)
        if name in groups:
            groups[name].add("train")
        for run in place.keys() & runs_in(row):
            place[run].add("train")
            rows_with[run] += 1
    crossing = sorted(run for run, where in place.items() if len(where) > 1)
    return Check(
        sorted(name for name, where in groups.items() if len(where) > 1),
        [run for run in crossing if rows_with[run] <= common],
        [run for run in crossing if rows_with[run] > common],
    )
