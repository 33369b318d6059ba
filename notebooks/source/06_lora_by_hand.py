# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#       format_version: '1.3'
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 06 · LoRA by hand
#
# After this notebook LoRA is twenty lines that you have written yourself, and you have shown that the library which
# everybody uses computes the same numbers.
#
# In this notebook we
#
# - build matrices from outer products, and see how few are enough for a matrix that has structure;
# - write LoRA as a layer, in drafts, each with its mistake on display;
# - derive its gradient on paper, and find the same numbers in autograd;
# - let a toy network learn one task and then another, with LoRA and with its rivals;
# - put our layer into a real model, and show that PEFT gives the same logits, loss and gradients;
# - count the memory of full fine-tuning, LoRA and QLoRA for four models, and see what fits where;
# - find out what rank and alpha do, why only the answer's tokens are trained on, and what four bits cost;
# - save our adapter so that any other program can load it.
#
# **Before you start:** notebook [02](02_load_an_open_model.ipynb) (tokens, logits, number types) and a little linear
# algebra: what a matrix product is. What a gradient is for, you know; how to compute this one, we derive.
#
# | profile | time | peak memory |
# |---|---|---|
# | `smoke` (a test that everything runs) | half a minute | as laptop |
# | `laptop` (two cores) | 90 seconds | 2.3 GB |

# %%
# Find the kit, or install it where it is not (on Colab).
import pathlib, sys

sys.path[:0] = [str(p) for p in [pathlib.Path.cwd(), *pathlib.Path.cwd().parents] if (p / "helpers").is_dir()][:1]
try:
    from helpers import lesson
except ModuleNotFoundError:
    # %pip install --quiet "lepaslatih[course,data,agents,serving]==0.1.0"
    from helpers import lesson

# %% tags=["parameters"]
profile = "laptop"
run_folder = ""

# %%
here = lesson.start("06", profile, run_folder)

# %% tags=["definition"]
import copy, gc, json, math, statistics
from pathlib import Path

import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import nn

from helpers import models, show, training

# %% [markdown]
# How much to train depends on the profile. These are all the sizes of this notebook: steps on the first and on the
# second task of the toy, steps of each run of the sweep, and steps and held-out letters for the real model. Where the
# text says what a picture shows, it means the laptop run; `smoke` only tries out whether everything runs.

# %%
sizes = {
    "smoke": {"first": 200, "second": 60, "sweep": 10, "steps": 1, "held_out": 1},
    "laptop": {"first": 3000, "second": 600, "sweep": 200, "steps": 8, "held_out": 4},
    "gpu": {"first": 3000, "second": 600, "sweep": 200, "steps": 60, "held_out": 16},
}[here.profile]

# %% [markdown]
# ## 1. A column times a row
#
# Multiply a row by a column and you get one number, the inner product. Turn the two around, column first, and you get
# a whole matrix: every entry of the column times every entry of the row. This is the **outer product**.

# %% tags=["nbval-check-output"]
column = torch.tensor([[1.0], [2.0], [-1.0]])
row = torch.tensor([[1.0, 0.0, 3.0, 2.0]])
print((column @ row).to(torch.int).numpy())
print("numbers in the matrix:", (column @ row).numel(), "  numbers it was made from:", column.numel() + row.numel())
print("rank:", torch.linalg.matrix_rank(column @ row).item())

# %% [markdown]
# Every line of this matrix is a multiple of one row, and every column a multiple of one column. There is only one
# direction in it, and that is what **rank 1** means. As a layer of a network it does a modest thing: it measures *how
# much of the row is in the input*, a single number, and answers with that much of the column.
#
# Add a second outer product, with another column and another row, and the rank becomes 2: two things are measured,
# and two answers mixed. Here it is as a picture, blue for negative and red for positive numbers:


# %%
def draw(matrices, titles, height=2.4):
    """Matrices side by side as pictures, each on a scale of its own: red positive, blue negative."""
    figure, axes = plt.subplots(1, len(matrices), figsize=(8, height))
    for axis, matrix, title in zip(axes, matrices, titles):
        largest = matrix.abs().max().clamp_min(1e-9)
        axis.imshow(matrix, cmap="RdBu_r", vmin=-largest, vmax=largest, aspect="auto")
        axis.set_title(title, fontsize=12)
        axis.set(xticks=[], yticks=[])
        axis.grid(False)
    plt.show()


across, down = torch.linspace(0, 2 * math.pi, 64), torch.linspace(0, 2 * math.pi, 48)
one = torch.outer(torch.sin(down), torch.cos(across))
two = torch.outer(torch.cos(2 * down), torch.sin(3 * across))
draw([one, two, one + two], ["rank 1", "another of rank 1", "their sum: rank 2"])

# %% [markdown]
# A sum of $r$ outer products is usually written as one product of two thin matrices. Put the columns side by side
# into a matrix $B$ of $m × r$, and the rows below each other into a matrix $A$ of $r × n$. Then $BA$ is the sum, it
# has as many entries as a full matrix of $m × n$, and it is described by $r(n+m)$ numbers instead of $nm$.

# %% tags=["nbval-check-output"]
torch.manual_seed(0)
B, A = torch.randn(48, 3), torch.randn(3, 64)
as_a_sum = sum(torch.outer(B[:, k], A[k]) for k in range(3))
print("B A is the sum of three outer products:", torch.allclose(B @ A, as_a_sum, atol=1e-5))
print("rank", torch.linalg.matrix_rank(B @ A).item(), "of at most", min(48, 64))
print("entries:", (B @ A).numel(), "  numbers to store:", B.numel() + A.numel())

# %% [markdown]
# ### How much of a matrix fits into few outer products?
#
# That depends on the matrix. The **singular value decomposition** (SVD) writes any matrix as a sum of outer products
# of unit length, each with a weight, its *singular value*, the heaviest first. If we stop after $r$ of them we have
# the best matrix of rank $r$ that exists, measured by squared error (Eckart and Young, 1936). So the singular values
# tell us at once how good low rank can be.
#
# Take two toy “changes” of a weight matrix. One has structure: four outer products, with a little noise on top. The
# other is noise only.


# %% tags=["definition"]
def best_of_rank(matrix, rank):
    """The matrix of this rank that is nearest to `matrix`, by the SVD."""
    U, S, V = torch.linalg.svd(matrix, full_matrices=False)
    return U[:, :rank] * S[:rank] @ V[:rank]


# %%
torch.manual_seed(1)
waves = [torch.outer(torch.sin(k * down + k), torch.cos(k * across)) / k for k in (1, 2, 3, 4)]
structured, noise = sum(waves) + 0.1 * torch.randn(48, 64), torch.randn(48, 64)
draw([structured, *(best_of_rank(structured, r) for r in (1, 2, 4))], ["the change", "rank 1", "rank 2", "rank 4"])
draw([noise, *(best_of_rank(noise, r) for r in (1, 4, 16))], ["noise", "rank 1", "rank 4", "rank 16"])


# %%
def left_over(matrix):
    """For every rank from 0 on: the share of the squared size that the best matrix of that rank misses."""
    squares = torch.linalg.svdvals(matrix).square()
    return [1.0] + (1 - squares.cumsum(0) / squares.sum()).clamp_min(0).tolist()


for name, matrix in (("four waves and a little noise", structured), ("noise", noise)):
    plt.plot(left_over(matrix), "o-", label=name, markersize=4)
plt.title("What the best matrix of rank r misses")
plt.xlabel("rank r")
plt.ylabel("share of the squares")
plt.legend()
plt.show()

# %% [markdown]
# The first curve drops to nearly nothing at rank 4 and then has only noise left to collect. The second goes down
# slowly all the way: noise has no structure, so every direction of it is as important as every other. Rank 4 drew the
# waves *without* the noise, by the way. Low rank cannot follow every detail, and sometimes that is a virtue.
#
# LoRA (*low-rank adaptation*; Hu and others 2021, arXiv 2106.09685) is a bet: the **change** that a new task asks of
# a trained weight matrix looks like the first curve, not like the second. The weights themselves need not be of low
# rank. It is a bet about tasks and no theorem. In section 4 we look at a change that training really made, and there
# is also a task on which the bet is lost.
#
# **Exercise 06.1.** Thin matrices are only cheap as long as they are thin. The gate projection of our model is a
# matrix of 1536 × 576. What is the smallest rank $r$ at which $A$ and $B$ together have *at least as many* numbers as
# the matrix itself?

# %%
answer = None  # your answer, a whole number
lesson.check("06.1", answer)

# %% [markdown]
# ## 2. Freeze and add
#
# A linear layer computes $y = xW^\top$ (plus a bias, in some models), with $W$ of $m × n$ for $n$ inputs and $m$
# outputs. We want $y = x(W + BA)^\top$, where only $A$ and $B$ learn. We need not build $BA$ for that, since
# $x(BA)^\top = (xA^\top)B^\top$: first down to $r$ numbers, then up to $m$. A first draft is quickly written:


