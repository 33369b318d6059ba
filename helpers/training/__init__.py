"""Fine-tuning with LoRA on small machines: PEFT and `Trainer`, and a loss that wastes nothing.

    from helpers import training
    result = training.finetune(model, tokenizer, examples, folder, settings)

What is ours is small (`LetterTrainer`): every document goes through the model alone, so there is no padding; the LM
head, a third of the work for a 49,152-word vocabulary, is applied to the supervised positions only; and positions that
a constrained decoder would force anyway count less. The rest (optimiser, schedule, checkpoints, resuming, callbacks)
is the Hugging Face ecosystem's own, and the result is a plain PEFT folder.
"""

import json
import math
import os
import shutil
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from helpers.machine import peak_memory

# What one decision is worth against a token that a constrained decoder would force.
FORCED_WEIGHT = 0.15


@dataclass
class Example:
    """One training document: token ids, how many of them are the prompt, and a weight for each token of the answer."""

    input_ids: list
    prompt_length: int
    weights: list

    def __len__(self):
        return len(self.input_ids)


@dataclass
class Settings:
    """The settings of a LoRA run. `batch` is documents a step; everything else is PEFT's and Trainer's usual."""

    rank: int = 16
    alpha: int = 32
    learning_rate: float = 1e-3
    batch: int = 2
    epochs: float = 1.0
    warmup_steps: int = 15
    max_grad_norm: float = 1.0
    save_every: int = 25
    seed: int = 0


@dataclass
class Result:
    """What a run left: the adapter's folder, the loss curve `[(step, loss)]`, tokens, seconds and peak memory in bytes."""

    adapter: str
    curve: list
    tokens: int
    seconds: float
    peak_memory: int
    resumed_from: int = 0


def example(tokenizer, prompt_ids, lines, forced_weight=FORCED_WEIGHT):
    """A training document from a prompt and the lines of its answer.

    Args:
        prompt_ids: the conversation up to the answer, as token ids.
        lines: `(slot, answer)` pairs: a `Slot` of `helpers.models.constrained` and the choice to be learnt for it.

    The first token of a label, and every token of a quote, are decisions and weigh 1; keys and the rest of a label
    are forced by the slots and weigh `forced_weight`, enough to learn to write them unaided.
    """

    def encode(text):
        return tokenizer(text, add_special_tokens=False)["input_ids"]

    ids, weights = [], []
    for slot, answer in lines:
        key, value = encode(f"{slot.key}:"), encode(f" {answer}") + encode("\n")
        ids += key + value
        free = slot.nothing is not None
        weights += [forced_weight] * len(key) + ([1.0] * len(value) if free else [1.0] + [forced_weight] * (len(value) - 1))
    return Example(list(prompt_ids) + ids + [tokenizer.eos_token_id], len(prompt_ids), weights + [forced_weight])


def with_lora(model, settings):
    """The model with fresh LoRA adapters on all its linear layers (PEFT), only they trainable."""
    from peft import LoraConfig, get_peft_model

    config = LoraConfig(r=settings.rank, lora_alpha=settings.alpha, lora_dropout=0.0, target_modules="all-linear", task_type="CAUSAL_LM")
    return get_peft_model(model, config)


def supervised_loss(model, item):
    """Weighted sum of the cross-entropy of one document's answer; a scalar tensor.

    Equal to the usual loss with the prompt masked, but the LM head sees only the positions that predict the answer:
    [answer × vocabulary] logits instead of [document × vocabulary].
    """
    import torch
    import torch.nn.functional as F

    inner = model.get_base_model() if hasattr(model, "get_base_model") else model
    ids, start = item["input_ids"], item["prompt_length"]
    hidden = inner.model(input_ids=ids.unsqueeze(0), use_cache=False).last_hidden_state[0, start - 1 : -1]
    losses = F.cross_entropy(inner.lm_head(hidden).float(), ids[start:], reduction="none")
    return torch.dot(losses, item["weights"])


def _trainer_class():
    from transformers import Trainer

    class LetterTrainer(Trainer):
        """`Trainer` with `supervised_loss`, one document at a time, and the batch's weights as the denominator."""

        def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):
            total = sum(supervised_loss(model, item) for item in inputs["documents"])
            weight = num_items_in_batch if num_items_in_batch is not None else sum(float(i["weights"].sum()) for i in inputs["documents"])
            return (total / weight, None) if return_outputs else total / weight

        def get_batch_samples(self, epoch_iterator, num_batches, device=None, *args):
            batches = []
            for _ in range(num_batches):
                try:
                    batches.append(next(epoch_iterator))
                except StopIteration:
                    break
            weight = sum(float(item["weights"].sum()) for batch in batches for item in batch["documents"])
            return batches, weight if batches else None

        def prediction_step(self, model, inputs, *args, **kwargs):
            raise NotImplementedError("held-out letters are scored by helpers.evaluation, not by Trainer")

    return LetterTrainer


