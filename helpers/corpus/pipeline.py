"""From a folder of documents to a training set: every step, streaming, resumable, with a report.

    from helpers.corpus import pipeline
    report = pipeline.run("dokumen_pejabat", "runs/corpus", licence="CC BY 4.0")
    report.table()                                              # a row for each step: in, out, dropped and why
    kept, dropped = pipeline.step("duplicates", rows)            # one step on a list of rows, for a notebook

The result folder gets `train.jsonl`, `dev.jsonl`, `test.jsonl`, `dropped.jsonl`, `card.md` and, last, `report.json`. Rows are worked
on in batches and put aside in parts in the hidden folder `.work` (readable by its owner only; it holds texts before personal data are
replaced, and is removed at the end). A part is written whole or not at all, so a run that was killed goes on with the part it was at,
and gives what it would have given. When nothing has changed since the last run, its report is returned at once.

Of a dropped row only the beginning is written, with its digits and e-mail addresses masked, and with its personal data replaced where
that step is done. The row itself is where it was: its id names the file and the place.

What each pass holds in memory: reading, cleaning and language: a batch of rows. Near-duplicates: about 30 bytes a row. Personal data,
licence and contamination: a batch. Split: about 30 bytes a row, and the runs of words of dev and test. Measured on short rows: a peak of
115 MB for 100,000 of them, 215 MB for a million.
"""

import contextlib
import json
import os
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from helpers.corpus import cards, duplicates, ngrams, readers, splits
from helpers.corpus.journal import Journal, Parts, fingerprint
from helpers.corpus.report import Report, Tally, added_up, card
from helpers.corpus.steps import AFTER, BEFORE, STEPS, Settings, Work, like
from helpers.machine import peak_memory

PART_ROWS, PART_CHARACTERS, BATCH_ROWS, BATCH_CHARACTERS = 50_000, 40_000_000, 1_000, 1_000_000
OUTPUTS = (*(f"{name}.jsonl" for name in splits.NAMES), "dropped.jsonl", "card.md", "report.json")
CARD_ROWS = 5_000


def step(name, rows, **settings):
    """One step on a list of rows in memory, with the settings of `Settings`.

    Returns `(kept, dropped)`: lists of rows; a dropped row has `step`, `reason` and `detail` besides.
    """
    if name not in STEPS:
        raise ValueError(f"there is no step {name!r}: choose one of {', '.join(STEPS)}")
    rows = [readers.as_row(row, number) for number, row in enumerate(rows)]
    kept, dropped, _ = Work(Settings.of(settings)).do(name, rows)
    return kept, [row | {"step": name, "reason": reason, "detail": detail} for row, reason, detail in dropped]


def run(source, folder, steps=None, fresh=False, progress=True, part_rows=PART_ROWS, **settings):
    """Make a training set.

    Args:
        source: a folder or file (see `readers`), or an iterable of rows with `id` and `text`, such as `hub.stream` gives.
        folder: where the result goes; made where it is not there.
        steps: names of steps to do, all of them by default, always in the order of `STEPS`. Without "personal" it is fast.
        fresh: do everything again, whatever was done before.
        progress: show progress bars.
        part_rows: how many rows are done again at most when the run was killed.
        settings: those of `Settings`.

    Returns a `Report`. Raises ValueError with one line that says what to do.
    """
    start, settings = time.perf_counter(), Settings.of(settings)
    steps = tuple(STEPS) if steps is None else tuple(steps)
    if unknown := [name for name in steps if name not in STEPS]:
        raise ValueError(f"there is no step {unknown[0]!r}: choose among {', '.join(STEPS)}")
    splits.assign(np.zeros(1, np.uint64), settings.shares)  # what is wrong is told before the work, not after it
    folder, work = Path(folder).expanduser().resolve(), Work(settings, [name for name in STEPS if name in steps])
    files, name = _files(source, folder)
    how = [settings.as_dict(), work.steps, work.index.fingerprint() if "contamination" in steps else "", part_rows]
    report = Report(
        name, str(folder), fingerprint([name, how, [key for *_, key in files]]), settings.as_dict() | {"steps": list(work.steps)}
    )
    _check_folder(folder)
    if not fresh and (done := _finished(folder, report.fingerprint)):
        return done
    with Journal(folder, fingerprint(how), fresh) as journal:
        for old in reversed(OUTPUTS):  # the report first: without it nothing counts as finished
            (folder / old).unlink(missing_ok=True)
        first = _first_pass(files, journal, work, part_rows, progress, report)
        alike = _near_duplicates(first, journal, work, fingerprint([str(part.base.name) for part in first]))
        second = _second_pass(first, journal, work, alike, progress)
        parts, about_split = _split(second, work, alike)
        seconds = {"duplicates": alike.seconds} if "duplicates" in work.steps else {}
        report.steps = added_up([*first, *second], seconds) + about_split
        _finish(folder, first, second, parts, report)
        report.seconds = round(time.perf_counter() - start + journal.seconds, 3)
        report.rows_per_second = round(sum(report.files.values()) / report.seconds, 1)
        report.peak_bytes = peak_memory()
        cards.write(folder / "report.json", json.dumps(asdict(report), ensure_ascii=False, indent=1))
    journal.remove()
    return report