# %%
class Draft(nn.Module):
    """A linear layer plus B A: a first draft."""

    def __init__(self, base, rank):
        super().__init__()
        self.base = base
        self.A = nn.Parameter(torch.randn(rank, base.in_features))
        self.B = nn.Parameter(torch.randn(base.out_features, rank))

    def forward(self, x):
        return self.base(x) + x @ self.A.T @ self.B.T


# %% [markdown]
# It runs. It is also wrong in two ways, and mending one of them leads straight into a third; none of the three raises
# an error. Let us ask it two questions: which of its parameters will be trained, and how far its outputs are from
# those of the layer that it was built on.

# %% tags=["nbval-check-output"]
torch.manual_seed(0)
base, x = nn.Linear(64, 48), torch.randn(10, 64)
draft = Draft(base, rank=4)
print("trained:", [name for name, parameter in draft.named_parameters() if parameter.requires_grad])
print(f"size of the layer's outputs: {base(x).norm():.0f}, of what the draft adds to them: {(draft(x) - base(x)).norm():.0f}")

# %% [markdown]
# *First*, `base.weight` is on the list: nothing was frozen, so this is full training with some extra numbers.
# *Second*, before a single step of training, the draft adds something to every output that is many times as large as
# the output. Whatever the open model knew is drowned. It would have to spend its first steps repairing what we broke.
# We want the first step to start from *exactly* the open model, so $BA$ must be zero at the start. What if we simply
# set both to zero?

# %% tags=["nbval-check-output"]
target = torch.randn(10, 48)


def gradient_sizes(layer):
    """The norms of the gradients of A and B for a squared error."""
    layer.zero_grad()
    F.mse_loss(layer(x), target).backward()
    return f"gradient of A {layer.A.grad.norm():.3f}, gradient of B {layer.B.grad.norm():.3f}"


nn.init.zeros_(draft.A)
nn.init.zeros_(draft.B)
print("both zero:        ", gradient_sizes(draft))
nn.init.normal_(draft.A)
print("A random, B zero: ", gradient_sizes(draft))
print("changes the model:", not torch.equal(draft(x), base(x)))

# %% [markdown]
# With both at zero *nothing ever moves*. The reason is the product: how much the output changes with $B$ depends on
# $A$, and the other way round. If both are zero, then a small change of either alone changes nothing, and the
# gradient says so. It is a saddle point, and gradient descent sits on it forever. That was the *third* mistake, and
# we made it while mending the second.
#
# One of the two has to be zero and the other one not. With $A$ random and $B$ zero the model is untouched, and $B$
# has a gradient from the first step on. That of $A$ is zero for one step, until $B$ has moved. Why not $B$ random and
# $A$ zero? That would work, too; the paper chose this way round, and PEFT follows it.
#
# For the size of the random numbers we take what PyTorch takes for a linear layer: uniform between $-1/\sqrt n$ and
# $+1/\sqrt n$, written `kaiming_uniform_` with `a=√5`. So $xA^\top$ is neither huge nor tiny, whatever the width. And
# one factor is still missing: the paper multiplies $BA$ by a fixed number, $\alpha/r$. It is a volume knob, and
# section 7 turns it. The second draft is the last one:


# %% tags=["definition"]
class LoRALinear(nn.Module):
    """A frozen linear layer plus alpha / rank times B A, of which only A and B learn (Hu and others, 2021)."""

    def __init__(self, base, rank=16, alpha=32):
        super().__init__()
        self.base, self.scale = base.requires_grad_(False), alpha / rank
        self.A = nn.Parameter(base.weight.new_empty(rank, base.in_features))
        self.B = nn.Parameter(base.weight.new_zeros(base.out_features, rank))
        nn.init.kaiming_uniform_(self.A, a=math.sqrt(5))

    def forward(self, x):
        return self.base(x) + self.scale * (x @ self.A.T @ self.B.T)

    @torch.no_grad()
    def merged(self):
        """A plain linear layer that computes the same: W + scale · B A. The frozen layer stays as it was."""
        plain = copy.deepcopy(self.base)
        plain.weight += self.scale * self.B @ self.A
        return plain


# %% [markdown]
# That is all of LoRA. `new_empty` and `new_zeros` put the new matrices on the same device, and in the same number
# type, as the weight. `requires_grad_(False)` freezes the base, its bias included. The three questions again:

# %% tags=["nbval-check-output"]
torch.manual_seed(0)
lora = LoRALinear(base, rank=4, alpha=8)
print("trained:", [name for name, parameter in lora.named_parameters() if parameter.requires_grad])
print("changes the model:", not torch.equal(lora(x), base(x)))
print(gradient_sizes(lora))

# %% [markdown]
# How thin is thin? Here is the gate projection of our model with a LoRA of rank 16, drawn to scale.

# %%
from matplotlib.patches import Rectangle

rank, n, m = 16, 576, 1536
figure, axis = plt.subplots(figsize=(8, 4.6))
boxes = {"W, frozen": (0, 0, n, m, 6), "B": (n + 260, 0, rank, m, 0), "A": (n + 260 + 120, m - rank, n, rank, 1)}
for name, (left, bottom, width, height, colour) in boxes.items():
    axis.add_patch(Rectangle((left, bottom), width, height, color=show.COLOURS[colour]))
    axis.text(left + width / 2, bottom - 90, f"{name}\n{height} × {width}", ha="center", va="top", fontsize=12)
axis.text(n + 120, m / 2, "+", fontsize=22, ha="center")
axis.set(xlim=(-40, 2 * n + 460), ylim=(-330, m + 30), aspect="equal", title="Rank 16, drawn to scale")
axis.axis("off")
plt.show()

# %% [markdown]
# ### Merge
#
# While we train, base and addition stay apart. Once training is over they need not: $W + \frac{\alpha}{r}BA$ is a
# matrix like any other, and with it in the place of $W$ the model is as fast as before and has no trace of LoRA. To
# see it, give $B$ some numbers, as training would.

# %% tags=["nbval-check-output"]
nn.init.normal_(lora.B, std=0.1)
print("the addition changes the outputs:", not torch.allclose(lora(x), base(x), atol=1e-2))
print("merged, the outputs are the same:", torch.allclose(lora(x), lora.merged()(x), atol=1e-5))
print("what was added has rank", torch.linalg.matrix_rank(lora.merged().weight - base.weight, atol=1e-4).item())

# %% [markdown]
# So there are two ways to use an adapter. Merged, it costs nothing when the model answers. Apart, one base in memory
# can serve many adapters, one for each desk of the office, and a step aside is a step back to the open model. (Equal
# here means up to the rounding of float32. If you merge into 16-bit weights, part of a small change gets lost in
# their few digits: notebook 02 showed how.)
#
# ## 3. The gradient by hand
#
# PyTorch finds gradients on its own. Still, derive this one once: it shows where the savings of LoRA come from, and
# they are not where most people look for them.
#
# Let $X$ be the inputs, one line for each token, $t × n$. Let $G$ be the gradient of the loss at the outputs, $t ×
# m$: how much the loss changes with each number of $Y = XW^\top + s\,XA^\top B^\top$, where $s = \alpha/r$. One rule
# is all we need. If $Y = UV^\top$ and $G$ is the gradient at $Y$, then the gradient at $V$ is $G^\top U$, and at $U$
# it is $GV$. (The shapes alone leave no other choice.) Now apply it:
#
# - to $V = B$, with $U = s\,XA^\top$: $\quad dB = s\,G^\top (XA^\top)$;
# - to $U = XA^\top$, with $V = sB$: the gradient at $XA^\top$ is $s\,GB$;
# - to $V = A$, with $U = X$ and that gradient: $\quad dA = s\,(GB)^\top X$.
#
# In Python it is shorter than in words:


# %% tags=["definition"]
def gradients_by_hand(X, G, layer):
    """Gradients of A and B of a `LoRALinear`, from its inputs X [t × n] and the gradient G [t × m] at its outputs."""
    A, B, s = layer.A.detach(), layer.B.detach(), layer.scale
    return s * (G @ B).T @ X, s * G.T @ (X @ A.T)


# %% tags=["nbval-check-output"]
torch.manual_seed(0)
inputs = torch.randn(10, 64, requires_grad=True)
outputs = lora(inputs)
outputs.retain_grad()  # so that autograd keeps G for us
lora.zero_grad()
F.mse_loss(outputs, target).backward()
dA, dB = gradients_by_hand(inputs.detach(), outputs.grad, lora)
assert torch.allclose(dA, lora.A.grad, rtol=1e-4, atol=1e-7) and torch.allclose(dB, lora.B.grad, rtol=1e-4, atol=1e-7)
print("dA", tuple(dA.shape), "and dB", tuple(dB.shape), "equal autograd's; gradient of W:", lora.base.weight.grad)

