"""Serving: an adapter becomes a GGUF file, and llama.cpp serves it on this machine with the OpenAI API.

    from helpers import serving
    with serving.serve("runs/adapter") as server:       # exported once, then a server in a process of its own
        answer = serving.complete(server.address, messages, api_key=server.api_key)
        print(answer["text"], answer["tokens"] / answer["seconds"])

Two ways to export. `export_merged` adds the adapter to the base weights: one file, nothing to add while decoding.
`export_adapter` keeps it apart: a small file beside the base, several of which one server can hold, paid for
with every token. `python -m helpers.serving --help` is the same server from a shell.
"""

import hashlib
import json
import math
import os
import re
import secrets
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

from helpers import machine
from helpers.agents.client import ServingError, complete, healthy, one_line

__all__ = ["Server", "ServingError", "complete", "export_adapter", "export_merged", "serve", "speed"]

KEY_VARIABLE = "LEPASLATIH_API_KEY"  # how the key reaches the server: the environment, where other users cannot read it

# PEFT's names of the linear layers of a Llama-type model, and GGUF's
LAYERS = {
    "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v", "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down",
}  # fmt: skip
_LORA_KEY = re.compile(r"base_model\.model\.model\.layers\.(\d+)\.(\w+\.\w+)\.lora_([AB])\.weight")


# ---- export ----------------------------------------------------------------------------------------------------------


def export_adapter(peft_folder, target, base="smollm2-135m"):
    """Write a PEFT LoRA of a Llama-type model as a GGUF adapter, for `Server(model, adapter=target)`.

    Args:
        peft_folder: folder with `adapter_config.json` and `adapter_model.safetensors`.
        target: the file to write; it appears under its name only when it is whole.
        base: the model the adapter was trained on, an embedded catalogue id or a `.gguf` file: it says how many heads there are.

    Returns the path of the file. Raises `ServingError` where the adapter is not a plain LoRA or does not fit the base.
    Layout: `convert_lora_to_gguf.py` of llama.cpp; A is [rank, in], B is [out, rank], both as float32.
    """
    from gguf import GGUFWriter

    heads = _heads(_read_gguf(base))
    pairs, rank, scale = _read_lora(peft_folder)
    with _whole_file(target) as partial:
        writer = GGUFWriter(partial, "llama")
        writer.add_type("adapter")
        writer.add_string("adapter.type", "lora")
        writer.add_float32("adapter.lora.alpha", scale * rank)  # llama.cpp divides by the rank
        for name, (a, b) in pairs.items():
            writer.add_tensor(f"{name}.lora_a", a)
            writer.add_tensor(f"{name}.lora_b", _permute(name, b, heads))
        _finish(writer)
    return Path(target)


def export_merged(peft_folder, target, base="smollm2-135m", quantization="q8_0"):
    """Write the base model with the adapter added to its weights, as one GGUF file.

    Args:
        peft_folder: folder with `adapter_config.json` and `adapter_model.safetensors`.
        target: the file to write; it appears under its name only when it is whole.
        base: the model the adapter was trained on, an embedded catalogue id or a `.gguf` file.
        quantization: "f16" or "q8_0", for the linear layers. Not 4 bits: what the adapter adds is finer than their steps.

    Returns the path of the file. Tokenizer and metadata are the base's own; norms and embeddings stay as they are.
    Every merged weight is W + scale·B·A, from the same dequantised W that training used.
    """
    import gguf

    kinds = {
        "f16": (gguf.GGMLQuantizationType.F16, gguf.LlamaFileType.MOSTLY_F16),
        "q8_0": (gguf.GGMLQuantizationType.Q8_0, gguf.LlamaFileType.MOSTLY_Q8_0),
    }
    if quantization not in kinds:
        raise ServingError(f"quantization {quantization!r} is not known: choose f16 or q8_0")
    kind, file_type = kinds[quantization]
    reader = _read_gguf(base)
    heads = _heads(reader)
    pairs, _, scale = _read_lora(peft_folder)
    if missing := set(pairs) - {t.name for t in reader.tensors}:
        raise ServingError(f"{Path(peft_folder).name} does not fit {base}: the base has no {sorted(missing)[0]}")
    with _whole_file(target) as partial:
        writer = gguf.GGUFWriter(partial, "llama")
        for name, field in reader.fields.items():
            if name == "general.file_type":
                writer.add_file_type(file_type)
            elif name != "general.architecture" and not name.startswith("GGUF."):
                array = field.types[0] == gguf.GGUFValueType.ARRAY
                writer.add_key_value(name, field.contents(), field.types[0], sub_type=field.types[-1] if array else None)
        for tensor in reader.tensors:
            if not re.fullmatch(r"blk\.\d+\.(attn|ffn)_\w+\.weight", tensor.name) or "norm" in tensor.name:
                writer.add_tensor(tensor.name, tensor.data, raw_dtype=tensor.tensor_type)
                continue
            weight = gguf.quants.dequantize(tensor.data, tensor.tensor_type)
            if tensor.name in pairs:
                a, b = pairs[tensor.name]
                delta = scale * (_permute(tensor.name, b, heads) @ a)
                if delta.shape != weight.shape:
                    raise ServingError(
                        f"{Path(peft_folder).name} does not fit {base}: {tensor.name} is {weight.shape}, the adapter's {delta.shape}"
                    )
                weight = weight + delta
            writer.add_tensor(tensor.name, gguf.quants.quantize(weight, kind), raw_dtype=kind)
        _finish(writer)
    return Path(target)


