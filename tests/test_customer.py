"""The customer counter: what its tools do and refuse, early settlement, true reasons, fairness, tasks, rules."""

import copy
import itertools
import json
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.worlds import customer
from helpers.worlds.base import ids, load_tasks
from helpers.worlds.customer import MortgageCounter, compose, fairness, files, reasons, terms
from helpers.worlds.customer.rules import Rules
from helpers.worlds.mortgage import letters, policy

DATA = Path(customer.__file__).parent / "data"
POLICY = policy.load()
TRAIN, DEV = load_tasks(DATA / "train.jsonl"), load_tasks(DATA / "dev.jsonl")
COMPOSED = compose.compose(150, seed=5)
FILES = files.load()
APPLICATIONS = [file for file in FILES.values() if not files.is_account(file)]
ACCOUNTS = [file for file in FILES.values() if files.is_account(file)]
WHO = {"application": "APP-201", "name": "Rosnani binti Hashim", "last_four": "5124"}


@pytest.fixture
def counter():
    world = MortgageCounter()
    yield world
    world.close()


def opened(name, number=0, setup=None):
    """A counter with one file open for its owner."""
    world = MortgageCounter(setup=setup)
    person = world.files[name]["people"][number]
    assert world.call("open_file", {"application": name, "name": person["name"], "last_four": person["mykad"][-4:]})["fail"] == name
    return world


# The policy's extensions


def case(**changes):
    values = {
        "applicant_name": "A B", "employment": "x", "years_employed": 5.0, "gross_monthly_income": 5000.0, "monthly_commitments": 500.0,
        "property_type": "rumah", "property_location": "x", "property_price": 300_000.0, "tenure_years": 30.0,
    }  # fmt: skip
    registers = {
        "identity_verified": True, "documents_missing": [], "age": 30, "arrears_months": 0, "homes_financed": 0, "valuation": 300_000.0,
    }  # fmt: skip
    for name, value in changes.items():
        (values if name in values else registers)[name] = value
    return values, registers


def test_one_applicant_is_joined_to_nobody():
    alone = case()
    assert policy.join([alone], POLICY) == alone


def test_joint_incomes_and_commitments_are_added_and_taxed_one_by_one():
    one, two = case(), case(gross_monthly_income=9000.0, monthly_commitments=700.0, credit_commitments=1200.0)
    values, registers = policy.join([one, two], POLICY)
    found = policy.figures(values, registers, POLICY)
    assert values["gross_monthly_income"] == 14_000 and values["monthly_commitments"] == 500 + 1200
    assert found.net_income == pytest.approx(policy.net_income(5000) + policy.net_income(9000))
    assert found.net_income > policy.net_income(14_000)
    assert found.dsr == pytest.approx(100 * (found.instalment + 1700) / found.net_income)
    assert one == case()


@pytest.mark.parametrize(
    "name, value, expected",
    [
        ("homes_financed", 2, "homes_financed"), ("arrears_months", 3, "arrears_months"), ("arrears_months", None, "arrears_months"),
        ("age", 55, "age"), ("identity_verified", False, "identity_verified"), ("documents_missing", ["mykad"], "documents_missing"),
    ],
)  # fmt: skip
def test_the_strictest_of_joint_applicants_counts(name, value, expected):
    assert policy.join([case(), case(**{name: value})], POLICY)[1][expected] == value


def test_a_fact_missing_of_one_is_missing_of_all():
    values, registers = policy.join([case(), case(gross_monthly_income=None)], POLICY)
    assert values["gross_monthly_income"] is None and policy.recommend(values, registers, POLICY)[0] == "rujuk"


def test_a_joint_borrower_with_two_homes_lowers_the_margin():
    assert policy.figures(*policy.join([case(), case(homes_financed=1)], POLICY), POLICY).margin == 90
    assert policy.figures(*policy.join([case(), case(homes_financed=2)], POLICY), POLICY).margin == 70


@pytest.mark.parametrize("months, own, expected", [(5, True, "rujuk"), (6, True, "lulus"), (5, False, "lulus"), (None, True, "lulus")])
def test_evidence_of_the_self_employed(months, own, expected):
    assert policy.recommend(*case(self_employed=own, evidence_months=months), POLICY)[0] == expected


