"""The mortgage desk: a bank's applications, registers and recommendations, in SQLite.

    desk = MortgageDesk()                      # in memory; give a path to keep it
    desk.receive("app-1", letter, documents)
    desk.read_application("app-1")             # the typed public methods are the agent's tools

Everybody and everything in it is invented: identity cards use the place code 00, which is not given to anybody.
"""

import json
import random
import re
import sqlite3
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

from helpers.worlds.mortgage import policy as bank_policy
from helpers.worlds.mortgage.fields import fold

Recommendation = Literal["lulus", "rujuk", "tolak"]
_SELF_EMPLOYED = re.compile(
    r"niaga|jual|gerai|kedai|sendiri|usahawan|petani|nelayan|pekebun|penoreh|freelance|kontraktor|e-hailing|grab|rider|runner|business|bengkel|tukang|pesawah|penternak|lori sendiri",
    re.I,
)


@dataclass
class Documents:
    """What came with a letter and what the bank's own records say. None: not there, or not looked up."""

    mykad_name: str | None = None
    mykad_number: str | None = None
    age: int | None = None
    self_employed: bool = False
    received: list = field(default_factory=list)
    arrears_months: int | None = None
    credit_commitments: float | None = None
    homes_financed: int = 0
    valuation: float | None = None


def invent_documents(row, seed=0):
    """Invented registers for a written or composed letter; the same letter and seed give the same documents.

    About two in three applicants bring everything and have a clean record; the others lack a document, are in
    arrears, own two homes, or want a home that is valued below its price.
    """
    rng = random.Random(f"{row['id']}/{seed}")
    answers = row["answers"]

    def value(name):
        return answers[name]["value"] if answers.get(name) else None

    age = rng.randrange(24, 50)
    self_employed = bool(_SELF_EMPLOYED.search(value("employment") or ""))
    wanted = bank_policy.load()["documents"]["self_employed" if self_employed else "salaried"]
    received = list(wanted)
    if rng.random() < 0.12:
        received.remove(rng.choice(wanted[1:]))
    name = value("applicant_name")
    born = 2026 - age
    number = f"{born % 100:02d}{rng.randrange(1, 13):02d}{rng.randrange(1, 29):02d}-00-{rng.randrange(1000, 9999)}"
    arrears = rng.choices([0, 1, 2, 3, 5], [86, 5, 3, 3, 3])[0]
    price = value("property_price")
    valuation = None if price is None else round(price * rng.choices([1.0, 0.97, 0.94, 1.03], [80, 8, 4, 8])[0], -2)
    return Documents(name, number, age, self_employed, received, arrears, None, rng.choices([0, 1, 2], [80, 14, 6])[0], valuation)


_SCHEMA = """
CREATE TABLE IF NOT EXISTS applications (id TEXT PRIMARY KEY, letter TEXT NOT NULL, received TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS documents (id TEXT PRIMARY KEY REFERENCES applications, body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS recommendations (id TEXT PRIMARY KEY REFERENCES applications, recommendation TEXT NOT NULL
    CHECK (recommendation IN ('lulus','rujuk','tolak')), reasons TEXT NOT NULL, at TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS decisions (id TEXT PRIMARY KEY REFERENCES applications, decision TEXT NOT NULL
    CHECK (decision IN ('lulus','rujuk','tolak')), note TEXT NOT NULL, at TEXT NOT NULL);
"""


