"""τ-Melayu on the command line: any model, in four workplaces, judged by what it left behind.

    python -m helpers examine --world all --base-url http://127.0.0.1:8080/v1 --trials 4
    python -m helpers examine --world counter                               # the agent that ships with the kit
    python -m helpers examine --world counter --adapter runs/…/adapter      # your own
    python -m helpers examine --world counter --agent rules                 # a yardstick

Every finished conversation is kept in `--out`, so an interrupted examination goes on where it was.
"""

import re
from pathlib import Path

from helpers import worlds
from helpers.agents import chat, person
from helpers.evaluation import agents as examination


def agent(name, world, loaded=None, address=None, served="served", api_key=None):
    """The `chat` of an agent in a workplace. `loaded`: `(model, tokenizer)`; `address`: an OpenAI-compatible server."""
    says = person.says(worlds.load(world))
    if address:
        return chat.Address(address, served, api_key)
    made = {
        "rules": lambda: worlds.rules(world), "nothing": chat.Nothing, "dice": lambda: chat.Dice(says),
        "refusing": lambda: chat.Refusing(*worlds.load(world).REFUSAL), "model": lambda: chat.Choosing(*loaded, says),
        "writing": lambda: chat.Writing(*loaded),
    }  # fmt: skip
    return made[name]()


def run(options):
    """Examine and print; returns an exit status."""
    import torch
    from tqdm import tqdm

    from helpers import lesson, machine, models

    machine.frugal_malloc()
    torch.set_num_threads(machine.cores())
    names = list(worlds.WORLDS) if options.world == "all" else [options.world]
    loaded = None
    if not options.base_url and options.agent in ("model", "writing"):
        loaded = models.load(options.model, adapter=None if options.adapter == "none" else Path(options.adapter or lesson.AGENT))
    for name in names:
        world = worlds.load(name)
        asked = [options.base_url, options.served] if options.base_url else [options.agent, options.model, options.adapter]
        who = re.sub(r"\W+", "-", " ".join(filter(None, asked))).strip("-")  # another model's rows are never taken for this one's
        path = Path(options.out) / f"{name}-{who}-{options.split}.jsonl"
        chosen = agent(options.agent, name, loaded, options.base_url, options.served, options.api_key)
        whole = bool(options.base_url) or options.adapter == "none"  # a tuned model knows the policy
        rows = examination.examine(world, worlds.tasks(name, options.split), chosen, options.trials, path, tqdm, whole_policy=whole)
        print(f"{name}: {who}, {options.split}, {options.trials} trials a task; rows in {path}")
        print(text(examination.report(rows)))
    return 0


def text(found):
    """A report as lines of text."""
    lines = []
    for name, value in found.items():
        if value is not None:
            lines.append(f"    {name:<16} {value}" if not isinstance(value, float) else f"    {name:<16} {value:.3f}")
    return "\n".join(lines)
