"""Our tasks as files that EleutherAI's `lm-eval` runs, so that others can measure their own models on them.

    python -m helpers export-tasks tasks/
    lm_eval --model hf --model_args pretrained=… --include_path tasks --tasks lepaslatih

`benchmarks/lm_eval_check.py` runs both on the same model and prints the distance.
"""

import json
import os
from pathlib import Path

from helpers.evaluation.likelihood import ANSWER

# What is the same in every task file.
COMMON = {"test_split": "test", "num_fewshot": 0, "metadata": {"version": 1.0}}
ACCURACY = {"aggregation": "mean", "higher_is_better": True}
CHOICES = {
    "output_type": "multiple_choice",
    "doc_to_text": "{{question}}\n{{cue}}",
    "doc_to_choice": "{{options}}",
    "doc_to_target": "{{answer}}",
    "target_delimiter": " ",
    "metric_list": [{"metric": "acc_norm", **ACCURACY}],
}
TASKS = {
    "lepaslatih_pairs": {
        "output_type": "multiple_choice",
        "doc_to_text": "",
        "doc_to_choice": "{{[good, bad]}}",
        "doc_to_target": 0,
        "target_delimiter": "",
        "metric_list": [{"metric": "acc", **ACCURACY}],
    },
    "lepaslatih_choices": CHOICES,
    "lepaslatih_retention": CHOICES,
    "lepaslatih_prose": {
        "output_type": "loglikelihood_rolling",
        "doc_to_text": "",
        "doc_to_target": "{{text}}",
        "metric_list": [{"metric": "bits_per_byte", "aggregation": "bits_per_byte", "higher_is_better": False}],
    },
}


def rows_of(task):
    """The rows of a task, every one with the same columns."""
    from helpers.corpus import builtin

    if task == "lepaslatih_prose":
        return [{"id": r["id"], "text": r["text"]} for r in builtin("prose", "test")]
    if task == "lepaslatih_retention":
        return [{"id": r["id"], "question": r["question"], "cue": r.get("cue", "Answer:"), "options": r["options"], "answer": r["answer"]} for r in builtin("retention")]  # fmt: skip
    if task == "lepaslatih_pairs":
        return [{k: r[k] for k in ("id", "phenomenon", "good", "bad")} for r in builtin("diagnostics") if r["kind"] == "pair"]
    return [
        {k: r.get(k, ANSWER) for k in ("id", "phenomenon", "question", "cue", "options", "answer")}
        for r in builtin("diagnostics")
        if r["kind"] == "choice"
    ]


def export(folder):
    """Write a YAML file and a JSONL file for each task, and the group `lepaslatih`; returns the paths written."""
    import yaml

    folder = Path(folder).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for task, settings in TASKS.items():
        data = folder / f"{task}.jsonl"
        _write(data, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows_of(task)))
        config = {"task": task, "dataset_path": "json", "dataset_kwargs": {"data_files": {"test": str(data)}}, **COMMON, **settings}
        _write(folder / f"{task}.yaml", yaml.safe_dump(config, sort_keys=False, allow_unicode=True))
        written += [data, folder / f"{task}.yaml"]
    group = folder / "lepaslatih.yaml"
    _write(group, yaml.safe_dump({"group": "lepaslatih", "task": list(TASKS), "metadata": {"version": 1.0}}, sort_keys=False))
    return [*written, group]


def _write(path, text):
    partial = path.with_suffix(path.suffix + ".part")
    partial.write_text(text, encoding="utf-8")
    os.replace(partial, path)
