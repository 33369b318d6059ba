"""How fast the training engine is beside its peers, in one process tree: speed, memory, cold start, time to a held-out loss.

    python -m benchmarks.training                          # every arm, 3 seeds, 24 letters each
    python -m benchmarks.training --to-loss 96             # seconds until the fair peer's final held-out loss is reached
    python -m benchmarks.training --limit-gb 2             # `ours` with 2 GB of memory and no more
    python -m benchmarks.training --tune                   # which of TRL's options are fastest on this computer
    python -m benchmarks.training --device cuda --model qwen3-0.6b     # random weights in bfloat16; not yet run on a GPU

Every run is a process of its own (`benchmarks.arms` says what each arm does); arms are interleaved, seed by seed, and each
seed begins with another arm. Before a run the computer has to be idle; where it is not, the row says so. The peak of matrix
products is measured in the same process just before and just after training. The results are in `build/bench/training.json`,
written after every run: a benchmark that was interrupted goes on where it was, and all of them share one report. Delete the
folder after a change of the code that is measured.
"""

import argparse
import importlib.util
import json
import signal
import statistics
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

from benchmarks import arms, measure

PEER, OURS = "trl-tuned", "ours"
IDLE = 0.05  # share of the processors that others may use
# Passes over the letters that an arm may take until it reaches the fair peer's loss; the peer takes one.
EPOCHS = {"ours": 1.0, "ours-top15": 2.0, "ours-top": 4.0}
TUNE = [
    {"loss": loss, "layout": layout, "batch": batch}
    for loss, layout in (("labels", "grouped"), ("nll", "grouped"), ("labels", "flat"), ("nll", "flat"))
    for batch in (1, 2, 4, 8)
] + [{"loss": loss, "layout": "packed", "batch": 1, "row": row} for loss in ("labels", "nll") for row in (512, 1024)]
# What the engine promises: (what, arm, number out of the runs, at least or at most, how it is written)
TARGETS = [
    ("real tokens/s, times the fair peer's", OURS, "times", ">=", 2.2, "{:.2f}×"),
    ("share of the measured peak of matrix products", OURS, "share", ">=", 0.75, "{:.0%}"),
    ("peak resident memory, GB", OURS, "memory", "<=", 1.5, "{:.2f}"),
    ("time to the fair peer's loss, best mode, times faster", None, "sooner", ">=", 5.0, "{:.2f}×"),
]


def plain(job):
    """A job as it comes back from a JSON file: what makes two runs the same run."""
    return json.loads(json.dumps(asdict(job)))


def once(job, rows, path):
    """The row of a job: an old one, or that of a run in a process of its own, added to `rows` and written to `path`."""
    for row in rows:
        if row["job"] == plain(job) and "error" not in row:
            return row
    busy = measure.wait_until_idle(IDLE)
    if busy > IDLE:
        print(f"    other processes use {busy:.0%} of the processors: this run will be too slow", file=sys.stderr)
    with tempfile.TemporaryDirectory() as folder:
        given, result = Path(folder) / "job.json", Path(folder) / "result.json"
        given.write_text(json.dumps(asdict(job)))
        seen = measure.watch([sys.executable, "-m", "benchmarks.arms", str(given), str(result)], job.limit_gb)
        row = {"job": plain(job), "busy": busy, "others": seen["others"], "limit": seen["limit"]}
        if seen["code"] == 0 and result.exists():
            row |= json.loads(result.read_text())
            rss = [size for when, size in seen["rss"] if when <= row["ended"]]  # the last look at the held-out letters is not training
            row |= {"cold": row["ended"] - row["paused"] - seen["began"], "memory": max([row["max_rss"], *rss]) / 1e9}
            row["share"] = row["tokens_per_second"] * row["flop_per_token"] / row["peak"] / 1e9
        else:
            lines = [line for line in seen["errors"].splitlines() if line.strip()]
            row["error"] = lines[-1] if lines else f"the process ended with status {seen['code']}"
    # a peer that was run again has another loss, and the old runs to its old bar go
    rows[:] = [old for old in rows if {**old["job"], "bar": job.bar} != row["job"]] + [row]
    measure.write(path, {"rows": rows})
    return row


def median(values, form):
    """Median and range as text; nothing for no values."""
    if not values:
        return ""
    middle, low, high = (form.format(f(values)) for f in (statistics.median, min, max))
    return middle if len(values) == 1 else f"{middle} ({low}–{high})"


def by_arm(rows):
    """Rows in the order of `ARMS`: {arm: [row, …]}."""
    names = [*arms.ARMS, *arms.ON_CUDA]
    found = {}
    for row in sorted(rows, key=lambda row: (names.index(row["job"]["arm"]), row["job"]["seed"])):
        found.setdefault(row["job"]["arm"], []).append(row)
    return found


