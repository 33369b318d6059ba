"""The learner's own letters through the mortgage desk: JSONL in, JSONL out.

    python -m helpers mortgage --in letters.jsonl --out decisions.jsonl

In, one JSON object a line: `id`, `letter`, and optionally `documents` with the fields of
`helpers.worlds.mortgage.Documents`. Without documents nothing is verified, so the most that is recommended is `rujuk`.

Out, one line a letter, in the form of `Decision`. A bad row is reported with its line number and the rest goes on.
Interrupted, the same command goes on with the letters that are not decided yet; a half-written last line is dropped.
"""

import json
import os
import sys
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError


class DocumentsIn(BaseModel):
    """What came with a letter and what the bank's registers say; everything is optional."""

    model_config = ConfigDict(extra="forbid")
    mykad_name: str | None = None
    mykad_number: str | None = None
    age: int | None = Field(None, ge=0, le=120)
    self_employed: bool = False
    received: list[str] = []
    arrears_months: int | None = Field(None, ge=0)
    credit_commitments: float | None = Field(None, ge=0)
    homes_financed: int = Field(0, ge=0)
    valuation: float | None = Field(None, gt=0)


class LetterIn(BaseModel):
    """One line of the input."""

    id: str = Field(min_length=1)
    letter: str = Field(min_length=1, max_length=6000)
    documents: DocumentsIn | None = None


class Found(BaseModel):
    """A fact: its value (ringgit a month, ringgit, years, or words) and the quotes it was read from."""

    value: float | str
    quotes: list[str] = Field(min_length=1)


class Figures(BaseModel):
    """What code computed: ringgit (a month) and per cent; null where a fact is missing."""

    financing: float | None
    instalment: float | None
    net_income: float | None
    dsr: float | None
    margin: float | None


class Fields(BaseModel):
    """The nine facts of a letter, each a value with its quotes or null."""

    applicant_name: Found | None
    gross_monthly_income: Found | None
    monthly_commitments: Found | None
    property_price: Found | None
    property_type: Found | None
    property_location: Found | None
    tenure_years: Found | None
    employment: Found | None
    years_employed: Found | None


class Decision(BaseModel):
    """One line of the output: a recommendation for an officer, never a decision."""

    id: str
    fields: Fields
    figures: Figures
    recommendation: Literal["lulus", "rujuk", "tolak"]
    reasons: list[str] = Field(min_length=1)
    confidence: float = Field(ge=0, le=1)
    seconds: float = Field(ge=0)


def read_rows(path):
    """Yield `(line number, LetterIn or None, problem)` for every line of a JSONL file that is not empty."""
    seen = {}
    with open(path, encoding="utf-8-sig", errors="replace") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                row = LetterIn.model_validate_json(line)
                if not row.letter.strip():
                    raise ValueError("the letter is empty")
                if row.id in seen:
                    raise ValueError(f"the id {row.id!r} stands on line {seen[row.id]} already")
                seen[row.id] = number
                yield number, row, None
            except ValidationError as error:
                first = error.errors()[0]
                where = ".".join(str(part) for part in first["loc"])
                yield number, None, f"{where + ': ' if where else ''}{first['msg']}"
            except ValueError as error:
                yield number, None, str(error)


def decided(path):
    """The ids that an output file holds; cuts off a last line that a kill left unfinished.

    ValueError where the file holds anything else, such as letters or one line of text; it is then left as it is.
    """
    if not path.exists():
        return set()
    if path.is_dir():
        raise ValueError(f"{path} is a folder: give the name of a file for --out")
    body = path.read_bytes()
    whole, begun = body[: body.rfind(b"\n") + 1], b'{"id": "'
    rest = body[len(whole) :]
    try:
        ids = {Decision.model_validate_json(line).id for line in whole.splitlines() if line.strip()}
        if not (rest.startswith(begun) or begun.startswith(rest)) or _complete(rest):
            Decision.model_validate_json(rest)  # no beginning of a decision: only a whole one would do
    except ValidationError:
        raise ValueError(f"{path} holds something other than decisions: give another name for --out") from None
    if len(whole) < len(body):
        with open(path, "r+b") as file:
            file.truncate(len(whole))
    return ids


def _complete(line):
    try:
        json.loads(line)
    except ValueError:
        return False
    return True


def make_reader(adapter=None, address=None):
    """A reader for the desk: a model behind an address, or the embedded model with an adapter."""
    from helpers import lesson, machine, models
    from helpers.agents.backends import InProcess, Remote
    from helpers.agents.reading import ModelReader

    if address:
        return ModelReader(Remote(address, os.environ.get("LEPASLATIH_API_KEY")))
    lesson.quiet()
    import torch

    torch.set_num_threads(machine.cores())
    adapter = Path(adapter) if adapter else lesson.SHIPPED
    return ModelReader(InProcess(*models.load(adapter=adapter)))


def run(source, target, adapter=None, address=None, policy=None, reader=None):
    """Read letters, write decisions; returns 0, or 1 when some rows were bad."""
    from tqdm import tqdm

    from helpers.agents import desk as mortgage_desk
    from helpers.worlds.mortgage import Documents, MortgageDesk
    from helpers.worlds.mortgage import policy as bank_policy

    if not source.is_file():
        raise FileNotFoundError(f"there is no file {source}: check the path after --in")
    if target.exists() and target.resolve() == source.resolve():
        raise ValueError("--out must be another file than --in: the letters are never overwritten")
    rules = bank_policy.load(policy) if policy else bank_policy.load()
    done = decided(target)
    rows, bad = [], 0
    for number, row, problem in read_rows(source):
        if problem:
            bad += 1
            print(f"{source.name}, line {number}: {problem}; skipped", file=sys.stderr)
        elif row.id not in done:
            rows.append(row)
    if done:
        print(f"{len(done)} letters were decided before; going on with {len(rows)}", file=sys.stderr)
    if rows:
        reader = reader or make_reader(adapter, address)
        target.parent.mkdir(parents=True, exist_ok=True)
        with open(target, "a", encoding="utf-8") as out:
            for row in tqdm(rows, desc="letters", file=sys.stderr):
                desk = MortgageDesk(policy=rules)
                desk.receive(row.id, row.letter, Documents(**row.documents.model_dump()) if row.documents else None)
                case = mortgage_desk.handle(desk, row.id, reader)
                desk.close()
                case.pop("trace")
                out.write(json.dumps(Decision.model_validate(case).model_dump(), ensure_ascii=False) + "\n")
                out.flush()
                os.fsync(out.fileno())
    print(f"{len(done) + len(rows)} decisions in {target}" + (f"; {bad} bad rows skipped" if bad else ""), file=sys.stderr)
    return 1 if bad else 0