# %% [markdown]
# Look at what is *not* there. The gradient of $W$ would be $G^\top X$: for each token one outer product of its column
# in $G$ and its row in $X$. So the update of full training is itself a sum of outer products, one a token, and here
# we meet section 1 again. LoRA never computes it. And yet it is present, seen through two narrow windows:

# %% tags=["nbval-check-output"]
G = outputs.grad
dW = G.T @ inputs.detach()
token_by_token = sum(torch.outer(G[t], inputs.detach()[t]) for t in range(10))
print("dW is a sum of outer products, one a token:", torch.allclose(dW, token_by_token, atol=1e-6))
print("its rank:", torch.linalg.matrix_rank(dW).item(), "for", len(G), "tokens")
print("dB = s · dW · Aᵀ:", torch.allclose(dB, lora.scale * dW @ lora.A.T, atol=1e-6))
print("dA = s · Bᵀ · dW:", torch.allclose(dA, lora.scale * lora.B.T @ dW, atol=1e-6))

# %% [markdown]
# ### Where the work goes
#
# One more gradient is needed: that at the input, to hand on to the layer below. Full training therefore does three
# big products for each layer: the outputs $XW^\top$, the gradient $G W$ that is passed down, and $G^\top X$ for the
# weight itself. All three take $2nm$ operations for a token (a multiplication and an addition for every weight). LoRA
# needs the first two all the same. The frozen $W$ needs no gradient *of* its own, but every layer below needs the
# gradient *through* it. What falls away is the third.

# %% tags=["nbval-check-output"]
full_work = {"outputs": 2 * n * m, "gradient passed down": 2 * n * m, "gradient of W": 2 * n * m}
thin = 2 * rank * (n + m)  # one pass through A and B, or back through them, or the gradients of both
lora_work = {"outputs": 2 * n * m + thin, "gradient passed down": 2 * n * m + thin, "gradients of A and B": thin}
for name, work in (("full training", full_work), ("LoRA, rank 16", lora_work)):
    print(f"{name}: {sum(work.values()) / 1e6:.2f} million operations a token", {part: f"{w / 1e6:.2f}" for part, w in work.items()})
share_of_work, share_of_numbers = sum(lora_work.values()) / sum(full_work.values()), rank * (n + m) / (n * m)
print(f"LoRA does {share_of_work:.0%} of the work, and trains {share_of_numbers:.1%} as many numbers")

# %% [markdown]
# Who expects training to become as many times faster as there are fewer numbers to train will be disappointed: less
# than a third of the work falls away. What shrinks in proportion is everything that is kept *for each trained
# number*: its gradient, its two moments in Adam, its place in the checkpoint. LoRA is a method to save memory, and it
# saves some time as well.
#
# **Exercise 06.2.** Write the gradient at the input $X$ as a function: take $G$, $W$, $A$, $B$ and $s$ (tensors, and
# a number), and return the matrix of $t × n$ that the layer hands down. The rule above gives it in one line; two ways
# lead to $X$, and their gradients add up.

# %%
answer = None  # your answer: a function, def down(G, W, A, B, s): return …
lesson.check("06.2", answer)

# %% [markdown]
# ## 4. A toy that learns twice
#
# Now let it learn. Our toy has two layers, with 32 inputs, 64 units between and 8 outputs. A *teacher* network with
# fixed weights answers questions, and a *student* network must learn to answer alike, from examples. That is task
# one, the student's pre-training. Then the teacher changes a little: task two. We have few examples of that, as one
# always has.
#
# The error is the mean squared error, divided by the variance of the right answers: 1 is what somebody gets who
# always says the average, 0 is perfect.


# %%
def network(seed):
    """A random network of two layers, with weights large enough to bend its tanh."""
    torch.manual_seed(seed)
    layers = nn.Sequential(nn.Linear(32, 64), nn.Tanh(), nn.Linear(64, 8))
    with torch.no_grad():
        layers[0].weight *= 2
        layers[2].weight *= 3
    return layers.requires_grad_(False)


def questions(teacher, count, seed):
    """Random inputs and the teacher's answers to them."""
    inputs = torch.randn(count, 32, generator=torch.Generator().manual_seed(seed))
    return inputs, teacher(inputs)


# %%
@torch.no_grad()
def error(model, data):
    """Mean squared error as a share of the variance of the right answers."""
    return (F.mse_loss(model(data[0]), data[1]) / data[1].var()).item()


def fit(model, data, held_out, steps, rate, every=20):
    """Train what is trainable with Adam, 64 examples a step. Returns the held-out error on the way, `[(step, error)]`."""
    optimiser = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=rate)
    order, curve = torch.Generator().manual_seed(0), [(0, error(model, held_out))]
    for step in range(1, steps + 1):
        batch = torch.randint(len(data[0]), (64,), generator=order)
        optimiser.zero_grad()
        F.mse_loss(model(data[0][batch]), data[1][batch]).backward()
        optimiser.step()
        if step % every == 0 or step == steps:
            curve.append((step, error(model, held_out)))
    return curve


# %%
teacher, student = network(1), network(2).requires_grad_(True)
curve = fit(student, questions(teacher, 4096, 3), questions(teacher, 1024, 4), sizes["first"], rate=5e-3, every=50)
print(f"task one: error {curve[0][1]:.2f} before, {curve[-1][1]:.4f} after {sizes['first']} steps")


# %% [markdown]
# Two second tasks. In the **near** one each weight matrix of the teacher moves by half its size, along four
# directions: a change of rank 4. We have built it so that LoRA's bet is right, and we say so. The **far** one has a
# different teacher altogether, which shares nothing with the first. There is no reason why the way from one to the
# other should be of low rank.


# %%
def moved(teacher, rank, seed):
    """The teacher after a change of this rank to both of its matrices, half as large as they are."""
    changed, random = copy.deepcopy(teacher), torch.Generator().manual_seed(seed)
    for layer in (changed[0], changed[2]):
        m, n = layer.weight.shape
        change = torch.randn(m, rank, generator=random) @ torch.randn(rank, n, generator=random)
        layer.weight += 0.5 * layer.weight.norm() * change / change.norm()
    return changed


tasks = {"near": moved(teacher, 4, seed=9), "far": network(77)}
few = {name: questions(new, 256, 5) for name, new in tasks.items()}
held_out = {name: questions(new, 1024, 6) for name, new in tasks.items()}

# %% [markdown]
# Five ways to adapt the same student to the same 256 examples: LoRA of rank 1, 2 and 4 on both layers; all weights;
# and the last layer alone, the cheap method that everybody tries first. Each has a learning rate that suits it, found
# by trying a few.


# %%
def adapted(student, way):
    """A copy of the student in which only what belongs to this way of adapting is trainable."""
    model = copy.deepcopy(student).requires_grad_(way == "all weights")
    if way == "last layer":
        model[2].requires_grad_(True)
    elif way.startswith("LoRA"):
        rank = int(way.split()[-1])
        torch.manual_seed(0)
        model[0], model[2] = LoRALinear(model[0], rank, 2 * rank), LoRALinear(model[2], rank, 2 * rank)
    return model


rates = {"LoRA rank 1": 1e-2, "LoRA rank 2": 1e-2, "LoRA rank 4": 1e-2, "all weights": 3e-3, "last layer": 3e-3}
adapted_to = {name: {way: adapted(student, way) for way in rates} for name in tasks}
curves = {
    name: {way: fit(model, few[name], held_out[name], sizes["second"], rates[way]) for way, model in adapted_to[name].items()}
    for name in tasks
}

# %%
figure, axes = plt.subplots(1, 2, figsize=(8, 4), sharey=True)
for axis, name in zip(axes, tasks):
    for way, points in curves[name].items():
        axis.plot(*zip(*points), label=way, linestyle="-" if "LoRA" in way else "--")
    axis.set(yscale="log", xlabel="step", title=f"the {name} task")
axes[0].set_ylabel("held-out error")
figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3, fontsize=11)
plt.show()

# %%
trained = {way: sum(p.numel() for p in model.parameters() if p.requires_grad) for way, model in adapted_to["near"].items()}
rows = [(way, f"{trained[way]:,}", *(f"{curves[name][way][-1][1]:.3f}" for name in tasks)) for way in rates]
untouched = ("nothing", 0, *(f"{error(student, held_out[name]):.3f}" for name in tasks))
show.table([untouched, *rows], ["trained", "numbers", "error, near task", "error, far task"])

