"""The public counter of Bandar Sejahtera, an invented town: routing, forms, answers with a citation, handing over.

    counter = Counter()                        # in memory; give a path to keep it
    counter.call("route", {"agency": "JPN", "urgency": "biasa"})
    counter.call("fill_form", {"field": "nama", "value": "Siti Rahmah"})

The model chooses; the counter writes. Every sentence with a fact is a passage of `data/knowledge.jsonl`, passed on with its
source and date: a passage that no search of this conversation has shown, or that has expired, cannot be cited.
"""

import datetime
import re
from typing import Literal

from helpers.worlds.base import TELL, Fact, Known, Quote, World
from helpers.worlds.counter import forms, knowledge

Agency = Literal["JPJ", "JPN", "LHDN", "KWSP", "PTPTN", "SSM", "STR", "KPDN", "MCMC", "NSRC", "999", "MPS"]
Urgency = Literal["biasa", "segera", "kecemasan"]
Field = Literal["nama", "mykad", "telefon", "tarikh", "amaun", "tempat", "plat"]
Reason = Literal["aduan", "luar bidang", "tiada maklumat", "permintaan warga", "rayuan", "data orang lain"]
TODAY = "2026-11-16"  # a Monday
MAX_QUOTE = 10  # words

_HANDED = {
    "aduan": "Aduan tuan/puan diserahkan kepada penyelia kaunter, yang akan menghubungi tuan/puan.",
    "luar bidang": "Maaf, hal ini di luar bidang kaunter ini. Seorang pegawai akan menunjukkan saluran yang betul.",
    "tiada maklumat": "Maaf, maklumat itu tiada dalam rujukan kami yang masih berkuat kuasa. Soalan ini diserahkan kepada pegawai supaya tidak tersalah jawab.",
    "permintaan warga": "Baik, tuan/puan akan disambungkan kepada pegawai bertugas.",
    "rayuan": "Rayuan dan kelulusan hanya boleh diputuskan oleh pegawai, maka hal ini diserahkan kepadanya.",
    "data orang lain": "Maaf, maklumat peribadi orang lain tidak boleh diberikan di kaunter ini. Pegawai akan menerangkan saluran yang sah.",
}
_ROUTED = {
    "999": "Ini kecemasan. Hubungi 999 sekarang, beritahu lokasi, dan jauhi bahaya. Panggilan percuma.",
    "NSRC": "Hubungi bank dan NSRC di talian 997 sekarang supaya wang dapat disekat. Laporan tuan/puan dihantar sebagai kes segera.",
}

# A question by its cue: “Boleh berikan …”, “…?”. The counter's own statements, which are passed on with it, have none.
_CUE = (
    r"\b(?:apa\w*|berapa\w*|brp|siapa\w*|mana|adakah|boleh\w*|sila|mohon|minta|tolong|nyatakan|beri|berikan|bagi|perlu\w*|nak|mahu\w*|hendak|sempat|sudah\w*|dah|telah\w*"
    r"|what|when|where|who|how|may|can|could|please|your|need|did|have|would|are)\b[^.!?;\n]*?"
)


def _asks(nouns, always=r"(?!)"):
    """A pattern for questions about `nouns` (after a cue, or with a question mark or a colon behind them); `always` needs no cue."""
    return rf"(?:{always})|{_CUE}(?:{nouns})|(?:{nouns})[^.!\n]*?(?:\?|:\s*$)"


