"""The public counter: its tools and limits, its tasks, its search, its rules and its queue."""

import json
import re
from pathlib import Path

import pytest

from helpers.worlds import counter as package
from helpers.worlds.base import REGISTERS, load_tasks
from helpers.worlds.counter import MAX_QUOTE, Counter, forms, knowledge
from helpers.worlds.counter.compose import compose
from helpers.worlds.counter.rules import Rules, route
from helpers.worlds.counter.waiting import Desk, simulate

DATA = Path(package.__file__).parent / "data"
WRITTEN = {name: load_tasks(DATA / f"{name}.jsonl") for name in ("train", "dev")}
TASKS = [*WRITTEN["train"], *WRITTEN["dev"], *compose(120, seed=3)]
UNSEEN = "KBS-001"


def routed(agency="JPN", urgency="biasa"):
    counter = Counter()
    assert "ralat" not in counter.call("route", {"agency": agency, "urgency": urgency})
    return counter


def matching(text):
    return {name for name, fact in Counter.FACTS.items() if re.search(fact.asked, text, re.I)}


# ---- what the tools do, and what they refuse ----


def test_a_passage_is_cited_only_after_a_search_has_shown_it():
    counter = Counter()
    start = counter.state()
    assert "search_knowledge" in counter.call("answer", {"passage": "KBS-009"})["ralat"]
    found = counter.call("search_knowledge", {"query": "kompaun parking tak bayar"})["petikan"]
    assert counter.state() == start  # looking is not an outcome
    told = counter.call("answer", {"passage": found[0]["id"]})["beritahu"]
    assert "RM30.00" in told and "KBS-009" in told and "12/1/2026" in told


def test_an_expired_passage_is_marked_and_cannot_be_cited():
    counter = Counter()
    found = {p["id"]: p["status"] for p in counter.call("search_knowledge", {"query": "sewa dewan serbaguna"})["petikan"]}
    assert (found["KBS-022"], found["KBS-023"]) == ("berkuat kuasa", "luput")
    assert "luput" in counter.call("answer", {"passage": "KBS-023"})["ralat"]
    counter.retire("KBS-022", "2026-11-01")
    assert "luput" in counter.call("answer", {"passage": "KBS-022"})["ralat"]
    assert counter.state() == Counter().state()


def test_nothing_is_given_up_before_a_search():
    counter = Counter()
    assert "ralat" in counter.call("hand_over", {"reason": "tiada maklumat"})
    counter.call("search_knowledge", {"query": "lesen kucing"})
    assert "beritahu" in counter.call("hand_over", {"reason": "tiada maklumat"})


@pytest.mark.parametrize(
    ("agency", "urgency"), [("999", "biasa"), ("999", "segera"), ("JPJ", "kecemasan"), ("NSRC", "biasa"), ("Imigresen", "biasa")]
)
def test_urgency_is_limited_by_the_counter_itself(agency, urgency):
    counter = Counter()
    assert "ralat" in counter.call("route", {"agency": agency, "urgency": urgency})
    assert counter.state() == Counter().state()


def test_an_emergency_after_something_else_is_another_outcome():
    late = routed("JPN")
    late.call("route", {"agency": "999", "urgency": "kecemasan"})
    first = routed("999", "kecemasan")
    first.call("route", {"agency": "JPN", "urgency": "biasa"})
    assert late.state() != first.state()
    one, other = routed("JPN"), routed("SSM")  # two equal matters may come in any order
    one.call("route", {"agency": "SSM", "urgency": "biasa"})
    other.call("route", {"agency": "JPN", "urgency": "biasa"})
    assert one.state() == other.state()


def test_a_form_says_what_is_missing_and_keeps_verified_values():
    counter = routed("JPN")
    assert counter.call("fill_form", {"field": "nama", "value": "nama saya siti rahmah"})["belum"] == ["mykad", "telefon"]
    assert "ralat" in counter.call("fill_form", {"field": "mykad", "value": "850399-00-5521"})
    assert counter.call("fill_form", {"field": "mykad", "value": "ic 850312005521"})["nilai"] == "850312-00-5521"
    told = counter.call("fill_form", {"field": "telefon", "value": "013 220 4417"})["beritahu"]
    assert "Siti Rahmah" in told and "BRG-01" in told