# %% [markdown]
# On the near task rank 4, which is exactly the rank of the change, gets far below everybody else, with a quarter of
# the numbers of full training. Ranks 1 and 2 cannot express the change, and stop on a plateau. Full training *could*
# express it, but 256 examples do not pin down all its weights, so it also fits accidents of the sample. (Rank 4 drew
# the waves without the noise.) The last layer alone sees only what the first layer hands it, and that was made for
# the old task.
#
# On the far task the order is reversed. All weights do best, and rank 4 falls behind even the last layer alone. There
# the bet is lost, and freedom wins. So LoRA is good for what post-training mostly is: a model that already knows
# nearly everything it needs, and has to do *something else* with it.
#
# Did full training find the low-rank change by itself, though nobody asked it to? We subtract the weights before from
# the weights after, and look at the singular values of the difference: once for the run above, and once for runs with
# sixteen times as many examples.

# %%
runs = {"near, 256 examples": adapted_to["near"]["all weights"]}
for name in tasks:
    runs[f"{name}, 4,096 examples"] = adapted(student, "all weights")
    fit(runs[f"{name}, 4,096 examples"], questions(tasks[name], 4096, 5), held_out[name], sizes["second"], rates["all weights"])
figure, axes = plt.subplots(1, 3, figsize=(8, 3.2), sharey=True)
for axis, (name, model) in zip(axes, runs.items()):
    sizes_of_change = torch.linalg.svdvals((model[0].weight - student[0].weight).detach())
    axis.bar(range(1, 33), sizes_of_change, color=[show.COLOURS[1]] * 4 + [show.COLOURS[0]] * 28)
    axis.set_title(name, fontsize=12)
axes[0].set_ylabel("singular value")
figure.suptitle("What full training changed in the first layer")
plt.show()

# %% [markdown]
# With enough examples there is a step after the fourth value on the near task: full training, which was free to do
# anything, made a change of rank 4 and little else. With few examples four values still lead, but on top of a heap of
# noise, and the heap is what the held-out error pays for. On the far task there is no step anywhere.
#
# ## 5. The real model
#
# Time to replace the layers of a language model. Its decoder is a pile of equal blocks with seven linear layers each:
# four in the attention (`q_proj`, `k_proj`, `v_proj`, `o_proj`), three in the feed-forward part (`gate_proj`,
# `up_proj`, `down_proj`). We adapt all of them. The output layer, `lm_head`, is outside `model.model` and stays as it
# is. Three short functions: who are our layers, put them in, take them out.


# %% tags=["definition"]
def lora_layers(model):
    """Every `LoRALinear` of the model, as `(name, layer)`."""
    return [(name, layer) for name, layer in model.named_modules() if isinstance(layer, LoRALinear)]


def add_lora(model, rank=16, alpha=32):
    """Freeze a model, and put a `LoRALinear` in the place of every linear layer of its decoder."""
    model.requires_grad_(False)
    for name, layer in list(model.model.named_modules()):
        if isinstance(layer, nn.Linear):
            model.model.set_submodule(name, LoRALinear(layer, rank, alpha))
    return model


def remove_lora(model):
    """Put the plain linear layers back."""
    for name, layer in lora_layers(model):
        model.set_submodule(name, layer.base)
    return model


# %%
def count(model):
    """All parameters, and those that are trained."""
    return sum(p.numel() for p in model.parameters()), sum(p.numel() for p in model.parameters() if p.requires_grad)


model, tokenizer = models.load(here.plan.model, device=here.plan.device)
torch.manual_seed(0)
before, _ = count(model)
after, trained = count(add_lora(model))
print(f"before: {before:,} parameters")
print(f"after:  {after:,} parameters, {trained:,} of them trained ({trained / before:.1%}), in {len(lora_layers(model))} layers")

# %% [markdown]
# Our witness is one real document: a letter of an applicant, and the right answer to it, from the data of notebook
# 07.

# %%
from helpers.worlds.mortgage import letters, task as reading

documents = sorted(reading.examples(tokenizer, letters.written("train")), key=len)  # the shortest first
document = documents[3]
ids = torch.tensor([document.input_ids], device=model.device)
print(tokenizer.decode(document.input_ids))

# %% [markdown]
# For each token the model says how probable it found it, given those before; the **loss** is minus the logarithm of
# that probability, here its mean over the document. (A loss of 0 means it was certain, and each unit more means *e*
# times less probable.)
#
# If we compared now, the check would be too easy. With $B$ at zero the model *is* the open model, and all gradients
# of $A$ are zero. A mistake in the scale would go unnoticed. So we give $B$ small random numbers first, and keep
# copies of all $A$ and $B$, of the logits, the loss, and every gradient.

# %%
with torch.no_grad():
    for name, _ in lora_layers(model):
        model.get_submodule(name).B.normal_(std=0.02)
logits_ours = model(ids, use_cache=False).logits[0]
loss_ours = F.cross_entropy(logits_ours[:-1], ids[0, 1:])
loss_ours.backward()
ours = {name: (layer.A.detach(), layer.B.detach(), layer.A.grad, layer.B.grad) for name, layer in lora_layers(model)}
remove_lora(model)
not_zero = sum(bool(grad.abs().max() > 0) for layer in ours.values() for grad in layer[2:])
print(f"loss {loss_ours.item():.6f}; {not_zero} gradients that are not zero")

# %% [markdown]
# Now the same with [PEFT](https://huggingface.co/docs/peft), the library that notebook 07 trains with.
# `training.with_lora` calls it with the settings of the kit: rank 16, alpha 32, all linear layers but the output.
# PEFT names its matrices `lora_A` and `lora_B` and keeps them below `base_model.model`. We copy ours into them. (PEFT
# can also hide some of the inputs of $A$ at random, `lora_dropout`; the kit sets it to zero.)

# %%
peft_model = training.with_lora(model, training.Settings(rank=16, alpha=32))
theirs = {name: peft_model.get_submodule(f"base_model.model.{name}") for name in ours}
with torch.no_grad():
    for name, (A, B, *_) in ours.items():
        theirs[name].lora_A["default"].weight.copy_(A)
        theirs[name].lora_B["default"].weight.copy_(B)
print("trained parameters, PEFT:", f"{count(peft_model)[1]:,}", "ours:", f"{trained:,}")
assert count(peft_model)[1] == trained


# %%
def relative(a, b):
    """The distance of two tensors, as a share of the second one's size."""
    return ((a - b).detach().norm() / b.detach().norm()).item()


logits_theirs = peft_model(input_ids=ids, use_cache=False).logits[0]
loss_theirs = F.cross_entropy(logits_theirs[:-1], ids[0, 1:])
loss_theirs.backward()
distances = {"logits": relative(logits_ours, logits_theirs), "loss": relative(loss_ours, loss_theirs)}
for name, (_, _, grad_A, grad_B) in ours.items():
    distances[f"{name}.A"] = relative(grad_A, theirs[name].lora_A["default"].weight.grad)
    distances[f"{name}.B"] = relative(grad_B, theirs[name].lora_B["default"].weight.grad)

# %%
assert max(distances.values()) < 1e-4
worst = max(distances, key=distances.get)
rows = [("logits", distances["logits"]), ("loss", distances["loss"]), (f"the worst of {len(distances) - 2} gradients", distances[worst])]
show.table([(what, f"{distance:.0e}") for what, distance in rows], ["compared with PEFT", "relative distance"])

# %% [markdown]
# Nothing but the rounding of float32 lies between the two, and often not even that. The cell would have stopped with
# an error if one single gradient had been off by more than a ten-thousandth. From here on, when somebody says PEFT,
# you know what it does: these twenty lines, and around them much useful care for names, files, devices and hundreds
# of other layers and models.
#
# We take PEFT's layers out again, since the rest of this notebook works with ours.

# %%
model = peft_model.unload()
del peft_model, theirs, ours, A, B, grad_A, grad_B, logits_ours, logits_theirs, loss_ours, loss_theirs
gc.collect()
print("linear layers back in place:", sum(isinstance(layer, nn.Linear) for layer in model.model.modules()))

# %% [markdown]
# ## 6. What fits into which memory?
#
# This is the question that decides which model you can train. It can be answered with pencil and paper. During
# training, memory holds four things:
#
# 1. the **weights**: the number of parameters times the bytes of each;
# 2. the **gradients**: one number for each *trained* parameter;
# 3. **Adam's two moments**: two numbers for each trained parameter, the running mean of its gradient and of its
#    gradient's square;
# 4. the **activations**: what the forward pass must remember for the backward pass, for each token of the step.
#
# We write down the shapes of four well-known open models, as their published `config.json` files give them. `heads`
# is the number of attention heads that ask, `kv` the number of those that offer keys and values (notebook 02), each
# with `head` numbers.

