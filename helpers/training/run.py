"""A training run from its first step to a plain PEFT folder: `Trainer` with this kit's engine under it.

Optimiser, schedule, clipping, logging, callbacks, resuming and every file are `Trainer`'s and PEFT's own. Ours: a step takes
documents instead of a padded batch, in micro-batches that fit into memory; the held-out loss is weighted like the training
loss; and a checkpoint counts only when a marker says that it is whole.
"""

import contextlib
import errno
import json
import math
import os
import shutil
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from helpers.machine import peak_memory
from helpers.training import documents as documents_module

WHOLE = "whole"  # the marker's name


@dataclass
class Settings:
    """The settings of a LoRA run.

    rank, alpha, learning_rate, epochs, warmup_steps, max_grad_norm, seed: as in PEFT and `Trainer`.
    batch: documents a step, over all workers: one is fastest on a processor, and learns most from the same documents. save_every: steps between checkpoints.
    layers: LoRA on the top k layers only, with the outputs of the lower ones cached; None for all layers.
    evaluate_every: steps between looks at the held-out loss (0: at the end only); patience: stop after so many looks without
    improvement and keep the best (0: never).
    micro_batch_tokens: at most so many tokens go through the model at once. memory: bytes that may be used (0: what is free).
    by_hand: use the hand-written layers where the model's shape allows it.
    """

    rank: int = 16
    alpha: int = 32
    learning_rate: float = 1e-3
    batch: int = 1
    epochs: float = 1.0
    warmup_steps: int = 15
    max_grad_norm: float = 1.0
    save_every: int = 50
    seed: int = 0
    layers: int | None = None
    evaluate_every: int = 0
    patience: int = 0
    micro_batch_tokens: int = 512
    memory: int = 0
    by_hand: bool = True

    def __post_init__(self):
        for name, good in {"rank": self.rank >= 1, "batch": self.batch >= 1, "epochs": self.epochs > 0, "learning_rate": self.learning_rate > 0}.items():  # fmt: skip
            if not good:
                raise ValueError(f"{name} is {getattr(self, name)}: it has to be more than zero")
        if self.patience and not self.evaluate_every:
            raise ValueError("patience counts looks at the held-out loss: set evaluate_every too, for example to 20 steps")


@dataclass
class Result:
    """What a run left: the adapter's folder, the curves `[(step, loss)]`, tokens, seconds and peak memory in bytes."""

    adapter: str
    curve: list
    tokens: int
    seconds: float
    peak_memory: int
    resumed_from: int = 0
    held_out: list = None
    engine: str = ""


def with_lora(model, settings, new_rows=()):
    """The model with fresh LoRA adapters on all linear layers of its (top) decoder layers, only they trainable (PEFT).

    `new_rows`: ids of embedding rows to train too, those of an extended tokenizer (`helpers.models.vocabulary`).
    """
    import torch
    from peft import LoraConfig, get_peft_model

    chosen, total, targets = None, model.config.get_text_config().num_hidden_layers, "all-linear"
    if settings.layers is not None:
        if not 1 <= settings.layers <= total:
            raise ValueError(f"layers is {settings.layers}: this model has {total}; choose from 1 to {total}, or None for all")
        chosen = list(range(total - settings.layers, total))
        targets = sorted({name.split(".")[-1] for name, part in model.model.layers[0].named_modules() if isinstance(part, torch.nn.Linear)})
    torch.manual_seed(settings.seed)  # A is drawn at random: the same seed gives the same adapter
    config = LoraConfig(
        r=settings.rank, lora_alpha=settings.alpha, lora_dropout=0.0, target_modules=targets, layers_to_transform=chosen,
        trainable_token_indices=list(new_rows) or None, task_type="CAUSAL_LM",
    )  # fmt: skip
    return get_peft_model(model, config)


def latest_checkpoint(folder):
    """The newest whole checkpoint in a folder, or None. One that a kill left half-written has no marker and is passed over."""
    found = [p for p in Path(folder).glob("checkpoint-*") if (p / WHOLE).exists()]
    return max(found, key=lambda p: int(p.name.split("-")[1]), default=None)


def _mark_whole():
    from transformers import TrainerCallback

    class Mark(TrainerCallback):
        """Marks a checkpoint as whole after `Trainer` has written the last of its files; stops a run whose loss is no number."""

        def on_save(self, args, state, control, **kwargs):
            if state.is_world_process_zero:
                folder = Path(args.output_dir) / f"checkpoint-{state.global_step}"
                (folder / "whole.part").write_text(str(state.global_step))
                os.replace(folder / "whole.part", folder / WHOLE)

        def on_log(self, args, state, control, logs=None, **kwargs):
            if not math.isfinite((logs or {}).get("loss", 0.0)):
                control.should_training_stop, control.should_save = True, False

    return Mark()


