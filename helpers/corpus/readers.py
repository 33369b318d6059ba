"""Rows from a learner's own files, one at a time: CSV, JSONL, JSON, text, Markdown, web pages and PDF, in a folder or alone.

    from helpers.corpus import readers
    problems = readers.Problems()
    for row in readers.rows("dokumen_pejabat", problems=problems):
        row                                   # {"id": "aduan.csv:17", "text": …, "source": "aduan.csv", "meta": {…}}
    for problem in problems:
        print(problem)                        # imbasan.pdf, page 3: has no text (a scan?): run OCR on it and keep the text

A folder is walked in sorted order. Nothing stops a run: a file or a line that cannot be read becomes a `Problem` that says what to do.
The text of a table is found by its columns' names: a question and an answer, a chat, or one text. `text` names them where that fails:

    text="nota"                                               # one column
    text={"instruction": "Mesej", "answer": "Jawapan"}        # two, and what they are called from here on
    text={"Aduan/*.csv": {…}, "*.jsonl": "messages"}          # by file; the first pattern that fits
"""

import os
from fnmatch import fnmatchcase
from pathlib import Path

from helpers.corpus import formats, licences
from helpers.corpus.formats import CHAT_NAMES, Problem, Problems

TEXT_NAMES = (
    "text", "teks", "kandungan", "content", "isi", "body", "ayat", "mesej", "message", "surat", "letter", "aduan", "keterangan",
    "penerangan", "description", "artikel", "article", "prompt",
)  # fmt: skip
QUESTION_NAMES = ("instruction", "arahan", "soalan", "pertanyaan", "question", "prompt", "mesej", "aduan", "input", "inputs")
ANSWER_NAMES = ("answer", "jawapan", "maklum balas", "balasan", "output", "response", "completion", "targets", "target")
ADVICE = {
    ".docx": "a Word file: save it as PDF or plain text", ".doc": "a Word file: save it as PDF or plain text",
    ".odt": "a text document: save it as PDF or plain text", ".rtf": "a rich-text file: save it as PDF or plain text",
    ".xlsx": "a spreadsheet: save each sheet as CSV", ".xls": "a spreadsheet: save each sheet as CSV",
    ".ods": "a spreadsheet: save each sheet as CSV", ".pptx": "slides: save them as PDF", ".zip": "an archive: unpack it into the folder",
    ".gz": "compressed: unpack it",
    ".msg": "an Outlook message: save it as text", ".eml": "an e-mail: save it as text",
    ".jpg": "a picture: run OCR on it and keep the text", ".jpeg": "a picture: run OCR on it and keep the text",
    ".png": "a picture: run OCR on it and keep the text", ".tif": "a picture: run OCR on it and keep the text",
    ".parquet": "a Parquet file: save it as JSONL",
}  # fmt: skip


def walk(source):
    """The files of a folder (or the file itself) in sorted order, as `(path, name, problem)`; `problem` is None for a file to read."""
    source = Path(source).expanduser().resolve()
    if not source.exists():
        raise ValueError(f"there is no {source}: give the path of a folder, or of a CSV, JSONL, text or PDF file")
    if source.is_file():
        yield source, source.name, _skip(source, source.name)
        return
    for folder, folders, files in os.walk(source):
        # sorted by what the learner sees, folders after files, so that order and numbers are the same on every system
        for name in sorted(f for f in folders if f.startswith(".") or (Path(folder) / f).is_symlink()):
            path = Path(folder) / name
            why = "a link to another folder: put the folder itself here" if path.is_symlink() else "hidden: not read"
            yield path, path.relative_to(source).as_posix(), Problem(path.relative_to(source).as_posix(), "folder", why)
        folders[:] = sorted(f for f in folders if not f.startswith(".") and not (Path(folder) / f).is_symlink())
        for name in sorted(files):
            path = Path(folder) / name
            relative = path.relative_to(source).as_posix()
            yield path, relative, _skip(path, relative)


def _skip(path, name):
    """The reason for which a file is not read, as a `Problem`, or None."""
    suffix = path.suffix.lower()

    def problem(why):
        return Problem(name, "file", why)

    if path.name.startswith(("~$", ".~lock")):
        return problem("a lock file of an open document: close the document")
    if path.name.startswith("."):
        return problem("hidden: not read")
    if path.is_symlink():
        return problem("a link: put the file itself here")
    if suffix in ADVICE:
        return problem(ADVICE[suffix])
    if not path.is_file():
        return problem("not a plain file: not read")
    try:
        if path.stat().st_size == 0:
            return problem("empty: nothing to read")
        if suffix not in formats.READERS:
            return problem(f"of a kind that is not read ({suffix or 'no suffix'}): give CSV, JSONL, JSON, text, Markdown, HTML or PDF")
        if suffix != ".pdf" and formats.encoding(path) is None:
            return problem("binary, whatever its name says: not read")
    except OSError as error:
        return problem(f"cannot be opened ({error.strerror}): check its permissions")
    return None


def for_source(wish, source):
    """What a setting says of one source: the setting itself, or of a dict of patterns the first that fits (None where none does)."""
    if isinstance(wish, dict) and wish and all(set("*?[./") & set(pattern) for pattern in wish):
        return next((one for pattern, one in wish.items() if fnmatchcase(str(source), pattern)), None)
    return wish


