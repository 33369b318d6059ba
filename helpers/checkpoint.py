"""The checkpoint that ships with the kit: how it is made, and its card.

python -m helpers checkpoints          # about half an hour on two cores; resumes where it was
"""

import json
import random
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


# The agent of the workplaces, one adapter for all four. What it does first in a conversation is most of what it has to
# decide, and short: three passes over that, then one over whole conversations. The lower half of the layers stays as it is
# and is run once.
AGENT = {"layers": 15, "rank": 16, "seed": 0, "together": 1000}
AGENT_STAGES = (
    {"first": 800, "long": 0, "short": 0, "composed": 0, "epochs": 3, "learning_rate": 2e-3},
    {"first": 150, "long": 60, "short": 50, "composed": 12, "epochs": 1, "learning_rate": 1e-3},
)
LONGEST_CONVERSATION = 1500  # tokens
AGENT_WHAT = """A LoRA adapter that serves the invented workplaces {names} of the kit: it chooses its next question, tool call or
answer from the menu of what is possible. It writes nothing of its own and is no chat model."""
AGENT_DATA = """conversations: the gold actions of tasks written for this kit by a language model, and of tasks composed by program,
replayed in the workplaces. Apache-2.0. No real person."""
AGENT_LIMITS = """It knows these workplaces, their tools and their sentences. Whatever it is unsure of belongs to a person, and nothing
that cannot be undone may be left to it."""


def agent_documents(name, tokenizer, stage, seed):
    """Training documents of a workplace's agent, in groups that share policy and tools; the test tasks are not read.

    `first`: so many conversations up to the agent's first message; and of whole ones so many `long`, so many `short` with
    several actions, and so many `composed` by program.
    """
    from helpers import worlds
    from helpers.agents import calls, menu, person
    from helpers.training.documents import together

    world, rng = worlds.load(name), random.Random(seed)
    tools, says = calls.schemas(world), person.says(world)
    written = {
        split: [(task, trial) for task in worlds.tasks(name, split) for trial in range(len(task.opening))] for split in worlds.TRAINING
    }
    every = [pair for pairs in written.values() for pair in pairs]
    documents = []
    for task, trial in rng.sample(every, min(stage["first"], len(every))):
        messages = person.trace(world, task, trial)
        said = next(i for i, message in enumerate(messages) if message["role"] == "assistant")
        documents.append(menu.document(tokenizer, messages[: said + 1], tools, says, forced=0.0))
    several = [pair for split in worlds.TRAINING[1:] for pair in written[split] if len(pair[0].gold) > 1]
    made = rng.sample(written["train"], stage["long"]) + rng.sample(several, stage["short"])
    made += [(task, seed + number) for number, task in enumerate(worlds.compose(name, stage["composed"], seed))]
    documents += [menu.document(tokenizer, person.trace(world, task, trial), tools, says) for task, trial in made]
    documents = [document for document in documents if len(document) <= LONGEST_CONVERSATION]
    rng.shuffle(documents)
    return together(documents, AGENT["together"])


def make_agents(folder):
    """Train one agent for the workplaces, examine it on their development tasks, and leave the adapter in fp16 with its card."""
    import torch
    from tqdm import tqdm

    from helpers import examine, machine, models, training, worlds
    from helpers.ablations import progress
    from helpers.agents import calls
    from helpers.evaluation import agents as examination
    from helpers.training import cards

    machine.frugal_malloc()
    torch.set_num_threads(machine.cores())
    names, adapter, results, groups = list(worlds.WORLDS), None, [], 0
    for number, stage in enumerate(AGENT_STAGES):
        target = folder.with_name(f"{folder.name}-{number + 1}")
        settings = training.Settings(
            learning_rate=stage["learning_rate"], epochs=stage["epochs"], seed=AGENT["seed"], rank=AGENT["rank"], layers=AGENT["layers"]
        )
        if not target.exists():
            model, tokenizer = models.load(adapter=adapter, merge=False)
            tokenizer = calls.adopt(tokenizer)
            documents = [d for name in names for d in agent_documents(name, tokenizer, stage, AGENT["seed"] + number)]
            print(f"stage {number + 1}: {len(documents)} groups, {sum(map(len, documents))} tokens, {stage['epochs']} times", flush=True)
            training.finetune(model, tokenizer, documents, target, settings, [progress()])
        made = json.loads((target / "training.json").read_text())
        results.append(training.Result(**{field: made[field] for field in training.Result.__dataclass_fields__}))
        groups, adapter = groups + made["documents"], target
    shutil.copytree(adapter, folder, dirs_exist_ok=True)
    to_half(folder)
    loaded, lines = models.load(adapter=folder), []
    for name in names:
        world, asked, path = worlds.load(name), worlds.tasks(name, "dev"), folder / f"examination-{name}.jsonl"
        path.unlink(missing_ok=True)  # what it did, so that a test can ask it again and compare
        rows = examination.examine(world, asked, examine.agent("model", name, loaded), 1, path, progress=tqdm, whole_policy=False)
        rules = examination.report(examination.examine(world, asked, examine.agent("rules", name), 1))
        lines.append(f"{name}, development tasks passed: {examination.report(rows)['passed']}; the rule-based system: {rules['passed']}")
    what = AGENT_WHAT.format(names=", ".join(names))
    card = cards.model_card("LepasLatih agent, 135M", what, settings, results, lines, f"{groups} groups of {AGENT_DATA}", AGENT_LIMITS)
    (folder / "README.md").write_text(card, encoding="utf-8")
    print("\n".join(lines))
    return 0
