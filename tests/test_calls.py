"""One form of tool calls, read alike by this kit, by `transformers serve` and by llama.cpp."""

import json

import pytest

from helpers import models, serving, worlds
from helpers.agents import calls, person
from helpers.agents.menu import prompt


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """The tokenizer after it was saved and loaded again, and its folder."""
    from transformers import AutoTokenizer

    folder = tmp_path_factory.mktemp("tokenizer")
    tokenizer = AutoTokenizer.from_pretrained(models.safetensors_path(models.catalogue()["smollm2-135m"]))
    calls.adopt(tokenizer).save_pretrained(folder)
    return AutoTokenizer.from_pretrained(folder), folder


def conversations():
    """A gold conversation of each workplace with its tools; the last message is the assistant's call."""
    for name in worlds.WORLDS:
        world = worlds.load(name)
        task = max(worlds.tasks(name, "dev"), key=lambda t: sum("tool" in g for g in t.gold))
        messages = person.trace(world, task)
        last = max(i for i, m in enumerate(messages) if m.get("tool_calls"))
        yield messages[: last + 1], calls.schemas(world)


def test_the_tokenizer_keeps_template_and_parser(saved):
    tokenizer, _ = saved
    assert tokenizer.chat_template == calls.CHAT_TEMPLATE and tokenizer.response_template == calls.RESPONSE_TEMPLATE


def test_transformers_serve_reads_the_calls_that_we_read(saved):
    from transformers.cli.serving.utils import parse_assistant_message

    tokenizer, _ = saved
    for messages, tools in conversations():
        before = prompt(tokenizer, messages[:-1], tools)
        whole = tokenizer.apply_chat_template(messages, tools=tools, tokenize=True, return_dict=False)
        written = whole[len(before) :]
        _, _, served = parse_assistant_message(tokenizer, None, written, before, tools=tools)
        ours = calls.read(tokenizer, tokenizer.decode(written))["tool_calls"]
        gold = messages[-1]["tool_calls"]
        assert len(served) == len(ours) == len(gold) == 1
        for found in (served[0], ours[0]["function"]):
            name, arguments = (found["name"], found["arguments"]) if isinstance(found, dict) else (found.name, found.arguments)
            assert name == gold[0]["function"]["name"] and json.loads(arguments) == json.loads(gold[0]["function"]["arguments"])


def test_llama_cpp_shows_a_model_the_same_prompt(saved):
    import httpx

    tokenizer, folder = saved
    with serving.Server(chat_template=folder / "chat_template.jinja", timeout=300) as server:

        def post(path, body):
            headers = {"Authorization": f"Bearer {server.api_key}"}
            return httpx.post(server.address.removesuffix("/v1") + path, json=body, headers=headers, timeout=300, trust_env=False).json()

        for messages, tools in conversations():
            messages = messages[:-1]
            shown = post("/apply-template", {"messages": messages, "tools": tools})["prompt"]
            tokens = post("/tokenize", {"content": shown, "add_special": True, "parse_special": True})["tokens"]
            assert tokens == prompt(tokenizer, messages, tools)
