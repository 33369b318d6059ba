"""One scoreboard for the whole course: rows are metrics, columns are stages; a JSON file that runs can compare.

The file: `{"schema": 1, "profile": …, "columns": {column: {metric: {"value", "n", "low", "high", …}}}}`.
"""

import json
import os
from pathlib import Path

SCHEMA = 1


def load(path):
    """The scoreboard of a file, or an empty one."""
    path = Path(path)
    if not path.exists():
        return {"schema": SCHEMA, "profile": None, "columns": {}}
    board = json.loads(path.read_text(encoding="utf-8"))
    if board.get("schema") != SCHEMA:
        raise ValueError(f"{path.name} has schema {board.get('schema')}, this kit reads {SCHEMA}: use the kit that wrote it")
    return board


def record(path, column, scores, profile=None):
    """Write a column's scores (name → `Share`, number or text) and save the file atomically. Returns the board."""
    board = load(path)
    board["profile"] = profile or board["profile"]
    values = {name: score.as_dict() if hasattr(score, "as_dict") else {"value": score} for name, score in scores.items()}
    board["columns"].setdefault(column, {}).update(values)
    partial = Path(path).with_suffix(f".{os.getpid()}.part")
    partial.write_text(json.dumps(board, indent=1, ensure_ascii=False), encoding="utf-8")
    os.replace(partial, path)
    return board


def cell(score):
    """A score as a reader sees it."""
    if score is None:
        return "–"
    value = score["value"]
    if "n" not in score:
        return f"{value:g}" if isinstance(value, (int, float)) else str(value)
    if score["n"] == 0:
        return "–"
    return f"{100 * value:.1f}%  ({100 * score['low']:.0f}–{100 * score['high']:.0f})"


def rows(board, metrics=None):
    """The board as `(header, rows)` for a table; `metrics` chooses and orders the rows."""
    columns = board["columns"]
    metrics = metrics or list(dict.fromkeys(m for scores in columns.values() for m in scores))
    return ["", *columns], [[m, *(cell(scores.get(m)) for scores in columns.values())] for m in metrics]


def as_text(board, metrics=None):
    """The board as aligned text for a terminal."""
    header, body = rows(board, metrics)
    widths = [max(len(str(line[i])) for line in [header, *body]) for i in range(len(header))]
    return "\n".join("  ".join(str(c).ljust(w) for c, w in zip(line, widths)).rstrip() for line in [header, *body])
