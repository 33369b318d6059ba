"""Shares with intervals, calibration, the desk's score, the floors and the scoreboard."""

import json
import math
import os

import pytest

from helpers import evaluation
from helpers.agents.reading import RandomReader, Reading, RulesReader, SilentReader
from helpers.evaluation import scoreboard
from helpers.worlds.mortgage import fields, letters

NAMES = [field.name for field in fields.FIELDS]


@pytest.fixture(scope="module")
def rows():
    return letters.written("dev")


def gold(row, confidence=1.0):
    found = {name: answer and {"value": answer["value"], "quotes": answer["quotes"]} for name, answer in row["answers"].items()}
    return Reading(found, dict.fromkeys(found, confidence))


# Known values of the Wilson interval at z = 1.96
@pytest.mark.parametrize(
    "right, n, low, high",
    [(8, 10, 0.490, 0.943), (0, 10, 0.0, 0.278), (10, 10, 0.722, 1.0), (50, 100, 0.404, 0.596), (1, 1, 0.207, 1.0)],
)
def test_wilson(right, n, low, high):
    share = evaluation.wilson(right, n)
    assert share.low == pytest.approx(low, abs=0.001) and share.high == pytest.approx(high, abs=0.001)
    assert share.low <= share.value == right / n <= share.high


def test_nothing_measured_says_nothing():
    for share in (evaluation.wilson(0, 0), evaluation.bootstrap([]), evaluation.bootstrap([(0, 0)])):
        assert (share.n, share.low, share.high) == (0, 0.0, 1.0)
        assert math.isnan(share.value)
        json.dumps(share.as_dict(), allow_nan=False)


def test_bootstrap_is_deterministic_and_contains_the_value():
    groups = [(right, 9) for right in (9, 8, 9, 5, 7, 9, 2, 9, 6, 8)]
    share = evaluation.bootstrap(groups)
    assert share == evaluation.bootstrap(groups)
    assert (share.right, share.n) == (72, 90)
    assert share.low < share.value < share.high
    assert evaluation.bootstrap([(9, 9)] * 5).low == 1.0


def test_bootstrap_over_groups_is_wider_than_over_single_things():
    # ten letters, each all right or all wrong, are ten observations and not ninety
    grouped = evaluation.bootstrap([(9, 9)] * 7 + [(0, 9)] * 3)
    single = evaluation.wilson(63, 90)
    assert grouped.high - grouped.low > 2 * (single.high - single.low)


def test_bootstrap_passes_over_empty_groups():
    assert evaluation.bootstrap([(3, 4), (0, 0), (1, 4)]) == evaluation.bootstrap([(3, 4), (1, 4)])


def test_gold_readings_are_all_right(rows):
    scores = evaluation.score_readings(rows, [gold(row) for row in rows])
    assert set(scores) == {"fields", "letters", *(f"field:{name}" for name in NAMES)}
    assert all(share.value == 1 for share in scores.values())
    assert (scores["fields"].n, scores["letters"].n) == (270, 30)


def test_one_wrong_field_costs_one_field_and_one_letter(rows):
    readings = [gold(row) for row in rows]
    readings[3].fields["property_location"] = {"value": "Entah", "quotes": ["Entah"]}
    scores = evaluation.score_readings(rows, readings)
    assert (scores["fields"].right, scores["letters"].right, scores["field:property_location"].right) == (269, 29, 29)
    assert scores["field:applicant_name"].right == 30


def test_rows_and_readings_must_be_as_many(rows):
    with pytest.raises(ValueError):
        evaluation.score_readings(rows, [gold(rows[0])])


def test_the_silent_reader_is_right_where_the_letter_is_silent(rows):
    scores = evaluation.score_readings(rows, evaluation.read_all(rows, SilentReader(), progress=False))
    silent = sum(answer is None for row in rows for answer in row["answers"].values())
    assert 0 < scores["fields"].right == silent < 90
    assert scores["letters"].right == 0


def test_floors_stay_below_the_rules(rows):
    rows = rows[:12]
    rules, dice = (
        evaluation.score_readings(rows, evaluation.read_all(rows, reader, progress=False))["fields"]
        for reader in (RulesReader(), RandomReader(1))
    )
    assert dice.value < 0.35 < rules.low


def test_the_random_reader_quotes_the_letter_and_repeats_by_seed(rows):
    row = rows[0]
    first, second = RandomReader(4).read(row["letter"]), RandomReader(4).read(row["letter"])
    assert first.fields == second.fields and first.text == second.text != RandomReader(5).read(row["letter"]).text
    assert all(quote in row["letter"] for found in first.fields.values() if found for quote in found["quotes"])


@pytest.mark.parametrize("split", ["train", "dev"])
def test_gold_readings_give_the_gold_recommendation(split):
    rows = letters.written(split)
    score = evaluation.score_desk(rows, [gold(row) for row in rows])
    assert score["recommendation"].value == 1
    assert score["wrongful_approvals"] == 0
    assert sum(score["table"].values()) == len(rows)
    assert {right for right, _ in score["table"]} == {"lulus", "rujuk", "tolak"}


