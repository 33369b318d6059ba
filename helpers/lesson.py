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
from helpers.exercises import ABLATIONS as ABLATIONS
from helpers.exercises import EXERCISES

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
AGENT = Path(__file__).parent / "checkpoints" / "agent"  # one for the four workplaces


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


def check(name, answer):
    """Check the answer to an exercise; prints a verdict and returns True, False, or None where nothing was answered."""
    test, hint = EXERCISES[name]
    if answer is None or answer is ...:
        print(f"Exercise {name}: not answered yet.")
        return None
    right = bool(test(answer))
    print(f"Exercise {name}: right." if right else f"Exercise {name}: not yet. Think of this: {hint}.")
    return right
