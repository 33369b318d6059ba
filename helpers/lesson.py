"""What a notebook needs to be a notebook: start-up, profile, time budget, artifacts, checks of exercises.

Every notebook begins with `lesson.start("07", profile, run_folder)`. Artifacts pass from notebook to notebook through
the run's folder; where one is missing, the checkpoint that ships with the kit is taken, and the notebook says so.
"""

import json
import os
import tomllib
from dataclasses import dataclass
from pathlib import Path

from helpers import __version__, machine

# The first code cell of every notebook; a test holds them equal. On Colab it installs the kit at this version.
FIRST_CELL = f"""# Find the kit, or install it where it is not (on Colab).
import pathlib, sys

sys.path[:0] = [str(p) for p in [pathlib.Path.cwd(), *pathlib.Path.cwd().parents] if (p / "helpers").is_dir()][:1]
try:
    from helpers import lesson
except ModuleNotFoundError:
    %pip install --quiet "lepaslatih[course,data,agents,serving]=={__version__}"
    from helpers import lesson"""

SHIPPED = Path(__file__).parent / "checkpoints" / "mortgage"
AGENTS = Path(__file__).parent / "checkpoints" / "agents"  # one folder a workplace
ABLATIONS = Path(__file__).parent / "checkpoints" / "ablations.json"  # made by `python -m helpers ablations`


def profile_settings(profile):
    """The settings of a profile as a dictionary; ValueError for an unknown one."""
    profiles = tomllib.loads((Path(__file__).parent / "profiles.toml").read_text(encoding="utf-8"))
    if profile not in profiles:
        raise ValueError(f"there is no profile {profile!r}: choose one of {', '.join(profiles)}")
    return profiles[profile]


@dataclass
class Lesson:
    """One running notebook: its `number`, `profile`, `settings`, `folder`, and the `machine` and `plan` of this computer."""

    number: str
    profile: str
    folder: Path
    settings: dict
    machine: object
    plan: object

    def artifact(self, name):
        """The path of an artifact that an earlier notebook left, or of the shipped checkpoint for the adapter.

        Returns `(path, where it comes from, in words)`.
        """
        path = self.folder / name
        if path.exists():
            return path, "made in this run"
        if name == "adapter" and SHIPPED.exists():
            return SHIPPED, "the checkpoint that ships with the kit (notebook 07 was not run in this run)"
        raise FileNotFoundError(f"{name} is missing in this run: run the notebook that makes it first (the README's map says which)")

    def record(self, column, **scores):
        """Write a column of scores onto the run's scoreboard; see `helpers.evaluation.scoreboard`."""
        from helpers.evaluation import scoreboard

        return scoreboard.record(self.folder / "scoreboard.json", column, scores, profile=self.profile)


def quiet():
    """Spare the learner what is not for them: library warnings, progress bars of loading, telemetry."""
    machine.frugal_malloc()
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    import logging
    import warnings

    warnings.filterwarnings("ignore", category=FutureWarning)
    logging.getLogger("transformers").setLevel(logging.ERROR)
    from transformers.utils import logging as transformers_logging

    transformers_logging.disable_progress_bar()


def start(number, profile="laptop", run_folder=""):
    """Start a notebook: quiet logs, threads, plan and folder. Returns a `Lesson` and prints one line."""
    quiet()
    profile = os.environ.get("LEPASLATIH_PROFILE") or profile  # how the tests run every notebook in `smoke`
    settings = profile_settings(profile)
    folder = Path(run_folder) if run_folder else Path(os.environ.get("LEPASLATIH_RUN") or _default_folder())
    folder.mkdir(parents=True, exist_ok=True)
    found = _machine(folder)
    import torch

    torch.set_num_threads(found.cores)
    chosen = machine.plan(found, profile)
    from helpers import show

    show.use_style()
    where = os.path.relpath(folder) if not os.path.relpath(folder).startswith("../../..") else folder.name
    print(f"LepasLatih {__version__} · notebook {number} · profile {profile} · {found.cores} cores · artifacts in {where}")
    return Lesson(number, profile, folder, settings, found, chosen)


def _default_folder():
    """`runs/interactive` beside the notebooks, or below the current folder."""
    for place in (Path.cwd(), *Path.cwd().parents):
        if (place / "helpers").is_dir():
            return place / "runs" / "interactive"
    return Path.cwd() / "runs" / "interactive"


def _machine(folder):
    """This computer, measured once a run so that all its notebooks plan alike; free memory is always looked up anew."""
    path = folder / "machine.json"
    if path.exists():
        found = machine.Machine(**json.loads(path.read_text()))
        found.memory_available = machine.memory()[1]
        return found
    found = machine.look()
    machine.remember(found, path)
    return found


