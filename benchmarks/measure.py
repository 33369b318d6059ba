"""The instruments of the training benchmark: clock, held-out loss, operations, the computer's peak, memory, and who else is busy.

    meter = Meter(look, every=4, bar=0.9)      # `look(model)` gives the held-out loss; its time is off the clock
    watched = watch([sys.executable, "-c", "…"])    # a process's peak of memory, whole tree, and what others used meanwhile

Importing is light: a cold start is one of the things that are measured.
"""

import json
import os
import shutil
import subprocess
import sys
import time


class Meter:
    """Clock and counts of a run. `steps`: (seconds, real tokens, documents, cells) of each; `curve`: (step, seconds, held-out loss).

    `wait`: called before the clock is read at the end of a step; on a GPU, what waits for it.
    """

    def __init__(self, look=None, every=0, bar=None, warm=4, wait=None):
        self.look, self.every, self.bar, self.warm, self.wait = look, every, bar, warm, wait
        self.paused, self.began, self.setup = 0.0, 0.0, 0.0
        self.waiting, self.steps, self.curve = [], [], []

    def start(self):
        """The run begins: model and data are loaded. (`finetune`'s pass through frozen layers comes after this.)"""
        self.began = time.perf_counter() - self.paused

    def seconds(self):
        return time.perf_counter() - self.began - self.paused

    def off_the_clock(self, function, *arguments):
        """What the function returns; the time it takes does not count."""
        now = time.perf_counter()
        try:
            return function(*arguments)
        finally:
            self.paused += time.perf_counter() - now

    def batch(self, lengths, cells):
        """A batch is ready: real lengths of its documents, and cells of the tensor that goes through the model."""
        self.waiting.append((sum(lengths), len(lengths), cells))

    def step(self, model, batches=1):
        """A step has ended that took so many batches. True when the bar is reached."""
        if self.wait:
            self.wait()
        taken, self.waiting = self.waiting[:batches], self.waiting[batches:]
        self.steps.append((self.seconds(), *map(sum, zip(*taken))))
        return bool(self.every) and len(self.steps) % self.every == 0 and self.measure(model)

    def measure(self, model):
        """Add to the curve, unless this step is on it already. True when the bar is reached."""
        if not self.curve or self.curve[-1][0] != len(self.steps):
            seconds = self.seconds()
            self.curve.append((len(self.steps), seconds, self.off_the_clock(self.look, model)))
        return self.bar is not None and self.curve[-1][2] <= self.bar

    def speed(self):
        """Real tokens a second after a short warm-up: the steps with the first `warm` documents do not count."""
        seen, first = 0, 0
        while first < len(self.steps) - 1 and seen < self.warm:
            seen += self.steps[first][2]
            first += 1
        start = self.steps[first - 1][0] if first else self.setup
        return sum(step[1] for step in self.steps[first:]) / (self.steps[-1][0] - start)


def lengths_of(examples):
    """Real lengths of the documents that a data set hands to its collator: this kit's, TRL's, or those in packed rows."""
    found = []
    for example in examples:
        example = example[1] if isinstance(example, tuple) else example  # this kit numbers its documents
        if hasattr(example, "input_ids"):
            found.append(len(example))
        else:
            found += example.get("seq_lengths") or [len(example["input_ids"])]
    return found


def callback(meter):
    """The meter as a `TrainerCallback`: it stands between the data set and the collator, and counts what comes by."""
    from transformers import TrainerCallback

    class Count(TrainerCallback):
        batches = 0

        def on_train_begin(self, args, state, control, train_dataloader=None, **kwargs):
            loader = getattr(train_dataloader, "base_dataloader", train_dataloader)  # inside accelerate's wrapper
            collate = loader.collate_fn

            def counted(examples):
                made, lengths = collate(examples), lengths_of(examples)
                tensor = made.get("input_ids") if hasattr(made, "get") else None
                meter.batch(lengths, sum(lengths) if tensor is None else tensor.numel())
                return made

            loader.collate_fn = counted
            meter.setup = meter.seconds()

        def on_substep_end(self, args, state, control, **kwargs):
            self.batches += 1

        def on_step_end(self, args, state, control, model=None, **kwargs):
            reached, self.batches = meter.step(model, self.batches + 1), 0
            control.should_training_stop |= reached

    return Count()


def held_out_loss(model, documents):
    """Mean cross-entropy of an answer's tokens: the model's own forward pass, one document at a time, no padding."""
    import torch
    import torch.nn.functional as F

    training, total, count = model.training, 0.0, 0
    model.eval()
    with torch.no_grad():
        for document in documents:
            ids, answer = torch.tensor([document.input_ids], device=model.device), len(document) - document.prompt_length
            logits = model(input_ids=ids, logits_to_keep=answer + 1, use_cache=False).logits[0, :-1]
            total += float(F.cross_entropy(logits.float(), ids[0, -answer:], reduction="sum"))
            count += answer
    model.train(training)
    return total / count


