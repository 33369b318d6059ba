"""Fine-tuning with LoRA on small machines: PEFT and `Trainer`, and an engine that wastes nothing.

    from helpers import training
    result = training.finetune(model, tokenizer, documents, folder, training.Settings(), held_out=more)

| module | what it holds |
|---|---|
| documents | `Example`: letters with answers, chats, prose |
| engine | documents in, loss and gradients out: no padding, the LM head on supervised positions only |
| fused, head | a decoder layer with LoRA and the loss, forward and backward by hand |
| frozen | the outputs of lower layers that are not trained, once, in a file |
| run | `finetune`: `Trainer`, checkpoints that survive a kill, a plain PEFT folder |
| estimate | minutes, memory and disk before it starts |
| cards, own | the model card; the learner's own file in one call |
"""

from helpers.training.documents import FORCED_WEIGHT, Example, conversation, example, prose
from helpers.training.run import Result, Settings, finetune, latest_checkpoint, with_lora

__all__ = [
    "FORCED_WEIGHT", "Example", "Result", "Settings", "conversation", "example", "finetune", "latest_checkpoint", "prose",
    "supervised_loss", "with_lora",
]  # fmt: skip


def supervised_loss(model, item):
    """Weighted sum of the cross-entropy of one document's answer, by autograd through PEFT's own modules; a scalar tensor.

    `item`: `input_ids` [T], `prompt_length`, `weights` of the answer's tokens. Equal to the usual loss with the prompt masked,
    but the LM head sees only the positions that predict the answer. The plain reference for `helpers.training.engine`.
    """
    import torch
    import torch.nn.functional as F

    inner = model.get_base_model() if hasattr(model, "get_base_model") else model
    ids, start = item["input_ids"], item["prompt_length"]
    hidden = inner.model(input_ids=ids.unsqueeze(0), use_cache=False).last_hidden_state[0, start - 1 : -1]
    # in double: summing 49,152 exponentials in float32 loses more than everything else (1e-5 of the loss)
    losses = F.cross_entropy(inner.lm_head(hidden).double(), ids[start:], reduction="none")
    return torch.dot(losses, item["weights"].to(losses))
