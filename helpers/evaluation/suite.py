"""One model, all of the yardstick: a column of the scoreboard.

    from helpers.evaluation import suite
    scores = suite.measure(model, tokenizer, here.settings)      # name → score
    here.record("base", **scores)

Every number comes with n, an interval, its floor and the seed. Sizes come from the profile (`suite_…` in profiles.toml); where
a set is cut, the same seeded sample is taken every time, so that columns can be compared.
"""

import random
import time

from helpers.evaluation import likelihood
from helpers.evaluation.intervals import Mean, wilson
from helpers.evaluation.text import chrf, purity
from helpers.machine import peak_memory

# What each office is for, in words that the model can find probable or not; abbreviations alone mean nothing to a small model.
OFFICES = {
    "JPJ": "lesen memandu dan cukai jalan", "JPN": "kad pengenalan dan sijil kelahiran", "LHDN": "cukai pendapatan",
    "KWSP": "simpanan persaraan pekerja", "PTPTN": "pinjaman pendidikan", "SSM": "pendaftaran syarikat dan perniagaan",
    "KPDN": "harga barang dan aduan pengguna", "MCMC": "telefon dan internet", "NSRC": "penipuan dalam talian", "999": "kecemasan",
}  # fmt: skip
ROUTING_PROMPT = "Mesej: {text}\nMesej ini tentang"


def sample(rows, n, key=None, seed=0):
    """At most `n` rows (of each group, with a `key`), the same ones every time, in the order of the set."""
    groups = {}
    for index, row in enumerate(rows):
        groups.setdefault(row[key] if key else None, []).append(index)
    rng = random.Random(seed)
    taken = sorted(i for members in groups.values() for i in (members if n >= len(members) else rng.sample(members, n)))
    return [rows[i] for i in taken]


def measure(model, tokenizer, settings, seed=0):
    """Measure a model with everything that the kit ships; returns metric → score (`Share`, `Mean`).

    `settings`: `suite_prose`, `suite_items` (per phenomenon), `suite_retention`, `suite_routing`, `suite_written`: how
    many of each; zero leaves a metric out.
    """
    parts = (malay_prose, diagnostics, retention, routing, written)
    scores = {}
    for part in parts:
        scores |= part(model, tokenizer, settings, seed)
    peak = peak_memory() / 1e9
    return scores | {"peak_memory": Mean(peak, 1, peak, peak, "GB", "peak of the process so far", seed=None)}


def malay_prose(model, tokenizer, settings, seed=0):
    """Bits per byte on the held-out domains of the prose; floor: byte frequencies of the training prose."""
    from helpers.corpus import builtin

    texts = [row["text"] for row in sample(builtin("prose", "test"), settings["suite_prose"], seed=seed)]
    if not texts:
        return {}
    floor = likelihood.byte_floor([row["text"] for row in builtin("prose", "train")], texts)
    return {"bits_per_byte": likelihood.bits_per_byte(model, tokenizer, texts, floor=floor, progress="prose")}


def diagnostics(model, tokenizer, settings, seed=0):
    """Ten phenomena of Malay as minimal pairs and multiple choice; floor: dice."""
    from helpers.corpus import builtin

    rows = sample(builtin("diagnostics"), settings["suite_items"], "phenomenon", seed)
    return likelihood.score_items(model, tokenizer, rows, "diagnostics", progress="diagnostics") if rows else {}


def retention(model, tokenizer, settings, seed=0):
    """English questions that the open model could answer before: what post-training forgets; floor: dice."""
    from helpers.corpus import builtin

    rows = [{"kind": "choice", "cue": "Answer:", **row} for row in sample(builtin("retention"), settings["suite_retention"], seed=seed)]
    return likelihood.score_items(model, tokenizer, rows, "retention", key="none", progress="English") if rows else {}


def routing(model, tokenizer, settings, seed=0):
    """Citizens' messages to the right agency, by likelihood of the agency's name; floor: always the commonest agency."""
    from helpers.corpus import builtin

    rows = sample(builtin("routing"), settings["suite_routing"], seed=seed)
    if not rows:
        return {}
    labels = list(OFFICES.values())
    chosen = likelihood.route(model, tokenizer, [row["message"] for row in rows], labels, ROUTING_PROMPT, progress="routing")
    right = sum(label == OFFICES[row["agency"]] for (label, _), row in zip(chosen, rows))
    return {"routing": wilson(right, len(rows), floor=likelihood.majority_floor([row["agency"] for row in rows]))}


def written(model, tokenizer, settings, seed=0):
    """What the model writes: translations into Malay (chrF++, floor: the English left as it is), their purity, and the speed."""
    from tqdm.auto import tqdm

    from helpers import models
    from helpers.corpus import builtin

    rows = sample(builtin("parallel"), settings["suite_written"], seed=seed)
    if not rows:
        return {}
    texts, seconds, tokens = [], [], []
    for row in tqdm(rows, desc="writing"):
        start = time.perf_counter()
        message = {"role": "user", "content": f"Terjemahkan ayat ini ke dalam bahasa Melayu: {row['en']}"}
        texts.append(models.chat(model, tokenizer, [message], max_new_tokens=settings["suite_tokens"]))
        seconds.append(time.perf_counter() - start)
        tokens.append(len(tokenizer(texts[-1], add_special_tokens=False)["input_ids"]))
    references = [row["ms"] for row in rows]
    copied = chrf([row["en"] for row in rows], references, seed=seed)
    rates = sorted(t / s for t, s in zip(tokens, seconds))
    speed = Mean(sum(tokens) / sum(seconds), len(rows), rates[0], rates[-1], "tokens/s", "range over texts", seed=None)
    return {"chrf": chrf(texts, references, seed=seed, floor=copied.value), "purity": purity(texts, seed), "tokens_per_second": speed}
