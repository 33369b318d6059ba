"""The reading task: what a model is asked about a letter, what it learns from, and what is made of its answer."""

import random

from helpers.worlds.mortgage import fields, letters

INSTRUCTION = "Petik butiran daripada surat."


def messages(letter):
    """The conversation that asks for the facts of a letter."""
    return [{"role": "system", "content": INSTRUCTION}, {"role": "user", "content": letter}]


def training_rows(count, seed=0):
    """`count` letters to train on: each written one once, then three in eight varied from them, the rest composed.

    Nothing here reads the development or test letters.
    """
    rng = random.Random(seed)
    written = letters.written("train")
    rng.shuffle(written)
    rows = written[:count]
    more = count - len(rows)
    if more > 0:
        composed = letters.generate(more, seed)
        for number in range(more):
            varied = letters.vary(rng.choice(written), rng) if rng.random() < 0.375 else None
            rows.append(varied or composed[number])
        rng.shuffle(rows)
    return rows


def answer_lines(row):
    """`(slot, answer)` for every line of the right answer to a row: what `training.example` takes."""
    quotes = fields.target_quotes(row["letter"], row["answers"])
    lines = fields.write_answer(row["letter"], quotes).split("\n")
    return [(slot, line[len(slot.key) + 2 :]) for slot, line in zip(fields.slots(row["letter"]), lines, strict=True)]


def examples(tokenizer, rows, longest=400):
    """Rows as training documents (`helpers.training.Example`).

    Documents of more than `longest` tokens are left out: the longest one sets the peak memory of training.
    """
    from helpers import models, training

    made = (training.example(tokenizer, models.prompt_ids(tokenizer, messages(row["letter"])), answer_lines(row)) for row in rows)
    return [example for example in made if len(example) <= longest]
