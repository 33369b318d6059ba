"""The arms of the training benchmark: one fine-tuning run each, by TRL, by PEFT in a plain loop, and by this kit.

    python -m benchmarks.arms job.json result.json      # one run in this process: what `benchmarks.training` starts

Every arm trains the same LoRA (rank 16, alpha 32, all linear layers, no dropout) on the same letters and minimises the same
loss: the mean cross-entropy of an answer's tokens over the documents of a step. Learning rate 1e-3, linear with a warm-up,
clipping at 1, no weight decay. An arm's own part is how it gets there.

With `device="cuda"` the same arms run in bfloat16 on random weights of a larger shape. That part is ready but has not been
run: no GPU was at hand when it was written.
"""

import json
import math
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from benchmarks import measure
from helpers import machine

RANK, ALPHA, RATE, BETAS, WARMUP, LONGEST = 16, 32, 1e-3, (0.9, 0.99), 15, 400
SHAPES = {  # sizes as published; the weights are random
    "qwen3-0.6b": {"hidden_size": 1024, "intermediate_size": 3072, "num_hidden_layers": 28, "num_attention_heads": 16},
    "qwen3-4b": {"hidden_size": 2560, "intermediate_size": 9728, "num_hidden_layers": 36, "num_attention_heads": 32},
}
SHARED_SHAPE = {"num_key_value_heads": 8, "head_dim": 128, "vocab_size": 151_936, "tie_word_embeddings": True}


@dataclass
class Job:
    """One run. `kind`: the table that it belongs to, "speed", "loss", "tune" or "limit". `held_out`: composed and written letters;
    `every`: steps between looks at them (0: at the end only); `bar`: stop at a held-out loss of at most this; `limit_gb`: memory
    that it may use; `options` change the arm's own."""

    arm: str
    kind: str = "speed"
    seed: int = 0
    documents: int = 24
    epochs: float = 1.0
    model: str = "smollm2-135m"
    device: str = "cpu"
    held_out: tuple = (60, 20)
    every: int = 0
    bar: float | None = None
    limit_gb: float | None = None
    options: dict = field(default_factory=dict)


def documents(tokenizer, count, seed):
    """Letters to train on as `helpers.training.Example`s, every token of an answer worth the same."""
    from helpers.worlds.mortgage import task

    made = task.examples(tokenizer, task.training_rows(count, seed), LONGEST)
    return [replace(example, weights=[1.0] * len(example.weights)) for example in made]


def held_out(tokenizer, composed, written):
    """Letters that nothing is trained on: composed ones of a seed of their own, and written ones of the development split."""
    from helpers.worlds.mortgage import letters, task

    return task.examples(tokenizer, letters.generate(composed, seed=990_001) + letters.written("dev")[:written], LONGEST)


def load(job):
    """Model and tokenizer of a job: weights from the catalogue or a folder, or random ones of one of `SHAPES`."""
    from helpers import models

    if job.model not in SHAPES:
        return models.load(job.model, device=job.device, dtype="float32" if job.device == "cpu" else "bfloat16")
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, Qwen3Config

    torch.manual_seed(0)
    tokenizer = AutoTokenizer.from_pretrained(models.safetensors_path(models.catalogue()["smollm2-135m"]))
    config = Qwen3Config(**SHAPES[job.model], **SHARED_SHAPE, pad_token_id=tokenizer.pad_token_id, eos_token_id=tokenizer.eos_token_id)
    with torch.device(job.device):
        return AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16), tokenizer


