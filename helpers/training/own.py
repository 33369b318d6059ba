"""The learner's own data in one call: a file or folder in, an adapter with its card out.

    python -m helpers finetune --in soalan_lazim.jsonl --out runs/mine

    from helpers.training import own
    result = own.finetune_file("soalan_lazim.csv", "runs/mine")

Rows are found as `helpers.corpus.readers` finds them: a question and an answer (two columns, or a chat of
one turn each), or running text, in CSV, JSONL, JSON, text,
PDF. A tenth of them is held out and never trained on; training stops when it does not help them any more.
"""

import random
import sys
from pathlib import Path

from helpers.training.documents import conversation, prose
from helpers.training.run import Settings

LEAST = 10  # documents; with fewer there is nothing to hold out


def documents_of(tokenizer, source, longest=400, text=None):
    """`(documents, problems)` from a file or folder; each problem is a line that says what was left out and why."""
    from helpers.corpus import readers

    found, problems = [], readers.Problems()
    for row in readers.rows(source, text=text, problems=problems):
        chat = _messages(row)
        try:
            made = [conversation(tokenizer, chat)] if chat else prose(tokenizer, [row["text"]], longest)
        except ValueError as error:
            problems.append(f"{row['id']}: {error}")
            continue
        for document in made:
            if len(document) > longest:
                problems.append(
                    f"{row['id']}: {len(document)} tokens, more than {longest}: shorten it, or train with longest={len(document)}"
                )
            else:
                found.append(document)
    return found, [str(problem) for problem in problems]


def _messages(row):
    """The row as a question and its answer, or None for running text."""
    turns = list((row.get("fields") or {}).values())
    if len(turns) != 2:
        return None
    return [{"role": "user", "content": turns[0]}, {"role": "assistant", "content": turns[1]}]


def finetune_file(source, folder, model="smollm2-135m", settings=None, longest=400, text=None, licence="unknown", callbacks=()):
    """Fine-tune on a learner's own file or folder; returns the `Result`.

    Args:
        source: CSV, JSONL, JSON, text or PDF, or a folder of them; text: as in `helpers.corpus.readers`.
        folder: where the adapter goes; the same command goes on with an interrupted run.
        settings: `Settings`; default: two epochs at most, early stopping on the held-out tenth.
        longest: documents of more tokens are left out and reported. licence: of the data, for the card.

    ValueError with a hint where there is too little to train on. The text stays on this computer and in no log.
    """
    from helpers import machine, models
    from helpers.training import cards, estimate, run

    base, tokenizer = models.load(model)
    found, problems = documents_of(tokenizer, source, longest, text)
    for problem in problems[:10]:
        print(f"left out: {problem}", file=sys.stderr)
    if len(problems) > 10:
        print(f"left out: {len(problems) - 10} more", file=sys.stderr)
    if len(found) < LEAST:
        raise ValueError(
            f"{source} has {len(found)} documents that can be trained on, and {LEAST} are the least: give more rows, or look at what was left out"
        )
    random.Random(0).shuffle(found)
    held = max(2, len(found) // 10)
    held_out, train = found[:held], found[held:]
    steps = max(1, len(train) // 2)
    settings = settings or Settings(epochs=2.0, evaluate_every=max(5, steps // 4), patience=3, learning_rate=5e-4)
    tuned = run.with_lora(base, settings)
    speed = machine.matmul_speed()["float32"]
    print(estimate.estimate(tuned, train, settings, speed), file=sys.stderr)

    def card(result):
        return cards.model_card(
            f"An adapter tuned on {Path(source).name}", "Made with LepasLatih from a learner's own data.", settings, [result], [],
            f"{len(train)} documents of {Path(source).name}, {held} more held out; licence: {licence}.",
            "It was measured on held-out documents of the same source only. Test it on the work it is meant for before anybody relies on it.",
            licence="other",
        )  # fmt: skip

    return run.finetune(tuned, tokenizer, train, folder, settings, callbacks, card, held_out)
