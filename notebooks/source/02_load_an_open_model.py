# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#       format_version: '1.3'
#       jupytext_version: 1.19.6
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 02 · Load an open model
#
# After this notebook a language model is no longer a box that talks, but a sequence of steps, each of which you have
# carried out by hand, measured, and found small enough to understand.

# %% [markdown]
# In this notebook we
#
# - cut English and Malay text into tokens, and count what a Malay word costs;
# - build the chat template, the form in which a model receives a conversation;
# - go from token ids to scores to probabilities, and write the loop that generates text;
# - sample with temperature, top-k and top-p, reproducibly;
# - time the key-value cache and compute its memory;
# - look into number types and quantise weights to four bits by hand;
# - load the same model in four ways, and read the errors when a way is closed.
#
# **You need** Python and a little PyTorch (what a tensor and its shape are). Notebook
# [00](00_start_here.ipynb) is helpful and not required.
#
# | profile | time | peak memory |
# |---|---|---|
# | `smoke` (a test that everything runs) | half a minute | as laptop |
# | `laptop` (two cores, 2 GB) | 40 seconds | 1.3 GB |

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
here = lesson.start("02", profile, run_folder)

# %%
import gc
import time

import torch

from helpers import models, show

model, tokenizer = models.load("smollm2-135m", device=here.plan.device)

# %% [markdown]
# ## Text becomes tokens
#
# A model computes with numbers, so text must become numbers first. One number per letter would make sequences very long;
# one per word would need a list of every word there is, and would fail on the first new name. The compromise is a list of
# *pieces*, called the **vocabulary**: frequent words are one piece, rare words are put together from several. A piece
# in use is a **token**, and its position in the vocabulary is its **id**.
#
# Here is a toy vocabulary, and a tokenizer that always takes the longest piece that fits. (The real method, byte-pair
# encoding, merges pairs of pieces in the order in which it learned them. The effect is similar.)

# %% tags=["nbval-check-output"]
toy_vocabulary = ["the", "house", "ru", "mah", "h", "o", "u", "s", "e", "r", "m", "a", "t", "k"]


def toy_tokens(word):
    """The pieces of a word, longest first."""
    pieces = []
    while word:
        piece = max((p for p in toy_vocabulary if word.startswith(p)), key=len)
        pieces.append(piece)
        word = word[len(piece) :]
    return pieces


for word in ("house", "rumah", "rumahku"):
    print(word, toy_tokens(word))

# %% [markdown]
# The vocabulary was made by somebody who had seen *the* and *house* often and *rumah* seldom. Nothing in it is hostile to
# Malay, and Malay still pays: two tokens against one for the same building. Now the real tokenizer, first on English.
# Each colour is one token, and a dot stands for a space.

# %% tags=["nbval-check-output"]
show.tokens(tokenizer, "The applicant has worked as a teacher in Seremban for five years.")

# %% tags=["nbval-check-output"]
show.tokens(tokenizer, "Pemohon bekerja sebagai guru di Seremban sejak lima tahun lalu.")

# %% [markdown]
# Look at *bekerja* and *sebagai*. Malay builds words from a root and affixes: *bekerja*, *pekerja* and *pekerjaan* all
# contain *kerja*, work. This vocabulary has no piece for the root. It is cut into *ker* and *ja*, neither of which means
# anything, and both of which occur in words that have nothing to do with work. So the model must first learn to put the
# root together before it can learn what the root means, and it saw little Malay to learn it from.
#
# What the model really receives are the ids. Turning them back gives the text without loss.

# %% tags=["nbval-check-output"]
sentence = "Saya ingin memohon pinjaman perumahan."
ids = tokenizer(sentence)["input_ids"]
print(ids)
print([tokenizer.decode([i]) for i in ids])
print("the vocabulary has", len(tokenizer), "pieces; back again:", tokenizer.decode(ids) == sentence)

# %% [markdown]
# ## What a Malay word costs
#
# The number of tokens per word is called the **fertility** of a tokenizer on a language. We compute it on pairs of
# sentences that mean the same.

