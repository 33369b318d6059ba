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
# # 05 · Build the data
#
# A folder of documents from a real kind of office (drafts, exports, scans, chats) becomes a training set that you may
# use, that holds nobody's identity number, and of which you can say what went out, and why.
#
# In this notebook we
#
# - read a messy folder without losing a line in silence;
# - clean what computers did to the text;
# - keep Malaysian Malay, and look at what the rest was;
# - find near-duplicates, first by hand and then by MinHash;
# - find and replace personal data, and measure how much of it we find;
# - ask of every document whether we may use it;
# - find exam questions in the training set, and take them out;
# - split without leaks, and write the data card.
#
# **Before you start:** notebook 00; nothing about models is needed. You can put a folder of your own in the place of ours.
#
# | profile | time | peak memory |
# |---|---|---|
# | `smoke` | 20 seconds | as laptop |
# | `laptop` (two cores) | 20 seconds | 0.6 GB |

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
my_folder = ""  # a folder of your own: CSV, JSONL, text, PDF

# %%
here = lesson.start("05", profile, run_folder)

# %%
from collections import Counter
from pathlib import Path

from helpers import corpus, evaluation, show
from helpers.corpus import pipeline, readers

office = Path(my_folder or corpus.DATA / "office")

# %% [markdown]
# ## 1. Read everything, and say what was not read
#
# The folder belongs to an invented district council, *Majlis Daerah Kuala Serindit*, and its cooperative. It was written
# for this kit and damaged on purpose, in the ways in which real folders are damaged. Here is what lies in it:

# %%
kinds = Counter(path.suffix.lower() or path.name for path in office.rglob("*") if path.is_file())
show.bars(list(kinds), list(kinds.values()), title=f"{sum(kinds.values())} files", xlabel="files")

# %% [markdown]
# The first rule of data work: *never skip in silence*. A program that ignores what it cannot read gives you a
# training set without the scanned pages, and nobody ever learns that the oldest records are missing. Our reader gives
# rows, one at a time, and a list of problems, each with the place and what to do about it.

# %%
problems = readers.Problems()
rows = list(readers.rows(office, problems=problems))
print(f"{len(rows)} rows from {len({row['source'] for row in rows})} files; {len(problems)} problems")
show.table([(p.source, p.where, p.why) for p in problems], ["file", "place", "what to do"])

# %% [markdown]
# A row is a dictionary: a text, an `id` that leads back to the very place, the file, and other columns. Exports come in many
# coats: one of these tables separates cells by semicolons and is written in the encoding of old Windows machines,
# another is UTF-16 as Excel writes it. The reader looks at the bytes, not at the file's name. Here are the first
# bytes of each table, and then a row:

# %%
for path in sorted(office.rglob("*.csv")):
    print(path.read_bytes()[:32], path.name)
table_row = next((row for row in rows if row["source"].endswith(".csv")), rows[0])
for key, value in table_row.items():
    print(f"{key:8}", str(value)[:150])

# %% [markdown]
# ## 2. Clean
#
# Computers damage text in typical ways. Text in UTF-8 that somebody opened as Windows text turns `“` into `â€œ`: this is
# called *mojibake*. The damage is a plain mistake of reading, and can be undone by making the opposite mistake. By hand:

# %% tags=["nbval-check-output"]
original = "Suhu 31°C – “Sila tutup paip"
damaged = original.encode("utf-8").decode("cp1252")
print(damaged)
repaired = damaged.encode("cp1252").decode("utf-8")
print(repaired, repaired == original)

# %% [markdown]
# Other damage: words broken at the end of a printed line (`pem-` / `bangunan`), page headers repeated in the middle of a
# sentence, HTML tags, the same legal disclaimer under every e-mail, invisible characters. And some rows are no text at all.
# One call does the step on our list, and tells what it dropped:

# %%
kept, dropped = pipeline.step("clean", rows)
steps = [("read", len(rows), 0), ("clean", len(kept), len(dropped))]
show.table([(row["source"], row["reason"], row["text"][:60]) for row in dropped[:8]], ["file", "why", "text"])

# %%
before = {row["id"]: row["text"] for row in rows}
changed = [row for row in kept if row["text"].split() != before[row["id"]].split()]
print(len(changed), "texts were changed in more than their spaces. Some of them, before and after:")
show.table([(before[row["id"]][:220], row["text"][:220]) for row in changed[::6]], ["before", "after"])

