"""The serving room with real weights: a small random adapter, exported both ways, served by llama.cpp on this machine."""

import re

import psutil
import pytest

pytest.importorskip("xllamacpp")

from helpers import models, serving
from helpers.models.constrained import Slot, grammar

QUESTION = [{"role": "user", "content": "What is the capital of Malaysia?"}]
WORDS = 9  # tokens of an answer that are compared


@pytest.fixture(scope="module")
def tuned(tmp_path_factory):
    """A model with a random LoRA of rank 2 on all linear layers, its tokenizer, its folder, and the base's answer."""
    import torch
    from peft import LoraConfig, get_peft_model

    model, tokenizer = models.load("smollm2-135m")
    base_answer = models.chat(model, tokenizer, QUESTION, max_new_tokens=WORDS)
    torch.manual_seed(0)
    model = get_peft_model(model, LoraConfig(r=2, lora_alpha=4, target_modules="all-linear", task_type="CAUSAL_LM")).eval()
    for name, weight in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.22)  # enough to change the answer
    folder = tmp_path_factory.mktemp("serving") / "adapter"
    model.save_pretrained(folder)
    return model, tokenizer, folder, base_answer


@pytest.fixture(scope="module")
def merged(tuned, tmp_path_factory):
    """A running server of the merged model."""
    target = serving.export_merged(tuned[2], tmp_path_factory.mktemp("merged") / "merged.gguf", quantization="f16")
    with serving.Server(target, timeout=300) as server:
        yield server


@pytest.fixture(scope="module")
def beside(tuned, tmp_path_factory):
    """A running server of the base with the adapter beside it."""
    target = serving.export_adapter(tuned[2], tmp_path_factory.mktemp("beside") / "adapter.gguf")
    with serving.Server(adapter=target, timeout=300) as server:
        yield server


def post(server, path, body):
    import httpx

    headers = {"Authorization": f"Bearer {server.api_key}"}
    return httpx.post(server.address.removesuffix("/v1") + path, json=body, headers=headers, timeout=300, trust_env=False).json()


def test_merged_model_writes_what_the_model_in_this_process_writes(tuned, merged):
    model, tokenizer, _, base_answer = tuned
    expected = models.chat(model, tokenizer, QUESTION, max_new_tokens=WORDS)
    answer = serving.complete(merged.address, QUESTION, merged.api_key, max_tokens=WORDS)
    assert answer["text"].strip() == expected
    assert expected != base_answer
    assert 0 < answer["tokens"] <= WORDS and answer["seconds"] > 0


@pytest.mark.parametrize("name", ["merged", "beside"])
def test_served_probabilities_are_those_of_the_model_in_this_process(tuned, name, request):
    """Sees what equal text may hide, such as query rows in the wrong order."""
    import torch

    server, (model, tokenizer, _, _) = request.getfixturevalue(name), tuned
    ids = models.prompt_ids(tokenizer, QUESTION)
    with torch.inference_mode():
        expected = torch.log_softmax(model(torch.tensor([ids])).logits[0, -1], dim=-1)
        with model.disable_adapter():
            base = torch.log_softmax(model(torch.tensor([ids])).logits[0, -1], dim=-1)
    # llama.cpp rounds activations to 8 bits where the weights are quantised, as beside the base they are
    found = post(server, "/completion", {"prompt": ids, "n_predict": 1, "n_probs": 10, "temperature": 0})["completion_probabilities"][0]
    ours = torch.tensor([float(expected[row["id"]]) for row in found["top_logprobs"]])
    theirs = torch.tensor([row["logprob"] for row in found["top_logprobs"]])
    untuned = torch.tensor([float(base[row["id"]]) for row in found["top_logprobs"]])
    error, change = (ours - theirs).abs().mean(), (untuned - ours).abs().mean()
    assert error < (0.05 if name == "merged" else 0.3)
    assert error < change / 4


def test_server_reads_the_prompt_token_for_token_as_we_do(tuned, merged):
    tokenizer = tuned[1]
    letter = [
        {"role": "system", "content": "Petik butiran."},
        {"role": "user", "content": "Saya Aminah a/p Raju, gaji RM3,200.50 — “tetap”.\n"},
    ]
    for messages in (QUESTION, letter):
        prompt = post(merged, "/apply-template", {"messages": messages})["prompt"]
        tokens = post(merged, "/tokenize", {"content": prompt, "add_special": True, "parse_special": True})["tokens"]
        assert tokens == models.prompt_ids(tokenizer, messages)
        assert serving.complete(merged.address, messages, merged.api_key, max_tokens=1)["prompt_tokens"] == len(tokens)


def test_grammar_is_obeyed(merged):
    slots = [Slot("nama", ("Aminah", "Aminah Raju")), Slot("gaji [RM3,200]", ("gaji", "lain"), nothing=None), Slot("tempat", ())]
    text = serving.complete(merged.address, QUESTION, merged.api_key, grammar=grammar(slots), max_tokens=60)["text"]
    assert re.fullmatch(r"nama: (Aminah|Aminah Raju|-)\ngaji \[RM3,200\]: (gaji|lain)\ntempat: -\n?", text)


@pytest.mark.parametrize("key", [None, "wrong"])
def test_wrong_key_is_refused(merged, key):
    with pytest.raises(serving.ServingError, match="API key"):
        serving.complete(merged.address, QUESTION, key)


def test_key_is_neither_printed_nor_on_the_command_line(merged):
    assert merged.api_key not in " ".join(psutil.Process(merged.pid).cmdline())
    assert merged.api_key not in "\n".join(merged.log())
    assert merged.api_key not in repr(merged)


def test_server_listens_on_loopback_only(merged):
    listening = [c.laddr for c in psutil.Process(merged.pid).net_connections() if c.status == psutil.CONN_LISTEN]
    assert [a.ip for a in listening] == ["127.0.0.1"]
    assert merged.address == f"http://127.0.0.1:{listening[0].port}/v1"


def test_errors_of_the_server_come_back_in_one_line(merged):
    with pytest.raises(serving.ServingError, match="exceeds the available context") as error:
        serving.complete(merged.address, [{"role": "user", "content": "satu " * 3000}], merged.api_key)
    assert "\n" not in str(error.value)


def test_closing_ends_the_process():
    server = serving.Server(timeout=300).start()
    address, process = server.address, psutil.Process(server.pid)
    assert serving.healthy(address) and server.memory > 50e6
    server.close()
    server.close()
    assert not process.is_running()
    with pytest.raises(serving.ServingError, match="no server answers"):
        serving.complete(address, QUESTION, server.api_key)


def test_server_that_cannot_start_says_so(tmp_path):
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"GGUF" + bytes(100))
    with pytest.raises(serving.ServingError, match="ended while it started"):
        serving.Server(broken, timeout=300).start()
    with pytest.raises(serving.ServingError, match="no GGUF weights"):
        serving.Server(tmp_path / "missing.gguf")


def test_export_refuses_what_it_cannot_express(tuned, tmp_path):
    import json

    with pytest.raises(serving.ServingError, match="not a PEFT adapter folder"):
        serving.export_adapter(tmp_path, tmp_path / "out.gguf")
    config = json.loads((tuned[2] / "adapter_config.json").read_text())
    (tmp_path / "adapter_config.json").write_text(json.dumps({**config, "use_dora": True}))
    with pytest.raises(serving.ServingError, match="use_dora"):
        serving.export_merged(tmp_path, tmp_path / "out.gguf")
    assert [p.name for p in tmp_path.iterdir()] == ["adapter_config.json"]
