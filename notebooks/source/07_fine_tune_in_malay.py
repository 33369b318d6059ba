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
# # 07 · Fine-tune in Malay
#
# In a few minutes on two cores, a model that babbles in Malay learns to do one piece of Malay office work: to read
# a home-financing letter.
#
# In this notebook we
#
# - say exactly what the work is, and let the model *quote* while code *computes*;
# - build a training set of letters and prove that no test letter has leaked into it;
# - see what one training document looks like, token by token, and which tokens count;
# - predict what a run will take, then fine-tune with LoRA, watching the training and the held-out loss as they fall;
# - measure before and after on forty letters that nothing was trained on, beside careful regular expressions, with
#   floors and intervals;
# - look at the mistakes that are left;
# - then tune the model for Malay in general, in two stages, and audit what it *forgets* on the way, with and without a remedy;
# - read what rank, layers and amount of data buy, from runs that were made ahead.
#
# **Before you start:** notebook 02 (tokens, chat template, logits); [06](06_lora_by_hand.ipynb) takes LoRA apart. **What it
# takes:** about a minute and a half in the
# `smoke` profile, 14 minutes and 2.2 GB of memory in the `laptop` profile on two cores.

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
here = lesson.start("07", profile, run_folder)

# %% [markdown]
# ## 1. The work
#
# A bank's clerk opens a letter. Nine facts matter: who applies, what they do and since when, what they earn, what they
# already owe, and which home they want, where, for how much and over how long. Let us look at one of the letters that
# we shall train on. The marked words are where a careful reader found the facts.

# %%
from helpers import show
from helpers.worlds.mortgage import fields, letters, task

example = letters.written("train")[55]
show.letter(example["letter"], example["answers"])

# %% [markdown]
# Nobody fills in a form here. Salaries appear as `2850 sebulan`, prices as `238k`, there is overtime that is *not*
# the salary, and two debts that must be added up. Rules for this can be written, and at the end we compare
# with somebody who wrote them with care. But people always find one more way to say a thing.
#
# ## 2. The model quotes, code computes
#
# We could ask the model for numbers. That fails in an instructive way: a model of 135 million parameters that
# has to *write* 730 after reading `310 dgn 120` is doing mental arithmetic in a foreign language. So we never ask
# it to compute. The model points at words; ordinary code reads what the words say. First the code half, on its own:

# %% tags=["nbval-check-output"]
from helpers.malay.quantities import find_amounts, find_durations

for words in ["RM4.5k sebulan", "empat ribu lima ratus ringgit", "RM54,000 setahun", "antara RM4,000 dan RM4,500", "suku juta"]:
    amount = find_amounts(words)[0]
    print(f"{words:32} → RM{amount.monthly():>10,.2f}")
for words in ["30 tahun", "tiga puluh lima tahun", "2 tahun setengah", "360 bulan"]:
    print(f"{words:32} → {find_durations(words)[0].years:g} years")

# %% [markdown]
# Reading an amount needs no model at all. What needs one is knowing *whose* amount it is: salary, rent, a husband's pay,
# a price that was corrected two words later. That is the division of labour of the whole course:
# **the language model reads, code computes, a person approves.**
#
# The model's half is an answer of a fixed form. Four lines quote words. Then it walks through every sum and every length
# of time that the letter mentions, with two words of context, and gives each a label: `gaji` (pay), `hutang` (debt),
# `harga` (price), `tempoh` (tenure), `kerja` (time in the job) or `lain` (something else).

# %% tags=["nbval-check-output"]
quotes = fields.target_quotes(example["letter"], example["answers"])
right_answer = fields.write_answer(example["letter"], quotes)
print(right_answer)

# %% [markdown]
# Why labels, and not “find the salary”? Because the question *what is this figure?* can be answered where the figure
# stands, and a small model is better at looking around than at searching. Sums come for free: two figures labelled
# `hutang` are added by code. And every value can be traced to the words it came from:

# %%
found, confidence = fields.parse_answer(right_answer)
facts = fields.evidence(example["letter"], found)
show.table(
    [(name, fact and fact["value"], fact and " + ".join(fact["quotes"])) for name, fact in facts.items()], ["field", "value", "read from"]
)

# %% [markdown]
# A quote that the letter does not contain is thrown away. The model *cannot* invent a salary: at worst it mislabels one.
#
# ## 3. The training set
#
# Three sources, all written for this kit (see the data card in `docs/data-letters.md`): letters written one by one, the
# same letters with other figures, names and places, and letters composed from banks of phrases in four registers.

