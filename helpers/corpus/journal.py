"""What a run has done, kept so that a killed run goes on where it was: parts that are written whole or not at all.

    with Journal(folder, fingerprint(settings)) as journal:
        part = journal.part("first/0001")
        if not part.done:
            with part.writing():
                part.write({"id": "a:1", "text": "…"})
                part.add("group", numpy_array)
                part.close({"rows": 1})
        part.rows(), part.array("group"), part.record

A part is a few files with one name; its record, a small JSON file, is moved into place last and says that the part is done. Nothing
is held in memory while a part is written.
"""

import contextlib
import hashlib
import json
import os
import shutil
from functools import lru_cache
from pathlib import Path

import numpy as np

from helpers.corpus import duplicates

# numbers kept beside a part's rows: name → type and how many a row
ARRAYS = {
    "offset": (np.int64, 1),  # where each row begins in the part's file
    "bands": (np.uint32, duplicates.BANDS),  # its signature
    "row": (np.int64, 1),  # the row's number in the first pass
    "group": (np.uint64, 1),  # the group that must stay in one split
    "runs": (np.uint64, 1),  # hashes of runs of words
    "runs_row": (np.int32, 1),  # the row in the part that each stands in
}


_ENCODE = json.JSONEncoder(ensure_ascii=False).encode  # made once: twice as fast as json.dumps for short rows


def fingerprint(value):
    """A short hash of anything that JSON can write, and of the code that works on it."""
    return hashlib.sha256((json.dumps(value, sort_keys=True, default=str) + _code()).encode()).hexdigest()[:16]


@lru_cache(1)
def _code():
    """A hash of the rooms that the steps live in: rows done by other code are done again."""
    digest, rooms = hashlib.sha256(), Path(__file__).parent.parent
    for path in sorted(
        [*(rooms / "corpus").glob("*.py"), *(p for p in (rooms / "malay").glob("**/*") if p.is_file() and p.suffix != ".pyc")]
    ):
        digest.update(path.read_bytes())
    return digest.hexdigest()