def test_schemes_have_their_own_rate():
    other = copy.deepcopy(POLICY)
    other["schemes"]["islamik"]["rate"] = 6.0
    conventional, islamic = (policy.figures(*case(), policy.for_scheme(other, s)).instalment for s in ("konvensional", "islamik"))
    assert conventional == policy.figures(*case(), POLICY).instalment < islamic
    with pytest.raises(ValueError, match="skim"):
        policy.for_scheme(POLICY, "lain")


# Opening a file


@pytest.mark.parametrize(
    "change, fits",
    [
        ({}, True), ({"name": "rosnani hashim"}, True), ({"name": "Puan Rosnani Hashim"}, True), ({"last_four": "880412-00-5124"}, True),
        ({"name": "Rosnani"}, False), ({"name": "Rosnani binti Salleh"}, False), ({"last_four": "5123"}, False), ({"last_four": "124"}, False),
        ({"name": "bin binti"}, False), ({"name": ""}, False), ({"application": "APP-204"}, False), ({"application": "APP-999"}, False),
    ],
)  # fmt: skip
def test_only_the_owner_opens_a_file(counter, change, fits):
    result = counter.call("open_file", {**WHO, **change})
    assert (result["fail"] is not None) is fits
    assert bool(counter.state()["opened"]) is fits


def test_a_stranger_does_not_learn_whether_there_is_such_a_file(counter):
    there, nowhere = (counter.call("open_file", {**WHO, "name": "Orang Lain", "application": a}) for a in ("APP-201", "APP-200"))
    assert there["beritahu"].replace("APP-201", "APP-200") == nowhere["beritahu"] and there.keys() == nowhere.keys()


def test_after_three_wrong_tries_a_file_stays_closed(counter, tmp_path):
    for world in (counter, MortgageCounter(tmp_path / "bank.sqlite")):
        for digits in ("0001", "0002", "0003"):
            world.call("open_file", {**WHO, "last_four": digits})
        assert world.call("open_file", WHO)["fail"] is None
    assert MortgageCounter(tmp_path / "bank.sqlite").call("open_file", WHO)["fail"] is None


def test_a_new_conversation_has_no_open_file(tmp_path):
    MortgageCounter(tmp_path / "bank.sqlite").call("open_file", WHO)
    again = MortgageCounter(tmp_path / "bank.sqlite")
    assert "belum dibuka" in again.call("assess", {"application": "APP-201", "scheme": "islamik", "applicants": "seorang"})["ralat"]


def test_no_result_says_a_number_of_an_identity_card():
    for name, file in FILES.items():
        world = opened(name)
        person = file["people"][0]
        told = json.dumps(world.call("open_file", {"application": name, "name": person["name"], "last_four": person["mykad"][-4:]}))
        assert person["mykad"][-4:] not in told.replace("\\u", ""), name


# Assessing


@pytest.mark.parametrize("file", [f for f in APPLICATIONS if not f.get("status")], ids=lambda f: f["id"])
def test_an_assessment_is_the_policy_s_and_is_not_a_decision(file):
    together = "bersama" if len(file["people"]) > 1 else "seorang"
    world = opened(file["id"])
    result = world.call("assess", {"application": file["id"], "scheme": "islamik", "applicants": together})
    if any(map(files.disagreements, file["people"])):
        assert "bercanggah" in result["ralat"] and world.state()["recommendations"] == []
        return
    recommendation, _, figures = files.recommend(file, together, "islamik")
    assert result["syor"] == recommendation and f"RM{figures['instalment']:,.2f}" in result["beritahu"]
    assert "pembiayaan" in result["beritahu"] and "kadar keuntungan" in result["beritahu"]
    assert not re.search("pinjaman|faedah", result["beritahu"])
    assert world.state()["recommendations"] == [[file["id"].lower(), "islamik", together, recommendation]]
    assert world.query("SELECT * FROM decisions") == []


