"""A Llama decoder layer with LoRA, forward and backward by hand: the part of training that takes the time.

    layers = fused.layers_of(peft_model)                 # None where the shape is not known; then autograd does the work
    hidden = fused.run(layers, embedded, rotary, bounds, workspace)   # [tokens, width], with a gradient

Autograd keeps every intermediate result of PEFT's layers and walks over them many times. Written by hand, a layer keeps what
the backward pass cannot make again cheaply, works in buffers that live as long as the run, and reads x once for the
LoRA of all matrices that share it. Nothing is approximated: a test holds loss and gradients to PEFT's.

The gradients are those of notebook 06. With y = x Wᵀ + s (x Aᵀ) Bᵀ and G the gradient at y:
dx = G W + s (G B) A,  dA = s (G B)ᵀ x,  dB = s Gᵀ (x Aᵀ); W is frozen and needs none.
Shapes: T tokens of all the batch's documents, one after the other; d width; m the width inside the MLP.
"""

import torch
import torch.nn.functional as F


class Workspace:
    """Named buffers that are made once and used in every step: memory from the system is slow, page by page.

    `rows`: tokens of the largest batch, so that no buffer has to grow. One forward pass at a time may be waiting for its
    backward pass; `passes` counts them, and a layer refuses to go back through buffers that were overwritten.
    """

    def __init__(self, rows=0):
        self.rows, self.passes, self._buffers = rows, 0, {}

    def __call__(self, name, rows, columns):
        """A float32 tensor [rows, columns] with whatever was in it before."""
        kept = self._buffers.get(name)
        if kept is None or kept.numel() < rows * columns:
            kept = self._buffers[name] = torch.empty(max(rows, self.rows) * columns)
        return kept[: rows * columns].view(rows, columns)

    def bytes(self):
        """Bytes of all buffers."""
        return sum(buffer.numel() * 4 for buffer in self._buffers.values())


class Projection:
    """Linear layers that read the same input, as if their outputs were one, with their LoRA pairs.

    `weights`: `(columns of the output, W [outputs, inputs])`, the model's own, not copied. `parts`: `(columns of the output,
    columns of the thin matrix, B, scale)` for each that has LoRA; their A are joined at every step, so that x is read once.
    """

    def __init__(self, modules):
        self.weights, self.parts, self.a, at, thin = [], [], [], 0, 0
        for module in modules:
            weight = getattr(module, "base_layer", module).weight.data
            columns = slice(at, at + len(weight))
            self.weights.append((columns, weight))
            at = columns.stop
            if hasattr(module, "lora_A"):
                name = module.active_adapters[0]
                a, b = module.lora_A[name].weight, module.lora_B[name].weight
                self.parts.append((columns, slice(thin, thin + len(a)), b, module.scaling[name]))
                self.a.append(a)
                thin += len(a)
        self.outputs, self.thin = at, thin

    @property
    def parameters(self):
        return [matrix for a, (_, _, b, _) in zip(self.a, self.parts) for matrix in (a, b)]

    def joined(self):
        """All A as one matrix [sum of the ranks, inputs]."""
        return self.a[0].detach() if len(self.a) == 1 else torch.cat([a.detach() for a in self.a])

    def forward(self, x, out, thin):
        """out = x Wᵀ + s (x Aᵀ) Bᵀ, for x [T, inputs]; leaves x Aᵀ in `thin` [T, sum of the ranks]."""
        for columns, weight in self.weights:
            torch.mm(x, weight.t(), out=out[:, columns])
        if self.parts:
            torch.mm(x, self.joined().t(), out=thin)
        for columns, ranks, b, scale in self.parts:
            out[:, columns].addmm_(thin[:, ranks], b.t(), alpha=scale)
        return out

    def backward(self, grad, x, thin, out):
        """The gradient at x into `out` (None where nobody needs it), and the gradients of A, B, A, B …"""
        if out is not None:
            for number, (columns, weight) in enumerate(self.weights):
                torch.addmm(out, grad[:, columns], weight, beta=int(number > 0), out=out)
        if not self.parts:
            return []
        at_thin, at_b = torch.empty_like(thin), []
        for columns, ranks, b, scale in self.parts:
            torch.mm(grad[:, columns], b, out=at_thin[:, ranks]).mul_(scale)
            at_b.append((thin[:, ranks].t() @ grad[:, columns]).mul_(scale).t().contiguous())  # the long side last: faster
        if out is not None:
            out.addmm_(at_thin, self.joined())
        at_a = at_thin.t() @ x
        return [g for (_, ranks, _, _), of_b in zip(self.parts, at_b) for g in (at_a[ranks], of_b)]


