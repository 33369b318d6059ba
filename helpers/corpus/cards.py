"""What a data set looks like, measured: size, lengths, vocabulary, openings, near-duplicates, templates; and its data card.

    from helpers import corpus
    from helpers.corpus import cards
    cards.measure(corpus.builtin("prose"), "text")["near_duplicates"]     # share of rows that resemble an earlier one
    python -m helpers.corpus.cards                                        # writes the cards of the built-in sets anew

A card is a head written by hand (`data/<name>.head.md`: source, how made, splits, known faults) and the measured tables. A test
holds the cards to the data.
"""

import json
import os
import re
import sys
from collections import Counter
from pathlib import Path

from helpers import corpus
from helpers.corpus import contamination, duplicates, ngrams

# The texts of a built-in set's row that are measured, joined by an empty line; for other sets, all of a row's texts
KEYS = {
    "prose": ("text",),
    "instructions": ("instruction", "answer"),
    "preferences": ("prompt", "chosen", "rejected"),
    "retention": ("question",),
}
_NUMBER = re.compile(r"\d[\d.,]*")
_NAME = re.compile(r"(?<=[\w,] )[A-Z][\w'’-]*(?: (?:bin|binti|a/l|a/p|anak|[A-Z][\w'’-]*))*")


def text_of(row, key=None):
    """The text of a row that is measured: its column or columns `key`, or all its texts where that is None."""
    if key is None:
        return "\n\n".join(contamination.pieces(row))
    found = [row.get(name) for name in ([key] if isinstance(key, str) else key)]
    return "\n\n".join(piece for value in found for piece in contamination.pieces(value))


def skeleton(text):
    """A text with its numbers and names masked: rows made from one template have one skeleton."""
    return " ".join(_NAME.sub("N", _NUMBER.sub("0", text)).split())


def quantiles(values, at=(0, 5, 25, 50, 75, 95, 100)):
    """Quantiles of a list of numbers by nearest rank: a dict from the per cent to the value."""
    values = sorted(values)
    return {str(q): values[min(len(values) - 1, round(q / 100 * (len(values) - 1)))] for q in at} if values else {}


def measure(rows, key="text", first_words=5):
    """Measure a data set.

    Args:
        rows: an iterable of dicts, held in memory as texts.
        key: the column or columns of the text; None for all texts of a row.
        first_words: rows that share so many first words after masking may come from one template.

    Returns a dict: `n`, `bytes` (UTF-8), `words` (in all), `lengths` (quantiles of words a row), `vocabulary` (different words),
    `type_token` (different words among the first 10,000, so that sets of different size can be compared), `openings` (the most common first
    three words with their shares), `near_duplicates` (share of rows), `largest_template` (share), and `splits`.
    """
    texts, splits = [], Counter()
    for row in rows:
        texts.append(text_of(row, key))
        splits[row.get("split")] += 1
    counts, vocabulary, first, openings, frames, begins = [], set(), [], Counter(), Counter(), Counter()
    for text in texts:
        found = ngrams.words(text)
        counts.append(len(found))
        vocabulary.update(found)
        first += found[: max(0, 10_000 - len(first))]
        openings[" ".join(found[:3])] += 1
        frame = skeleton(text)
        frames[frame] += 1
        begins[" ".join(frame.lower().split()[:first_words])] += 1
    n = len(texts)
    found = duplicates.among(texts)[0] if texts else []
    template = max((*frames.values(), *begins.values()), default=0)
    return {
        "n": n,
        "bytes": sum(len(text.encode("utf-8", "replace")) for text in texts),
        "words": sum(counts),
        "lengths": quantiles(counts),
        "vocabulary": len(vocabulary),
        "type_token": round(len(set(first)) / len(first), 3) if first else 0.0,
        "openings": [(opening, round(count / n, 4)) for opening, count in sorted(openings.items(), key=lambda o: (-o[1], o[0]))[:5]],
        "near_duplicates": round(len(found) / n, 4) if n else 0.0,
        "largest_template": round(template / n, 4) if n else 0.0,
        "splits": {name: splits[name] for name in sorted(filter(None, splits), key=lambda name: (name != "train", name))},
    }


def markdown(name, measured, facts=None, head=None):
    """A data card as Markdown: a head (text), a table of facts (dict), and what `measure` found."""
    lengths = measured["lengths"]
    rows = [
        ("rows", f"{measured['n']:,}"),
        *((f"rows in {split}", f"{count:,}") for split, count in measured["splits"].items()),
        ("bytes of text (UTF-8)", f"{measured['bytes']:,}"),
        ("words", f"{measured['words']:,}"),
        ("words a row: least · 5% · 25% · median · 75% · 95% · most", " · ".join(f"{value:,}" for value in lengths.values())),
        ("different words", f"{measured['vocabulary']:,}"),
        ("different words among the first 10,000", f"{100 * measured['type_token']:.1f}%"),
        (f"near-duplicates (pairs of words, Jaccard ≥ {duplicates.SIMILARITY})", f"{100 * measured['near_duplicates']:.2f}%"),
        ("largest template (equal once numbers and names are masked, or first five words)", f"{100 * measured['largest_template']:.2f}%"),
        ("most common openings", "; ".join(f"“{_cell(words)}” {100 * share:.1f}%" for words, share in measured["openings"])),
    ]
    parts = [(head or f"# Data card: {name}").strip()]
    if facts:
        parts.append(_table(("", ""), [(_cell(what), _cell(value)) for what, value in facts.items()]))
    parts.append("## Measured\n\n" + _table(("what", "value"), rows))
    return "\n\n".join(parts) + "\n"


def _cell(value):
    return str(value).replace("|", "\\|").replace("\n", " ")


def _table(header, rows):
    lines = [header, tuple("---" for _ in header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def builtin_card(name):
    """The card of a built-in set as it should be: its head and what is measured now."""
    head = corpus.DATA / f"{name}.head.md"
    measured = measure(corpus.builtin(name), KEYS.get(name))
    return markdown(name, measured, head=head.read_text(encoding="utf-8") if head.is_file() else None)


def write(path, text):
    """Write a text file whole or not at all."""
    partial = Path(path).with_name(f"{Path(path).name}.{os.getpid()}.part")
    partial.write_text(text, encoding="utf-8")
    os.replace(partial, path)


def write_builtin():
    """Write `data/<name>.md` for every built-in set whose card is not up to date. Returns their names."""
    stale = []
    for name in corpus.names():
        path, text = corpus.DATA / f"{name}.md", builtin_card(name)
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            write(path, text)
            stale.append(name)
    return stale


if __name__ == "__main__":
    print(json.dumps(write_builtin()), file=sys.stderr)