# %% [markdown]
# ## 3. Is it Malay, and whose Malay?
#
# A model that is to write to Malaysian citizens should learn from Malaysian Malay. Malay and Indonesian share most words,
# so ordinary language detectors confuse them. `purity` (notebook 04) looks at the words on which they differ. Let us see
# the scores of all rows:

# %%
import matplotlib.pyplot as plt

from helpers.malay.purity import purity

scores = [purity(row["text"]).score for row in kept]
plt.hist(scores, bins=20, color=show.COLOURS[0])
plt.yscale("log")
plt.title(f"purity of {len(scores)} rows")
plt.xlabel("0: Indonesian … 0.5: nothing to tell … 1: Malaysian")
plt.ylabel("rows (log scale)")
plt.show()

# %% [markdown]
# Most rows sit at the right. The few at the left deserve a look before they go, with the words that gave them away. English rows are
# dropped by this step too; whether you want English in your set is a decision, not a fault (`max_english` sets it).

# %%
rows_clean = kept
kept, dropped = pipeline.step("language", rows_clean)
steps.append(("language", len(kept), len(dropped)))
show.table([(row["source"], row["reason"], row["detail"], row["text"][:70]) for row in dropped], ["file", "why", "words", "text"])

# %% [markdown]
# Not every row called Indonesian here is. Find the short ones that any Malaysian could have written: few words give little
# evidence. That is why a step shows what it drops.
#
# ## 4. Near-duplicates
#
# Minutes of a meeting exist as v1, v2 and *muktamad*. If all three stay, the model reads the same meeting three times; worse,
# one copy may land in the training set and another in the test set. Exact comparison does not help: one word was changed. So
# we compare *sets of short runs of words*, and ask how much two sets overlap: shared runs divided by all runs, the
# **Jaccard similarity**.


# %% tags=["nbval-check-output"]
def shingles(text, words=3):
    """All runs of so many words, as a set."""
    parts = text.lower().split()
    return {" ".join(parts[i : i + words]) for i in range(len(parts) - words + 1)}


first = "Mesyuarat bersetuju bahawa longkang di Jalan Pasar dibersihkan sebelum akhir bulan ini"
second = "Mesyuarat bersetuju bahawa longkang di Jalan Pasar dibersihkan sebelum hujung bulan ini"
shared, everything = shingles(first) & shingles(second), shingles(first) | shingles(second)
print(f"{len(shared)} shared of {len(everything)}: similarity {len(shared) / len(everything):.2f}")

# %% [markdown]
# One changed word breaks three runs of each sentence, which is much of a short sentence and little of a page. (The kit compares
# pairs of words, and calls 0.7 and more a near-duplicate.) With 500 rows we could compare all pairs: 124,750 of them. With a
# million rows it would be half a trillion. **MinHash** is the
# way out (Broder 1997). Give every run of words a random number and keep only the *smallest* number of each text. When
# are the smallest numbers of two texts equal? Exactly when the smallest of all their runs is a shared one, and the chance
# of that is the Jaccard similarity! One comparison is a coin with that probability; so take many numberings and count.

# %% tags=["nbval-check-output"]
import hashlib


def smallest(text, numbering):
    """The smallest number among the runs of a text, under one of many numberings."""
    return min(int(hashlib.sha1(f"{numbering} {run}".encode()).hexdigest(), 16) for run in shingles(text))


for count in (10, 100, 1000):
    equal = sum(smallest(first, n) == smallest(second, n) for n in range(count))
    print(f"{count:5} numberings: estimate {equal / count:.3f}")

# %% [markdown]
# So a text of any length shrinks to a short list of numbers, and texts that agree in some of them are looked up in a
# table instead of compared with everything. The kit's step does so, and then checks every candidate by its true similarity.

# %%
rows_malay = kept
kept, dropped = pipeline.step("duplicates", rows_malay)
steps.append(("duplicates", len(kept), len(dropped)))
show.table([(row["id"], row["detail"], row["text"][:80]) for row in dropped[:12]], ["row", "similarity and twin", "text"])

# %% [markdown]
# ## 5. Personal data
#
# Malaysia's Personal Data Protection Act (PDPA) asks of companies that personal data be used only for the purpose for which they
# were given; public bodies have rules of their own. A model that has read
# an identity number may write it down for a stranger. So we replace what identifies a person. The first attempt is always a
# regular expression. A MyKad number has six digits, two digits, four digits:

# %% tags=["nbval-check-output"]
import re

mykad = re.compile(r"\d{6}-\d{2}-\d{4}")
for text in ["No. KP: 900101-00-1234", "ic 900101001234 ye", "No. invois 991399-00-1234", "akaun 900101-00-12345"]:
    print(f"{text:28}", mykad.findall(text))

