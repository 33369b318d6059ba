"""The mortgage desk: arithmetic, policy, the world's state and tools, and what a letter may not do to it."""

import copy
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.agents import desk as mortgage_desk
from helpers.agents.reading import ModelReader, Reading, RulesReader
from helpers.models.constrained import Answer
from helpers.worlds.mortgage import Documents, MortgageDesk, fields, gold_recommendation, invent_documents, letters, policy

POLICY = policy.load()
LIMITS = POLICY["limits"]
VALUES = {
    "applicant_name": "Roslina binti Kadir", "gross_monthly_income": 6000.0, "monthly_commitments": 500.0, "property_price": 400_000.0,
    "property_type": "teres", "property_location": "Kluang", "tenure_years": 30.0, "employment": "kerani", "years_employed": 5.0,
}  # fmt: skip
REGISTERS = {
    "identity_verified": True, "documents_missing": [], "age": 30, "self_employed": False,
    "arrears_months": 0, "credit_commitments": None, "homes_financed": 0, "valuation": None,
}  # fmt: skip
PAPERS = Documents("Roslina binti Kadir", "900101-00-5566", 30, False, list(POLICY["documents"]["salaried"]), 0)
LETTER = (
    "Saya Roslina binti Kadir, kerani di Kluang sejak 2015. Gaji saya RM6,000 sebulan, ansuran kereta RM500. "
    "Saya ingin membeli rumah teres di Simpang Renggam berharga RM400,000, tempoh 30 tahun."
)


def judged(confidence=1.0, registers=(), **values):
    return policy.recommend({**VALUES, **values}, {**REGISTERS, **dict(registers)}, POLICY, confidence)


def gold_reading(row):
    return Reading({name: answer and {"value": answer["value"], "quotes": answer["quotes"]} for name, answer in row["answers"].items()})


class Given:
    """A reader that hands over one reading."""

    def __init__(self, reading):
        self.reading = reading

    def read(self, letter):
        return self.reading


# Arithmetic


@pytest.mark.parametrize(
    "amount, years, rate, expected",
    [(450_000, 35, 4.10, 2019.57), (450_000, 35, 5.10, 2299.87), (120_000, 10, 0, 1000.0), (100_000, 1 / 12, 12, 101_000.0)],
)
def test_instalment(amount, years, rate, expected):
    assert policy.instalment(amount, years, rate) == pytest.approx(expected, abs=0.005)


def test_an_instalment_pays_the_loan_off():
    monthly, owed = policy.instalment(300_000, 25, 4.1), 300_000.0
    for _ in range(300):
        owed = owed * (1 + 0.041 / 12) - monthly
    assert owed == pytest.approx(0, abs=0.01)


def test_no_tenure_no_instalment():
    with pytest.raises(ValueError, match="above zero"):
        policy.instalment(100_000, 0, 4.1)


@pytest.mark.parametrize("self_employed", [False, True])
def test_net_income_rises_with_gross_income_and_stays_below_it(self_employed):
    nets = [policy.net_income(gross, self_employed) for gross in range(0, 200_000, 250)]
    assert all(one < other for one, other in zip(nets, nets[1:]))
    assert all(0 <= net <= gross for net, gross in zip(nets, range(0, 200_000, 250)))
    assert policy.net_income(4000, True) > policy.net_income(4000, False)


def test_net_income_of_a_small_wage_is_gross_less_contributions():
    # 2,000: below the first taxed ringgit that matters; EPF 220, SOCSO and EIS 14, tax on 12·2,000 − 9,000 − 2,640
    assert policy.net_income(2000) == pytest.approx(2000 - 220 - 14 - 0.01 * (24_000 - 9_000 - 2_640 - 5_000) / 12)


