"""The factory's supply desk: its tools, its limits, and tasks whose right answers are found by brute force."""

import json
import re
from typing import get_args

import pytest

from helpers.agents.menu import spans
from helpers.agents.person import trace
from helpers.worlds import supply
from helpers.worlds.base import load_tasks
from helpers.worlds.supply import Supply, durations, optimum, start
from helpers.worlds.supply.compose import compose
from helpers.worlds.supply.rules import Rules

DATA = start._DATA
TRAIN, DEV = load_tasks(DATA / "train.jsonl"), load_tasks(DATA / "dev.jsonl")
COMPOSED = compose(120, seed=3)
VALID = ("sah", "sempat")


def checked(subject="SUP-13", duration="dua minggu", **setup):
    desk = Supply(setup=setup)
    assert "ralat" not in desk.call("check_supply", {"subject": subject, "duration": duration})
    return desk


def row(desk, part, supplier):
    return next(r for r in desk.candidates(part) if r["pembekal"] == supplier)


def test_tables_hold_together():
    world, tables = start.state({})
    parts, suppliers, offers = (rows for _, rows in tables.values())
    assert len(parts) >= 30 and len(suppliers) >= 25 and len(offers) >= 90
    known = {s["supplier"] for s in suppliers}
    assert {o["supplier"] for o in offers} | {p["supplier"] for p in parts} <= known
    for part in parts:
        others = [o for o in offers if o["part"] == part["part"] and o["supplier"] != part["supplier"]]
        assert 2 <= len(others) <= supply.ROWS and part["hs6"][:4] in world["duty"]
    assert {s["place"] for s in suppliers} | {s["via"] for s in suppliers} == set(get_args(supply.Place))
    assert {s["currency"] for s in suppliers} <= set(world["rates"])


@pytest.mark.parametrize(
    "name, duration", [("SUP-20", "3 minggu"), ("Johor", "5 hari"), ("PRT-213", "sebulan"), ("Pelabuhan Klang", "9 hari")]
)
def test_rows_contain_the_optimum(name, duration):
    """The policy's rule, applied to what the tool shows, gives what brute force over the raw tables gives."""
    tool, argument = ("check_supply", "subject") if "-" in name else ("check_place", "place")
    for variant in range(12):
        desk = Supply(setup={"variant": variant, "limit": 20_000})
        for part in desk.call(tool, {argument: name, "duration": duration})["berisiko"]:
            rows = desk.call("alternatives", {"part": part["bahagian"]})["calon"]
            assert [r["pembekal"] for r in rows] == sorted(r["pembekal"] for r in rows)
            fit = [r for r in rows if all(r[v] == "ya" for v in VALID)]
            wanted = ("close", "tiada_calon")
            if fit:
                pick = sorted(sorted(fit, key=lambda r: r["sijil_hingga"], reverse=True), key=lambda r: r["kos_RM"])[0]
                wanted = ("order", pick["pembekal"]) if pick["kos_RM"] <= desk.limit else ("close", "melebihi_had")
            assert optimum.best(desk, part["bahagian"]) == wanted


def test_a_draft_is_sized_by_code_and_waits_for_a_person():
    desk = checked()
    answer = desk.call("draft_order", {"part": "PRT-206", "supplier": "SUP-24"})
    # stock for 7 days, next delivery in 4 + 14 days, 150 a day
    assert desk.state()["orders"] == [["prt-206", "sup-24", 11 * 150]] and "RM13,400" in answer["beritahu"]
    assert desk.query("SELECT status FROM orders") == [{"status": "menunggu"}] and "approve" not in Supply.TOOLS
    desk.approve(answer["draf"], "Cik Salmah")
    with pytest.raises(ValueError, match="sudah diputuskan"):
        desk.reject(answer["draf"], "Cik Salmah")