def _train(trainer, checkpoint, room):
    """`trainer.train`, with a plain word where the disk is full."""
    try:
        trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    except Exception as error:
        text = str(error).lower()
        if getattr(error, "errno", None) in (errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", None)) or any(
            words in text for words in ("no space left", "file too large", "file write failed", "disk quota", "unexpected pos")
        ):
            raise OSError(
                errno.ENOSPC, f"the disk is full: free {room / 1e6:.0f} MB and run this again; it goes on from the last whole checkpoint"
            ) from error
        raise


def _trainer_class():
    import torch
    from transformers import Trainer

    from helpers.training.engine import held_out_loss

    class DocumentTrainer(Trainer):
        """`Trainer` over documents: `engine.loss` in micro-batches, divided by the weight of all workers' documents of the step."""

        def __init__(self, *arguments, engine, micro_batch_tokens, held_out=(), starts=None, held_out_starts=None, **rest):
            super().__init__(*arguments, **rest)
            self.engine, self.micro_batch_tokens, self.starts = engine, micro_batch_tokens, starts
            self.held_out, self.held_out_starts = held_out, held_out_starts
            self.loss_is_scaled_for_ga = True

        def get_batch_samples(self, epoch_iterator, num_batches, device=None, *args):
            batches = []
            for _ in range(num_batches):
                with contextlib.suppress(StopIteration):
                    batches.append(next(epoch_iterator))
            weight = torch.tensor(sum(sum(d.weights) for batch in batches for _, d in batch["documents"]), dtype=torch.float64)
            if self.args.world_size > 1:
                weight = self.accelerator.reduce(weight.to(device or "cpu"), "sum")
            return batches, weight

        def training_step(self, model, inputs, num_items_in_batch=None):
            model.train()
            scale, total = self.args.world_size / float(num_items_in_batch), torch.zeros((), device=self.args.device)
            parts = documents_module.micro_batches([d for _, d in inputs["documents"]], self.micro_batch_tokens)
            numbers = iter([number for number, _ in inputs["documents"]])
            for index, part in enumerate(parts):
                start = self.starts([next(numbers) for _ in part]) if self.starts else None
                # workers exchange gradients once a step, with the last micro-batch
                wait = index < len(parts) - 1 and self.args.world_size > 1
                with self.accelerator.no_sync(model) if wait else contextlib.nullcontext():
                    loss = model(documents=self.engine.batch(part, start)) * scale
                    self.accelerator.backward(loss)
                total += loss.detach()
            return total

        def evaluate(self, eval_dataset=None, ignore_keys=None, metric_key_prefix="eval"):
            metrics = {"eval_loss": held_out_loss(self.engine, self.held_out, self.micro_batch_tokens, self.held_out_starts)}
            self.log(metrics)
            self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
            return metrics

    return DocumentTrainer


def _collate(numbered):
    return {"documents": numbered}