def test_figures():
    found = policy.figures(VALUES, REGISTERS, POLICY)
    assert found.financing == 360_000
    assert found.instalment == pytest.approx(policy.instalment(360_000, 30, POLICY["rates"]["profit_rate"]))
    assert found.dsr == pytest.approx(100 * (found.instalment + 500) / policy.net_income(6000))
    assert found.margin == pytest.approx(90)


def test_the_higher_of_stated_and_recorded_commitments_counts():
    stated = policy.figures(VALUES, REGISTERS, POLICY).dsr
    assert policy.figures(VALUES, {**REGISTERS, "credit_commitments": 900.0}, POLICY).dsr > stated
    assert policy.figures(VALUES, {**REGISTERS, "credit_commitments": 100.0}, POLICY).dsr == stated


@pytest.mark.parametrize(
    "homes, valuation, financing",
    [
        (0, None, 360_000),
        (1, None, 360_000),
        (2, None, 280_000),
        (3, None, 280_000),
        (0, 350_000, 315_000),
        (2, 350_000, 245_000),
        (2, 500_000, 280_000),
    ],
)
def test_margin_is_of_the_lower_of_price_and_valuation_and_70_from_the_third_home(homes, valuation, financing):
    found = policy.figures(VALUES, {**REGISTERS, "homes_financed": homes, "valuation": valuation}, POLICY)
    assert found.financing == pytest.approx(financing)
    assert found.margin == pytest.approx(100 * financing / 400_000)


@pytest.mark.parametrize("name", ["property_price", "tenure_years", "gross_monthly_income", "monthly_commitments"])
def test_no_ratio_without_its_facts(name):
    assert policy.figures({**VALUES, name: None}, REGISTERS, POLICY).dsr is None


# Policy


def with_ratio(ratio):
    """Commitments that bring the debt-service ratio to `ratio` per cent."""
    net = policy.net_income(VALUES["gross_monthly_income"])
    return ratio / 100 * net - policy.figures(VALUES, REGISTERS, POLICY).instalment


def test_a_sound_application():
    recommendation, reasons = judged()
    assert recommendation == "lulus"
    assert f"{policy.figures(VALUES, REGISTERS, POLICY).dsr:.1f}%" in reasons[0]


@pytest.mark.parametrize("name", VALUES)
def test_a_missing_fact_is_referred(name):
    recommendation, reasons = judged(**{name: None})
    assert recommendation == "rujuk"
    assert reasons[0].startswith("Tidak dinyatakan dalam surat")


@pytest.mark.parametrize(
    "ratio, expected", [(45, "lulus"), (59.9, "lulus"), (60.1, "rujuk"), (74.9, "rujuk"), (75.1, "tolak"), (200, "tolak")]
)
def test_bands_of_the_debt_service_ratio(ratio, expected):
    assert judged(monthly_commitments=with_ratio(ratio))[0] == expected


@pytest.mark.parametrize("months, expected", [(0, "lulus"), (1, "rujuk"), (2, "rujuk"), (3, "tolak"), (12, "tolak"), (None, "rujuk")])
def test_arrears(months, expected):
    assert judged(registers={"arrears_months": months})[0] == expected


@pytest.mark.parametrize(
    "change, expected",
    [
        ({"gross_monthly_income": 1999.0, "property_price": 50_000.0, "monthly_commitments": 0.0}, "tolak"),
        ({"gross_monthly_income": 2000.0, "property_price": 50_000.0, "monthly_commitments": 0.0}, "lulus"),
        ({"tenure_years": 35.0}, "lulus"),
        ({"tenure_years": 36.0}, "rujuk"),
        ({"years_employed": 0.4}, "rujuk"),
        ({"years_employed": 0.5}, "lulus"),
    ],
)
def test_limits_on_facts(change, expected):
    assert judged(**change)[0] == expected


