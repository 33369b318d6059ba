"""Scores with intervals and floors.

from helpers import evaluation
score = evaluation.score_readings(rows, readings)
score["fields"]          # Share(right=331, n=360, low=0.88, high=0.95)
"""

import math
import random
from dataclasses import asdict, dataclass

from helpers.worlds.mortgage import gold_recommendation, invent_documents
from helpers.worlds.mortgage.fields import FIELDS, is_right


@dataclass(frozen=True)
class Share:
    """A share of things that are right: `right` of `n`, with a 95% interval from `low` to `high` (0–1)."""

    right: int
    n: int
    low: float
    high: float
    method: str = "Wilson"

    @property
    def value(self):
        return self.right / self.n if self.n else math.nan

    def __str__(self):
        return f"{100 * self.value:.1f}% ({self.right}/{self.n}; 95% {100 * self.low:.0f}–{100 * self.high:.0f})"

    def as_dict(self):
        return {"value": round(self.value, 4) if self.n else None, **asdict(self), "low": round(self.low, 4), "high": round(self.high, 4)}


def wilson(right, n, z=1.96):
    """A share with the Wilson score interval (Wilson 1927), for things that are independent of each other."""
    if n == 0:
        return Share(0, 0, 0.0, 1.0)
    p, z2 = right / n, z * z
    middle, half = (p + z2 / (2 * n)) / (1 + z2 / n), z * math.sqrt(p * (1 - p) / n + z2 / (4 * n * n)) / (1 + z2 / n)
    return Share(right, n, max(0.0, middle - half), min(1.0, middle + half))


def bootstrap(groups, rounds=2000, seed=0):
    """A share whose parts come in groups, such as the nine fields of a letter, with a bootstrap interval over groups.

    Fields of one letter stand and fall together, so letters are drawn again, not fields (Efron 1979).
    `groups`: list of `(right, n)`.
    """
    groups = [(r, k) for r, k in groups if k]
    rng, right, n = random.Random(seed), sum(r for r, _ in groups), sum(k for _, k in groups)
    if not groups:
        return Share(0, 0, 0.0, 1.0, "bootstrap over letters")
    shares = []
    for _ in range(rounds):
        drawn = rng.choices(groups, k=len(groups))
        shares.append(sum(r for r, _ in drawn) / sum(k for _, k in drawn))
    shares.sort()
    return Share(right, n, shares[int(0.025 * rounds)], shares[int(0.975 * rounds)], "bootstrap over letters")


def read_all(rows, reader, progress=True, desc="letters"):
    """Let a reader read every row; a list of `Reading`, with a progress bar."""
    from tqdm.auto import tqdm

    return [reader.read(row["letter"]) for row in tqdm(rows, desc=desc, disable=not progress)]


def field_marks(rows, readings):
    """Row by row, field name → right or wrong."""
    return [
        {f.name: is_right(f, reading.fields[f.name], row["answers"][f.name]) for f in FIELDS}
        for row, reading in zip(rows, readings, strict=True)
    ]


def score_readings(rows, readings):
    """Scores of readings against annotated rows: all fields together, each field, and whole letters.

    Returns a dictionary of `Share`: `fields` (bootstrap over letters), `letters` (all nine right), and `field:<name>`.
    """
    marks = field_marks(rows, readings)
    scores = {
        "fields": bootstrap([(sum(m.values()), len(m)) for m in marks]),
        "letters": wilson(sum(all(m.values()) for m in marks), len(marks)),
    }
    return scores | {f"field:{f.name}": wilson(sum(m[f.name] for m in marks), len(marks)) for f in FIELDS}


def score_desk(rows, readings, confidences=None):
    """Whether the desk recommends what the policy recommends on the annotated facts.

    Returns `recommendation` (`Share`), `wrongful_approvals` (`lulus` where `tolak` is right) and `table`: the counts
    `{(right answer, given answer): n}`.
    """
    from helpers.agents import desk as mortgage_desk
    from helpers.worlds.mortgage import MortgageDesk

    counts = {}
    for row, reading in zip(rows, readings, strict=True):
        documents, desk = invent_documents(row), MortgageDesk()
        desk.receive(row["id"], row["letter"], documents)
        case = mortgage_desk.handle(desk, row["id"], _Given(reading))
        desk.close()
        pair = (gold_recommendation(row, documents), case["recommendation"])
        counts[pair] = counts.get(pair, 0) + 1
    right = sum(n for (gold, given), n in counts.items() if gold == given)
    return {"recommendation": wilson(right, len(rows)), "wrongful_approvals": counts.get(("tolak", "lulus"), 0), "table": counts}


class _Given:
    """A reader that hands over a reading made before."""

    def __init__(self, reading):
        self.reading = reading

    def read(self, letter):
        return self.reading


def calibration(rows, readings, bins=5):
    """How sure a reader is against how often it is right: `[(mean confidence, share right, n)]` and the ECE.

    ECE: the mean distance of the two, weighted by n (Naeini and others 2015).
    """
    marks = field_marks(rows, readings)
    points = sorted((reading.confidence.get(name, 0.0), right) for reading, mark in zip(readings, marks) for name, right in mark.items())
    groups = [points[i * len(points) // bins : (i + 1) * len(points) // bins] for i in range(bins)]
    table = [(sum(c for c, _ in g) / len(g), sum(r for _, r in g) / len(g), len(g)) for g in groups if g]
    return table, sum(abs(c - r) * n for c, r, n in table) / max(1, len(points))
