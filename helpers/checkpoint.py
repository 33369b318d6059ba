"""The checkpoint that ships with the kit: how it is made, and its card.

python -m helpers checkpoints          # about an hour on two cores; resumes where it was
"""

import json
import shutil
import sys
from pathlib import Path

# Two passes over different letters: one at the full rate, one at half of it on letters composed with another seed.
STAGES = ({"examples": 1600, "learning_rate": 1e-3, "seed": 0}, {"examples": 600, "learning_rate": 5e-4, "seed": 1})


def card(title, settings, tokens, seconds, scores, data):
    """A model card in the hub's form. `scores`: lines of text, measured on this machine."""
    return f"""---
base_model: HuggingFaceTB/SmolLM2-135M-Instruct
library_name: peft
license: apache-2.0
language: [ms, en]
tags: [lora, information-extraction, malay]
---
# {title}

A LoRA adapter that reads Malay home-financing letters: it quotes the applicant's name, occupation, type and place of
the home, and labels every sum of money and length of time. It does one task and is no chat model.

- **Data:** {data}. Written for this kit, the written letters by a language model and checked by program and by reading;
  composed letters from banks of phrases. CC BY 4.0. No real person.
- **Settings:** LoRA rank {settings.rank}, alpha {settings.alpha}, all linear layers, learning rate {settings.learning_rate}, {settings.batch} letters a step, seed {settings.seed}.
- **Cost:** {tokens:,} tokens in {seconds / 60:.1f} minutes on this computer's processor; about {seconds / 3600 * 65:.0f} Wh if it draws 65 W (an assumption).

## Scores
{chr(10).join("- " + line for line in scores)}

## Limits
It reads letters of up to about 130 words in Malaysian Malay, with short forms and English mixed in. It errs on
dialects and on wordings it has not met; the desk therefore checks every quote against the letter and refers
unsure cases to a person. It must not decide on anybody's application.
"""


def make(folder):
    """Train, score on the development letters, and leave the adapter in fp16 with its card. Returns an exit status."""
    import torch
    from tqdm import tqdm
    from transformers import TrainerCallback

    from helpers import evaluation, machine, models, training
    from helpers.agents.backends import InProcess
    from helpers.agents.reading import ModelReader
    from helpers.worlds.mortgage import letters, task

    torch.set_num_threads(machine.cores())
    machine.frugal_malloc()

    class Progress(TrainerCallback):
        def on_train_begin(self, args, state, control, **kwargs):
            self.bar = tqdm(total=state.max_steps, initial=state.global_step, desc="training", file=sys.stderr)

        def on_log(self, args, state, control, logs=None, **kwargs):
            if logs and "loss" in logs:
                self.bar.set_postfix(loss=f"{logs['loss']:.3f}")
                self.bar.update(state.global_step - self.bar.n)

    folder.parent.mkdir(parents=True, exist_ok=True)
    adapter, tokens, seconds, documents = None, 0, 0.0, 0
    for number, stage in enumerate(STAGES):
        target = folder.with_name(f"{folder.name}-{number + 1}")
        settings = training.Settings(learning_rate=stage["learning_rate"], seed=stage["seed"])
        if not target.exists():
            model, tokenizer = models.load(adapter=adapter, merge=False)
            examples = task.examples(tokenizer, task.training_rows(stage["examples"], stage["seed"]))
            training.finetune(model, tokenizer, examples, target, settings, [Progress()])
        made = json.loads((target / "training.json").read_text())
        tokens, seconds, documents, adapter = tokens + made["tokens"], seconds + made["seconds"], documents + made["documents"], target
    shutil.copytree(adapter, folder, dirs_exist_ok=True)
    to_half(folder)
    rows = letters.written("dev")
    tuned, tokenizer = models.load(adapter=folder)
    scores = evaluation.score_readings(rows, evaluation.read_all(rows, ModelReader(InProcess(tuned, tokenizer))))
    lines = [f"fields right on the {len(rows)} development letters: {scores['fields']}"]
    (folder / "README.md").write_text(
        card("LepasLatih mortgage reader, 135M", settings, tokens, seconds, lines, f"{documents} letters"), encoding="utf-8"
    )
    print("\n".join(lines))
    return 0


def to_half(folder):
    """Store an adapter's weights in fp16: half the size, and the same answers."""
    import torch
    from safetensors.torch import load_file, save_file

    path = Path(folder) / "adapter_model.safetensors"
    tensors = {name: tensor.to(torch.float16) for name, tensor in load_file(path).items()}
    partial = path.with_suffix(".part")
    save_file(tensors, partial, metadata={"format": "pt"})
    partial.replace(path)