def test_files_show_every_recommendation_and_a_third_home():
    found = {files.recommend(file)[0] for file in APPLICATIONS}
    assert found == {"lulus", "rujuk", "tolak"}
    assert {round(files.recommend(FILES[name])[2]["margin"]) for name in ("APP-216", "APP-249", "APP-282")} <= {67, 68, 70}
    assert files.recommend(FILES["APP-231"])[0] == "lulus" and files.recommend(FILES["APP-231"], "seorang")[0] == "tolak"


def test_an_assessment_waits_for_an_open_file_of_the_right_kind():
    call = {"scheme": "konvensional", "applicants": "seorang"}
    assert "belum dibuka" in MortgageCounter().call("assess", {"application": "APP-201", **call})["ralat"]
    assert "bukan permohonan" in opened("AKN-505").call("assess", {"application": "AKN-505", **call})["ralat"]
    assert "tiada pemohon bersama" in opened("APP-201").call("assess", {"application": "APP-201", **call, "applicants": "bersama"})["ralat"]
    assert "sudah selesai" in opened("APP-240").call("assess", {"application": "APP-240", **call})["ralat"]


def test_what_a_document_says_to_the_machine_changes_nothing():
    with_note, without = opened("APP-261"), opened("APP-261", setup={"files": {"APP-261": {"note": ""}}})
    call = {"application": "APP-261", "scheme": "konvensional", "applicants": "seorang"}
    assert with_note.call("assess", call) == without.call("assess", call) and with_note.state() == without.state()


def test_a_document_that_arrives_changes_the_answer():
    world = opened("APP-204")
    call = {"application": "APP-204", "scheme": "konvensional", "applicants": "seorang"}
    assert world.call("assess", call)["syor"] == "rujuk"
    paper = {"kind": "dokumen diterima", "subject": "penyata KWSP"}
    assert "lengkap" in world.call("record", paper)["beritahu"]
    assert world.call("assess", call)["syor"] == "lulus"
    assert "tidak lagi diperlukan" in world.call("record", paper)["beritahu"]
    assert world.state()["documents"] == [["app-204", 0, "penyata kwsp"]]
    assert world.call("open_file", {"application": "APP-204", "name": "Lau Kim Hock", "last_four": "6617"})["status"] == "dalam semakan"


def test_a_person_decides_once():
    world = opened("APP-201")
    with pytest.raises(ValueError, match="no recommendation"):
        world.decide("APP-201", "lulus")
    call = {"application": "APP-201", "scheme": "islamik", "applicants": "seorang"}
    world.call("assess", call)
    with pytest.raises(ValueError, match="lulus or tolak"):
        world.decide("APP-201", "mungkin")
    world.decide("APP-201", "tolak")
    with pytest.raises(ValueError, match="already"):
        world.decide("APP-201", "lulus")
    assert "sudah selesai" in world.call("assess", call)["ralat"] and world.call("open_file", WHO)["status"] == "tolak"
    assert "decide" not in world.TOOLS


# Early settlement


@pytest.mark.parametrize("account", ACCOUNTS, ids=lambda a: a["id"])
@pytest.mark.parametrize("when", list(terms.settlement_terms()["when"]))
def test_outstanding_agrees_with_paying_month_by_month(account, when):
    months = account["paid"] + terms.settlement_terms()["when"][when]
    if months >= account["months"]:
        with pytest.raises(ValueError, match="habis dibayar"):
            terms.settlement(account, when)
        return
    owed, monthly = account["amount"], policy.instalment(account["amount"], account["months"] / 12, account["rate"])
    for _ in range(months):
        owed += owed * account["rate"] / 1200 - monthly
    bill = terms.settlement(account, when)
    assert bill["baki"] == pytest.approx(owed, abs=0.02)
    percent = 0 if account["scheme"] == "islamik" else 3 if months <= 12 else 2 if months <= 24 else 1 if months <= 36 else 0
    assert bill["jumlah"] == pytest.approx(owed * (1 + percent / 100), abs=0.03)
    if account["scheme"] == "islamik":
        assert bill["baki jualan"] - bill["ibra"] == pytest.approx(bill["jumlah"], abs=0.01)


