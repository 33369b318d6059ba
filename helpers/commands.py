"""What the commands of `python -m helpers` do, inside an environment that has the pins."""

import os
import subprocess
import sys
from pathlib import Path

from helpers import machine
from helpers.bootstrap import ROOT

NOTEBOOKS = ROOT / "notebooks"


def doctor(options):
    """Print what this computer can do, and the plan with the reason for every choice."""
    found = machine.look()
    for what, value, reason in machine.table(found, machine.plan(found)):
        print(f"{what:<26} {value:<26} {reason}")


def run(options):
    """The main job: the spine with papermill, then the report and the before/after table."""
    from helpers import spine

    return spine.run(options.profile, fresh=options.fresh, numbers=options.only)


def test(options):
    """Lint, then pytest: helpers' tests, every notebook in the smoke profile with nbval, the spine with papermill."""
    import tempfile

    if not options.pytest:
        for command in (["ruff", "check", "."], ["ruff", "format", "--check", "."]):
            if status := subprocess.call([sys.executable, "-m", *command], cwd=ROOT):
                return status
    with tempfile.TemporaryDirectory() as folder:
        environment = {
            **os.environ, "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false", "PYTHONPATH": str(ROOT),
            "LEPASLATIH_PROFILE": "smoke", "LEPASLATIH_RUN": folder, "PYDEVD_DISABLE_FILE_VALIDATION": "1",
        }  # fmt: skip
        everything = ["tests", "--nbval-lax", "--nbval-current-env", "--nbval-cell-timeout=600", "notebooks"]
        return subprocess.call([sys.executable, "-m", "pytest", *(options.pytest or everything)], cwd=ROOT, env=environment)


def lab(options):
    """Open JupyterLab on the course; loopback only."""
    command = [
        sys.executable,
        "-m",
        "jupyterlab",
        "--ServerApp.ip=127.0.0.1",
        f"--ServerApp.root_dir={ROOT}",
        "--LabApp.default_url=/lab/tree/notebooks/00_start_here.ipynb",
    ]
    return subprocess.call(command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)})


def notebooks(options):
    """Make notebooks from their text twins, with outputs of a real run."""
    from helpers import spine

    return spine.make_notebooks(options.names, options.profile, options.run)


def checkpoints(options):
    """Train the shipped checkpoint again and score it on the development letters; the test letters are not touched."""
    from helpers import checkpoint

    return (checkpoint.make_agents if options.agents else checkpoint.make)(Path(options.out))


def finetune(options):
    """Fine-tune on the learner's own file; prints where the adapter is and its held-out loss."""
    import torch

    from helpers.ablations import progress
    from helpers.training import Settings, own

    machine.frugal_malloc()
    torch.set_num_threads(machine.cores())
    settings = Settings(epochs=options.epochs, layers=options.layers, learning_rate=5e-4, evaluate_every=20, patience=3)
    result = own.finetune_file(
        options.source, options.target, options.model, settings, options.longest, options.text, options.licence, [progress()]
    )
    before, after = result.held_out[0], result.held_out[-1]
    print(f"held-out loss {before[1]:.3f} at step {before[0]}, {after[1]:.3f} at step {after[0]}; the adapter is in {result.adapter}")
    return 0


def bench(options):
    """The benchmark of training, side by side with its peers."""
    return subprocess.call([sys.executable, "-m", "benchmarks.training", *options.options], cwd=ROOT)


def ablations(options):
    """Measure the table of notebook 07 again."""
    from helpers import ablations as room

    return room.make(options.out)


def letters(options):
    """Print composed letters with the answers that a model should write."""
    from helpers.worlds.mortgage import fields
    from helpers.worlds.mortgage import letters as room

    for row in room.generate(options.n, options.seed):
        print(f"--- {row['id']} ({row['voice']}; {', '.join(row['features']) or 'plain'})\n{row['letter']}\n")
        print(fields.write_answer(row["letter"], fields.target_quotes(row["letter"], row["answers"])), "\n")


def mortgage(options):
    """Letters in, decisions out; see `helpers.batch`."""
    from helpers import batch

    return batch.run(Path(options.source), Path(options.target), options.adapter, options.address, options.policy)


def examine(options):
    """An agent in the workplaces; see `helpers.examine`."""
    from helpers import examine as room

    return room.run(options)


def export_tasks(options):
    """Write the kit's test sets as task files for `lm-eval`."""
    from helpers.evaluation import lm_eval

    for path in lm_eval.export(options.folder):
        print(path)
