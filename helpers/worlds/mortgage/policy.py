"""The bank's policy as code reads it: figures from `data/policy.toml`, computed by formulae anybody can check.

The language model takes no part here. What leaves a pay slip (EPF, SOCSO, EIS, tax) stands in the same file, dated.
"""

import tomllib
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path

LULUS, RUJUK, TOLAK = "lulus", "rujuk", "tolak"


@lru_cache
def load(path=None):
    """The policy as nested dictionaries, from a TOML file (the kit's own by default)."""
    with open(path or Path(__file__).parent / "data" / "policy.toml", "rb") as file:
        return tomllib.load(file)


def instalment(amount, years, rate):
    """Monthly instalment in ringgit of `amount` over `years` at `rate` per cent a year (annuity formula).

    Check: RM450,000, 35 years, 4.10% is RM2,019.57 a month.
    """
    months, monthly = round(years * 12), rate / 1200
    if months <= 0:
        raise ValueError("the tenure must be above zero years")
    if monthly == 0:
        return amount / months
    return amount * monthly / (1 - (1 + monthly) ** -months)


def net_income(gross, self_employed=False, pay=None):
    """Net monthly pay in ringgit: gross less EPF, SOCSO, EIS and estimated tax.

    The tax estimate takes the resident bands with personal and EPF relief: a single person's PCB, roughly. The
    self-employed pay no EPF or SOCSO here, only the tax. `pay`: the policy's section of that name, with its sources.
    """
    pay = pay or load()["pay"]
    epf = 0.0 if self_employed else pay["epf"] * gross
    insured = 0.0 if self_employed else (pay["socso"] + pay["eis"]) * min(gross, pay["insured_ceiling"])
    chargeable = 12 * gross - pay["personal_relief"] - min(12 * epf, pay["epf_relief"])
    bands, tax = pay["tax_bands"], 0.0
    for (start, rate), (end, _) in zip(bands, [*bands[1:], (float("inf"), 0)]):
        tax += rate * max(0.0, min(chargeable, end) - start)
    return gross - epf - insured - tax / 12


@dataclass
class Figures:
    """What code computes for an application: ringgit a month and per cent; None where a fact is missing."""

    financing: float | None = None
    instalment: float | None = None
    net_income: float | None = None
    dsr: float | None = None
    margin: float | None = None

    def as_dict(self):
        return {k: None if v is None else round(v, 2) for k, v in asdict(self).items()}


def figures(values, registers, policy):
    """Financing, instalment, net income, debt-service ratio and margin.

    Args:
        values: field name → value or None, as read from the letter.
        registers: what the bank's own records say (`credit_commitments`, `homes_financed`, `valuation`, `self_employed`;
            of joint applicants also `net_incomes`, see `join`).
        policy: from `load`.
    """
    limits, result = policy["limits"], Figures()
    price, tenure, gross = (values.get(k) for k in ("property_price", "tenure_years", "gross_monthly_income"))
    commitments = values.get("monthly_commitments")
    if price:
        value = min(price, registers.get("valuation") or price)
        allowed = limits["margin_third"] if registers.get("homes_financed", 0) >= 2 else limits["margin_first"]
        result.financing = value * allowed / 100
        result.margin = 100 * result.financing / price
    if result.financing and tenure and round(tenure * 12) > 0:
        result.instalment = instalment(result.financing, tenure, policy["rates"]["profit_rate"])
    if gross and registers.get("net_incomes"):
        result.net_income = sum(registers["net_incomes"])
    elif gross:
        result.net_income = net_income(gross, registers.get("self_employed", False), policy.get("pay"))
    if result.instalment and result.net_income and commitments is not None:
        owed = max(commitments, registers.get("credit_commitments") or 0.0)
        result.dsr = 100 * (result.instalment + owed) / result.net_income
    return result


def join(people, policy):
    """Joint applicants as one: incomes and commitments added, the strictest of everything else.

    Tax and EPF are each person's own, so net incomes are computed one by one and then added. Every joint borrower is a
    borrower: where one of them has two homes financed, this is a third. A fact that is missing of one is missing of all.

    Args:
        people: `(values, registers)` of each applicant, as `figures` takes them; home and tenure are the first one's.
        policy: from `load`.

    Returns `(values, registers)` for `figures` and `recommend`; one person's come back as they are.
    """
    if len(people) == 1:
        return people[0]

    def gather(which, name, how):
        found = [person[which].get(name) for person in people]
        return None if any(value is None for value in found) else how(found)

    values, registers = dict(people[0][0]), dict(people[0][1])
    values["gross_monthly_income"] = gather(0, "gross_monthly_income", sum)
    values["years_employed"] = gather(0, "years_employed", min)
    said = gather(0, "monthly_commitments", list)
    values["monthly_commitments"] = said and sum(max(s, r.get("credit_commitments") or 0.0) for s, (_, r) in zip(said, people))
    registers["credit_commitments"] = None  # counted above, person by person
    if values["gross_monthly_income"] is not None:
        pay = policy.get("pay")
        registers["net_incomes"] = [net_income(v["gross_monthly_income"], r.get("self_employed", False), pay) for v, r in people]
    registers["age"] = max((r["age"] for _, r in people if r.get("age")), default=None)
    registers["homes_financed"] = max(r.get("homes_financed", 0) for _, r in people)
    registers["arrears_months"] = gather(1, "arrears_months", max)
    registers["identity_verified"] = all(r.get("identity_verified") is True for _, r in people)
    registers["documents_missing"] = gather(1, "documents_missing", lambda lists: list(dict.fromkeys(d for one in lists for d in one)))
    evidence = [r["evidence_months"] for _, r in people if r.get("self_employed") and r.get("evidence_months") is not None]
    registers["self_employed"] = any(r.get("self_employed") for _, r in people)
    registers["evidence_months"] = min(evidence, default=None)
    registers["disagreements"] = [text for _, r in people for text in r.get("disagreements") or ()]
    return values, registers


