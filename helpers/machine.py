"""What this computer can do, and the plan chosen from it.

    python -m helpers doctor

`look()` measures; `plan()` decides. Every choice in a plan carries its reason as a sentence, because the reasons are
what a learner takes home. Limits are the container's, not the machine's: a notebook server with a quota of two
cores on a machine of sixty-four must plan for two.
"""

import contextlib
import json
import math
import os
import platform
import shutil
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

GB = 1e9  # gigabytes are decimal here, as in the memory limits people are sold


def home():
    """The folder for things fetched or made once: `LEPASLATIH_HOME`, or the user's cache."""
    chosen = os.environ.get("LEPASLATIH_HOME")
    if chosen:
        return Path(chosen).expanduser()
    if platform.system() == "Windows":
        return Path(os.environ.get("LOCALAPPDATA", Path.home())) / "lepaslatih"
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "lepaslatih"


def _first_line(path):
    try:
        return Path(path).read_text().split("\n")[0].strip()
    except OSError:
        return ""


def cores(root="/sys/fs/cgroup"):
    """Cores this process may use: the scheduler's affinity, cut by the cgroup's quota (v2, then v1)."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota, _, period = _first_line(f"{root}/cpu.max").partition(" ")
    if not quota:
        quota, period = _first_line(f"{root}/cpu/cpu.cfs_quota_us"), _first_line(f"{root}/cpu/cpu.cfs_period_us")
    if quota.isdigit() and period.isdigit() and int(period):
        count = min(count, max(1, math.floor(int(quota) / int(period))))
    return count


def _file_cache(path):
    """Bytes of files in a cgroup's memory that can be dropped, from its `memory.stat`; 0 where there is none."""
    try:
        counts = dict(line.split() for line in Path(path).read_text().splitlines() if len(line.split()) == 2)
    except OSError:
        return 0
    return int(counts.get("total_inactive_file", counts.get("inactive_file", 0)))


