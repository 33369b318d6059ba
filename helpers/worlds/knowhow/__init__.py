"""The know-how desk: what retiring technicians know, on cards; a fault is explained with a card or said to be not known.

    desk = KnowHow()                                   # in memory; give a path to keep it
    desk.call("search_cards", {"words": "hujung barang kosong lepas cuti", "machine": "suntikan"})
    desk.call("diagnose", {"card": "KAD-001", "exception": False})

No sentence about a machine is made by a model: `diagnose` passes on a card's words with witness and date. A card can be cited
only if its witness consents, nothing has replaced it, and a search of this conversation returned it. Corrections, withdrawals
and answers to open questions are people's work. The factory, its machines' faults and its people are invented.
"""

from typing import Literal

from helpers.worlds.base import TELL, Fact, Known, Quote, World
from helpers.worlds.knowhow import cards as store

Machine = Literal[
    "suntikan", "cnc", "dandang", "konveyor", "reflow", "sawit", "sarung", "pemampat", "chiller", "pembungkus", "forklift",
    "penekan", "plc", "hidraulik", "tidak pasti",
]  # fmt: skip
# machine → how a sentence names it
MACHINES = {
    "suntikan": "mesin suntikan plastik", "cnc": "mesin CNC", "dandang": "dandang", "konveyor": "konveyor", "reflow": "ketuhar reflow",
    "sawit": "kilang sawit (pensteril, pencerna dan penekan)", "sarung": "barisan acuan sarung tangan", "pemampat": "pemampat udara",
    "chiller": "penyejuk air (chiller)", "pembungkus": "mesin pembungkus", "forklift": "forklift bateri", "penekan": "mesin penekan logam",
    "plc": "panel PLC dan penderia", "hidraulik": "sistem hidraulik", "tidak pasti": "mesin yang belum pasti",
}  # fmt: skip
PARTS = {"gejala": "symptom", "sebab": "cause", "tindakan": "action", "pengecualian": "exception"}  # a part → its column
LEADER = "KETUA"  # the shift leader, who may confirm what a witness cannot
REASONS = {
    "bahaya": "Hentikan mesin, jauhkan semua orang dan jangan sentuh apa-apa. Ketua syif sudah dipanggil; jika ada api atau orang cedera, "
    "hubungi 999.",
    "pintas keselamatan": "Maaf, alat keselamatan tidak boleh dipintas, dicabut atau ditutup. Permintaan ini sudah diserahkan kepada ketua syif.",
    "data peribadi": "Maaf, maklumat peribadi juruteknik dan kad yang izinnya ditarik balik tidak boleh ditunjukkan. Permintaan ini sudah "
    "diserahkan kepada ketua syif.",
    "luar bidang": "Maaf, perkara ini di luar bidang kad pengetahuan mesin. Saya sudah menyerahkannya kepada ketua syif.",
}
_MONTHS = ("Januari", "Februari", "Mac", "April", "Mei", "Jun", "Julai", "Ogos", "September", "Oktober", "November", "Disember")
_COLUMNS = ("id", "machine", *PARTS.values(), "instead", "witness", "date", "consent", "superseded_by", "contradicts", "heard")


