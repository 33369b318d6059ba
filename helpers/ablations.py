"""What each setting buys and costs, measured ahead of the course: the tables that notebook 07 shows.

    python -m helpers ablations            # about an hour on two cores; every finished run is kept, so it goes on where it was

Two tables. `letters`: the reading task with other ranks, layers and amounts of data. `prose`: the open model adapted to Malay prose,
on all layers or the top ones, with its own tokenizer or one that has learnt Malay pieces.
Test letters are not touched. The tables that ship are `helpers/checkpoints/ablations.json`.
"""

import gc
import json
import os
import shutil
import sys
from pathlib import Path

from helpers.lesson import ABLATIONS, profile_settings

LETTERS, LONGEST = 180, 480
# name: (letters, other settings than rank 16, alpha 32, all layers and two letters a step)
READING = {
    "all 30 layers, rank 16, two letters a step": (LETTERS, {}),
    "half of the letters": (LETTERS // 2, {}),
    "a quarter of the letters": (LETTERS // 4, {}),
    "all 30 layers, rank 16, one letter a step": (LETTERS, {"batch": 1}),
    "rank 4": (LETTERS, {"rank": 4, "alpha": 8}),
    "rank 64": (LETTERS, {"rank": 64, "alpha": 128}),
    "top 15 layers, lower ones cached": (LETTERS, {"layers": 15}),
    "top 10 layers, lower ones cached": (LETTERS, {"layers": 10}),
}
# name: (new pieces in the tokenizer, other settings than the usual); None: the open model as it is
PROSE = {
    "the open model": None,
    "all layers": (0, {}),
    "top 10 layers, lower ones cached": (0, {"layers": 10}),
    "all layers, 1,000 Malay pieces": (1000, {}),
}


def progress():
    """A progress bar on the terminal for a run, as a `TrainerCallback`."""
    from tqdm import tqdm
    from transformers import TrainerCallback

    class Progress(TrainerCallback):
        def on_train_begin(self, args, state, control, **kwargs):
            self.bar = tqdm(total=state.max_steps, initial=state.global_step, desc="training", file=sys.stderr)

        def on_step_end(self, args, state, control, **kwargs):
            self.bar.update(state.global_step - self.bar.n)

        def on_train_end(self, args, state, control, **kwargs):
            self.bar.close()

    return Progress()


def reading(work, letters, changed):
    """One run of the reading task: a dictionary of what it cost and how it scored on the development letters."""
    from helpers import evaluation, models, training
    from helpers.agents.backends import InProcess
    from helpers.agents.reading import ModelReader
    from helpers.worlds.mortgage import letters as room
    from helpers.worlds.mortgage import task

    model, tokenizer = models.load()
    rows = room.written("dev")
    documents = task.examples(tokenizer, task.training_rows(letters, seed=0), LONGEST)
    held_out = task.examples(tokenizer, rows, 400)
    result = training.finetune(
        model, tokenizer, documents, work, training.Settings(**{"batch": 2} | changed), [progress()], held_out=held_out
    )
    model, tokenizer = models.load(adapter=work)
    scores = evaluation.score_readings(rows, evaluation.read_all(rows, ModelReader(InProcess(model, tokenizer))))
    fields = scores["fields"]
    return {
        "documents": len(documents), "tokens": result.tokens, "minutes": result.seconds / 60, "loss": result.held_out[-1][1],
        "fields": fields.value, "low": fields.low, "high": fields.high, "letters": len(rows),
        "tokens_per_second": result.tokens / result.seconds, "megabytes": (work / "adapter_model.safetensors").stat().st_size / 1e6,
    }  # fmt: skip


def prose(work, wish):
    """One adaptation to Malay prose: what it cost, bits per byte on held-out domains, and the English that is left."""
    from helpers import models, training
    from helpers.corpus import builtin
    from helpers.evaluation import suite
    from helpers.models import vocabulary

    sizes, texts = profile_settings("laptop"), [row["text"] for row in builtin("prose", "train")]
    model, tokenizer = models.load()
    cost = {}
    if wish:
        pieces, changed = wish
        settings, new = training.Settings(learning_rate=5e-4, batch=4, **changed), ()
        if pieces:
            larger = vocabulary.extend(tokenizer, vocabulary.learn(tokenizer, texts, pieces))
            vocabulary.grow(model, tokenizer, larger)
            new, tokenizer = range(len(tokenizer), len(larger)), larger
        model = training.with_lora(model, settings, new)
        documents = training.prose(tokenizer, texts)
        result = training.finetune(model, tokenizer, documents, work, settings, [progress()])
        cost = {"documents": len(documents), "tokens": result.tokens, "minutes": result.seconds / 60}
    scores = suite.malay_prose(model, tokenizer, sizes) | suite.retention(model, tokenizer, sizes)
    return cost | {
        name: {"value": scores[name].value, "low": scores[name].low, "high": scores[name].high} for name in ("bits_per_byte", "retention")
    }


def make(folder):
    """Run what is not done yet, and write the table. Returns an exit status."""
    import torch

    from helpers import machine

    machine.frugal_malloc()
    torch.set_num_threads(machine.cores())
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "ablations.json"
    done = json.loads(path.read_text()) if path.exists() else {}
    tables = {"letters": (READING, lambda work, wish: reading(work, *wish)), "prose": (PROSE, prose)}
    for table, (wishes, run) in tables.items():
        for number, (name, wish) in enumerate(wishes.items()):
            if name in done.get(table, {}):
                continue
            print(f"{table}: {name} …", flush=True)
            done.setdefault(table, {})[name] = run(folder / f"{table}-{number}", wish)
            part = path.with_suffix(".part")
            part.write_text(json.dumps(done, indent=1))
            os.replace(part, path)
            shutil.rmtree(folder / f"{table}-{number}", ignore_errors=True)
            gc.collect()
    print(f"{path} has the tables; copy it to {ABLATIONS} to ship them")
    return 0
