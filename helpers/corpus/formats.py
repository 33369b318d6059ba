"""File formats: from a file to its texts or rows of columns, one at a time. Used by `readers`.

    for place, found in formats.READERS[".csv"](path, "aduan.csv", problems, whole=False):
        found                          # {"no": "1", "mesej": "Lampu padam"}, or a str for text, web pages and PDF

Files are read piece by piece: none is in memory whole, except the text of one PDF and one web page. What cannot be read becomes
a `Problem`.
"""

import codecs
import csv
import json
import re
from dataclasses import dataclass

from helpers.corpus import clean

LINE_LIMIT = 32 * 2**20  # characters of one line, one cell or one JSON value
CHAT_NAMES = ("messages", "conversations", "conversation")  # columns that hold a list of messages


@dataclass(frozen=True)
class Problem:
    """What was not read: `where` is a line, page or "file"; `why` says what is the matter and what to do."""

    source: str
    where: str
    why: str

    def __str__(self):
        return f"{self.source}, {self.where}: {self.why}"


class Problems(list):
    """A list of problems that keeps the first thousand and counts them all in `total`."""

    total = 0

    def append(self, problem):
        self.total += 1
        if self.total <= 1000:
            super().append(problem)


def _bad_bytes_are_cp1252(error):
    # a file that is UTF-8 but for a few bytes was pasted together from Windows: read those bytes as Windows meant them
    return error.object[error.start : error.end].decode("cp1252", "replace"), error.end


codecs.register_error("lepaslatih-cp1252", _bad_bytes_are_cp1252)


def encoding(path):
    """The encoding of a text file from its first 64 kB: "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"; None for a binary file.

    A file in cp1252 is opened as "utf-8-sig" too: bytes that are not UTF-8 are read as cp1252, one by one.
    """
    with open(path, "rb") as file:
        head = file.read(65536)
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    if b"\0" in head:
        # UTF-16 without a mark: Latin letters leave every other byte zero
        even, odd = head[::2].count(0) * 2 / len(head), head[1::2].count(0) * 2 / len(head)
        return "utf-16-le" if odd > 0.4 and even < 0.05 else "utf-16-be" if even > 0.4 and odd < 0.05 else None
    return "utf-8-sig"


def _open(path):
    kind = encoding(path)
    return open(path, encoding=kind, errors="lepaslatih-cp1252" if kind == "utf-8-sig" else "replace", newline="")


def lines(path):
    """The lines of a text file, long ones in pieces."""
    with _open(path) as file:
        while line := file.readline(2**16):
            yield line


def _csv(path, name, problems, whole):
    csv.field_size_limit(LINE_LIMIT)
    with _open(path) as file:
        dialect = _delimiter(file.read(65536))
        file.seek(0)
        reader = csv.DictReader(file, delimiter=dialect, skipinitialspace=True)
        try:
            header = [str(column).strip() for column in reader.fieldnames or []]
            reader.fieldnames = header
            if len(set(header)) < len(header) or "" in header:
                reader.fieldnames = [
                    column or f"column{n}" if header.index(column) == n else f"{column}{n}" for n, column in enumerate(header)
                ]
            begin = reader.line_num
            for row in reader:
                place, begin = begin + 1, reader.line_num
                if None in row:
                    problems.append(
                        Problem(name, f"line {place}", "has more cells than the header: put the cell with the delimiter in quotes")
                    )
                elif None in row.values():
                    problems.append(Problem(name, f"line {place}", "has fewer cells than the header: mend the line"))
                else:
                    yield place, row
        except csv.Error as error:
            problems.append(Problem(name, f"line {reader.line_num}", f"{error}: look for a quotation mark that is not closed"))


def _delimiter(head):
    """The delimiter that cuts the first lines into the most cells, with as many in each line."""
    best, most = ",", 1
    for delimiter in ",;\t|":
        try:
            widths = [len(row) for row in csv.reader(head.splitlines(keepends=True)[:40], delimiter=delimiter, skipinitialspace=True)][:20]
        except csv.Error:
            continue
        if widths and widths[0] > most and widths.count(widths[0]) * 2 > len(widths):
            best, most = delimiter, widths[0]
    return best


def _jsonl(path, name, problems, whole):
    with _open(path) as file:
        number = 0
        while line := file.readline(LINE_LIMIT):
            number += 1
            if len(line) == LINE_LIMIT:
                while line and not line.endswith("\n"):
                    line = file.readline(LINE_LIMIT)
                problems.append(Problem(name, f"line {number}", f"is longer than {LINE_LIMIT >> 20} MB: cut it"))
            elif line.strip():
                yield from _value(line, number, name, problems)


def _value(line, number, name, problems):
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:
        why = f"{error.msg}, character {error.pos + 1}" if isinstance(error, json.JSONDecodeError) else "nested too deeply"
        problems.append(Problem(name, f"line {number}", f"is not JSON ({why}): mend or remove it"))
        return
    if isinstance(value, (dict, str)) and value:
        yield number, value
    else:
        problems.append(Problem(name, f"line {number}", "is neither an object nor a text: write one JSON object a line"))