# %% tags=["definition", "nbval-check-output"]
names = ("hidden", "layers", "intermediate", "heads", "kv", "head", "vocabulary", "tied", "head_norms")
shapes = {
    "SmolLM2-135M": (576, 30, 1536, 9, 3, 64, 49152, True, False),
    "Qwen3-0.6B": (1024, 28, 3072, 16, 8, 128, 151936, True, True),
    "Qwen3-4B": (2560, 36, 9728, 32, 8, 128, 151936, True, True),
    "Llama-3.1-8B": (4096, 32, 14336, 32, 8, 128, 128256, False, False),
}
shapes = {name: dict(zip(names, values)) for name, values in shapes.items()}
show.table([(name, *shape.values()) for name, shape in shapes.items()], ["model", *names])


# %% [markdown]
# From the shapes follow the seven matrices of a layer, and from them everything else. (“Tied” means that one table
# serves for reading tokens and for scoring them; Qwen3 has two small normalisations more, for each head's query and
# key.)


# %% tags=["definition"]
def linear_shapes(s):
    """The seven linear layers of one decoder block, as `(outputs, inputs)`."""
    query, key = s["heads"] * s["head"], s["kv"] * s["head"]
    attention = [(query, s["hidden"]), (key, s["hidden"]), (key, s["hidden"]), (s["hidden"], query)]
    return attention + [(s["intermediate"], s["hidden"])] * 2 + [(s["hidden"], s["intermediate"])]


def linear_parameters(s):
    """All numbers in the linear layers of the decoder."""
    return s["layers"] * sum(m * n for m, n in linear_shapes(s))


def parameters(s):
    """All numbers of the model: linear layers, token tables, normalisations."""
    norms = s["layers"] * (2 * s["hidden"] + (2 * s["head"] if s["head_norms"] else 0)) + s["hidden"]
    return linear_parameters(s) + s["vocabulary"] * s["hidden"] * (1 if s["tied"] else 2) + norms


def lora_parameters(s, rank=16):
    """The numbers in A and B for all linear layers of the decoder: r(n + m) for each."""
    return s["layers"] * sum(rank * (m + n) for m, n in linear_shapes(s))


# %% [markdown]
# Arithmetic of this kind goes wrong easily, so hold it against what we know. The catalogue of the kit has the exact
# number of parameters of two of these models, and section 5 counted the trained ones in one of them.

# %% tags=["nbval-check-output"]
known = {"SmolLM2-135M": "smollm2-135m", "Qwen3-0.6B": "qwen3-0.6b"}
assert all(parameters(shapes[name]) == models.catalogue()[entry]["parameters"] for name, entry in known.items())
rows = []
for name, s in shapes.items():
    everything, linear, added = parameters(s), linear_parameters(s), lora_parameters(s)
    rows.append((name, f"{everything:,}", f"{linear / everything:.0%}", f"{added:,}", f"{added / everything:.2%}"))
show.table(rows, ["model", "parameters", "in linear layers", "LoRA, rank 16", "share"])

# %% [markdown]
# The share falls as models grow: a matrix grows with the product of its sides, LoRA with their sum.
#
# Activations are harder to count, because they depend on how the code is written. We can let PyTorch count: it calls
# a function of ours for every tensor that it keeps for the backward pass. Tensors that share their memory are counted
# once, and weights not at all.


# %% tags=["definition"]
def kept_numbers(model, ids):
    """How many 32-bit numbers the decoder keeps for the backward pass."""
    kept, weights = {}, {p.data_ptr() for p in model.parameters()}

    def notice(tensor):
        if tensor.data_ptr() not in weights:
            kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor.detach()  # what we return is kept; with its history it would keep itself alive

    with torch.autograd.graph.saved_tensors_hooks(notice, lambda tensor: tensor):
        model.model(input_ids=ids, use_cache=False)
    return sum(kept.values()) / 4


# %%
torch.manual_seed(0)
add_lora(model)
measured = kept_numbers(model, ids) / len(document) / model.config.num_hidden_layers
print(f"{measured:,.0f} numbers for each token in each layer")

# %% [markdown]
# Reading the code of the block beside the list of shapes gives a formula. Kept are, for each token of each layer: the
# inputs of both normalisations and their outputs (4 × hidden), the queries and the output of the attention (2 ×
# heads), keys and values (2 × kv), the gate before and after its curve, the other branch and their product (4 ×
# intermediate), and seven times $r$ numbers for $XA^\top$.


# %% tags=["definition"]
def activations(s, rank=16):
    """Numbers that one decoder block keeps for the backward pass, for each token (Llama's code, fused attention)."""
    return 4 * s["hidden"] + 2 * (s["heads"] + s["kv"]) * s["head"] + 4 * s["intermediate"] + 7 * rank


# %%
print(f"measured on {here.plan.model}: {measured:,.0f}; by the formula, for SmolLM2-135M: {activations(shapes['SmolLM2-135M']):,}")
print(f"of these LoRA's own: {7 * 16} ({7 * 16 / activations(shapes['SmolLM2-135M']):.1%})")

# %% [markdown]
# Here is a second surprise. The activations are *not* smaller with LoRA: $dA = s\,(GB)^\top X$ needs the input $X$ of
# every adapted layer, just as the full gradient would. Of the four items LoRA shrinks two, the gradients and the
# moments, and these to almost nothing. When memory runs out with LoRA, shorter documents or fewer a step help, and a
# smaller rank does not.
#
# Now put the four together, for a step of 512 tokens. At the top of the model come the logits, one for each piece of
# the vocabulary, and their softmax, both in float32; we count them as activations. QLoRA (section 9) keeps the linear
# weights in 4 bits, with one 32-bit scale for every 64, and the rest in 16.

# %%
methods = {  # bits of a linear weight, bits of the other weights, bytes of an activation, is everything trained?
    "full, 32 bit": (32, 32, 4, True),
    "LoRA, 32-bit base": (32, 32, 4, False),
    "LoRA, 16-bit base": (16, 16, 2, False),
    "QLoRA, 4-bit base": (4 + 32 / 64, 16, 2, False),
}


def memory(s, method, tokens=512, rank=16):
    """Gigabytes of weights, gradients, Adam's moments and activations for one step of training."""
    linear_bits, other_bits, activation_bytes, everything = methods[method]
    trained, linear = parameters(s) if everything else lora_parameters(s, rank), linear_parameters(s)
    weights = (linear * linear_bits + (parameters(s) - linear) * other_bits) / 8 + (0 if everything else 4 * trained)
    kept = tokens * (s["layers"] * activations(s, rank) * activation_bytes + 2 * 4 * s["vocabulary"])
    return {"weights": weights / 1e9, "gradients": 4 * trained / 1e9, "Adam": 8 * trained / 1e9, "activations": kept / 1e9}


# %% tags=["nbval-check-output"]
needs = {(name, method): memory(s, method) for name, s in shapes.items() for method in methods}
rows = [(name, method, *(f"{v:.2f}" for v in parts.values()), f"{sum(parts.values()):.1f}") for (name, method), parts in needs.items()]
show.table(rows, ["model", "method", "weights, GB", "gradients", "Adam", "activations", "together"])

# %%
figure, axes = plt.subplots(len(shapes), 1, figsize=(8, 8.5))
for axis, name in zip(axes, shapes):
    left = [0.0] * len(methods)
    for part, colour in zip(("weights", "gradients", "Adam", "activations"), (0, 5, 1, 4)):
        values = [needs[name, method][part] for method in methods]
        axis.barh(list(methods), values, left=left, label=part, color=show.COLOURS[colour])
        left = [a + b for a, b in zip(left, values)]
    for card in (2, 16, 24, 80):
        if card < 1.05 * max(left):
            axis.axvline(card, linestyle="--", color="#444", linewidth=1.5)
    axis.set_title(name, fontsize=13)
    axis.invert_yaxis()
axes[-1].set_xlabel("GB for a step of 512 tokens (dashed: 2, 16, 24, 80 GB)")
figure.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=4, fontsize=12)
plt.show()

# %% [markdown]
# Each panel has a scale of its own. In the uppermost bar the weights are the small part; what training adds to them
# is three times as large. (People often say that full fine-tuning takes 16 bytes a parameter: that is 4 + 4 + 8. The
# usual mixture of 16 and 32 bits, with a 32-bit copy of the weights, comes to 2 + 2 + 4 + 8, which is the same.) LoRA
# removes the red and the orange. What is left are the frozen weights, which are only read now, and so can be kept in
# fewer bits: 16 in the third bar, about 4 in the last.
#
# What fits where? In each cell stands the dearest of our four methods that fits, half a gigabyte being left to
# Python, PyTorch and the driver.

# %% tags=["nbval-check-output"]
cards = {"laptop, 2 GB": 2, "T4, 16 GB": 16, "24 GB": 24, "80 GB": 80}


