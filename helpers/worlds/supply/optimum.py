"""The right answer of any state, by brute force from the raw tables: no line of it is shared with the tool's own rows.

    python -m helpers.worlds.supply.optimum --variant 17 SUP-12 "dua minggu"

prints the parts at risk, every candidate and what the policy picks: for whoever writes cases.
"""

import argparse
import json
from datetime import date, timedelta
from math import ceil
from typing import get_args

from helpers.worlds import supply


def best(desk, part):
    """What the policy does with a part at risk: ("order", supplier), ("close", "tiada_calon") or ("close", "melebihi_had").

    Every supplier is tried. The cheapest landed cost (to the next RM100) wins, then the latest end of the certificates,
    then the lower number; the limit comes last, because where the cheapest is above it, all are.
    """
    need = desk.query("SELECT * FROM parts JOIN checked USING (part) WHERE part = ?", part)[0]
    stopped = {row["name"] for row in desk.query("SELECT name FROM stopped")} | {need["supplier"]}
    offers = {row["supplier"]: row for row in desk.query("SELECT * FROM offers WHERE part = ?", part)}
    cover = need["stock"] // need["daily_use"]
    found = []
    for who in desk.query("SELECT * FROM suppliers"):
        offer = offers.get(who["supplier"])
        if (
            offer is None
            or who["supplier"] in stopped
            or who["approved"] == "tidak"
            or offer["ppap"] != "lulus"
            or offer["lead_days"] > cover
        ):
            continue
        ends = min(date.fromisoformat(who[name]) for name in ("iso9001", "rohs" if need["kind"] == "elektronik" else "iatf16949"))
        if ends < desk.today + timedelta(days=offer["lead_days"]):
            continue
        local = who["currency"] == "MYR"
        form_d = who["place"] in ("Thailand", "Vietnam", "Indonesia", "Singapura") and (
            offer["heading_changed"] == "ya" or offer["rvc"] >= 40
        )
        if need["origin_needed"] == "ya" and not (local or form_d):
            continue
        packs = ceil(max(offer["moq"], (need["gap"] - cover) * need["daily_use"]) / offer["pack"])
        world = supply.start.world()
        goods = packs * offer["pack"] * offer["price"] * world["rates"][who["currency"]]
        landed = goods + who["freight_RM"] + (0 if local or form_d else goods * world["duty"][need["hs6"][:4]] / 100)
        found.append((ceil(round(landed, 2) / 100) * 100, -ends.toordinal(), who["supplier"]))
    if not found:
        return "close", "tiada_calon"
    cost, _, supplier = min(found)
    return ("order", supplier) if cost <= desk.limit else ("close", "melebihi_had")


def gold(desk, name, duration):
    """The right actions for a real disruption, as a task's `gold` writes them, and what the person must be told.

    The calls are made on `desk`; `name` is a supplier, a part or a place."""
    tool, argument = ("check_place", "place") if name in get_args(supply.Place) else ("check_supply", "subject")
    calls, told = [], []

    def do(tool, **arguments):
        result = desk.call(tool, arguments)
        if "ralat" in result:
            raise ValueError(result["ralat"])
        calls.append({"tool": tool, "arguments": arguments})
        return result

    at_risk = do(tool, **{argument: name, "duration": duration})["berisiko"]
    for row in at_risk:
        do("alternatives", part=row["bahagian"])
        kind, value = best(desk, row["bahagian"])
        if kind == "order":
            do("draft_order", part=row["bahagian"], supplier=value)
            told += [value, f"RM{desk.query('SELECT cost_RM FROM orders ORDER BY id DESC')[0]['cost_RM']:,}"]
        elif not any(call["arguments"].get("outcome") == value for call in calls):
            do("close_notice", outcome=value)
    if not at_risk:
        do("close_notice", outcome="tiada_risiko")
    return calls, list(dict.fromkeys(told))


def main():
    """Print a state for a writer of cases."""
    parser = argparse.ArgumentParser(description="Parts at risk, candidates and the right choice in one state of the factory.")
    parser.add_argument("name", help="SUP-12, PRT-204 or a place such as 'Johor'")
    parser.add_argument("duration", help="words such as 'dua minggu'")
    parser.add_argument("--variant", type=int)
    given = parser.parse_args()
    setup = {} if given.variant is None else {"variant": given.variant}
    calls, told = gold(supply.Supply(setup=setup), given.name, given.duration)
    shown = supply.Supply(setup=setup)
    for call in calls:
        print(json.dumps(call, ensure_ascii=False))
        print("   ", json.dumps(shown.call(call["tool"], call["arguments"]), ensure_ascii=False))
    print("communicate", told)


if __name__ == "__main__":
    main()