def _json(path, name, problems, whole):
    """An array of objects, item by item; JSONL under the wrong name is read as JSONL; an object with one array, as that array."""
    decoder, number = json.JSONDecoder(), 0
    with _open(path) as file:
        if file.read(4096).lstrip().startswith("{"):
            file.seek(0)
            if _is_row(file.readline(LINE_LIMIT), file.readline(LINE_LIMIT)):
                yield from _jsonl(path, name, problems, whole)
                return
        file.seek(0)
        buffer, size, ended, inside = "", 65536, False, False
        while True:
            more = file.read(size)
            ended, buffer = not more, buffer + more
            if not inside:  # up to the first array
                at = buffer.find("[")
                if at < 0 or not set(buffer[:at]) <= set(' \t\r\n{}",.:_abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-'):
                    problems.append(Problem(name, "file", "holds no array of objects: write one JSON object a line (JSONL)"))
                    return
                buffer, inside = buffer[at + 1 :], True
            while True:
                buffer = buffer.lstrip(" \t\r\n,")
                if buffer.startswith("]"):
                    return
                try:
                    value, end = decoder.raw_decode(buffer)
                except (ValueError, RecursionError) as error:
                    if ended or len(buffer) > LINE_LIMIT:
                        problems.append(Problem(name, f"item {number + 1}", f"is not JSON ({error}): the items after it are not read"))
                        return
                    size = max(65536, len(buffer))  # a long item: read twice as much before the next try
                    break
                if end == len(buffer) and not ended:
                    break  # a number may go on
                number, buffer, size = number + 1, buffer[end:], 65536
                if isinstance(value, (dict, str)) and value:
                    yield number, value
                else:
                    problems.append(Problem(name, f"item {number}", "is neither an object nor a text: not read"))
            if ended:
                problems.append(Problem(name, "file", "ends inside its array: it may have been cut off"))
                return


def _is_row(line, next_line):
    """Whether a first line is one of several rows, or an object that holds no other array of objects than a chat's messages."""
    try:
        values = json.loads(line)
    except ValueError:
        return False
    arrays = [key for key, value in values.items() if isinstance(value, list) and value and isinstance(value[0], dict)]
    return bool(next_line.strip()) or all(key in CHAT_NAMES for key in arrays)


def _text(path, name, problems, whole):
    """Paragraphs (between empty lines), or the whole file; a place is the number of the paragraph's first line."""
    with _open(path) as file:
        lines, start, number, size = [], 1, 0, 0
        while line := file.readline(2**20):
            number += 1
            line = line.rstrip("\r\n")
            if (line.strip() or whole) and size < LINE_LIMIT:
                lines.append(line)
                size += len(line)
                continue
            if any(lines):
                yield start, "\n".join(lines)
            if size >= LINE_LIMIT:
                problems.append(Problem(name, f"line {number}", "the text before this line is very long: it was cut here"))
            lines = [line] if line.strip() else []
            start, size = (number if lines else number + 1), len(line)
        if any(line.strip() for line in lines):
            yield start, "\n".join(lines)


def _page(path, name, problems, whole):
    """A web page without its tags, by paragraph or whole."""
    with _open(path) as file:
        text = clean.without_tags(file.read(LINE_LIMIT))
        if file.read(1):
            problems.append(Problem(name, "file", f"is longer than {LINE_LIMIT >> 20} MB: its end was not read"))
    texts = [text] if whole else re.split(r"\n\s*\n", text)
    yield from ((number, text.strip()) for number, text in enumerate(texts, 1) if text.strip())


def _pdf(path, name, problems, whole):
    """Page by page, without the headers and footers that the pages share; a page without text is reported."""
    import logging

    from pypdf import PdfReader
    from pypdf.errors import PyPdfError

    logging.getLogger("pypdf").setLevel(logging.CRITICAL)  # its warnings are about the file's inside, which nobody here can mend
    with open(path, "rb") as file:
        pages = []
        try:
            reader = PdfReader(file)
            if reader.is_encrypted and not reader.decrypt(""):
                problems.append(Problem(name, "file", "is locked with a password: save it without one"))
                return
            count = len(reader.pages)
            for number in range(count):
                try:
                    pages.append(reader.pages[number].extract_text() or "")
                except Exception as error:  # pypdf raises many kinds for damaged pages
                    pages.append("")
                    problems.append(Problem(name, f"page {number + 1}", f"could not be read ({type(error).__name__}): save the PDF anew"))
                    continue
                if not pages[-1].strip():
                    problems.append(Problem(name, f"page {number + 1}", "has no text (a scan?): run OCR on it and keep the text"))
        except (PyPdfError, ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError, NotImplementedError) as error:
            problems.append(Problem(name, "file", f"is a damaged or unusual PDF ({type(error).__name__}): open it and save it anew"))
    for number, page in enumerate(clean.without_repeated_edges(pages), 1):
        if page.strip():
            yield f"p{number}", page


READERS = {
    ".csv": _csv, ".tsv": _csv, ".jsonl": _jsonl, ".ndjson": _jsonl, ".json": _json, ".txt": _text, ".md": _text, ".html": _page,
    ".htm": _page, ".pdf": _pdf,
}  # fmt: skip
DOCUMENTS = (".txt", ".md", ".html", ".htm", ".pdf")  # one document each; the others are tables of rows
