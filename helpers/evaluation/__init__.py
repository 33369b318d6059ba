"""The yardstick: scores with intervals and floors, the same for every stage of the course.

    from helpers import evaluation
    evaluation.wilson(37, 40)                                # Share(right=37, n=40, low=0.80, high=0.97)
    evaluation.bits_per_byte(model, tokenizer, texts)        # Mean in bits per byte, over documents
    evaluation.score_items(model, tokenizer, rows)           # minimal pairs and multiple choice, by likelihood
    suite.measure(model, tokenizer, settings)                # one column of the scoreboard

| module | what it scores |
|---|---|
| `intervals` | shares and means with Wilson or bootstrap intervals; calibration |
| `likelihood` | log-likelihoods, bits per byte, minimal pairs, multiple choice, routing |
| `text` | written text: chrF++, purity |
| `extraction` | letters read, recommendations of the desk |
| `public` | MalayMMLU by its own protocol, Belebele |
| `suite` | all of it for one model: a column of the scoreboard |
| `scoreboard` | the table of all stages, saved as JSON |
| `lm_eval` | our tasks as files that EleutherAI's `lm-eval` runs |
"""

from helpers.evaluation.extraction import calibration, extraction_f1, field_marks, read_all, score_desk, score_readings
from helpers.evaluation.intervals import Mean, Share, bootstrap, bootstrap_mean, bootstrap_ratio, calibration_bins, wilson, with_floor
from helpers.evaluation.likelihood import bits_per_byte, log_likelihoods, score_items

__all__ = [
    "Mean", "Share", "bits_per_byte", "bootstrap", "bootstrap_mean", "bootstrap_ratio", "calibration", "calibration_bins",
    "extraction_f1", "field_marks", "log_likelihoods", "read_all", "score_desk", "score_items", "score_readings", "wilson", "with_floor",
]  # fmt: skip