def test_a_desk_that_reads_nothing_refers_everything():
    rows = letters.written("train")
    score = evaluation.score_desk(rows, [SilentReader().read(row["letter"]) for row in rows])
    given = {}
    for (_, answer), n in score["table"].items():
        given[answer] = given.get(answer, 0) + n
    assert given == {"rujuk": len(rows)}
    assert 0 < score["recommendation"].value < 1


def test_wrongful_approvals_are_counted(rows):
    rows = letters.written("train")
    readings = [gold(row) for row in rows]
    for reading in readings:
        if reading.fields["gross_monthly_income"]:
            reading.fields["gross_monthly_income"] = {"value": 60_000.0, "quotes": ["RM60k"]}
    score = evaluation.score_desk(rows, readings)
    assert score["wrongful_approvals"] == score["table"][("tolak", "lulus")] > 0


def test_calibration(rows):
    rows = rows[:2]  # eighteen fields: nine read surely and rightly, nine half surely and all wrong
    wrong = Reading({name: {"value": -1, "quotes": ["?"]} for name in NAMES}, dict.fromkeys(NAMES, 0.5))
    table, error = evaluation.calibration(rows, [gold(rows[0], 0.9), wrong], bins=2)
    assert table == [(pytest.approx(0.5), 0.0, 9), (pytest.approx(0.9), 1.0, 9)]
    assert error == pytest.approx((0.5 + 0.1) / 2)


def test_calibration_of_a_reader_that_knows_what_it_knows(rows):
    table, error = evaluation.calibration(rows, [gold(row) for row in rows], bins=5)
    assert len(table) == 5 and sum(n for _, _, n in table) == 270
    assert error == 0
    assert evaluation.calibration(rows[:0], []) == ([], 0)


# The scoreboard


def test_columns_and_metrics_are_added(tmp_path):
    path = tmp_path / "scoreboard.json"
    assert scoreboard.load(path) == {"schema": 2, "profile": None, "tests": scoreboard.test_digests(), "columns": {}}
    scoreboard.record(path, "base", {"fields": evaluation.wilson(8, 10), "minutes": 2.5}, profile="smoke")
    scoreboard.record(path, "tuned", {"fields": evaluation.wilson(10, 10)})
    board = scoreboard.record(path, "base", {"note": "CPU", "minutes": 3})
    assert board == scoreboard.load(path)
    assert board["profile"] == "smoke"
    assert list(board["columns"]) == ["base", "tuned"]
    assert set(board["columns"]["base"]) == {"fields", "minutes", "note"}
    assert board["columns"]["base"]["minutes"] == {"value": 3}
    assert board["columns"]["base"]["fields"] == {
        "value": 0.8, "unit": "share", "right": 8, "n": 10, "low": 0.4902, "high": 0.9433, "method": "Wilson"
    }  # fmt: skip
    assert os.listdir(tmp_path) == ["scoreboard.json"]


@pytest.mark.parametrize("failing", ["replace", "encode"])
def test_a_failure_while_saving_leaves_the_old_file(tmp_path, monkeypatch, failing):
    path = tmp_path / "scoreboard.json"
    scoreboard.record(path, "base", {"minutes": 1})
    before = path.read_bytes()
    if failing == "replace":
        monkeypatch.setattr(scoreboard.os, "replace", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises((OSError, TypeError)):
        scoreboard.record(path, "base", {"minutes": 2 if failing == "replace" else object()})
    assert path.read_bytes() == before


def test_another_schema_is_refused(tmp_path):
    path = tmp_path / "scoreboard.json"
    path.write_text('{"schema": 99, "columns": {}}')
    with pytest.raises(ValueError, match="schema 99, this kit reads 2"):
        scoreboard.load(path)
    with pytest.raises(ValueError):
        scoreboard.record(path, "base", {"minutes": 1})
    assert json.loads(path.read_text())["schema"] == 99


def test_the_board_as_text(tmp_path):
    path = tmp_path / "scoreboard.json"
    scoreboard.record(path, "before", {"fields": evaluation.wilson(8, 10), "minutes": 1.5})
    board = scoreboard.record(path, "after", {"fields": evaluation.wilson(10, 10), "letters": evaluation.wilson(0, 0)})
    lines = scoreboard.as_text(board).splitlines()
    assert lines[0].split() == ["before", "after"]
    assert lines[1].split() == ["fields", "80.0%", "(49–94)", "100.0%", "(72–100)"]
    assert lines[2].split() == ["minutes", "1.5", "–"]
    assert lines[3].split() == ["letters", "–", "–"]
    assert lines[1].index("100.0%") == lines[0].index("after")
    assert scoreboard.as_text(board, ["minutes"]).splitlines()[1:] == ["minutes  1.5     –"]
