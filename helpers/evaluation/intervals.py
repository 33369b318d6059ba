"""Scores that carry their uncertainty: what was counted, an interval, the floor, the seed.

    from helpers.evaluation import wilson, bootstrap_mean
    wilson(37, 40, floor=0.25)                     # a share of independent things
    bootstrap_mean([3.1, 2.9, 3.4], unit="bits")   # a mean, resampled over documents

A score without an interval invites stories about noise; a score without a floor may be worth nothing.
"""

import math
import random
from dataclasses import asdict, dataclass, replace


@dataclass(frozen=True)
class Share:
    """A share of things that are right: `right` of `n`, with a 95% interval from `low` to `high` (0–1).

    `floor` is what is reached without understanding (dice, always the same answer), 0–1, where it is known;
    `seed` is what the resampling or sampling was drawn with, None where nothing was drawn.
    """

    right: int
    n: int
    low: float
    high: float
    method: str = "Wilson"
    floor: float | None = None
    seed: int | None = None

    @property
    def value(self):
        return self.right / self.n if self.n else math.nan

    def __str__(self):
        return f"{100 * self.value:.1f}% ({self.right}/{self.n}; 95% {100 * self.low:.0f}–{100 * self.high:.0f})"

    def as_dict(self):
        return _rounded({"value": self.value if self.n else None, "unit": "share", **asdict(self)})


@dataclass(frozen=True)
class Mean:
    """A mean (or ratio of sums) over `n` items with a 95% interval; `unit` says of what."""

    value: float
    n: int
    low: float
    high: float
    unit: str = ""
    method: str = "bootstrap"
    floor: float | None = None
    seed: int | None = 0

    def __str__(self):
        return f"{self.value:.3g} {self.unit} (n = {self.n}; 95% {self.low:.3g}–{self.high:.3g})".replace("  ", " ")

    def as_dict(self):
        return _rounded(asdict(self))


def _rounded(values):
    return {k: round(v, 4) if isinstance(v, float) and math.isfinite(v) else v for k, v in values.items() if v is not None or k == "value"}


def with_floor(score, floor):
    """The same score with its floor."""
    return replace(score, floor=floor)


def wilson(right, n, z=1.96, floor=None):
    """A share with the Wilson score interval (Wilson 1927), for things that are independent of each other."""
    if n == 0:
        return Share(0, 0, 0.0, 1.0, floor=floor)
    p, z2 = right / n, z * z
    middle, half = (p + z2 / (2 * n)) / (1 + z2 / n), z * math.sqrt(p * (1 - p) / n + z2 / (4 * n * n)) / (1 + z2 / n)
    return Share(right, n, max(0.0, middle - half), min(1.0, middle + half), floor=floor)


def bootstrap(groups, rounds=2000, seed=0, floor=None):
    """A share whose parts come in groups, such as the nine fields of a letter, with a bootstrap interval over groups.

    Fields of one letter stand and fall together, so letters are drawn again, not fields (Efron 1979).
    `groups`: list of `(right, n)`.
    """
    groups = [(r, k) for r, k in groups if k]
    if not groups:
        return Share(0, 0, 0.0, 1.0, "bootstrap over groups", floor, seed)
    low, high = ratio_interval(groups, rounds, seed)
    return Share(sum(r for r, _ in groups), sum(k for _, k in groups), low, high, "bootstrap over groups", floor, seed)


def bootstrap_mean(values, unit="", rounds=2000, seed=0, floor=None):
    """The mean of numbers with a bootstrap interval over them."""
    return bootstrap_ratio([(v, 1) for v in values], unit, rounds, seed, floor)


def bootstrap_ratio(pairs, unit="", rounds=2000, seed=0, floor=None):
    """Sum of the first over sum of the second of `(amount, weight)`, such as bits over bytes; resampled over pairs."""
    if not pairs:
        return Mean(math.nan, 0, math.nan, math.nan, unit, "bootstrap", floor, seed)
    low, high = ratio_interval(pairs, rounds, seed)
    return Mean(sum(a for a, _ in pairs) / sum(w for _, w in pairs), len(pairs), low, high, unit, "bootstrap", floor, seed)


def ratio_interval(pairs, rounds=2000, seed=0):
    """The middle 95% of the ratio of sums over resampled pairs."""
    rng = random.Random(seed)
    ratios = []
    for _ in range(rounds):
        drawn = rng.choices(pairs, k=len(pairs))
        ratios.append(sum(a for a, _ in drawn) / sum(w for _, w in drawn))
    ratios.sort()
    return ratios[int(0.025 * rounds)], ratios[min(rounds - 1, int(0.975 * rounds))]


def calibration_bins(points, bins=5):
    """How sure against how often right: `([(mean confidence, share right, n)], ECE)` from `(confidence, right)` pairs.

    Equally filled bins; ECE is the mean distance of the two, weighted by n (Naeini and others 2015).
    """
    points = sorted(points)
    groups = [points[i * len(points) // bins : (i + 1) * len(points) // bins] for i in range(bins)]
    table = [(sum(c for c, _ in g) / len(g), sum(r for _, r in g) / len(g), len(g)) for g in groups if g]
    return table, sum(abs(c - r) * n for c, r, n in table) / max(1, len(points))
