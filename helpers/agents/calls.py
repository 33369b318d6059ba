"""How a tool call is written: one chat template, one `response_template`, and schemas made from type hints and docstrings.

    adopt(tokenizer)                                   # both are saved with the tokenizer from now on
    tokenizer.apply_chat_template(messages, tools=schemas(world), tokenize=False)
    read(tokenizer, "<tool_call>\\n{…}\\n</tool_call>")   # → {"role": "assistant", "tool_calls": […]}

A call is a line of JSON between `<tool_call>` tags, the form of Hermes and Qwen, so that transformers' own parser,
`transformers serve` and llama.cpp all read it. Tools are shown to the model as short signatures instead of JSON schemas:
a tenth of the tokens, and on a laptop every token of a prompt costs a millisecond.
"""

import inspect
import json
import uuid

from helpers.worlds import base

OPEN, CLOSE = "<tool_call>\n", "\n</tool_call>"
CHAT_TEMPLATE = """\
{%- for message in messages %}
{%- if loop.first %}
{{- '<|im_start|>system\n' + (message['content'] if message['role'] == 'system' else 'Anda pembantu yang berguna.') }}
{%- if tools %}
{{- '\nAlat:' }}
{%- for tool in tools %}
{{- '\n' + tool['function']['name'] + '(' }}
{%- for name, kind in tool['function']['parameters']['properties'].items() %}
{{- name }}
{%- if kind['enum'] is defined %}{{ ': ' + kind['enum'] | join('|') }}{% endif %}
{%- if not loop.last %}{{ ', ' }}{% endif %}
{%- endfor %}
{{- ')' }}
{%- endfor %}
{%- endif %}
{{- '<|im_end|>\n' }}
{%- endif %}
{%- if not (loop.first and message['role'] == 'system') %}
{{- '<|im_start|>' + message['role'] + '\n' }}
{%- if message['content'] %}{{ message['content'] }}{% endif %}
{%- if message['tool_calls'] is defined and message['tool_calls'] %}
{%- for call in message['tool_calls'] %}
{%- if message['content'] or not loop.first %}{{ '\n' }}{% endif %}
{{- '<tool_call>\n{"name": "' + call['function']['name'] + '", "arguments": ' }}
{%- if call['function']['arguments'] is string %}{{ call['function']['arguments'] }}{% else %}{{ call['function']['arguments'] | tojson }}{% endif %}
{{- '}\n</tool_call>' }}
{%- endfor %}
{%- endif %}
{{- '<|im_end|>\n' }}
{%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"""

RESPONSE_TEMPLATE = {
    "defaults": {"role": "assistant"},
    "start_anchor": "<|im_start|>assistant\n",
    "fields": {
        "tool_calls": {
            "open_pattern": r"\s*<tool_call>",
            "close": "</tool_call>",
            "repeats": True,
            "content": "json",
            "transform": {"type": "function", "function": "{content}"},
        },
        "content": {"close_pattern": r"\s*(?:<\|im_end\|>|<\|endoftext\|>)", "content": "text"},
    },
}


def adopt(tokenizer):
    """Give a tokenizer the template and the parser of tool calls; `save_pretrained` keeps both. Returns the tokenizer."""
    tokenizer.chat_template, tokenizer.response_template = CHAT_TEMPLATE, RESPONSE_TEMPLATE
    return tokenizer


def schema(tool):
    """The OpenAI schema of a tool, from its type hints and its docstring. Arguments of type `Quote` or `Known` say so in
    `format`, which JSON Schema leaves open to everybody."""
    from transformers.utils import get_json_schema

    found = get_json_schema(tool)
    found["function"].pop("return", None)
    properties = found["function"].setdefault("parameters", {"type": "object", "properties": {}})["properties"]
    for name, hint in base.arguments(tool).items():
        for mark in getattr(hint, "__metadata__", ()):
            properties[name]["format"] = mark
    return found


def schemas(world):
    """The schemas of a world's tools (a `World` or its class)."""
    return [schema(getattr(world, name)) for name in world.TOOLS]


def call(name, arguments):
    """An assistant's message that calls one tool, in the OpenAI shape."""
    function = {"name": name, "arguments": json.dumps(arguments, ensure_ascii=False)}
    return {"role": "assistant", "content": None, "tool_calls": [{"id": _new_id(), "type": "function", "function": function}]}


def say(text):
    """An assistant's message to the person."""
    return {"role": "assistant", "content": text}


def result(call_id, value):
    """A tool's answer as a message."""
    return {"role": "tool", "tool_call_id": call_id, "content": json.dumps(value, ensure_ascii=False)}


def read(tokenizer, text):
    """What a model wrote, as an assistant's message in the OpenAI shape. A broken call is left as content, so that the
    person who looks at the trace sees it."""
    try:
        found = tokenizer.parse_response(text, prefix="<|im_start|>assistant\n")
        made = [_openai(c["function"]) for c in found.get("tool_calls") or []]
    except (ValueError, KeyError, TypeError):
        return say(text.strip())
    if not made:
        return say((found.get("content") or "").strip())
    return {"role": "assistant", "content": found.get("content"), "tool_calls": made}


def _openai(function):
    """A parsed call with its arguments as a JSON string, as OpenAI's servers send it."""
    if not isinstance(function["name"], str) or not isinstance(function.get("arguments", {}), dict):
        raise ValueError("a call has a name and arguments")
    arguments = json.dumps(function.get("arguments", {}), ensure_ascii=False)
    return {"id": _new_id(), "type": "function", "function": {"name": function["name"], "arguments": arguments}}


def _new_id():
    return f"call_{uuid.uuid4().hex[:12]}"


def system(world, whole=True):
    """The system message for a world: its whole policy, or what is enough for a tuned model."""
    return {"role": "system", "content": inspect.cleandoc(world.policy()) if whole else world.brief()}