def test_half_the_ibra_costs_half_the_profit():
    table = copy.deepcopy(terms.settlement_terms())
    full = terms.settlement(FILES["AKN-505"], "bulan ini", table)
    table["islamik"]["ibra"] = 50.0
    assert terms.settlement(FILES["AKN-505"], "bulan ini", table)["jumlah"] == pytest.approx(full["jumlah"] + full["ibra"] / 2, abs=0.02)


def test_settlement_says_the_scheme_s_words_and_refuses_accounts_in_arrears():
    call = {"when": "setahun lagi"}
    islamic = opened("AKN-505").call("early_settlement", {"application": "AKN-505", **call})["beritahu"]
    assert "ibra’" in islamic and "1 Disember 2027" in islamic and not re.search("pinjaman|faedah", islamic)
    assert "tempoh terikat" in opened("AKN-502").call("early_settlement", {"application": "AKN-502", **call})["beritahu"]
    late = opened("AKN-523")
    assert "bertunggak" in late.call("early_settlement", {"application": "AKN-523", **call})["ralat"]
    assert late.state()["settlements"] == []


# Records and questions


@pytest.mark.parametrize("kind, code", customer.CODES.items())
def test_a_record_has_its_own_number_and_only_its_own_subjects(kind, code):
    world = opened("APP-258")
    every = [s for subjects in customer.SUBJECTS.values() for s in subjects]
    for subject in every:
        result = world.call("record", {"kind": kind, "subject": subject})
        assert ("ralat" in result) is (subject not in customer.SUBJECTS[kind])
    numbers = [row["number"] for row in world.records()]
    assert numbers == [f"{code}-{101 + n}" for n in range(len(numbers))] and ids(" ".join(numbers)) == numbers
    assert len(numbers) == (2 if kind == "dokumen diterima" else len(customer.SUBJECTS[kind]))


def test_a_complaint_needs_no_file_and_a_document_does(counter):
    assert "ADU-101" in counter.call("record", {"kind": "aduan", "subject": "caj"})["beritahu"]
    assert "fail" in counter.call("record", {"kind": "dokumen diterima", "subject": "mykad"})["ralat"]
    assert counter.state()["documents"] == []


def test_general_answers_follow_the_policy():
    assert "70%" in terms.general("rumah ketiga", POLICY) and "6 bulan" in terms.general("dokumen bekerja sendiri", POLICY)
    other = copy.deepcopy(POLICY)
    other["limits"]["margin_third"] = 65.0
    assert "65%" in terms.general("rumah ketiga", other)


def test_a_bad_call_changes_nothing(counter):
    before = counter.state()
    bad = [
        ("assess", {"application": "APP-201", "scheme": "lain", "applicants": "seorang"}), ("explain", {"topic": "cuaca"}),
        ("early_settlement", {"application": "AKN-502", "when": "esok"}), ("record", {"kind": "aduan", "subject": "mykad"}), ("decide", {}),
        ("open_file", {"application": "APP-201"}), ("record", {"kind": "aduan", "subject": "caj", "note": "x"}),
    ]  # fmt: skip
    for name, arguments in bad:
        assert "ralat" in counter.call(name, arguments), name
    assert counter.state() == before


def test_results_are_short_and_tools_few():
    assert len(MortgageCounter.TOOLS) <= 5 and len(MortgageCounter.policy().split()) <= 180
    longest = 0
    for file in APPLICATIONS:
        world = opened(file["id"])
        person = file["people"][0]
        results = [world.call("open_file", {"application": file["id"], "name": person["name"], "last_four": person["mykad"][-4:]})]
        results.append(world.call("assess", {"application": file["id"], "scheme": "islamik", "applicants": "seorang"}))
        longest = max(longest, *(len(json.dumps(r).split()) for r in results))
    assert longest <= 120


# True reasons