def dearest(name, card):
    """The first of the methods, from the dearest down, that fits on the card."""
    fitting = [method for method in methods if sum(needs[name, method].values()) < card - 0.5]
    return fitting[0] if fitting else "nothing"


show.table([(name, *(dearest(name, card) for card in cards.values())) for name in shapes], ["model", *cards])

# %% [markdown]
# A count like this is a lower bound. Buffers come on top, and memory gets fragmented; what fits by a hair will not
# fit. But it tells a plan that cannot work from one that can, before anybody has rented anything. Longer documents
# are the usual reason why a fitting plan stops fitting, so try `memory(shapes["Qwen3-4B"], "LoRA, 16-bit base",
# tokens=8192)`. There *gradient checkpointing* helps: keep only each block's input, and compute the rest a second
# time on the way back. It trades time for memory.
#
# **Exercise 06.3.** An adapter is stored in 16 bits, two bytes a number. How many megabytes (millions of bytes) is
# one of rank 8 for Qwen3-4B? The functions above have all you need.

# %%
answer = None  # your answer, in MB
lesson.check("06.3", answer)

# %% [markdown]
# ## 7. Rank and alpha
#
# The layer multiplies $BA$ by $s = \alpha/r$. What does the knob do? Think of the very first step, when $B$ is zero.
# Plain gradient descent moves $B$ by the learning rate times $dB$, which contains a factor $s$; the result is
# multiplied by $s$ once more. So doubling alpha should *quadruple* the change of the weights. Adam is different. It
# divides each gradient by its usual size, so every number moves by about the learning rate, whatever $s$ is; only the
# second factor is left. Doubling alpha should *double* the change. Check:


# %% tags=["nbval-check-output"]
def first_change(optimiser, rank, alpha):
    """The size of the change scale · B A of the toy's first layer after one step on the near task."""
    torch.manual_seed(0)
    model = copy.deepcopy(student).requires_grad_(False)
    model[0] = LoRALinear(model[0], rank, alpha)
    step = optimiser([model[0].A, model[0].B], lr=1e-3)
    F.mse_loss(model(few["near"][0]), few["near"][1]).backward()
    step.step()
    return (model[0].merged().weight - model[0].base.weight).norm().item()


for optimiser in (torch.optim.SGD, torch.optim.Adam):
    changes = [first_change(optimiser, 4, alpha) for alpha in (4, 8, 16, 32)]
    print(f"{optimiser.__name__:5} alpha 4, 8, 16, 32: the change grows as", [round(change / changes[0], 1) for change in changes])

# %% [markdown]
# So in the first step under Adam, which nearly everybody uses, alpha acts like the learning rate: only their product
# counts. Is alpha then nothing but a second name for the learning rate? If it were, then runs in which one is doubled
# and the other halved would end alike. Here is a run for each pair, on the near task with rank 4. Equal products lie
# on the diagonals that fall to the right. Dark is good.

# %%
alphas, grid_rates = (2, 4, 8, 16, 32), (1.25e-3, 2.5e-3, 5e-3, 1e-2, 2e-2, 4e-2)


def ends_at(rank, alpha, rate, frozen=()):
    """The held-out error on the near task after a short run; `frozen` names what must not learn, "A" or "B"."""
    model = adapted(student, f"LoRA {rank}")
    for layer in (model[0], model[2]):
        layer.scale = alpha / rank
        for name in frozen:
            getattr(layer, name).requires_grad_(False)
    return fit(model, few["near"], held_out["near"], sizes["sweep"], rate, every=10_000)[-1][1]


grid = [[ends_at(4, alpha, rate) for rate in grid_rates] for alpha in reversed(alphas)]

# %%
figure, axis = plt.subplots(figsize=(8, 3.8))
picture = axis.imshow(torch.tensor(grid).log10(), cmap="viridis", aspect="auto")
for line, values in enumerate(grid):
    for place, value in enumerate(values):
        dark = math.log10(value) < picture.norm.vmin + 0.6 * (picture.norm.vmax - picture.norm.vmin)
        axis.text(place, line, f"{value:.3f}", ha="center", va="center", color="white" if dark else "black", fontsize=11)
axis.set_xticks(range(len(grid_rates)), [f"{rate:g}" for rate in grid_rates])
axis.set_yticks(range(len(alphas)), [str(alpha) for alpha in reversed(alphas)])
axis.set(xlabel="learning rate", ylabel="alpha", title=f"Held-out error after {sizes['sweep']} steps, rank 4")
axis.grid(False)
plt.show()

# %% [markdown]
# They do not end alike. Walk down a diagonal, from the upper left: the product stays the same, and the error falls. A
# high learning rate does something that a high alpha cannot replace. What it is we find out by freezing $A$ at its
# random start, so that only $B$ learns:

# %%
rows = []
for alpha, rate in ((32, 1.25e-3), (16, 2.5e-3), (8, 5e-3), (4, 1e-2), (2, 2e-2)):
    rows.append((alpha, f"{rate:g}", f"{alpha * rate:g}", *(f"{ends_at(4, alpha, rate, frozen):.4f}" for frozen in ((), ("A",)))))
show.table(rows, ["alpha", "learning rate", "product", "error, A and B learn", "error, only B learns"])

# %% [markdown]
# In the last column our theory is perfect: with $A$ frozen, nothing but the product counts. But these runs have
# learnt little: compare the row “nothing” in section 4. Four directions drawn at random are not the four that the
# task needs, and $B$ can only choose what to do *with* them. Nearly everything is won by turning $A$, and how far $A$
# turns in a given number of steps is the learning rate's business. Alpha makes the result louder; it does not point
# it anywhere.
#
# This is why people fix alpha, at once or twice the rank, and look for the learning rate. The kit does the same.
#
# ### Why divide by the rank?
#
# The division is meant to let you change the rank without looking for a new learning rate. Does it succeed? We
# compare two rules, fixed to agree at rank 4: the paper's $\alpha/r$, and $\alpha/\sqrt r$, which Kalajdzievski
# (2023, arXiv 2312.03732) proposes under the name rsLoRA, because with the first one large ranks learn too slowly.
# First the change after one step:

# %%
ranks = (1, 2, 4, 8, 16, 32)
rules = {"α / r": {r: 8 for r in ranks}, "α / √r": {r: 4 * math.sqrt(r) for r in ranks}}  # as alpha, to be divided by r
first = first_change(torch.optim.Adam, 4, 8)
rows = [
    (rule, *(f"{first_change(torch.optim.Adam, r, alpha) / first:.1f}" for r, alpha in by_rank.items())) for rule, by_rank in rules.items()
]
show.table(rows, ["scale", *(f"rank {r}" for r in ranks)])

# %%
for rule, by_rank in rules.items():
    plt.plot(ranks, [ends_at(r, alpha, 2.5e-3) for r, alpha in by_rank.items()], "o-", label=f"scale {rule}")
plt.xscale("log", base=2)
plt.xticks(ranks, [str(r) for r in ranks])
plt.title(f"Error after {sizes['sweep']} steps at one learning rate")
plt.xlabel("rank")
plt.ylabel("held-out error")
plt.legend()
plt.show()

# %% [markdown]
# With $\alpha/r$ the first change shrinks as the rank grows; with $\alpha/\sqrt r$ it stays nearly the same. In the
# laptop run the picture agrees with the paper: the first rule flattens out, while the second goes on gaining from
# more rank. The lesson is not that one of them is right. It is that *comparing ranks at one fixed learning rate
# compares step sizes as well*. A table that says “rank 8 is enough” should tell you which learning rates were tried
# for each rank.
#
# ## 8. Which tokens should teach?
#
# A training document is a question and an answer; ours are a letter and the facts in it. The model could learn to
# predict all of it. Or we count only the loss on the answer: *completion-only loss*. Let us look at who would do the
# teaching. We draw the loss of every token of one document, in the order of reading. In the answer we distinguish
# what the form forces anyway (such as the words copied before a label) from the **decisions**, which notebook 07
# explains.


# %% tags=["definition"]
def token_losses(model, document):
    """The loss of every token of a document but the first, as a tensor."""
    ids = torch.tensor(document.input_ids, device=model.device)
    logits = model(input_ids=ids[None], use_cache=False).logits[0, :-1].float()
    return F.cross_entropy(logits, ids[1:], reduction="none")


# %%
def kinds(document):
    """For every token but the first: does it belong to the question, is it forced by the form, or a decision?"""
    answer = ["decision" if weight == 1.0 else "forced" for weight in document.weights]
    return ["question"] * (document.prompt_length - 1) + answer


colours = {"question": show.COLOURS[6], "forced": show.COLOURS[4], "decision": show.COLOURS[5]}
with torch.inference_mode():
    losses = token_losses(model, document).cpu()

