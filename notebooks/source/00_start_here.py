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
# # 00 · Start here
#
# In one sitting you meet a real open language model on your own computer, see what it can and cannot do in Malay, and
# learn what this course will do about it.

# %% [markdown]
# In this notebook we
#
# - measure this computer, and read the plan that follows from the measurements, with a reason for each choice;
# - estimate how long it would take to build this model from nothing here, and how long to adapt it;
# - load an open model with 135 million parameters and talk to it, in English and in Malay;
# - give it a letter of the kind a bank receives, and look closely at how it fails.
#
# **You need** some Python: functions, lists, dictionaries. No machine learning is assumed; each term is explained where
# it first appears. No account, no key and no graphics card are needed.
#
# | profile | time | peak memory |
# |---|---|---|
# | `smoke` (a test that everything runs) | half a minute | as laptop |
# | `laptop` (two cores, 2 GB) | about a minute | 1.3 GB |
#
# The first run on a computer takes longer, because it fetches the model's weights (98 MB) and converts them once.

# %%
# Find the kit, or install it where it is not (on Colab).
import pathlib, sys

sys.path[:0] = [str(p) for p in [pathlib.Path.cwd(), *pathlib.Path.cwd().parents] if (p / "helpers").is_dir()][:1]
try:
    from helpers import lesson
except ModuleNotFoundError:
    # %pip install --quiet "lepaslatih[course,data,agents,serving]==0.1.0"
    from helpers import lesson

# %% [markdown]
# The next cell holds the only two settings of a notebook. `profile` says how much work it may do: `smoke`, `laptop` or
# `gpu`. `run_folder` says where its results go; left empty, they go to a folder that all notebooks share.

# %% tags=["parameters"]
profile = "laptop"
run_folder = ""

# %%
here = lesson.start("00", profile, run_folder)

# %% [markdown]
# ## What this course proves
#
# A *foundation model* is a language model trained from nothing on a large part of the public text of the world. This first
# training is called **pre-training**. It is done once, by few, at great cost, and teaches a model how language goes on:
# which word is likely to follow which.
#
# **Post-training** is everything that happens afterwards: further training of the same numbers, on far less text, chosen
# with care. It teaches a model what *you* want from it: your language, your forms, your rules, your tone.
#
# **Deployment** is the rest of the way: the model answers behind an address, with limits on what it may do, a record of
# what it did, and a person who can say no.
#
# The claim of this course is that a country, a bank, an agency or a factory that wants a model of its own does not
# have to begin with pre-training. It can take an open model, one whose weights and licence allow it, and put its effort
# into post-training and deployment. You should not believe this because it is written here. You should be able to measure
# it on your own computer, including the places where it does *not* hold, and this is what the notebooks are for.

# %% [markdown]
# ## This computer, and a plan with reasons
#
# Before any model is loaded, the kit has looked at the computer it runs on. It asks for the *limits of this process*, not
# for the size of the machine: a notebook server may sit on a computer with sixty-four cores and allow you two of them. The
# upper rows of the table are what was found. The rows that begin with “plan” are what was decided, and the last column
# says why.

# %%
from helpers import machine, models, show

show.table(machine.table(here.machine, here.plan), ["what", "value", "why"])

# %% [markdown]
# Read the reasons, not only the values. A plan without reasons is a superstition: it works until it is carried to another
# computer, and then nobody knows which part to change. Three of the rows deserve a remark.
#
# - **threads**: a processor core does one thing at a time. Asking for more threads than there are cores makes them wait for
#   each other.
# - **micro_batch_tokens**: how much text is pushed through the model at once in training. More is faster, up to the point
#   where memory runs out and the process is killed. The number follows from the free memory.
# - **minutes**: not a promise but a prediction, computed from the measured speed. Notebook 07 will show how good it was.

# %% [markdown]
# ## The bf16 trap: measured, not assumed
#
# A model is millions of numbers, and a computer can store a number in several ways. **float32** uses four bytes.
# **bfloat16** and **float16** use two, and give up digits for it. Half the bytes ought to mean half the memory and perhaps
# twice the speed, and on a modern graphics card this is so. Many models are therefore published in bfloat16, and loading
# programs keep it that way without a word.
#
# A processor without instructions for bfloat16 has to imitate it: it widens each number, multiplies, and narrows the
# result again. On another two-core machine without such instructions, the same training that ran at 126 tokens a second in
# float32 ran at **4** in bfloat16 (an earlier measurement of this kit). Nothing crashes and no warning appears. It
# only takes thirty times as long, and the learner believes that this is how slow training is.
#
# A *matrix product* is what a model does nearly all the time. Here is how many thousand million operations per second
# (GFLOP/s) this computer reached in one, per type of number, when the run began. The matrices have the shape of a real
# layer of our model, because large square ones flatter a machine.

# %%
speeds = here.machine.speeds
show.bars(list(speeds), list(speeds.values()), title="Matrix product on this computer", xlabel="GFLOP/s (more is better)")

