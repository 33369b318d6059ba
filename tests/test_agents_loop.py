"""The agent loop and its examination, on a stall that sells drinks: small enough to know every answer."""

import json
from typing import Literal

import pytest

from helpers import worlds
from helpers.agents import calls, chat, loop, menu, person
from helpers.evaluation import agents
from helpers.worlds import base


class Stall(base.World):
    """A stall."""

    NAME = "stall"
    TOOLS = ("order", "look_up", "note")
    FACTS = {"cups": base.Fact("Berapa cawan?", r"berapa|cawan|how many"), "name": base.Fact("Siapa nama anda?", r"\bnama|name")}
    SCHEMA = "CREATE TABLE orders (drink TEXT, cups TEXT, at TEXT); CREATE TABLE notes (words TEXT)"
    COMPARED = {"orders": ["drink", "cups"], "notes": ["words"]}

    def _begin(self, setup):
        self.opened = setup.get("opened", True)

    @classmethod
    def policy(cls):
        return "# Gerai Contoh\n1. Jangan jual selepas tutup."

    def order(self, drink: Literal["teh", "kopi"], hot: bool) -> dict:
        """Sell a drink.

        Args:
            drink: which
            hot: hot or cold
        """
        self._db.execute("INSERT INTO orders VALUES (?, ?, ?)", (drink, "panas" if hot else "sejuk", "now"))
        if not self.opened:
            raise ValueError("gerai sudah tutup: catat pesanan dengan note")
        return {base.TELL: f"Satu {drink}, RM2.50, dengan nombor TEH-17.", "id": "TEH-17"}

    def look_up(self, order: base.Known) -> dict:
        """Find an order.

        Args:
            order: its id
        """
        return {"order": order}

    def note(self, words: base.Quote) -> dict:
        """Keep words.

        Args:
            words: the person's
        """
        self._db.execute("INSERT INTO notes VALUES (?)", (words,))
        return {base.TELL: "Sudah dicatat."}


TEA = base.Task(
    "t1", "sale", {"rasmi": "Saya mahu teh.", "pasar": "teh satu bos"},
    [{"ask": "cups"}, {"tool": "order", "arguments": {"hot": True, "drink": "teh"}}],
    {"cups": {"rasmi": "Satu cawan sahaja.", "pasar": "satu je"}}, ["RM 2.50", "TEH-17"],
)  # fmt: skip
THANKS = base.Task("t2", "talk", {"rasmi": "Terima kasih banyak-banyak."}, [{"say": "tamat"}])
SAYS = person.says(Stall)


def scripted(*messages):
    """A chat that says one message after another."""
    rest = iter(messages)
    return lambda seen, tools: dict(next(rest))


@pytest.fixture(scope="module")
def tokenizer(embedded):
    return calls.adopt(embedded[1])


@pytest.fixture(scope="module")
def embedded():
    from helpers import models

    return models.load()


def test_a_failed_call_changes_nothing_and_comes_back_as_one_line():
    stall = Stall(setup={"opened": False})
    start = stall.state()
    for name, arguments in (
        ("order", {"drink": "teh", "hot": True}), ("order", {"drink": "milo", "hot": True}), ("order", {"drink": "teh"}),
        ("order", {"drink": "teh", "hot": True, "sugar": 1}), ("close", {}), ("note", {"words": 5}),
    ):  # fmt: skip
        answer = stall.call(name, arguments)
        assert set(answer) == {"ralat"} and "\n" not in answer["ralat"] and stall.state() == start, (name, answer)
    assert "note" in stall.call("order", {"drink": "teh", "hot": True})["ralat"]


def test_values_are_compared_by_what_they_mean():
    assert base.normal("RM 4,500.00") == base.normal("RM4.5k") == 4500
    assert base.normal("3 April 2026") == base.normal("3hb April 2026") != base.normal("4 April 2026")
    assert base.normal("  Jalan  BESAR. ") == "jalan besar"


def test_the_person_tells_what_is_asked_and_leaves_when_nothing_is():
    guest = person.Person(Stall, TEA, trial=1)
    assert guest(None) == "teh satu bos" and guest("Berapa cawan?") == "satu je"
    assert guest("How many would you like?") == "satu je" and guest("Siapa nama anda?") == person.PUZZLED
    assert guest("Berapa cawan teh yang dijual semalam, kata orang.") is None
    assert [person.Person(Stall, TEA, t).register for t in range(4)] == ["rasmi", "pasar", "rasmi", "pasar"]
    assert person.Person(Stall, TEA, 2).answers_in == "pasar"


def test_schemas_say_how_an_argument_is_found():
    made = {s["function"]["name"]: s["function"]["parameters"]["properties"] for s in calls.schemas(Stall)}
    assert made["order"]["drink"]["enum"] == ["teh", "kopi"] and made["order"]["hot"]["type"] == "boolean"
    assert made["look_up"]["order"]["format"] == "known" and made["note"]["words"]["format"] == "quote"


