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
# # 04 · Measure first
#
# Before we change a model we build the ruler: every score of this course made by hand once, each with a floor below
# it and an interval around it, and then the column of the untouched model that all later columns are held against.
#
# In this notebook we
#
# - see how much of a score is luck, and put an interval around it;
# - ask what a coin would get, so that we never praise a coin;
# - measure how well a model predicts Malay, in bits per byte, from the probabilities of single tokens;
# - test grammar with pairs of sentences that differ in one spot;
# - score multiple choice in two ways, and watch the mark of one model change with the small print;
# - score what a model writes: chrF++ against a reference, and how Malaysian it is;
# - ask whether a model knows when it does not know;
# - write the first column of the scoreboard.
#
# **Before you start:** notebook 02 (tokens, logits, probabilities). You need no statistics beyond “share” and “mean”.
#
# | profile | time | peak memory |
# |---|---|---|
# | `smoke` | a minute | as laptop |
# | `laptop` (two cores) | 4 minutes | 1.5 GB |

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
here = lesson.start("04", profile, run_folder)

# %%
import math
import random

import matplotlib.pyplot as plt

from helpers import corpus, evaluation, models, show

# %% [markdown]
# ## 1. How much of a score is luck?
#
# A reader of letters gets 8 of 10 right: 80%. Another gets 7 of 10. Is the first one better? Suppose we *knew* that a
# reader is right four times out of five in the long run. We can let a computer play such a reader: for each
# letter it draws a random number, and it is right when the number is below 0.8. Then we examine it on ten letters,
# a thousand times over.


# %%
def examine(ability, letters, seed):
    """How many of `letters` a reader gets right who is right with probability `ability`."""
    rng = random.Random(seed)
    return sum(rng.random() < ability for _ in range(letters))


figure, axes = plt.subplots(1, 2, figsize=(8, 3.2), sharey=True)
for axis, letters in zip(axes, (10, 40)):
    results = [100 * examine(0.8, letters, seed) / letters for seed in range(1000)]
    axis.hist(results, bins=[x - 1.25 for x in range(40, 103, 5)], color=show.COLOURS[0])
    axis.set(title=f"{letters} letters, 1,000 exams", xlabel="score in %", xlim=(38, 103))
plt.show()

# %% [markdown]
# The same reader, the same ability, and marks from half right to all right. With forty letters the marks huddle closer
# together, but they still spread. A single exam shows us one bar of this picture and we do not know which. So a
# share is never reported alone: we add the range of abilities that would make such a result unsurprising.
#
# The formula that we use is Wilson's (1927). It asks: *for which true shares p does the measured share lie within 1.96
# standard errors?* The number 1.96 belongs to 95%. Solving that question for p gives two ends:


# %% tags=["nbval-check-output"]
def wilson_by_hand(right, n, z=1.96):
    """The two ends of Wilson's 95% interval for `right` of `n`."""
    p = right / n
    middle = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z * math.sqrt(p * (1 - p) / n + z**2 / (4 * n**2)) / (1 + z**2 / n)
    return middle - half, middle + half


for right, n in [(8, 10), (7, 10), (32, 40), (320, 400), (10, 10)]:
    low, high = wilson_by_hand(right, n)
    print(f"{right:3} of {n:3}: {right / n:6.1%}   somewhere between {low:.0%} and {high:.0%}")

# %% [markdown]
# Read the first two lines again. The intervals overlap almost wholly, so ten letters cannot tell these two readers apart. To
# halve an interval you need about four times as many letters. And ten out of ten is not 100%: the last line says
# how bad a reader may be and still have a lucky day.
#
# Does the interval keep its promise? We know the true ability here, so we can count how often the interval
# contains it. (This is a check you can do for any interval that you meet: simulate where the truth is known.)

# %% tags=["nbval-check-output"]
inside = 0
for seed in range(2000):
    low, high = wilson_by_hand(examine(0.8, 40, seed), 40)
    inside += low <= 0.8 <= high
print(f"the true 80% lay inside the interval in {inside / 2000:.1%} of 2,000 exams")

