"""Open models: the catalogue, and one call that loads from four places.

    from helpers import models
    model, tokenizer = models.load("smollm2-135m")          # embedded in the kit
    model, tokenizer = models.load("path/to/folder")        # safetensors on this disk
    model, tokenizer = models.load("path/to/file.gguf")     # a GGUF file, dequantised
    model, tokenizer = models.load("qwen3-0.6b")            # the hub, at the revision in the catalogue
    model, tokenizer = models.load("owner/name@revision")   # the hub, any repository

Only safetensors and GGUF are read, never pickle, and no code that comes with a model is run. An OpenAI-compatible
address is a fifth way, for inference only: `helpers.agents.backends.Remote`.
"""

import json
import os
from functools import lru_cache
from pathlib import Path

from helpers import machine
from helpers.models.embedded import ModelError, gguf_path, lock, safetensors_path, sha256

__all__ = ["ModelError", "catalogue", "chat", "gguf_path", "load", "lock", "prompt_ids", "safetensors_path", "sha256", "stream"]


@lru_cache
def catalogue():
    """The catalogue: id → what is known about the model. Licences are to be checked on the model's own card."""
    return json.loads((Path(__file__).parent / "catalogue.json").read_text(encoding="utf-8"))


def load(name="smollm2-135m", dtype="float32", device="cpu", adapter=None, merge=True):
    """Load a model and its tokenizer for inference or training.

    Args:
        name: a catalogue id, a folder with safetensors, a `.gguf` file, or `owner/name[@revision]` on the hub.
        dtype: "float32", "bfloat16" or "float16"; or "nf4", weights in 4 bits to put an adapter on (QLoRA, Dettmers et al. 2023), which
            needs `bitsandbytes` (extra `gpu`).
        device: "cpu", "cuda" …
        adapter: a PEFT folder to put on top, or None.
        merge: add the adapter into the weights, which makes answering faster; False keeps it apart, to train it on.

    Returns `(model, tokenizer)`, the model in evaluation mode. Raises `ModelError` with one line that says what to do.
    """
    from transformers import AutoModelForCausalLM, AutoTokenizer

    # without this, transformers asks a service to convert a repository of pickle files, and reads what comes back
    os.environ["DISABLE_SAFETENSORS_CONVERSION"] = "1"
    name, options = str(name), {"dtype": dtype, "trust_remote_code": False, "use_safetensors": True}
    if dtype == "nf4":
        options |= _four_bits(device)
    try:
        where, extra = _locate(name)
        if extra.get("gguf_file"):
            where, extra = _converted(Path(where) / extra["gguf_file"]), {}
        tokenizer = AutoTokenizer.from_pretrained(where, trust_remote_code=False, **extra)
        model = AutoModelForCausalLM.from_pretrained(where, **options, **extra)
    except ModelError:
        raise
    except Exception as error:
        raise ModelError(_explain(name, error)) from error
    # adapters trained on it name the model, not the path of one computer's cache
    model.name_or_path = catalogue().get(name, {}).get("repository", model.name_or_path)
    if adapter is not None:
        model = _with_adapter(model, adapter, merge)
    return (model if dtype == "nf4" else model.to(device)).eval(), tokenizer


def _four_bits(device):
    """What `from_pretrained` needs for QLoRA's weights: NF4 in blocks, their scales quantised too, products in a wider type."""
    import importlib.util

    import torch
    from transformers import BitsAndBytesConfig

    if importlib.util.find_spec("bitsandbytes") is None:
        raise ModelError('4-bit weights need bitsandbytes: pip install "lepaslatih[gpu]", or leave dtype="nf4" out')
    wide = torch.bfloat16 if str(device).startswith("cuda") and torch.cuda.is_bf16_supported() else torch.float32
    config = BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True, bnb_4bit_compute_dtype=wide)
    return {"dtype": wide, "quantization_config": config, "device_map": {"": device}}


def _with_adapter(model, adapter, merge):
    from peft import PeftModel

    if not (Path(adapter) / "adapter_model.safetensors").exists():
        raise ModelError(f"{adapter} is not a PEFT adapter folder (no adapter_model.safetensors): give the folder that training wrote")
    try:
        model = PeftModel.from_pretrained(model, adapter, is_trainable=not merge)
    except Exception as error:
        raise ModelError(f"{_explain(adapter, error)} (is it an adapter of this base model?)") from error
    return model.merge_and_unload() if merge else model


