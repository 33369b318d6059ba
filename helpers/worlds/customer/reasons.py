"""The true reasons of a recommendation, found by counterfactual, and the letter that says them.

    why = explain(values, registers, policy)       # what `policy.recommend` takes
    why.reasons                                    # the grounds that decided
    letter(why, "Rosnani binti Hashim", "APP-201")

A ground is a *true reason* if the outcome changes when the fact behind it, and nothing else, is mended. Where no single
fact would do (two grounds each enough to reject), the smallest sets of facts that would together are taken, and their
grounds are the reasons; what is left over is named apart. Each mended case goes through the policy again: no model
writes or chooses a reason.
"""

import re
from dataclasses import dataclass
from itertools import combinations

from helpers.worlds.mortgage import policy as bank_policy

_BETTER = {bank_policy.TOLAK: 0, bank_policy.RUJUK: 1, bank_policy.LULUS: 2}
_FILLED = {
    "applicant_name": "Pemohon", "gross_monthly_income": 20_000.0, "monthly_commitments": 0.0, "property_price": 100_000.0,
    "property_type": "teres", "property_location": "-", "tenure_years": 20.0, "employment": "-", "years_employed": 5.0,
}  # fmt: skip


@dataclass(frozen=True)
class Explanation:
    """A recommendation; the grounds that decided; the other grounds; what it would be with the decisive facts mended;
    and the highest instalment (ringgit a month) that the ratio allows, where the ratio is a reason."""

    recommendation: str
    reasons: list
    others: list
    otherwise: str
    affordable: float | None = None


def _scale(values, registers, share):
    values["property_price"] *= share
    if registers.get("valuation"):
        registers["valuation"] *= share


def _ratio(values, registers, policy):
    """A home just cheap enough; where existing debts alone are too much, first none of them."""
    found = bank_policy.figures(values, registers, policy)
    if found.dsr is None or found.dsr <= policy["limits"]["dsr_approve"]:
        return
    room = affordable(found, policy)
    if room <= 0:
        values["monthly_commitments"], registers["credit_commitments"] = 0.0, None
        return _ratio(values, registers, policy)
    _scale(values, registers, room / found.instalment * (1 - 1e-9))


def _tenure(values, registers, policy):
    """A tenure that the limits allow, at the same instalment: the ratio is another fact."""
    limits, years = policy["limits"], values.get("tenure_years")
    if years is None:
        return
    allowed = min(years, limits["maximum_tenure"], limits["maximum_age_at_end"] - (registers.get("age") or 0))
    before = bank_policy.figures(values, registers, policy).instalment
    values["tenure_years"] = max(allowed, 1)
    after = bank_policy.figures(values, registers, policy).instalment
    if before and after:
        _scale(values, registers, before / after)


def _income(values, registers, policy):
    least = policy["limits"]["minimum_income"]
    if values.get("gross_monthly_income") is not None:
        values["gross_monthly_income"] = max(values["gross_monthly_income"], least)


def _worked(values, registers, policy):
    if values.get("years_employed") is not None:
        values["years_employed"] = max(values["years_employed"], policy["limits"]["minimum_years_employed"])


def _missing(values, registers, policy):
    values.update({name: value for name, value in _FILLED.items() if values.get(name) is None})


def _register(**mended):
    return lambda values, registers, policy: registers.update(mended)


# Fact → how it alone is mended.
MENDS = {
    "nisbah": _ratio, "pendapatan": _income, "tempoh": _tenure, "tempoh bekerja": _worked, "fakta": _missing,
    "tunggakan": _register(arrears_months=0), "identiti": _register(identity_verified=True), "dokumen": _register(documents_missing=[]),
    "percanggahan": _register(disagreements=[]), "bukti": _register(evidence_months=None), "kepastian": lambda *_: None,
}  # fmt: skip


def mended(facts, values, registers, policy, confidence=1.0):
    """The policy's `(recommendation, reasons)` with these facts mended and all others as they are."""
    values, registers = dict(values), dict(registers)
    for fact in sorted(facts, key=list(MENDS).index, reverse=True):  # the ratio last: it depends on the others
        MENDS[fact](values, registers, policy)
    return bank_policy.recommend(values, registers, policy, 1.0 if "kepastian" in facts else confidence)


def affordable(found, policy):
    """The highest new instalment, in ringgit a month, at which the ratio would be within the limit."""
    owed = found.dsr * found.net_income / 100 - found.instalment
    return policy["limits"]["dsr_approve"] * found.net_income / 100 - owed


def _kind(text):
    return re.sub(r"\d[\d,.]*", "", text)


def explain(values, registers, policy, confidence=1.0):
    """The recommendation with its true reasons, as an `Explanation`."""
    recommendation, grounds = bank_policy.recommend(values, registers, policy, confidence)
    if recommendation == bank_policy.LULUS:
        return Explanation(recommendation, grounds, [], recommendation)
    removed = {}  # fact → the grounds that go when it is mended
    for fact in MENDS:
        left = {_kind(text) for text in mended([fact], values, registers, policy, confidence)[1]}
        gone = [text for text in grounds if _kind(text) not in left]
        if gone:
            removed[fact] = gone
    true, otherwise = [], recommendation
    for size in range(1, len(removed) + 1):
        outcomes = {facts: mended(facts, values, registers, policy, confidence)[0] for facts in combinations(removed, size)}
        better = {facts: new for facts, new in outcomes.items() if _BETTER[new] > _BETTER[recommendation]}
        if better:
            true = {text for facts in better for fact in facts for text in removed[fact]}
            otherwise = min(better.values(), key=_BETTER.get)
            break
    reasons = [text for text in grounds if text in true] or grounds
    found, room = bank_policy.figures(values, registers, policy), None
    if found.dsr is not None and any(text.startswith("Nisbah") for text in reasons):
        room = max(0.0, round(affordable(found, policy), 2))
    return Explanation(recommendation, reasons, [text for text in grounds if text not in reasons], otherwise, room)


def letter(why, name, file):
    """The explanation in Malay for the applicant. `name`: as on the identity card; `file`: its number."""
    verdict = {
        "lulus": "disyorkan untuk diluluskan", "rujuk": "dirujuk kepada pegawai untuk semakan lanjut",
        "tolak": "disyorkan untuk tidak diluluskan",
    }  # fmt: skip
    lines = [
        f"Kepada {name},", "", f"Permohonan {file} {verdict[why.recommendation]}. Ini syor; keputusan muktamad dibuat oleh pegawai.",
        "", "Sebab yang menentukan syor ini:", *(f"- {text}" for text in why.reasons),
    ]  # fmt: skip
    if why.otherwise != why.recommendation:
        lines += ["", f"Jika perkara di atas diatasi, permohonan ini akan {verdict[why.otherwise]}."]
    if why.affordable:
        lines.append(f"Ansuran baharu tertinggi yang masih dalam had nisbah khidmat hutang ialah RM{why.affordable:,.2f} sebulan.")
    if why.others:
        lines += ["", "Perkara lain yang perlu diselesaikan:", *(f"- {text}" for text in why.others)]
    return "\n".join(
        [*lines, "", "Jika anda tidak bersetuju, anda boleh membuat aduan; pegawai akan menyemaknya.", "", "Bank Contoh (rekaan)"]
    )