# %% [markdown]
# It misses the number without hyphens, takes an invoice number whose “month” is 13, and cuts a piece out of an account number. And
# names have no form at all. The kit uses Microsoft's Presidio as a frame and fills it with Malaysian recognisers: dates inside
# MyKad numbers are checked, words nearby count (*akaun*, *tel.*), and names are known by how Malaysians are named: *bin*
# and *binti*, *a/l*, surnames before given names, titles in front.

# %%
from helpers.corpus import personal

text = "Salam, saya Nur Aisyah binti Rahim, ic 900101001234. Hubungi suami saya Encik Ravi a/l Muthu di 012-345 6789 ya."
for found in personal.find(text):
    print(f"{found.kind:8} {found.score:.2f}  {found.text}")
print(personal.redact(text)[0])

# %% [markdown]
# How good is it? That must be measured on texts that its author has not seen: 300 cases were written by somebody else,
# with every name and number marked, some eighty of them without any personal data but full of traps (invoice numbers, street
# names that contain people's names). They belong to the kit's tests, and stand in its repository. **Recall** is
# what we worry about: what share of the marked pieces was found? **Precision** is what it costs: what share of the finds was right?

# %%
import json

cases_file = next((p / "tests/data/personal_test.jsonl" for p in Path.cwd().resolve().parents if (p / "tests/data").is_dir()), None)
if cases_file:
    cases = [json.loads(line) for line in cases_file.open(encoding="utf-8")]
    cases = cases[:: 10 if here.profile == "smoke" else 1]
    measured = personal.score_cases(cases)
    marked, right = (sum(kind[name] for kind in measured["kinds"].values()) for name in ("marked", "right"))
    print(f"{len(cases)} cases. Recall {evaluation.wilson(right, marked)}, precision {measured['precision']:.1%}")
else:
    print("The 300 cases come with the repository; here only the kit's package is installed.")

# %% [markdown]
# Not everything is found, so two things follow. The data stay in a place with a lock on its door even after this step. And
# whoever passes them on says how much was found, and does not say “anonymous”. Now our rows:

# %%
rows_unique = kept
kept, _ = pipeline.step("personal", rows_unique)
steps.append(("personal data", len(kept), 0))
replaced = Counter(tag for row in kept for tag in re.findall(r"\[([A-Z]+)[ \d]*\]", row["text"]))
show.bars(list(replaced), list(replaced.values()), title="pieces replaced in the folder", xlabel="pieces")

# %%
busiest = max(kept, key=lambda row: len(re.findall(r"\[[A-Z]+\]", row["text"])))
print(busiest["source"], "\n\n" + busiest["text"][:700])

# %% [markdown]
# ## 6. May we?
#
# That a file lies in our folder does not mean that it is ours. The table below is a *lint*: it knows common licences and what they
# ask, and warns where nothing is stated or where a text was written by an assistant whose terms forbid training other
# models on its answers. It is no lawyer. The office's own documents are under CC BY 4.0, as its *BACA DAHULU* says; what came
# from outside (`Luar/`) must speak for itself.

# %%
from helpers.corpus import licences

names = ["CC BY 4.0", "CC BY-NC 4.0", "Apache-2.0", "Hak cipta terpelihara", "text made with an OpenAI model", ""]
verdicts = [(name or "(nothing stated)", licences.check(name)) for name in names]
show.table([(name, v.allowed, v.reason, v.advice) for name, v in verdicts], ["stated", "may we train?", "reason", "what to do"])

# %%
rows_private = kept
ours = {"Luar/*": "", "*": "CC BY 4.0"}
kept, dropped = pipeline.step("licence", rows_private, licence=ours)
steps.append(("licence", len(kept), len(dropped)))
asked = sorted({(row["source"], row["licence"]) for row in kept if licences.check(row["licence"]).allowed == "ask"})
print("dropped:", sorted({(row["source"], row["reason"]) for row in dropped}))
show.table(asked, ["ask before you use", "licence as understood"])

# %% [markdown]
# Rows that say *ask* are still in the set. The step drops only what is forbidden; the data card below names the others, and a person
# must ask, or take them out, before a model made with them leaves the house.
#
# ## 7. Is the exam in it?
#
# Somebody copied questions into a folder called *latihan*. If such a text is trained on, the test measures memory. We look for
# runs of words shared with any test set. By hand, with runs of eight words:

# %% tags=["nbval-check-output"]
exam = "Saya bekerja sebagai juruteknik di sebuah kilang di Kulim sejak lima tahun yang lalu dan ingin membeli rumah"
leaked = "Jawab soalan ini: saya bekerja sebagai juruteknik di sebuah kilang di Kulim sejak lima tahun yang lalu."
fresh = "Adik saya juruteknik juga, tetapi di kilang lain di Senai, dan dia belum mahu membeli rumah."


def runs_of_eight(text):
    return shingles(re.sub(r"[^\w\s]", "", text), 8)


for name, text in [("leaked", leaked), ("fresh", fresh)]:
    print(f"{name:7} {len(runs_of_eight(text) & runs_of_eight(exam))} runs of eight words stand in the exam")

# %%
rows_allowed = kept
kept, dropped = pipeline.step("contamination", rows_allowed)
steps.append(("contamination", len(kept), len(dropped)))
show.table([(row["source"], row["reason"], row["detail"][:110]) for row in dropped], ["file", "which test", "question and words"])

# %% [markdown]
# Names had been replaced by then, and still the runs of words give the letters away. A question told in other words would not
# be found. The step knows every test set of this kit; with
# `tests=("MalayMMLU_0shot.json",)` it checks a public benchmark of yours too.
#
# ## 8. Split without leaks
#
# The last step sounds trivial: put one row in ten aside, half for development, half for testing. But two paragraphs of one
# document share names and turns of
# phrase. If one is in the training set and its sister in the test set, the test is half known. So *documents* are
# split, not rows, together with everything that resembles them. How much that matters can be counted:

# %%
import random

from helpers.corpus import splits


def careless_split(rows, seed=0):
    """Every row goes its own way."""
    rng = random.Random(seed)
    return [row | {"split": rng.choices(splits.NAMES, weights=(90, 5, 5))[0]} for row in rows]


# %%
def documents_in_two(rows):
    """Documents of which one part is trained on and another held out."""
    places = {}
    for row in rows:
        places.setdefault(row["source"], set()).add(row["split"] == "train")
    return sum(len(sides) == 2 for sides in places.values())


several = [row for row in kept if not row["source"].endswith((".csv", ".jsonl"))]
print("documents torn by a careless split: ", documents_in_two(careless_split(several)))
print("documents torn by the kit's split:  ", documents_in_two(pipeline.step("split", several)[0]))

# %%
kept, _ = pipeline.step("split", kept)
print(Counter(row["split"] for row in kept))
show.funnel(steps, "what went, step by step")

# %% [markdown]
# ## 9. All of it in one call
#
# What we did step by step on a list, `pipeline.run` does on a stream of any length, in bounded memory. When it is killed it
# goes on where it was, and it never writes into the folder of the originals. `benchmarks/pipeline.py` measures its speed.

# %%
report = pipeline.run(office, here.folder / "corpus", licence=ours, progress=False)
header, lines = report.table()
show.table(lines, header)

# %%
from IPython.display import Markdown

print("step by step:", len(kept), "rows · in one call:", sum(report.splits.values()), "rows ·", report.splits)
Markdown((here.folder / "corpus" / "card.md").read_text(encoding="utf-8"))

# %% [markdown]
# The **data card** says where the data come from, what was taken out, and what is known to be wrong with them. The
# pipeline measures what can be measured; the line *known faults* it leaves to you, because only you know who is missing.
#
# The kit's own sets have cards too. One of them, and the hub's sets that you can stream when you are online:

# %%
Markdown(corpus.card("prose").split("## Measured")[0])

# %%
from helpers.corpus import hub

header, lines = hub.table()
show.table(lines, header)

# %% [markdown]
# ## Exercises
#
# **05.1** Two texts have 40 and 50 runs of words, of which 30 are shared. What is their Jaccard similarity?

# %%
answer = None  # your answer
lesson.check("05.1", answer)

# %% [markdown]
# **05.2** A redactor marked 110 pieces in a set that contains 120 pieces of personal data; 108 of its marks were right. What is its
# recall, as a share? (And which of its two numbers would you tell the data-protection officer first?)

# %%
answer = None  # your answer
lesson.check("05.2", answer)

# %% [markdown]
# ## What you can now do
#
# You can turn a folder into a training set without losing or hiding anything in silence; repair mojibake; find near-duplicates and explain
# why MinHash works; replace personal data and say how much was missed; lint licences; and find copied exam questions in a
# training set. Put the path of your own folder into `my_folder` above and run the notebook again.
#
# ## What comes next
#
# [07 · Fine-tune in Malay](07_fine_tune_in_malay.ipynb) trains on documents that were checked in this way.
