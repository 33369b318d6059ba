"""Does a killed run end like one that was never killed? Ten runs on the real model, each killed at a random moment.

    python -m benchmarks.resume [--kills 10] [--seed 0]

Every run is ended with SIGKILL after a random time, wherever it is (loading, in a step, while a checkpoint is being written), and
started again until it is through. Compared with the run that was left alone: every loss of the curve, and every weight.
"""

import argparse
import json
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

STEPS, SAVE_EVERY = 12, 2


def worker(folder):
    """One run (or the rest of one) in this process."""
    import torch

    from helpers import machine, models, training
    from helpers.worlds.mortgage import task

    torch.set_num_threads(machine.cores())
    machine.frugal_malloc()
    model, tokenizer = models.load()
    documents = sorted(task.examples(tokenizer, task.training_rows(200, seed=3)), key=len)[: 2 * STEPS]
    training.finetune(model, tokenizer, documents, folder, training.Settings(save_every=SAVE_EVERY, seed=3))


def start(folder):
    return subprocess.Popen(
        [sys.executable, "-m", "benchmarks.resume", "--worker", folder], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


def difference(one, other):
    """The largest difference between two runs' losses, and between their weights."""
    from safetensors.torch import load_file

    curves = [dict(json.loads((Path(f) / "training.json").read_text())["curve"]) for f in (one, other)]
    if curves[0].keys() != curves[1].keys():
        return float("inf"), float("inf")
    loss = max(abs(curves[0][step] - curves[1][step]) for step in curves[0])
    weights = [load_file(Path(f) / "adapter_model.safetensors") for f in (one, other)]
    return loss, max(float((weights[0][name] - weights[1][name]).abs().max()) for name in weights[0])


def main(kills, seed):
    """Run, kill, resume, compare; prints a row for each and returns how many ended equal."""
    rng, equal = random.Random(seed), 0
    with tempfile.TemporaryDirectory() as place:
        begin = time.perf_counter()
        if start(f"{place}/whole").wait():
            raise RuntimeError("the run that is not killed failed: run `python -m benchmarks.resume --worker /tmp/x` to see why")
        length = time.perf_counter() - begin
        for _ in range(kills):
            folder, process = f"{place}/killed", start(f"{place}/killed")
            moment = rng.uniform(0.2, 1.0) * length
            try:
                process.wait(moment)
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
            process.wait()
            steps = sorted(int(p.name.split("-")[1]) for p in Path(f"{folder}.part").glob("checkpoint-*"))
            status = start(folder).wait() if not Path(folder).exists() else 0
            loss, weight = difference(f"{place}/whole", folder) if not status else (float("inf"),) * 2
            same = loss <= 1e-5 and weight <= 1e-5
            equal += same
            print(
                f"killed after {moment:4.1f} of {length:.1f} s, checkpoints {steps}: loss {loss:.1e}, weights {weight:.1e} apart",
                flush=True,
            )
            shutil.rmtree(folder, ignore_errors=True)
            shutil.rmtree(f"{folder}.part", ignore_errors=True)
    print(f"{equal} of {kills} killed runs ended like the one that was not")
    return equal


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--worker")
    options = parser.parse_args()
    if options.worker:
        worker(options.worker)
    else:
        sys.exit(main(options.kills, options.seed) != options.kills)