def rows(source, text=None, whole=False, problems=None):
    """Stream the rows of a file or a folder.

    Args:
        source: a path.
        text: the columns that hold the text; see the module. Found by name, then by length, where it is None.
        whole: a text file is one row, instead of one row a paragraph.
        problems: a list to which a `Problem` is added for everything that was not read.

    Yields dicts: `id` (source and place), `text`, `source` (path inside the folder), `meta` (the other columns; for a document,
    what it says of its licence); where there are several columns also `fields`, each of them by name. Raises ValueError where there is no
    such path.
    """
    problems = Problems() if problems is None else problems
    for path, name, problem in walk(source):
        if problem:
            problems.append(problem)
        else:
            yield from read(path, name, text, whole, problems)


_OWN = ("id", "text", "source", "meta", "fields", "licence", "split", "group")


def as_row(row, number):
    """A row from elsewhere (the hub, a built-in set, a notebook's list) as `rows` gives them.

    Columns `instruction` and `answer` become its fields, columns that are not known go to `meta`. ValueError where there is no text.
    """
    pair = {name: as_text(row[name]) for name in ("instruction", "answer") if "instruction" in row and "answer" in row}
    fields = row.get("fields") or pair
    if "text" not in row and not fields:
        raise ValueError(f"row {number} has no text: give dicts with `text`, or with `instruction` and `answer`")
    meta = {name: value for name, value in row.items() if name not in _OWN and name not in fields} | row.get("meta", {})
    made = {"id": str(number), "source": "rows", "text": "\n\n".join(fields.values())} | {name: row[name] for name in _OWN if name in row}
    return made | {"meta": meta} | ({"fields": fields} if fields else {})


def read(path, name, text=None, whole=False, problems=None):
    """The rows of one file; see `rows`."""
    path, problems, wish = Path(path), Problems() if problems is None else problems, for_source(text, name)
    suffix = path.suffix.lower()
    try:
        found = formats.READERS[suffix](path, name, problems, whole)
        if suffix in formats.DOCUMENTS:
            yield from _document(path, name, found)
            return
        for place, value in found:
            if isinstance(value, str):
                yield {"id": f"{name}:{place}", "text": value, "source": name, "meta": {}}
                continue
            wish = wish or columns(path, value, name)
            if not wish:
                example = next((str(column) for column in value), "teks")
                why = f"has no column of text that is known among {', '.join(map(str, value))}: name it, for example text={example!r}"
                problems.append(Problem(name, "file", why))
                return
            row = _from_columns(name, place, value, wish, problems)
            if row:
                yield row
    except (OSError, UnicodeError) as error:
        problems.append(Problem(name, "file", f"could not be read to its end ({error}): check the file"))


def _document(path, name, found):
    """Rows of a document; each carries the line in which the document states its licence."""
    if path.suffix.lower() == ".pdf":
        found = list(found)
        stated = licences.stated(line for _, page in found for line in page.splitlines())
    else:
        stated = licences.stated(formats.lines(path))
    for place, text in found:
        yield {"id": f"{name}:{place}", "text": text, "source": name, "meta": {"licence": stated} if stated else {}}


def _from_columns(name, place, found, wish, problems):
    named = {wish: wish} if isinstance(wish, str) else wish if isinstance(wish, dict) else {column: column for column in wish}
    if missing := [column for column in named.values() if column not in found]:
        problems.append(Problem(name, f"row {place}", f"has no column {missing[0]!r}: name its text column with text=…"))
        return None
    fields = _turns(found[wish]) if isinstance(wish, str) else {ours: as_text(found[column]) for ours, column in named.items()}
    meta = {column: value for column, value in found.items() if column not in named.values() and column is not None}
    text = "\n\n".join(fields.values()) if fields else as_text(found[wish])
    row = {"id": f"{name}:{place}", "text": text, "source": name, "meta": meta}
    return row | {"fields": fields} if fields and not isinstance(wish, str) or len(fields) > 1 else row


def _turns(value):
    """A chat of one question and one answer (after a system message, perhaps) as these two fields; of other values, nothing."""
    if not isinstance(value, list) or not all(isinstance(turn, dict) for turn in value):
        return {}
    turns = [(turn.get("role", turn.get("from")), as_text([turn])) for turn in value]
    turns = [turn for turn in turns if turn[0] != "system"]
    ends = [role in ends for (role, _), ends in zip(turns, (("user", "human"), ("assistant", "gpt")))]
    return {"instruction": turns[0][1], "answer": turns[1][1]} if len(turns) == 2 and all(ends) else {}


def as_text(value):
    """A cell as text; a chat (a list of messages) becomes its contents, one paragraph a message."""
    if isinstance(value, list):
        return "\n\n".join(as_text(item.get("content", item.get("value", "")) if isinstance(item, dict) else item) for item in value)
    return "" if value is None else str(value)


def columns(path, sample, name):
    """The columns that hold the text, from a sample row's names; else the one whose first 50 values are longest; None where none is.

    Returns a name, or a dict `{"instruction": name, "answer": name}` where there are questions and answers.
    """
    lower = {str(column).strip().lower(): column for column in sample if column is not None}
    question = next((lower[known] for known in QUESTION_NAMES if known in lower), None)
    answer = next((lower[known] for known in ANSWER_NAMES if known in lower), None)
    if question is not None and answer is not None:
        return {"instruction": question, "answer": answer}
    for known in (*CHAT_NAMES, *TEXT_NAMES):
        if known in lower:
            return lower[known]
    lengths, count = dict.fromkeys(lower.values(), 0), 0
    for _, row in formats.READERS[Path(path).suffix.lower()](Path(path), name, [], False):
        for column in lengths:
            lengths[column] += len(as_text(row.get(column))) if isinstance(row, dict) else 0
        count += 1
        if count == 50:
            break
    best = max(lengths, key=lengths.get, default=None)
    return best if best is not None and lengths[best] >= 20 * count else None