def against(rows, peers, number):
    """Each row's own figure: with the row of the same seed of the fair peer, where there is one."""
    pairs = {row["job"]["seed"]: row for row in peers}
    return [number(row, pairs[row["job"]["seed"]]) for row in rows if row["job"]["seed"] in pairs]


def disturbed(row):
    """Whether other processes were busy before or during a run: its times then say little."""
    return row["busy"] > IDLE or row["others"] > IDLE


def table(titles, lines):
    """A table in Markdown; `titles` in one string, `lines` as lists of strings."""
    rule = " | ".join(["---"] * (titles.count(" | ") + 1))
    return "\n".join(f"| {line} |" for line in [titles, rule, *(" | ".join(line) for line in lines)]) + "\n"


SPEED = {
    "tokens_per_second": "{:.0f}",
    "times": "{:.2f}",
    "memory": "{:.2f}",
    "cold": "{:.0f}",
    "seconds": "{:.0f}",
    "share": "{:.0%}",
    "loss": "{:.3f}",
    "padding": "{:.0%}",
}
SPEED_TITLES = f"arm | real tokens/s | × {PEER} | peak RSS, GB | cold, s | training, s | share of peak | held-out loss | padding | runs"


def speed_table(rows):
    """Arms beside each other, and `{(arm, figure): median}` for the targets."""
    found, lines, figures = by_arm(rows), [], {}
    for arm, of_arm in found.items():
        times = against(of_arm, found.get(PEER, []), lambda row, peer: row["tokens_per_second"] / peer["tokens_per_second"])
        columns = {name: times if name == "times" else [row[name] for row in of_arm] for name in SPEED}
        figures |= {(arm, name): statistics.median(values) for name, values in columns.items() if values}
        lines.append([arm, *(median(columns[name], form) for name, form in SPEED.items()), str(len(of_arm))])
    return table(SPEED_TITLES, lines), figures


LOSS = {
    "seconds": "{:.0f}",
    "setup": "{:.0f}",
    "cold": "{:.0f}",
    "times": "{:.2f}",
    "documents": "{:.0f}",
    "loss": "{:.3f}",
    "memory": "{:.2f}",
}
LOSS_TITLES = "arm | reached | training, s | before step 1, s | cold, s | times faster | letters seen | held-out loss | peak RSS, GB"


def loss_table(rows):
    """Seconds to the fair peer's final loss, seed by seed, and the best mode's median for the targets."""
    found, lines, best = by_arm(rows), [], {}
    for arm, of_arm in found.items():
        passed = [row for row in of_arm if row["reached"] or arm == PEER]
        times = against(passed, found.get(PEER, []), lambda row, peer: peer["seconds"] / row["seconds"])
        columns = {name: times if name == "times" else [row[name] for row in passed] for name in LOSS}
        if times and len(passed) == len(of_arm) and arm != PEER:
            best[arm] = statistics.median(times)
        lines.append([arm, f"{len(passed)} of {len(of_arm)}", *(median(columns[name], form) for name, form in LOSS.items())])
    return table(LOSS_TITLES, lines), {(None, "sooner"): max(best.values())} if best else {}


def tune_table(rows):
    """TRL's options, fastest first."""
    found = {}
    for row in rows:
        found.setdefault(", ".join(f"{name} {value}" for name, value in row["job"]["options"].items()), []).append(row)
    names = ("tokens_per_second", "memory", "loss", "padding")
    order = sorted(found.items(), key=lambda item: -statistics.median(row["tokens_per_second"] for row in item[1]))
    lines = [[chosen, *(median([row[name] for row in of_it], SPEED[name]) for name in names)] for chosen, of_it in order]
    return table("options | real tokens/s | peak RSS, GB | held-out loss | padding", lines)


def report(rows):
    """Everything that was measured, in Markdown."""
    failed, rows = [row for row in rows if "error" in row], [row for row in rows if "error" not in row]
    kinds, figures, text = {"speed": {}, "loss": {}, "tune": [], "limit": []}, {}, []
    for row in rows:
        job = row["job"]
        if job["kind"] in ("limit", "tune"):
            kinds[job["kind"]].append(row)
        else:
            kinds[job["kind"]].setdefault((job["model"], job["device"], job["documents"]), []).append(row)
    for (model, device, count), of_kind in kinds["speed"].items():
        made, found = speed_table(of_kind)
        peak = median([row["peak"] for row in of_kind], "{:.0f}")
        text.append(f"## Speed: {model} on {device}, {count} letters\n\n{made}\nPeak of matrix products: {peak} GFLOP/s.\n")
        figures |= found if device == "cpu" else {}
    for (*_, count), of_kind in kinds["loss"].items():
        made, found = loss_table(of_kind)
        text.append(f"## Time to the fair peer's held-out loss: {count} letters\n\n{made}")
        figures |= found
    if kinds["tune"]:
        text.append(f"## TRL's options\n\n{tune_table(kinds['tune'])}")
    for row in kinds["limit"]:
        job = row["job"]
        text.append(
            f"`{job['arm']}` finished under {row['limit']}: {row['tokens_per_second']:.0f} tokens/s, peak RSS {row['memory']:.2f} GB.\n"
        )
    lines = []
    for what, arm, name, way, bound, form in TARGETS:
        if (arm, name) in figures:
            met = figures[arm, name] >= bound if way == ">=" else figures[arm, name] <= bound
            lines.append(
                [what, f"{'≥' if way == '>=' else '≤'} {form.format(bound)}", form.format(figures[arm, name]), "yes" if met else "**no**"]
            )
    text += ["## Targets\n\n" + table("what | target | measured | met", lines)] if lines else []
    if many := sum(map(disturbed, rows)):
        text.append(f"{many} of {len(rows)} runs were disturbed by other processes: run them again on an idle computer (`--again`).\n")
    text += [f"FAILED: {json.dumps(row['job'])}: {row['error']}\n" for row in failed]
    return "\n".join(text)