def _read_gguf(base):
    """A GGUFReader of a Llama-type base: an embedded catalogue id, or a file."""
    from gguf import GGUFReader

    reader = GGUFReader(_gguf_file(base))
    architecture = reader.fields["general.architecture"].contents()
    if architecture != "llama":
        raise ServingError(f"{base} is of type {architecture}: only Llama-type models are exported here; use llama.cpp's own converter")
    return reader


def _gguf_file(base):
    from helpers import models

    entry = models.catalogue().get(str(base))
    if entry and entry["source"] == "embedded":
        return str(models.gguf_path(entry))
    if Path(base).suffix == ".gguf" and Path(base).is_file():
        return str(base)
    raise ServingError(f"there are no GGUF weights called {base}: give an embedded model of the catalogue, or a .gguf file")


def _heads(reader):
    """Heads of the query and the key projection: GGUF name of the layer → number."""
    heads = reader.fields["llama.attention.head_count"].contents()
    return {"attn_q": heads, "attn_k": reader.fields["llama.attention.head_count_kv"].contents()}


def _read_lora(folder):
    """`({GGUF tensor name: (A, B)}, rank, scale)` of a PEFT folder, as float32 arrays."""
    folder = Path(folder)
    try:
        config = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ServingError(
            f"{folder} is not a PEFT adapter folder (no readable adapter_config.json): give the folder that training wrote"
        ) from error
    special = [k for k in ("use_dora", "rank_pattern", "alpha_pattern", "modules_to_save", "fan_in_fan_out", "lora_bias") if config.get(k)]
    if config.get("peft_type") != "LORA" or config.get("bias", "none") != "none" or special:
        raise ServingError(
            f"{folder.name} is not a plain LoRA ({', '.join(special) or config.get('peft_type')}): merge it with PEFT, then convert it whole"
        )
    from safetensors import SafetensorError, safe_open

    matrices = {}
    try:
        with safe_open(str(folder / "adapter_model.safetensors"), framework="pt") as file:
            for key in file.keys():  # noqa: SIM118 (the file is no dict)
                match = _LORA_KEY.fullmatch(key)
                if not match or match[2] not in LAYERS:
                    raise ServingError(f"{folder.name} changes {key}, which a GGUF adapter of a Llama-type model has no place for")
                matrices.setdefault(f"blk.{match[1]}.{LAYERS[match[2]]}.weight", {})[match[3]] = file.get_tensor(key).float().numpy()
    except (OSError, SafetensorError) as error:
        raise ServingError(f"the weights of the adapter in {folder} cannot be read: train it again, or copy the folder again") from error
    rank = config["r"]
    scale = config["lora_alpha"] / (math.sqrt(rank) if config.get("use_rslora") else rank)
    return {name: (m["A"], m["B"]) for name, m in matrices.items()}, rank, scale