# %% [markdown]
# Near the promised 95%, and not exactly there: forty letters allow only whole numbers of right answers, so the share jumps. No
# interval for counts keeps its promise to the point; Wilson's stays close even when n is small or the share near 100%.
#
# From here on the kit does this for us. `evaluation.wilson` is the function above, and a test holds the two
# together. When the things that we count come in groups (nine facts from one letter stand and fall together) we draw whole
# *groups* again and again instead: the bootstrap. Look at the difference for the same 63 of 90.

# %% tags=["nbval-check-output"]
print("90 separate facts:          ", evaluation.wilson(63, 90))
groups = [(9, 9)] * 5 + [(3, 9)] * 4 + [(6, 9)]
print("10 letters of 9 facts each: ", evaluation.bootstrap(groups))

# %% [markdown]
# ## 2. What would a coin get?
#
# The second question to ask of any score is: *what does one get for nothing?* A test with four options gives 25%
# to somebody who cannot read. The kit comes with a diagnostic test of Malay. It has two kinds of items: pairs of
# sentences of which one is wrong, and questions with options. Let us see some, and let a coin take the test.

# %%
items = corpus.builtin("diagnostics")
phenomena = list(dict.fromkeys(row["phenomenon"] for row in items))
# One example of each phenomenon, a pair and a question in turn.
examples = [next(r for r in items if r["phenomenon"] == p and r["kind"] == kind) for p, kind in zip(phenomena, ("pair", "choice") * 5)]
show.table(
    [(r["phenomenon"], r.get("good") or r["question"], r.get("bad") or " / ".join(r["options"])) for r in examples],
    ["phenomenon", "good sentence, or question", "bad sentence, or options"],
)


# %%
def coin(row, rng):
    """A reader that cannot read: right with one chance in as many as there are options."""
    return rng.random() < 1 / (2 if row["kind"] == "pair" else len(row["options"]))


marks = [[coin(row, random.Random(f"{seed}{row['id']}")) for row in items] for seed in range(300)]
floor = evaluation.likelihood.chance(items)
plt.hist([100 * sum(m) / len(m) for m in marks], bins=range(29, 48), color=show.COLOURS[6])
plt.axvline(100 * floor, linestyle="--", color="#444")
plt.title(f"300 coins take the test of {len(items)} items")
plt.xlabel(f"score in % (dashed: the floor, {100 * floor:.1f})")
plt.show()

# %% [markdown]
# A model has learnt something about Malay when its whole interval lies above the dashed line, and not before. For
# the public benchmark MalayMMLU, whose 24,213 questions have two to five options, the floor is 38.02%. A score of
# 40 sounds like something there, and is next to nothing.
#
# A coin is the simplest reader that knows nothing. Lazy readers can do better than coins where a test is careless:
# by always taking the first option, or the longest. A good test gives them nothing. Let us check ours.

# %% tags=["nbval-check-output"]
choices = [row for row in items if row["kind"] == "choice"]
lazy = {
    "the first option": [row["answer"] == 0 for row in choices],
    "the longest option": [row["answer"] == max(range(len(row["options"])), key=lambda i: len(row["options"][i])) for row in choices],
    "the shortest option": [row["answer"] == min(range(len(row["options"])), key=lambda i: len(row["options"][i])) for row in choices],
}
for name, found in lazy.items():
    print(f"{name:20} {evaluation.wilson(sum(found), len(found))}")
print(f"{'dice':20} {100 * evaluation.likelihood.chance(choices):.1f}%")

# %% [markdown]
# ## 3. How surprised is the model? Bits per byte
#
# The most sensitive score needs no questions at all. Give the model a text and ask at every token: *how probable did you
# think this one was?* A token of probability 1/2 costs one bit to write down, 1/4 costs two bits, 1/1024 costs ten. A
# model that knows the language needs few bits. First the toy: a text of three tokens with made-up probabilities.

# %% tags=["nbval-check-output"]
toy = [("Selamat", 0.02), (" pagi", 0.40), (".", 0.50)]
bits = [-math.log2(probability) for _, probability in toy]
for (token, probability), cost in zip(toy, bits):
    print(f"{token!r:10} probability {probability:<5} costs {cost:.2f} bits")