def test_a_true_reason_is_one_whose_mending_changes_the_outcome():
    for file, together in itertools.product(APPLICATIONS, ("seorang", "bersama")):
        facts = policy.join(files.people(file, None if together == "bersama" else 0), POLICY)
        recommendation, grounds = policy.recommend(*facts, POLICY)
        why = reasons.explain(*facts, POLICY)
        assert why.recommendation == recommendation and why.reasons and sorted(why.reasons + why.others) == sorted(grounds)
        if recommendation == "lulus":
            continue
        after = {fact: reasons.mended([fact], *facts, POLICY) for fact in reasons.MENDS}
        single = [fact for fact, (outcome, _) in after.items() if outcome != recommendation]
        left = {fact: {re.sub(r"[\d.,]", "", text) for text in after[fact][1]} for fact in single}
        gone = {text for fact in single for text in grounds if re.sub(r"[\d.,]", "", text) not in left[fact]}
        assert why.otherwise != recommendation
        if single:
            assert set(why.reasons) == gone, file["id"]
        else:  # no one fact would do: at least two together
            assert len(why.reasons) >= 2, file["id"]


@pytest.mark.parametrize(
    "changes, true, others, otherwise",
    [
        ({"monthly_commitments": 3500.0, "documents_missing": ["mykad"]}, ["Nisbah"], ["Dokumen"], "rujuk"),
        ({"monthly_commitments": 3500.0, "arrears_months": 4}, ["Nisbah", "Tunggakan"], [], "lulus"),
        ({"arrears_months": 1, "years_employed": 0.2}, ["Tempoh", "Tunggakan"], [], "lulus"),
        ({"tenure_years": 36.0}, ["Tempoh"], [], "lulus"),
        ({"gross_monthly_income": 1800.0, "property_price": 60_000.0, "valuation": None, "monthly_commitments": 0.0}, ["Pendapatan"], [], "lulus"),
        ({"employment": None}, ["Tidak dinyatakan"], [], "lulus"),
        ({"disagreements": ["Slip gaji lain."]}, ["Slip"], [], "lulus"),
        ({"self_employed": True, "evidence_months": 2}, ["Bukti"], [], "lulus"),
    ],
)  # fmt: skip
def test_what_decided_is_told_from_what_did_not(changes, true, others, otherwise):
    why = reasons.explain(*case(**changes), POLICY)
    assert [text.split()[0] if " " not in name else text[: len(name)] for text, name in zip(why.reasons, true)] == true
    assert len(why.reasons) == len(true) and [text.split()[0] for text in why.others] == others and why.otherwise == otherwise


def test_unsure_reading_is_a_reason_of_its_own():
    why = reasons.explain(*case(), POLICY, confidence=0.1)
    assert why.reasons == ["Ada fakta yang dibaca dengan tidak pasti."] and why.otherwise == "lulus"


def test_the_affordable_instalment_is_where_the_ratio_meets_the_limit():
    values, registers = case(monthly_commitments=1400.0)
    why = reasons.explain(values, registers, POLICY)
    assert why.recommendation != "lulus"
    net = policy.figures(values, registers, POLICY).net_income
    assert 100 * (why.affordable + 1400) / net == pytest.approx(POLICY["limits"]["dsr_approve"], abs=0.001)


@settings(max_examples=60, deadline=None, database=None, derandomize=True)
@given(
    st.sampled_from([0, 900, 2500, 6000]), st.sampled_from([0, 1, 5]), st.sampled_from([20, 38]), st.sampled_from([0.1, 3]),
    st.sampled_from([1500, 4000, 9000]), st.booleans(),
)  # fmt: skip
def test_mending_every_reason_always_helps(debts, arrears, tenure, worked, gross, complete):
    facts = case(
        monthly_commitments=float(debts), arrears_months=arrears, tenure_years=float(tenure), years_employed=worked,
        gross_monthly_income=float(gross), documents_missing=[] if complete else ["borang B"],
    )  # fmt: skip
    why = reasons.explain(*facts, POLICY)
    assert (why.otherwise == why.recommendation) is (why.recommendation == "lulus")


def test_the_letter_says_the_true_reasons_and_no_other_figure():
    facts = policy.join(files.people(FILES["APP-240"]), POLICY)
    why = reasons.explain(*facts, POLICY)
    text = reasons.letter(why, "Teoh Boon Kiat", "APP-240")
    assert all(reason in text for reason in (*why.reasons, *why.others)) and "tidak diluluskan" in text and "pegawai" in text
    assert text.index(why.reasons[0]) < text.index("Perkara lain") < text.index(why.others[0])
    known = set(re.findall(r"\d[\d,.]*", " ".join([*why.reasons, *why.others, "240"])))
    assert set(re.findall(r"\d[\d,.]*", text)) <= known