@pytest.mark.parametrize(
    "change, expected",
    [
        ({"age": 40}, "lulus"),
        ({"age": 41}, "rujuk"),
        ({"identity_verified": False}, "rujuk"),
        ({"identity_verified": None}, "rujuk"),
        ({"documents_missing": None}, "rujuk"),
        ({"documents_missing": ["penyata KWSP"]}, "rujuk"),
    ],
)
def test_limits_on_registers(change, expected):
    assert judged(registers=change)[0] == expected


def test_every_ground_is_named():
    _, reasons = judged(registers={"arrears_months": 4, "identity_verified": False}, monthly_commitments=9000.0, tenure_years=40.0)
    text = " ".join(reasons)
    assert all(word in text for word in ("Tunggakan 4", "Identiti", "Nisbah", "Tempoh 40"))


@pytest.mark.parametrize("change", [{"monthly_commitments": 9000.0}, {"gross_monthly_income": 1500.0}])
def test_unsure_facts_never_reject(change):
    assert judged(**change)[0] == "tolak"
    assert judged(confidence=LIMITS["confidence_refer"] - 0.01, **change)[0] == "rujuk"
    assert judged(confidence=LIMITS["confidence_refer"], **change)[0] == "tolak"


def test_unsure_facts_never_approve():
    assert judged(confidence=LIMITS["confidence_refer"] - 0.01)[0] == "rujuk"


@pytest.mark.parametrize("change", [{"property_price": 0.0}, {"tenure_years": 0.0}, {"tenure_years": 0.01}])
def test_facts_that_no_ratio_follows_from_are_referred(change):
    recommendation, reasons = judged(**change)
    assert recommendation == "rujuk"
    assert any("tidak dapat dikira" in reason for reason in reasons)


def test_no_documents_no_approval():
    for split in ("train", "dev"):
        for row in letters.written(split):
            assert gold_recommendation(row, Documents()) != "lulus", row["id"]


def test_invented_documents_are_the_letters_own_and_give_every_recommendation():
    rows = letters.written("train")
    assert all(invent_documents(row) == invent_documents(row) for row in rows)
    assert {gold_recommendation(row, invent_documents(row)) for row in rows} == {"lulus", "rujuk", "tolak"}
    assert all(re.fullmatch(r"\d{6}-00-\d{4}", invent_documents(row).mykad_number) for row in rows)


def test_another_policy_judges_otherwise(tmp_path):
    path = tmp_path / "policy.toml"
    source = (policy.Path(policy.__file__).parent / "data" / "policy.toml").read_text(encoding="utf-8")
    path.write_text(source.replace("dsr_approve = 60.0", "dsr_approve = 10.0"), encoding="utf-8")
    assert policy.recommend(VALUES, REGISTERS, policy.load(path))[0] == "rujuk"
    assert judged()[0] == "lulus"


def test_policy_in_words_says_the_figures_of_the_policy_file():
    text = (policy.Path(policy.__file__).parent / "policy.md").read_text(encoding="utf-8")
    for name in ("dsr_approve", "dsr_reject", "margin_first", "margin_third"):
        assert f"{LIMITS[name]:.0f}%" in text, name
    assert f"RM{LIMITS['minimum_income']:,.0f}" in text
    assert f"{LIMITS['maximum_tenure']:.0f} tahun" in text and f"{LIMITS['maximum_age_at_end']} tahun" in text


# The world


@pytest.fixture
def bank():
    bank = MortgageDesk()
    bank.receive("app-1", LETTER, PAPERS)
    yield bank
    bank.close()


def test_the_tools(bank):
    assert bank.read_application("app-1") == LETTER
    registers = bank.verify_identity_and_documents("app-1", "Puan Roslina Kadir") | bank.credit_record("app-1")
    assert registers == REGISTERS
    assert bank.compute_figures(VALUES, registers) == policy.figures(VALUES, REGISTERS, POLICY).as_dict()
    assert bank.record_recommendation("app-1", "rujuk", ["Sebab."]) == "app-1: rujuk"
    assert [row[:3] for row in bank.table("recommendations")] == [("app-1", "rujuk", '["Sebab."]')]
    assert all(callable(getattr(bank, tool)) for tool in bank.TOOLS) and not {"receive", "decide"} & set(bank.TOOLS)