def _arguments(work, settings, device, steps, held_out):
    from transformers import TrainingArguments

    world = int(os.environ.get("WORLD_SIZE", 1))
    if settings.batch % world:
        raise ValueError(f"{settings.batch} documents a step cannot be shared by {world} workers: make batch a multiple of {world}")
    looks = settings.evaluate_every if held_out else 0
    more = {}
    if looks:
        more = {"eval_strategy": "steps", "eval_steps": looks}
    if looks and settings.patience:
        more |= {"load_best_model_at_end": True, "metric_for_best_model": "eval_loss", "greater_is_better": False}
    if device == "cuda":
        import torch

        more |= {"bf16": torch.cuda.is_bf16_supported(False), "fp16": not torch.cuda.is_bf16_supported(False)}
    return TrainingArguments(
        output_dir=str(work), per_device_train_batch_size=settings.batch // world, learning_rate=settings.learning_rate,
        num_train_epochs=settings.epochs, warmup_steps=min(settings.warmup_steps, max(1, steps // 4)), lr_scheduler_type="linear",
        max_grad_norm=settings.max_grad_norm, logging_steps=1, report_to=[], disable_tqdm=True, save_strategy="steps",
        save_steps=looks if looks and settings.patience else settings.save_every, save_total_limit=2, seed=settings.seed, use_cpu=device == "cpu",
        remove_unused_columns=False, dataloader_pin_memory=False, optim="adamw_torch_fused", weight_decay=0.0, adam_beta2=0.99,
        logging_nan_inf_filter=False, ddp_find_unused_parameters=False, **more,
    )  # fmt: skip


def finetune(model, tokenizer, documents, folder, settings=None, callbacks=(), card=None, held_out=()):
    """Fine-tune a model with LoRA and leave a plain PEFT folder.

    Args:
        model: the base model, or a PEFT model to go on with.
        documents: list of `Example`; held_out: documents of the same kind whose loss is measured and never trained on.
        folder: where the adapter goes; an interrupted run in the same folder is resumed at its last checkpoint.
        settings: `Settings`.
        callbacks: more `TrainerCallback`s, such as `helpers.show.LiveCurve`.
        card: text of the model card, or a function of the `Result` that returns it, or None.

    Returns a `Result`. The folder appears under its name only when it is whole. ValueError (`DoesNotFit`) before anything is
    computed where memory or disk will not do, with the setting that would; RuntimeError if the loss stops being a number.
    """
    from transformers import EarlyStoppingCallback
    from transformers.trainer_callback import PrinterCallback, ProgressCallback

    from helpers.training.engine import Engine, held_out_loss
    from helpers.training.estimate import DoesNotFit, estimate

    settings, folder = settings or Settings(), Path(folder)
    documents, held_out = list(documents), list(held_out)
    if not documents:
        raise ValueError("there is nothing to train on: the list of documents is empty")
    if settings.patience and not held_out:
        raise ValueError("patience needs documents that are not trained on: give held_out, a tenth of the documents for example")
    if not hasattr(model, "peft_config"):
        model = with_lora(model, settings)
    model.train()
    engine = Engine(model, by_hand=settings.by_hand)
    by_hand = engine.layers is not None
    expected = estimate(model, documents + held_out, settings, speed=1.0, by_hand=by_hand)
    engine.space.rows = expected.micro_batch_tokens

    work = folder.with_name(folder.name + ".part")
    work.mkdir(parents=True, exist_ok=True)
    if shutil.disk_usage(work).free < expected.disk:
        raise DoesNotFit(f"the run needs {expected.disk / 1e6:.0f} MB of disk at {work}: free some, or choose another folder")
    base = model.get_input_embeddings().weight[:64].double()  # tells models apart, wherever they were loaded from
    _same_run(work, documents_module.fingerprint(documents, asdict(settings), tuple(base.shape), round(float(base.sum()), 3)))
    starts = held_out_starts = None
    alone = int(os.environ.get("WORLD_SIZE", 1)) == 1  # several workers would write one file: there the lower layers run again
    if by_hand and engine.first and settings.layers is not None and alone:
        from helpers.training.frozen import LowerStates

        starts = LowerStates(engine, documents, work / "lower.npy", expected.micro_batch_tokens)
        held_out_starts = LowerStates(engine, held_out, work / "lower-held-out.npy", expected.micro_batch_tokens) if held_out else None

    steps = math.ceil(len(documents) / settings.batch * settings.epochs)
    device = engine.device.type
    more = [EarlyStoppingCallback(settings.patience)] if settings.patience else []
    trainer = _trainer_class()(
        model=model, args=_arguments(work, settings, device, steps, held_out), train_dataset=list(enumerate(documents)),
        eval_dataset=held_out or None, data_collator=_collate, callbacks=[_mark_whole(), *callbacks, *more], engine=engine,
        micro_batch_tokens=expected.micro_batch_tokens, held_out=held_out, starts=starts, held_out_starts=held_out_starts,
    )  # fmt: skip
    trainer.remove_callback(PrinterCallback)
    trainer.remove_callback(ProgressCallback)
    checkpoint = latest_checkpoint(work)
    start = time.perf_counter()
    with engine.attached():
        _train(trainer, checkpoint, expected.disk)
        seconds = time.perf_counter() - start
        history = trainer.state.log_history
        curve = [(row["step"], row["loss"]) for row in history if "loss" in row]
        if not all(math.isfinite(loss) for _, loss in curve):
            raise RuntimeError("the loss became infinite or not a number: lower the learning rate and train again in another folder")
        seen = [(row["step"], row["eval_loss"]) for row in history if "eval_loss" in row]
        if held_out and (not seen or seen[-1][0] != trainer.state.global_step):
            last = held_out_loss(engine, held_out, expected.micro_batch_tokens, held_out_starts)
            seen.append((trainer.state.global_step, last))
    tokens = int(sum(len(d) for d in documents) * trainer.state.epoch)
    resumed = int(checkpoint.name.split("-")[1]) if checkpoint else 0
    result = Result(str(folder), curve, tokens, seconds, peak_memory(), resumed, seen, engine.reason)
    if trainer.is_world_process_zero():
        _keep(model, folder, settings, result, len(documents), card(result) if callable(card) else card)
        shutil.rmtree(work, ignore_errors=True)
    model.eval()
    return result


def _same_run(work, mark):
    """A folder goes on with its own run only: other documents or settings in it are refused."""
    note = work / "run.json"
    if note.exists() and json.loads(note.read_text())["fingerprint"] != mark:
        raise ValueError(f"{work} holds an unfinished run with other documents or settings: choose another folder, or delete that one")
    part = note.with_suffix(f".{os.getpid()}.part")
    part.write_text(json.dumps({"fingerprint": mark}))
    os.replace(part, note)


def _keep(model, folder, settings, result, count, card):
    """The PEFT folder, under its name only when everything in it is written."""
    finished = folder.with_name(folder.name + ".new")
    shutil.rmtree(finished, ignore_errors=True)
    model.save_pretrained(finished)
    about = {"settings": asdict(settings), **asdict(result), "documents": count, "adapter": folder.name}
    (finished / "training.json").write_text(json.dumps(about, indent=1))
    if card:
        (finished / "README.md").write_text(card, encoding="utf-8")
    shutil.rmtree(folder, ignore_errors=True)
    os.replace(finished, folder)