# fact → the question, what it is about, and what needs no cue
_QUESTIONS = {
    "hal": (
        "Boleh terangkan hal yang tuan/puan perlukan bantuan?",
        r"(?:terang|jelas|cerita|nyata|hurai)(?:kan)?\b.{0,40}(?:\bhal\b|masalah|perkara|urusan|maksud|lanjut)|lebih lanjut|boleh (?:saya|sy|kami) bantu|kad apa|kad yang mana"
        r"|apa(?:kah)?\b.{0,25}(?:(?:boleh|dapat) .{0,10}bantu|masalah|urusan|perkara|hajat|dibantu|hal\b)",
        r"how (?:can|may) (?:i|we) help|what.{0,20}(?:help with|problem|issue)|maksudkan\b.{0,12}\?",
    ),
    "wang": (
        "Adakah wang, OTP atau butiran bank sudah diberikan kepada penipu?",
        r"(?:\bwang|\bduit|\botp|\btac\b|butiran bank|maklumat bank|\bmoney).{0,60}\b(?:sudah|telah|dah|sempat|belum|terlanjur|already|(?:di)?beri|bagi|hantar|transfer|dipindah|diserah)"
        r"|\b(?:sudah|telah|dah|ada|sempat|did you|have you)\b.{0,40}(?:\bwang|\bduit|\botp|\btac\b|butiran bank|maklumat bank|transfer|money|klik|pindahan)",
    ),
    "bahaya": (
        "Adakah sesiapa cedera atau dalam bahaya sekarang?",
        r"cedera|bahaya|\bluka|terperangkap|nyawa|injur|danger|mangsa|selamat",
        r"anyone hurt|(?:ada )?(?:sesiapa|orang) (?:yang )?(?:cedera|sakit|luka)",
    ),
    "borang": (
        "Mahukah tuan/puan mengisi borangnya di sini sekarang?",
        r"\b(?:isi|mengisi|isikan|lengkapkan|hantar|teruskan|fill|buka|sediakan|buat)\b.{0,40}(?:borang|form|permohonan|laporan|aduan)|(?:borang|form)\b.{0,30}(?:diisi|sekarang|di sini|now|terus)",
    ),
    "nama": (
        "Apakah nama penuh tuan/puan seperti pada MyKad?",
        r"\bnama (?:penuh|tuan|puan|encik|cik|anda|awak|pemohon|pengadu|pelapor|lengkap)|(?:your|full) name",
        r"siapa(?:kah)? nama|nama siapa|apa(?:kah)? nama\b(?! (?:jalan|taman|premis|kedai|tempat))",
    ),
    "mykad": (
        "Apakah nombor MyKad tuan/puan?",
        r"(?:nombor|no\.?|number|nom|angka).{0,12}(?:my ?kad|kad pengenalan|k/?p\b|\bic\b|pengenalan|nric)|(?:my ?kad|\bic|kad pengenalan) (?:number|no\b|nombor)",
    ),
    "telefon": (
        "Apakah nombor telefon untuk dihubungi?",
        r"(?:nombor|no\.?|number).{0,14}(?:tel|\bfon\b|bimbit|\bhp\b|handphone|hubung)|(?:phone|contact|handphone|telefon).{0,8}(?:number|no\b|nombor)",
    ),
    "tarikh": ("Bilakah perkara itu berlaku?", r"tarikh|hari bulan|haribulan|\bdate\b", r"(?<!-)\bbila(?:kah)?\b(?!-)|hari apa\b|\bwhen\b"),
    "amaun": (
        "Berapakah jumlah ringgit yang terlibat?",
        r"jumlah.{0,20}(?:wang|duit|ringgit|kerugian|rugi|terlibat|bayaran|hilang)|\bamaun|(?:berapa(?:kah)?|brp)\b.{0,40}(?:ringgit|wang|duit|terlibat|rugi|\brm\b|bayar|dicaj|hilang|dihantar|dipindah)",
        r"how much|berapa(?:kah)? (?:banyak|jumlah|amaun|nilai)|berapa(?:kah)? .{0,30}(?:wang|duit|ringgit|rugi|dibayar|dicaj)",
    ),
    "tempat": (
        "Di manakah tempatnya (jalan, taman atau premis)?",
        r"lokasi|tempatnya|alamat|nama (?:jalan|taman|premis|kedai|tempat)|location|address",
        r"\bdi ?mana(?:kah)?\b|kat mana|\bwhere\b",
    ),
    "plat": (
        "Apakah nombor plat kenderaan itu?",
        r"\bplat\b|nombor kenderaan|(?:nombor|no\.?) pendaftaran kenderaan|\bplate\b|registration number",
    ),
}