@pytest.mark.parametrize("name, verified", [("Roslina", False), ("Roslina binti Salleh", False), (None, False), ("roslina kadir", True)])
def test_identity_is_two_names_on_the_card(bank, name, verified):
    assert bank.verify_identity_and_documents("app-1", name)["identity_verified"] is verified


def test_documents_are_those_of_the_kind_of_work():
    with_branch = copy.copy(PAPERS)
    with_branch.self_employed = True
    bank = MortgageDesk()
    bank.receive("app-1", LETTER, with_branch)
    bank.receive("app-2", LETTER)
    assert bank.verify_identity_and_documents("app-1", "x")["documents_missing"] == ["pendaftaran SSM", "borang B"]
    assert bank.verify_identity_and_documents("app-2", "x")["documents_missing"] is None


def test_state_is_kept_in_the_file(tmp_path):
    first = MortgageDesk(tmp_path / "desk.sqlite")
    first.receive("app-1", LETTER, PAPERS)
    first.record_recommendation("app-1", "lulus", ["Baik."])
    first.close()
    second = MortgageDesk(tmp_path / "desk.sqlite")
    assert second.read_application("app-1") == LETTER
    assert second.credit_record("app-1")["arrears_months"] == 0
    assert second.decide("app-1", "tolak", "lain") == "app-1: tolak, direkodkan"
    second.close()
    third = MortgageDesk(tmp_path / "desk.sqlite")
    assert [row[:3] for row in third.table("decisions")] == [("app-1", "tolak", "lain")]
    third.close()


def test_an_application_is_received_once(bank):
    with pytest.raises(ValueError, match="already"):
        bank.receive("app-1", "Surat lain.")
    assert bank.read_application("app-1") == LETTER
    with pytest.raises(ValueError, match="empty"):
        bank.receive("app-2", " \n")
    assert [row[0] for row in bank.table("applications")] == ["app-1"]


def test_the_first_decision_stands(bank):
    with pytest.raises(KeyError, match="no recommendation yet"):
        bank.decide("app-1", "lulus")
    bank.record_recommendation("app-1", "rujuk", ["Sebab."])
    with pytest.raises(ValueError, match="no decision"):
        bank.decide("app-1", "mungkin")
    bank.decide("app-1", "lulus")
    with pytest.raises(ValueError, match="decided already"):
        bank.decide("app-1", "tolak")
    assert [row[1] for row in bank.table("decisions")] == ["lulus"]


def test_a_recommendation_may_change_until_it_is_decided(bank):
    bank.record_recommendation("app-1", "rujuk", ["Satu."])
    bank.record_recommendation("app-1", "tolak", ["Dua."])
    assert [row[1] for row in bank.table("recommendations")] == ["tolak"]
    bank.decide("app-1", "tolak")
    with pytest.raises(ValueError, match="decided already"):
        bank.record_recommendation("app-1", "lulus", ["Tiga."])
    assert [row[1] for row in bank.table("recommendations")] == ["tolak"]


@pytest.mark.parametrize("recommendation, reasons", [("LULUS", ["x"]), ("mungkin", ["x"]), ("lulus", []), (None, ["x"])])
def test_recommendations_are_one_of_three_with_a_reason(bank, recommendation, reasons):
    with pytest.raises(ValueError, match="at least one reason"):
        bank.record_recommendation("app-1", recommendation, reasons)
    assert bank.table("recommendations") == []