class Journal:
    """The hidden folder of a run. One process at a time; what other settings left is removed."""

    NAME = ".work"

    def __init__(self, folder, plan, fresh=False):
        self.folder, self.plan, self.fresh = Path(folder) / self.NAME, plan, fresh
        self.seconds, self._asked = 0.0, set()

    def __enter__(self):
        from filelock import FileLock, Timeout

        self.folder.mkdir(mode=0o700, exist_ok=True)
        self._lock = FileLock(self.folder / "lock")
        try:
            self._lock.acquire(timeout=0)
        except Timeout:
            raise ValueError(f"another run is writing to {self.folder.parent}: wait for it, or choose another folder") from None
        marker = self.folder / "plan"
        if self.fresh or not marker.is_file() or marker.read_text() != self.plan:
            for path in self.folder.iterdir():
                if path.is_dir():
                    shutil.rmtree(path)
                elif path.name != "lock":
                    path.unlink()
            marker.write_text(self.plan)
        return self

    def __exit__(self, *error):
        self._lock.release()

    def remove(self):
        """Remove the folder: the run is finished."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def part(self, name):
        """The part of that name, done or not."""
        part = Part(self.folder / name)
        if name not in self._asked:  # done by a run before this one: its time counts too
            self._asked.add(name)
            self.seconds += part.record.get("seconds", 0.0) if part.done else 0.0
        return part

    def note(self, name, value=None):
        """Keep a small value, or give back the one that was kept (None where there is none)."""
        path = self.folder / f"{name}.note"
        if value is not None:
            _write(path, json.dumps(value, ensure_ascii=False))
        return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None


def _write(path, text):
    path.parent.mkdir(exist_ok=True)
    partial = path.with_name(path.name + ".part")
    partial.write_text(text, encoding="utf-8")
    os.replace(partial, path)


class Part:
    """Rows, dropped rows and arrays of one stretch of the work."""

    def __init__(self, base):
        self.base = base
        record = self._path("json")
        self.record = json.loads(record.read_text(encoding="utf-8")) if record.is_file() else None
        if self.record and any(self._size(kind) != size for kind, size in self.record["sizes"].items()):
            self.record = None  # the computer went off before the files were on the disk

    @property
    def done(self):
        """Whether the part is complete."""
        return self.record is not None

    def _size(self, kind):
        return self._path(kind).stat().st_size if self._path(kind).is_file() else None

    def _path(self, kind):
        return self.base.with_name(f"{self.base.name}.{kind}")

    @contextlib.contextmanager
    def writing(self):
        """Open the part's files, under names that nobody reads; `close` must be called inside."""
        self.base.parent.mkdir(exist_ok=True)
        self.count, self._at, self._files = 0, 0, {}
        try:
            yield self
        finally:
            for file in self._files.values():
                file.close()

    def _file(self, kind):
        if kind not in self._files:
            self._files[kind] = open(self._path(f"{kind}.part"), "wb")  # noqa: SIM115 (`writing` closes it)
        return self._files[kind]

    def write(self, rows):
        """Write rows (a list of dicts) and where each begins."""
        lines = [_ENCODE(row).encode() + b"\n" for row in rows]
        self._file("rows").write(b"".join(lines))
        starts = np.cumsum([self._at, *map(len, lines)])
        self.add("offset", starts[:-1])
        self._at, self.count = int(starts[-1]), self.count + len(lines)

    def drop(self, lines):
        """Write what a step dropped (a list of dicts)."""
        if lines:
            self._file("dropped").write("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines).encode())

    def add(self, name, values):
        """Append numbers to an array of the part."""
        np.ascontiguousarray(values, ARRAYS[name][0]).tofile(self._file(name))

    def close(self, record):
        """Make the part complete; its record also says how many rows it has (`kept`)."""
        for kind, file in self._files.items():
            file.close()
            os.replace(self._path(f"{kind}.part"), self._path(kind))
        sizes = {kind: self._path(kind).stat().st_size for kind in self._files}
        self.record = record | {"kept": self.count, "sizes": sizes}
        _write(self._path("json"), json.dumps(self.record, ensure_ascii=False))

    def lines(self, kind="rows"):
        """The lines of the rows (or the "dropped" ones), as bytes."""
        if self._path(kind).is_file():
            with open(self._path(kind), "rb") as file:
                yield from file

    def rows(self):
        """The rows, one at a time."""
        return (json.loads(line.decode()) for line in self.lines())

    def array(self, name):
        """An array of the part; of the shape (rows, numbers a row) where a row has several."""
        kind, width = ARRAYS[name]
        found = np.fromfile(self._path(name), kind) if self._path(name).is_file() else np.zeros(0, kind)
        return found.reshape(-1, width) if width > 1 else found


class Parts(list):
    """Parts one after another, with rows numbered through."""

    @property
    def starts(self):
        """The number of each part's first row, and of all rows last."""
        return np.cumsum([0, *(part.record["kept"] for part in self)])

    def bands(self):
        """Each band of all rows, one after another: what `duplicates.find` takes. One band in memory at a time."""
        for band in range(duplicates.BANDS):
            yield np.concatenate([np.zeros(0, np.uint32), *(part.array("bands")[:, band] for part in self)])

    @contextlib.contextmanager
    def reader(self):
        """A function from a row's number to the row, for `with`; it keeps at most 64 files open."""
        starts, offsets, files = self.starts, [part.array("offset") for part in self], {}

        def row(number):
            which = int(np.searchsorted(starts, number, side="right")) - 1
            if which not in files:
                if len(files) >= 64:
                    files.pop(next(iter(files))).close()
                files[which] = open(self[which]._path("rows"), "rb")  # noqa: SIM115 (closed below)
            files[which].seek(offsets[which][number - starts[which]])
            return json.loads(files[which].readline())

        try:
            yield row
        finally:
            for file in files.values():
                file.close()
