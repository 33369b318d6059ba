"""The factory's start: `data/world.toml` and three CSV files, with what a task's `setup` changes.

world, tables = state({"variant": 17})      # tables: name → (key columns, rows)
"""

import csv
import datetime
import math
import random
import tomllib
from functools import cache
from pathlib import Path

_DATA = Path(__file__).parent / "data"
_WHOLE = ("daily_use", "stock", "due_days", "freight_RM", "lead_days", "moq", "pack")
_KEYS = {"parts": ("part",), "suppliers": ("supplier",), "offers": ("part", "supplier")}
_SETUP = {"variant", "limit", "drafts", *_KEYS}


@cache
def world():
    """The fixed facts of `world.toml`."""
    return tomllib.loads((_DATA / "world.toml").read_text(encoding="utf-8"))


def today():
    """The day on which every case happens."""
    return datetime.date.fromisoformat(world()["factory"]["today"])


@cache
def _rows(name):
    with (_DATA / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return tuple({k: _value(k, v) for k, v in row.items()} for row in csv.DictReader(file))


def _value(column, text):
    if column in _WHOLE:
        return int(text)
    return (float(text) if text else None) if column in ("price", "price_RM", "rvc") else text


def state(setup):
    """The fixed facts and the tables under a task's `setup`; ValueError where the setup names what does not exist."""
    unknown = set(setup) - _SETUP
    if unknown:
        raise ValueError(f"setup: unknown {', '.join(sorted(unknown))}; use {', '.join(sorted(_SETUP))}")
    tables = {name: (key, [dict(row) for row in _rows(name)]) for name, key in _KEYS.items()}
    if setup.get("variant") is not None:
        _vary(setup["variant"], *(rows for _, rows in tables.values()))
    for name, (key, rows) in tables.items():
        by_id = {"/".join(row[k] for k in key): row for row in rows}
        for which, change in setup.get(name, {}).items():
            if which not in by_id or set(change) - set(rows[0]):
                raise ValueError(f"setup: {name} has no {which} with {', '.join(change)}")
            by_id[which].update(change)
    return world(), tables


def _vary(number, parts, suppliers, offers):
    """Another state of the same factory: stock, lead times, prices, expiry dates and PPAP drawn anew; names and ids stay."""
    rng = random.Random(f"supply/{number}")
    for part in parts:
        part["stock"] = part["daily_use"] * rng.choice([5, 6, 7, 7, 8, 9, 10, 11, 12, 14, 16, 20, 26, 34]) + rng.randrange(
            part["daily_use"]
        )
        part["due_days"] = rng.randint(2, 9)
    for supplier in suppliers:
        for name in ("iso9001", "iatf16949", "rohs"):
            months = rng.randint(3, 24) if rng.random() > 0.09 else rng.randint(-2, 0)
            supplier[name] = _month_end(today(), months).isoformat()
        supplier["approved"] = "tidak" if rng.random() < 0.07 else "ya"
    for offer in offers:
        offer["price"] = round(offer["price"] * rng.uniform(0.8, 1.25), 4)
        offer["lead_days"] = max(1, round(offer["lead_days"] * rng.uniform(0.5, 1.3)))
        offer["moq"] = math.ceil(offer["moq"] * rng.choice([0.5, 0.75, 1, 1.25, 1.5]) / offer["pack"]) * offer["pack"]
        offer["ppap"] = "lulus" if rng.random() < 0.88 else rng.choice(["belum", "bersyarat"])
        if offer["rvc"] is not None:
            offer["rvc"] = rng.choice([35.5, 38.7, 39.8, 39.9, 40.0, 40.3, 42.6, 45.0, 49.1, 54.8, 60.2])


def _month_end(day, months):
    """The last day of the month so many months after a day's."""
    year, month = divmod(day.year * 12 + day.month + months, 12)
    return datetime.date(year, month + 1, 1) - datetime.timedelta(days=1)
