"""What an agent did, step by step: OpenTelemetry spans with the GenAI attributes, in a local SQLite file.

    with Tracer("runs/traces.sqlite", model="smollm2-135m") as tracer, tracer.agent("counter", conversation="KES-1"):
        with tracer.chat(messages) as step:
            step.reply(message, input_tokens=210, output_tokens=12, finish="tool_calls", probabilities={"JPJ": 0.93})
        with tracer.tool("route", {"agency": "JPJ"}, call="call_1") as step:
            step.result(world.call("route", {"agency": "JPJ"}))
    read("runs/traces.sqlite")                       # one dictionary a span

A span is written twice: when it begins, without content, and when it ends, with everything. So a process that is killed leaves
what it had finished, and the names of what it had not. Everything passes `guard.redact` before it is written; what cannot be
redacted is left out, never written as it is. Nothing is sent anywhere, and the process's own OpenTelemetry stays as it was.

Attributes: OpenTelemetry's semantic conventions for generative AI, spans (github.com/open-telemetry/semantic-conventions-genai;
status: development), in their `gen_ai.input.messages` form. What they have no name for (probabilities) is under `lepaslatih.`.
"""

import json
import sqlite3
import threading
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

_SCHEMA = """
CREATE TABLE IF NOT EXISTS spans (span TEXT PRIMARY KEY, trace TEXT NOT NULL, parent TEXT, name TEXT NOT NULL, operation TEXT,
    conversation TEXT, started INTEGER NOT NULL, ended INTEGER, status TEXT NOT NULL, attributes TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS of_trace ON spans (trace, started);
"""
_COLUMNS = "span, trace, parent, name, operation, conversation, started, ended, status, attributes"
_JSON = ("gen_ai.input.messages", "gen_ai.output.messages", "gen_ai.tool.definitions", "gen_ai.tool.call.arguments",
         "gen_ai.tool.call.result", "lepaslatih.probabilities")  # fmt: skip
_CONVERSATION = ContextVar("conversation", default=None)  # each thread serves its own


class Tracer:
    """Writes spans to a file, which is made where it is missing. Close it, or use it in a `with`.

    `path`: the SQLite file; several processes may write to it. `model` and `provider`: the model's name and who serves it, for the
    spans. `redact`: what every value goes through first, `guard.redact` by default.
    """

    def __init__(self, path, model="unknown", provider="lepaslatih", redact=None):
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import SpanLimits, TracerProvider, sampling

        from helpers.agents import guard

        self.model, self.provider = model, provider
        self._writer = _writer(Path(path), redact or guard.redact)
        # a provider of its own, with every setting given: neither the global one nor the environment decides what is kept
        self._tracing = TracerProvider(sampling.ALWAYS_ON, Resource({"service.name": "lepaslatih"}), False, span_limits=SpanLimits())
        self._tracing.add_span_processor(self._writer)
        self._tracer = self._tracing.get_tracer("helpers.agents.traces")

    @contextmanager
    def agent(self, name, conversation=None):
        """The span of a whole conversation (`invoke_agent`); the spans opened inside it are its children."""
        token = _CONVERSATION.set(conversation)
        try:
            with self._step("invoke_agent", name, {"gen_ai.agent.name": name}) as step:
                yield step
        finally:
            _CONVERSATION.reset(token)

    def chat(self, messages, tools=None):
        """The span of one answer of the model (`chat`) to OpenAI-shaped messages; finish it with `step.reply(…)`."""
        asked = {"gen_ai.request.model": self.model, "gen_ai.input.messages": [_parts(m) for m in messages]}
        return self._step("chat", self.model, asked | ({"gen_ai.tool.definitions": tools} if tools else {}))

    def tool(self, name, arguments, call=None):
        """The span of one call of a tool (`execute_tool`); finish it with `step.result(…)`. `call`: the call's id."""
        about = {"gen_ai.tool.name": name, "gen_ai.tool.type": "function", "gen_ai.tool.call.arguments": arguments}
        return self._step("execute_tool", name, about | ({"gen_ai.tool.call.id": call} if call else {}))

    @contextmanager
    def _step(self, operation, of, attributes):
        about = {"gen_ai.operation.name": operation, "gen_ai.provider.name": self.provider}
        if conversation := _CONVERSATION.get():
            about["gen_ai.conversation.id"] = conversation
        # the SDK's own note of an exception holds a stack with values in it: only its class is kept
        quiet = {"record_exception": False, "set_status_on_exception": False}
        with self._tracer.start_as_current_span(f"{operation} {of}", attributes=about, **quiet) as span:
            step = Step(span)
            step.note(**attributes)
            try:
                yield step
            except BaseException as error:
                step.fail(type(error).__name__)
                raise

    def close(self):
        """Close the file."""
        self._tracing.shutdown()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()


