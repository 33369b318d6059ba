"""Scores of written text: chrF++ against references, and how Malaysian it is."""

from helpers.evaluation.intervals import Mean, bootstrap_mean


def chrf(hypotheses, references, rounds=1000, seed=0, floor=None):
    """chrF++ (Popović 2017: character 6-grams and word 2-grams), 0–100, by sacrebleu; interval by bootstrap over sentences.

    Args:
        hypotheses: what the model wrote; references: one right text each.
    """
    from random import Random

    from sacrebleu.metrics import CHRF

    if len(hypotheses) != len(references):
        raise ValueError(f"{len(hypotheses)} texts against {len(references)} references: give one reference for each text")
    metric, rng = CHRF(word_order=2), Random(seed)
    # Statistics of each sentence once; the corpus score of a resample is the score of their sums.
    statistics = [metric._extract_corpus_statistics([h], [[r]])[0] for h, r in zip(hypotheses, references)]
    if not statistics:
        return Mean(float("nan"), 0, float("nan"), float("nan"), "chrF++", "bootstrap", floor, seed)

    def score(rows):
        return metric._aggregate_and_compute(rows).score

    drawn = sorted(score(rng.choices(statistics, k=len(statistics))) for _ in range(rounds))
    return Mean(
        score(statistics), len(statistics), drawn[int(0.025 * rounds)], drawn[int(0.975 * rounds)], "chrF++", "bootstrap", floor, seed
    )


def purity(texts, seed=0):
    """Mean purity (1 Malaysian, 0 Indonesian) of texts that have something to say about it; see `helpers.malay.purity`.

    Texts without any telling word count as 0.5, so the floor is 0.5: a model that writes English or noise gets it.
    """
    from helpers.malay.purity import purity as one

    return bootstrap_mean([one(text).score for text in texts], "purity", seed=seed, floor=0.5)