# %%
figure, axis = plt.subplots(figsize=(8, 3.6))
for kind, colour in colours.items():
    places = [place for place, found in enumerate(kinds(document)) if found == kind]
    label = {"question": "the question: instruction and letter", "forced": "answer: forced", "decision": "answer: decision"}[kind]
    axis.bar(places, losses[places], width=1.0, color=colour, label=label)
axis.set(xlabel="token", ylabel="loss", title="Who does the teaching?", xlim=(-1, len(losses)))
axis.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=3, fontsize=11)
plt.show()

# %%
shares = []
for kind in colours:
    mine = torch.tensor([found == kind for found in kinds(document)])
    shares.append(
        (kind, int(mine.sum()), f"{mine.float().mean():.0%}", f"{losses[mine].sum() / losses.sum():.0%}", f"{losses[mine].mean():.2f}")
    )
show.table(shares, ["tokens", "number", "share of tokens", "share of the loss", "mean loss"])

# %% [markdown]
# The grey forest is the letter. A Malay letter is hard to predict for this model, and it will stay hard: nobody can
# know beforehand which Ahmad buys which house. So most of the loss sits on tokens whose prediction is not our task.
# The decisions, for the sake of which we train, are a small minority even here, where the answer is long. In a task
# with one word as its answer, they would be one token in hundreds.
#
# As training goes on it gets worse: the answers become easy, the letter does not, and more and more of the loss is
# about letters (we shall see it in the table below). To leave the question out, one sets its loss to zero, and that
# is the whole trick. `training.supervised_loss` of the kit does that and saves work besides: it applies the output
# layer, 49,152 scores a token for our model, only where an answer is predicted. Is it the same number? It gives
# forced tokens a smaller weight, so we weigh ours alike.

# %%
weights = torch.tensor(document.weights)
by_hand = torch.dot(losses[document.prompt_length - 1 :], weights).item()
item = {"input_ids": ids[0], "prompt_length": document.prompt_length, "weights": weights.to(model.device)}
with torch.inference_mode():
    by_kit = training.supervised_loss(model, item).item()
assert math.isclose(by_hand, by_kit, rel_tol=1e-4)
print(f"by hand {by_hand:.4f}, the kit's {by_kit:.4f}; scored positions: {len(losses)} and {len(weights)}")

# %% [markdown]
# Now train both ways, on the same documents, in the same order, from the same start. It is a handful of steps, one
# document each; notebook 07 takes hundreds. Then we measure the loss on *other* documents, on their questions and
# their answers apart.


# %%
def reset(model):
    """All A and B as at the beginning, the same each time."""
    torch.manual_seed(0)
    for _, layer in lora_layers(model):
        nn.init.kaiming_uniform_(layer.A, a=math.sqrt(5))
        nn.init.zeros_(layer.B)


def train(model, documents, whole, rate=2e-3):
    """One pass of Adam, a document a step; the loss over the whole document, or over its answer only."""
    optimiser = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=rate)
    for document in documents:
        losses = token_losses(model, document)
        optimiser.zero_grad()
        losses[0 if whole else document.prompt_length - 1 :].mean().backward()
        optimiser.step()


# %%
@torch.inference_mode()
def examine(model, documents):
    """The mean loss on the questions and on the answers of documents, and the questions' share of the whole loss."""
    marks = []
    for document in documents:
        losses, cut = token_losses(model, document), document.prompt_length - 1
        marks.append((losses[:cut].mean(), losses[cut:].mean(), losses[:cut].sum() / losses.sum()))
    return torch.tensor(marks).mean(dim=0).tolist()


# %%
other, lessons = documents[: sizes["held_out"]], documents[sizes["held_out"] :][: sizes["steps"]]
reset(model)
scores = {"nothing": examine(model, other)}
for name, whole in (("all tokens", True), ("answers only", False)):
    reset(model)
    train(model, lessons, whole)
    scores[name] = examine(model, other)
rows = [(name, f"{question:.2f}", f"{answer:.2f}", f"{share:.0%}") for name, (question, answer, share) in scores.items()]
show.table(rows, ["trained on", "loss on other questions", "loss on other answers", "share of the questions"])

# %% [markdown]
# Both learn the answers, since the answers are part of the whole documents. Training on all tokens spends effort on a
# second lesson, to write Malay letters, and the first column shows it; more of its loss than before now comes from
# there, as the last column says. Training on answers alone puts all effort into the second column. Read the first
# column of that line, too: the model has become *worse* at predicting letters than it was. What is not trained on is
# not protected. That is forgetting in the small, and notebook 07 audits it.
#
# With this handful of letters and steps, small differences in the second column mean little. Which of the two is
# better *for your task* is an experiment, and you now have the code for it. Where a model must learn to *write*
# Malay, all tokens are the right choice; where it must learn to answer, the answers.
#
# We keep this adapter for section 10: copies of $A$ and $B$.

# %%
trained_here = {name: (layer.A.detach().clone(), layer.B.detach().clone()) for name, layer in lora_layers(model)}
remove_lora(model)
print(f"{sum(A.numel() + B.numel() for A, B in trained_here.values()):,} numbers kept")

# %% [markdown]
# ## 9. QLoRA: four bits underneath
#
# In section 6 LoRA left us with one large item, the frozen weights. They are only read, never changed. So why keep
# them in full precision? **QLoRA** (Dettmers and others 2023, arXiv 2305.14314) stores them in 4 bits, turns each
# matrix back into 16-bit numbers when it is needed, and trains LoRA on top in the usual precision. Let us see what
# the 4 bits do, by hand.
#
# Four bits are sixteen marks on a ruler. Take the weights in blocks of 64, divide each block by its largest absolute
# value, so that all lie between −1 and 1, and replace each by the nearest mark. Kept are the numbers of the marks,
# and one scale for each block. Where should the marks stand? The obvious choice is *evenly*. But weights are not
# spread evenly: they crowd around zero, in a bell. The marks of **NF4** (“normal float”) are quantiles of the normal
# distribution: they stand dense where weights are many, and wide apart where they are few.


# %% tags=["definition"]
def normal_float():
    """The 16 marks of NF4: quantiles of the normal distribution, scaled to [-1, 1], with an exact zero (Dettmers and others 2023)."""
    quantile, edge = statistics.NormalDist().inv_cdf, 1 - (1 / 30 + 1 / 32) / 2

    def half(count):
        return [quantile(edge + (0.5 - edge) * k / count) for k in range(count)]

    marks = torch.tensor(sorted([-q for q in half(7)] + [0.0] + half(8)))
    return marks / marks.abs().max()


# %% tags=["definition"]
def quantise(weight, marks, block=64):
    """A matrix as the number of the nearest mark for each weight, and a scale for each block of weights."""
    blocks = weight.reshape(-1, block)
    scales = blocks.abs().amax(dim=1, keepdim=True).clamp_min(1e-12)
    return torch.bucketize(blocks / scales, (marks[1:] + marks[:-1]) / 2).to(torch.uint8), scales


def restore(numbers, scales, marks, shape):
    """The matrix that the marks and scales stand for."""
    return (marks[numbers.long()] * scales).reshape(shape)


# %% tags=["nbval-check-output"]
rulers = {"even": torch.arange(-7, 8) / 7, "NF4": normal_float()}
print("even:", " ".join(f"{mark:.2f}" for mark in rulers["even"]))
print("NF4: ", " ".join(f"{mark:.2f}" for mark in rulers["NF4"]))

# %% [markdown]
# The even ruler has 15 marks, from −7/7 to 7/7 (a sixteenth would break the symmetry). Here are both, over the
# weights of a real matrix after the division by the scales. The spikes at the two ends are the largest weights of the
# blocks, which became ±1.

