"""The steps of the pipeline that look at one row at a time, and the settings of all steps.

    from helpers.corpus import steps
    work = steps.Work(steps.Settings(min_words=5))
    kept, dropped, notes = work.do("clean", rows)     # dropped: (row, reason, detail); notes: what was changed or is to be asked, counted

Each step is one function from a batch of rows to what stays and what goes. A new step is a new function in `STEPS`.
"""

import difflib
import json
import re
from collections import Counter
from dataclasses import asdict, dataclass, fields
from functools import cached_property

from helpers.corpus import clean, contamination, duplicates, language, licences, ngrams, readers, splits

LICENCE_COLUMNS = ("licence", "license", "lesen")


@dataclass(frozen=True)
class Settings:
    """Settings of the steps; their defaults suit documents of an office in Malay."""

    text: str | tuple | dict | None = None  # the columns of the text, see `readers`; found where None
    whole: bool = False  # a text file is one row, instead of one row a paragraph
    keep: tuple = ()  # other columns that go along into the training set
    licence: str | dict = ""  # of what states none itself; a dict says it for patterns of sources: {"Luar/*": "", "*": "CC BY 4.0"}
    min_words: int = 3
    max_symbols: float = 0.4
    max_digits: float = 0.5
    max_english: float = 0.6
    max_foreign_script: float = 0.3
    min_purity: float = 0.05
    second_opinion: bool = False  # on purity, by a language detector: slower
    similarity: float = duplicates.SIMILARITY
    tests: tuple = ()  # files of further test sets, such as MalayMMLU's
    overlap: int = contamination.WORDS  # words of a run that must not stand in a test set, nor in two splits
    group: str | None = None  # the column of rows that must stay in one split (an author, a case); "row": every row alone
    shares: tuple = (0.9, 0.05, 0.05)
    most: int = 5000  # about so many rows at most in dev and in test
    seed: int = 0

    @classmethod
    def of(cls, settings):
        """Settings from a dict; ValueError with the nearest name for an unknown one."""
        known = [field.name for field in fields(cls)]
        for name in settings:
            if name not in known:
                near = difflib.get_close_matches(name, known, 1)
                raise ValueError(
                    f"there is no setting {name!r}: " + (f"did you mean {near[0]!r}?" if near else f"choose among {', '.join(known)}")
                )
        return cls(**{name: tuple(value) if isinstance(value, list) else value for name, value in settings.items()})

    def as_dict(self):
        """The settings as a dict, for a report."""
        return json.loads(json.dumps(asdict(self)))  # as it comes back from a file


class Work:
    """What the steps share: settings, the steps that are done, and the index of test sets."""

    def __init__(self, settings, steps=()):
        self.settings, self.steps = settings, tuple(steps)
        self._hashed = None, None

    @cached_property
    def index(self):
        """The runs of words of the kit's test sets and of the files in `tests`."""
        items = [*contamination.kit_tests(), *(item for path in self.settings.tests for item in contamination.file_tests(path))]
        return contamination.Index(items, self.settings.overlap)

    def hashed(self, texts):
        """`ngrams.hashed_words` of texts; those of the last texts are kept, since two steps in a row want them."""
        if self._hashed[0] != texts:
            self._hashed = texts, ngrams.hashed_words(texts)
        return self._hashed[1]

    def slim(self, row):
        """A row without the columns that no step needs, so that nothing unasked goes on to the output."""
        wanted = {*self.settings.keep, *LICENCE_COLUMNS, self.settings.group}
        return row | {"meta": {name: value for name, value in row.get("meta", {}).items() if name in wanted}}

    def do(self, step, rows):
        """One step over a list of rows: `(kept, dropped, notes)`."""
        return STEPS[step](rows, self)


def changed(row, change):
    """A row with `change` applied to its text, or to each of its fields."""
    if "fields" not in row:
        return row | {"text": change(row["text"])}
    new = {name: change(value) for name, value in row["fields"].items()}
    return row | {"fields": new, "text": "\n\n".join(new.values())}