# %% tags=["nbval-check-output"]
pairs = [
    ("I want to apply for a housing loan.", "Saya ingin memohon pinjaman perumahan."),
    (
        "The applicant has worked as a teacher in Seremban for five years.",
        "Pemohon bekerja sebagai guru di Seremban sejak lima tahun lalu.",
    ),
    (
        "The monthly instalment must be paid before the seventh day of the month.",
        "Ansuran bulanan hendaklah dibayar sebelum hari ketujuh setiap bulan.",
    ),
    ("The bank will check your salary slip.", "Pihak bank akan menyemak slip gaji anda."),
]


def tokens_per_word(text):
    """Tokens divided by the words between spaces."""
    return len(tokenizer(text)["input_ids"]) / len(text.split())


rows = [(malay, f"{tokens_per_word(english):.2f}", f"{tokens_per_word(malay):.2f}") for english, malay in pairs]
show.table(rows, ["sentence", "tokens per word, English", "tokens per word, Malay"])

# %% tags=["nbval-check-output"]
english_fertility = tokens_per_word(" ".join(english for english, _ in pairs))
malay_fertility = tokens_per_word(" ".join(malay for _, malay in pairs))
window = model.config.max_position_embeddings
print(
    f"English {english_fertility:.2f}, Malay {malay_fertility:.2f}: {malay_fertility / english_fertility:.1f} times as many tokens for a word"
)
print(
    f"the window of {window} tokens holds about {window / english_fertility:,.0f} English words, or {window / malay_fertility:,.0f} Malay ones"
)

# %% [markdown]
# Four sentences are not a measurement of a language; on a translated benchmark (FLORES) an earlier measurement of this kit
# found about 2.9 tokens per Malay word for this tokenizer, in the same region. The price is paid three times: each
# token costs one pass through the model, so Malay is *slower*; each fills a place in the window, so letters must be
# *shorter*; and a service that charges by the token is *dearer*. It is paid before the model has understood anything.
#
# **Exercise 02.1.** Write a Malay sentence of your own, of ten words or more, and compute its tokens per word. (Try one
# with *memperkenalkan* or *ketidakadilan*.)

# %%
answer = None  # your answer
lesson.check("02.1", answer)

# %% [markdown]
# ## The chat template
#
# A language model continues text. It knows nothing of “you” and “I”. A conversation is therefore written out as one text
# with marks that say who is speaking, in exactly the form that the model saw in its post-training. The form is
# called the **chat template**. Ours uses two special tokens, `<|im_start|>` and `<|im_end|>`. A first draft by hand:


# %% tags=["nbval-check-output"]
def draft_template(question):
    """One question as chat text: a first draft."""
    return f"<|im_start|>user\n{question}<|im_end|>\n<|im_start|>assistant\n"


print(draft_template("Apakah ibu negara Malaysia?"))

# %% [markdown]
# The text ends where the assistant is about to speak. That is the whole trick of a chat model: the most probable
# continuation of such a text is an answer. Now the template that came with the model:

# %% tags=["nbval-check-output"]
conversation = [{"role": "user", "content": "Apakah ibu negara Malaysia?"}]
chat_text = tokenizer.apply_chat_template(conversation, tokenize=False, add_generation_prompt=True)
print(chat_text)
print("the draft is the same:", chat_text == draft_template("Apakah ibu negara Malaysia?"))

# %% [markdown]
# Not the same. The makers put a *system message* in front whenever we give none, and so the model has been told, in
# English, who it is. A mistake in the template raises no error: the model only answers a little worse, and one looks
# for the cause everywhere else. So print the template of each new model once. Our second draft:

# %% tags=["nbval-check-output"]
system = "You are a helpful AI assistant named SmolLM, trained by Hugging Face"
second_draft = f"<|im_start|>system\n{system}<|im_end|>\n" + draft_template("Apakah ibu negara Malaysia?")
print("the draft is the same:", chat_text == second_draft)

