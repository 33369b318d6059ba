"""Traces: what is written, in whose words, that nothing personal is in it, and that a killed writer leaves a file that reads."""

import datetime
import signal
import subprocess
import sys
import textwrap
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.agents import traces
from tests.conftest import ROOT

MESSAGES = [{"role": "system", "content": "Polisi."}, {"role": "user", "content": "Lesen saya hilang."}]
CALL = {"id": "c1", "type": "function", "function": {"name": "route", "arguments": '{"agency": "JPJ"}'}}


def record(path, said="Lesen saya hilang.", arguments=None, result=None, conversation="KES-1", **options):
    """One conversation of a chat and a call."""
    with traces.Tracer(path, model="smollm2-135m", **options) as tracer, tracer.agent("counter", conversation):
        with tracer.chat([*MESSAGES, {"role": "user", "content": said}], tools=[{"type": "function"}]) as step:
            step.reply({"role": "assistant", "content": None, "tool_calls": [CALL]}, 210, 12, "tool_calls", {"JPJ": 0.93, "JPN": 0.07})
        with tracer.tool("route", arguments or {"agency": "JPJ"}, "c1") as step:
            step.result(result or {"agensi": "JPJ"})
    return traces.read(path)


def test_a_conversation_is_a_tree_of_spans_in_the_terms_of_the_conventions(tmp_path):
    from opentelemetry.semconv._incubating.attributes import gen_ai_attributes

    agent, chat, tool = record(tmp_path / "t.sqlite")
    assert [row["name"] for row in (agent, chat, tool)] == ["invoke_agent counter", "chat smollm2-135m", "execute_tool route"]
    assert chat["parent"] == tool["parent"] == agent["span"] and agent["parent"] is None
    assert {row["conversation"] for row in (agent, chat, tool)} == {"KES-1"} and len({row["trace"] for row in (agent, chat, tool)}) == 1
    known = {value for name, value in vars(gen_ai_attributes).items() if name.startswith("GEN_AI_")}
    used = {name for row in (agent, chat, tool) for name in row["attributes"]}
    assert {name for name in used if name.startswith("gen_ai.")} <= known
    asked = chat["attributes"]
    assert asked["gen_ai.operation.name"] == "chat" and asked["gen_ai.request.model"] == "smollm2-135m"
    assert (asked["gen_ai.usage.input_tokens"], asked["gen_ai.usage.output_tokens"]) == (210, 12)
    assert asked["gen_ai.response.finish_reasons"] == ["tool_calls"] and asked["lepaslatih.probabilities"] == {"JPJ": 0.93, "JPN": 0.07}
    assert asked["gen_ai.input.messages"][1]["parts"] == [{"type": "text", "content": "Lesen saya hilang."}]
    assert asked["gen_ai.output.messages"][0]["parts"][0]["name"] == "route"
    assert (tool["attributes"]["gen_ai.tool.name"], tool["attributes"]["gen_ai.tool.call.id"]) == ("route", "c1")
    assert tool["attributes"]["gen_ai.tool.call.result"] == {"agensi": "JPJ"}
    assert all(row["seconds"] >= 0 for row in (agent, chat, tool)) and agent["seconds"] >= tool["seconds"]


@settings(max_examples=15, deadline=None)
@given(
    st.dates(min_value=datetime.date(1940, 1, 1), max_value=datetime.date(2010, 1, 1)),
    st.integers(0, 9999),
    st.sampled_from(["", "-", " "]),
)
def test_no_identity_number_is_written_wherever_it_stands(tmp_path_factory, born, last, gap):
    digits = f"{born:%y%m%d}00{last:04d}"
    number = gap.join((digits[:6], digits[6:8], digits[8:]))
    path = tmp_path_factory.mktemp("t") / "t.sqlite"
    record(
        path, f"No. K/P saya {number}", {"value": number, number: 1}, {"beritahu": f"Borang {number} lengkap", "nilai": int(digits)}, number
    )
    assert number.encode() not in path.read_bytes() and digits.lstrip("0").encode() not in path.read_bytes()
    assert "[MYKAD]" in str(traces.read(path, "operation = ?", "execute_tool"))


def test_threads_keep_their_conversations_apart(tmp_path):
    path, meet = tmp_path / "t.sqlite", threading.Barrier(4)
    with traces.Tracer(path) as tracer:

        def serve(number):
            with tracer.agent("counter", f"KES-{number}"):
                meet.wait(20)
                for _ in range(5):
                    with tracer.tool("route", {"n": number}) as step:
                        step.result({"n": number})

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(serve, range(4)))
    calls = traces.read(path, "operation = ?", "execute_tool")
    assert len(calls) == 20
    assert all(row["conversation"] == f"KES-{row['attributes']['gen_ai.tool.call.arguments']['n']}" for row in calls)


def test_what_cannot_be_redacted_is_left_out(tmp_path):
    def broken(value):
        raise RuntimeError("no")

    rows = record(tmp_path / "t.sqlite", "rahsia", redact=broken)
    assert len(rows) == 3 and b"rahsia" not in (tmp_path / "t.sqlite").read_bytes()
    assert rows[1]["attributes"]["gen_ai.input.messages"] == "[withheld: RuntimeError]"


def test_refused_calls_and_exceptions_are_errors(tmp_path):
    refused = record(tmp_path / "a.sqlite", result={"ralat": "belum ada borang"})[2]
    assert (refused["status"], refused["attributes"]["error.type"]) == ("ERROR", "refused")
    with pytest.raises(ZeroDivisionError), traces.Tracer(tmp_path / "b.sqlite") as tracer, tracer.tool("route", {}):
        _ = 1 / 0
    row = traces.read(tmp_path / "b.sqlite")[0]
    assert (row["status"], row["attributes"]["error.type"]) == ("ERROR", "ZeroDivisionError")


def test_a_killed_writer_leaves_what_it_had_finished(tmp_path):
    path = tmp_path / "t.sqlite"
    code = f"""
        import time
        from helpers.agents import traces
        tracer = traces.Tracer({str(path)!r})
        with tracer.agent("counter", "KES-9"):
            for n in range(50):
                with tracer.tool("route", {{"n": n}}) as step:
                    step.result({{"n": n}})
            with tracer.tool("answer", {{}}):
                print("ready", flush=True)
                time.sleep(60)
    """
    with subprocess.Popen([sys.executable, "-c", textwrap.dedent(code)], stdout=subprocess.PIPE, cwd=ROOT) as writer:
        assert writer.stdout.readline() == b"ready\n"
        writer.send_signal(signal.SIGKILL)
    rows = traces.read(path)
    assert [row["attributes"]["gen_ai.tool.call.result"]["n"] for row in rows if row["ended"] and row["name"].endswith("route")] == list(
        range(50)
    )
    assert sorted(row["name"] for row in rows if row["ended"] is None) == ["execute_tool answer", "invoke_agent counter"]
    assert len(record(path)) == len(rows) + 3  # and the next process goes on in the same file


def test_importing_is_light_and_the_process_keeps_its_own_telemetry(tmp_path):
    from opentelemetry import trace

    before = trace.get_tracer_provider()
    record(tmp_path / "t.sqlite")
    assert trace.get_tracer_provider() is before
    code = "import sys, helpers.agents.traces, helpers.agents.guard, helpers.agents.audit; print([m for m in ('opentelemetry', 'spacy', 'torch') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT).stdout.strip() == "[]"


def test_no_file_of_traces(tmp_path):
    with pytest.raises(ValueError, match="run an agent with a Tracer first"):
        traces.read(tmp_path / "none.sqlite")
    assert not (tmp_path / "none.sqlite").exists()