def _files(source, folder):
    """What is read: `(path, name, problem, key)` for each file; for rows the iterable stands for the path."""
    if not isinstance(source, (str, os.PathLike)):
        return [(source, "rows", None, os.urandom(8).hex())], "rows"
    source = Path(source).expanduser().resolve()
    inside = source if source.is_dir() else source.parent
    if folder == inside or (source.is_dir() and inside in folder.parents):
        raise ValueError(f"{folder} is in the folder of the documents: choose a folder of its own, so that no original is touched")
    files = []
    for path, name, problem in readers.walk(source):
        about = path.lstat()
        files.append((path, name, problem, fingerprint([str(path), about.st_size, about.st_mtime_ns])))
    return files, source.name


def _check_folder(folder):
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"{folder} is a file: give a folder for the result")
    ours = (folder / "report.json").is_file() or (folder / Journal.NAME).is_dir()
    if not ours and (found := [name for name in OUTPUTS if (folder / name).exists()]):
        raise ValueError(f"{folder} has a {found[0]} that this pipeline did not write: choose another folder, so that it is not lost")
    folder.mkdir(parents=True, exist_ok=True)


def _finished(folder, plan):
    try:
        done = Report.load(folder)
    except ValueError:
        return None
    return done if done.fingerprint == plan and all((folder / name).is_file() for name in OUTPUTS) else None


def _batches(rows):
    """Lists of rows of at most `BATCH_ROWS` rows and about `BATCH_CHARACTERS` characters."""
    batch, size = [], 0
    for row in rows:
        batch.append(row)
        size += len(row["text"])
        if len(batch) == BATCH_ROWS or size > BATCH_CHARACTERS:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _bar(progress, what, total=None):
    from tqdm.auto import tqdm

    # where bars are wanted, the environment (TQDM_DISABLE) may still say no
    return tqdm(desc=what, total=total, unit=" rows", mininterval=0.5, **({} if progress else {"disable": True}))


def _first_pass(files, journal, work, part_rows, progress, report):
    """Read, clean and choose the language; put rows, and their signatures, aside. Returns the parts."""
    parts = Parts()
    with _bar(progress, "reading and cleaning") as bar:
        for path, name, problem, key in files:
            if problem:
                done = {"parts": 0, "rows": None, "problems": [str(problem)], "problems_in_all": 1}
            else:
                done = journal.note(key)
                if not done or not all(journal.part(f"first/{key}-{n:05d}").done for n in range(done["parts"])):
                    done = _read_file(path, name, key, journal, work, part_rows, bar)
                report.files[name] = done["rows"]
            parts.extend(journal.part(f"first/{key}-{n:05d}") for n in range(done["parts"]))
            report.problems += done["problems"][: 1000 - len(report.problems)]
            report.problems_in_all += done["problems_in_all"]
    if not any(report.files.values()):
        raise ValueError(f"nothing could be read: {report.problems[0] if report.problems else 'the folder is empty'}")
    return parts


