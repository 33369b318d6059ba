"""τ-Melayu: what an agent did, judged by the state that it left and by what the person was told.

    rows = examine(Counter, load_tasks("…/test.jsonl"), chat, trials=4)
    report(rows)                       # pass^1, pass^4, executable calls, wrong-but-valid, with 95% intervals

A task is passed when the final tables equal those of the gold actions and everything that had to be communicated was
said: any path that gets there is right. Amounts, dates and words are normalised before they are compared.
`pass^k` is the chance that k trials of a task all pass, C(c, k) / C(n, k) for c passes in n trials.
Method: τ-bench (Yao et al., arXiv 2406.12045). Trials differ in the person's register, not only in luck.
"""

import json
import math
import os
from pathlib import Path

from helpers.agents.person import Person, replay
from helpers.evaluation import intervals
from helpers.worlds import base


def communicated(wanted, messages):
    """Whether each wanted value is in what the agent said: amounts and dates in any spelling, words as they stand."""
    from helpers.malay import dates, quantities

    said = "\n".join(m["content"] or "" for m in messages if m["role"] == "assistant")
    plain = " ".join(said.split()).casefold()
    values = {base.normal(found.text) for found in (*quantities.find_amounts(said), *dates.find_dates(said))}
    return [base.normal(value) in values or " ".join(str(value).split()).casefold() in plain for value in wanted]


def judge(world_class, task, world, episode):
    """The verdict on one episode, as a row."""
    gold = replay(world_class, task)
    right = world.state() == gold.state()
    start = world_class(setup=task.setup)
    acted = world.state() != start.state()
    acts = gold.state() != start.state()
    gold.close(), start.close()
    told = communicated(task.communicate, episode.messages)
    calls = [r for step in episode.steps for r in step["results"]]
    refused = sum(base.ERROR in r["result"] for r in calls)
    return {
        "passed": right and all(told) and episode.ended == "done", "state": right, "told": all(told), "ended": episode.ended,
        "acted": acted, "acts": acts, "calls": len(calls), "refused": refused, "steps": len(episode.steps), "seconds": round(episode.seconds, 3),
        "tokens": sum(step.get("tokens") or 0 for step in episode.steps), "prompt_tokens": sum(step.get("prompt_tokens") or 0 for step in episode.steps),
        "confidence": min((step["confidence"] for step in episode.steps if "confidence" in step), default=None),
    }  # fmt: skip


def examine(world_class, tasks, chat, trials=1, path=None, progress=None, **options):
    """Let an agent do every task, each `trials` times.

    Args:
        world_class: a subclass of `World`.
        tasks: list of `Task`.
        chat: the agent's model, `chat(messages, tools) -> message`.
        path: JSONL file to keep the rows in; what is there already is not done again.
        progress: wraps the list of runs, such as `tqdm`.
        options: more arguments of `agents.loop.run`.

    Returns a list of rows: `world`, `task`, `kind`, `trial`, `register` and the verdict.
    """
    from helpers.agents import loop

    rows = [json.loads(line) for line in Path(path).read_text(encoding="utf-8").splitlines()] if path and Path(path).exists() else []
    done = {(row["task"], row["trial"]) for row in rows if row["world"] == world_class.NAME}
    todo = [(task, trial) for task in tasks for trial in range(trials) if (task.id, trial) not in done]
    for task, trial in progress(todo) if progress else todo:
        world, person = world_class(setup=task.setup), Person(world_class, task, trial)
        episode = loop.run(world, chat, person, **options)
        verdict = judge(world_class, task, world, episode)
        world.close()
        rows.append({"world": world_class.NAME, "task": task.id, "kind": task.kind, "trial": trial, "register": person.register, **verdict})
        if path:
            _keep(path, rows)
    return rows


def _keep(path, rows):
    """All rows, written whole or not at all."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    os.replace(part, path)


def pass_k(rows, k):
    """Mean over tasks of C(c, k) / C(n, k); None where no task has k trials."""
    tasks = {}
    for row in rows:
        tasks.setdefault((row["world"], row["task"]), []).append(row["passed"])
    chances = [math.comb(sum(p), k) / math.comb(len(p), k) for p in tasks.values() if len(p) >= k]
    return sum(chances) / len(chances) if chances else None


def report(rows):
    """What rows say, as a dictionary of `intervals.Share`s and means.

    `passed` counts first trials only, one a task, for independent counts; `executable`: calls that a tool accepted;
    `wrong_but_valid`: episodes with calls, every one accepted, whose outcome is still wrong; `no_tool`: of the tasks
    in which nothing had to be done, those in which nothing was.
    """
    first = [row for row in rows if row["trial"] == 0]
    still, calls = [row for row in first if not row["acts"]], sum(row["calls"] for row in rows)
    trials = max((row["trial"] for row in rows), default=0) + 1
    return {
        "passed": intervals.wilson(sum(row["passed"] for row in first), len(first)),
        **{f"pass^{k}": pass_k(rows, k) for k in range(1, trials + 1)},
        "executable": intervals.wilson(calls - sum(row["refused"] for row in rows), calls),
        "wrong_but_valid": intervals.wilson(
            sum(bool(row["calls"]) and not row["state"] and not row["refused"] for row in first), len(first)
        ),
        "no_tool": intervals.wilson(sum(not row["acted"] for row in still), len(still)),
        "seconds": sum(row["seconds"] for row in rows) / len(rows) if rows else None,
        "tokens": sum(row["tokens"] for row in rows) / len(rows) if rows else None,
    }


def by(rows, name):
    """`report` for each value of a column, such as "kind" or "register"."""
    return {value: report([row for row in rows if row[name] == value]) for value in sorted({row[name] for row in rows})}
