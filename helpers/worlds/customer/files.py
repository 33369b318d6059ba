"""The bank's invented files as the policy reads them: applications (APP-…) and accounts (AKN-…).

    file = load()["APP-231"]
    policy.join(people(file), policy.load())      # values and registers for `figures` and `recommend`

A file's person may have: `self` (self-employed), `evidence` (months of income shown), `missing` (documents), `slip` (what
the payslip says differently: name, employer, gross), `arrears` (months), `ccris` (commitments on record), `homes` (financed).
"""

import functools
import json
from pathlib import Path

from helpers.worlds.mortgage import policy as bank_policy
from helpers.worlds.mortgage.fields import fold

TODAY = 2026
_LINKS = {"bin", "binti", "a/l", "a/p", "anak"}
_AROUND = frozenset(("nama", "saya", "sy", "i", "i'm", "am", "my", "name", "is", "ialah", "penuh", "aku", "ni", "encik", "puan", "cik"))


@functools.cache
def _lines():
    return (Path(__file__).parent / "data" / "files.jsonl").read_text(encoding="utf-8").splitlines()


def load():
    """Id → file, in the order of `data/files.jsonl`; a fresh copy at each call."""
    return {file["id"]: file for file in map(json.loads, _lines())}


def is_account(file):
    """Whether a file is a running financing (AKN-…) and not an application."""
    return "paid" in file


def disagreements(person):
    """Where a person's payslip says something else than the letter or the identity card, in Malay."""
    slip, found = person.get("slip") or {}, []
    if "gross" in slip and slip["gross"] != person["gross"]:
        found.append(f"Slip gaji menyatakan gaji RM{slip['gross']:,.2f}, surat menyatakan RM{person['gross']:,.2f}.")
    if "employer" in slip and fold(slip["employer"]) != fold(person["employer"]):
        found.append(f"Slip gaji menyatakan majikan {slip['employer']}, surat menyatakan {person['employer']}.")
    if "name" in slip and fold(slip["name"]) != fold(person["name"]):
        found.append(f"Nama dalam slip gaji, {slip['name']}, tidak sama dengan MyKad.")
    return found


def people(file, only=None):
    """`(values, registers)` of each applicant of an application, or of the one numbered `only`, as the policy takes them."""
    kind, where = file.get("type", "rumah"), file["place"]
    found = []
    for person in file["people"] if only is None else [file["people"][only]]:
        values = {
            "applicant_name": person["name"], "employment": person["work"], "years_employed": person["years"],
            "gross_monthly_income": person["gross"], "monthly_commitments": person["debts"], "property_type": kind,
            "property_location": where, "property_price": file["price"], "tenure_years": file["tenure"],
        }  # fmt: skip
        registers = {
            "identity_verified": True, "documents_missing": person.get("missing", []), "age": age(person),
            "self_employed": person.get("self", False), "evidence_months": person.get("evidence"),
            "arrears_months": person.get("arrears", 0), "credit_commitments": person.get("ccris"),
            "homes_financed": person.get("homes", 0), "valuation": file.get("valuation"), "disagreements": disagreements(person),
        }  # fmt: skip
        found.append((values, registers))
    return found


def age(person):
    """Years by the end of 2026, from the identity card's year of birth."""
    year = int(person["mykad"][:2])
    return TODAY - (1900 + year if year > TODAY % 100 else 2000 + year)


def owner(file, name, last_four):
    """The number of the person whose name and last four digits these are, or None. At least two words of the name."""
    digits = "".join(c for c in last_four if c.isdigit())[-4:]
    said = set(fold(name).split()) - _LINKS - _AROUND
    for number, person in enumerate(file["people"]):
        card = set(fold(person["name"]).split()) - _LINKS
        if len(said) >= 2 and said <= card and len(digits) == 4 and person["mykad"].endswith(digits):
            return number
    return None


def recommend(case, applicants="bersama", scheme="konvensional", policy=None):
    """The policy's answer to an application: `(recommendation, reasons, figures)`."""
    rules = bank_policy.for_scheme(policy or bank_policy.load(), scheme)
    values, registers = bank_policy.join(people(case, None if applicants == "bersama" else 0), rules)
    return (*bank_policy.recommend(values, registers, rules), bank_policy.figures(values, registers, rules).as_dict())