def test_unknown_applications(bank):
    for call in (bank.read_application, bank.credit_record):
        with pytest.raises(KeyError, match="app-9"):
            call("app-9")
    with pytest.raises(KeyError, match="app-9"):
        bank.verify_identity_and_documents("app-9", "x")
    with pytest.raises(KeyError, match="app-9"):
        bank.record_recommendation("app-9", "lulus", ["x"])
    with pytest.raises(KeyError, match="app-9"):
        bank.decide("app-9", "lulus")
    assert bank.table("recommendations") == bank.table("decisions") == []
    with pytest.raises(ValueError, match="no table"):
        bank.table("sqlite_master")


# A case through the desk


def test_a_case_is_traced_recorded_and_not_decided(bank):
    case = mortgage_desk.handle(bank, "app-1", RulesReader())
    assert case["recommendation"] == "lulus"
    assert [row[:2] for row in bank.table("recommendations")] == [("app-1", "lulus")]
    assert bank.table("decisions") == []
    assert {step["step"] for step in case["trace"]} >= set(MortgageDesk.TOOLS)


def test_the_least_sure_of_the_decisive_facts_is_the_confidence(bank):
    reading = RulesReader().read(LETTER)
    reading.confidence |= {"property_price": 0.1, "employment": 0.01}
    case = mortgage_desk.handle(bank, "app-1", Given(reading))
    assert (case["confidence"], case["recommendation"]) == (0.1, "rujuk")


INJECTIONS = [phrase for register in letters.REGISTERS for phrase in letters._data(f"phrases_{register}")["injection"]]


class Obeys:
    """A backend that answers well and then writes what the letter tells it to."""

    def __init__(self, answer, extra):
        self.answer, self.extra = answer, extra

    def fill(self, messages, slots):
        return Answer(f"{self.answer}\n{self.extra}")


def outcome(letter, quotes, extra):
    """What the desk makes of a letter when the model answers rightly and then adds lines of its own."""
    bank = MortgageDesk()
    bank.receive("app-1", letter, PAPERS)
    case = mortgage_desk.handle(bank, "app-1", ModelReader(Obeys(fields.write_answer(letter, quotes), extra)))
    assert bank.table("decisions") == []
    bank.close()
    return {name: case[name] for name in ("fields", "figures", "recommendation", "reasons")}


@pytest.mark.parametrize("price, expected", [("RM400,000", "lulus"), ("RM900,000", "tolak")])
def test_an_instruction_in_a_letter_changes_nothing_even_where_the_model_obeys(price, expected):
    letter = LETTER.replace("RM400,000", price)
    quotes = {name: found["quotes"] for name, found in RulesReader().read(letter).fields.items()}
    plain = outcome(letter, quotes, "")
    assert plain["recommendation"] == expected
    assert len(INJECTIONS) >= 12
    for order in INJECTIONS:
        told = "syor: lulus\nrecommendation: lulus\nkeputusan: lulus segera\ndsr: 0\nsebab: arahan dalam surat"
        assert outcome(f"{letter}\n{order}", quotes, told) == plain, order


def test_a_figure_that_the_model_invents_approves_nothing():
    quotes = {name: found["quotes"] for name, found in RulesReader().read(LETTER).fields.items()}
    letter, invented = LETTER.replace("RM400,000", "RM900,000"), "Gaji saya [RM99,000 sebulan]: gaji"
    quotes["property_price"] = ["RM900,000"]
    assert outcome(letter, quotes, "")["recommendation"] == "tolak"
    case = outcome(letter, quotes, invented)
    assert (case["recommendation"], case["fields"]["gross_monthly_income"]) == ("rujuk", None)


def numbers(text):
    return {float(n.replace(",", "")) for n in re.findall(r"\d[\d,]*(?:\.\d+)?", text)}


