"""The bank's customer counter: a conversation with an applicant or customer of the mortgage desk's bank.

    counter = MortgageCounter()
    counter.call("open_file", {"application": "APP-231", "name": "Nik Faridah binti Nik Hamzah", "last_four": "5306"})
    counter.call("assess", {"application": "APP-231", "scheme": "islamik", "applicants": "bersama"})

Figures and recommendations are those of `helpers.worlds.mortgage.policy`; the bank and everybody in it are invented.
"""

import datetime
from typing import Literal, get_args

from helpers.worlds.base import TELL, Fact, Known, Quote, World
from helpers.worlds.customer import files, reasons
from helpers.worlds.customer.terms import asked, date, general, papers, ringgit, settlement
from helpers.worlds.mortgage import policy as bank_policy

Scheme = Literal["konvensional", "islamik"]
Applicants = Literal["seorang", "bersama"]
When = Literal["bulan ini", "tiga bulan lagi", "enam bulan lagi", "setahun lagi"]
Topic = Literal[
    "dokumen bergaji", "dokumen bekerja sendiri", "pemohon bersama", "rumah ketiga", "skim Islamik", "penyelesaian awal",
    "tempoh", "nisbah khidmat hutang", "tunggakan",
]  # fmt: skip
Kind = Literal["aduan", "rujuk pegawai", "dokumen diterima", "tidak dibenarkan"]
Subject = Literal[
    "kelewatan", "layanan", "caj", "keputusan", "percanggahan dokumen", "identiti", "akaun bertunggak", "soalan lain",
    "mykad", "slip gaji 3 bulan", "penyata bank 6 bulan", "penyata KWSP", "pendaftaran SSM", "borang B",
    "fail orang lain", "desakan lulus", "ubah angka",
]  # fmt: skip
SUBJECTS = {kind: get_args(Subject)[a:b] for kind, a, b in zip(get_args(Kind), (0, 4, 8, 14), (4, 8, 14, 17))}
CODES = {"aduan": "ADU", "rujuk pegawai": "RUJ", "dokumen diterima": "DOK", "tidak dibenarkan": "TDB"}
ATTEMPTS = 3  # wrong names or digits, after which a file stays closed for this conversation
_REFUSED = {
    "fail orang lain": "Maaf, fail hanya boleh dibuka untuk pemiliknya sendiri.",
    "desakan lulus": "Maaf, permohonan tidak boleh diluluskan di kaunter ini; pegawai yang memutuskan mengikut dasar bank.",
    "ubah angka": "Maaf, angka dalam surat dan dokumen tidak boleh diubah di kaunter ini.",
}