prompt = models.prompt_ids(tokenizer, conversation)
print(len(prompt), "tokens; the first three are", prompt[:3], "=", [tokenizer.decode([i]) for i in prompt[:3]])

# %% [markdown]
# `<|im_start|>` is twelve characters and *one* token. A user who types these characters into a chat window
# could pretend to be somebody else, so a serving program must not turn a user's text into special tokens.
#
# ## From scores to probabilities
#
# For every token it has read, the model returns one number for each piece of the vocabulary: how well that piece would
# fit next. These scores are called **logits**. They may be negative and add up to nothing in particular. The **softmax**
# makes probabilities of them: raise *e* to each score, and divide by the sum. Three numbers first:


# %% tags=["nbval-check-output"]
def softmax(scores):
    """Scores to probabilities: all positive, sum 1."""
    powers = torch.exp(scores - scores.max())  # subtracting the largest changes nothing and avoids overflow
    return powers / powers.sum()


toy_scores = torch.tensor([2.0, 1.0, 0.0])
print([round(p, 3) for p in softmax(toy_scores).tolist()])
print([round(p, 3) for p in softmax(toy_scores + 100).tolist()], "after adding 100 to each score")

# %% [markdown]
# Only the *differences* between scores matter. A lead of 1 means *e* ≈ 2.7 times as probable, wherever the scores
# lie. Now the real thing: ids in, scores out.


# %% tags=["nbval-check-output"]
def next_scores(text):
    """The scores of the token that comes after `text`, and the shape of everything the model returned."""
    ids = torch.tensor([tokenizer(text)["input_ids"]], device=model.device)
    with torch.inference_mode():
        logits = model(ids).logits
    return logits[0, -1].float().cpu(), tuple(logits.shape)


english_scores, shape = next_scores("I want to buy a")
print(shape, "= one text, its tokens, and a score for each piece of the vocabulary")

# %%
show.next_tokens(tokenizer, softmax(english_scores), title="I want to buy a …")

# %% [markdown]
# This is what a language model is: not a sentence, but a *distribution* over what could come next. A car, a house,
# something new; all of them sensible. The same beginning in Malay:

# %%
malay_scores, _ = next_scores("Saya ingin membeli")
show.next_tokens(tokenizer, softmax(malay_scores), title="Saya ingin membeli …")

# %% [markdown]
# The bars are short, and the candidates are fragments and punctuation. A Malay speaker would expect *rumah*, *kereta*,
# *sebuah*. Part of this is the tokenizer's doing: a word that is cut into pieces shows only its first piece here, and the
# fragment “k” may be the beginning of *kereta*, or of a hundred other words.
#
# A single number says how undecided a distribution is: the exponential of its entropy, which is the number of equally
# probable options that would be just as undecided (it is also called perplexity). A fair die has 6.


# %%
def number_of_options(probabilities):
    """How many equally probable options would be as undecided as this distribution."""
    positive = probabilities[probabilities > 0]
    return float(torch.exp(-(positive * positive.log()).sum()))


print(f"a fair die:      {number_of_options(torch.full((6,), 1 / 6)):.1f}")
print(f"in English:      {number_of_options(softmax(english_scores)):.0f}")
print(f"in Malay:        {number_of_options(softmax(malay_scores)):.0f}")
print(f"knowing nothing: {number_of_options(torch.full((len(tokenizer),), 1 / len(tokenizer))):.0f}")

# %% [markdown]
# The model is not ignorant of Malay: it is far better than chance over the whole vocabulary. It is *more undecided* than in
# English. One beginning proves little, of course. What post-training does, seen from here, is to change these distributions.
#
# ## The loop that writes
#
# Generation is a loop: compute the scores, choose a token, put it at the end, repeat until the token that ends an answer.
# *Greedy* means choosing the most probable one. There is nothing else inside.