def test_a_trace_is_a_conversation_whose_every_message_is_on_the_menu(tokenizer):
    messages, tools = person.trace(Stall, TEA), calls.schemas(Stall)
    assert [m["role"] for m in messages] == ["system", "user", "assistant", "user", "assistant", "tool", "assistant"]
    assert messages[-1]["content"] == "Satu teh, RM2.50, dengan nombor TEH-17."
    document = menu.document(tokenizer, messages, tools, SAYS)
    learnt = [t for t, w in zip(document.input_ids[document.prompt_length :], document.weights) if w]
    text = tokenizer.decode(learnt)
    call = '<tool_call>\n{"name": "order", "arguments": {"drink": "teh", "hot": true}}\n</tool_call>'
    before, after = text.split(call)
    assert before == "Berapa cawan?<|im_end|>"
    assert after.startswith("<|im_end|>S") and messages[-1]["content"].startswith(
        after.removeprefix("<|im_end|>")
    )  # up to the last decision
    decided = [tokenizer.decode([t]) for t, w in zip(document.input_ids[document.prompt_length :], document.weights) if w == 1]
    assert "true" in "".join(decided) and "arguments" not in "".join(decided)
    with pytest.raises(ValueError, match="not on the menu"):
        menu.document(tokenizer, [*messages[:-1], calls.say("Satu teh, RM9.90.")], tools, SAYS)


def test_quotes_and_ids_are_the_persons_and_the_tools_own():
    messages = [{"role": "user", "content": "Pesanan TEH-17, kata (Mak Som)!"}, calls.result("c", {"id": "KOP-9"})]
    assert menu.options({"format": "known"}, messages) == ['"TEH-17"', '"KOP-9"']
    assert '"Mak Som"' in menu.options({"format": "quote"}, messages) and '"KOP-9"' not in menu.options({"format": "quote"}, messages)
    assert menu.spans("(a), b.") == ["a", "a), b", "b"] and not any("<|" in s for s in menu.spans("a <|im_end|> b"))


def test_a_model_that_chooses_only_says_what_is_on_the_menu(embedded, tokenizer):
    choosing = chat.Choosing(embedded[0], tokenizer, SAYS)
    messages, tools = person.trace(Stall, TEA)[:4], calls.schemas(Stall)
    message = choosing(messages, tools)
    assert 0 < message["details"]["confidence"] <= 1 and message["details"]["passes"] == len(message["details"]["decisions"])
    again = chat.Choosing(embedded[0], tokenizer, SAYS)(messages, tools)
    longer = choosing(messages, tools)  # from the cache
    assert again["details"]["confidence"] == pytest.approx(longer["details"]["confidence"], rel=1e-3)
    menu.document(tokenizer, [*messages, {k: v for k, v in message.items() if k != "details"}], tools, SAYS)


def test_what_a_model_writes_is_read_as_other_programs_read_it(tokenizer):
    text = 'Baik.\n<tool_call>\n{"name": "order", "arguments": {"drink": "teh", "hot": true}}\n</tool_call><|im_end|>'
    message = calls.read(tokenizer, text)
    assert message["content"].strip() == "Baik." and json.loads(message["tool_calls"][0]["function"]["arguments"]) == {
        "drink": "teh",
        "hot": True,
    }
    for broken in ("<tool_call>\n{name: order}\n</tool_call>", '<tool_call>\n["order"]\n</tool_call>', "Selamat pagi"):
        assert "tool_calls" not in calls.read(tokenizer, broken)


def test_the_examination_passes_gold_and_fails_the_floors():
    gold = [m for m in person.trace(Stall, TEA) if m["role"] == "assistant"]
    (row,) = agents.examine(Stall, [TEA], scripted(*gold))
    assert row["passed"] and row["told"] and row["calls"] == 1 and not row["refused"]
    other_way = scripted(calls.call("look_up", {"order": "TEH-17"}), calls.call("order", {"drink": "teh", "hot": True}), *gold[-1:])
    assert agents.examine(Stall, [TEA], other_way)[0]["passed"]  # not asking is no fault where the outcome is right
    cold = scripted(calls.call("order", {"drink": "teh", "hot": False}), gold[-1])
    silent = scripted(calls.call("order", {"drink": "teh", "hot": True}), calls.say("Siap."))
    for wrong in (cold, silent, chat.Nothing()):
        assert not agents.examine(Stall, [TEA], wrong)[0]["passed"]
    assert agents.examine(Stall, [THANKS], chat.Nothing())[0]["passed"]
    idle = agents.examine(Stall, [TEA, THANKS], chat.Nothing())
    assert agents.report(idle)["wrong_but_valid"].value == 0  # doing nothing is wrong, but no call was
    assert [agents.by(idle, "kind")[kind]["passed"].value for kind in ("sale", "talk")] == [0, 1]
    refused = agents.examine(Stall, [THANKS], chat.Refusing("note", {"words": "x"}))[0]
    assert not refused["passed"] and refused["acted"] and not refused["acts"]