def warmup(count, batch, epochs):
    """Steps of a run, and those of them in which the learning rate rises: as in `helpers.training`, at most a quarter."""
    steps = math.ceil(math.ceil(count / batch) * epochs)
    return steps, min(WARMUP, max(1, steps // 4))


def adapter():
    """The same LoRA for every peer."""
    from peft import LoraConfig

    return LoraConfig(r=RANK, lora_alpha=ALPHA, lora_dropout=0.0, target_modules="all-linear", task_type="CAUSAL_LM")


def trl(job, meter, model, tokenizer, examples, batch=8, quickstart=False, layout="grouped", loss="nll", row=1024, **more):
    """TRL's `SFTTrainer`.

    quickstart: text in, every setting as it comes, but for `bf16=False`: TRL's default is bfloat16, which stops with an error on
    a computer without a GPU, and where `use_cpu=True` lets it run it is several times slower than float32.
    layout: "grouped" by length, "flat" (TRL's `padding_free`) or "packed" (TRL's `packing`: rows of at most `row` tokens). In
    the last two documents do not see each other: transformers makes a block mask for SDPA out of the position ids.
    loss: "nll", TRL's own, which never holds all logits, but on a processor scores every position, prompt and padding too, and
    once more on the way back; or "labels", the model's own loss, by overriding `compute_loss`, as TRL advises for other losses.
    """
    import datasets
    from transformers import Trainer
    from trl import SFTConfig, SFTTrainer

    class LabelsTrainer(SFTTrainer):
        def compute_loss(self, model, inputs, *args, **kwargs):
            inputs["use_cache"] = False  # as TRL's own: a cache costs time, and with one documents of a flat batch see each other
            return Trainer.compute_loss(self, model, inputs, *args, **kwargs)

    datasets.disable_progress_bars()
    on_cpu = job.device == "cpu"
    settings = {
        "learning_rate": RATE, "adam_beta2": BETAS[1], "weight_decay": 0.0, "num_train_epochs": job.epochs, "seed": job.seed,
        "per_device_train_batch_size": batch, "use_cpu": on_cpu, "bf16": not on_cpu, "report_to": "none",
    }  # fmt: skip
    if quickstart:
        texts = [(tokenizer.decode(e.input_ids[: e.prompt_length]), tokenizer.decode(e.input_ids[e.prompt_length :])) for e in examples]
        rows = [{"prompt": prompt, "completion": completion} for prompt, completion in texts]
    else:
        rows = [{"input_ids": e.input_ids, "labels": [-100] * e.prompt_length + e.input_ids[e.prompt_length :]} for e in examples]
        tokens = sum(map(len, examples))
        _, rising = warmup(len(examples) if layout != "packed" else tokens / row, batch, job.epochs)
        settings |= {
            "gradient_checkpointing": False, "logging_strategy": "no", "save_strategy": "no", "disable_tqdm": True, "max_grad_norm": 1.0,
            "dataloader_pin_memory": not on_cpu, "warmup_steps": rising, "max_length": row if layout == "packed" else None,
            "train_sampling_strategy": "group_by_length" if layout == "grouped" else "random",
            "padding_free": layout == "flat", "packing": layout == "packed",
        }  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        trainer = (LabelsTrainer if loss == "labels" else SFTTrainer)(
            model=model, args=SFTConfig(output_dir=folder, **(settings | more)), train_dataset=datasets.Dataset.from_list(rows),
            processing_class=tokenizer, peft_config=adapter(), callbacks=[measure.callback(meter)],
        )  # fmt: skip
        meter.start()
        trainer.train()
    return trainer.model


def padded(examples, tokenizer, device):
    """Documents as one padded batch: ids, attention mask and labels, each [documents, longest]."""
    import torch

    longest = max(map(len, examples))
    ids = torch.full((len(examples), longest), tokenizer.pad_token_id)
    mask, labels = torch.zeros_like(ids), torch.full_like(ids, -100)
    for row, e in enumerate(examples):
        ids[row, : len(e)], mask[row, : len(e)] = torch.tensor(e.input_ids), 1
        labels[row, e.prompt_length : len(e)] = torch.tensor(e.input_ids[e.prompt_length :])
    return {"input_ids": ids.to(device), "attention_mask": mask.to(device), "labels": labels.to(device)}


def loss_of_labels(model, examples, batch):
    """Hugging Face's own loss: logits of every position."""
    return model(**batch, use_cache=False).loss


def loss_of_head(model, examples, batch):
    """The LM head at supervised positions only."""
    import torch.nn.functional as F

    inner = model.get_base_model()
    hidden = inner.model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"], use_cache=False).last_hidden_state[:, :-1]
    targets = batch["labels"][:, 1:]
    return F.cross_entropy(inner.lm_head(hidden[targets != -100]).float(), targets[targets != -100])


def loss_of_documents(model, examples, batch):
    """The same without padding: one document at a time (`training.supervised_loss`)."""
    import torch

    from helpers import training

    total = 0.0
    for e in examples:
        ids, weights = torch.tensor(e.input_ids, device=model.device), torch.tensor(e.weights, device=model.device)
        total += training.supervised_loss(model, {"input_ids": ids, "prompt_length": e.prompt_length, "weights": weights})
    return total / sum(len(e.weights) for e in examples)


LOSSES = {"labels": loss_of_labels, "head": loss_of_head, "documents": loss_of_documents}


def loop(job, meter, model, tokenizer, examples, batch=1, loss="labels"):
    """A plain PyTorch loop over PEFT's model."""
    import torch
    from peft import get_peft_model
    from transformers import get_linear_schedule_with_warmup

    model = get_peft_model(model, adapter()).train()
    trained = [p for p in model.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(trained, lr=RATE, betas=BETAS, weight_decay=0.0)
    steps, rising = warmup(len(examples), batch, job.epochs)
    schedule = get_linear_schedule_with_warmup(optimiser, rising, steps)
    meter.start()
    while True:
        for numbers in torch.randperm(len(examples)).split(batch):
            chosen = [examples[n] for n in numbers]
            made = None if loss == "documents" else padded(chosen, tokenizer, model.device)
            meter.batch([len(e) for e in chosen], made["input_ids"].numel() if made else sum(map(len, chosen)))
            LOSSES[loss](model, chosen, made).backward()
            torch.nn.utils.clip_grad_norm_(trained, 1.0)
            optimiser.step()
            schedule.step()
            optimiser.zero_grad()
            if meter.step(model) or len(meter.steps) == steps:
                return model


def ours(job, meter, model, tokenizer, examples, batch=1, layers=None, **more):
    """`helpers.training.finetune`, but for its checkpoints: the peers save none."""
    from helpers import training

    settings = training.Settings(
        rank=RANK, alpha=ALPHA, learning_rate=RATE, batch=batch, epochs=job.epochs, warmup_steps=WARMUP, max_grad_norm=1.0,
        save_every=10**6, seed=job.seed, layers=layers, **more,
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        meter.start()
        model = training.with_lora(model, settings)
        training.finetune(model, tokenizer, examples, Path(folder) / "adapter", settings, callbacks=[measure.callback(meter)])
    return model


ARMS = {  # name: (function, its options)
    "trl-quickstart": (trl, {"quickstart": True}),
    "trl-tuned": (trl, {"batch": 1, "loss": "labels"}),
    "trl-packing": (trl, {"batch": 1, "loss": "labels", "layout": "packed"}),
    "peft-loop": (loop, {}),
    "ours-head": (loop, {"loss": "head"}),
    "ours-unpadded": (loop, {"loss": "documents"}),
    "ours": (ours, {}),
    "ours-top15": (ours, {"layers": 15}),
    "ours-top": (ours, {"layers": 10}),
}
# On a GPU TRL's own loss scores only what is supervised, and a GPU wants larger batches.
CUDA = {"batch": 8, "loss": "nll"}
ON_CUDA = {"trl-tuned": CUDA, "trl-packing": {**CUDA, "batch": 2}, "trl-liger": {**CUDA, "use_liger_kernel": True}}


def run(job):
    """Train as a job says. Returns the row of results, a dictionary of what this process can know about itself."""
    arm, options = ARMS.get(job.arm, (trl, {}))
    if arm is ours:
        machine.frugal_malloc()  # before there are threads, as the kit's own `lesson.start` does
    import torch
    import transformers

    torch.set_num_threads(machine.cores())
    if job.device == "cuda":
        options = {**options, **ON_CUDA.get(job.arm, {})}
    unseen, wait = [], torch.cuda.synchronize if job.device == "cuda" else None
    meter = measure.Meter(lambda model: measure.held_out_loss(model, unseen), job.every, job.bar, wait=wait)
    peak_before = meter.off_the_clock(measure.matmul_peak, job.device)
    model, tokenizer = load(job)
    examples = documents(tokenizer, job.documents, job.seed)
    unseen += meter.off_the_clock(held_out, tokenizer, *job.held_out)
    transformers.set_seed(job.seed)
    model = arm(job, meter, model, tokenizer, examples, **{**options, **job.options})
    seconds, ended, counted, memory = meter.seconds(), time.time(), meter.paused, machine.peak_memory()
    reached = meter.measure(model)
    if reached and meter.every:
        seconds = meter.curve[-1][1]  # what `finetune` still wrote afterwards took no step nearer to the bar
    _, tokens, seen, cells = map(sum, zip(*meter.steps))
    lengths = [len(e) for e in examples]
    share = sum(len(e.weights) for e in examples) / sum(lengths)
    config = (model.get_base_model() if hasattr(model, "get_base_model") else model).config
    layers = {**options, **job.options}.get("layers")
    flop = measure.flop_per_token(config, share, sum(n * n for n in lengths) / sum(lengths), RANK, layers)
    row = {
        "job": asdict(job), "tokens": tokens, "documents": seen, "steps": len(meter.steps), "tokens_per_second": meter.speed(),
        "seconds": seconds, "setup": meter.setup, "ended": ended, "paused": counted, "curve": meter.curve, "loss": meter.curve[-1][2],
        "reached": reached, "padding": 1 - tokens / cells, "max_rss": memory, "flop_per_token": flop,
        "peak": max(peak_before, measure.matmul_peak(job.device)), "peak_before": peak_before,
    }  # fmt: skip
    if job.device == "cuda":
        row |= {"gpu": torch.cuda.get_device_name(), "gpu_memory": torch.cuda.max_memory_allocated()}
    return row


if __name__ == "__main__":
    measure.write(Path(sys.argv[2]), run(Job(**json.loads(Path(sys.argv[1]).read_text()))))