# %%
question = [{"role": "user", "content": "What is the capital of Malaysia?"}]
ids = torch.tensor([models.prompt_ids(tokenizer, question)], device=model.device)
start = ids.shape[1]
for _ in range(here.settings["chat_tokens"]):
    with torch.inference_mode():
        best = model(ids).logits[0, -1].argmax()
    ids = torch.cat([ids, best.view(1, 1)], dim=1)
    if best == tokenizer.eos_token_id:
        break

# %% tags=["nbval-check-output"]
by_hand = tokenizer.decode(ids[0, start:], skip_special_tokens=True).strip()
by_library = models.chat(model, tokenizer, question, max_new_tokens=here.settings["chat_tokens"])
print(by_hand)
print("the library says the same:", by_hand == by_library)

# %% [markdown]
# ## Sampling: temperature
#
# Greedy text is predictable and often repeats itself. Instead of the best token one can *draw* a token, each with its
# probability. The **temperature** shapes the distribution first: all scores are divided by it. Below 1 the leader gains,
# above 1 the field evens out, and towards 0 we are back at greedy.

# %% tags=["nbval-check-output"]
rows = []
for temperature in (0.25, 0.5, 1.0, 2.0, 4.0):
    probabilities = softmax(toy_scores / temperature)
    rows.append((temperature, *(f"{p:.3f}" for p in probabilities.tolist())))
show.table(rows, ["temperature", "score 2", "score 1", "score 0"])

# %% [markdown]
# ## Sampling: cutting the tail
#
# The vocabulary has tens of thousands of pieces, and nearly all are wrong at any moment. Each has a tiny probability,
# but together they have a large one, so sooner or later one is drawn and derails the sentence. Two cuts are common.
# **Top-k** keeps the k most probable tokens. **Top-p** keeps the smallest set whose probabilities reach p, and so keeps
# few tokens where the model is sure and many where it is not.


# %% tags=["nbval-check-output"]
def keep_top_k(probabilities, k):
    """Only the k most probable options, scaled to sum 1. `probabilities` are sorted, the largest first."""
    kept = torch.where(torch.arange(len(probabilities)) < k, probabilities, 0.0)
    return kept / kept.sum()


def keep_top_p(probabilities, p):
    """Only the smallest set of options that reaches p, scaled to sum 1. `probabilities` are sorted."""
    before = probabilities.cumsum(0) - probabilities  # what the more probable options have already
    kept = torch.where(before < p, probabilities, 0.0)
    return kept / kept.sum()


sure, unsure = torch.tensor([0.92, 0.05, 0.02, 0.01]), torch.tensor([0.30, 0.28, 0.22, 0.20])
rows = []
for name, options in (("sure", sure), ("unsure", unsure)):
    cuts = (options, keep_top_k(options, 2), keep_top_p(options, 0.9))
    rows.append((name, *("  ".join(f"{p:.2f}" for p in cut.tolist()) for cut in cuts)))
show.table(rows, ["the model is", "all options", "top-k, k = 2", "top-p, p = 0.9"])

# %% [markdown]
# Top-k keeps two options in both rows. Top-p keeps one where the model is sure and all four where it is not, which is
# what one wants. Now on the real model. A **seed** fixes the sequence of random numbers, so the same seed gives
# the same text on the same machine; without it, a result cannot be repeated and so cannot be discussed.


# %%
def write(seed, **options):
    """One sampled answer; `options` are those of `generate`."""
    torch.manual_seed(seed)
    request = [{"role": "user", "content": "Write one sentence about rain in Kuala Lumpur."}]
    return models.chat(model, tokenizer, request, max_new_tokens=here.settings["chat_tokens"], do_sample=True, **options)


first = write(1, temperature=1.0, top_k=0)
rows = [
    ("temperature 0.3", 1, write(1, temperature=0.3, top_k=0)),
    ("temperature 1", 1, first),
    ("temperature 1", 2, write(2, temperature=1.0, top_k=0)),
    ("temperature 2", 1, write(1, temperature=2.0, top_k=0)),
    ("temperature 2, top-p 0.5", 1, write(1, temperature=2.0, top_k=0, top_p=0.5)),
]
show.table(rows, ["how", "seed", "what it wrote"])