def test_an_agent_that_never_ends_is_stopped_and_a_broken_call_is_answered():
    broken = calls.call("order", {})
    broken["tool_calls"][0]["function"]["arguments"] = "{"
    episode = loop.run(Stall(), lambda m, t: dict(broken), person.Person(Stall, TEA), steps=3)
    assert episode.ended == "steps" and len(episode.steps) == 3 and "ralat" in episode.messages[-1]["content"]
    kept = loop.run(Stall(), scripted(*[m for m in person.trace(Stall, TEA) if m["role"] == "assistant"]), person.Person(Stall, TEA),
                    guard=lambda world, name, arguments, messages: "perlu pegawai")  # fmt: skip
    assert kept.steps[1]["results"][0]["result"] == {"ralat": "perlu pegawai"}


def test_pass_k_counts_tasks_that_pass_every_time(tmp_path):
    rows = [{"world": "w", "task": t, "passed": p} for t, p in (("a", 1), ("a", 1), ("b", 1), ("b", 0))]
    assert agents.pass_k(rows, 1) == 0.75 and agents.pass_k(rows, 2) == 0.5 and agents.pass_k(rows, 3) is None
    path = tmp_path / "rows.jsonl"
    first = agents.examine(Stall, [THANKS], chat.Nothing(), trials=2, path=path)
    assert agents.examine(Stall, [THANKS], None, trials=2, path=path) == first  # nothing left to do
    found = agents.report(first)
    assert found["passed"].value == 1 and found["no_tool"].value == 1 and found["pass^2"] == 1.0


def test_dice_and_a_model_that_is_unsure():
    rng = chat.Dice(SAYS, seed=1)
    rows = agents.examine(Stall, [TEA], rng, trials=8)
    assert sum(r["calls"] for r in rows) > 0 and sum(r["passed"] for r in rows) < 8
    sure = {**calls.say("a"), "details": {"confidence": 0.9}}
    assert chat.Unsure(scripted(sure), None, 0.5)([], [])["content"] == "a"
    assert chat.Unsure(scripted(sure), scripted(calls.say("b")), 0.95)([], [])["details"] == {"passed_on": True}


def test_pydantic_ai_takes_the_bigger_model_when_the_first_is_not_sure():
    from helpers.agents import application

    def chat_of(confidence, hot):
        def answer(messages, tools):
            assert [t["function"]["name"] for t in tools] == list(Stall.TOOLS) and messages[0]["content"] == "Gerai Contoh"
            if messages[-1]["role"] == "tool":
                return {**calls.say(menu.tells(messages)[0]), "details": {"confidence": confidence}}
            return {**calls.call("order", {"drink": "teh", "hot": hot}), "details": {"confidence": confidence}}

        return answer

    for confidence, wanted in ((0.9, [["teh", "panas"]]), (0.3, [["teh", "sejuk"]])):
        stall = Stall()
        app = application.build(stall, chat_of(confidence, True), application.model(chat_of(1.0, False), "bigger"), threshold=0.5)
        assert app.run_sync("Teh satu.").output.startswith("Satu teh") and stall.state()["orders"] == wanted


@pytest.mark.parametrize("name", worlds.WORLDS)
def test_the_grammar_of_a_workplace_takes_every_right_call(name, embedded, tokenizer):
    world, held = worlds.load(name), chat.Writing(embedded[0], tokenizer, grammar="lazy")
    made = [
        m["tool_calls"][0]["function"] for task in worlds.tasks(name, "dev")[:8] for m in person.trace(world, task) if m.get("tool_calls")
    ]
    for function in made:
        text = f'{{"name": "{function["name"]}", "arguments": {function["arguments"]}}}'
        matcher = held._matcher(calls.schemas(world))
        assert all(matcher.consume_token(token) for token in tokenizer(text, add_special_tokens=False)["input_ids"]), text
        assert matcher.is_accepting()


def test_a_grammar_makes_every_call_valid_and_nothing_else(embedded, tokenizer):
    messages, tools = person.trace(Stall, TEA)[:2], calls.schemas(Stall)
    held = chat.Writing(embedded[0], tokenizer, grammar="always")(messages, tools[:1])  # a sentence to be noted could go on for ever
    (called,) = held["tool_calls"]
    arguments = json.loads(called["function"]["arguments"])
    assert called["function"]["name"] == "order" and arguments["drink"] in ("teh", "kopi") and arguments["hot"] in (True, False)
    assert set(arguments) == {"drink", "hot"} and held["details"]["forced"] > 0
    free = chat.Writing(embedded[0], tokenizer, longest=12)(messages, tools)
    assert "tool_calls" not in free and free["details"]["tokens"] <= 12  # the open model knows no such calls
    begun = [*messages[:1], {"role": "user", "content": "Jawab dengan <tool_call>."}]
    assert chat.Writing(embedded[0], tokenizer, longest=12, grammar="lazy")(begun, tools)["details"]["forced"] == 0


def test_a_conversation_is_shown_and_nobody_writes_html_into_it():
    from helpers import show

    gold = [m for m in person.trace(Stall, TEA) if m["role"] == "assistant"]
    rude = base.Task("t3", "sale", {"rasmi": "<script>teh</script>"}, TEA.gold, TEA.facts)
    episode = loop.run(Stall(), scripted(*gold), person.Person(Stall, rude))
    page = show.conversation(episode.messages, episode.steps).data
    assert "<script>" not in page and "&lt;script&gt;" in page and "order {" in page and "RM2.50" in page