@pytest.mark.parametrize(
    ("field", "words", "value"),
    [
        ("tarikh", "malam tadi", "2026-11-15"),
        ("tarikh", "Isnin lepas", "2026-11-09"),
        ("tarikh", "3 hari lepas", "2026-11-13"),
        ("tarikh", "25 Disember", "2025-12-25"),
        ("tarikh", "entah bila", None),
        ("tarikh", "30/11/2026", None),
        ("amaun", "dalam dua ribu ringgit", "RM2,000.00"),
        ("amaun", "RM1.5k", "RM1,500.00"),
        ("amaun", "tak ingat", None),
        ("plat", "vbk 2207", "VBK2207"),
        ("telefon", "999", None),
        ("nama", "0123", None),
    ],
)
def test_fields_are_read_by_code(field, words, value):
    today = Counter().today
    if value is None:
        with pytest.raises(ValueError, match="minta"):
            forms.read(field, words, today)
    else:
        assert forms.read(field, words, today) == value


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("fill_form", {"field": "nama", "value": "Siti"}),  # nothing was routed
        ("search_knowledge", {"query": " ".join(["sampah"] * (MAX_QUOTE + 1))}),
        ("search_knowledge", {"query": "…"}),
        ("hand_over", {"reason": "malas"}),
        ("answer", {"passage": "KBS-999"}),
        ("submit", {"agency": "JPN", "officer": "Aina"}),  # for people
    ],
)
def test_calls_that_make_no_sense_change_nothing(tool, arguments):
    counter = Counter()
    assert "ralat" in counter.call(tool, arguments)
    assert counter.state() == Counter().state()


def test_agencies_without_a_form_take_none_and_two_forms_are_filled_in_order():
    assert "belum ada borang" in routed("LHDN").call("fill_form", {"field": "nama", "value": "Siti"})["ralat"]
    counter = routed("NSRC", "segera")
    counter.call("route", {"agency": "MPS", "urgency": "biasa"})
    assert counter.call("fill_form", {"field": "telefon", "value": "013-220 4417"})["borang"] == "NSRC"
    assert counter.call("fill_form", {"field": "nama", "value": "Siti Rahmah"})["borang"] == "MPS"


def test_people_correct_and_send_what_the_agent_filled():
    counter = routed("STR")
    counter.call("fill_form", {"field": "mykad", "value": "850312-00-5521"})
    with pytest.raises(ValueError, match="belum lengkap"):
        counter.submit("STR", "Aina")
    counter.call("fill_form", {"field": "telefon", "value": "013-220 4417"})
    counter.correct("STR", "telefon", "013-220 4418", "Aina")
    assert counter.submit("STR", "Aina") == {"mykad": "850312-00-5521", "telefon": "+60132204418"}
    assert "ralat" in counter.call("fill_form", {"field": "telefon", "value": "013-220 4417"})
    counter.call("hand_over", {"reason": "aduan"})
    counter.take_over("aduan", "Aina")
    with pytest.raises(ValueError, match="tiada serahan"):
        counter.take_over("rayuan", "Aina")
    with pytest.raises(ValueError, match="sudah dihantar"):
        counter.correct("STR", "telefon", "013-220 4417", "Aina")


# ---- the knowledge base ----


def test_the_knowledge_base_is_dated_and_marks_every_figure_of_a_real_agency():
    rows = knowledge.load()
    assert len({r["id"] for r in rows}) == len(rows) >= 60
    assert {r["agency"] for r in rows} == set(forms.AGENCIES)
    for row in rows:
        assert row["date"] <= "2026-11-16" and len(row["text"].split()) <= 45
        if row["agency"] != "MPS" and re.search(r"RM\d|hari bekerja|peratus", row["text"]) and row["id"] != "KBS-067":  # the EPF rates
            assert "angka contoh" in row["text"] and "angka contoh" in row["answer"], row["id"]
        for figure in re.findall(r"RM[\d,]+\.\d\d", row["answer"]):
            assert figure in row["text"], row["id"]  # the answer says nothing that the passage does not