text = "".join(token for token, _ in toy)
print(f"{sum(bits):.2f} bits for {len(text.encode())} bytes: {sum(bits) / len(text.encode()):.3f} bits per byte")

# %% [markdown]
# Now with the real model. `log_likelihoods` gives the natural logarithm of the probability of a text after a
# context; an empty context means the start of a text. Here is one sentence in English and in Malay:

# %%
model, tokenizer = models.load(here.plan.model, device=here.plan.device)


def bits_of(text):
    """The bits that the model needs for a text, and the tokens it has."""
    (value,) = evaluation.log_likelihoods(model, tokenizer, [("", text)])
    return -value.log_probability / math.log(2), value.tokens


for text in ["The clinic opens at eight in the morning.", "Klinik itu dibuka pada pukul lapan pagi."]:
    bits, tokens = bits_of(text)
    print(
        f"{bits:6.1f} bits, {tokens:2} tokens, {bits / tokens:5.2f} bits per token, {bits / len(text.encode()):.2f} bits per byte · {text}"
    )

# %% [markdown]
# Why divide by *bytes* and not by tokens, as the usual perplexity does? Because tokens differ between models. Notebook 03
# extends the tokenizer with Malay pieces: fewer tokens, each harder to guess, so that bits per token go up
# although nothing got worse. Bytes stay what they are. Bits per byte compare any two models on the same text.
#
# And the floor? (Lower is better here, so this is a floor to get *under*.) A reader that only knows how often each byte
# occurs in Malay; and, as a peer from another
# field, a compressor. Compressors are predictors too: what they predict well they write down in few bits.

# %%
import lzma

from helpers.evaluation import suite

prose = suite.sample(corpus.builtin("prose", "test"), here.settings["suite_prose"], "domain")
texts = [row["text"] for row in prose]
known = [row["text"] for row in corpus.builtin("prose", "train")]
print("domains held out for measuring:", sorted({row["domain"] for row in prose}))

# %%
# What the compressor needs for the new texts: both together, less what it needs for the known ones alone.
xz = 8 * (len(lzma.compress("".join(known + texts).encode())) - len(lzma.compress("".join(known).encode())))
floor = evaluation.likelihood.byte_floor(known, texts)
base_bits = evaluation.bits_per_byte(model, tokenizer, texts, floor=floor, progress="prose")
rows = [
    ("byte frequencies (floor)", floor),
    ("xz, having seen our training prose", xz / len("".join(texts).encode())),
    ("the open model", base_bits.value),
]
show.bars([name for name, _ in rows], [value for _, value in rows], title="Malay prose", xlabel="bits per byte (lower is better)")

# %% [markdown]
# All three are measured on passages from two domains that the training prose does not touch. The
# interval of the model's score, over passages, stands on the scoreboard below. Keep the number in mind: adaptation to
# Malay prose, in notebook 07, is nothing but pushing it down.
#
# ## 4. Grammar in pairs
#
# Bits per byte mix everything: spelling, topic, names. To ask about *one* thing, say prefixes, take two sentences that
# differ only there. Whoever knows the language finds the good one more probable, and so needs fewer bits for it. English has
# such a test in BLiMP
# (Warstadt and others 2020); ours works the same way. One pair, by hand:

# %%
pair = next(row for row in items if row["kind"] == "pair" and row["phenomenon"] == "affixes")
for which in ("good", "bad"):
    bits, tokens = bits_of(pair[which])
    print(f"{which:5} {bits:6.1f} bits · {pair[which]}")

# %% [markdown]
# Whole sentences are compared, not averages per token: both have nearly the same words, and what we ask is which of
# the two the model would rather have written. We shall do it for all pairs at the end.
#
# ## 5. One model, one test, five marks
#
# Multiple choice looks simple. It is where most published numbers go wrong. There are two families of protocols.
#
# *Likelihood of the answer*: put each answer behind the question and see which one the model finds most probable.
# Long answers have more tokens and so a lower probability; we divide by the number of characters.
#
# *First token*: list the answers as A, B, C, D in the prompt, and look at one thing only: which letter has the largest logit as
# the next token? This is how MalayMMLU is scored. It needs one pass, but the model must understand the game.
#
# Our multiple-choice items can be dressed as MalayMMLU questions, so we can watch what the details do.