def _read_file(path, name, key, journal, work, part_rows, bar):
    """One file into parts. Parts that a killed run left are passed over: their rows are read, which is quick, but not worked on."""
    names, problems = [step for step in BEFORE if step in work.steps], readers.Problems()
    if isinstance(path, Path):
        rows = readers.read(path, name, work.settings.text, work.settings.whole, problems)
    else:
        rows = (readers.as_row(row, number) for number, row in enumerate(path))
    number, total = 0, 0
    while (part := journal.part(f"first/{key}-{number:05d}")).done:
        total, number = total + part.record["rows"], number + 1
    for _ in range(total):
        next(rows)
    bar.update(total)
    batches, batch = _batches(rows), []
    while batch is not None:
        part, tally, count, size = journal.part(f"first/{key}-{number:05d}"), Tally(["read", *names], "personal" in work.steps), 0, 0
        with part.writing():
            while count < part_rows and size < PART_CHARACTERS:
                start = time.perf_counter()
                batch = next(batches, None)
                if batch is None:
                    break
                tally.add("read", len(batch), len(batch), (), Counter(), time.perf_counter() - start)
                count, size = count + len(batch), size + sum(len(row["text"]) for row in batch)
                kept = tally.through([work.slim(row) for row in batch], names, work, part)
                part.write(kept)
                if {"duplicates", "split"} & {*work.steps}:
                    part.add("bands", duplicates.signatures([row["text"] for row in kept]).T)
                bar.update(len(batch))
            part.close(tally.record(rows=count))
        total, number = total + count, number + 1
    about = {"parts": number, "rows": total, "problems": list(map(str, problems)), "problems_in_all": problems.total}
    return journal.note(key, about)


@dataclass
class _Alike:
    """Rows (numbers of the first pass) that are near-duplicates: row → (of, similarity); clusters: row → first row; seconds."""

    gone: dict = field(default_factory=dict)
    clusters: dict = field(default_factory=dict)
    seconds: float = 0.0
    key: str = ""


def _near_duplicates(first, journal, work, key):
    start, name = time.perf_counter(), f"alike-{key}"
    if not {"duplicates", "split"} & {*work.steps}:
        return _Alike(key=key)
    found = journal.note(name)
    if found is None:
        with first.reader() as row:
            gone, clusters = duplicates.find(first.bands(), lambda number: row(number)["text"], work.settings.similarity)
            gone = [(one.row, one.of, round(one.similarity, 4), row(one.of)["id"]) for one in gone]
        found = journal.note(name, {"gone": gone, "clusters": list(clusters.items())})
    gone = {row: rest for row, *rest in found["gone"]} if "duplicates" in work.steps else {}
    return _Alike(gone, dict(found["clusters"]), time.perf_counter() - start, key)


def _second_pass(first, journal, work, alike, progress):
    """Drop the near-duplicates; personal data, licence and contamination; note what the split needs. Returns the parts."""
    names, parts, s = [step for step in AFTER if step in work.steps], Parts(), work.settings
    total = int(first.starts[-1])
    with _bar(progress, "checking", total) as bar:
        for part_before, begin in zip(first, first.starts.tolist()):
            part = journal.part(f"second-{alike.key}/{part_before.base.name}")
            parts.append(part)
            if part.done:
                bar.update(part_before.record["kept"])
                continue
            tally = Tally([*(["duplicates"] if "duplicates" in work.steps else []), *names], "personal" in work.steps)
            with part.writing():
                numbered = ({**row, "_row": begin + n} for n, row in enumerate(part_before.rows()))
                for batch in _batches(numbered):
                    kept = _unlike(batch, alike, tally, part)
                    kept = tally.through(kept, names, work, part)
                    part.add("row", [row.pop("_row") for row in kept])
                    if "split" in work.steps:
                        groups = [splits.group_of(row, s.group) for row in kept]
                        part.add("group", [splits.number_of(group) for group in groups])
                        runs, where = ngrams.runs_of(*work.hashed([row["text"] for row in kept]), s.overlap)
                        part.add("runs", runs)
                        part.add("runs_row", where + part.count)
                    part.write([_output(row, s) for row in kept])
                    bar.update(len(batch))
                part.close(tally.record())
    return parts