def _clean(rows, work):
    s, kept, dropped, notes = work.settings, [], [], Counter()
    for row in rows:
        seen = Counter()
        row = changed(row, lambda text: clean.clean(text, seen))  # noqa: B023 (called at once)
        notes.update(seen)
        why = clean.why_drop(row["text"], s.min_words, s.max_symbols, s.max_digits)
        if not why and not all(row.get("fields", {"": "x"}).values()):
            why = "a field is empty"
        if why:
            dropped.append((row, why, ""))
        else:
            kept.append(row)
    return kept, dropped, notes


def _language(rows, work):
    s, kept, dropped = work.settings, [], []
    for row in rows:
        why = language.why_drop(row["text"], s.max_english, s.max_foreign_script, s.min_purity, s.second_opinion)
        if why:
            dropped.append((row, why[0], ", ".join(why[1])))
        else:
            kept.append(row)
    return kept, dropped, Counter()


def _personal(rows, work):
    from helpers.corpus import personal

    kept, notes = [], Counter()

    def redact(text):
        new, found = personal.redact(text)
        notes.update(item.kind for item in found)
        return new

    for row in rows:
        row = changed(row, redact)
        meta = {
            name: redact(value) if isinstance(value, str) and name in work.settings.keep else value for name, value in row["meta"].items()
        }
        kept.append(row | {"meta": meta})
    return kept, [], notes


def _licence(rows, work):
    kept, dropped, notes = [], [], Counter()
    for row in rows:
        own = next((row["meta"][name] for name in LICENCE_COLUMNS if row["meta"].get(name)), row.get("licence"))
        stated = own or readers.for_source(work.settings.licence, row["source"])
        verdict = licences.check(str(stated or ""))
        if verdict.allowed == "no":
            dropped.append((row, verdict.licence, verdict.reason))
        else:
            kept.append(row | {"licence": verdict.licence})
            if verdict.allowed == "ask":
                notes[f"ask: {verdict.licence}"] += 1
    return kept, dropped, notes


def _contamination(rows, work):
    texts = [row["text"] for row in rows]
    found = {match.row: match for match in work.index.look(texts, work.hashed(texts))}
    dropped = [(rows[n], f"stands in {match.test}", f"{match.item}: {match.words}") for n, match in found.items()]
    return [row for n, row in enumerate(rows) if n not in found], dropped, Counter()


def _duplicates(rows, work):
    found, _ = duplicates.among([row["text"] for row in rows], work.settings.similarity)
    gone = {one.row: one for one in found}
    dropped = [(rows[n], "near-duplicate", like(rows[one.of]["id"], one.similarity)) for n, one in gone.items()]
    return [row for n, row in enumerate(rows) if n not in gone], dropped, Counter()


def _split(rows, work):
    s = work.settings
    parts, report = splits.parts_of(rows, s.group, s.shares, s.seed, s.overlap)
    notes = Counter({"rows moved to keep a run of words in one split": report["moved"]})
    return [row | {"split": splits.NAMES[part]} for row, part in zip(rows, parts)], [], notes


def like(row_id, similarity):
    """How a near-duplicate is reported: the row that it resembles, and their Jaccard similarity."""
    return f"{similarity:.2f} like {row_id}"


STEPS = {
    "clean": _clean, "language": _language, "duplicates": _duplicates, "personal": _personal, "licence": _licence,
    "contamination": _contamination, "split": _split,
}  # fmt: skip
BEFORE, AFTER = ("clean", "language"), ("personal", "licence", "contamination")  # around the near-duplicates, which need all rows

_MAIL = re.compile(r"\S+@\S+")


def preview(text, personal_data=False, characters=120):
    """The beginning of a text for a log: digits and e-mail addresses masked; with `personal_data`, that replaced too."""
    text = " ".join(text[: 2 * characters].split())
    if personal_data:
        from helpers.corpus import personal

        text = personal.redact(text)[0]
    text = re.sub(r"\d", "0", _MAIL.sub("[e-mail]", text))
    return text if len(text) <= characters else text[: characters - 1] + "…"