def test_a_result_of_the_search_stays_short():
    for query in ("kompaun letak kereta", "bayaran ganti mykad hilang", "waktu kaunter", "cukai taksiran"):
        assert len(json.dumps(Counter().call("search_knowledge", {"query": query}), ensure_ascii=False).split()) <= 120


@pytest.mark.parametrize(
    "query", ["brape denda lmbt pulang bku perpus", "berapakah denda lewat memulangkan buku perpustakaan?", "library late fine buku"]
)
def test_short_forms_and_english_find_the_same_passage(query):
    assert knowledge.search(query, knowledge.load())[0]["id"] == "KBS-029"


def test_words_that_no_passage_has_find_nothing():
    assert knowledge.search("xilofon marikh", knowledge.load()) == []


# ---- questions ----


@pytest.mark.parametrize("name", Counter.FACTS)
def test_each_question_is_recognised_as_itself_alone(name):
    assert matching(Counter.FACTS[name].question) == {name}


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ("Boleh berikan no. IC puan?", "mykad"),
        ("nombor kad pengenalan tuan?", "mykad"),
        ("siapa nama penuh encik ye", "nama"),
        ("May I have your full name?", "nama"),
        ("Boleh beri nombor telefon?", "telefon"),
        ("your phone number?", "telefon"),
        ("bila kejadian ni berlaku?", "tarikh"),
        ("How much did you lose?", "amaun"),
        ("Berapa banyak wang yang hilang?", "amaun"),
        ("kat mana kejadian tu?", "tempat"),
        ("no. plat kereta?", "plat"),
        ("Ada sesiapa yang cedera tak?", "bahaya"),
        ("Adakah tuan sudah membuat pindahan wang?", "wang"),
        ("Dah bagi OTP ke belum?", "wang"),
        ("Nak saya isikan borang sekarang?", "borang"),
        ("Would you like to fill in the form now?", "borang"),
        ("Apa yang boleh saya bantu?", "hal"),
        ("Kad apa yang hilang?", "hal"),
        ("Sila nyatakan nombor pengenalan diri.", "mykad"),
        ("Tolong bagi no hp ye", "telefon"),
        ("Pada tarikh berapa kejadian berlaku?", "tarikh"),
        ("Jumlah kerugian berapa?", "amaun"),
        ("Could you share the location?", "tempat"),
        ("Is anyone hurt or in danger?", "bahaya"),
        ("Ada duit yang dah ditransfer?", "wang"),
        ("Boleh jelaskan masalah puan dengan lebih lanjut?", "hal"),
    ],
)
def test_questions_in_other_words(words, name):
    assert matching(words) == {name}


def test_no_sentence_of_the_counter_sounds_like_a_question():
    values = {
        "nama": "Siti Rahmah",
        "mykad": "850312-00-5521",
        "telefon": "013-220 4417",
        "tarikh": "semalam",
        "amaun": "RM50",
        "tempat": "Jalan Orkid",
        "plat": "VBK 2207",
    }
    told = [r["answer"] for r in knowledge.load()] + list(package._HANDED.values())
    for agency in forms.AGENCIES:
        counter = Counter()
        told.append(
            counter.call("route", {"agency": agency, "urgency": {"999": "kecemasan", "NSRC": "segera"}.get(agency, "biasa")})["beritahu"]
        )
        told += [counter.call("fill_form", {"field": f, "value": values[f]}).get("beritahu", "") for f in forms.FORMS.get(agency, ())]
    assert [(text, found) for text in told if (found := matching(text))] == []
    question = Counter.FACTS["borang"].question
    assert [text for text in told if matching(f"{text} {question}") != {"borang"}] == []  # as passed on before a question


# ---- tasks ----