def _unlike(batch, alike, tally, part):
    """The rows of a batch that are not near-duplicates; the others go to the list of dropped rows."""
    if "duplicates" not in tally.steps:
        return batch
    gone = [(row, alike.gone[row["_row"]]) for row in batch if row["_row"] in alike.gone]
    dropped = [(row, "near-duplicate", like(of_id, similarity)) for row, (_, similarity, of_id) in gone]
    kept = [row for row in batch if row["_row"] not in alike.gone]
    part.drop(tally.add("duplicates", len(batch), len(kept), dropped, Counter(), 0.0))
    return kept


def _output(row, settings):
    """A row as it is written: id, text (and fields), source, licence, the columns kept, and its group as a number in hex."""
    out = {"id": row["id"], **row.get("fields", {}), "text": row["text"], "source": row["source"]}
    if "licence" in row:
        out["licence"] = row["licence"]
    out |= {name: value for name, value in row["meta"].items() if name in settings.keep and name not in out}
    if settings.group not in (None, "row"):
        out["group"] = f"{splits.number_of(splits.group_of(row, settings.group)):016x}"  # a name may be personal data
    return out


def _split(second, work, alike):
    """The part of every row that stayed (0 train, 1 dev, 2 test), and what to report."""
    start, s, n = time.perf_counter(), work.settings, int(second.starts[-1])
    if "split" not in work.steps or not n:
        return np.zeros(n, np.uint8), []
    numbers = np.concatenate([part.array("row") for part in second])
    groups = np.concatenate([part.array("group") for part in second])
    stayed, leaders = np.flatnonzero(np.isin(numbers, list(alike.clusters))), {}
    clusters = {place: leaders.setdefault(alike.clusters[int(numbers[place])], place) for place in stayed.tolist()}
    groups = splits.joined(groups, clusters)
    held = [min(share, s.most / n) for share in s.shares[1:]]

    def runs():
        for part, begin in zip(second, second.starts.tolist()):
            yield part.array("runs"), part.array("runs_row").astype(np.int64) + begin

    parts, found = splits.without_leaks(splits.assign(groups, (1 - sum(held), *held), s.seed), groups, runs)
    notes = {"rows moved to keep a run of words in one split": found["moved"], "formulas of words found everywhere": found["formulas"]}
    notes = {what: count for what, count in notes.items() if count}
    seconds = round(time.perf_counter() - start, 3)
    return parts, [{"step": "split", "in": n, "out": n, "dropped": {}, "notes": notes, "examples": [], "seconds": seconds}]


def _finish(folder, first, second, parts, report):
    """Write the splits, the dropped rows and the card, each under another name first; then move all into place."""
    partial = {name: folder / f"{name}.part" for name in OUTPUTS if name != "report.json"}
    counts, begin, sample = Counter(), 0, []
    every = max(1, -(-len(parts) // CARD_ROWS))
    with contextlib.ExitStack() as opened:
        dropped, *outs = (opened.enter_context(open(partial[f"{name}.jsonl"], "wb")) for name in ("dropped", *splits.NAMES))
        for one, two in zip(first, second):
            dropped.writelines(one.lines("dropped"))
            dropped.writelines(two.lines("dropped"))
            for n, line in enumerate(two.lines(), begin):
                outs[parts[n]].write(line)
                counts[splits.NAMES[parts[n]]] += 1
                if n % every == 0:
                    sample.append({"text": json.loads(line)["text"], "split": splits.NAMES[parts[n]]})
            begin += two.record["kept"]
    report.splits = {name: counts[name] for name in splits.NAMES}
    partial["card.md"].write_text(card(report, sample, every), encoding="utf-8")
    for name, path in partial.items():
        os.replace(path, folder / name)
