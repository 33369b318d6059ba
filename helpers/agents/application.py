"""The same agent as an application, with pydantic-ai: the laptop model first, a bigger one when it is not sure.

    app = build(world, chat, says, bigger="openai:gpt-4o-mini", threshold=0.9)
    app.run_sync("Lesen saya tamat bulan lepas.").output

What our own loop does in sixty lines a library does with retries, limits, streaming and instrumentation. pydantic-ai moves
fast: it is pinned, and only this module knows it.
"""

import json

from helpers.agents import calls
from helpers.worlds.base import ERROR


class NotSure(Exception):
    """The first model's confidence was below the threshold."""


def model(chat, name="laptop", threshold=0.0):
    """One of our chats as a model of pydantic-ai; raises `NotSure` below the threshold."""
    from pydantic_ai.messages import ModelResponse, TextPart, ToolCallPart
    from pydantic_ai.models.function import FunctionModel

    def answer(history, info):
        tools = [
            {"type": "function", "function": {"name": t.name, "description": t.description, "parameters": t.parameters_json_schema}}
            for t in info.function_tools
        ]
        message = chat(_messages(history, info.instructions), tools)
        if message.get("details", {}).get("confidence", 1.0) < threshold:
            raise NotSure(f"{name} is {message['details']['confidence']:.0%} sure")
        parts = [
            ToolCallPart(c["function"]["name"], json.loads(c["function"]["arguments"]), tool_call_id=c["id"])
            for c in message.get("tool_calls") or []
        ]
        return ModelResponse(parts=parts or [TextPart(message["content"] or "")], model_name=name)

    return FunctionModel(answer, model_name=name)


def build(world, chat, bigger=None, threshold=0.0, whole_policy=False):
    """An agent of pydantic-ai for a world.

    Args:
        chat: the laptop's model, `chat(messages, tools) -> message`.
        bigger: a model of pydantic-ai or its name, asked for the turn when the first is not sure; None: never.
        threshold: the least confidence (0–1) with which the first model's message is taken.
    """
    from pydantic_ai import Agent
    from pydantic_ai.models.fallback import FallbackModel
    from pydantic_ai.tools import Tool

    def tool(function):
        def act(**arguments):
            return world.call(function["name"], arguments)

        return Tool.from_schema(act, function["name"], function["description"], function["parameters"])

    first = model(chat, threshold=threshold if bigger else 0.0)
    return Agent(
        FallbackModel(first, bigger, fallback_on=(NotSure,)) if bigger else first,
        instructions=calls.system(world, whole_policy)["content"],
        tools=[tool(schema["function"]) for schema in calls.schemas(world)],
    )


def _messages(history, instructions):
    """pydantic-ai's history as messages in the OpenAI shape."""
    made = [{"role": "system", "content": instructions or ""}]
    for message in history:
        calling = None  # calls that were made together belong into one message
        for part in message.parts:
            if part.part_kind == "user-prompt":
                made.append({"role": "user", "content": part.content})
            elif part.part_kind == "text":
                made.append(calls.say(part.content))
            elif part.part_kind == "tool-call":
                one = calls.call(part.tool_name, part.args_as_dict())
                one["tool_calls"][0]["id"] = part.tool_call_id
                if calling:
                    calling["tool_calls"] += one["tool_calls"]
                else:
                    made.append(calling := one)
            elif part.part_kind in ("tool-return", "retry-prompt"):
                content = part.content if isinstance(part.content, dict) else {ERROR: str(part.content)}
                made.append(calls.result(part.tool_call_id, content))
    return made
