"""One scoreboard for the whole course: rows are metrics, columns are stages; a JSON file that runs can compare.

    scoreboard.record(path, "base", {"fields": share, "minutes": 3.4})
    print(scoreboard.as_text(scoreboard.load(path)))
    scoreboard.compare([run_a / "scoreboard.json", run_b / "scoreboard.json"], "bits_per_byte")

The file is described by `scoreboard.schema.json` beside this module. `tests` keeps digests of the test sets, so that scores
on different questions are never compared in silence.
"""

import hashlib
import json
import os
from functools import lru_cache
from pathlib import Path

SCHEMA = 2


@lru_cache
def test_digests():
    """Name → the first 12 digits of the sha256 of every test set that comes with the kit."""
    room = Path(__file__).parents[1]
    sets = {path.stem: path for path in (room / "corpus" / "data").glob("*.jsonl")}
    sets |= {path.stem: path for path in (room / "worlds" / "mortgage" / "data").glob("written_test_*.jsonl")}
    sets |= {path.parts[-3]: path for path in (room / "worlds").glob("*/data/test.jsonl")}
    return {name: hashlib.sha256(path.read_bytes()).hexdigest()[:12] for name, path in sorted(sets.items())}


def load(path):
    """The scoreboard of a file, or an empty one."""
    path = Path(path)
    if not path.exists():
        return {"schema": SCHEMA, "profile": None, "tests": test_digests(), "columns": {}}
    board = json.loads(path.read_text(encoding="utf-8"))
    if board.get("schema") != SCHEMA:
        raise ValueError(
            f"{path.name} has schema {board.get('schema')}, this kit reads {SCHEMA}: use the kit that wrote it, or move the file away"
        )
    return board


def record(path, column, scores, profile=None):
    """Write a column's scores (name → `Share`, `Mean`, number or text) and save the file atomically. Returns the board."""
    board = load(path)
    if board["tests"] != test_digests():
        raise ValueError(f"{Path(path).name} was made with other test sets: start a new run, or its columns could not be compared")
    board["profile"] = profile or board["profile"]
    values = {name: score.as_dict() if hasattr(score, "as_dict") else {"value": score} for name, score in scores.items()}
    board["columns"].setdefault(column, {}).update(values)
    partial = Path(path).with_suffix(f".{os.getpid()}.part")
    partial.write_text(json.dumps(board, indent=1, ensure_ascii=False), encoding="utf-8")
    os.replace(partial, path)
    return board


def cell(score):
    """A score as a reader sees it."""
    if score is None or score["value"] is None:
        return "–"
    value = score["value"]
    if "n" not in score:
        return f"{value:g}" if isinstance(value, (int, float)) else str(value)
    if score.get("unit", "share") == "share":
        return f"{100 * value:.1f}%  ({100 * score['low']:.0f}–{100 * score['high']:.0f})"
    return f"{value:.3g}  ({score['low']:.3g}–{score['high']:.3g})"


def floor(score):
    """The floor of a score as a reader sees it, or a dash."""
    if score is None or score.get("floor") is None:
        return "–"
    return f"{100 * score['floor']:.0f}%" if score.get("unit", "share") == "share" else f"{score['floor']:.3g}"


def metrics_of(board):
    """All metrics of a board, in the order in which they came."""
    return list(dict.fromkeys(m for scores in board["columns"].values() for m in scores))


def rows(board, metrics=None, floors=False):
    """The board as `(header, rows)` for a table; `metrics` chooses and orders the rows, `floors` adds n and the floor."""
    columns = board["columns"]
    header, body = ["", *columns], []
    for metric in metrics or metrics_of(board):
        first = next((s[metric] for s in columns.values() if metric in s), None)
        line = [metric, *(cell(scores.get(metric)) for scores in columns.values())]
        body.append([*line, floor(first), first.get("n", "–") if first else "–"] if floors else line)
    return [*header, "floor", "n"] if floors else header, body


def as_text(board, metrics=None):
    """The board as aligned text for a terminal."""
    header, body = rows(board, metrics)
    widths = [max(len(str(line[i])) for line in [header, *body]) for i in range(len(header))]
    return "\n".join("  ".join(str(c).ljust(w) for c, w in zip(line, widths)).rstrip() for line in [header, *body])


def compare(paths, metric):
    """One metric over several runs: `[(run, column, score)]`. ValueError when the runs were measured on different test sets."""
    boards = {Path(path).parent.name: load(path) for path in paths}
    tests = {json.dumps(board["tests"], sort_keys=True) for board in boards.values()}
    if len(tests) > 1:
        raise ValueError("these runs were measured on different test sets: run the older one again with this version of the kit")
    return [
        (run, column, scores[metric]) for run, board in boards.items() for column, scores in board["columns"].items() if metric in scores
    ]