def available(device):
    """The arms that can be run: Liger's kernels are for GPUs, and only where they are installed."""
    return [*arms.ARMS, *(["trl-liger"] if device == "cuda" and importlib.util.find_spec("liger_kernel") else [])]


def jobs(options, rows, path):
    """The jobs that the options ask for, one at a time: the bar of later ones is the result of an earlier one."""
    shared = {"model": options.model, "device": options.device, "held_out": tuple(options.held_out)}
    names = options.arms or available(options.device)
    for seed in range(options.seeds):
        if options.tune:
            for chosen in TUNE[seed % len(TUNE) :] + TUNE[: seed % len(TUNE)]:
                yield arms.Job(PEER, "tune", seed, options.documents, options=chosen, **shared)
        elif options.limit_gb:
            for arm in options.arms or [OURS]:
                yield arms.Job(arm, "limit", seed, options.documents, limit_gb=options.limit_gb, **shared)
        elif options.to_loss:
            peer = arms.Job(PEER, "loss", seed, options.to_loss, **shared)
            yield peer
            bar = once(peer, rows, path).get("loss")
            modes = [arm for arm in options.arms or EPOCHS if arm in EPOCHS]
            for arm in modes[seed % len(modes) :] + modes[: seed % len(modes)] if bar else []:
                yield arms.Job(arm, "loss", seed, options.to_loss, EPOCHS[arm], every=options.every, bar=bar, **shared)
        else:
            turn = seed % len(names)
            for arm in names[turn:] + names[:turn]:
                yield arms.Job(arm, "speed", seed, options.documents, **shared)


def main(arguments=None):
    """Run what is missing, print the report. Exit status 1 if a run failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--documents", type=int, default=24, help="letters to train on")
    parser.add_argument("--arms", type=lambda text: text.split(","), help="comma-separated; all by default")
    parser.add_argument("--to-loss", type=int, metavar="N", help="time to the loss that the fair peer reaches with N letters")
    parser.add_argument("--every", type=int, default=4, help="steps between looks at the held-out loss, with --to-loss")
    parser.add_argument("--held-out", type=int, nargs=2, default=(60, 20), metavar=("COMPOSED", "WRITTEN"), help="letters not trained on")
    parser.add_argument("--limit-gb", type=float, help="run with so much memory and no more")
    parser.add_argument("--tune", action="store_true", help="measure TRL's options")
    parser.add_argument("--again", action="store_true", help="run those again that other processes disturbed")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--model", default="smollm2-135m", help=f"a model of the kit, or with a GPU {' or '.join(arms.SHAPES)}")
    parser.add_argument("--out", type=Path, default=Path("build/bench"))
    options = parser.parse_args(arguments)
    known = available(options.device)
    if unknown := set(options.arms or ()) - set(known):
        parser.error(f"there is no arm called {', '.join(sorted(unknown))}: choose from {', '.join(known)}")
    if options.device == "cuda":
        import torch

        if not torch.cuda.is_available():
            parser.error("there is no GPU that PyTorch can use here: leave --device out")
    if options.limit_gb:
        try:
            measure.limiter(options.limit_gb)
        except ValueError as error:
            parser.error(str(error))
    path = options.out / "training.json"
    options.out.mkdir(parents=True, exist_ok=True)
    rows = json.loads(path.read_text())["rows"] if path.exists() else []
    if options.again:
        rows = [row for row in rows if "error" in row or not disturbed(row)]
    for job in jobs(options, rows, path):
        row = once(job, rows, path)
        told = (
            row.get("error")
            or f"{row['tokens_per_second']:.0f} tokens/s, {row['memory']:.2f} GB, {row['seconds']:.0f} s, held-out loss {row['loss']:.3f}"
        )
        print(f"{job.arm:<16} seed {job.seed} {job.options or ''} {told}", file=sys.stderr, flush=True)
    text = report(rows)
    (options.out / "training.md").write_text(text, encoding="utf-8")
    print(text)
    return int(any("error" in row for row in rows))


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the run which is on ends with this process
    sys.exit(main())