# %%
rows = task.training_rows(here.settings["examples"], seed=0)
test_rows = letters.written("test")[: here.settings["test_letters"]]
print(f"{len(rows)} letters to train on, {len(test_rows)} to test with\n")
for row in letters.generate(2, seed=5):
    print(f"[{row['voice']}; {', '.join(row['features'])}]\n{row['letter']}\n")

# %% [markdown]
# ### Has anything leaked?
#
# A test that shares sentences with the training set measures memory. Two checks, cheap and blunt: does any run of
# seven words of a test letter occur in a training letter, and does anybody's full name occur in both?


# %%
def word_runs(text, length=7):
    words = text.lower().split()
    return {" ".join(words[i : i + length]) for i in range(len(words) - length + 1)}


training_runs = set().union(*(word_runs(row["letter"]) for row in rows))
shared = {run for row in letters.written("test") for run in word_runs(row["letter"]) & training_runs}
names = {fields.fold(r["answers"]["applicant_name"]["value"]) for r in rows if r["answers"]["applicant_name"]}
both = {fields.fold(r["answers"]["applicant_name"]["value"]) for r in letters.written("test") if r["answers"]["applicant_name"]} & names
print(f"{len(training_runs):,} runs of seven words; shared with the test letters: {len(shared)}; names in both: {len(both)}")
assert not shared and not both

# %% [markdown]
# ## 4. One training document
#
# A document is the conversation in the model's own chat template, then the right answer. The model is trained to
# predict the answer only: it need not learn to *write* letters. And not every token of the answer is worth
# the same. Copying the words before a label is no decision, since a decoder can force it; the label is. Let us see the weights.

# %%
from helpers import models

model, tokenizer = models.load(here.plan.model, device=here.plan.device)
examples = task.examples(tokenizer, rows, here.settings["longest"])
one = task.examples(tokenizer, [example])[0]
answer_ids = one.input_ids[one.prompt_length :]
show.table(
    [(repr(tokenizer.decode([token])), weight) for token, weight in list(zip(answer_ids, one.weights))[:36]],
    ["token of the answer", "weight in the loss"],
)

# %%
tokens_in_all = sum(len(e) for e in examples)
decisions = sum(weight == 1.0 for e in examples for weight in e.weights)
print(f"{len(examples)} documents, {tokens_in_all:,} tokens; {decisions:,} of them are decisions ({decisions / tokens_in_all:.0%})")
print(
    f"the longest has {max(map(len, examples))} tokens; letters of more than {here.settings['longest']} were left out, since the longest one sets the peak of memory"
)

# %% [markdown]
# ## 5. Before: what the open model makes of it
#
# Fair is fair: the untrained model gets the same instruction. It first writes freely, as in notebook 00. Then it may
# only *choose*: every line must be one of the possible quotes and labels, so its answer always has the right form.

# %%
from helpers import evaluation
from helpers.agents import backends, reading

few = test_rows[: here.settings["base_letters"]]
base_free = evaluation.read_all(few, reading.ModelReader(backends.InProcess(model, tokenizer, constrained=False)), desc="base, free")
print(base_free[0].text[:400])

# %%
base_chosen = evaluation.read_all(few, reading.ModelReader(backends.InProcess(model, tokenizer)), desc="base, choosing")
base_scores = {"base, free": evaluation.score_readings(few, base_free), "base, choosing": evaluation.score_readings(few, base_chosen)}
for stage, scores in base_scores.items():
    print(f"{stage:16} fields right: {scores['fields']}")

# %% [markdown]
# Form is not meaning. Forced into the right form the model still picks much at random; you will see the dice's
# own score in the table below. What it lacks is not grammar but Malay office work.
#
# ## 6. LoRA
#
# We keep all 134.5 million weights frozen and add to each linear layer a pair of thin matrices, $W + \frac{\alpha}{r} B A$, with
# $A$ of $r × n$ and $B$ of $m × r$ (Hu and others, 2021). Only those are trained. `B` starts at zero, so the first step starts
# from exactly the open model. Notebook 06 builds this from nothing and proves it equal to PEFT, whose LoRA we use here.

# %%
from helpers import training