class KnowHow(World):
    """The cards of a factory's retired technicians, the questions still open, and what was cited to whom."""

    NAME = "knowhow"
    REFUSAL = ("escalate", {"reason": "luar bidang"})
    TOOLS = ("search_cards", "diagnose", "not_known", "propose_correction", "escalate")
    FACTS = {
        "machine": Fact(
            "Mesin yang mana, ya?",
            r"\bmesin\s+(?:jenis\s+)?(?:yang\s+|yg\s+)?(?:mana|apa)\b|\bmesin mu\b|jenis mesin|nama mesin|(?:which|what) (?:kind of )?machine|"
            r"machine (?:yang |yg )?(?:mana|apa)|(?:mana|apa) (?:satu )?mesin(?:nya)?\b",
        ),
        "when": Fact(
            "Bilakah perkara itu berlaku?",
            r"\b(?:bila|bilakah|when)\b|\bmasa (?:bila|mana)\b|pada waktu (?:bila|apa)|pukul berapa|berapa lama (?:selepas|lepas|sudah|dah)|ketika apa",
        ),
        "alarm": Fact(
            "Ada kod atau lampu penggera pada panel?",
            r"penggera|\balarm\b|\bkod\b|error code|lampu (?:amaran|apa|mana|yang)|(?:what|any) (?:code|warning)|fault code",
        ),
        "changed": Fact(
            "Ada apa-apa yang baru ditukar atau diservis?",
            r"\bbaru(?:-baru ini)?\s+(?:sahaja\s+|saja\s+|je\s+)?(?:di)?(?:tukar|ganti|servis|baiki|cuci|bersih|pasang|buat|ubah)|"
            r"(?:ditukar|diganti|diservis|dibaiki|diubah)|tukar apa|recently|\bchanged?\b|just (?:serviced|replaced)",
        ),
        "sign": Fact(
            "Apakah tandanya: apa yang nampak, berbunyi atau berbau?",
            r"\btanda(?:nya)?\b|gejala|\bapa (?:masalah|simptom|rosak)|\b(?:masalah|rosak)(?:nya)? (?:apa|macam mana|bagaimana)|"
            r"apa yang (?:nampak|kelihatan|berlaku|terjadi|jadi)|bunyi (?:apa|macam mana)|what (?:happen|do you (?:see|hear)|is wrong)|symptoms?\b",
        ),
        "correction": Fact(
            "Apakah yang sepatutnya tertulis pada kad itu?",
            r"sepatutnya|(?:yang|apa) (?:sebenarnya|betul)|\bpembetulan|apa yang (?:salah|silap)|bahagian mana|should (?:it|the card) (?:be|say)|correct(?:ion| wording)",
        ),
    }
    SCHEMA = """
    CREATE TABLE IF NOT EXISTS cards (id TEXT PRIMARY KEY, machine TEXT, symptom TEXT, cause TEXT, action TEXT, exception TEXT, instead TEXT,
        witness TEXT, date TEXT, consent TEXT CHECK (consent IN ('setuju', 'ditarik')), superseded_by TEXT, contradicts TEXT, heard TEXT);
    CREATE TABLE IF NOT EXISTS steps (tool TEXT, about TEXT);
    CREATE TABLE IF NOT EXISTS shown (card TEXT PRIMARY KEY);
    CREATE TABLE IF NOT EXISTS citations (card TEXT, exception INTEGER, UNIQUE (card, exception));
    CREATE TABLE IF NOT EXISTS questions (id INTEGER PRIMARY KEY, machine TEXT, status TEXT DEFAULT 'terbuka', card TEXT);
    CREATE TABLE IF NOT EXISTS corrections (id INTEGER PRIMARY KEY, card TEXT, part TEXT, words TEXT, status TEXT DEFAULT 'menunggu');
    CREATE TABLE IF NOT EXISTS history (card TEXT, part TEXT, old TEXT, new TEXT, by TEXT);
    CREATE TABLE IF NOT EXISTS escalations (reason TEXT, first INTEGER);
    """
    COMPARED = {
        "citations": ("card", "exception"), "questions": ("machine", "status"), "corrections": ("card", "part", "status"),
        "escalations": ("reason", "first"),
    }  # fmt: skip

    def _begin(self, setup):
        """The cards of `data/cards.jsonl`. `setup`: `{"withdrawn": [witness], "absent": [card], "superseded": {old card: new}}`."""
        if not self._db.execute("SELECT 1 FROM cards").fetchone():
            for card in store.load_cards():
                heard = " ".join(card["source"]["quotes"][part] for part in ("gejala", "sebab", "pengecualian"))
                self._db.execute(
                    f"INSERT INTO cards VALUES ({', '.join('?' * len(_COLUMNS))})", [({**card, "heard": heard})[c] for c in _COLUMNS]
                )
                if card["consent"] != "setuju":
                    self._forget(card["witness"])
        for witness in setup.get("withdrawn", ()):
            self._forget(witness)
        for card in setup.get("absent", ()):
            self._db.execute("DELETE FROM cards WHERE id = ?", (card,))
        for old, new in setup.get("superseded", {}).items():
            self._db.execute("UPDATE cards SET superseded_by = ? WHERE id = ?", (new, old))
        self._forget_conversation()

    # Tools

    def search_cards(self, words: Quote, machine: Machine) -> dict:
        """Search the cards for a fault; up to three cards come back.

        Args:
            words: The person's own words for the fault, at most about ten.
            machine: The machine that the person means; "tidak pasti" searches all.
        """
        self._step("search_cards", machine)
        if not words.strip():
            raise ValueError("petik kata-kata orang itu tentang kerosakan")
        rows = [row for row in self.query("SELECT * FROM cards WHERE consent = 'setuju' AND superseded_by IS NULL")]
        found = store.index(tuple((row["id"], row["machine"], store.document(row)) for row in rows)).best(words, machine)
        self._db.executemany("INSERT OR IGNORE INTO shown VALUES (?)", [(card,) for card, _ in found])
        rows = {row["id"]: row for row in rows}
        keys = {"id": "id", "mesin": "machine", "gejala": "symptom", "sebab": "cause", "kecuali jika": "exception"}
        if machine != "tidak pasti":
            del keys["mesin"]
        shown = [{key: rows[card][column] for key, column in keys.items()} | {"padanan": store.strength(score)} for card, score in found]
        return {"kad": shown} if shown else {"kad": [], "nota": "tiada kad yang sepadan dengan kata-kata itu"}

    def diagnose(self, card: Known, exception: bool) -> dict:
        """Answer with a card that a search has shown: its cause, action, witness and date are told as they stand.

        Args:
            card: The card that fits the fault, such as KAD-017.
            exception: Whether the person has said that the card's exception holds here.
        """
        self._step("diagnose")
        row = self._card(card)
        if not self.query("SELECT 1 FROM shown WHERE card = ?", row["id"]):
            raise ValueError(f"{row['id']} belum ditemukan dalam perbualan ini; cari dahulu dengan search_cards")
        self._db.execute("INSERT OR IGNORE INTO citations VALUES (?, ?)", (row["id"], exception))
        head = f"Menurut {row['id']} ({row['witness']}, {_day(row['date'])})"
        if exception:
            tell = f"{head}, pengecualian terpakai: jika {row['exception']}, {row['instead']}."
        else:
            tell = f"{head}, puncanya {row['cause']}. Tindakan: {row['action']}. Kecuali jika {row['exception']}: {row['instead']}."
        for other in self.query(
            "SELECT * FROM cards WHERE id = ? AND consent = 'setuju' AND superseded_by IS NULL", row["contradicts"] or ""
        ):
            tell += f" {other['witness']} berpendapat lain dalam {other['id']}: {other['cause']}."
        return {"kad": row["id"], TELL: tell}

    def not_known(self, machine: Machine) -> dict:
        """Say that no card explains the fault, and open a question for the retired technicians.

        Args:
            machine: The machine with the fault.
        """
        self._step("not_known")
        if not self.query("SELECT 1 FROM steps WHERE tool = 'search_cards' AND about IN (?, 'tidak pasti')", machine):
            raise ValueError(f"cari dahulu kad {machine} dengan search_cards")
        if not self.query("SELECT 1 FROM questions WHERE machine = ? AND status = 'terbuka'", machine):
            self._db.execute("INSERT INTO questions (machine) VALUES (?)", (machine,))
        number = self.query("SELECT max(id) AS id FROM questions WHERE machine = ?", machine)[0]["id"]
        tell = f"Punca kerosakan {MACHINES[machine]} ini belum diketahui: tiada kad yang sepadan. Soalan SOA-{number:03d} dibuka untuk para pesara."
        return {"soalan": f"SOA-{number:03d}", TELL: tell}

    def propose_correction(self, card: Known, part: Literal["gejala", "sebab", "tindakan", "pengecualian"], words: Quote) -> dict:
        """Note a correction of a card; it waits until the card's witness or the shift leader confirms it.

        Args:
            card: The card to be corrected, such as KAD-017.
            part: The part of the card that is wrong: symptom, cause, action or exception.
            words: The person's own words for what it should say.
        """
        self._step("propose_correction")
        row = self._card(card)
        if not words.strip():
            raise ValueError("petik kata-kata yang betul daripada mesej orang itu")
        self._db.execute("INSERT INTO corrections (card, part, words) VALUES (?, ?, ?)", (row["id"], part, " ".join(words.split())))
        number = self.query("SELECT max(id) AS id FROM corrections")[0]["id"]
        tell = f"Terima kasih. Pembetulan PBT-{number:03d} pada {part} {row['id']} dicatat: “{' '.join(words.split())}”. "
        tell += f"Kad belum berubah; {row['witness']} atau ketua syif akan mengesahkannya."
        return {"pembetulan": f"PBT-{number:03d}", TELL: tell}

    def escalate(self, reason: Literal["bahaya", "pintas keselamatan", "data peribadi", "luar bidang"]) -> dict:
        """Hand over to the shift leader. Danger to people (gas, pressure, shock, fire, a hand caught) comes before anything else.

        Args:
            reason: bahaya stops the machine; otherwise bypassing a safety device, a person's data, or no matter of machines.
        """
        steps = self.query("SELECT * FROM steps")
        if reason not in [step["about"] for step in steps]:
            self._db.execute("INSERT INTO escalations VALUES (?, ?)", (reason, reason != "bahaya" or not steps))
            self._db.execute("INSERT INTO steps VALUES ('escalate', ?)", (reason,))
        return {"sebab": reason, TELL: REASONS[reason]}

    # For people

    def confirm(self, correction: str, by: str, text: str | None = None):
        """The card's witness, or the shift leader (`KETUA`), accepts a correction such as PBT-001. `text` is the part's whole new
        wording (by default the words proposed). The old wording is kept in `history`."""
        row, card = self._waiting(correction, by)
        new = " ".join((text or row["words"]).split())
        with self._lock, self._db:
            self._db.execute("INSERT INTO history VALUES (?, ?, ?, ?, ?)", (card["id"], row["part"], card[PARTS[row["part"]]], new, by))
            self._db.execute(f"UPDATE cards SET {PARTS[row['part']]} = ? WHERE id = ?", (new, card["id"]))
            self._db.execute("UPDATE corrections SET status = 'disahkan' WHERE id = ?", (row["id"],))

    def reject(self, correction: str, by: str):
        """The witness or the shift leader turns a correction down; the card stays."""
        row, _ = self._waiting(correction, by)
        with self._lock, self._db:
            self._db.execute("UPDATE corrections SET status = 'ditolak' WHERE id = ?", (row["id"],))

    def withdraw(self, witness: str):
        """A witness takes back the consent: the words of all cards of theirs are deleted here at once, in their history too."""
        with self._lock, self._db:
            self._forget(witness)

    def answer(self, question: str, card: dict):
        """A retired technician answers an open question such as SOA-001 with a new card (symptom, cause, action, exception, instead,
        witness, date); returns its id. ValueError where a field is missing."""
        row = self._numbered("questions", question, "terbuka")
        missing = [f for f in (*PARTS.values(), "instead", "witness", "date") if not str(card.get(f) or "").strip()]
        if missing:
            raise ValueError(f"kad belum lengkap: {', '.join(missing)}")
        name = f"KAD-{1 + max(int(c['id'][4:]) for c in self.query('SELECT id FROM cards')):03d}"
        new = {"superseded_by": None, "contradicts": None, "heard": "", **card, "id": name, "machine": row["machine"], "consent": "setuju"}
        with self._lock, self._db:
            self._db.execute(f"INSERT INTO cards VALUES ({', '.join('?' * len(_COLUMNS))})", [new[c] for c in _COLUMNS])
            self._db.execute("UPDATE questions SET status = 'dijawab', card = ? WHERE id = ?", (name, row["id"]))
        return name

    def new_conversation(self):
        """Forget what the last conversation has found, and let a stopped machine's talk begin anew."""
        with self._lock, self._db:
            self._forget_conversation()

    # Inside

    def _card(self, name):
        rows = self.query("SELECT * FROM cards WHERE id = ?", name.strip().upper())
        if not rows:
            raise ValueError(f"tiada kad {name}; cari dahulu dengan search_cards")
        row = rows[0]
        if row["consent"] != "setuju":
            raise ValueError(f"izin bagi {row['id']} sudah ditarik balik; jangan gunakan kad itu")
        if row["superseded_by"]:
            raise ValueError(f"{row['id']} sudah diganti oleh {row['superseded_by']}; gunakan kad itu")
        return row

    def _step(self, tool, about=""):
        """Note a call; after a danger nothing but `escalate` goes on in this conversation."""
        if self.query("SELECT 1 FROM steps WHERE about = 'bahaya'"):
            raise ValueError("mesin sudah dihentikan kerana bahaya; tunggu ketua syif")
        self._db.execute("INSERT INTO steps VALUES (?, ?)", (tool, about))

    def _forget(self, witness):
        blank = ", ".join(f"{column} = ''" for column in (*PARTS.values(), "instead", "heard"))
        mine = "card IN (SELECT id FROM cards WHERE witness = ?)"
        self._db.execute(f"DELETE FROM history WHERE {mine}", (witness,))
        self._db.execute(f"UPDATE corrections SET words = '' WHERE {mine}", (witness,))
        self._db.execute(f"UPDATE cards SET consent = 'ditarik', {blank} WHERE witness = ?", (witness,))

    def _forget_conversation(self):
        for table in ("steps", "shown"):
            self._db.execute(f"DELETE FROM {table}")

    def _numbered(self, table, name, status):
        digits = name.rpartition("-")[2]
        rows = self.query(f"SELECT * FROM {table} WHERE id = ? AND status = ?", int(digits) if digits.isdigit() else -1, status)
        if not rows:
            raise ValueError(f"tiada {name} yang masih {status}")
        return rows[0]

    def _waiting(self, correction, by):
        row = self._numbered("corrections", correction, "menunggu")
        card = self._card(row["card"])
        if by not in (card["witness"], LEADER):
            raise ValueError(f"hanya {card['witness']} atau ketua syif boleh mengesahkan {correction}")
        return row, card


def _day(iso):
    year, month, day = iso.split("-")
    return f"{int(day)} {_MONTHS[int(month) - 1]} {year}"