class Counter(World):
    """A one-stop counter: routes, forms, citations and hand-overs of one conversation."""

    NAME = "kaunter"
    REFUSAL = ("hand_over", {"reason": "luar bidang"})
    TOOLS = ("search_knowledge", "answer", "route", "fill_form", "hand_over")
    FACTS = {name: Fact(question, _asks(*patterns)) for name, (question, *patterns) in _QUESTIONS.items()}
    SCHEMA = """
        CREATE TABLE IF NOT EXISTS passages (id TEXT PRIMARY KEY, agency TEXT, title TEXT, text TEXT, answer TEXT, date TEXT, expires TEXT);
        CREATE TABLE IF NOT EXISTS shown (passage TEXT PRIMARY KEY);
        CREATE TABLE IF NOT EXISTS searches (query TEXT);
        CREATE TABLE IF NOT EXISTS answers (passage TEXT PRIMARY KEY);
        CREATE TABLE IF NOT EXISTS routes (number INTEGER PRIMARY KEY, agency TEXT UNIQUE, urgency TEXT, in_order INTEGER, done INTEGER DEFAULT 0);
        CREATE TABLE IF NOT EXISTS fields (agency TEXT, field TEXT, words TEXT, value TEXT, compared TEXT, PRIMARY KEY (agency, field));
        CREATE TABLE IF NOT EXISTS handovers (reason TEXT PRIMARY KEY, taken_by TEXT);
        CREATE TABLE IF NOT EXISTS corrections (agency TEXT, field TEXT, old TEXT, new TEXT, officer TEXT);
    """
    COMPARED = {
        "answers": ("passage",),
        "routes": ("agency", "urgency", "in_order"),
        "fields": ("agency", "field", "compared"),
        "handovers": ("reason",),
    }

    @classmethod
    def brief(cls):
        """The title, and what each agency deals with: their short names do not say it."""
        return super().brief() + "\n" + "; ".join(f"{name}: {what}" for name, (_, what) in forms.AGENCIES.items())

    def _begin(self, setup):
        """`setup`: `passages` (more rows of the knowledge base) and `retired` (ids that have expired in this task)."""
        rows = {row["id"]: row for row in (*knowledge.load(), *setup.get("passages", ()))}
        for passage in setup.get("retired", ()):
            rows[passage] = rows[passage] | {"expires": "2026-10-31"}
        self._db.executemany("INSERT OR IGNORE INTO passages VALUES (:id, :agency, :title, :text, :answer, :date, :expires)", rows.values())
        self.today = datetime.date.fromisoformat(TODAY)

    # ---- the agent's tools ----

    def search_knowledge(self, query: Quote) -> dict:
        """Search the dated knowledge base with a few of the citizen's own words; gives up to three passages with ids.

        Args:
            query: Words of the citizen's question, at most ten.
        """
        found = knowledge.search(_quote(query), self.query("SELECT * FROM passages ORDER BY id"))
        self._db.execute("INSERT INTO searches VALUES (?)", (query,))
        self._db.executemany("INSERT OR IGNORE INTO shown VALUES (?)", [(p["id"],) for p in found])
        return {
            "petikan": [
                {
                    "id": p["id"],
                    "tarikh": p["date"],
                    "status": "luput" if self._expired(p) else "berkuat kuasa",
                    "teks": f"{p['title']}: {p['text']}",
                }
                for p in found
            ]
        }

    def answer(self, passage: Known) -> dict:
        """Answer the citizen's question with a passage that a search has shown and that is in force; the citation is recorded.

        Args:
            passage: Id of the passage, such as KBS-014.
        """
        if not self.query("SELECT * FROM shown WHERE passage = ?", passage):
            raise ValueError(f"petikan {passage} tidak muncul dalam carian perbualan ini; guna search_knowledge dahulu")
        row = self.query("SELECT * FROM passages WHERE id = ?", passage)[0]
        if self._expired(row):
            raise ValueError(
                f"petikan {passage} luput pada {row['expires']}; pilih petikan lain atau hand_over dengan sebab tiada maklumat"
            )
        self._db.execute("INSERT OR IGNORE INTO answers VALUES (?)", (passage,))
        date = datetime.date.fromisoformat(row["date"])
        return {"petikan": passage, TELL: f"{row['answer']} (Sumber: {passage}, {row['agency']}, {date.day}/{date.month}/{date.year}.)"}

    def route(self, agency: Agency, urgency: Urgency) -> dict:
        """Send an application, report or complaint to the agency that deals with it; a life in danger goes to 999 before all else.

        Args:
            agency: The agency that deals with the matter.
            urgency: kecemasan for 999 only; segera for scam victims and dangers in public places; otherwise biasa.
        """
        if (agency == "999") != (urgency == "kecemasan"):
            raise ValueError("kecemasan hanya untuk 999, dan 999 hanya untuk kecemasan")
        if agency == "NSRC" and urgency != "segera":
            raise ValueError("kes NSRC sentiasa segera")
        if self.query("SELECT * FROM routes WHERE agency = ?", agency):
            raise ValueError(f"hal ini sudah dihantar kepada {agency}; teruskan dengan borang atau hal lain")
        self._db.execute("INSERT INTO routes (agency, urgency, in_order) VALUES (?, ?, ?)", (agency, urgency, self._in_order(urgency)))
        name, matter = forms.AGENCIES[agency]
        told = _ROUTED.get(agency) or f"Hal ini dihantar kepada {name} ({agency}), yang mengurus {matter}" + (
            ", sebagai kes segera." if urgency == "segera" else "."
        )
        result = {"agensi": agency, "keutamaan": urgency, TELL: told}
        return result | ({"borang": list(forms.FORMS[agency])} if agency in forms.FORMS else {})

    def fill_form(self, field: Field, value: Quote) -> dict:
        """Fill one field of the routed agency's form with the citizen's own words; says which field is wanted next.

        Args:
            field: The field to fill.
            value: The citizen's words that hold the value, at most ten.
        """
        agency = self._open_form(field)
        read = forms.read(field, _quote(value), self.today)
        compared = "ada" if field in forms.FREE else read
        self._db.execute("INSERT OR REPLACE INTO fields VALUES (?, ?, ?, ?, ?)", (agency, field, value, read, compared))
        missing = self.missing(agency)
        result = {"borang": agency, "medan": field, "nilai": read, "belum": missing}
        if missing:
            return result
        number = self.query("SELECT number FROM routes WHERE agency = ?", agency)[0]["number"]
        filled = "; ".join(f"{row['field']} {row['value']}" for row in self._filled(agency))
        return result | {TELL: f"Borang {agency} (rujukan BRG-{number:02d}) lengkap; {filled}. Sila semak sebelum pegawai menghantarnya."}

    def hand_over(self, reason: Reason) -> dict:
        """Give the conversation to an officer.

        Args:
            reason: Why the counter does not settle the matter itself.
        """
        if reason == "tiada maklumat" and not self.query("SELECT * FROM searches"):
            raise ValueError("cari dahulu dengan search_knowledge sebelum mengatakan tiada maklumat")
        self._db.execute("INSERT OR IGNORE INTO handovers (reason) VALUES (?)", (reason,))
        return {"sebab": reason, TELL: _HANDED[reason]}

    # ---- for people ----

    def take_over(self, reason, officer):
        """An officer takes a conversation that was handed over."""
        with self._lock, self._db:
            if not self._db.execute("UPDATE handovers SET taken_by = ? WHERE reason = ?", (officer, reason)).rowcount:
                raise ValueError(f"tiada serahan dengan sebab {reason!r}")

    def submit(self, agency, officer):
        """An officer sends a complete form to its agency: it cannot be changed afterwards. Returns field → value."""
        with self._lock, self._db:
            if not self.query("SELECT * FROM routes WHERE agency = ?", agency) or agency not in forms.FORMS or self.missing(agency):
                raise ValueError(f"borang {agency} belum lengkap atau tidak dibuka")
            self._db.execute("UPDATE routes SET done = 1 WHERE agency = ?", (agency,))
            return {row["field"]: row["value"] for row in self._filled(agency)}

    def correct(self, agency, field, value, officer):
        """An officer corrects a field before the form is sent; who changed what is kept."""
        with self._lock, self._db:
            old = self.query(
                "SELECT value FROM fields JOIN routes USING (agency) WHERE agency = ? AND field = ? AND done = 0", agency, field
            )
            if not old:
                raise ValueError(f"medan {field} belum diisi, atau borang {agency} sudah dihantar")
            new = forms.read(field, value, self.today)
            compared = "ada" if field in forms.FREE else new
            self._db.execute("UPDATE fields SET value = ?, compared = ? WHERE agency = ? AND field = ?", (new, compared, agency, field))
            self._db.execute("INSERT INTO corrections VALUES (?, ?, ?, ?, ?)", (agency, field, old[0]["value"], new, officer))

    def retire(self, passage, on):
        """An officer ends a passage's validity on an ISO date."""
        with self._lock, self._db:
            if not self._db.execute("UPDATE passages SET expires = ? WHERE id = ?", (str(on), passage)).rowcount:
                raise ValueError(f"tiada petikan {passage}")

    # ---- inside ----

    def missing(self, agency):
        """The fields of a form that are not filled yet, in the order in which they are asked."""
        filled = {row["field"] for row in self._filled(agency)}
        return [field for field in forms.FORMS[agency] if field not in filled]

    def _filled(self, agency):
        rows = {row["field"]: row for row in self.query("SELECT * FROM fields WHERE agency = ?", agency)}
        return [rows[field] for field in forms.FORMS[agency] if field in rows]

    def _open_form(self, field):
        """The agency whose form takes a field: the first routed one whose form is unfinished and wants it, else one that holds it."""
        routed = [r["agency"] for r in self.query("SELECT * FROM routes WHERE done = 0 ORDER BY number") if r["agency"] in forms.FORMS]
        if not routed:
            raise ValueError("belum ada borang: guna route dahulu, kepada agensi yang ada borang di kaunter ini")
        fitting = [a for a in routed if field in self.missing(a)] or [a for a in routed if field in forms.FORMS[a]]
        if not fitting:
            raise ValueError(f"borang {routed[0]} tiada medan {field}; medannya {', '.join(forms.FORMS[routed[0]])}")
        return fitting[0]

    def _in_order(self, urgency):
        """1 unless something less urgent was dealt with before: the most urgent matter comes first."""
        rank = ("biasa", "segera", "kecemasan")
        before = [r["urgency"] for r in self.query("SELECT urgency FROM routes")]
        before += ["biasa"] * sum(len(self.query(f"SELECT 1 FROM {table}")) for table in ("answers", "handovers"))
        return int(all(rank.index(other) >= rank.index(urgency) for other in before))

    def _expired(self, passage):
        return bool(passage["expires"]) and passage["expires"] < self.today.isoformat()


def _quote(text):
    """Words of the citizen: neither empty nor longer than ten words."""
    if not re.search(r"\w", text):
        raise ValueError("petik kata-kata warga, jangan kosong")
    if len(text.split()) > MAX_QUOTE:
        raise ValueError(f"petik paling banyak {MAX_QUOTE} perkataan warga")
    return text.strip()
