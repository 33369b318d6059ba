"""The checkpoint that ships with the kit: how it is made, and its card.

python -m helpers checkpoints          # about half an hour on two cores; resumes where it was
"""

import json
import shutil
from pathlib import Path

# Two passes over different letters: one at the full rate, one at half of it on letters composed with another seed.
STAGES = ({"examples": 1000, "learning_rate": 1e-3, "seed": 0}, {"examples": 400, "learning_rate": 5e-4, "seed": 1})
LONGEST = 480  # tokens; the hand-written layers have room for the long letters in 1.5 GB


WHAT = """A LoRA adapter that reads Malay home-financing letters: it quotes the applicant's name, occupation, type and place of
the home, and labels every sum of money and length of time. It does one task and is no chat model."""
DATA = """letters written for this kit, by a language model, checked by program and by reading, and letters composed from banks of
phrases. CC BY 4.0. No real person."""
LIMITS = """It reads letters of up to about 130 words in Malaysian Malay, with short forms and English mixed in. It errs on
dialects and on wordings it has not met; the desk therefore checks every quote against the letter and refers
unsure cases to a person. It must not decide on anybody's application."""


def make(folder):
    """Train, score on the development letters, and leave the adapter in fp16 with its card. Returns an exit status."""
    import torch

    from helpers import evaluation, machine, models, training
    from helpers.ablations import progress
    from helpers.agents.backends import InProcess
    from helpers.agents.reading import ModelReader
    from helpers.training import cards
    from helpers.worlds.mortgage import letters, task

    machine.frugal_malloc()
    torch.set_num_threads(machine.cores())

    folder.parent.mkdir(parents=True, exist_ok=True)
    adapter, results, documents = None, [], 0
    for number, stage in enumerate(STAGES):
        target = folder.with_name(f"{folder.name}-{number + 1}")
        settings = training.Settings(learning_rate=stage["learning_rate"], seed=stage["seed"])
        if not target.exists():
            model, tokenizer = models.load(adapter=adapter, merge=False)
            examples = task.examples(tokenizer, task.training_rows(stage["examples"], stage["seed"]), LONGEST)
            training.finetune(model, tokenizer, examples, target, settings, [progress()])
        made = json.loads((target / "training.json").read_text())
        results.append(training.Result(**{name: made[name] for name in training.Result.__dataclass_fields__}))
        documents, adapter = documents + made["documents"], target
    shutil.copytree(adapter, folder, dirs_exist_ok=True)
    to_half(folder)
    rows = letters.written("dev")
    tuned, tokenizer = models.load(adapter=folder)
    readings = evaluation.read_all(rows, ModelReader(InProcess(tuned, tokenizer)))
    lines = [f"fields right on the {len(rows)} development letters: {evaluation.score_readings(rows, readings)['fields']}"]
    card = cards.model_card(
        "LepasLatih mortgage reader, 135M", WHAT, settings, results, lines, f"{documents} {DATA}", f"{LIMITS}"
    )  # fmt: skip
    (folder / "README.md").write_text(card, encoding="utf-8")
    keep_readings(folder, rows, readings)
    print("\n".join(lines))
    return 0


def keep_readings(folder, rows, readings):
    """What the checkpoint read in each development letter, so that a test can ask it again and compare."""
    kept = {row["id"]: found.values() for row, found in zip(rows, readings)}
    (Path(folder) / "readings.json").write_text(json.dumps(kept, ensure_ascii=False, indent=1), encoding="utf-8")


def to_half(folder):
    """Store an adapter's weights in fp16: half the size, and the same answers."""
    import torch
    from safetensors.torch import load_file, save_file

    path = Path(folder) / "adapter_model.safetensors"
    tensors = {name: tensor.to(torch.float16) for name, tensor in load_file(path).items()}
    partial = path.with_suffix(".part")
    save_file(tensors, partial, metadata={"format": "pt"})
    partial.replace(path)


# An agent of a workplace: every written training task in each of its registers, and composed ones.
AGENT = {"composed": 400, "seed": 0, "longest": 900, "learning_rate": 1e-3}
AGENT_WHAT = """A LoRA adapter that serves one invented workplace of the kit, {name}: it chooses its next question, tool call or
answer from the menu of what is possible. It writes nothing of its own and is no chat model."""
AGENT_DATA = """conversations: the gold actions of tasks written for this kit by a language model, and of tasks composed by program,
replayed in the workplace. Apache-2.0. No real person."""
AGENT_LIMITS = """It knows one workplace, its tools and its sentences. Whatever it is unsure of belongs to a person, and nothing
that cannot be undone may be left to it."""


def agent_documents(name, tokenizer, composed, seed, longest):
    """Training documents of a workplace's agent, and how many traces were too long; the test tasks are not read."""
    from helpers import worlds
    from helpers.agents import calls, menu, person

    world = worlds.load(name)
    tools, says = calls.schemas(world), person.says(world)
    written = [(task, trial) for task in worlds.tasks(name, "train") for trial in range(len(task.opening))]
    made = written + [(task, seed + number) for number, task in enumerate(worlds.compose(name, composed, seed))]
    documents = [menu.document(tokenizer, person.trace(world, task, trial), tools, says) for task, trial in made]
    short = [document for document in documents if len(document) <= longest]
    return short, len(documents) - len(short)


def make_agent(name, folder, trials=1):
    """Train the agent of a workplace, examine it on the development tasks, and leave the adapter in fp16 with its card."""
    import torch
    from tqdm import tqdm

    from helpers import examine, machine, models, training, worlds
    from helpers.ablations import progress
    from helpers.agents import calls
    from helpers.evaluation import agents as examination
    from helpers.training import cards

    machine.frugal_malloc()
    torch.set_num_threads(machine.cores())
    target, settings = folder.with_name(f"{folder.name}-1"), training.Settings(learning_rate=AGENT["learning_rate"], seed=AGENT["seed"])
    if not target.exists():
        model, tokenizer = models.load()
        documents, left_out = agent_documents(name, calls.adopt(tokenizer), AGENT["composed"], AGENT["seed"], AGENT["longest"])
        print(f"{name}: {len(documents)} conversations, {sum(map(len, documents))} tokens; {left_out} too long")
        training.finetune(model, tokenizer, documents, target, settings, [progress()])
    made = json.loads((target / "training.json").read_text())
    result = training.Result(**{field: made[field] for field in training.Result.__dataclass_fields__})
    shutil.copytree(target, folder, dirs_exist_ok=True)
    to_half(folder)
    loaded = models.load(adapter=folder)
    (folder / "examination.jsonl").unlink(missing_ok=True)  # what it did, so that a test can ask it again and compare
    rows = examination.examine(
        worlds.load(name), worlds.tasks(name, "dev"), examine.agent("model", name, loaded), trials, folder / "examination.jsonl",
        progress=tqdm, whole_policy=False,
    )  # fmt: skip
    found = examination.report(rows)
    yardstick = examination.report(examination.examine(worlds.load(name), worlds.tasks(name, "dev"), examine.agent("rules", name), trials))
    card = cards.model_card(
        f"LepasLatih agent: {name}, 135M", AGENT_WHAT.format(name=name), settings, [result],
        [f"development tasks passed: {found['passed']}; the rule-based system: {yardstick['passed']}"], f"{made['documents']} {AGENT_DATA}", AGENT_LIMITS,
    )  # fmt: skip
    (folder / "README.md").write_text(card, encoding="utf-8")
    print(examine.text(found))
    return 0