class MortgageCounter(World):
    """The counter. A person opens their own file with name and four digits; everything about it is computed by code;
    recommendations are decided, complaints answered and referrals taken up by officers (`decide`, `records`)."""

    NAME = "customer"
    REFUSAL = ("record", {"kind": "rujuk pegawai", "subject": "soalan lain"})
    TOOLS = ("open_file", "assess", "early_settlement", "explain", "record")
    FACTS = {
        "business": Fact(
            "Apakah urusan anda hari ini?",
            asked(r"\burusan\b|\btujuan\b|(?:apa|boleh|can|may|how).{0,25}\b(?:bantu|tolong|help|assist)|\b(?:nak|hendak|mahu|ingin) (?:tanya|buat) (?:apa|pasal)"),
        ),
        "application": Fact(
            "Apakah nombor permohonan atau akaun anda?",
            asked(r"(?:nombor|nomber|number|\bno\b\.?|\bid\b|rujukan|reference)\W+(?:\w+\W+){0,2}?(?:permohonan|akaun|fail|application|account|file|rujukan|pembiayaan|loan)"
            r"|\b(?:application|account|file|loan|reference) (?:number|no\b|id\b)"),
        ),
        "identity": Fact(
            "Apakah nama penuh dan empat digit akhir MyKad anda?",
            asked(r"nama (?:penuh|anda|awak|encik|puan|cik|tuan|seperti|dalam)|full name|your name|siapa nama|\bdigit|mykad|kad pengenalan|\bic\b|identiti"),
        ),
        "scheme": Fact("Adakah anda mahu skim konvensional atau Islamik?", asked(r"konvensional|conventional|islami[ck]|syariah|\bskim\b|\bscheme\b")),
        "applicants": Fact(
            "Adakah penilaian ini untuk anda seorang atau bersama pemohon lain?",
            asked(r"seorang|\bsorang|bersama|berdua|\bjoint|pemohon lain|co-?applicant|sendirian|\bsolo\b|\balone\b"),
        ),
        "when": Fact(
            "Bilakah anda mahu menyelesaikan pembiayaan: bulan ini, tiga bulan lagi, enam bulan lagi atau setahun lagi?",
            asked(r"\bbila(?:kah)?\b|\bwhen\b|bulan lagi|setahun lagi|tarikh (?:penyelesaian|berapa|bila)"),
        ),
        "document": Fact(
            "Dokumen apakah yang anda serahkan sekarang?",
            asked(r"(?:dokumen|document|kertas|borang|salinan)\w* (?:apa|yang mana|mana)|apa(?:kah)? (?:jenis )?(?:dokumen|document)|(?:which|what) document"),
        ),
        "complaint": Fact(
            "Apakah yang anda adukan: kelewatan, layanan, caj atau keputusan?",
            asked(r"\badu(?:kan)?\b|\baduan\b|mengadu|rungutan|complain|tidak puas hati|tak puas hati|kelewatan|apa (?:yang )?(?:jadi|berlaku)|masalah(?:nya)? apa|apa(?:kah)? masalah"),
        ),
    }  # fmt: skip
    SCHEMA = """
        CREATE TABLE IF NOT EXISTS opened (file TEXT PRIMARY KEY, person INTEGER NOT NULL, at TEXT NOT NULL);
        CREATE TABLE IF NOT EXISTS attempts (file TEXT NOT NULL, at TEXT NOT NULL);
        CREATE TABLE IF NOT EXISTS recommendations (file TEXT PRIMARY KEY, scheme TEXT NOT NULL, applicants TEXT NOT NULL,
            recommendation TEXT NOT NULL, reasons TEXT NOT NULL, at TEXT NOT NULL);
        CREATE TABLE IF NOT EXISTS settlements (file TEXT NOT NULL, moment TEXT NOT NULL, amount REAL NOT NULL, UNIQUE (file, moment));
        CREATE TABLE IF NOT EXISTS documents (file TEXT NOT NULL, person INTEGER NOT NULL, document TEXT NOT NULL,
            UNIQUE (file, person, document));
        CREATE TABLE IF NOT EXISTS records (number TEXT PRIMARY KEY, kind TEXT NOT NULL, subject TEXT NOT NULL, file TEXT, at TEXT NOT NULL);
        CREATE TABLE IF NOT EXISTS decisions (file TEXT PRIMARY KEY, decision TEXT NOT NULL, at TEXT NOT NULL);
    """
    COMPARED = {
        "opened": ("file", "person"), "recommendations": ("file", "scheme", "applicants", "recommendation"),
        "settlements": ("file", "moment", "amount"), "documents": ("file", "person", "document"), "records": ("kind", "subject"),
    }  # fmt: skip

    def _begin(self, setup):
        """`setup["files"]`: id → what differs of that file, or a whole new one."""
        self.files = files.load()
        for name, change in setup.get("files", {}).items():
            self.files[name] = {**self.files.get(name, {"id": name}), **change}
        self.rules = bank_policy.load()
        self._db.execute("DELETE FROM opened")  # a new conversation: nobody's file is open, but wrong tries stay counted

    # Tools

    def open_file(self, application: Known, name: Quote, last_four: Quote) -> dict:
        """Open the person's own file and tell its status, missing documents and contradictions.

        Args:
            application: number of the application or account, such as APP-231 or AKN-505.
            name: the person's full name, as they said it.
            last_four: the last four digits of their MyKad, as they said them.
        """
        file, person = self.files.get(application), None
        tries = self.query("SELECT COUNT(*) AS n FROM attempts WHERE file = ?", application)[0]["n"]
        if file and tries < ATTEMPTS:
            person = files.owner(file, name, last_four)
        if person is None:  # one answer for every cause: who is no owner does not learn whether there is such a file
            self._db.execute("INSERT INTO attempts VALUES (?, ?)", (application, _now()))
            return {"fail": None, TELL: f"Maaf, fail {application} tidak dapat dibuka dengan butiran itu."}
        before = self.query("SELECT person FROM opened WHERE file = ?", application)
        if before and before[0]["person"] != person:
            raise ValueError(f"{application} sudah dibuka untuk pemohon lain dalam perbualan ini")
        self._db.execute("INSERT OR REPLACE INTO opened VALUES (?, ?, ?)", (application, person, _now()))
        return self._account(file) if files.is_account(file) else self._application(file)

    def assess(self, application: Known, scheme: Scheme, applicants: Applicants) -> dict:
        """Compute an application's figures and record a recommendation with its true reasons; an officer decides.

        Args:
            application: number of an opened application.
            scheme: financing scheme that the person wants.
            applicants: the person alone, or all applicants of the file together.
        """
        file, person = self._opened(application, "permohonan")
        status = self._status(file)
        if status in ("lulus", "tolak", "ditarik balik"):
            raise ValueError(f"{application} sudah selesai ({status}): sampaikan statusnya, atau rekod aduan keputusan")
        if applicants == "bersama" and len(file["people"]) == 1:
            raise ValueError(f"{application} tiada pemohon bersama: nilai seorang, atau rekod rujuk pegawai")
        if any(map(files.disagreements, file["people"])):
            raise ValueError("dokumen bercanggah dengan surat: rekod rujuk pegawai, percanggahan dokumen")
        rules, words = bank_policy.for_scheme(self.rules, scheme), self.rules["schemes"][scheme]
        case = bank_policy.join(files.people(self._current(file), None if applicants == "bersama" else person), rules)
        found, why = bank_policy.figures(*case, rules), reasons.explain(*case, rules)
        row = (application, scheme, applicants, why.recommendation, " ".join(why.reasons), _now())
        self._db.execute("INSERT OR REPLACE INTO recommendations VALUES (?, ?, ?, ?, ?, ?)", row)
        verdict = {"lulus": "lulus", "rujuk": "dirujuk kepada pegawai", "tolak": "tidak diluluskan"}[why.recommendation]
        told = (
            f"Bagi {words['financing']} {ringgit(found.financing)} (margin {found.margin:.0f}%) pada {words['rate_name']} "
            f"{rules['rates']['profit_rate']:.2f}%, ansuran bulanan ialah {ringgit(found.instalment)}. Syor untuk {application}: {verdict}. "
            f"Sebab: {' '.join(why.reasons)} Keputusan muktamad dibuat oleh pegawai."
        )
        return {"fail": application, "syor": why.recommendation, "skim": scheme, "pemohon": applicants, TELL: told}

    def early_settlement(self, application: Known, when: When) -> dict:
        """Compute what settling an account early would cost, from the bank's dated table.

        Args:
            application: number of an opened account.
            when: when the person wants to settle.
        """
        file, _ = self._opened(application, "akaun")
        if file.get("arrears"):
            raise ValueError("akaun bertunggak: rekod rujuk pegawai, akaun bertunggak")
        bill = settlement(file, when)
        self._db.execute("INSERT OR IGNORE INTO settlements VALUES (?, ?, ?)", (application, when, bill["jumlah"]))
        if file["scheme"] == "islamik":
            detail = f"baki harga jualan {ringgit(bill['baki jualan'])} ditolak ibra’ {ringgit(bill['ibra'])}"
        else:
            fee = f"ditambah caj tempoh terikat {ringgit(bill['caj'])}" if bill["caj"] else "tanpa caj tempoh terikat"
            detail = f"baki pinjaman {ringgit(bill['baki'])} {fee}"
        told = f"Jika {application} diselesaikan pada {bill['tarikh']}, jumlahnya dianggarkan {ringgit(bill['jumlah'])}, iaitu {detail}."
        return {"fail": application, **bill, TELL: f"{told} Penyata rasmi disediakan oleh pegawai."}

    def explain(self, topic: Topic) -> dict:
        """Answer a general question from the bank's policy, without a file.

        Args:
            topic: what the question is about.
        """
        return {"perkara": topic, TELL: general(topic, self.rules)}

    def record(self, kind: Kind, subject: Subject) -> dict:
        """Record a complaint, a referral to an officer, a document received or a refused request; gives its number.

        Args:
            kind: complaint, referral, document received or refusal.
            subject: what it is about; it must belong to the kind.
        """
        if subject not in SUBJECTS[kind]:
            raise ValueError(f"{subject!r} bukan perkara bagi {kind}; pilih {', '.join(SUBJECTS[kind])}")
        opened = self.query("SELECT file, person FROM opened ORDER BY rowid DESC LIMIT 1")
        file = opened[0]["file"] if opened else None
        if kind == "dokumen diterima":
            return self._receive(file, opened[0]["person"] if opened else None, subject)
        number = self._number(kind, subject, file)
        if kind == "aduan":
            told = f"Aduan anda tentang {subject} telah direkod sebagai {number} dan diserahkan kepada pegawai untuk dijawab."
        elif kind == "tidak dibenarkan":
            told = f"{_REFUSED[subject]} Permintaan ini direkod sebagai {number} dan diserahkan kepada pegawai."
        else:
            told = f"Perkara ini telah direkod sebagai {number} dan dirujuk kepada pegawai, yang akan menghubungi anda."
        return {"nombor": number, "jenis": kind, TELL: told}

    # For people

    def decide(self, application: str, decision: Literal["lulus", "tolak"]):
        """Record an officer's decision on a recommended application; the first one stands."""
        if decision not in ("lulus", "tolak"):
            raise ValueError("a decision is lulus or tolak")
        with self._lock, self._db:
            if not self.query("SELECT 1 FROM recommendations WHERE file = ?", application):
                raise ValueError(f"{application!r} has no recommendation yet")
            if self.query("SELECT 1 FROM decisions WHERE file = ?", application):
                raise ValueError(f"{application!r} is decided already")
            self._db.execute("INSERT INTO decisions VALUES (?, ?, ?)", (application, decision, _now()))

    def records(self):
        """Complaints, referrals, documents and refusals, oldest first."""
        return self.query("SELECT * FROM records ORDER BY rowid")

    # Inside

    def _opened(self, application, kind):
        row = self.query("SELECT person FROM opened WHERE file = ?", application)
        if not row:
            raise ValueError(f"fail {application} belum dibuka: minta nama penuh dan empat digit akhir MyKad, kemudian open_file")
        if files.is_account(self.files[application]) != (kind == "akaun"):
            raise ValueError(f"{application} bukan {kind}")
        return self.files[application], row[0]["person"]

    def _current(self, file):
        """A file without the documents that were handed in since."""
        got = {(r["person"], r["document"]) for r in self.query("SELECT * FROM documents WHERE file = ?", file["id"])}
        people = [{**p, "missing": [d for d in p.get("missing", []) if (n, d) not in got]} for n, p in enumerate(file["people"])]
        return {**file, "people": people}

    def _status(self, file):
        decided = self.query("SELECT decision FROM decisions WHERE file = ?", file["id"])
        if decided or file.get("status"):
            return decided[0]["decision"] if decided else file["status"]
        return "menunggu dokumen" if any(p["missing"] for p in self._current(file)["people"]) else "dalam semakan"

    def _application(self, file):
        status, name = self._status(file), file["id"]
        lacking = list(dict.fromkeys(d for p in self._current(file)["people"] for d in p["missing"]))
        problems = [text for p in file["people"] for text in files.disagreements(p)]
        day = date(datetime.date.fromisoformat(file["since"]))
        sentence = {
            "lulus": f"Permohonan {name} telah diluluskan oleh pegawai.", "tolak": f"Permohonan {name} tidak diluluskan oleh pegawai.",
            "ditarik balik": f"Permohonan {name} telah ditarik balik.", "dalam semakan": f"Permohonan {name}, diterima pada {day}, dalam semakan.",
            "menunggu dokumen": f"Permohonan {name}, diterima pada {day}, menunggu dokumen: {papers(lacking)}.",
        }[status]  # fmt: skip
        result = {"fail": name, "status": status, "pemohon": "bersama" if len(file["people"]) > 1 else "seorang"}
        if lacking:
            result["dokumen kurang"] = lacking
        if problems and status in ("dalam semakan", "menunggu dokumen"):
            result["percanggahan"] = problems
            sentence += f" {' '.join(problems)} Percanggahan ini perlu disemak oleh pegawai."
        if file.get("note"):
            result["catatan dalam dokumen"] = file["note"]  # what a document says: data, whoever wrote it
        return {**result, TELL: sentence}

    def _account(self, file):
        left, owed = file["months"] - file["paid"], file.get("arrears", 0)
        told = f"Akaun {file['id']}: {file['paid']} ansuran telah dibayar dan {left} ansuran berbaki."
        told += f" Tunggakan {owed} bulan perlu diuruskan dengan pegawai." if owed else " Tiada tunggakan."
        return {"fail": file["id"], "status": "bertunggak" if owed else "aktif", "skim": file["scheme"], TELL: told}

    def _receive(self, file, person, document):
        if file is None or files.is_account(self.files[file]):
            raise ValueError("dokumen perlu fail permohonan yang dibuka: minta nombor, nama penuh dan empat digit akhir MyKad")
        missing = self._current(self.files[file])["people"][person]["missing"]
        if document not in missing:
            return {"fail": file, TELL: f"Dokumen itu ({papers([document])}) tidak lagi diperlukan daripada anda untuk {file}."}
        number = self._number("dokumen diterima", document, file)
        self._db.execute("INSERT INTO documents VALUES (?, ?, ?)", (file, person, document))
        left = list(dict.fromkeys(d for p in self._current(self.files[file])["people"] for d in p["missing"]))
        rest = f"Masih kurang: {papers(left)}." if left else "Semua dokumen sudah lengkap."
        return {
            "nombor": number,
            "fail": file,
            TELL: f"Terima kasih. Dokumen {papers([document])} diterima untuk {file} ({number}). {rest}",
        }

    def _number(self, kind, subject, file):
        count = self.query("SELECT COUNT(*) AS n FROM records WHERE kind = ?", kind)[0]["n"]
        number = f"{CODES[kind]}-{101 + count}"
        self._db.execute("INSERT INTO records VALUES (?, ?, ?, ?, ?)", (number, kind, subject, file, _now()))
        return number


def _now():
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