# %%
from helpers.evaluation import public

asked = suite.sample(choices, max(1, here.settings["suite_items"] // 10), "phenomenon")
dressed = [
    {
        "prompt": row["question"] + "\n" + "\n".join(f"{letter}. {o}" for letter, o in zip("ABCDE", row["options"])),
        "options": row["options"],
        "key": "ABCDE"[row["answer"]],
        "subject": "Bahasa Melayu",
    }
    for row in asked
]
print(public.malaymmlu_prompt(tokenizer, dressed[0]))

# %%
spaced = [" A", " B", " C", " D", " E"]
protocols = {
    "likelihood of the answer": evaluation.score_items(model, tokenizer, asked, key="none")["items"],
    "first token, as MalayMMLU": public.score_malaymmlu(model, tokenizer, dressed)["malaymmlu"],
    "… the model renamed “llama”": public.score_malaymmlu(model, tokenizer, dressed, style="llama")["malaymmlu"],
    "… without the chat template": public.score_malaymmlu(model, tokenizer, dressed, style="plain")["malaymmlu"],
    "… the same, “ A” for “A”": public.score_malaymmlu(model, tokenizer, dressed, style="plain", letters=spaced)["malaymmlu"],
}
show.bars(
    list(protocols), [100 * s.value for s in protocols.values()], f"one model, {len(asked)} questions", "right in %",
    [(100 * s.low, 100 * s.high) for s in protocols.values()], 100 * protocols["first token, as MalayMMLU"].floor,
)  # fmt: skip

# %% [markdown]
# Nothing about the model changed between these bars, and the questions are the same: where two bars differ, the protocol did it.
# (The intervals say something else: how far *other* questions of this kind could move each bar.) “Renamed llama” is no joke:
# the official program moves the word
# *Jawapan:* to another place in the prompt when the letters “llama” occur in the model's **name**. A letter with a space
# before it is another token than the bare letter, and which one the model would write depends on the prompt. When
# two papers disagree about a model, look for such details first. A number without its protocol is not a number.
#
# Which letters did the model choose? A model that does not understand the game often has a favourite letter:

# %%
prompts = [public.malaymmlu_prompt(tokenizer, row) for row in dressed]
chosen = public.first_token(model, tokenizer, prompts, [len(row["options"]) for row in dressed])
counts = {letter: sum(public.LETTERS[index] == letter for index, _ in chosen) for letter in "ABCD"}
gold = {letter: sum(row["key"] == letter for row in dressed) for letter in "ABCD"}
show.table([(letter, counts[letter], gold[letter]) for letter in "ABCD"], ["letter", "chosen by the model", "right answer"])

# %% [markdown]
# To measure on MalayMMLU itself, load it from the hub or from a file of your own; the questions are not ours, so
# they do not come with the kit. Where neither is at hand this cell says so and the notebook goes on.

# %%
local_file = ""  # for instance "MalayMMLU_0shot.json"
try:
    questions = public.malaymmlu(local_file or None, n=20 if here.profile == "smoke" else 200)
    print("MalayMMLU:", public.score_malaymmlu(model, tokenizer, questions)["malaymmlu"])
except (OSError, ValueError) as reason:
    print("MalayMMLU is left out:", str(reason)[:160])

# %% [markdown]
# ## 6. Scoring what a model writes
#
# A translation can be right in many wordings. **chrF** counts how many short runs of *characters* a text shares with a
# reference, which suits a language that builds words from prefixes and suffixes: *membeli* and *dibeli* share
# the runs of *beli*. **Precision** is the share of the written runs that the reference has too, **recall** the share of the
# reference's runs that were written. By hand, for runs of three characters:


# %% tags=["nbval-check-output"]
def runs(text, length=3):
    """All runs of `length` characters of a text without its spaces."""
    text = text.replace(" ", "")
    return [text[i : i + length] for i in range(len(text) - length + 1)]


reference = "Kereta itu dibeli oleh ayah."
for written in ["Kereta itu dibeli ayah.", "Ayah membeli kereta itu.", "Mobil itu dibeli oleh ayah.", "Selamat pagi."]:
    shared = sum(run in runs(reference) for run in runs(written))
    precision, recall = shared / len(runs(written)), sum(run in runs(written) for run in runs(reference)) / len(runs(reference))
    print(f"precision {precision:.2f}  recall {recall:.2f}  chrF++ {evaluation.text.chrf([written], [reference]).value:5.1f}  {written}")

# %% [markdown]
# The last column is the real chrF++ (Popović 2017): runs of one to six characters and of one or two words, recall counting twice; it
# is sacrebleu's, so that our numbers can be compared with anybody's. Note the second line: a
# correct sentence in another order loses points. And the third: with the Indonesian word *mobil* it scores
# higher than the first, which is good Malay. For that we need another score.
#
# **Purity** asks how Malaysian a text is, against Indonesian. It looks for words on which the two languages differ
# and weighs them; 1 is Malaysian, 0 Indonesian. Where no such word is found, a language detector has the only say, and
# the score stays near 0.5.

# %%
from helpers.malay.purity import purity

for written in [
    "Saya mahu membeli kereta kerana pejabat saya jauh.",
    "Saya mau membeli mobil karena kantor saya jauh.",
    "Saya makan nasi.",
]:
    found = purity(written)
    print(f"{found.score:.2f}  {written}  ← {', '.join(word.text for word in found.words) or 'no telling word'}")

# %% [markdown]
# We know of no public benchmark that asks this, although a Malaysian reader notices it at once. Now let the model write. It is asked
# to translate, in Malay; its floor for chrF++ is to hand back the English sentence untouched. (What it writes is cut
# off after a set number of tokens, a small one in the smoke profile.)

# %%
pairs = corpus.builtin("parallel")[: 2 if here.profile == "smoke" else 4]
for row in pairs:
    message = {"role": "user", "content": f"Terjemahkan ayat ini ke dalam bahasa Melayu: {row['en']}"}
    written = models.chat(model, tokenizer, [message], max_new_tokens=here.settings["suite_tokens"])
    print(f"English    {row['en']}\nreference  {row['ms']}\nthe model  {written}\n")

# %% [markdown]
# ## 7. Does it know when it does not know?
#
# An officer can work with a model that is right three times out of four, if it *says* which quarter is doubtful. To check
# that, sort the answers by how sure the model was, cut them into groups, and compare: of the answers of which
# it was 60% sure, were about 60% right? The mean distance is the **expected calibration error**. The model is as sure of an option as its
# probability per character (the mark of section 5), made to sum to one over the options.


# %%
def shares_of_options(row):
    """How the model divides its belief among the options: probability per character, made to sum to one."""
    requests, _ = evaluation.likelihood.requests(row)
    values = evaluation.log_likelihoods(model, tokenizer, requests)
    weights = [math.exp(v.log_probability / len(option)) for v, option in zip(values, row["options"])]
    return [weight / sum(weights) for weight in weights]


# %%
points = []
for row in asked:
    shares = shares_of_options(row)
    points.append((max(shares), shares.index(max(shares)) == row["answer"]))
bins, error = evaluation.calibration_bins(points)
show.reliability(bins, error)

# %% [markdown]
# Points below the dashed line mean: surer than right; above it: right more often than sure. With few answers a point, most of the
# distance is luck (section 1). Notebook 07 makes the same comparison for the tuned reader of
# letters, and notebook 11 uses it to decide which cases go to a person.
#
# ## 8. What must not be lost
#
# Post-training can make a model forget. To notice, we ask a fixed set of easy English questions before and after. And for
# work there are scores that a citizen would understand: was the message sent to the right agency? Were the facts found?
# For facts we use F1, which punishes both inventing and overlooking. By hand, for a letter that states six facts, of
# which a reader gives five answers and four are right:

# %% tags=["nbval-check-output"]
stated, given, right = 6, 5, 4
precision, recall = right / given, right / stated
print(
    f"precision {precision:.2f}, recall {recall:.2f}, F1 {2 * precision * recall / (precision + recall):.3f} = {2 * right / (given + stated):.3f}"
)

# %% tags=["nbval-check-output"]
question = corpus.builtin("retention")[0]
message = corpus.builtin("routing")[0]
print(question["question"], question["options"])
print(message["message"], "→", message["agency"])

# %% [markdown]
# ## 9. The first column
#
# Everything above, on samples of the kit's own test sets (the profile says how large), for the model as we found it.
# `suite.measure` calls the functions that
# you have just seen; every score carries how many things were asked, its interval and its floor.

# %%
from helpers.evaluation import scoreboard

base_scores = suite.measure(model, tokenizer, here.settings)
board = here.record("base", **base_scores)
main = [name for name in base_scores if ":" not in name]
header, lines = scoreboard.rows({"columns": {"base": board["columns"]["base"]}}, main, floors=True)
show.table(lines, header)

# %% [markdown]
# How to read it: *bits per byte* and memory are better when lower, everything else when higher. Compare each score with its floor, not
# with 100. The test of Malay, phenomenon by phenomenon, with the floor of the whole test dashed
# (a phenomenon's own floor is 50% where it has pairs only, and 25% where it has questions only):

# %%
by_phenomenon = {name.split(":")[1]: score for name, score in base_scores.items() if name.startswith("diagnostics:")}
show.bars(
    list(by_phenomenon), [100 * s.value for s in by_phenomenon.values()], "the open model on ten phenomena of Malay", "right in %",
    [(100 * s.low, 100 * s.high) for s in by_phenomenon.values()], 100 * base_scores["diagnostics"].floor,
)  # fmt: skip
above = [name for name, score in by_phenomenon.items() if score.low > score.floor]
print("whole interval above its own floor:", ", ".join(above) or "none")

# %% [markdown]
# A caution about that last line: we looked at ten intervals. Each is wrong once in twenty times, upwards in half of
# these; so ten coins show at least one phenomenon “above its floor” in about one test of five (1 − 0.975¹⁰ = 0.22). Look for what
# returns when other questions are asked.
#
# The board is a JSON file in this run's folder, in a documented form (`helpers/evaluation/scoreboard.schema.json`). It remembers
# fingerprints of the test sets, and refuses to compare runs that were made with different ones.

# %%
small = ["diagnostics", "retention", "routing"]
show.scoreboard(
    scoreboard.load(here.folder / "scoreboard.json"), [m for m in small if m in base_scores], "the scoreboard so far (dashed: the floor)"
)

# %% [markdown]
# Others can measure *their* models on our questions with EleutherAI's `lm-eval`, which many laboratories use. One
# command writes the task files, and `benchmarks/lm_eval_check.py` compares the marks that both programs give one model.

# %%
from helpers.evaluation import lm_eval

for path in lm_eval.export(here.folder / "lm_eval_tasks"):
    print(path.name)

# %% [markdown]
# ## Exercises
#
# **04.1** A desk gets 90% of its letters right. How many test letters do you need until the 95% interval is at most
# ten points wide? Try numbers in `wilson_by_hand(round(0.9 * n), n)` in steps of ten.

# %%
answer = None  # your answer
lesson.check("04.1", answer)

# %% [markdown]
# **04.2** A quiz has 10 questions with two options, 20 with three and 20 with five. What is its floor, as a share?

# %%
answer = None  # your answer
lesson.check("04.2", answer)

# %% [markdown]
# ## What you can now do
#
# You can put an interval around a share, name the floor of any test, and say what bits per byte are and why bytes. You
# can write a minimal pair, score multiple choice in two ways and know why the two disagree, and you will ask of any
# published number: how many items, which floor, which protocol?
#
# ## What comes next
#
# [05 · Build the data](05_build_the_data.ipynb) turns a messy folder of office documents into a training set that you
# may use and can answer for.