def for_scheme(policy, scheme):
    """The policy with the rate of a scheme, `konvensional` or `islamik`; its words stand in `policy["schemes"][scheme]`."""
    if scheme not in policy["schemes"]:
        raise ValueError(f"skim {scheme!r} tiada; pilih {', '.join(policy['schemes'])}")
    return {**policy, "rates": {**policy["rates"], "profit_rate": policy["schemes"][scheme]["rate"]}}


def recommend(values, registers, policy, confidence=1.0):
    """The policy's recommendation: `(lulus | rujuk | tolak, reasons in Malay)`. Every ground that applies is named.

    `tolak` needs verified grounds: a ratio computed from missing or unsure facts never rejects anybody.
    """
    limits, computed = policy["limits"], figures(values, registers, policy)
    refer, reject = [], []
    names = {
        "applicant_name": "nama pemohon", "gross_monthly_income": "pendapatan kasar", "monthly_commitments": "komitmen bulanan",
        "property_price": "harga rumah", "property_type": "jenis rumah", "property_location": "lokasi rumah",
        "tenure_years": "tempoh pembiayaan", "employment": "pekerjaan", "years_employed": "tempoh bekerja",
    }  # fmt: skip
    missing = [text for name, text in names.items() if values.get(name) is None]
    if missing:
        refer.append(f"Tidak dinyatakan dalam surat: {', '.join(missing)}.")
    if confidence < limits["confidence_refer"]:
        refer.append("Ada fakta yang dibaca dengan tidak pasti.")
    if computed.dsr is None and not missing:
        refer.append("Nisbah khidmat hutang tidak dapat dikira daripada fakta dalam surat.")
    gross, tenure, worked = (values.get(k) for k in ("gross_monthly_income", "tenure_years", "years_employed"))
    if gross is not None and gross < limits["minimum_income"]:
        reject.append(f"Pendapatan kasar RM{gross:,.2f} kurang daripada RM{limits['minimum_income']:,.0f}.")
    if computed.dsr is not None:
        if computed.dsr > limits["dsr_reject"]:
            reject.append(f"Nisbah khidmat hutang {computed.dsr:.1f}% melebihi {limits['dsr_reject']:.0f}%.")
        elif computed.dsr > limits["dsr_approve"]:
            refer.append(f"Nisbah khidmat hutang {computed.dsr:.1f}% antara {limits['dsr_approve']:.0f}% dan {limits['dsr_reject']:.0f}%.")
    if tenure is not None and tenure > limits["maximum_tenure"]:
        refer.append(f"Tempoh {tenure:g} tahun melebihi {limits['maximum_tenure']:.0f} tahun.")
    if tenure is not None and registers.get("age") and registers["age"] + tenure > limits["maximum_age_at_end"]:
        refer.append(f"Pemohon berumur {registers['age'] + tenure:g} tahun pada akhir tempoh.")
    if worked is not None and worked < limits["minimum_years_employed"]:
        refer.append("Tempoh bekerja kurang daripada enam bulan.")
    evidence = registers.get("evidence_months")
    if registers.get("self_employed") and evidence is not None and evidence < policy["self_employed"]["evidence_months"]:
        refer.append(f"Bukti pendapatan sendiri {evidence:g} bulan, kurang daripada {policy['self_employed']['evidence_months']} bulan.")
    arrears = registers.get("arrears_months")
    if arrears is None:
        refer.append("Rekod kredit belum disemak.")
    elif arrears >= limits["arrears_reject"]:
        reject.append(f"Tunggakan {arrears} bulan dalam rekod kredit.")
    elif arrears >= limits["arrears_refer"]:
        refer.append(f"Tunggakan {arrears} bulan dalam rekod kredit.")
    if registers.get("identity_verified") is not True:
        refer.append("Identiti belum disahkan.")
    lacking = registers.get("documents_missing")
    if lacking is None:
        refer.append("Dokumen belum diterima.")
    elif lacking:
        refer.append(f"Dokumen belum lengkap: {', '.join(lacking)}.")
    refer += registers.get("disagreements") or []
    if reject and confidence < limits["confidence_refer"]:
        return RUJUK, refer + reject
    if reject:
        return TOLAK, reject + refer
    if refer:
        return RUJUK, refer
    return LULUS, [
        f"Nisbah khidmat hutang {computed.dsr:.1f}% dalam had {limits['dsr_approve']:.0f}%.",
        "Identiti, dokumen dan rekod kredit disahkan.",
    ]