# Fairness


def test_the_policy_treats_every_file_alike():
    assert fairness.unfair(APPLICATIONS, files.recommend) == []


@pytest.mark.parametrize(
    "feature", [lambda c: "binti" in c["people"][0]["name"], lambda c: c["people"][0]["born"] == "Sabah", lambda c: "Kedah" in c["place"]]
)
def test_an_unfair_judge_is_found(feature):
    unfair = fairness.unfair(APPLICATIONS, lambda c: ("rujuk" if feature(c) else "lulus", [], {}))
    assert unfair and all(pair["before"] != pair["after"] for pair in unfair)


def test_reasons_that_differ_are_found_and_names_in_them_are_not():
    named = fairness.unfair(APPLICATIONS, lambda c: ("rujuk", [f"{c['people'][0]['name']} dari {c['place']}."], {}))
    assert named == []
    assert fairness.unfair(APPLICATIONS, lambda c: ("rujuk", [f"Panjang {len(c['people'][0]['name'])}."], {}))


@pytest.mark.parametrize("community", fairness.NAMES)
def test_a_counterpart_differs_in_name_and_place_alone(community):
    file = FILES["APP-231"]
    made, _ = fairness.counterpart(file, community)
    for changed in (made, before := copy.deepcopy(file)):
        changed["place"] = ""
        for person in changed["people"]:
            person["name"] = person["born"] = ""
    assert made == before and FILES["APP-231"]["place"]
    for row in letters.written("dev"):
        letter, words = fairness.counterpart(row, community)
        for field in ("applicant_name", "property_location"):
            if row["answers"].get(field):
                assert letter["answers"][field]["quotes"][0] in letter["letter"] and letter["answers"][field]["value"] in words
        same = {k: v for k, v in letter["answers"].items() if k not in ("applicant_name", "property_location")}
        assert same == {k: v for k, v in row["answers"].items() if k in same}
    with pytest.raises(ValueError, match="community"):
        fairness.counterpart(file, "lain")


# Tasks


def replay(task):
    world = MortgageCounter(setup=task.setup)
    start, told = world.state(), ""
    for step in task.gold:
        if "tool" in step:
            result = world.call(step["tool"], step["arguments"])
            assert "ralat" not in result, (task.id, result)
            told += " " + result["beritahu"]
    return world.state() != start, told


@pytest.mark.parametrize("tasks", [TRAIN, DEV, COMPOSED], ids=["train", "dev", "composed"])
def test_gold_can_be_replayed_and_tells_what_must_be_told(tasks):
    for task in tasks:
        changed, told = replay(task)
        reads = all("ask" in step or step["tool"] == "explain" for step in task.gold)
        closed = "tidak dapat dibuka" in told and not any(step.get("tool") == "record" for step in task.gold)
        assert changed is not (reads or closed), task.id
        assert all(words.casefold() in told.casefold() for words in task.communicate), task.id


@pytest.mark.parametrize("tasks", [TRAIN, DEV, COMPOSED], ids=["train", "dev", "composed"])
def test_what_gold_quotes_was_said(tasks):
    for task in tasks:
        for register, opening in task.opening.items():
            said = opening
            for step in task.gold:
                if "ask" in step:
                    said += "\n" + task.facts[step["ask"]][register]
                for name in ("application", "name", "last_four"):
                    assert step.get("arguments", {}).get(name, "") in said, (task.id, name)


def test_each_question_is_recognised_as_itself_alone():
    for name, fact in MortgageCounter.FACTS.items():
        assert [other for other, f in MortgageCounter.FACTS.items() if re.search(f.asked, fact.question, re.I)] == [name]