def test_the_written_tasks_are_enough_and_different():
    assert len(WRITTEN["train"]) >= 60 and len(WRITTEN["dev"]) >= 20
    openings = [words for tasks in WRITTEN.values() for task in tasks for words in task.opening.values()]
    assert len(set(openings)) == len(openings) and {r for t in TASKS for r in t.opening} == set(REGISTERS)
    grams = [{tuple(w[i : i + 5]) for i in range(len(w) - 4)} for w in (re.findall(r"\w+", o.lower()) for o in openings)]
    assert not [1 for i, a in enumerate(grams) for b in grams[:i] if a & b]
    assert {t.kind for t in WRITTEN["train"]} == {t.kind for t in WRITTEN["dev"]} == {t.kind for t in TASKS}
    composed = {sentence for task in compose(300, 1) for words in task.opening.values() for sentence in re.split(r"(?<=[.?!])\s", words)}
    assert not composed & {s for o in openings for s in re.split(r"(?<=[.?!])\s", o) if len(s.split()) > 3}


@pytest.mark.parametrize("task", TASKS, ids=lambda t: t.id)
def test_gold_replays_and_quotes_the_citizen(task):
    counter, told = Counter(setup=task.setup), []
    start, changes = counter.state(), False
    for action in task.gold:
        if "ask" in action:
            assert set(task.facts[action["ask"]]) == set(task.opening)
            continue
        result = counter.call(action["tool"], action["arguments"])
        assert "ralat" not in result, result
        told.append(result.get("beritahu", ""))
        changes |= action["tool"] != "search_knowledge"
        quote = action["arguments"].get("query") or action["arguments"].get("value")
        for register in task.opening if quote else ():
            assert quote in "\n".join([task.opening[register], *(fact[register] for fact in task.facts.values())])
    assert (counter.state() != start) == changes
    assert all(words.lower() in " ".join(told).lower() for words in task.communicate)


def test_composed_tasks_follow_the_seed():
    assert compose(40, 7) == compose(40, 7) != compose(40, 8)
    assert len({json.dumps(t.opening) for t in compose(400, 2)}) > 380


# ---- the rules and the queue ----


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("nk sambung lesen memandu kelas D", ("JPJ", "biasa")),
        ("kedai bunga dekat rumah terbakar!", ("999", "kecemasan")),
        ("saya dah transfer RM200 kat penipu", ("NSRC", "segera")),
        ("tutup manhole depan rumah hilang", ("MPS", "segera")),
    ],
)
def test_the_keyword_router(text, wanted):
    assert route(text) == wanted


def solved(task, register):
    """Whether the rules bring a task to its gold state: a small loop with a citizen who answers what is asked."""
    counter, gold = Counter(setup=task.setup), Counter(setup=task.setup)
    for action in task.gold:
        if "tool" in action:
            gold.call(action["tool"], action["arguments"])
    messages = [{"role": "user", "content": task.opening[register]}]
    for _ in range(16):
        message = Rules().act(messages)
        messages.append(message)
        if message.get("tool_calls"):
            (call,) = message["tool_calls"]
            result = counter.call(call["function"]["name"], json.loads(call["function"]["arguments"]))
            messages.append({"role": "tool", "tool_call_id": call["id"], "content": json.dumps(result)})
            continue
        replies = [task.facts[name][register] for name in matching(message["content"]) if name in task.facts]
        if not replies:
            break
        messages.append({"role": "user", "content": " ".join(replies)})
    return counter.state() == gold.state()


def test_the_rules_solve_most_written_tasks():
    done = [solved(task, register) for task in WRITTEN["train"] for register in task.opening]
    assert sum(done) / len(done) > 0.8


def test_the_queue_shortens_when_the_agent_helps_and_follows_the_seed():
    people, agent, poor = (
        [simulate(Desk(automated=share, resolved_by_agent=helped), seed) for seed in range(8)]
        for share, helped in ((0, 0), (0.6, 0.9), (0.6, 0.2))
    )
    assert people == [simulate(Desk(automated=0, resolved_by_agent=0), seed) for seed in range(8)]
    for a, b, c in zip(people, agent, poor):
        assert a.citizens == b.citizens == c.citizens
        assert b.mean_wait < a.mean_wait and b.mean_wait_officer <= c.mean_wait_officer and c.first_contact < b.first_contact
    assert all(day.visits >= day.citizens and 0 < day.busy <= 1 for day in people)
    with pytest.raises(ValueError, match="officer"):
        simulate(Desk(officers=0))
