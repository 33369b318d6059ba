"""Scores of reading letters and of the desk's recommendations: fields right, F1, wrongful approvals, calibration."""

from helpers.evaluation.intervals import Share, bootstrap, calibration_bins, ratio_interval, wilson
from helpers.worlds.mortgage import gold_recommendation, invent_documents
from helpers.worlds.mortgage.fields import FIELDS, is_right


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


def extraction_f1(rows, readings):
    """Precision, recall and F1 over the facts that letters state: `{"precision", "recall", "f1"}` of `Share`, micro-averaged.

    Unlike `fields`, an empty answer to a question that the letter does not answer earns nothing. Intervals: bootstrap
    over letters for F1 (2·right over given plus wanted), Wilson for the two others.
    """
    right, given, wanted = [], [], []
    for row, reading, mark in zip(rows, readings, field_marks(rows, readings), strict=True):
        names = [f.name for f in FIELDS]
        given.append(sum(bool(reading.fields[n]) for n in names))
        wanted.append(sum(bool(row["answers"][n]) for n in names))
        right.append(sum(mark[n] and bool(row["answers"][n]) and bool(reading.fields[n]) for n in names))
    pairs = [(2 * r, g + w) for r, g, w in zip(right, given, wanted) if g + w]
    low, high = ratio_interval(pairs) if pairs else (0.0, 1.0)
    f1 = Share(sum(a for a, _ in pairs), sum(b for _, b in pairs), low, high, "bootstrap over letters", 0.0, 0)
    return {"precision": wilson(sum(right), sum(given)), "recall": wilson(sum(right), sum(wanted)), "f1": f1}


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
    """How sure a reader is against how often it is right, over all fields: `calibration_bins` of its confidences."""
    marks = field_marks(rows, readings)
    points = [(reading.confidence.get(name, 0.0), right) for reading, mark in zip(readings, marks) for name, right in mark.items()]
    return calibration_bins(points, bins)