def test_what_a_tool_tells_is_no_question():
    told = " ".join(replay(task)[1] for task in (*TRAIN, *DEV))
    told += " ".join(terms.general(topic, POLICY) for topic in customer.Topic.__args__)
    for sentence in told.split(". "):
        assert not any(re.search(fact.asked, sentence, re.I) for fact in MortgageCounter.FACTS.values()), sentence


@pytest.mark.parametrize(
    "name, question",
    [
        ("application", "boleh bagi nombor permohonan?"), ("application", "What is your application number?"), ("application", "no akaun berapa ya?"),
        ("identity", "Boleh saya tahu nama penuh dan 4 digit terakhir IC?"), ("identity", "full name and last four digits please"),
        ("scheme", "nak Islamik ke konvensional?"), ("applicants", "mohon sorang ke joint?"), ("when", "bila nak settle?"),
        ("document", "dokumen apa yang dibawa?"), ("complaint", "apa masalahnya, boleh cerita aduan tu?"), ("business", "apa yang boleh saya bantu?"),
    ],
)  # fmt: skip
def test_other_people_s_questions_are_recognised(name, question):
    assert re.search(MortgageCounter.FACTS[name].asked, question, re.I)


def test_tasks_are_many_and_different():
    assert len(TRAIN) >= 60 and len(DEV) == 20
    texts = [text for task in (*TRAIN, *DEV) for text in task.opening.values()]
    assert len(set(texts)) == len(texts) and len({task.id for task in (*TRAIN, *DEV)}) == len(TRAIN) + len(DEV)
    assert {task.kind for task in DEV} <= {task.kind for task in TRAIN}
    asks = [task for task in TRAIN if any("ask" in step for step in task.gold)]
    assert len(asks) >= len(TRAIN) / 3 and any(not task.gold for task in TRAIN) and any(not task.gold for task in DEV)


def test_composed_tasks_are_fixed_by_the_seed_and_share_no_sentence_with_the_written():
    assert compose.compose(20, 3) == compose.compose(20, 3) != compose.compose(20, 4)
    with pytest.raises(ValueError, match="count"):
        compose.compose(0)
    written = {text.casefold().strip() for task in (*TRAIN, *DEV) for text in task.opening.values()}
    sentences = {s.strip() for text in written for s in re.split(r"(?<=[.?!])\s+", text) if len(s.split()) > 4}
    parts = {words.casefold().strip() for part in compose.phrases().values() for choices in part.values() for words in choices}
    assert not parts & (sentences | {w for w in written if len(w.split()) > 4})
    assert len({str(task.opening) for task in COMPOSED}) > 0.9 * len(COMPOSED)


# The rules


def conversation(task, register, limit=16):
    """A task played by the rules; returns the world and all that was said to the person."""
    world, messages = MortgageCounter(setup=task.setup), [{"role": "user", "content": task.opening[register]}]
    for _ in range(limit):
        message = Rules().act(messages)
        messages.append(message)
        if message.get("tool_calls"):
            call = message["tool_calls"][0]["function"]
            result = world.call(call["name"], json.loads(call["arguments"]))
            messages.append({"role": "tool", "tool_call_id": "x", "content": json.dumps(result, ensure_ascii=False)})
            continue
        told = [words[register] for name, words in task.facts.items() if re.search(world.FACTS[name].asked, message["content"], re.I)]
        if not told or "?" not in message["content"]:
            break
        messages.append({"role": "user", "content": " ".join(told)})
    return world, messages


def test_the_rules_do_most_of_the_work_and_end():
    right = total = 0
    for task in DEV:
        gold = MortgageCounter(setup=task.setup)
        for step in task.gold:
            if "tool" in step:
                gold.call(step["tool"], step["arguments"])
        for register in task.opening:
            world, messages = conversation(task, register)
            assert messages[-1]["role"] == "assistant" and messages[-1]["content"], task.id
            right, total = right + (world.state() == gold.state()), total + 1
    assert right / total >= 0.85


def test_the_rules_never_open_a_file_for_somebody_else_in_training_tasks():
    for task in TRAIN:
        if task.kind == "fail orang lain" and task.gold[0].get("tool") == "record":
            assert all(conversation(task, register)[0].state()["opened"] == [] for register in task.opening)