# %%
for name in ("bfloat16", "float16"):
    print(f"{name} runs at {speeds[name] / speeds['float32']:.2f} times the speed of float32 on this computer")
print("\nThe plan:", here.plan.dtype, "because", here.plan.reasons["dtype"])

# %% [markdown]
# On your computer the bars may be nearly equal, bfloat16 may win, or it may be so short that you can hardly see it. All
# three happen on machines that look the same from outside. That is the lesson: a second of measuring replaces
# an hour of wondering. Notebook 02 looks at what is lost inside the two-byte types.

# %% [markdown]
# ## Two ways to a model: how long each takes here
#
# How much work is pre-training? A rule of thumb that holds well says: **six operations for each parameter and each token**
# (Kaplan and others, 2020, [arXiv 2001.08361](https://arxiv.org/abs/2001.08361)). A *parameter* is one of the model's
# numbers; a *token* is a piece of a word. First with toy numbers: a model of 10 parameters that reads 100 tokens.


# %% tags=["nbval-check-output"]
def training_operations(parameters, tokens):
    """Operations of training a model from nothing, by the rule of six."""
    return 6 * parameters * tokens


training_operations(10, 100)

# %% [markdown]
# Now the real model. It has the number of parameters that stands in the kit's catalogue, and its makers report that it
# was trained on two trillion tokens ([model card of SmolLM2-135M](https://huggingface.co/HuggingFaceTB/SmolLM2-135M)).
# If this computer did nothing else, and always reached its measured best speed:

# %%
parameters = models.catalogue()["smollm2-135m"]["parameters"]
operations = training_operations(parameters, 2e12)
seconds = operations / (speeds["float32"] * 1e9)
print(f"{parameters:,} parameters and 2,000,000,000,000 tokens: {operations:.1e} operations")
print(f"pre-training here:  {seconds / 3600 / 24 / 365:,.0f} years")
print(f"post-training here: {here.plan.minutes} minutes ({here.plan.reasons['minutes']})")

# %% [markdown]
# And this is one of the *smallest* models that anyone publishes. The rule grows with both numbers, parameters and tokens,
# so a model a hundred times larger that reads ten times as much text needs a thousand times the work.
#
# The comparison is not quite fair, and you should know in which direction. Post-training does less work per token, because
# most of the parameters stay as they are. And it does not give the same thing: it *reuses* what pre-training built. A model
# that has hardly ever seen Malay does not become a Malay novelist in minutes. The question of this course is therefore a
# precise one: **how much useful work can be bought with the second number, when somebody else has paid the first?**

# %% [markdown]
# ## Loading an open model
#
# The model is **SmolLM2-135M-Instruct**, published by Hugging Face under the Apache-2.0 licence, which allows use, change
# and commerce. The word *Instruct* says that its makers have post-trained it once already, in English, to answer
# questions. Its weights travel inside an ordinary Python package, so that the course works where the model hub cannot be
# reached. The kit checks them against a known fingerprint (sha256) before it uses them.
#
# Loading gives two things: the **model**, which turns numbers into numbers, and the **tokenizer**, which turns text into
# numbers and back.

# %%
model, tokenizer = models.load("smollm2-135m", device=here.plan.device)

# %% tags=["nbval-check-output"]
parameter_count = sum(parameter.numel() for parameter in model.parameters())
print(f"{parameter_count:,} parameters in {model.config.num_hidden_layers} layers")
print(f"each number is stored as {model.dtype}, in {model.dtype.itemsize} bytes")

# %% [markdown]
# **Exercise 00.1.** How much memory do the weights of this model take, in gigabytes (1 GB is 10⁹ bytes)? Use the
# two numbers above. Then compare your answer with the sentence that the plan gives as its reason for the model.

# %%
answer = None  # your answer
lesson.check("00.1", answer)

# %% [markdown]
# ## A first conversation, in English
#
# `models.chat` puts a conversation into the form that the model was trained on, lets it write one token after another, and
# turns the tokens into text. At each step it takes the most probable token (this is called *greedy*), so the answer is the
# same each time. `chat_tokens` is the longest answer that the profile allows.


# %% tags=["nbval-check-output"]
def ask(question):
    """The model's answer to one question."""
    conversation = [{"role": "user", "content": question}]
    return models.chat(model, tokenizer, conversation, max_new_tokens=here.settings["chat_tokens"])


print(ask("What is the capital of Malaysia?"))

# %% [markdown]
# A correct sentence, from a file of 98 MB, without a connection to anything. Somewhere among those numbers stands that the capital of Malaysia is Kuala Lumpur.
#
# ## The same question, in Malay
#
# Now the question that a child in Kuala Lumpur would ask. The right answer is “Ibu negara Malaysia ialah Kuala Lumpur.”

# %%
print(ask("Apakah ibu negara Malaysia?"))