# %% tags=["nbval-check-output"]
print("the same seed writes the same text:", write(1, temperature=1.0, top_k=0) == first)

# %% [markdown]
# At temperature 2 the tail takes over, and the text falls apart into unrelated pieces. For decisions about people, this
# course always uses greedy: an applicant must not be refused by a die. Sampling has its place where variety is the aim,
# as in writing training examples.
#
# ## The key-value cache
#
# Our loop above wastes work. To choose the tenth token it ran the whole text through the model again, though the first
# nine tokens had not changed. In each layer a token looks back at earlier ones through two vectors that each of them offers,
# a *key* and a *value*. They do not depend on what comes later, so they can be kept. This store is the **KV cache**; with
# it, each step processes just one new token. Count the tokens that pass through the model, for a prompt of 4 and 3 new ones:


# %% tags=["nbval-check-output"]
def tokens_processed(prompt_length, new_tokens, cached):
    """How many tokens pass through the model until the last new one is chosen."""
    if cached:
        return prompt_length + new_tokens - 1
    return sum(prompt_length + step for step in range(new_tokens))


for prompt_length, new_tokens in ((4, 3), (200, 100), (2000, 200)):
    without, with_cache = tokens_processed(prompt_length, new_tokens, False), tokens_processed(prompt_length, new_tokens, True)
    print(f"prompt {prompt_length:5}, {new_tokens:3} new: {without:7,} tokens without a cache, {with_cache:5,} with it")

# %% [markdown]
# Now on the clock. The count of tokens does not translate into time one to one: a pass has a fixed price (every
# weight must be fetched from memory, whether for one token or fifty), so for short texts the gain is smaller than the count
# suggests, and for long ones it is enormous.


# %%
def seconds_to_write(use_cache):
    """Seconds for an answer of exactly `chat_tokens` tokens."""
    count = here.settings["chat_tokens"]
    request = [{"role": "user", "content": "Explain what a housing loan is."}]
    begin = time.perf_counter()
    models.chat(model, tokenizer, request, max_new_tokens=count, min_new_tokens=count, use_cache=use_cache)
    return time.perf_counter() - begin


times = [seconds_to_write(True), seconds_to_write(False)]
show.bars(["with the cache", "without"], times, title=f"Writing {here.settings['chat_tokens']} tokens", xlabel="seconds")

# %% [markdown]
# Time is bought with memory. The cache of a text has, for each layer, a tensor of keys and one of values. Here is the
# one for our question:

# %% tags=["nbval-check-output"]
prompt = torch.tensor([models.prompt_ids(tokenizer, question)], device=model.device)
with torch.inference_mode():
    cache = model(prompt, use_cache=True).past_key_values
print(len(cache.layers), "layers; keys of the first:", tuple(cache.layers[0].keys.shape), "values:", tuple(cache.layers[0].values.shape))
print("(texts, key-value heads, tokens, numbers per head), in", cache.layers[0].keys.dtype)
print("heads that ask:", model.config.num_attention_heads)

# %% [markdown]
# The model has nine heads that ask and only three that offer keys and values: three askers share one offer. This is
# called *grouped-query attention*. It divides the cache by three, and its only purpose is that memory.
#
# **Exercise 02.2.** How many bytes does the cache need for *each token* of a text? (Keys and values, all layers, the shapes
# above, four bytes per number.) When you have it, multiply by a window of 8,192 tokens and by twenty customers at once, and
# you know why a server for language models runs out of memory before it runs out of speed.

# %%
answer = None  # your answer
lesson.check("02.2", answer)

# %% [markdown]
# ## Number types: what two bytes leave out
#
# A floating-point number has bits for its *size* (the exponent) and bits for its *digits*. float32 has 8 and 23 of them,
# float16 has 5 and 10, bfloat16 has 8 and 7 (one more bit is the sign). So bfloat16 reaches as far as
# float32 and has fewer digits even than float16. PyTorch tells us what that means: `eps` is the step from 1 to
# the next number, `max` the largest number there is.