class DecoderLayer:
    """One layer of a Llama-type model: norm, attention, norm, gated MLP, each added to the residual stream."""

    def __init__(self, index, module, config):
        attention, mlp = module.self_attn, module.mlp
        self.index = index
        self.norms = module.input_layernorm.weight.data, module.post_attention_layernorm.weight.data
        self.epsilon = config.rms_norm_eps
        self.heads, self.kv_heads = config.num_attention_heads, config.num_key_value_heads
        self.head = attention.head_dim
        self.qkv = Projection([attention.q_proj, attention.k_proj, attention.v_proj])
        self.output = Projection([attention.o_proj])
        self.gate_up = Projection([mlp.gate_proj, mlp.up_proj])
        self.down = Projection([mlp.down_proj])
        self.projections = self.qkv, self.output, self.gate_up, self.down

    @property
    def parameters(self):
        return [p for part in self.projections for p in part.parameters]

    def split(self, qkv, start, end):
        """Queries, keys and values of one document as [1, heads, length, head] views of the joined product."""
        heads = qkv[start:end].view(1, end - start, -1, self.head).transpose(1, 2)
        return heads.split([self.heads, self.kv_heads, self.kv_heads], dim=1)

    def rotate(self, qkv, rotary, back=False):
        """Rotary positions on queries and keys, in place; `back` undoes it, which is also its gradient."""
        cos, sin = rotary  # [T, 1, head / 2]
        halves = qkv[:, : (self.heads + self.kv_heads) * self.head].unflatten(1, (-1, 2, self.head // 2))
        first, second = halves[:, :, 0], halves[:, :, 1]
        old = first.clone()
        first.mul_(cos).addcmul_(second, sin, value=1 if back else -1)
        second.mul_(cos).addcmul_(old, sin, value=-1 if back else 1)


def normalise(x, weight, epsilon, out):
    """RMSNorm: out = w · x / rms(x). Returns it and 1 / rms(x) [T, 1] (Zhang and Sennrich 2019)."""
    inverse = torch.linalg.vector_norm(x, dim=1, keepdim=True).square_().div_(x.shape[1]).add_(epsilon).rsqrt_()
    return torch.mul(x, inverse, out=out).mul_(weight), inverse


def normalise_backward(grad, x, inverse, weight, add_to):
    """Adds the gradient at x of `normalise` to `add_to`; overwrites `grad`."""
    grad.mul_(weight)
    along = torch.linalg.vecdot(grad, x).unsqueeze(1).mul_(inverse**3).div_(x.shape[1])
    add_to.addcmul_(grad, inverse).addcmul_(x, along, value=-1)


def attend(q, k, v, branches=()):
    """Causal attention of one document [1, heads, length, head]; an ending among `branches` sees the beginning and itself."""
    shared = branches[0][0] if branches else q.shape[2]
    grouped = {"enable_gqa": q.shape[1] != k.shape[1]}
    parts = [F.scaled_dot_product_attention(q[:, :, :shared], k[:, :, :shared], v[:, :, :shared], is_causal=True, **grouped)]
    for start, end, mask in branches:
        seen = [torch.cat([both[:, :, :shared], both[:, :, start:end]], dim=2) for both in (k, v)]
        parts.append(F.scaled_dot_product_attention(q[:, :, start:end], *seen, attn_mask=mask, **grouped))
    return parts[0] if len(parts) == 1 else torch.cat(parts, dim=2)


class LayerFunction(torch.autograd.Function):
    """`DecoderLayer` as one step of autograd: PEFT's parameters get their gradients in the usual way."""

    @staticmethod
    def forward(ctx, x, layer, rotary, bounds, space, *lora):
        tokens, width, n = len(x), x.shape[1], layer.index
        training = any(ctx.needs_input_grad)
        own = f"{n}." if training else ""  # without a backward pass to come all layers share one set
        thins = [space(f"{own}thin{i}", tokens, part.thin) for i, part in enumerate(layer.projections)]
        h, inverse = normalise(x, layer.norms[0], layer.epsilon, space("h", tokens, width))
        qkv = layer.qkv.forward(h, space(f"{own}qkv", tokens, layer.qkv.outputs), thins[0])
        layer.rotate(qkv, rotary)
        attended, graphs = space(f"{own}attended", tokens, layer.heads * layer.head), []
        for start, end, branches in bounds:  # each document sees itself alone
            q, k, v = (part.detach().requires_grad_(training) for part in layer.split(qkv, start, end))
            with torch.set_grad_enabled(training):
                one = attend(q, k, v, branches)
            attended[start:end].view(end - start, layer.heads, layer.head).copy_(one[0].detach().transpose(0, 1))
            graphs.append((one, q, k, v))
        middle = layer.output.forward(attended, space(f"{own}middle", tokens, width), thins[1]).add_(x)
        h, inverse2 = normalise(middle, layer.norms[1], layer.epsilon, space("h", tokens, width))
        gate_up = layer.gate_up.forward(h, space(f"{own}gate_up", tokens, layer.gate_up.outputs), thins[2])
        gate, up = gate_up.chunk(2, dim=1)
        inner = torch.ops.aten.silu.out(gate, out=space("inner", tokens, gate.shape[1])).mul_(up)
        y = layer.down.forward(inner, space(f"{own}out" if training else f"out{n % 2}", tokens, width), thins[3]).add_(middle)
        if training:
            ctx.kept = x, inverse, qkv, graphs, attended, middle, inverse2, gate_up, thins
            ctx.rest = layer, rotary, bounds, space, space.passes
        return y

    @staticmethod
    def backward(ctx, grad):
        x, inverse, qkv, graphs, attended, middle, inverse2, gate_up, thins = ctx.kept
        layer, rotary, bounds, space, of_pass = ctx.rest
        if of_pass != space.passes:
            raise RuntimeError("the buffers of this forward pass were used again: call backward before the next forward pass")
        ctx.kept, tokens, width = None, len(x), x.shape[1]
        result = space(f"grad{layer.index % 2}", tokens, width).copy_(grad)

        gate, up = gate_up.chunk(2, dim=1)
        swish = torch.ops.aten.silu.out(gate, out=space("swish", tokens, gate.shape[1]))
        inner = torch.mul(swish, up, out=space("inner", tokens, gate.shape[1]))
        at_inner = space("at_inner", tokens, gate.shape[1])
        down = layer.down.backward(result, inner, thins[3], at_inner)
        at_swish = torch.mul(at_inner, up, out=inner)
        torch.mul(at_inner, swish, out=up)
        torch.ops.aten.silu_backward.grad_input(at_swish, gate, grad_input=gate)
        h, _ = normalise(middle, layer.norms[1], layer.epsilon, space("h", tokens, width))
        at_h = space("at_h", tokens, width)
        gate_up_grads = layer.gate_up.backward(gate_up, h, thins[2], at_h)
        normalise_backward(at_h, middle, inverse2, layer.norms[1], result)

        at_attended = space("at_attended", tokens, attended.shape[1])
        output = layer.output.backward(result, attended, thins[1], at_attended)
        gradients = []
        for (one, q, k, v), (start, end, _) in zip(graphs, bounds):
            at_one = at_attended[start:end].view(end - start, layer.heads, layer.head).transpose(0, 1).unsqueeze(0)
            gradients.append(torch.autograd.grad(one, (q, k, v), at_one))
        for three, (start, end, _) in zip(gradients, bounds):  # into the joined buffer: its values are not needed any more
            for part, gradient in zip(layer.split(qkv, start, end), three):
                part.copy_(gradient)
        layer.rotate(qkv, rotary, back=True)
        h, _ = normalise(x, layer.norms[0], layer.epsilon, space("h", tokens, width))
        at_h = space("at_h", tokens, width) if ctx.needs_input_grad[0] else None
        qkv_grads = layer.qkv.backward(qkv, h, thins[0], at_h)
        if at_h is not None:
            normalise_backward(at_h, x, inverse, layer.norms[0], result)
        return (result if at_h is not None else None, None, None, None, None, *qkv_grads, *output, *gate_up_grads, *down)


def layers_of(model):
    """The layers of a model with LoRA as `DecoderLayer`s, or a sentence that says why they cannot be run by hand."""
    inner = model.get_base_model() if hasattr(model, "get_base_model") else model
    config = inner.config
    if config.model_type != "llama" or config.hidden_act != "silu" or getattr(config, "attention_bias", False) or config.mlp_bias:
        return f"a {config.model_type} model: only Llama's layers are written by hand"
    if inner.dtype != torch.float32 or inner.device.type != "cpu":
        return f"{inner.dtype} on {inner.device.type}: the hand-written layers are for float32 on a processor"
    for module in model.modules():
        if hasattr(module, "lora_A") and (type(module).__name__ != "Linear" or len(module.active_adapters) != 1 or module.merged):
            return "an adapter that is not one plain LoRA of linear layers"
        if hasattr(module, "lora_dropout") and any(getattr(drop, "p", 0.0) for drop in module.lora_dropout.values()):
            return "LoRA with dropout"
    return [DecoderLayer(index, module, config) for index, module in enumerate(inner.model.layers)]


def run(layers, x, rotary, bounds, space):
    """x [T, d] through the layers; `rotary` as `(cos, sin)` of [T, 1, head / 2]; `bounds`: as in `engine.Batch`."""
    space.passes += 1
    for layer in layers:
        x = LayerFunction.apply(x, layer, rotary, bounds, space, *layer.parameters)
    return x