def _permute(name, matrix, heads):
    """Rows of a query or key projection in GGUF's order: rotary pairs side by side within each head; others unchanged."""
    import numpy as np

    count = heads.get(name.split(".")[2])
    if count is None:
        return np.ascontiguousarray(matrix)
    rows, columns = matrix.shape
    if rows % (2 * count):
        raise ServingError(f"the adapter does not fit the base: {name} has {rows} rows for {count} heads")
    return np.ascontiguousarray(matrix.reshape(count, 2, rows // count // 2, columns).swapaxes(1, 2).reshape(rows, columns))


@contextmanager
def _whole_file(target):
    """A name to write to beside the target; renamed to it when the block ends well, removed otherwise."""
    target = Path(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, partial = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    os.close(handle)
    try:
        yield partial
        os.replace(partial, target)
    finally:
        Path(partial).unlink(missing_ok=True)


def _finish(writer):
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


# ---- server ----------------------------------------------------------------------------------------------------------


class Server:
    """A llama.cpp server with the OpenAI API, in a process of its own, reachable from this machine only.

    Args:
        model: an embedded catalogue id or a `.gguf` file.
        adapter: a GGUF adapter to put on top (`export_adapter`), or None.
        chat_template: a Jinja file instead of the model's own template: `chat_template.jinja` of a tokenizer that
            `agents.calls.adopt` has prepared, so that the server shows tools and reads calls as this process does.
        port: the port on 127.0.0.1; 0 lets the system choose a free one.
        api_key: what clients must send; a random one when None. Read it from `server.api_key`; it is never printed.
        context: tokens of prompt and answer together, for each of the `parallel` requests served at once.
        timeout: seconds to wait until the model is loaded.

    Use it in a `with` block, or call `start()` and `close()`; it also ends when this process does. Once started,
    `address` is the base address of the API (`http://127.0.0.1:PORT/v1`), `pid` the process's id, `memory` its resident
    bytes. Raises `ServingError` where the model cannot be served.
    """

    def __init__(
        self, model="smollm2-135m", adapter=None, port=0, api_key=None, context=2048, parallel=1, threads=None, timeout=60, chat_template=None
    ):  # fmt: skip
        self.api_key, self.address, self.pid, self._process, self._timeout = api_key or secrets.token_urlsafe(24), None, None, None, timeout
        self._command = [sys.executable, "-m", "helpers.serving", "--child", "--model", _gguf_file(model), "--port", str(port)]
        self._command += ["--context", str(context), "--parallel", str(parallel), "--threads", str(threads or machine.cores())]
        if adapter is not None:
            if not Path(adapter).is_file():
                raise ServingError(f"there is no adapter file {adapter}: make it with export_adapter")
            self._command += ["--adapter", str(adapter)]
        if chat_template is not None:
            self._command += ["--chat-template", str(chat_template)]

    def start(self):
        """Start the process and wait until the model is loaded; returns the server. A running one is left as it is."""
        if self._process is not None:
            return self
        # the child finds `helpers` where this process found it, whatever the notebook's folder is
        paths = [str(Path(__file__).parents[2]), *filter(None, [os.environ.get("PYTHONPATH")])]
        environment = {**os.environ, KEY_VARIABLE: self.api_key, "PYTHONPATH": os.pathsep.join(paths)}
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 (closed with the server)
        self._process = subprocess.Popen(self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log, env=environment)
        self.pid = self._process.pid
        try:
            self.address = self._wait(self._timeout)
        except BaseException:
            self.close()
            raise
        return self

    def _wait(self, timeout):
        """Wait for the line with the address, then for /health; returns the API's base address."""
        from threading import Timer

        late, start = [], time.monotonic()

        def give_up():
            late.append(True)
            self._process.kill()

        timer = Timer(timeout, give_up)
        timer.start()
        try:
            line = self._process.stdout.readline().decode().strip()
            while line.startswith("http") and not late:
                if self._process.poll() is None and healthy(f"{line}/v1"):
                    return f"{line}/v1"
                if self._process.poll() is not None:
                    break
                time.sleep(0.05)
        finally:
            timer.cancel()
        self._process.wait()
        if late:
            raise ServingError(
                f"the server was not ready after {time.monotonic() - start:.0f} s: give a longer timeout, or close other programs"
            )
        errors = [re.sub(r"^[\d.]+ [EW] ", "", line) for line in self.log()]
        raise ServingError(f"the server ended while it started: {one_line('; '.join(errors)) or 'it gave no reason'}")

    def log(self):
        """What the server wrote to its log so far, as a list of lines."""
        self._log.seek(0)
        return [line for line in self._log.read().decode(errors="replace").splitlines() if line.strip()]

    @property
    def memory(self):
        """Resident memory of the server's process, in bytes."""
        import psutil

        try:
            return psutil.Process(self.pid).memory_info().rss
        except psutil.NoSuchProcess:
            raise ServingError("the server has ended: start another") from None

    def close(self):
        """End the process and wait for it; calling it twice does no harm."""
        process, self._process, self.address = self._process, None, None
        if process is None:
            return
        process.stdin.close()  # the child ends when this pipe does
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()
        self._log.close()

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.close()


def serve(adapter=None, base="smollm2-135m", export="q8_0", **options):
    """Serve a PEFT folder (or the base alone): export it where that has not been done; returns a started `Server`.

    `export` is "q8_0" or "f16" (merged into one file), or "adapter" (kept apart). Files are kept in the kit's
    cache under the adapter's sha256, so a second start is quick. `options` go to `Server`.
    """
    if adapter is None:
        return Server(base, **options).start()
    digest = hashlib.sha256(str(base).encode())
    for name in ("adapter_config.json", "adapter_model.safetensors"):
        if not (Path(adapter) / name).is_file():
            raise ServingError(f"{adapter} is not a PEFT adapter folder (no {name}): give the folder that training wrote")
        digest.update((Path(adapter) / name).read_bytes())
    target = machine.home() / "served" / f"{Path(adapter).name}-{digest.hexdigest()[:12]}-{export}.gguf"
    if export == "adapter":
        return Server(base, target if target.exists() else export_adapter(adapter, target, base), **options).start()
    return Server(target if target.exists() else export_merged(adapter, target, base, export), **options).start()


def speed(address, messages, api_key=None, tokens=64):
    """Tokens a second of a llama.cpp server that reads a conversation afresh and writes exactly `tokens` tokens."""
    answer = complete(address, messages, api_key, max_tokens=tokens, ignore_eos=True, cache_prompt=False)
    return answer["tokens"] / answer["seconds"]