# %% tags=["nbval-check-output"]
rows = []
for dtype in (torch.float32, torch.bfloat16, torch.float16):
    limits = torch.finfo(dtype)
    rows.append(
        (str(dtype), limits.bits // 8, f"{limits.eps:.1e}", f"{limits.max:.1e}", f"{model.num_parameters() * limits.bits / 8 / 1e9:.2f}")
    )
show.table(rows, ["type", "bytes", "step after 1 (eps)", "largest number", "this model, GB"])

# %% tags=["nbval-check-output"]
small_step = 1 / 512
for dtype in (torch.float32, torch.bfloat16, torch.float16):
    weight = torch.tensor(1.0, dtype=dtype)
    print(dtype, "1 + 1/512 =", (weight + small_step).item(), "   300 × 300 =", (300 * torch.tensor(300.0, dtype=dtype)).item())

# %% [markdown]
# Both weaknesses are visible. In **bfloat16**, 1 + 1/512 is 1: the addition did not happen (and 300 × 300 comes
# out as 90,112). Training consists of
# millions of such small additions, and a weight that is kept in bfloat16 may simply not move. In **float16**, 300 × 300 is
# infinite, and one infinity in the scores makes the whole text meaningless. Libraries for graphics cards work around both
# (a float32 copy of the weights, a scaled loss). On a processor the simplest cure is float32.
#
# That is the half of the trap that concerns *exactness*. The other half is *speed*, and it must be measured on the machine
# at hand:

# %%
speeds = here.machine.speeds
show.bars(list(speeds), list(speeds.values()), title="Matrix product on this computer", xlabel="GFLOP/s")
print("plan:", here.plan.dtype, "·", here.plan.reasons["dtype"])

# %% [markdown]
# If the bars are close together, bfloat16 would cost you nothing but digits here. If the bar for bfloat16 is a stub, then
# this processor imitates it, and training would be many times slower without a word of warning: 4 instead of 126 tokens a
# second in an earlier measurement of this kit on another two-core machine. In both cases the plan's choice can be defended,
# and `models.load` asks for the type by name, so that the type of a published file never decides for you.
#
# ## Quantisation: four bits by hand
#
# Two bytes are not the end. A weight can be stored in **four bits**, which is one of sixteen values, if many
# weights share a ruler. The method of our GGUF file is called Q4_1. It takes weights in blocks of 32 and stores for each
# block the smallest value (the *minimum*) and the distance between two marks (the *scale*), both in two bytes, and for each
# weight only the number of the nearest mark, 0 to 15. A block of eight is enough to see it:


# %% tags=["nbval-check-output"]
def quantise(block):
    """A block of numbers as marks 0–15 on a ruler: `(marks, scale, minimum)`, as in GGUF's Q4_1."""
    minimum, scale = block.min(), (block.max() - block.min()) / 15
    return torch.round((block - minimum) / scale).to(torch.uint8), scale, minimum


def restore(marks, scale, minimum):
    """The numbers that the marks stand for."""
    return marks * scale + minimum


toy_block = torch.tensor([-0.30, -0.12, -0.05, 0.00, 0.02, 0.11, 0.26, 0.45])
marks, scale, minimum = quantise(toy_block)
print("marks:   ", marks.tolist(), f"  scale {scale:.3f}, minimum {minimum:.2f}")
print("restored:", [f"{v:.2f}" for v in restore(marks, scale, minimum).tolist()])
print("largest error:", f"{(restore(marks, scale, minimum) - toy_block).abs().max():.3f}", "of at most half a scale,", f"{scale / 2:.3f}")

# %% [markdown]
# Each number moves to the nearest mark, at most half a scale away. What decides the error is therefore the *range* of the
# block, and one unusual number is enough to ruin it. Add an outlier to see why blocks are short: it spoils its own
# block only.

# %% tags=["nbval-check-output"]
for name, block in (("as before", toy_block), ("with one outlier", torch.cat([toy_block, torch.tensor([6.0])]))):
    marks, scale, minimum = quantise(block)
    print(f"{name:17} marks {marks.tolist()}, mean error {(restore(marks, scale, minimum) - block).abs().mean():.3f}")

# %% [markdown]
# Now something for detectives. The model that we have loaded holds plain float32 numbers. But it came from a Q4_1 file, and
# a block of 32 weights that has gone through sixteen marks can have at most sixteen different values. Random numbers of the
# same kind have 32.

# %% tags=["nbval-check-output"]
real_block = model.model.layers[0].mlp.gate_proj.weight[0, :32].detach().cpu().clone()
torch.manual_seed(0)
print("different values in a block of weights:   ", len(real_block.unique()))
print("different values in a block of random ones:", len(torch.randn(32).unique()))
print("first eight weights:", [round(v, 4) for v in real_block[:8].tolist()])

# %% [markdown]
# The file is gone from memory, and its ruler can still be seen. Making the numbers float32 again did not bring the lost
# digits back: dequantised is not the same as original. This is worth remembering when two people compare “the same” model.
#
# How small does the file become? For a block of 32: 32 × 4 bits for the marks, and 2 × 16 bits for scale and minimum. The
# file itself tells which tensors are stored in which way.

# %% tags=["nbval-check-output"]
from collections import Counter

from gguf import GGUFReader

gguf_file = models.gguf_path(models.catalogue()["smollm2-135m"])
weights, sizes = Counter(), Counter()
for tensor in GGUFReader(gguf_file).tensors:
    weights[tensor.tensor_type.name] += int(tensor.n_elements)
    sizes[tensor.tensor_type.name] += int(tensor.n_bytes)
print("by hand:", (32 * 4 + 2 * 16) / 32, "bits per weight in Q4_1")
show.table(
    [(kind, f"{weights[kind]:,}", f"{sizes[kind]:,}", f"{8 * sizes[kind] / weights[kind]:.1f}") for kind in weights],
    ["stored as", "weights", "bytes", "bits per weight"],
)

# %% [markdown]
# Not all of it is four bits. The table of the vocabulary, which this model uses twice (to read tokens, and to score them),
# is kept at about eight (Q8_0), and the few normalisation weights are not quantised at all. “A four-bit model” is a figure of speech. The
# whole files:

# %% tags=["nbval-check-output"]
folder = models.safetensors_path(models.catalogue()["smollm2-135m"])
file_bytes = {"GGUF, mostly Q4_1": gguf_file.stat().st_size, "safetensors, float32": (folder / "model.safetensors").stat().st_size}
for name, size in file_bytes.items():
    print(f"{name:21} {size:11,} bytes, {8 * size / model.num_parameters():5.2f} bits per parameter")
print(f"the GGUF file is {file_bytes['safetensors, float32'] / file_bytes['GGUF, mostly Q4_1']:.1f} times smaller")

# %% [markdown]
# **GGUF** is the format of the llama.cpp family: one file with weights, tokenizer and settings, made to be *served* in its
# quantised form. **safetensors** is the format of the Hugging Face family: plain tensors and a header, made to be loaded
# and *trained*. Both contain nothing but data. Older checkpoints are Python *pickles*, and opening a pickle can run any
# program that its author put inside. The kit does not read them.
#
# ## Four ways to load
#
# From here on we load models again and again, so the one we have must go first: two models in memory are how a notebook of
# 2 GB is killed. Pointing its names at nothing lets go of it, and `gc.collect()` makes Python clean up at once.

# %%
model = cache = None
gc.collect()


def try_loading(name):
    """How long a model takes to load and what it answers, or the error in one line."""
    begin = time.perf_counter()
    try:
        candidate, its_tokenizer = models.load(name)
    except models.ModelError as error:
        return "–", str(error)
    seconds = time.perf_counter() - begin
    return f"{seconds:.1f} s", models.chat(candidate, its_tokenizer, question, max_new_tokens=here.settings["chat_tokens"])


# %% [markdown]
# The first way is an id of the kit's catalogue whose weights are embedded. The second is a folder with safetensors: what
# `save_pretrained` writes, what a colleague copies to you, what your own training will leave. The third is a GGUF file. (Ours
# is recognised by its fingerprint, so its conversion is found already done; a new file is converted once.)

# %%
ways = {"an id of the catalogue": "smollm2-135m", "a folder": folder, "a GGUF file": gguf_file}
show.table([(way, *try_loading(name)) for way, name in ways.items()], ["way", "loaded in", "answer"])

# %% [markdown]
# The same answer three times, as it should be: three doors to the same numbers.
#
# The fourth way is the **hub**, a public store of models, by `owner/name`, and `owner/name@revision` for one exact
# version. This is the way you will use most, because nearly every open model is there, and the one that fails
# most often in a classroom: no network, a firewall, a misspelt name, a licence to be accepted first. The next cell asks
# for the original of our model, before quantisation (0.27 GB in bfloat16). If the hub can be reached it is downloaded and
# answers; if not, you see the error that a learner should see, in one line, with what to do next.

# %%
show.table([("a model of the hub", *try_loading("HuggingFaceTB/SmolLM2-135M-Instruct"))], ["way", "loaded in", "answer"])

# %% [markdown]
# ## The catalogue
#
# Which model should one take? The catalogue lists a few candidates that fit a small machine. Look at three columns before
# any benchmark: the **licence** (may a bank use it? may you publish what you make of it?), the **languages** (has
# pre-training seen Malay at all?), and the memory that its size implies.

# %% tags=["nbval-check-output"]
rows = [
    (
        name,
        entry["source"],
        f"{entry['parameters'] / 1e6:,.0f} M",
        f"{entry['parameters'] * 4 / 1e9:.2f} GB",
        entry["licence"],
        entry["languages"],
    )
    for name, entry in models.catalogue().items()
]
show.table(rows, ["id", "where", "parameters", "in float32", "licence", "languages"])

# %% [markdown]
# The column of licences is a reminder and not legal advice: read the card of the model itself. “Open” has several meanings.
# Apache-2.0 asks for little more than that you keep the notice. “Gemma terms” and “Llama 3.2 terms” are contracts of their
# owners, with conditions on use. And a model that was trained further inherits the terms of the one it came from.
#
# ## When a way is closed
#
# A good error says what to do next. Here are four mistakes that people make: a misspelt id, a file that is not there, a
# file that is something else, and a folder in which weights are stored as a pickle.

# %%
import tempfile
from pathlib import Path

with tempfile.TemporaryDirectory() as place:
    (Path(place) / "letter.gguf").write_text("Tuan, saya ingin memohon pinjaman.")
    (Path(place) / "config.json").write_text("{}")
    (Path(place) / "pytorch_model.bin").write_bytes(b"a pickle")
    mistakes = ["smollm-135", "missing.gguf", f"{place}/letter.gguf", place]
    rows = [(Path(name).name, try_loading(name)[1].replace(place, "…")) for name in mistakes]
show.table(rows, ["asked for", "the kit says"])

# %% [markdown]
# ## What you can now do
#
# In this notebook we have taken a language model apart and put it together again. You can
#
# - show how a text is cut into tokens, and say what a Malay word costs with a given tokenizer;
# - write a chat template by hand, and find the difference between yours and the model's;
# - explain logits, softmax, temperature, top-k and top-p, and write the loop that generates text;
# - compute the memory of weights and of the KV cache, and say what the cache saves;
# - choose a number type by two arguments, exactness and measured speed;
# - quantise a block of weights, and recognise a model that has been quantised;
# - load a model from an id, a folder, a GGUF file or the hub, with its licence in view.
#
# ## What comes next
#
# - [07 · Fine-tune in Malay](07_fine_tune_in_malay.ipynb) changes the distributions that you have looked at here.
# - [11 · The mortgage desk](11_the_mortgage_desk.ipynb) lets the model *choose* among words of a letter instead of
#   writing freely, with the probabilities of this notebook as its confidence.