def memory(root="/sys/fs/cgroup"):
    """Bytes (limit, available) for this process: the machine's memory, cut by the cgroup's limit.

    Files that were read lately count as used in a cgroup, but the kernel drops them when memory is short: they are free.
    """
    import psutil

    machine = psutil.virtual_memory()
    limit, available = machine.total, machine.available
    for limit_file, used_file in (("memory.max", "memory.current"), ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes")):
        bound, used = _first_line(f"{root}/{limit_file}"), _first_line(f"{root}/{used_file}")
        if bound.isdigit() and int(bound) < limit:
            limit = int(bound)
            used = int(used or 0) - _file_cache(Path(root, limit_file).with_name("memory.stat"))
            available = max(0, min(available, limit - used))
    return limit, available


def matmul_speed(seconds=0.25):
    """Measured speed of a matrix product of a small model's shape (512×576 by 576×1536), in GFLOP/s per dtype.

    The shape matters: a large square product flatters a machine. bfloat16 is emulated on processors without
    instructions for it, and is then tens of times slower than float32; only measuring tells.
    """
    import torch

    speeds, pairs = {}, {}
    for name in ("float32", "bfloat16", "float16"):
        try:
            pairs[name] = torch.randn(512, 576).to(getattr(torch, name)), torch.randn(576, 1536).to(getattr(torch, name))
            pairs[name][0] @ pairs[name][1]
            speeds[name] = 0.0
        except RuntimeError:
            speeds[name], _ = 0.0, pairs.pop(name, None)
    # in turn, and the fastest round of each: whatever else the computer does then disturbs all of them alike
    end = time.perf_counter() + seconds * max(1, len(pairs))
    while time.perf_counter() < end or not all(speeds[name] for name in pairs):
        for name, (a, b) in pairs.items():
            start = time.perf_counter()
            a @ b
            speeds[name] = max(speeds[name], 2 * 512 * 576 * 1536 / (time.perf_counter() - start) / 1e9)
    return speeds


def frugal_malloc():
    """Keep glibc from giving each thread a memory arena of its own: training's peak falls a little, its speed does not.

    Does nothing on other systems. Must be called before the threads start, so `lesson.start` calls it first.
    """
    import ctypes

    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL("libc.so.6").mallopt(-8, 1)  # M_ARENA_MAX


def hub_reachable(timeout=2.0):
    """Whether the model hub (`HF_ENDPOINT`, or huggingface.co) answers, and never when the user said offline."""
    import socket
    from urllib.parse import urlsplit

    if (os.environ.get("HF_HUB_OFFLINE") or os.environ.get("TRANSFORMERS_OFFLINE") or "0").lower() in ("1", "true", "yes", "on"):
        return False
    address = urlsplit(os.environ.get("HF_ENDPOINT", "https://huggingface.co"))
    try:
        with socket.create_connection((address.hostname, address.port or (443 if address.scheme == "https" else 80)), timeout):
            return True
    except OSError:
        return False


@dataclass
class Machine:
    """What was found. Bytes for memory and disk, GFLOP/s for `speeds`, None where there is no GPU."""

    cores: int
    memory: int
    memory_available: int
    disk_free: int
    speeds: dict
    hub: bool
    gpu: str | None = None
    gpu_memory: int = 0
    gpu_bf16: bool = False
    system: str = field(default_factory=lambda: f"{platform.system()} {platform.machine()}, Python {platform.python_version()}")


def look(seconds=0.25):
    """Measure this computer. Takes about a second; returns a `Machine`."""
    import torch

    place = home()
    while not place.exists():
        place = place.parent
    limit, available = memory()
    count = cores()
    torch.set_num_threads(count)
    found = Machine(count, limit, available, shutil.disk_usage(place).free, matmul_speed(seconds), hub_reachable())
    if torch.cuda.is_available():
        properties = torch.cuda.get_device_properties(0)
        found.gpu, found.gpu_memory, found.gpu_bf16 = properties.name, properties.total_memory, torch.cuda.is_bf16_supported(False)
    return found


@dataclass
class Plan:
    """What to use here, and why: `reasons` has a sentence for every choice."""

    profile: str
    model: str
    device: str
    dtype: str
    threads: int
    micro_batch_tokens: int
    minutes: float
    reasons: dict

    def as_dict(self):
        return asdict(self)


def best_dtype(speeds):
    """The dtype to compute in on a CPU, with the reason. float32 unless another is measured to be clearly faster."""
    base = speeds.get("float32", 0.0)
    half = speeds.get("bfloat16", 0.0)
    if base and half > 1.5 * base:
        # faster products do not make the rest of the work faster: norms, softmax and the optimiser stay in float32
        return (
            "float32",
            f"bfloat16 multiplies {half / base:.1f} times faster here, but LoRA on a CPU trains in float32: exact and portable",
        )
    if half:
        return (
            "float32",
            f"bfloat16 multiplies at {half / base:.2f} of float32's speed on this processor (measured): it would save memory and cost time",
        )
    return "float32", "bfloat16 could not be measured here; float32 works on every processor"


# Measured with `python -m benchmarks.memory`: bytes that training takes beside the weights, for each token of a micro-batch, with the
# layers written by hand; autograd, as on a GPU, takes about 2.5 MB in float32.
ACTIVATION_BYTES_PER_TOKEN = 0.75e6
AUTOGRAD_BYTES_PER_TOKEN = 2.5e6
BASE_BYTES = 1.05e9  # Python, PyTorch, transformers, 135M weights in float32, LoRA and its optimiser
TRAINING_SHARE = 0.6  # of the measured speed of matrix products, by `python -m benchmarks.training`


def plan(machine, profile="laptop", tokens=100_000):
    """Choose model, dtype, threads, micro-batch and an estimate of minutes for `tokens` training tokens.

    The rules are few and each says why. Minutes are predicted from the *measured* float32 speed with the FLOP count of
    LoRA training, 0.52 GFLOP a token for 135M parameters, at the share of that speed which training reaches.
    """
    reasons = {}
    if machine.gpu and profile == "gpu":
        dtype = "bfloat16" if machine.gpu_bf16 else "float16"
        reasons["dtype"] = f"{machine.gpu} {'has' if machine.gpu_bf16 else 'lacks'} bfloat16 units"
        reasons["device"] = f"a GPU is here: {machine.gpu}, {machine.gpu_memory / GB:.0f} GB"
        model = "qwen3-0.6b" if machine.hub else "smollm2-135m"
        reasons["model"] = (
            "the hub answers and the GPU has room for a model that has seen Malay" if machine.hub else "no hub: the embedded model"
        )
        reasons["threads"] = "the GPU does the work"
        reasons["micro_batch_tokens"] = "a tenth of the GPU's memory for activations"
        reasons["minutes"] = "not predicted on a GPU: the first steps tell"
        return Plan(profile, model, "cuda", dtype, machine.cores, int(machine.gpu_memory * 0.1 / AUTOGRAD_BYTES_PER_TOKEN), 0.0, reasons)
    dtype, reasons["dtype"] = best_dtype(machine.speeds)
    reasons["device"] = "no GPU is used in this profile" if machine.gpu else "there is no GPU: everything runs on the processor"
    reasons["model"] = "135M parameters in float32 take 0.54 GB and train in minutes on two cores; larger models need the gpu profile"
    reasons["threads"] = f"{machine.cores} cores are allowed to this process; more threads than cores slow each other down"
    room = min(machine.memory_available, 2 * GB) - BASE_BYTES
    micro = int(max(128, min(512, room * 0.85 / ACTIVATION_BYTES_PER_TOKEN)))
    reasons["micro_batch_tokens"] = (
        f"{max(room, 0) / GB:.1f} GB are left beside the weights (the kit promises to stay within 2 GB); a token needs {ACTIVATION_BYTES_PER_TOKEN / 1e6:.2f} MB"
    )
    speed = machine.speeds.get("float32", 0.0)
    rate = speed * TRAINING_SHARE / 0.52 if speed else 1.0
    minutes = tokens / rate / 60
    reasons["minutes"] = (
        f"{tokens:,} tokens at about {rate:.0f} a second: {TRAINING_SHARE:.0%} of the measured {speed:.0f} GFLOP/s, 0.52 GFLOP a token"
        if speed
        else f"{tokens:,} tokens at one a second, the worst case: this processor's speed could not be measured"
    )
    return Plan(profile, "smollm2-135m", "cpu", dtype, machine.cores, micro, round(minutes, 1), reasons)


def table(machine, chosen):
    """The machine and the plan as rows `(what, value, reason)`, for a table."""
    rows = [
        ("system", machine.system, ""),
        ("cores", str(machine.cores), "within the container's quota"),
        ("memory", f"{machine.memory / GB:.1f} GB, {machine.memory_available / GB:.1f} GB free", "within the container's limit"),
        ("disk", f"{machine.disk_free / GB:.0f} GB free", f"where the kit keeps its weights: {home()}".replace(str(Path.home()), "~")),
        ("GPU", machine.gpu or "none", f"{machine.gpu_memory / GB:.0f} GB" if machine.gpu else ""),
        ("model hub", "reachable" if machine.hub else "not reachable", "the embedded weights need none"),
        *((f"matmul {name}", f"{speed:.0f} GFLOP/s", "measured, 512×576×1536") for name, speed in machine.speeds.items()),
    ]
    return rows + [(f"plan: {key}", str(getattr(chosen, key)), reason) for key, reason in chosen.reasons.items()]


def remember(machine, path=None):
    """Keep what was measured, so that notebooks of one run plan alike. Returns the file."""
    path = Path(path or home() / "machine.json")
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(f".{os.getpid()}.part")
    partial.write_text(json.dumps(asdict(machine)))
    partial.replace(path)
    return path


def peak_memory():
    """Peak resident memory of this process in bytes (0 where the system does not tell)."""
    try:
        import resource
    except ImportError:  # Windows
        import psutil

        return getattr(psutil.Process().memory_info(), "peak_wset", 0)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if platform.system() == "Darwin" else peak * 1024