def _best_within(share):
    """The run of the ablation table with the most fields right in at most this share of the first run's minutes."""
    runs = json.loads(ABLATIONS.read_text(encoding="utf-8"))["letters"]
    limit = share * next(iter(runs.values()))["minutes"]
    return max((name for name, run in runs.items() if run["minutes"] <= limit), key=lambda name: runs[name]["fields"])


def _is_gradient_at_input(function):
    """Does a function of (G, W, A, B, s) return the gradient that a LoRA layer hands down to its input?"""
    import torch

    try:
        shapes = (5, 4), (4, 3), (2, 3), (4, 2)
        G, W, A, B = (torch.arange(m * n, dtype=torch.float32).reshape(m, n).sin() for m, n in shapes)
        return torch.allclose(function(G, W, A, B, 0.5), G @ (W + 0.5 * B @ A), atol=1e-5)
    except Exception:  # whatever a learner's function may raise, it is not right yet
        return False


# Exercises: a test of the answer, and what to think about when it is wrong.
EXERCISES = {
    "00.1": (
        lambda a: isinstance(a, (int, float)) and 0.5 <= a <= 0.6,
        "each parameter takes four bytes in float32; 134.5 million parameters, in gigabytes",
    ),
    "02.1": (lambda a: isinstance(a, (int, float)) and 1.9 <= a <= 3.5, "count the tokens of your Malay sentence and divide by its words"),
    "02.2": (
        lambda a: isinstance(a, (int, float)) and a > 0 and abs(a - 2 * 30 * 3 * 64 * 4) < 1,
        "keys and values, 30 layers, 3 key-value heads of 64 numbers, 4 bytes each",
    ),
    "03.1": (
        lambda a: isinstance(a, (list, tuple)) and ["".join(p) for p in a] == ["da", "ada"],
        "count the pairs: d+a stands once in ada, twice in dada, once in adat; then count again with da as one piece",
    ),
    "03.2": (
        lambda a: isinstance(a, int) and a == 1000 * 576,
        "a row of 576 numbers for each piece, and one table serves for reading and for scoring",
    ),
    "04.1": (
        lambda a: isinstance(a, int) and 140 < a <= 160,
        "print the two ends for n = 100, 110, 120 … and stop at the first whose distance is at most 0.10",
    ),
    "04.2": (
        lambda a: isinstance(a, (int, float)) and abs(a - (10 / 2 + 20 / 3 + 20 / 5) / 50) < 0.001,
        "add up what a coin may expect from each question, and divide by the number of questions",
    ),
    "05.1": (
        lambda a: isinstance(a, (int, float)) and abs(a - 0.5) < 0.001,
        "shared runs, divided by all *different* runs of both texts together",
    ),
    "05.2": (
        lambda a: isinstance(a, (int, float)) and abs(a - 108 / 120) < 0.001,
        "of the 120 pieces that should be found, how many were?",
    ),
    "06.1": (
        lambda a: isinstance(a, int) and a == -(-576 * 1536 // (576 + 1536)),
        "a LoRA of rank r has r·(n+m) numbers and the matrix n·m: divide, and round up",
    ),
    "06.2": (
        lambda a: callable(a) and _is_gradient_at_input(a),
        "the outputs depend on X through W and through A and B: G W for the first way, s (G B) A for the second; add them",
    ),
    "06.3": (
        lambda a: isinstance(a, (int, float)) and abs(a - 33.030144) < 0.1,
        "lora_parameters(shapes['Qwen3-4B'], rank=8) numbers of two bytes each; a megabyte is a million bytes",
    ),
    "07.1": (
        lambda a: isinstance(a, int) and a == 16 * (576 + 1536),
        "a LoRA of rank r on a matrix of n×m adds r·(n+m) numbers: the gate projection is 576×1536, the rank 16",
    ),
    "07.2": (
        lambda a: a == _best_within(2 / 3),
        "cross out the rows with more than two thirds of the first row's minutes; of the rest, take the largest share of fields",
    ),
    "11.1": (
        lambda a: isinstance(a, (int, float)) and abs(a - 2019.57) < 0.01,
        "the annuity formula with 420 months and 4.10/1200 a month",
    ),
}


def check(name, answer):
    """Check the answer to an exercise; prints a verdict and returns True, False, or None where nothing was answered."""
    test, hint = EXERCISES[name]
    if answer is None or answer is ...:
        print(f"Exercise {name}: not answered yet.")
        return None
    right = bool(test(answer))
    print(f"Exercise {name}: right." if right else f"Exercise {name}: not yet. Think of this: {hint}.")
    return right
