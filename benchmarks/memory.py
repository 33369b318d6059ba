"""How much memory training takes: the figures behind `helpers.machine.plan`.

    python -m benchmarks.memory

Trains on documents of growing length, each length in a process of its own, and prints the peak resident memory.
"""

import subprocess
import sys


def one(tokens):
    """Peak memory in bytes of this process after a few steps on documents of `tokens` tokens."""
    import torch

    from helpers import machine, models, training
    from helpers.training.engine import Engine

    machine.frugal_malloc()
    torch.set_num_threads(machine.cores())
    model, _ = models.load()
    tuned = training.with_lora(model, training.Settings()).train()
    engine = Engine(tuned, rows=tokens)
    document = training.Example(torch.randint(100, 40_000, (tokens,)).tolist(), tokens // 2, [1.0] * (tokens - tokens // 2))
    for _ in range(3):
        engine.loss(engine.batch([document])).backward()
    return machine.peak_memory()


def main():
    """Print a row for each length, and the slope."""
    lengths, peaks = (128, 256, 400, 512), []
    for tokens in lengths:
        done = subprocess.run([sys.executable, "-m", "benchmarks.memory", str(tokens)], capture_output=True, text=True, check=True)
        peaks.append(int(done.stdout.split()[-1]))
        print(f"{tokens:4} tokens: {peaks[-1] / 1e9:.2f} GB")
    slope = (peaks[-1] - peaks[0]) / (lengths[-1] - lengths[0])
    print(f"{slope / 1e6:.2f} MB a token; {(peaks[0] - slope * lengths[0]) / 1e9:.2f} GB without any")


if __name__ == "__main__":
    print(one(int(sys.argv[1]))) if len(sys.argv) > 1 else main()