settings = training.Settings(evaluate_every=here.settings["look_every"])
tuned = training.with_lora(model, settings)
trainable = sum(p.numel() for p in tuned.parameters() if p.requires_grad)
print(f"rank {settings.rank}: {trainable:,} trainable numbers, {trainable / 134_515_008:.1%} of the model")

# %% [markdown]
# **Exercise 07.1.** The gate projection of a layer is a matrix of 576 × 1536. How many numbers does a LoRA of rank 16 add
# to it?

# %%
answer = None  # your answer, a whole number
lesson.check("07.1", answer)

# %% [markdown]
# ## 7. Train
#
# Before anything runs, the cost. Memory follows from shapes: what the process holds already, LoRA and its optimiser, and the
# buffers of the largest group of letters that goes through the model at once. Time is the number of multiplications
# over the speed that notebook 00 measured. A run that will not fit is refused *here*, with the setting that would fit, not
# after twenty minutes.

# %%
from helpers.training import estimate

print(estimate.estimate(tuned, examples, settings, speed=here.machine.speeds["float32"]))
try:
    estimate.estimate(tuned, examples, settings, speed=here.machine.speeds["float32"], available=1_000_000_000)
except estimate.DoesNotFit as refusal:
    print("\nand with 1 GB:", refusal)

# %% [markdown]
# Where does a step lose time? Padding: letters differ in length, and the usual batch fills them up to the longest. The output
# layer: 49,152 scores at every position, most of which predict nothing that we train. And bookkeeping: the usual LoRA layers
# write down every intermediate result and read it again. So here letters lie one after the other without padding, each seeing
# only itself; the output layer is applied only where a token of the answer is predicted; and a decoder layer is a forward and a
# backward pass written by hand (`helpers/training/fused.py`, 200 lines; the gradients are those that you derived in notebook
# 06). None of this changes the result: tests hold loss and every gradient to PEFT's, to a ten-thousandth.
#
# One pass over the letters. The pale line is each step's loss, the dark one its running mean, the dots the loss on ten
# development letters that are *not* trained on; the scale is logarithmic. If you stop the kernel half-way and run this
# cell again, it goes on from the last checkpoint, and ends with the same adapter as if it had never stopped.

# %%
development = task.examples(tokenizer, letters.written("dev")[: here.settings["dev_letters"]])
live = show.LiveCurve()
result = training.finetune(tuned, tokenizer, examples, here.folder / "adapter", settings, callbacks=[live.callback()], held_out=development)
print(f"{result.tokens:,} tokens in {result.seconds / 60:.1f} minutes: {result.tokens / result.seconds:.0f} tokens a second")

# %%
show.curve(result.curve, title="Learning to read Malay letters", ylabel="loss per decision", held_out=result.held_out)

# %% [markdown]
# The first steps fall steeply: that is the *form* of the answer. The long slope after them is the work itself. Where the
# dots stop falling while the line still falls, the model has begun to learn letters by heart; `patience` in the
# settings stops a run there and keeps its best checkpoint.
#
# ## 8. After
#
# The same letters, the same choosing, the adapter merged into the weights. Beside it stand two floors (dice, and
# saying nothing), regular expressions written with care by somebody who saw the training and development letters, and
# the checkpoint that ships with the kit: the same recipe, given more letters and more time.

# %%
import gc

del model, tuned
gc.collect()
model, tokenizer = models.load(here.plan.model, device=here.plan.device, adapter=here.folder / "adapter")
here_readings = evaluation.read_all(test_rows, reading.ModelReader(backends.InProcess(model, tokenizer)), desc="tuned here")

# %%
del model
gc.collect()
shipped_readings = None
if lesson.SHIPPED.exists():
    model, tokenizer = models.load(here.plan.model, device=here.plan.device, adapter=lesson.SHIPPED)
    shipped_readings = evaluation.read_all(test_rows, reading.ModelReader(backends.InProcess(model, tokenizer)), desc="shipped")

# %%
readings = {
    "nothing": evaluation.read_all(test_rows, reading.SilentReader(), progress=False),
    "dice": evaluation.read_all(test_rows, reading.RandomReader(), progress=False),
    "rules": evaluation.read_all(test_rows, reading.RulesReader(), progress=False),
    "tuned here": here_readings,
    "shipped": shipped_readings,
}
scores = base_scores | {stage: evaluation.score_readings(test_rows, found) for stage, found in readings.items() if found}
for stage, values in scores.items():
    board = here.record(stage, **values)