class MortgageDesk:
    """The desk's state and tools. The five public methods with a typed signature and no leading underscore under
    “Tools” are what an agent may call; receiving letters and deciding are for people."""

    TOOLS = ("read_application", "verify_identity_and_documents", "credit_record", "compute_figures", "record_recommendation")

    def __init__(self, path=":memory:", policy=None):
        """Open a desk on an SQLite file, or in memory. `policy`: from `policy.load`, the kit's own by default."""
        self.policy = policy or bank_policy.load()
        self._db = sqlite3.connect(path, check_same_thread=False)
        self._lock = threading.Lock()
        with self._db:
            self._db.executescript(_SCHEMA)

    # For people

    def receive(self, application: str, letter: str, documents: Documents | None = None):
        """Take in a letter with its documents; ValueError where the id is taken or the letter is empty."""
        if not letter.strip():
            raise ValueError(f"{application}: the letter is empty")
        try:
            with self._lock, self._db:
                self._db.execute("INSERT INTO applications VALUES (?, ?, ?)", (application, letter, _now()))
                self._db.execute("INSERT INTO documents VALUES (?, ?)", (application, json.dumps(vars(documents or Documents()))))
        except sqlite3.IntegrityError:
            raise ValueError(f"there is an application {application!r} already") from None

    def decide(self, application: str, decision: Recommendation, note: str = ""):
        """Record a person's decision; the first one stands."""
        self._one("SELECT 1 FROM recommendations WHERE id = ?", application, "has no recommendation yet")
        try:
            with self._lock, self._db:
                self._db.execute("INSERT INTO decisions VALUES (?, ?, ?, ?)", (application, decision, note, _now()))
        except sqlite3.IntegrityError:
            raise ValueError(f"{application!r} cannot be decided as {decision!r}: it is decided already, or that is no decision") from None
        return f"{application}: {decision}, direkodkan"

    # Tools

    def read_application(self, application: str) -> str:
        """The applicant's letter, as received."""
        return self._one("SELECT letter FROM applications WHERE id = ?", application, "is not an application")[0]

    def verify_identity_and_documents(self, application: str, name: str | None) -> dict:
        """Compare the name in the letter with the identity card, and the documents received with the list wanted."""
        papers = self._documents(application)
        wanted = self.policy["documents"]["self_employed" if papers.self_employed else "salaried"]
        said, card = set(fold(name or "").split()), set(fold(papers.mykad_name or "").split())
        return {
            "identity_verified": bool(card) and len(said) >= 2 and said <= card,
            "documents_missing": [d for d in wanted if d not in papers.received] if papers.received else None,
            "age": papers.age, "self_employed": papers.self_employed,
        }  # fmt: skip

    def credit_record(self, application: str) -> dict:
        """Arrears in months, commitments on record (ringgit a month) and homes still financed."""
        papers = self._documents(application)
        return {k: getattr(papers, k) for k in ("arrears_months", "credit_commitments", "homes_financed", "valuation")}

    def compute_figures(self, values: dict, registers: dict) -> dict:
        """Financing, instalment, net income (ringgit a month), debt-service ratio and margin (per cent)."""
        return bank_policy.figures(values, registers, self.policy).as_dict()

    def record_recommendation(self, application: str, recommendation: Recommendation, reasons: list[str]) -> str:
        """Record what is recommended to the officer, with reasons. A later recommendation replaces an undecided one."""
        if recommendation not in ("lulus", "rujuk", "tolak") or not reasons:
            raise ValueError("a recommendation is lulus, rujuk or tolak, with at least one reason")
        self._one("SELECT 1 FROM applications WHERE id = ?", application, "is not an application")
        with self._lock, self._db:
            if self._db.execute("SELECT 1 FROM decisions WHERE id = ?", (application,)).fetchone():
                raise ValueError(f"{application!r} is decided already: its recommendation stands")
            row = (application, recommendation, json.dumps(reasons, ensure_ascii=False), _now())
            self._db.execute("INSERT OR REPLACE INTO recommendations VALUES (?, ?, ?, ?)", row)
        return f"{application}: {recommendation}"

    def _documents(self, application):
        return Documents(**json.loads(self._one("SELECT body FROM documents WHERE id = ?", application, "is not an application")[0]))

    def _one(self, query, application, problem):
        with self._lock:
            row = self._db.execute(query, (application,)).fetchone()
        if row is None:
            raise KeyError(f"{application!r} {problem}")
        return row

    def table(self, name: Literal["applications", "recommendations", "decisions"]):
        """All rows of a table, for people to look at."""
        if name not in ("applications", "recommendations", "decisions"):
            raise ValueError(f"there is no table {name!r}")
        with self._lock:
            return self._db.execute(f"SELECT * FROM {name} ORDER BY rowid").fetchall()

    def close(self):
        """Close the database."""
        self._db.close()


def gold_recommendation(row, documents, policy=None):
    """What the policy recommends when every fact is read as annotated: the right answer to a letter."""
    desk = MortgageDesk(policy=policy)
    values = {name: None if answer is None else answer["value"] for name, answer in row["answers"].items()}
    desk.receive(row["id"], row["letter"], documents)
    registers = {**desk.verify_identity_and_documents(row["id"], values["applicant_name"]), **desk.credit_record(row["id"])}
    desk.close()
    return bank_policy.recommend(values, registers, desk.policy)[0]


def _now():
    return datetime.now(UTC).isoformat(timespec="seconds")
