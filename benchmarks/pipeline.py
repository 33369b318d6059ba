"""How fast the data pipeline is, and what it holds in memory: rows a second, seconds of each step, peak resident memory.

    python -m benchmarks.pipeline 20000 100000          # numbers of rows; 20,000 by default
    python -m benchmarks.pipeline 1000000

Short made-up rows of about twenty words in one JSONL file, 5% near-duplicates, 3% English, 2% rubbish; all steps but personal data. Each
size runs in a process of its own, so that its peak of memory is its own.
"""

import json
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

LETTERS = Path(__file__).parent.parent / "helpers" / "worlds" / "mortgage" / "data"
_ENGLISH = "the report of this week is with our team and it should be sent to all of you before the meeting on that day"
ENGLISH = _ENGLISH.split()


def rows(n, seed=0):
    """`n` made-up rows, one at a time."""
    rng = random.Random(seed)
    # words in their real frequency, from the letters of the mortgage desk
    lines = "".join(path.read_text(encoding="utf-8") for path in sorted(LETTERS.glob("written_train_*.jsonl"))).splitlines()
    words = [word for line in lines for word in json.loads(line)["letter"].split()]
    last = []
    for number in range(n):
        kind = rng.random()
        if kind < 0.05 and last:
            text = list(rng.choice(last))
            text[rng.randrange(len(text))] = rng.choice(words)
        elif kind < 0.08:
            text = rng.choices(ENGLISH, k=15)
        elif kind < 0.10:
            text = ["--", str(rng.randrange(10**9)), "***"]
        else:
            text = rng.choices(words, k=rng.randint(12, 28))
            last = [*last[-99:], text]
        yield {"id": str(number), "text": " ".join(text)}


def one(n):
    """Run the pipeline on `n` rows; print a line for the run and one for each step."""
    from helpers import machine
    from helpers.corpus import pipeline

    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "in"
        source.mkdir()
        with open(source / "rows.jsonl", "w", encoding="utf-8") as file:
            file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows(n))
        before = machine.peak_memory()
        steps = [name for name in pipeline.STEPS if name != "personal"]
        cpu = time.process_time()
        report = pipeline.run(source, Path(folder) / "out", steps=steps, licence="CC0", progress=sys.stderr.isatty())
        cpu = time.process_time() - cpu
    print(f"{n:,} rows: {report.rows_per_second:,.0f} rows/s in {report.seconds:.1f} s ({n / cpu:,.0f} rows for each second of one core)")
    print(f"    peak memory {report.peak_bytes / 1e6:.0f} MB, {before / 1e6:.0f} MB of it before the run")
    for step in report.steps:
        each = 1e6 * step["seconds"] / max(1, step["in"])
        print(f"    {step['step']:<14} {step['in']:>9,} → {step['out']:>9,}  {step['seconds']:7.2f} s  {each:6.1f} µs a row")
    rest = report.seconds - sum(step["seconds"] for step in report.steps)
    print(f"    {'signatures, runs, files':<36}  {rest:7.2f} s  {1e6 * rest / n:6.1f} µs a row")


def main(sizes):
    """A process for each size."""
    for n in sizes:
        subprocess.run([sys.executable, "-m", "benchmarks.pipeline", "--one", str(n)], check=True)


if __name__ == "__main__":
    one(int(sys.argv[2])) if sys.argv[1:2] == ["--one"] else main([int(n) for n in sys.argv[1:]] or [20_000])