# %%
from helpers.evaluation import scoreboard

stages = ["fields", "letters", *(f"field:{field.name}" for field in fields.FIELDS)]
header, lines = scoreboard.rows(board, stages)
show.table(lines, header)

# %%
order = [stage for stage in ("nothing", "dice", "base, free", "base, choosing", "rules", "tuned here", "shipped") if stage in scores]
values = [scores[stage]["fields"].value for stage in order]
intervals = [(scores[stage]["fields"].low, scores[stage]["fields"].high) for stage in order]
show.bars(order, values, title="Fields right on the test letters", xlabel="share, with 95% interval", intervals=intervals)

# %% [markdown]
# Read the intervals before the averages. The nine fields of a letter stand and fall together, so the interval is drawn
# over letters, not fields (a bootstrap): forty letters say less than three hundred and sixty fields seem to. And look at
# the rules: where they are as good as the model or better, a bank that has only these letters should use the
# rules. What rules do not give is a *probability*, and what they cost shows when the next wording comes along.
#
# ## 9. What is left
#
# Averages hide what went wrong. Here are mistakes of the better adapter, with how sure it was of each.

# %%
best = "shipped" if shipped_readings and scores["shipped"]["fields"].value >= scores["tuned here"]["fields"].value else "tuned here"
marks = evaluation.field_marks(test_rows, readings[best])
mistakes = [
    (row["id"], name, found.fields[name] and found.fields[name]["quotes"], row["answers"][name] and row["answers"][name]["quotes"], f"{found.confidence.get(name, 0):.2f}")
    for row, found, mark in zip(test_rows, readings[best], marks) for name, right in mark.items() if not right
]  # fmt: skip
show.table(mistakes[:15], ["letter", "field", f"{best} quoted", "right", "sure"])

# %% [markdown]
# ### Does it know when it does not know?
#
# Each answer has a probability: the product of the model's own probabilities wherever it had a choice. Sorted into five
# groups, the mean probability should match the share that is right. The distance between the two is the expected
# calibration error. A desk that refers unsure cases to a person lives on this.

# %%
groups, error = evaluation.calibration(test_rows, readings[best])
rows_shown = [(f"{sure:.2f}", f"{right:.2f}", count) for sure, right, count in groups]
print(f"expected calibration error of {best}: {error:.3f}")
show.table(rows_shown, ["mean probability", "share right", "fields"])

# %% [markdown]
# ## 10. Malay in general: first prose, then answers
#
# The desk needed one skill. A model that *writes* Malay needs the language, and the usual way there has two stages:
#
# 1. **adaptation** to running text: the same objective as pre-training, every token predicted, on Malay prose;
# 2. **supervised fine-tuning** on instructions with answers, so that it does what it is asked, in Malay.
#
# After each stage the yardstick of notebook 04 is laid to the model again, at a size that fits this notebook. To save time,
# only the top layers get LoRA here. What comes out of the frozen layers below never changes, so it is computed once, kept in a
# file, and read from there: a step then costs as much as on a model with a third of the layers.

# %%
from helpers.corpus import builtin
from helpers.evaluation import suite

del model
gc.collect()
model, tokenizer = models.load(here.plan.model, device=here.plan.device)
sizes = here.settings["stage_suite"]
stages = {"base": suite.measure(model, tokenizer, sizes)}
{name: str(score) for name, score in stages["base"].items() if name in ("bits_per_byte", "diagnostics", "retention", "purity")}

# %%
passages = suite.sample(builtin("prose", "train"), here.settings["stage_prose"])
prose = training.prose(tokenizer, [row["text"] for row in passages])
stage_settings = training.Settings(layers=here.settings["stage_layers"], learning_rate=5e-4, warmup_steps=5)
malay = training.with_lora(model, stage_settings)
held_out = training.prose(tokenizer, [row["text"] for row in builtin("prose", "dev")[: here.settings["dev_letters"]]])
live = show.LiveCurve()
adapted = training.finetune(malay, tokenizer, prose, here.folder / "malay-prose", stage_settings, [live.callback()], held_out=held_out)
print(f"{adapted.tokens:,} tokens at {adapted.tokens / adapted.seconds:.0f} a second; held-out loss {adapted.held_out[-1][1]:.3f}")

# %%
stages["prose"] = suite.measure(malay, tokenizer, sizes)