def flop_per_token(config, supervised_share, mean_length, rank, layers=None):
    """Floating-point operations of training for one real token; `layers`: LoRA on the top ones only, the others not run.

    A product with a matrix of n weights takes 2n a token. Forward and the gradient at the input are two products with every
    frozen matrix (4n); LoRA's matrices need their own gradient too (6n). The head works on the supervised share of the
    positions. Attention: a token sees half of its document's `mean_length` tokens on average, so scores and weighted sum are
    2 · 2 · (length / 2) · width forward, and twice that backward. Norms, activations and the optimiser are not counted.
    """
    d, m, layers = config.hidden_size, config.intermediate_size, layers or config.num_hidden_layers
    head = getattr(config, "head_dim", None) or d // config.num_attention_heads
    q, kv = head * config.num_attention_heads, head * config.num_key_value_heads
    shapes = [(d, q), (d, kv), (d, kv), (q, d), (d, m), (d, m), (m, d)]
    linear = layers * sum(inputs * outputs for inputs, outputs in shapes)
    lora = layers * rank * sum(inputs + outputs for inputs, outputs in shapes)
    attention = layers * 2 * 2 * (mean_length / 2) * q
    return 4 * linear + 6 * lora + 3 * attention + 4 * supervised_share * d * config.vocab_size


def matmul_peak(device="cpu", seconds=1.0):
    """The best speed of a square matrix product, in GFLOP/s: float32 on a processor, bfloat16 on a GPU."""
    import torch

    sizes, dtype = ((1024, 2048), torch.float32) if device == "cpu" else ((4096, 8192), torch.bfloat16)
    pairs = [torch.randn(2, n, n, device=device, dtype=dtype) for n in sizes]
    best, end = 0.0, time.perf_counter() + seconds
    while time.perf_counter() < end or not best:
        for a, b in pairs:
            now = time.perf_counter()
            a @ b
            if device != "cpu":
                torch.cuda.synchronize()
            best = max(best, 2 * len(a) ** 3 / (time.perf_counter() - now) / 1e9)
    return best


def busy_seconds():
    """Seconds of processor time that everything on this computer has used, time stolen by a hypervisor's other guests included."""
    import psutil

    times = psutil.cpu_times()
    return sum(getattr(times, name, 0.0) for name in ("user", "nice", "system", "irq", "softirq", "steal"))


def others_busy(seconds=1.0):
    """Share of this computer's processors that other processes use, measured over so many seconds; 0.5 is one core of two."""
    import psutil

    before, own, now = busy_seconds(), time.process_time(), time.perf_counter()
    time.sleep(seconds)
    used = busy_seconds() - before - (time.process_time() - own)
    return max(0.0, used / (time.perf_counter() - now) / psutil.cpu_count())


def wait_until_idle(limit=0.05, patience=120.0):
    """Wait until others use at most `limit` of the processors, but no longer than `patience` seconds; returns what they use."""
    end = time.perf_counter() + patience
    while (share := others_busy()) > limit and time.perf_counter() < end:
        time.sleep(1.0)
    return share


def limiter(gigabytes):
    """How memory can be limited here: (words before a command, function for the child to call first, what it is).

    A cgroup, made by systemd for the user, limits what the process really holds. Without systemd: `RLIMIT_DATA`, which limits
    private writable memory (heap, buffers, stacks), touched or not; files that are mapped to be read are not counted.
    `RLIMIT_AS` would count the libraries' address space, gigabytes that are never touched. ValueError where there is neither.
    """
    size = int(gigabytes * 1e9)
    scope = ["systemd-run", "--user", "--scope", "--quiet", "-p", f"MemoryMax={size}", "-p", "MemorySwapMax=0"]
    if shutil.which(scope[0]) and subprocess.run([*scope, "true"], capture_output=True).returncode == 0:
        return scope, None, f"cgroup (MemoryMax) of {gigabytes:g} GB"
    if not sys.platform.startswith("linux"):
        raise ValueError("memory can be limited on Linux only: leave --limit-gb out")
    import resource

    return [], lambda: resource.setrlimit(resource.RLIMIT_DATA, (size, size)), f"RLIMIT_DATA of {gigabytes:g} GB"


def watch(command, limit_gb=None, every=0.25):
    """Run a command; returns a dictionary: `code`, `errors` (its stderr), `began` (clock time), `rss` [(clock time, bytes of the
    whole tree)], `others` (share of the processors that others used meanwhile) and `limit` (what limited its memory)."""
    import psutil

    words, first, limit = limiter(limit_gb) if limit_gb else ([], None, "")
    environment = {**os.environ, "TOKENIZERS_PARALLELISM": "false", "HF_HUB_OFFLINE": "1", "PYTHONWARNINGS": "ignore"}
    before, own, used, rss = busy_seconds(), time.process_time(), 0.0, []
    began, now = time.time(), time.perf_counter()
    process = subprocess.Popen(
        [*words, *command], env=environment, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, preexec_fn=first
    )
    child = psutil.Process(process.pid)
    try:
        while True:
            try:
                tree = [child, *child.children(recursive=True)]
                rss.append((time.time(), sum(one.memory_info().rss for one in tree)))
                used = max(used, sum(sum(one.cpu_times()[:2]) for one in tree))
            except psutil.Error:
                pass  # one of them has just ended
            try:
                errors = process.communicate(timeout=every)[1]
                break
            except subprocess.TimeoutExpired:
                continue
    except BaseException:
        process.kill()
        process.wait()
        raise
    elapsed = time.perf_counter() - now
    others = (busy_seconds() - before - used - (time.process_time() - own)) / elapsed / psutil.cpu_count()
    return {"code": process.returncode, "errors": errors, "began": began, "rss": rss, "others": max(0.0, others), "limit": limit}


def write(path, value):
    """JSON into a file, all of it or none."""
    part = path.with_suffix(f".{os.getpid()}.part")
    part.write_text(json.dumps(value, indent=1))
    os.replace(part, path)