def _locate(name):
    """Where a name leads to: `(what from_pretrained takes, extra arguments)`; checks what can be checked without loading."""
    path = Path(name).expanduser()
    entry = catalogue().get(name)
    if entry and entry["source"] == "embedded":
        _check_memory(entry["parameters"] * 4, name)
        return str(safetensors_path(entry)), {}
    if path.suffix == ".gguf":
        if not path.is_file():
            raise ModelError(f"there is no file {path}: check the path")
        with open(path, "rb") as file:
            if file.read(4) != b"GGUF":
                raise ModelError(f"{path.name} is not a GGUF file (its first bytes are wrong): download it again")
        return str(path.parent), {"gguf_file": path.name}
    if path.is_dir():
        if not (path / "config.json").exists():
            raise ModelError(f"{path} has no config.json: give the folder that save_pretrained wrote")
        weights = list(path.glob("*.safetensors"))
        if not weights:
            found = (
                "pickle files (.bin) are not read, for safety: convert them to safetensors"
                if list(path.glob("*.bin"))
                else "it has no safetensors; give the folder that save_pretrained wrote"
            )
            raise ModelError(f"{path} cannot be loaded: {found}")
        _check_memory(sum(w.stat().st_size for w in weights), name)
        return str(path), {}
    if entry:
        _check_memory(entry["parameters"] * 4, name)
        return entry["repository"], {"revision": entry["revision"], "local_files_only": not machine.hub_reachable()}
    repository, _, revision = name.partition("@")
    if repository.count("/") == 1 and not path.is_absolute() and not name.startswith("."):
        return repository, {"revision": revision or "main", "local_files_only": not machine.hub_reachable()}
    raise ModelError(f"unknown model {name!r}: choose one of {', '.join(catalogue())}, a folder, a .gguf file, or owner/name on the hub")


def _check_memory(needed, name):
    available = machine.memory()[1]
    if needed * 1.15 > available:
        raise ModelError(
            f"{name} needs about {needed / 1e9:.1f} GB and {available / 1e9:.1f} GB are free: close other programs or choose a smaller model"
        )


def _converted(path):
    """A GGUF file converted once to safetensors; the cache is keyed by the file's sha256."""
    from helpers.models.embedded import convert_whole

    entry = next((e for e in catalogue().values() if e.get("sha256") and e["bytes"] == path.stat().st_size), None)
    digest = sha256(path)
    if entry and entry["sha256"] == digest:
        return str(safetensors_path(entry, path))
    target = machine.home() / "models" / f"{path.stem}-{digest[:12]}"
    with lock("models"):
        if not (target / "model.safetensors").exists():
            convert_whole(path, target)
    return str(target)


def _explain(name, error):
    """One line for the exceptions that loading may raise."""
    text, kind = f"{type(error).__name__} {error}", type(error).__name__
    first = (str(error).strip().splitlines() or [kind])[0][:160]
    if "cannot be loaded with `safetensors`" in text or "does not appear to have a file named model.safetensors" in text:
        return f"{name} has no safetensors, and pickle files (.bin) are not read, for safety: choose a model that has safetensors"
    if kind in ("RepositoryNotFoundError", "RevisionNotFoundError") or any(
        words in text for words in ("is not a valid model identifier", "is not a valid git identifier", "404 Client Error")
    ):
        return f"the hub has no model {name!r} at that revision: check the spelling on its page"
    if kind == "GatedRepoError" or "gated" in text.lower():
        return f"{name} is gated: accept its terms on its page, then `huggingface-cli login`"
    if any(
        word in text
        for word in (
            "LocalEntryNotFound",
            "OfflineMode",
            "ConnectionError",
            "ConnectError",
            "offline",
            "couldn't connect",
            "Cannot reach",
            "Max retries",
        )
    ):
        return f"{name} is on the hub, which does not answer from here: use the embedded model (smollm2-135m), or a folder you downloaded before"
    if any(
        word in text for word in ("SafetensorError", "InvalidHeader", "HeaderTooLarge", "header", "deserializ", "MetadataIncompleteBuffer")
    ):
        return f"the weights of {name} are damaged ({first}): delete them and fetch them again"
    if isinstance(error, MemoryError) or "out of memory" in text.lower() or "can't allocate memory" in text.lower():
        return f"{name} does not fit into memory: close other programs or choose a smaller model"
    return f"{name} could not be loaded ({kind}: {first}): check that it is whole, or choose another model"


def prompt_ids(tokenizer, messages):
    """Token ids of a conversation up to the assistant's answer, as a list of integers."""
    return tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_dict=True)["input_ids"]


def chat(model, tokenizer, messages, max_new_tokens=60, **options):
    """The model's answer to a conversation, as text. Greedy unless `do_sample=True` is given."""
    import torch

    ids = torch.tensor([prompt_ids(tokenizer, messages)], device=model.device)
    options = {"do_sample": False, "pad_token_id": tokenizer.pad_token_id, **options}
    with torch.inference_mode():
        out = model.generate(input_ids=ids, attention_mask=torch.ones_like(ids), max_new_tokens=max_new_tokens, **options)
    return tokenizer.decode(out[0, ids.shape[1] :], skip_special_tokens=True).strip()


def stream(model, tokenizer, messages, max_new_tokens=60):
    """The answer piece by piece, as a generator of text: what a chat window shows."""
    from threading import Thread

    import torch
    from transformers import TextIteratorStreamer

    ids = torch.tensor([prompt_ids(tokenizer, messages)], device=model.device)
    pieces = TextIteratorStreamer(tokenizer, skip_prompt=True, skip_special_tokens=True)
    options = {"max_new_tokens": max_new_tokens, "do_sample": False, "streamer": pieces, "pad_token_id": tokenizer.pad_token_id}
    Thread(target=model.generate, kwargs={"input_ids": ids, "attention_mask": torch.ones_like(ids), **options}, daemon=True).start()
    yield from pieces