class Step:
    """An open span."""

    def __init__(self, span):
        self._span = span

    def note(self, **attributes):
        """Set attributes; lists and dictionaries are kept as JSON."""
        for name, value in attributes.items():
            self._span.set_attribute(
                name, value if isinstance(value, (str, int, float)) else json.dumps(value, ensure_ascii=False, default=str)
            )

    def reply(self, message, input_tokens=None, output_tokens=None, finish="stop", probabilities=None):
        """The model's answer: an OpenAI-shaped message, tokens, why it ended, and option → probability where it chose."""
        self.note(**{"gen_ai.output.messages": [_parts(message) | {"finish_reason": finish}]})
        self._span.set_attribute("gen_ai.response.finish_reasons", [finish])
        counts = {"gen_ai.usage.input_tokens": input_tokens, "gen_ai.usage.output_tokens": output_tokens}
        self.note(**{k: v for k, v in (counts | {"lepaslatih.probabilities": probabilities}).items() if v is not None})

    def result(self, value):
        """What the tool gave back; a refused call (`{"ralat": …}`) marks the span as an error of type `refused`."""
        self.note(**{"gen_ai.tool.call.result": value})
        if isinstance(value, dict) and "ralat" in value:
            self.fail("refused")

    def fail(self, kind):
        """Mark the span as an error of a kind (`error.type`), such as the class of an exception; no message is kept."""
        from opentelemetry.trace import StatusCode

        self.note(**{"error.type": kind})
        self._span.set_status(StatusCode.ERROR)


def _parts(message):
    """An OpenAI-shaped message in the form of `gen_ai.input.messages`."""
    if message["role"] == "tool":
        return {
            "role": "tool",
            "parts": [{"type": "tool_call_response", "id": message.get("tool_call_id"), "response": message["content"]}],
        }
    parts = [{"type": "text", "content": message["content"]}] if message.get("content") else []
    calls = [(call.get("id"), call["function"]) for call in message.get("tool_calls") or ()]
    parts += [{"type": "tool_call", "id": i, "name": f["name"], "arguments": f["arguments"]} for i, f in calls]
    return {"role": message["role"], "parts": parts}


def _writer(path, redact):
    from opentelemetry.sdk.trace import SpanProcessor

    path.parent.mkdir(parents=True, exist_ok=True)
    db, lock = sqlite3.connect(path, timeout=30, check_same_thread=False), threading.Lock()
    with db:
        db.executescript(_SCHEMA)

    def clean(name, value):
        """A value as it may be written. JSON is redacted by its parts, so that a field's name helps to tell what it holds."""
        try:
            return redact(json.loads(value)) if name in _JSON else redact(value)
        except Exception as error:  # whatever went wrong, the value itself must not be written
            return f"[withheld: {type(error).__name__}]"

    def write(span, attributes):
        about, parent, own = span.attributes or {}, span.parent, span.get_span_context()
        row = [f"{own.span_id:016x}", f"{own.trace_id:032x}", parent and f"{parent.span_id:016x}", clean("", span.name)]
        row += [about.get("gen_ai.operation.name"), clean("", about.get("gen_ai.conversation.id")), span.start_time, span.end_time]
        row += [span.status.status_code.name, json.dumps(attributes, ensure_ascii=False)]
        with lock, db:
            db.execute(f"INSERT OR REPLACE INTO spans ({_COLUMNS}) VALUES ({', '.join('?' * len(row))})", row)

    class Writer(SpanProcessor):
        def on_start(self, span, parent_context=None):
            write(span, {})

        def on_end(self, span):
            write(span, {name: clean(name, value) for name, value in (span.attributes or {}).items()})

        def shutdown(self):
            db.close()

    return Writer()


def read(path, where="1", *values):
    """The spans of a file in order of time, as dictionaries. `where` and `values`: an SQL condition on the columns.

    `started` and `ended` are in nanoseconds since 1970 (`ended` None: never finished), `seconds` is their difference, `status` is
    UNSET, OK or ERROR, `attributes` a dictionary. ValueError where there is no such file.
    """
    if not Path(path).is_file():
        raise ValueError(f"there is no file of traces {path}: run an agent with a Tracer first")
    db = sqlite3.connect(path, timeout=30)
    db.row_factory = sqlite3.Row
    try:
        rows = [dict(row) for row in db.execute(f"SELECT {_COLUMNS} FROM spans WHERE {where} ORDER BY started, rowid", values)]
    finally:
        db.close()
    for row in rows:
        row["attributes"] = json.loads(row["attributes"])
        row["seconds"] = None if row["ended"] is None else (row["ended"] - row["started"]) / 1e9
    return rows