# %% [markdown]
# It does not answer. Let us be fair and try two more, one of them no more than a greeting.

# %%
for question in ("Selamat pagi! Apa khabar?", "Terangkan maksud pinjaman perumahan."):
    print("→", question)
    print(ask(question), end="\n\n")

# %% [markdown]
# This is called *babbling*: strings with the sound of Malay and no meaning, often one piece repeated until the limit. It is
# worth being exact about what has gone wrong. The model has not forgotten the capital: you have just seen it. It was
# trained on English text, so Malay words reach it as rare fragments, and after rare fragments it has no good idea of what
# comes next. It then takes the most probable token anyway, because it is built to go on. A model that does not know does
# not fall silent. It continues.
#
# Keep this output in mind. It is the honest *before* of the course.

# %% [markdown]
# ## A letter to a bank
#
# Questions about capitals are for demonstrations. A workplace has letters. Here is a short one from an applicant whom we
# have invented, first in English, with a question that any clerk answers at a glance.

# %%
english_letter = """I, Rosnah binti Ismail, a nurse in Taiping, am applying for a housing loan. \
My gross salary is RM4,100 a month and my car instalment is RM520 a month. \
The price of the terrace house is RM260,000 and I ask for a tenure of 30 years."""

print(ask(english_letter + "\n\nWhat is the gross salary of the applicant?"))

# %% [markdown]
# With the `laptop` profile the sentence is long enough to show two things at once. It *begins* with the right amount,
# which it found in the letter. Then it begins to calculate, nobody having asked for it, and the result is nonsense. Both
# observations shape the whole course: a small model can point at words in a document, and it must never be allowed to do
# the sums.
#
# The same letter and the same question in Malay:

# %%
malay_letter = """Saya, Rosnah binti Ismail, jururawat di Taiping, memohon pinjaman perumahan. \
Gaji kasar saya RM4,100 sebulan dan ansuran kereta saya RM520 sebulan. \
Harga rumah teres itu RM260,000 dan saya memohon tempoh bayaran balik selama 30 tahun."""

print(ask(malay_letter + "\n\nBerapakah gaji kasar pemohon?"))

# %% [markdown]
# The answer would be seven characters: RM4,100. They stand in the letter in the same form as in the English
# one. The model does not find them, because the words around them, *gaji kasar* and *berapakah*, lead nowhere.
#
# A bank that tried a model for ten minutes would stop here and conclude that small open models are useless for Malay, or
# that the country needs a foundation model of its own. Both conclusions are premature. What has been shown is that *this*
# model *before* post-training cannot do *this* task. The course measures what happens next.

# %% [markdown]
# ## What the course will do
#
# One piece of work runs through it: a **mortgage desk**. Letters come in, in formal Malay, in the Malay of a text
# message, or mixed with English. A recommendation goes out with its reasons, and a person approves it. The labour is divided
# three ways, and the division is the most important idea you will take home:
#
# | who | does what | why |
# |---|---|---|
# | the language model | reads: it points at the words that say what the salary is | language is what it is good at, after post-training |
# | ordinary code | computes: ratios, instalments, limits | sums must be right each time, and testable |
# | a person | decides | somebody has to answer for it |
#
# Because the model quotes instead of calculating, each figure can be shown at its place in the letter, and a quotation
# that does not stand in the letter is rejected by a single line of code.
#
# Every step leaves something that the next one uses (a data set, an adapter, a table of scores) in the folder that the
# start-up line named. Where you have not run the step before, the kit says so and takes a version that it ships with, so you
# can begin anywhere. And every step is measured the same way before and after, on letters that training never saw.

# %%
show.table(
    [
        ("00 · Start here", "this machine's plan, and the honest before", "you are here"),
        ("02 · Load an open model", "tokens, probabilities, memory, number types: what a model is made of", "any time"),
        ("07 · Fine-tune in Malay", "post-training on letters, with the curve live, and scores before and after", "the heart of it"),
        ("11 · The mortgage desk", "letters in, a reasoned recommendation out, a person approves", "what it is for"),
    ],
    ["notebook", "what happens there", ""],
)

# %% [markdown]
# ## What you can now do
#
# In this notebook we have measured a computer instead of trusting its label, and you can
#
# - say what separates pre-training, post-training and deployment, and estimate the work of the first with the rule of six;
# - read a plan and challenge it by its reasons;
# - explain why a two-byte number type may be a gift or a trap, and how to find out in a second;
# - compute the memory that a model's weights take;
# - load an open model, ask it something, and describe a failure precisely: babbling, calculating where it should quote.
#
# ## What comes next
#
# - [02 · Load an open model](02_load_an_open_model.ipynb) opens the model: what goes in, what comes out, what it costs.
# - [07 · Fine-tune in Malay](07_fine_tune_in_malay.ipynb) post-trains it. If you are impatient, go there now.
# - [11 · The mortgage desk](11_the_mortgage_desk.ipynb) puts the result to work.