@pytest.mark.parametrize(
    "change, reason",
    [
        ({"offers": {"PRT-204/SUP-33": {"rvc": 39.8}}}, "Borang D"),
        ({"offers": {"PRT-204/SUP-33": {"ppap": "bersyarat"}}}, "PPAP"),
        ({"suppliers": {"SUP-33": {"iatf16949": "2026-12-01"}}}, "IATF 16949 tamat"),  # a day before it would arrive
        ({"suppliers": {"SUP-33": {"approved": "tidak"}}}, "belum diluluskan"),
        ({"offers": {"PRT-204/SUP-33": {"lead_days": 10}}}, "tidak sempat"),
        ({"limit": 22_999}, "melebihi had"),
    ],
)
def test_limits_hold_outside_the_model(change, reason):
    assert "draf" in checked().call("draft_order", {"part": "PRT-204", "supplier": "SUP-33"})
    desk = checked(**change)
    assert reason in desk.call("draft_order", {"part": "PRT-204", "supplier": "SUP-33"})["ralat"]
    assert desk.state()["orders"] == []


def test_origin_decides_on_duty():
    low, just = ({"offers": {"PRT-206/SUP-33": {"rvc": rvc, "heading_changed": "tidak"}}} for rvc in (39.9, 40.0))
    assert row(checked(**low), "PRT-206", "SUP-33")["kos_RM"] > row(checked(**just), "PRT-206", "SUP-33")["kos_RM"]
    changed = {"offers": {"PRT-206/SUP-33": {"rvc": 39.9, "heading_changed": "ya"}}}
    assert row(checked(**changed), "PRT-206", "SUP-33") | {"RVC": ""} == row(checked(**just), "PRT-206", "SUP-33") | {"RVC": ""}


def test_a_disrupted_place_takes_its_suppliers_out():
    desk = Supply()
    desk.call("check_place", {"place": "Johor", "duration": "12 hari"})
    assert row(desk, "PRT-210", "SUP-12")["sebab"] == "terjejas gangguan"


@pytest.mark.parametrize(
    "name, arguments",
    [
        ("draft_order", {"part": "PRT-204", "supplier": "SUP-33"}),  # not checked
        ("alternatives", {"part": "PRT-999"}),
        ("check_supply", {"subject": "SUP-13", "duration": "gudang kami"}),
        ("check_place", {"place": "Atlantis", "duration": "2 hari"}),
        ("close_notice", {"outcome": "beres"}),
        ("approve", {"draft": "DRF-001", "person": "x"}),
    ],
)
def test_a_bad_call_changes_nothing(name, arguments):
    desk = Supply()
    before = "\n".join(desk._db.iterdump())
    assert desk.call(name, arguments)["ralat"] and "\n".join(desk._db.iterdump()) == before


def test_nothing_is_ordered_twice_and_risk_is_not_waved_away():
    desk = checked()
    assert "masih berisiko" in desk.call("close_notice", {"outcome": "tiada_risiko"})["ralat"]
    desk.call("draft_order", {"part": "PRT-206", "supplier": "SUP-24"})
    assert "dua kali" in desk.call("draft_order", {"part": "PRT-206", "supplier": "SUP-20"})["ralat"]
    assert "tidak diketahui" in desk.call("check_supply", {"subject": "SUP-77", "duration": "2 hari"})["beritahu"]


@pytest.mark.parametrize(
    "words, days",
    [("two and a half weeks", 18), ("a month and a half", 45), ("1 1/2 bulan", 45), ("until Thursday", 3), ("couple of days", 2),
     ("dua minggu", 14), ("2-3 minggu", 21), ("sebulan setengah", 45), ("10 working days", 14), ("5mgu", 35), ("48 jam", 2), ("esok", 1),
     ("hingga 5 Disember", 12), ("until 12 Dec", 19), ("12hb", 19), ("2 Januari", 40), ("3-10 November", 0), ("hingga 7 Disember, 2 minggu", 14),
     ("tak pasti lagi", None), ("until further notice", None), ("dua minggu mulai 23 November", 14), ("bermula 25 November selama 10 hari", 12),
     ("mulai 24 November hingga 5 Disember", 12)],
)  # fmt: skip
def test_durations(words, days):
    assert durations.days(words, start.today()) == (days, days is not None)


