"""The checkpoint that ships with the kit: how it is made, and its card.

python -m helpers checkpoints          # about an hour on two cores; resumes where it was
"""

import sys
from pathlib import Path

EXAMPLES = 1600
SEED = 0


def card(title, settings, result, scores, data):
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
- **Cost:** {result.tokens:,} tokens in {result.seconds / 60:.1f} minutes on this computer's processor; about {result.seconds / 3600 * 65:.0f} Wh if it draws 65 W (an assumption).

## Scores
{chr(10).join("- " + line for line in scores)}

## Limits
It reads letters of up to about 130 words in Malaysian Malay, with short forms and English mixed in. It errs on
dialects and on wordings it has not met; the desk therefore checks every quote against the letter and refers
unsure cases to a person. It must not decide on anybody's application.
"""


def make(folder):
    """Train, score on the development letters, and leave the adapter in fp16 with its card. Returns an exit status."""
    from tqdm import tqdm
    from transformers import TrainerCallback

    from helpers import evaluation, machine, models, training
    from helpers.agents.backends import InProcess
    from helpers.agents.reading import ModelReader
    from helpers.worlds.mortgage import letters, task

    import torch

    torch.set_num_threads(machine.cores())
    model, tokenizer = models.load()
    examples = task.examples(tokenizer, task.training_rows(EXAMPLES, SEED))
    settings = training.Settings(seed=SEED)

    class Progress(TrainerCallback):
        def on_train_begin(self, args, state, control, **kwargs):
            self.bar = tqdm(total=state.max_steps, initial=state.global_step, desc="training", file=sys.stderr)

        def on_log(self, args, state, control, logs=None, **kwargs):
            if logs and "loss" in logs:
                self.bar.set_postfix(loss=f"{logs['loss']:.3f}")
                self.bar.update(state.global_step - self.bar.n)

    folder.parent.mkdir(parents=True, exist_ok=True)
    result = training.finetune(model, tokenizer, examples, folder, settings, [Progress()])
    rows = letters.written("dev")
    tuned, _ = models.load(adapter=folder)
    scores = evaluation.score_readings(rows, evaluation.read_all(rows, ModelReader(InProcess(tuned, tokenizer))))
    lines = [f"fields right on the {len(rows)} development letters: {scores['fields']}"]
    to_half(folder)
    (folder / "README.md").write_text(
        card("LepasLatih mortgage reader, 135M", settings, result, lines, f"{len(examples)} letters"), encoding="utf-8"
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
