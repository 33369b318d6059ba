"""The way of a case through the mortgage desk: read, verify, compute, recommend, explain; a person approves.

The model reads; everything after that is code with the bank's policy. Every step is traced with its result and time.
Deciding is left to a person: nothing here calls `MortgageDesk.decide`.
"""

import time

from helpers.worlds.mortgage import policy as bank_policy

# Fields whose misreading would change a recommendation; the desk's confidence is that of the least sure of them.
DECISIVE = ("gross_monthly_income", "monthly_commitments", "property_price", "tenure_years")


def handle(desk, application, reader):
    """Take one application through the desk.

    Args:
        desk: a `MortgageDesk` that has received the application.
        application: its id.
        reader: a reader of `helpers.agents.reading`.

    Returns a dictionary: `id`, `fields`, `figures`, `recommendation`, `reasons`, `confidence`, `seconds`, `trace`.
    """
    trace, start = [], time.perf_counter()

    def step(name, function, *arguments):
        began = time.perf_counter()
        result = function(*arguments)
        trace.append({"step": name, "result": result, "milliseconds": 1000 * (time.perf_counter() - began)})
        return result

    letter = step("read_application", desk.read_application, application)
    reading = step("model reads and quotes", reader.read, letter)
    values = step("code reads the quotes", reading.values)
    registers = dict(step("verify_identity_and_documents", desk.verify_identity_and_documents, application, values["applicant_name"]))
    registers |= step("credit_record", desk.credit_record, application)
    figures = step("compute_figures", desk.compute_figures, values, registers)
    confidence = min((reading.confidence.get(name, 1.0) for name in DECISIVE), default=1.0)
    recommendation, reasons = step("policy recommends", bank_policy.recommend, values, registers, desk.policy, confidence)
    step("record_recommendation", desk.record_recommendation, application, recommendation, reasons)
    return {
        "id": application, "fields": reading.fields, "figures": figures, "recommendation": recommendation, "reasons": reasons,
        "confidence": round(confidence, 4), "seconds": round(time.perf_counter() - start, 3), "trace": trace,
    }  # fmt: skip


def ringgit(value):
    """A sum as an officer writes it: 4500 → “RM4,500.00”."""
    return f"RM{value:,.2f}"


def explain(case):
    """An explanation of a recommendation in Malay, filled from verified values only: no model writes a figure here."""
    values = {name: found["value"] for name, found in case["fields"].items() if found}
    name = values.get("applicant_name", "Pemohon")
    lines = [f"Kepada {name},", "", "Terima kasih atas permohonan pembiayaan rumah anda."]
    if "property_price" in values:
        kind = values.get("property_type", "rumah")
        place = f" di {values['property_location']}" if "property_location" in values else ""
        lines.append(
            f"Permohonan ini bagi {'rumah ' if kind in ('teres', 'kluster', 'kedai') else ''}{kind}{place} berharga {ringgit(values['property_price'])}."
        )
    figures = case["figures"]
    if figures["dsr"] is not None:
        lines.append(
            f"Berdasarkan pendapatan bersih dianggarkan {ringgit(figures['net_income'])} sebulan, ansuran {ringgit(figures['instalment'])} "
            f"dan komitmen {ringgit(values['monthly_commitments'])} sebulan, nisbah khidmat hutang ialah {figures['dsr']:.1f}%."
        )
    verdict = {
        "lulus": "Permohonan ini disyorkan untuk diluluskan, tertakluk kepada keputusan pegawai.",
        "rujuk": "Permohonan ini dirujuk kepada pegawai untuk semakan lanjut.",
        "tolak": "Permohonan ini disyorkan untuk tidak diluluskan. Keputusan muktamad dibuat oleh pegawai.",
    }[case["recommendation"]]
    return "\n".join([*lines, verdict, "", "Sebab:", *(f"- {reason}" for reason in case["reasons"])])
