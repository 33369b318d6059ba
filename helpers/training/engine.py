"""What one step of training computes: documents in, the sum of their weighted losses out, gradients behind it.

    engine = Engine(model, rows=512)
    loss = engine.loss(engine.batch(documents))       # a scalar; loss.backward() as usual
    with engine.attached():                           # model(documents=…) now gives the loss: what Trainer and DDP call

The engine wastes nothing: no padding (documents lie one after the other, each sees itself alone), the LM head only on
supervised positions (`helpers.training.head`), and on a processor the layers written by hand (`helpers.training.fused`).
Where the model is not of a shape that is written by hand, autograd goes through its own modules, and `reason` says why.
"""

import contextlib
from dataclasses import dataclass

import torch

from helpers.training import fused, head


@dataclass
class Batch:
    """Documents one after the other. ids, positions [T]; bounds `(start, end, branches)`; rows, targets, weights [supervised].

    branches: `(start, end, mask [length, beginning + length])` of each ending within its document; empty where every token
    sees all before it.

    `start`: what comes out of the frozen lower layers [T, d], or None.
    """

    ids: torch.Tensor
    positions: torch.Tensor
    bounds: list
    rows: torch.Tensor
    targets: torch.Tensor
    weights: torch.Tensor
    start: torch.Tensor | None = None


class Engine:
    """The loss of a model with LoRA. `rows`: tokens of the largest micro-batch; `by_hand`: use the hand-written layers if possible."""

    def __init__(self, model, rows=0, by_hand=True):
        self.model = model.get_base_model() if hasattr(model, "get_base_model") else model
        found = fused.layers_of(model) if by_hand else "the settings ask for autograd"
        self.layers, self.reason = (None, found) if isinstance(found, str) else (found, "the layers written by hand")
        self.space = fused.Workspace(rows)
        adapted = [i for i, layer in enumerate(self.model.model.layers) if any(p.requires_grad for p in layer.parameters())]
        self.first = adapted[0] if adapted else len(self.model.model.layers)  # layers below it are frozen

    @property
    def device(self):
        return next(self.model.parameters()).device

    def batch(self, documents, start=None):
        """Documents (`Example`) as a `Batch`; `start` as in `Batch`."""
        bounds, rows, targets, weights, positions, at = [], [], [], [], [], 0
        for document in documents:
            place, branches, before = _branched(document)
            positions.append(place)
            bounds.append((at, at + len(document), [(start, end, mask.to(self.device)) for start, end, mask in branches]))
            learnt = [
                i for i, weight in enumerate(document.weights, document.prompt_length) if weight
            ]  # in a trace, not the tools' answers
            rows += [at + before.get(i, i - 1) for i in learnt]
            targets += [document.input_ids[i] for i in learnt]
            weights += [weight for weight in document.weights if weight]
            at += len(document)
        made = Batch(
            torch.tensor([token for document in documents for token in document.input_ids]),
            torch.cat(positions),
            bounds, torch.tensor(rows), torch.tensor(targets), torch.tensor(weights), start,
        )  # fmt: skip
        for name in ("ids", "positions", "rows", "targets", "weights"):
            setattr(made, name, getattr(made, name).to(self.device))
        return made

    def lower(self, batch):
        """The output [T, d] of the frozen layers below the first one with LoRA, without gradients."""
        with torch.no_grad():
            x = self.model.model.embed_tokens(batch.ids)
            return fused.run(self.layers[: self.first], x, self._rotary(batch, x), batch.bounds, self.space).clone()

    def _rotary(self, batch, x):
        cos, sin = self.model.model.rotary_emb(x[None], batch.positions[None])
        half = cos.shape[-1] // 2  # both halves are the same
        return cos[0, :, None, :half].contiguous(), sin[0, :, None, :half].contiguous()

    def hidden(self, batch):
        """The last hand-written layer's output [T, d], before the final norm."""
        x = self.model.model.embed_tokens(batch.ids) if batch.start is None else batch.start
        layers = self.layers if batch.start is None else self.layers[self.first :]
        return fused.run(layers, x, self._rotary(batch, x), batch.bounds, self.space)

    def loss(self, batch):
        """Weighted sum of the cross-entropies at the supervised positions; a scalar tensor."""
        if self.layers is not None:
            states = self.model.model.norm(self.hidden(batch)[batch.rows])
        elif batch.ids.device.type == "cpu" or any(branches for *_, branches in batch.bounds):
            # one document after the other: the attention mask of a packed batch costs more than it saves
            parts = [self._one(batch, *bound) for bound in batch.bounds]
            states = torch.cat(parts)[batch.rows]
        else:  # positions that start again tell the attention where a document ends
            packed = self.model.model(input_ids=batch.ids[None], position_ids=batch.positions[None], use_cache=False)
            states = packed.last_hidden_state[0][batch.rows]
        return head.loss(states, self.model.lm_head, batch.targets, batch.weights)

    def _one(self, batch, start, end, branches):
        more = {}
        if branches:
            mask = torch.ones(end - start, end - start, dtype=torch.bool, device=self.device).tril_()
            for first, last, own in branches:
                mask[first:last, own.shape[1] - len(own) : first] = False
            more = {"attention_mask": mask[None, None], "position_ids": batch.positions[None, start:end]}
        return self.model.model(input_ids=batch.ids[None, start:end], use_cache=False, **more).last_hidden_state[0]

    @contextlib.contextmanager
    def attached(self):
        """While this lasts, `model(documents=batch)` is `loss(batch)`, whatever the model is wrapped in."""
        original = self.model.forward

        def forward(*args, documents=None, **kwargs):
            return original(*args, **kwargs) if documents is None else self.loss(documents)

        self.model.forward = forward
        try:
            yield self
        finally:
            del self.model.forward


def _branched(document):
    """Positions [T] of a document, its branches with their masks, and what comes before the first token of each branch."""
    positions, shared, branches = torch.arange(len(document)), document.prompt_length, []
    for start, end in document.branches:
        length = end - start
        positions[start:end] = shared + torch.arange(length)
        branches.append((start, end, torch.ones(length, shared + length, dtype=torch.bool).tril_(shared)))
    return positions, branches, {start: shared - 1 for start, _ in document.branches}


def held_out_loss(engine, documents, tokens=512, starts=None):
    """Mean loss of a unit of weight over documents that are not trained on; `starts(numbers)` as for `Batch.start`."""
    from helpers.training.documents import micro_batches

    total, weight, at = 0.0, 0.0, 0
    with torch.no_grad():
        for part in micro_batches(documents, tokens):
            start = starts(range(at, at + len(part))) if starts else None
            total += float(engine.loss(engine.batch(part, start)))
            weight += sum(sum(document.weights) for document in part)
            at += len(part)
    return total / weight
