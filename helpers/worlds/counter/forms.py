"""The counter's agencies and forms: names, what a citizen is told, the fields of a form, and how each field is read.

`read("tarikh", "Isnin lepas", today)` gives `"2026-11-09"`; words that hold no date give a ValueError that says what to ask for.
"""

import datetime
import re

# agency → (its name, what the citizen is told when a matter is sent there). A bare figure is never a fee: those are in the knowledge base.
AGENCIES = {
    "JPJ": ("Jabatan Pengangkutan Jalan", "lesen memandu, cukai jalan dan pemilikan kenderaan"),
    "JPN": ("Jabatan Pendaftaran Negara", "MyKad, kelahiran, kematian dan perkahwinan"),
    "LHDN": ("Lembaga Hasil Dalam Negeri", "cukai pendapatan, e-Filing dan PCB"),
    "KWSP": ("Kumpulan Wang Simpanan Pekerja", "caruman dan akaun persaraan"),
    "PTPTN": ("Perbadanan Tabung Pendidikan Tinggi Nasional", "pinjaman pengajian"),
    "SSM": ("Suruhanjaya Syarikat Malaysia", "pendaftaran perniagaan dan syarikat"),
    "STR": ("Sumbangan Tunai Rahmah", "bantuan tunai"),
    "KPDN": ("Kementerian Perdagangan Dalam Negeri dan Kos Sara Hidup", "aduan pengguna"),
    "MCMC": ("Suruhanjaya Komunikasi dan Multimedia Malaysia", "telekomunikasi, internet dan mesej mencurigakan"),
    "NSRC": ("Pusat Respons Scam Kebangsaan", "mangsa penipuan kewangan"),
    "999": ("talian kecemasan 999", "keadaan yang mengancam nyawa"),
    "MPS": ("Majlis Perbandaran Sejahtera", "perkhidmatan bandar"),
}
# agency → the fields of its form, in the order in which they are asked; an agency that is not here has no form at this counter
FORMS = {
    "JPJ": ("plat", "mykad", "telefon"),
    "JPN": ("nama", "mykad", "telefon"),
    "STR": ("mykad", "telefon"),
    "KPDN": ("tempat", "tarikh", "amaun"),
    "MCMC": ("tarikh", "telefon"),
    "NSRC": ("amaun", "tarikh", "telefon"),
    "MPS": ("tempat", "nama", "telefon"),
}
FREE = {"tempat"}  # fields whose words are not compared
WEEKDAYS = {"isnin": 0, "selasa": 1, "rabu": 2, "khamis": 3, "jumaat": 4, "sabtu": 5, "ahad": 6}
_SMALL = {"sehari": 1, "satu": 1, "dua": 2, "tiga": 3, "empat": 4, "lima": 5, "enam": 6, "seminggu": 7}
_NOT_A_NAME = re.compile(
    r"^(?:nama\s+(?:penuh\s+)?(?:saya|sy|aku|i)?\s*(?:ialah|adalah|is)?|saya|sy|aku|i am|my name is)\s*[:,]?\s*|\s*(?:je|saja|sahaja)$",
    re.I,
)


def read(field, text, today):
    """The value of a field in the form in which it is kept; ValueError says what is wanted where the words do not hold one."""
    return _READERS[field](" ".join(text.split()), today)


def _mykad(text, today):
    from helpers.malay.identifiers import find_mykads

    found = [m for m in find_mykads(f"MyKad {text}", today) if m.form == "mykad" and m.birth_date]
    if not found:
        raise ValueError("nombor MyKad itu tidak sah; minta semula 12 angka, contohnya 900101-00-1234")
    return found[0].value


def _telefon(text, today):
    from helpers.malay.identifiers import find_phones

    found = [p for p in find_phones(f"telefon {text}") if p.line in ("mobile", "fixed")]
    if not found:
        raise ValueError("nombor telefon itu tidak lengkap; minta semula nombor dengan kod kawasan atau 01")
    return found[0].value


def _plat(text, today):
    from helpers.malay.identifiers import find_plates

    found = find_plates(f"plat {text.upper()}", uncertain=True)
    if not found:
        raise ValueError("tiada nombor plat di situ; minta semula, contohnya VBK 2207")
    return found[0].value


def _amaun(text, today):
    from helpers.malay.quantities import find_amounts

    found = find_amounts(text) or find_amounts(f"RM{text}")
    if not found or found[0].value <= 0:
        raise ValueError("tiada jumlah wang di situ; minta semula jumlahnya dalam ringgit")
    return f"RM{found[0].value:,.2f}"


def _tarikh(text, today):
    date = _relative(text.lower(), today) or _written(text, today)
    if date is None:
        raise ValueError("tiada tarikh yang jelas di situ; minta semula hari dan bulannya")
    if date > today:
        raise ValueError(f"tarikh {date:%d/%m/%Y} belum berlaku; minta semula tarikhnya")
    return date.isoformat()


def _written(text, today):
    from helpers.malay.dates import find_dates

    for found in find_dates(text):
        if found.day and found.month:
            date = datetime.date(found.year or today.year, found.month, found.day)
            return date.replace(year=date.year - 1) if not found.year and date > today else date
    return None


def _relative(text, today):
    """“hari ini”, “semalam”, “malam tadi”, “3 hari lepas”, “Isnin lepas”: always back from today."""
    if re.search(
        r"\b(?:hari ini|hari ni|harini|tadi pagi|pagi tadi|pagi ini|pagi ni|petang tadi|tengah hari tadi|baru tadi|just now|today)\b", text
    ):
        return today
    if re.search(r"\b(?:semalam|smlm|malam tadi|mlm td|yesterday|last night)\b", text):
        return today - datetime.timedelta(days=1)
    days = re.search(r"\b(\d{1,2}|" + "|".join(_SMALL) + r")\s*(?:hari|hr|days?)\s+(?:lepas|lalu|sudah|dulu|yang lalu|ago)\b", text)
    if days:
        return today - datetime.timedelta(days=_SMALL.get(days[1]) or int(days[1]))
    week = re.search(r"\b(" + "|".join(WEEKDAYS) + r")\s+(?:lepas|lalu|sudah|yang lalu|baru ni|minggu lepas)\b", text)
    if week:
        return today - datetime.timedelta(days=(today.weekday() - WEEKDAYS[week[1]] - 1) % 7 + 1)
    return None


def _nama(text, today):
    name = _NOT_A_NAME.sub("", text).strip(" .,;")
    if not re.fullmatch(r"[A-Za-z'’@./ -]{3,60}", name) or len(name.split()) > 8:
        raise ValueError("nama itu tidak jelas; minta nama seperti pada MyKad, tanpa angka")
    return name.title()


def _tempat(text, today):
    if len(text) < 4:
        raise ValueError("tempat itu tidak jelas; minta nama jalan, taman atau premis")
    return text


_READERS = {
    "nama": _nama, "mykad": _mykad, "telefon": _telefon, "tarikh": _tarikh, "amaun": _amaun, "tempat": _tempat, "plat": _plat,
}  # fmt: skip