def test_durations_refuse_what_says_nothing_about_time():
    for words in ("SUP-12", "tidak dapat menghantar", "pembekal kami", "mulai 25 November"):
        with pytest.raises(ValueError, match="petik"):
            durations.days(words, start.today())


def test_setup_names_what_exists():
    for setup in ({"stok": 1}, {"parts": {"PRT-999": {"stock": 1}}}, {"offers": {"PRT-204/SUP-24": {"cost": 1}}}):
        with pytest.raises(ValueError, match="setup"):
            Supply(setup=setup)


def test_each_question_is_recognised_and_no_other():
    for name, fact in Supply.FACTS.items():
        assert [other for other, f in Supply.FACTS.items() if re.search(f.asked, fact.question)] == [name]


@pytest.mark.parametrize("text, fact", [("Pembekal yang mana satu?", "supplier"), ("Which supplier is it?", "supplier"), ("Sampai bila tutup?", "duration"),
    ("How long will it last?", "duration"), ("Kat mana kejadian tu?", "place"), ("Dah confirm ke berita ni?", "confirmed"), ("Part number apa?", "part"),
    ("Ya, apa masalah yang boleh saya bantu?", "notice")])  # fmt: skip
def test_other_words_are_recognised(text, fact):
    assert [name for name, f in Supply.FACTS.items() if re.search(f.asked, text)] == [fact]


@pytest.mark.parametrize("tasks", [TRAIN, DEV, COMPOSED], ids=["train", "dev", "composed"])
def test_gold_replays_and_can_be_said(tasks):
    assert len({task.id for task in tasks}) == len(tasks)
    for task in tasks:
        desk = Supply(setup=task.setup)
        before = desk.state()
        for step in task.gold:
            if "tool" not in step:
                continue
            if step["tool"] == "draft_order":
                assert optimum.best(desk, step["arguments"]["part"]) == ("order", step["arguments"]["supplier"]), task.id
            assert "ralat" not in desk.call(step["tool"], step["arguments"]), task.id
        assert (desk.state() == before) == (task.kind in ("maklumat", "sembang")), task.id
        for trial in range(len(task.opening)):
            said = [m["content"] for m in trace(Supply, task, trial) if m["role"] == "user"]
            assert len(said) == 1 + sum("ask" in step for step in task.gold), task.id
            quotes = [step["arguments"]["duration"] for step in task.gold if "duration" in step.get("arguments", {})]
            assert set(quotes) <= {span for text in said for span in spans(text)}, task.id


def test_written_sets_are_apart():
    def sentences(tasks):
        texts = [text for task in tasks for said in (task.opening, *task.facts.values()) for text in said.values()]
        return {s.strip().casefold() for text in texts for s in re.split(r"[.!?\n]", text) if len(s.split()) >= 4}

    train, dev, composed = map(sentences, (TRAIN, DEV, COMPOSED))
    assert not train & dev and not (train | dev) & composed
    assert len(TRAIN) >= 60 and len(DEV) >= 20
    assert sum(any("ask" in step for step in task.gold) for task in TRAIN) >= 0.3 * len(TRAIN)


def test_composing_is_deterministic():
    assert compose(12, seed=5) == compose(12, seed=5) != compose(12, seed=6)


def test_answers_are_short():
    for task in COMPOSED[:60]:
        desk = Supply(setup=task.setup)
        for step in task.gold:
            if "tool" in step:
                assert len(json.dumps(desk.call(step["tool"], step["arguments"])).split()) <= 120
    assert len(Supply.policy().split()) <= 180 and len(Supply.TOOLS) <= 5


def test_rules_handle_a_whole_conversation():
    from helpers.agents import loop
    from helpers.agents.person import Person
    from helpers.evaluation.agents import judge

    for task in (next(t for t in TRAIN if t.kind == kind) for kind in ("pesan", "tanya_dua", "belum_disahkan", "melebihi_had")):
        desk = Supply(setup=task.setup)
        episode = loop.run(desk, lambda messages, tools: Rules().act(messages), Person(Supply, task))
        assert judge(Supply, task, desk, episode)["passed"], task.id