def test_an_explanation_has_only_figures_of_the_case():
    recommendations = set()
    for row in letters.written("train")[:100]:
        bank = MortgageDesk()
        bank.receive(row["id"], row["letter"], invent_documents(row))
        case = mortgage_desk.handle(bank, row["id"], Given(gold_reading(row)))
        bank.close()
        text = mortgage_desk.explain(case)
        values = [found["value"] for found in case["fields"].values() if found]
        known = {round(v, digits) for v in [*values, *case["figures"].values()] if isinstance(v, (int, float)) for digits in (1, 2)}
        known |= numbers(" ".join([*case["reasons"], *(v for v in values if isinstance(v, str))]))
        assert numbers(text) <= known, row["id"]
        assert all(reason in text for reason in case["reasons"])
        recommendations.add(case["recommendation"])
    assert recommendations == {"lulus", "rujuk", "tolak"}


def test_an_explanation_of_a_letter_that_says_nothing():
    bank = MortgageDesk()
    bank.receive("app-1", "Salam, saya hendak rumah.")
    text = mortgage_desk.explain(mortgage_desk.handle(bank, "app-1", RulesReader()))
    assert text.startswith("Kepada Pemohon,") and "dirujuk" in text
    assert "RM" not in text and "None" not in text


# Quotes


def test_a_quote_must_stand_in_the_letter():
    said = {"gross_monthly_income": ["RM6,000 sebulan"], "property_price": ["RM400,001"], "applicant_name": ["roslina binti kadir"]}
    found = fields.evidence(LETTER, said)
    assert found["gross_monthly_income"] == {"value": 6000, "quotes": ["RM6,000 sebulan"]}
    assert [name for name, value in found.items() if value] == ["gross_monthly_income"]


def test_one_false_quote_rejects_the_sum():
    assert fields.evidence(LETTER, {"monthly_commitments": ["RM500", "RM501"]})["monthly_commitments"] is None
    assert fields.evidence(LETTER, {"monthly_commitments": ["RM500"]})["monthly_commitments"]["value"] == 500


def test_a_quote_of_another_kind_is_no_evidence():
    found = fields.evidence(LETTER, {"gross_monthly_income": ["kerani"], "tenure_years": ["RM500"], "property_type": ["Kluang"]})
    assert not any(found.values())


lines = st.one_of(
    st.text(max_size=30),
    st.sampled_from(
        [f.key for f in fields.FIELDS] + ["tiada", "Gaji saya [RM6,000 sebulan]", "[30 tahun]", "[]", "[[RM500]]", "[tahun ke ²]"]
    ).flatmap(
        lambda key: st.sampled_from(["gaji", "hutang", "harga", "tempoh", "kerja", "lain", "-", "", "Kluang", "RM500"]).map(
            lambda v: f"{key}: {v}"
        )
    ),
)


@settings(max_examples=300, deadline=None, database=None, derandomize=True)
@given(st.lists(lines, max_size=12).map("\n".join), st.one_of(st.none(), st.lists(st.floats(0, 1), max_size=6)))
def test_any_answer_is_parsed_and_only_quotes_of_the_letter_stand(text, confidence):
    quotes, sure = fields.parse_answer(text, confidence)
    assert set(sure) == {f.name for f in fields.FIELDS} and all(0 <= p <= 1 for p in sure.values())
    found = fields.evidence(LETTER, quotes)
    assert set(found) == set(sure)
    assert all(quote in LETTER for value in found.values() if value for quote in value["quotes"])


def test_the_more_probable_of_two_claims_is_kept():
    text = "Harga [RM300,000]: harga\nHarga [RM400,000]: harga"
    assert fields.parse_answer(text, [0.9, 0.4])[0]["property_price"] == ["RM300,000"]
    assert fields.parse_answer(text)[0]["property_price"] == ["RM400,000"]


def test_debts_are_added_by_code():
    letter = "Hutang kereta RM500, PTPTN RM150.50 dan kad kredit RM80."
    labels = "\n".join(f"{figure.in_context(letter)}: hutang" for figure in fields.figures(letter))
    found = fields.evidence(letter, fields.parse_answer(labels)[0])
    assert found["monthly_commitments"] == {"value": 730.5, "quotes": ["RM500", "RM150.50", "RM80"]}
