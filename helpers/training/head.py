"""The LM head and its loss: only where an answer is predicted, a few positions at a time.

For a vocabulary of 49,152 the head is a fifth of the model's work on every position it is applied to, and its scores are by
far the largest tensor of training. So it sees the supervised positions alone, in chunks whose scores are turned into
their own gradient at once (the way of Liger's fused loss, Hsu and others 2024): no more than one chunk exists at a time.
"""

import torch
import torch.nn.functional as F

CHUNK = 128  # positions: 25 MB of scores in float32


class HeadLoss(torch.autograd.Function):
    """Weighted sum of the cross-entropies at hidden states [P, d] through a frozen head [V, d]."""

    @staticmethod
    def forward(ctx, hidden, weight, targets, weights):
        total, grad = hidden.new_zeros(()), torch.empty_like(hidden)
        buffer = hidden.new_empty(min(CHUNK, len(hidden)), len(weight))
        for start in range(0, len(hidden), CHUNK):
            part = slice(start, start + CHUNK)
            scores = torch.mm(hidden[part], weight.t(), out=buffer[: len(hidden[part])])
            at_target = scores.gather(1, targets[part, None])
            highest = scores.amax(1, keepdim=True)
            norm = scores.sub_(highest).exp_().sum(1, keepdim=True)
            total += torch.dot((norm.log() + highest - at_target)[:, 0], weights[part])
            # the gradient at the scores: probabilities, minus one at the target, times the weight
            scores.mul_(weights[part, None] / norm)
            scores.scatter_add_(1, targets[part, None], -weights[part, None])
            torch.mm(scores, weight, out=grad[part])
        ctx.grad = grad
        return total

    @staticmethod
    def backward(ctx, above):
        return ctx.grad.mul_(above), None, None, None


def loss(hidden, head, targets, weights):
    """Weighted sum of the cross-entropies of `targets` [P] at `hidden` [P, d]; `weights` [P]; `head`: the LM head's module."""
    if not len(targets):
        return hidden.sum() * 0.0
    frozen = type(head) is torch.nn.Linear and not head.weight.requires_grad and head.bias is None
    if frozen and hidden.dtype == torch.float32 and hidden.device.type == "cpu":
        return HeadLoss.apply(hidden, head.weight, targets, weights)
    return torch.dot(F.cross_entropy(head(hidden).float(), targets, reduction="none"), weights)