# %%
weight = model.model.layers[len(model.model.layers) // 2].mlp.down_proj.weight.detach().cpu().clone()
blocks = weight.reshape(-1, 64)
figure, axes = plt.subplots(2, 1, figsize=(8, 4.4), sharex=True)
for axis, (name, ruler) in zip(axes, rulers.items()):
    axis.hist((blocks / blocks.abs().amax(1, keepdim=True)).flatten().numpy(), bins=201, color=show.COLOURS[4])
    axis.vlines(ruler, 0, axis.get_ylim()[1], color=show.COLOURS[5], linewidth=1.5)
    axis.set(yticks=[], title=f"{name} marks")
axes[1].set_xlabel("weight, divided by the largest of its block")
plt.show()

# %% [markdown]
# How large is the damage? We measure it on this matrix and on random normal numbers of the same shape. (The embedded
# model arrived in 4 bits already, in blocks of 32; notebook 02 found the traces. So its weights are rounded a second
# time here, and we measure what *our* rounding adds. The random numbers have never been rounded.)

# %%
torch.manual_seed(0)
rows = []
for what, matrix in (("real matrix", weight), ("random normal numbers", torch.randn(weight.shape))):
    for name, ruler in rulers.items():
        numbers, block_scales = quantise(matrix, ruler)
        rounding = restore(numbers, block_scales, ruler, matrix.shape) - matrix
        busiest = numbers.flatten().bincount().max() / numbers.numel()
        rows.append((what, name, f"{busiest:.0%}", f"{rounding.norm() / matrix.norm():.1%}", f"{1 - left_over(rounding)[16]:.0%}"))
show.table(
    rows, ["matrix", "marks", "weights on the busiest mark", "error, share of the matrix's size", "of its square in the best rank 16"]
)

# %% [markdown]
# NF4 shares the weights out more evenly among its marks, and makes the smaller error. The last column answers a
# question that suggests itself: could LoRA simply *store* the rounding error in $BA$, and so undo it? Hardly any of
# it. The error is noise, and section 1 showed what low rank can do about noise.
#
# So quantising does real damage, and LoRA cannot take it back weight by weight. Does the model feel it? We send every
# linear layer of the decoder through NF4 and back, and take the loss on our held-out documents again.


# %%
@torch.no_grad()
def round_linear_layers(model, ruler):
    """Send the weights of all linear layers of the decoder through 4 bits and back; returns how many weights these are."""
    layers = [layer for layer in model.model.modules() if isinstance(layer, nn.Linear)]
    for layer in layers:
        layer.weight.copy_(restore(*quantise(layer.weight, ruler), ruler, layer.weight.shape))
    return sum(layer.weight.numel() for layer in layers)


# %%
rounded = round_linear_layers(model, rulers["NF4"].to(model.device))
scores["nothing, NF4 base"] = examine(model, other)
for what, bits in (("32 bits", 32), ("16 bits", 16), ("4 bits and a scale for 64", 4 + 32 / 64)):
    print(f"linear layers in {what:26} {rounded * bits / 8 / 1e6:5,.0f} MB")
rows = [(name, *(f"{loss:.2f}" for loss in scores[name][:2])) for name in ("nothing", "nothing, NF4 base")]
show.table(rows, ["trained on", "loss on other questions", "loss on other answers"])

# %% [markdown]
# A seventh of the size in 32 bits, for a visible price. (A model this small has no weights to spare. What rounding
# costs on a larger one is a measurement that you would have to make there.) And now the idea of QLoRA: with $B$ at
# zero the adapter repairs nothing, so training *starts* from the damaged model. But it does not have to restore the
# weights. It only has to find a small change that makes the *outputs* right for the task, and of those there are
# many. LoRA trains around the rounding. We run the answers-only training of section 8 once more, on the NF4 base:

# %%
add_lora(model)
reset(model)
train(model, lessons, whole=False)
scores["answers only, NF4 base"] = examine(model, other)
order = ["nothing", "nothing, NF4 base", "answers only", "answers only, NF4 base"]
cost_before, cost_after = (scores[f"{name}, NF4 base"][1] - scores[name][1] for name in ("nothing", "answers only"))
print(f"what the 4-bit base costs: {cost_before:.2f} before training, {cost_after:.2f} after")
show.bars(order, [scores[name][1] for name in order], title="Exact base and 4-bit base", xlabel="loss on the answers of other documents")

# %% [markdown]
# The gap between the trained bars is smaller than the one between the untrained: without touching a single rounded
# weight, training has made up for a part of the damage. What is left is the price of QLoRA here, after very few
# steps, and section 6 shows what it buys: on a graphics card, models several times as large. Our rounding on the way
# through float32 saves no memory; it only computes the same numbers. To really keep 4 bits in memory, and to unpack
# them fast, takes special code, which the library *bitsandbytes* has for graphics cards. PEFT puts LoRA on top of its
# layers the same way as on any other.
#
# ## 10. Save it so that others can load it
#
# An adapter is a folder with two files. `adapter_model.safetensors` holds all $A$ and $B$ under PEFT's names, and
# `adapter_config.json` says what they are: the rank, alpha, which layers, which base model. Nothing more is needed,
# so we can write and read both by hand.


# %% tags=["definition"]
def save_adapter(model, folder):
    """Write the A and B of a model as a plain PEFT folder."""
    layers, folder = dict(lora_layers(model)), Path(folder)
    rank, scale = len(next(iter(layers.values())).A), next(iter(layers.values())).scale
    tensors = {f"base_model.model.{name}.lora_A.weight": layer.A.detach().cpu() for name, layer in layers.items()}
    tensors |= {f"base_model.model.{name}.lora_B.weight": layer.B.detach().cpu() for name, layer in layers.items()}
    config = {"peft_type": "LORA", "task_type": "CAUSAL_LM", "base_model_name_or_path": model.name_or_path}
    config |= {"r": rank, "lora_alpha": scale * rank, "target_modules": sorted({name.split(".")[-1] for name in layers})}
    folder.mkdir(parents=True, exist_ok=True)
    save_file(tensors, folder / "adapter_model.safetensors", metadata={"format": "pt"})
    (folder / "adapter_config.json").write_text(json.dumps(config, indent=1), encoding="utf-8")


# %% tags=["definition"]
def load_adapter(model, folder):
    """Put the adapter of a PEFT folder (plain LoRA, one rank) on a model, with our own layers."""
    tensors = load_file(Path(folder) / "adapter_model.safetensors")
    config = json.loads((Path(folder) / "adapter_config.json").read_text(encoding="utf-8"))
    add_lora(model, config["r"], config["lora_alpha"])
    with torch.no_grad():
        for name, layer in lora_layers(model):
            layer.A.copy_(tensors[f"base_model.model.{name}.lora_A.weight"])
            layer.B.copy_(tensors[f"base_model.model.{name}.lora_B.weight"])
    return model


# %% [markdown]
# Our model has been through the 4-bit mill, so we let it go and load it afresh. On top comes the adapter that we kept
# in section 8.

# %%
model = None
gc.collect()
model, tokenizer = models.load(here.plan.model, device=here.plan.device)
add_lora(model)
with torch.no_grad():
    for name, (A, B) in trained_here.items():
        model.get_submodule(name).A.copy_(A)
        model.get_submodule(name).B.copy_(B)
save_adapter(model, here.folder / "lora_by_hand")
for path in sorted((here.folder / "lora_by_hand").iterdir()):
    print(f"{path.name:28} {path.stat().st_size / 1e6:6.2f} MB")
print((here.folder / "lora_by_hand" / "adapter_config.json").read_text())

# %%
from peft import PeftModel

with torch.inference_mode():
    logits_ours = model(ids).logits
    peft_model = PeftModel.from_pretrained(remove_lora(model), here.folder / "lora_by_hand")
    logits_theirs = peft_model(ids).logits
assert relative(logits_ours, logits_theirs) < 1e-4
print(f"the logits of PEFT, from our folder: relative distance {relative(logits_ours, logits_theirs):.0e}")

# %% [markdown]
# A stranger's program has read our files and computes what we compute. The other direction works as well. The kit
# ships an adapter for reading letters, which was trained with PEFT for much longer than our handful of steps. Here it
# is in *our* class:

# %%
model = peft_model.unload()
config = lesson.SHIPPED / "adapter_config.json"
if config.exists() and json.loads(config.read_text())["base_model_name_or_path"] == model.name_or_path:
    load_adapter(model, lesson.SHIPPED)
    scores["shipped, in our class"] = examine(model, other)
order = [name for name in ("nothing", "answers only", "shipped, in our class") if name in scores]
show.bars(order, [scores[name][1] for name in order], title="Loss on the answers", xlabel=f"mean of {len(other)} documents")

# %% [markdown]
# A caution before you admire the last bar. Our held-out documents come from the *training* letters of the kit, and
# the shipped adapter has been trained on those. What it can do with letters that it has never seen, notebook 07
# measures; this bar only shows that its numbers have arrived.
#
# ## What you can now do
#
# In this notebook we have written LoRA, and proved that it is LoRA. You can
#
# - say what a sum of $r$ outer products can express, and read from singular values whether low rank is a good bet;
# - write the layer in twenty lines, and explain why $A$ is random, $B$ is zero, and the base is frozen;
# - derive its gradients, and say which third of the work falls away and which memory does not;
# - put it into a model, merge it, and check your own code against a library to four digits;
# - estimate on paper whether a plan for training fits into a given memory;
# - choose rank, alpha and learning rate knowing what each does to the step;
# - say which tokens teach, and what a 4-bit base costs and buys;
# - write and read the files that the rest of the world uses.
#
# ## What comes next
#
# [07 · Fine-tune in Malay](07_fine_tune_in_malay.ipynb) uses exactly this, with PEFT in the place of our class, for a
# real piece of work: hundreds of letters, a live curve, and scores with intervals before and after.