# %% [markdown]
# Now instructions. A question and its answer become a conversation in the chat template, and only the answer is learnt.
# Nothing else changes: LoRA goes on from where the prose left it.


# %%
def as_documents(rows):
    """Questions with answers as training documents."""
    return [
        training.conversation(tokenizer, [{"role": "user", "content": row["instruction"]}, {"role": "assistant", "content": row["answer"]}])
        for row in rows
    ]


instructions = as_documents(suite.sample(builtin("instructions", "train"), here.settings["stage_instructions"]))
instructions = [document for document in instructions if len(document) <= 320]
print(len(instructions), "conversations,", sum(map(len, instructions)), "tokens")

# %% [markdown]
# ### The remedy against forgetting
#
# A model that is trained on Malay alone may lose its English: the same weights are bent to a new purpose, and nothing
# pulls them back. The oldest remedy is **replay** (or rehearsal): mix in some of what must not be lost. We train twice from
# the same start, once on the Malay conversations, and once with English ones mixed in.

# %%
import random

english = as_documents(suite.sample(builtin("replay"), here.settings["stage_replay"]))
mixed = instructions + english
random.Random(0).shuffle(mixed)
for name, documents in {"instructions": instructions, "instructions + replay": mixed}.items():
    malay = model = None
    gc.collect()
    malay, _ = models.load(here.plan.model, device=here.plan.device, adapter=here.folder / "malay-prose", merge=False)
    live = show.LiveCurve()
    training.finetune(malay, tokenizer, documents, here.folder / name.replace(" + ", "-"), stage_settings, [live.callback()])
    stages[name] = suite.measure(malay, tokenizer, sizes)

# %% [markdown]
# ## 11. The forgetting audit
#
# One row a stage. Read it column by column: bits per byte and diagnostics say what was gained in Malay, `retention` what was
# lost of the English that the open model knew, each with its interval and its floor.

# %%
shown = ["bits_per_byte", "diagnostics", "retention", "chrf", "purity"]
for name, scores_of_stage in stages.items():
    here.record(f"malay: {name}", **scores_of_stage)
show.table([(name, *(str(found[metric]) for metric in shown if metric in found)) for name, found in stages.items()], ["stage", *shown])

# %%
names_of_stages = list(stages)
kept = [stages[name]["retention"] for name in names_of_stages]
show.bars(
    names_of_stages, [score.value for score in kept], title="English questions still answered",
    xlabel="share right, with 95% interval", intervals=[(score.low, score.high) for score in kept],
)  # fmt: skip

# %%
before, plain, replayed = (stages[name]["retention"] for name in ("base", "instructions", "instructions + replay"))
for name, score in {"without replay": plain, "with replay": replayed}.items():
    overlap = (
        "the intervals overlap: too few questions to tell"
        if score.high >= before.low and before.high >= score.low
        else "they do not overlap"
    )
    print(f"{name:15} {score.value - before.value:+.1%} against the open model; {overlap}")

# %% [markdown]
# Whatever the sign of these numbers in your run, their intervals are part of them. A small LoRA on the top layers, trained for
# minutes, has little room to forget: most weights were never touched. The audit earns its keep when training gets longer, and
# it costs a minute.
#
# ## 12. What a setting buys
#
# Which rank? How many layers? How much data? Every course has opinions here. The table has measurements, made ahead with
# `python -m helpers ablations` on two cores: the letters of section 3, one change at a time, scored on the thirty development
# letters. The minutes are those at the speed that each setting reached when nothing else ran.

# %%
import json

table = json.loads(lesson.ABLATIONS.read_text(encoding="utf-8"))
rows_of_table = [
    (name, run["documents"], f"{run['minutes']:.1f}", f"{run['loss']:.3f}", f"{run['fields']:.0%} ({run['low']:.0%}–{run['high']:.0%})", f"{run['megabytes']:.0f}")
    for name, run in table["letters"].items()
]  # fmt: skip
show.table(rows_of_table, ["run", "letters", "minutes", "held-out loss", "fields right", "MB"])

# %%
runs = table["letters"]
show.bars(
    list(runs), [run["fields"] for run in runs.values()], title="Fields right on the development letters",
    xlabel="share, with 95% interval", intervals=[(run["low"], run["high"]) for run in runs.values()],
)  # fmt: skip

