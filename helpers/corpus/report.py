"""What a run of the pipeline did: its report, from the tallies of its parts to a table, and the card of the result.

from helpers.corpus.report import Report
report = Report.load("runs/corpus")
header, rows = report.table()                # a row for each step: in, out, dropped and why
"""

import json
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from helpers.corpus import cards
from helpers.corpus.steps import STEPS, preview

EXAMPLES = 3  # kept for each reason


@dataclass
class Report:
    """What a run did. `steps`: a dict a step with `step`, `in`, `out`, `dropped` (reason → rows), `notes` (what → count), `examples`
    and `seconds`; `files`: rows of each; `problems`: what was not read; `splits`: rows; `peak_bytes`: the process's peak of memory."""

    source: str
    folder: str
    fingerprint: str
    settings: dict
    steps: list = field(default_factory=list)
    files: dict = field(default_factory=dict)
    problems: list = field(default_factory=list)
    problems_in_all: int = 0
    splits: dict = field(default_factory=dict)
    seconds: float = 0.0
    rows_per_second: float = 0.0
    peak_bytes: int = 0
    schema: int = 1

    @classmethod
    def load(cls, folder):
        """The report of a finished run; ValueError where there is none."""
        path = Path(folder) / "report.json"
        try:
            return cls(**json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            raise ValueError(f"{path} is no report of a finished run: run the pipeline first") from None

    def table(self):
        """`(header, rows)`: for each step how many rows came in and went out, and why the others were dropped."""

        def listed(counts):
            return ", ".join(f"{what} {count:,}" for what, count in sorted(counts.items(), key=lambda item: (-item[1], item[0])))

        header = ["step", "in", "out", "dropped", "why", "noted", "seconds"]
        return header, [
            [s["step"], s["in"], s["out"], s["in"] - s["out"], listed(s["dropped"]), listed(s["notes"]), round(s["seconds"], 2)]
            for s in self.steps
        ]


def _empty():
    return {"in": 0, "out": 0, "dropped": {}, "notes": {}, "examples": [], "seconds": 0.0}


class Tally:
    """What the steps did in one part: counts, examples and seconds, as a dict that is kept with the part."""

    def __init__(self, names, personal_data):
        self.steps = {name: _empty() for name in names}
        self.personal_data, self.start = personal_data, time.perf_counter()

    def add(self, name, count, kept, dropped, notes, seconds):
        """Add a batch; returns the lines for `dropped.jsonl`."""
        one, lines = self.steps[name], []
        one["in"] += count
        one["out"] += kept
        one["seconds"] += seconds
        one["notes"] = dict(Counter(one["notes"]) + notes)
        for row, reason, detail in dropped:
            seen = one["dropped"][reason] = one["dropped"].get(reason, 0) + 1
            line = {"id": row["id"], "source": row["source"], "step": name, "reason": reason, "detail": detail}
            lines.append(line | {"text": preview(row["text"], self.personal_data)})
            if seen <= EXAMPLES:
                one["examples"].append(lines[-1])
        return lines

    def through(self, batch, names, work, part):
        """A batch through steps; what they drop goes to the part's list. Returns the rows that stay."""
        for name in names:
            start, count = time.perf_counter(), len(batch)
            batch, dropped, notes = work.do(name, batch)
            part.drop(self.add(name, count, len(batch), dropped, notes, time.perf_counter() - start))
        return batch

    def record(self, **more):
        """The part's record."""
        return more | {"steps": self.steps, "seconds": time.perf_counter() - self.start}


def added_up(parts, seconds):
    """The report's steps: the tallies of parts added up, and seconds (by step) that no part knows of."""
    total = {}
    for part in parts:
        for name, one in part.record["steps"].items():
            into = total.setdefault(name, {"step": name} | _empty())
            for what in ("in", "out", "seconds"):
                into[what] += one[what]
            for what in ("dropped", "notes"):
                into[what] = dict(Counter(into[what]) + Counter(one[what]))
            of_reason = Counter(example["reason"] for example in into["examples"])
            for example in one["examples"]:
                of_reason[example["reason"]] += 1
                if of_reason[example["reason"]] <= EXAMPLES:
                    into["examples"].append(example)
    for name, more in seconds.items():
        total[name]["seconds"] += more
    return [one | {"seconds": round(one["seconds"], 3)} for one in (total[name] for name in ("read", *STEPS) if name in total)]


def card(report, sample, every):
    """The data card of the result as Markdown. sample: rows with `text` and `split`, every so-manieth of the result."""
    notes = {one["step"]: one["notes"] for one in report.steps}
    facts = {
        "source": f"{report.source}: {sum(report.files.values()):,} rows of {len(report.files):,} files",
        "steps": ", ".join(report.settings["steps"]),
        "rows": ", ".join(f"{name} {count:,}" for name, count in report.splits.items()),
        "dropped": "; ".join(f"{one['step']} {one['in'] - one['out']:,}" for one in report.steps if one["in"] > one["out"]) or "nothing",
        "personal data replaced": ", ".join(f"{kind} {count:,}" for kind, count in notes.get("personal", {}).items())
        or ("none found" if "personal" in notes else "not looked for: do not pass this data set on"),
        "licence": _licence(report.settings["licence"]),
        "to ask about": ", ".join(f"{what.removeprefix('ask: ')} ({count:,} rows)" for what, count in notes.get("licence", {}).items())
        or "nothing",
        "known faults": "write them here: who is missing, what is old, what is wrong",
    }
    head = f"# Data card: {report.source}"
    if every > 1:
        facts["measured on"] = f"every {every}th row ({len(sample):,})"
    return cards.markdown(report.source, cards.measure(sample, "text"), facts, head)


def _licence(stated):
    if isinstance(stated, dict):
        return "; ".join(f"{pattern}: {licence or 'unstated'}" for pattern, licence in stated.items())
    return stated or "unstated: ask the owner"
