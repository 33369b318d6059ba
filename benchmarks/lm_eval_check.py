"""Is our score `lm-eval`'s score? Both on the same model and items, in two processes; prints the distance in points.

    python benchmarks/lm_eval_check.py [--limit 100]

`lm-eval` needs about forty packages that the kit does not, some of them older than the kit's; it gets an environment of its own
(`build/lm-eval`, made on first use) that sees the kit's packages behind its own.
"""

import argparse
import json
import subprocess
import sys
import sysconfig
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
PIN = "lm-eval==0.4.13"


def environment():
    """The Python of the environment that has `lm-eval`."""
    folder = ROOT / "build" / "lm-eval"
    python = folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    if not (folder / "ready").exists():
        venv.create(folder, with_pip=True, clear=folder.exists())
        paths = json.loads(subprocess.check_output([python, "-c", "import json, sysconfig; print(json.dumps(sysconfig.get_paths()))"]))
        (Path(paths["purelib"]) / "kit.pth").write_text(sysconfig.get_paths()["purelib"])
        subprocess.check_call([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", PIN])
        (folder / "ready").touch()
    return python


def theirs(tasks, model, limit):
    """`lm-eval`'s scores: task → number."""
    code = f"""
import json, lm_eval
from lm_eval.tasks import TaskManager
manager = TaskManager(include_path={str(tasks)!r}, include_defaults=False)
found = lm_eval.simple_evaluate(model="hf", model_args=dict(pretrained={model!r}, dtype="float32"), tasks={list(TASKS)!r},
    task_manager=manager, device="cpu", batch_size=4, limit={limit!r}, bootstrap_iters=0)
print("SCORES" + json.dumps({{t: {{k: v for k, v in r.items() if isinstance(v, float)}} for t, r in found["results"].items()}}))
"""
    out = subprocess.run([environment(), "-c", code], check=True, capture_output=True, text=True).stdout
    scores = json.loads(out.split("SCORES")[1])
    return {task: scores[task][f"{metric},none"] for task, metric in TASKS.items()}


TASKS = {
    "lepaslatih_pairs": "acc",
    "lepaslatih_choices": "acc_norm",
    "lepaslatih_retention": "acc_norm",
    "lepaslatih_prose": "bits_per_byte",
}


def ours(model, tokenizer, limit):
    """Our scores for the same items."""
    from helpers.evaluation import likelihood, lm_eval

    found = {}
    for task, metric in TASKS.items():
        rows = lm_eval.rows_of(task)[:limit]
        if metric == "bits_per_byte":
            found[task] = likelihood.bits_per_byte(model, tokenizer, [r["text"] for r in rows]).value
        else:
            rows = [{"kind": "pair" if "good" in r else "choice", **r} for r in rows]
            found[task] = likelihood.score_items(model, tokenizer, rows)["items"].value
    return found


def main():
    """Run both and print the table; exit status 1 where they are more than 0.5 points (or 0.005 bits) apart."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--limit", type=int, default=None, help="only the first items of each task")
    options = parser.parse_args()
    from helpers import models
    from helpers.evaluation import lm_eval

    folder = models.safetensors_path(models.catalogue()["smollm2-135m"])
    with tempfile.TemporaryDirectory() as tasks:
        lm_eval.export(tasks)
        their_scores = theirs(tasks, str(folder), options.limit)
    model, tokenizer = models.load("smollm2-135m")
    our_scores, worst = ours(model, tokenizer, options.limit), 0.0
    print(f"{'task':<24} {'lm-eval':>9} {'ours':>9} {'apart':>9}")
    for task in TASKS:
        scale = 1 if TASKS[task] == "bits_per_byte" else 100
        apart = scale * abs(their_scores[task] - our_scores[task])
        worst = max(worst, apart * (100 if scale == 1 else 1))
        print(f"{task:<24} {scale * their_scores[task]:>9.3f} {scale * our_scores[task]:>9.3f} {apart:>9.4f}")
    return int(worst > 0.5)


if __name__ == "__main__":
    sys.exit(main())