# %% [markdown]
# Read down the column of minutes, then the column of fields, and keep an eye on the intervals: rows whose intervals overlap
# much are not different, whatever their averages say.
#
# **Exercise 07.2.** You have no more than two thirds of the first row's minutes. Which run of the table loses the least of its
# fields? Write its name.

# %%
answer_2 = None  # a name of the table, as text
lesson.check("07.2", answer_2)

# %% [markdown]
# The same was done with section 10's first stage, with every passage of the training split: on all layers, on the top ones, and with a tokenizer that
# has first learnt 1,000 Malay pieces as in notebook 03. Bits per byte can be compared across tokenizers, losses cannot.

# %%
prose_rows = [
    (name, f"{run['minutes']:.1f}" if "minutes" in run else "0", run.get("tokens", 0), *(
        f"{run[m]['value']:.3g} ({run[m]['low']:.3g}–{run[m]['high']:.3g})" for m in ("bits_per_byte", "retention")))
    for name, run in table["prose"].items()
]  # fmt: skip
show.table(prose_rows, ["run", "minutes", "tokens", "bits per byte", "English still known"])

# %% [markdown]
# Look at the tokens first: a tokenizer that knows Malay reads the same passages in fewer steps. Whether that pays after so little
# training, with a thousand rows of the embedding still nearly new, is what the bits per byte say.
#
# ## 13. Leave it for the next notebook
#
# The adapter is a plain PEFT folder: about twenty megabytes, half of that in fp16, that anybody can load on top of the same open model. We add a model
# card, and keep the readings so that notebook 11 can compare the served model with this one. Which adapter the desk
# should use is *not* chosen by the test letters, which would spend them; it is chosen by the development letters.

# %%
dev_rows = letters.written("dev")[: here.settings["dev_letters"]]
dev_scores, malay = {}, None
for stage, folder in {"tuned here": here.folder / "adapter", "shipped": lesson.SHIPPED}.items():
    if folder.exists():
        model = None
        gc.collect()
        model, tokenizer = models.load(here.plan.model, device=here.plan.device, adapter=folder)
        found = evaluation.read_all(dev_rows, reading.ModelReader(backends.InProcess(model, tokenizer)), desc=f"development: {stage}")
        dev_scores[stage] = evaluation.score_readings(dev_rows, found)["fields"]
        print(f"{stage:12} {dev_scores[stage]}")

# %%
from helpers import checkpoint
from helpers.training import cards

chosen = max(dev_scores, key=lambda stage: dev_scores[stage].value)
card_lines = [
    f"fields right on {len(test_rows)} test letters: {scores['tuned here']['fields']}",
    f"rules on the same letters: {scores['rules']['fields']}",
]
data_line = f"{len(examples)} {checkpoint.DATA}"
card = cards.model_card(
    "Mortgage reader, tuned in notebook 07", checkpoint.WHAT, settings, [result], card_lines, data_line, checkpoint.LIMITS
)
(here.folder / "adapter" / "README.md").write_text(card, encoding="utf-8")
handed_on = {"adapter": chosen, "readings": {row["id"]: found.values() for row, found in zip(test_rows, readings[chosen])}}
(here.folder / "readings.json").write_text(json.dumps(handed_on, ensure_ascii=False), encoding="utf-8")
board = here.record("tuned here", minutes=round(result.seconds / 60, 1))
print("The desk will use:", chosen)

# %% [markdown]
# ## What you can now do
#
# You can turn office work into a task that a small model can learn: let it point and label, let code compute. You can
# build a training set from few written examples and check it against leaks, fine-tune on a laptop, and report the
# result with floors, a serious baseline, and intervals, including the cases where the baseline wins. You can adapt a model
# to Malay in stages, audit what it forgets, and read an ablation table before you spend an afternoon on a setting.
#
# Your own data goes through the same code in one command, `python -m helpers finetune --in soalan_lazim.csv --out runs/mine`:
# it finds question and answer, holds a tenth out, says what it will take, stops early, and leaves an adapter with its card.
#
# **What it cannot do.** This adapter reads one kind of letter. It has learnt no conversation: ask it anything else in
# Malay and it will try to quote. That is the trade of a small model: utility at one desk, not knowledge of the world.
#
# ## What comes next
#
# [11 · The mortgage desk](11_the_mortgage_desk.ipynb) puts the adapter to work: documents in, a reasoned recommendation out, and a
# person who approves.