def _collate(examples):
    import torch

    return {
        "documents": [
            {"input_ids": torch.tensor(e.input_ids), "prompt_length": e.prompt_length, "weights": torch.tensor(e.weights)} for e in examples
        ]
    }


def latest_checkpoint(folder):
    """The newest complete checkpoint in a folder, or None. One that a kill left half-written is passed over."""
    found = [p for p in Path(folder).glob("checkpoint-*") if (p / "trainer_state.json").exists()]
    for path in sorted(found, key=lambda p: int(p.name.split("-")[1]), reverse=True):
        try:
            json.loads((path / "trainer_state.json").read_text())
        except ValueError:
            continue
        if (path / "adapter_model.safetensors").exists() and (path / "optimizer.pt").exists():
            return path
    return None


def finetune(model, tokenizer, examples, folder, settings=None, callbacks=(), card=None):
    """Fine-tune a model with LoRA and leave a plain PEFT folder.

    Args:
        model: the base model, or a PEFT model to go on with.
        examples: list of `Example`.
        folder: where the adapter goes; an interrupted run in the same folder is resumed at its last checkpoint.
        settings: `Settings`.
        callbacks: more `TrainerCallback`s, such as `helpers.show.LiveCurve`.
        card: text of the model card, or None.

    Returns a `Result`. The folder appears under its name only when it is whole.
    """
    import torch
    from transformers import TrainingArguments

    settings, folder = settings or Settings(), Path(folder)
    if not examples:
        raise ValueError("there is nothing to train on: the list of examples is empty")
    torch.manual_seed(settings.seed)
    if not hasattr(model, "peft_config"):
        model = with_lora(model, settings)
    model.train()
    work = folder.with_name(folder.name + ".part")
    work.mkdir(parents=True, exist_ok=True)
    on_cpu = next(model.parameters()).device.type == "cpu"
    arguments = TrainingArguments(
        output_dir=str(work), per_device_train_batch_size=1, gradient_accumulation_steps=settings.batch,
        learning_rate=settings.learning_rate, num_train_epochs=settings.epochs, warmup_steps=settings.warmup_steps,
        lr_scheduler_type="linear", max_grad_norm=settings.max_grad_norm, logging_steps=1, report_to=[], disable_tqdm=True,
        save_strategy="steps", save_steps=settings.save_every, save_total_limit=2, seed=settings.seed, use_cpu=on_cpu,
        remove_unused_columns=False, dataloader_pin_memory=False, optim="adamw_torch", weight_decay=0.0, adam_beta2=0.99, logging_nan_inf_filter=False,
    )  # fmt: skip
    trainer = _trainer_class()(model=model, args=arguments, train_dataset=list(examples), data_collator=_collate, callbacks=list(callbacks))
    from transformers.trainer_callback import PrinterCallback, ProgressCallback

    trainer.remove_callback(PrinterCallback)
    trainer.remove_callback(ProgressCallback)
    checkpoint = latest_checkpoint(work)
    start = time.perf_counter()
    trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    seconds = time.perf_counter() - start
    curve = [(row["step"], row["loss"]) for row in trainer.state.log_history if "loss" in row]
    if not all(math.isfinite(loss) for _, loss in curve):
        raise RuntimeError("the loss became infinite or not a number: lower the learning rate and train again")
    tokens = int(sum(len(e) for e in examples) * settings.epochs)
    finished = folder.with_name(folder.name + ".new")
    shutil.rmtree(finished, ignore_errors=True)
    model.save_pretrained(finished)
    result = Result(str(folder), curve, tokens, seconds, peak_memory(), int(checkpoint.name.split("-")[1]) if checkpoint else 0)
    (finished / "training.json").write_text(
        json.dumps({"settings": asdict(settings), **asdict(result), "documents": len(examples), "adapter": folder.name}, indent=1)
    )
    if card:
        (finished / "README.md").write_text(card, encoding="utf-8")
    shutil.rmtree(folder, ignore_errors=True)
    os.replace(finished, folder)
    shutil.rmtree(work, ignore_errors=True)
    model.eval()
    return result
