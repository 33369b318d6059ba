"""Numbers that point at one person or one business in Malaysia, found in running text.

`find_mykads("No. K/P 900101-00-1234")` gives one `MyKad` with its place in the text, its date of birth,
place of birth and sex. Beside it stand `find_phones`, `find_registrations` (SSM), `find_accounts`,
`find_cards`, `find_passports`, `find_plates` and `find_emails`; addresses are in `helpers.malay.addresses`.
Nothing here needs a model: a number is told from another by its form and by the nearest label before
it (“No. akaun”, “tel.”, “no. invois”), so the same ten digits are an account, a telephone or nothing.

Sources: the layout of the MyKad and its place-of-birth codes (National Registration Department), the
numbering plan (MCMC), SSM's twelve-digit registration numbers (in use since 2019), Luhn's checksum.
"""

import datetime
import re
from dataclasses import dataclass

_BIRTHPLACES = [
    ("Johor", "01 21 22 23 24"), ("Kedah", "02 25 26 27"), ("Kelantan", "03 28 29"), ("Melaka", "04 30"),
    ("Negeri Sembilan", "05 31 59"), ("Pahang", "06 32 33"), ("Pulau Pinang", "07 34 35"), ("Perak", "08 36 37 38 39"),
    ("Perlis", "09 40"), ("Selangor", "10 41 42 43 44"), ("Terengganu", "11 45 46"), ("Sabah", "12 47 48 49"),
    ("Sarawak", "13 50 51 52 53"), ("Kuala Lumpur", "14 54 55 56 57"), ("Labuan", "15 58"), ("Putrajaya", "16"),
    ("Brunei", "60"), ("Indonesia", "61"), ("Kemboja", "62"), ("Laos", "63"), ("Myanmar", "64"), ("Filipina", "65"),
    ("Singapura", "66"), ("Thailand", "67"), ("Vietnam", "68"), ("China", "74"), ("India", "75"), ("Pakistan", "76"),
    ("Arab Saudi", "77"), ("Sri Lanka", "78"), ("Bangladesh", "79"), ("Malaysia, negeri tidak diketahui", "82"),
    ("luar negara", "71 72 83 84 85 86 87 88 89 90 91 92 93"), ("tanpa kerakyatan atau tidak dinyatakan", "98 99"),
    ("tidak diperuntukkan (orang rekaan)", "00"),
]  # fmt: skip
BIRTHPLACES = {code: place for place, codes in _BIRTHPLACES for code in codes.split()}

# What a number is, by the words before it; the nearest label wins. “other” labels belong to papers and things.
LABELS = {
    "mykad": r"k\.?/?p\.?|i/?c|nric|my\s?kad|my\s?kid|kad\s+pengenalan|pengenalan(?:\s+diri)?|mypr|identity\s+card",
    "phone": r"tel(?:efon|ephone|\.)?|phone|h/?p|hand\s?phone|hpfon|bimbit|whats?\s?app|wasap|ws|hubungi|call|contact|talian|faks|fax|mobile|no\.?\s?fon|fon|sms|telegram|hotline",
    "account": r"akaun|akaunnya|acct?\.?|account|a/c|bank|duit\s?now|maybank2?u?|mbb|cimb|public\s+bank|pbb|rhb|hong\s+leong|hlb|am\s?bank|bsn|"
    r"bank\s+islam|bank\s+rakyat|muamalat|agro\s?bank|affin|alliance|ocbc|uob|hsbc|standard\s+chartered|mbsb|al[\s-]?rajhi|"
    r"simpanan|kreditkan|pindah(?:kan|an)?|transfer|tng|e-?wallet|gx\s?bank|(?:di)?masuk(?:kan)?\s+(?:duit\s+|wang\s+)?ke|bank[\s-]?in",
    "card": r"kad\s+(?:kredit|debit|bank|atm)(?:nya)?|credit\s+card|debit\s+card|visa|master\s?card|amex",
    "company": r"ssm|pendaftaran\s+(?:syarikat|perniagaan)|no\.?\s+syarikat|nombor\s+syarikat|syarikat|perniagaan|roc|rob|co\.\s?(?:reg|no)|company\s+no|sdn\.?\s+bhd\.?|"
    r"berhad|enterprise|trading|plt|llp|pemilik\s+tunggal",
    "passport": r"pas(?:s)?port?|paspot",
    "vehicle": r"plat|kereta|motosikal|motor|kenderaan|lori|van|bas|teksi|treler|pacuan|no\.?\s+pendaftaran|skuter|pikap|jip|mpv|suv|trak|"
    r"keta|kete|krete|moto|myvi|proton|perodua|viva|axia|saga|alza|bezza|ativa|aruz|wira|waja|kancil|kelisa|iswara|persona|exora|hilux|vios|triton|honda|"
    r"toyota|nissan|yamaha|modenas|kawasaki|mazda|hyundai|mitsubishi|suzuki|isuzu|hino|y15|ex5|lc135|parkir|parking|trailer|pemandu|tunda",
    "service": r"tentera|polis|badan|anggota|askar|perkhidmatan",
    "other": r"invois|invoice|inv|resit|receipt|rujukan|ruj|ref(?:erence)?|pesanan|order|p\.?o|d\.?o|siri|serial|bil|baucar|voucher|"
    r"tiket|ticket|tracking|jejak|penghantaran|konsainan|tuntutan|fail|polisi|kes|laporan|report|saman|kod|code|sku|kontrak|tender|sebut\s+harga|kuantiti|"
    r"meter|isbn|issn|poskod|versi|matrik|(?:no|nombor|id)\.?\s+(?:pekerja|staf|ahli|pelajar|pelanggan)|transaksi|kelulusan|imei|bank\s+in\s+slip|cek|cheque|batch|kelompok|model|parcel|bungkusan|"
    r"borang|permit|lesen|geran|hakmilik|lot|id|kompaun|projek|item|katalog|kotak|kupon|otp|tac|pin|barkod|barcode|sijil",
}
_LABEL = re.compile(r"(?<![^\W_])(?:" + "|".join(f"(?P<{kind}>{words})" for kind, words in LABELS.items()) + r")(?![^\W_])", re.I)
_SENTENCE_END = re.compile(r"(?<!\bno)(?<!\bco)(?<!\btel)(?<!\bruj)(?<!\bacc)(?<!\bK\.P)[.!?]\s+(?=[A-Z\"“(])|\n\s*\n", re.I)


def label_before(text, start, reach=48):
    """The kind of the nearest label in the `reach` characters before `start` (a key of `LABELS`), or None."""
    window = text[max(0, start - reach) : start]
    ends = [m.end() for m in _SENTENCE_END.finditer(window)]
    found = [m.lastgroup for m in _LABEL.finditer(window[ends[-1] if ends else 0 :])]
    return found[-1] if found else None


def label_after(text, end, reach=26):
    """The kind of the first label in the `reach` characters after `end`, on the same line, or None."""
    match = _LABEL.search(re.split(r"[\n;]|\.\s", text[end : end + reach])[0])
    return match.lastgroup if match else None


@dataclass(frozen=True)
class Identifier:
    """Something found: `text[start:end]` as it stands, `value` in one normal form, `certain` where its form or a label proves it."""

    start: int
    end: int
    text: str
    value: str
    certain: bool = True


@dataclass(frozen=True)
class MyKad(Identifier):
    """An identity card. `form`: mykad, old, police or army; the last three carry no date, place or sex (None)."""

    form: str = "mykad"
    birth_date: datetime.date | None = None
    place: str | None = None
    sex: str | None = None  # "lelaki" or "perempuan"


@dataclass(frozen=True)
class Phone(Identifier):
    """A telephone number; `line` is mobile, fixed, service (1-300, 1-800) or foreign. `value` like `+60123456789`."""

    line: str = "mobile"


@dataclass(frozen=True)
class Registration(Identifier):
    """A registration with SSM; `form` is new, old, llp, business or both (“202301012345 (1512345-A)”)."""

    form: str = "new"


def _digits(text):
    return re.sub(r"\D", "", text)


# ---- identity cards ----

_MYKAD = re.compile(r"(?<![\d.,])(?<!\d[-/])(\d{6})(\s?[-–—]\s?|\s)?(\d{2})(\s?[-–—]\s?|\s)?(\d{4})(?![-/]?\d|[.,]\d)")
_OLD_IC = re.compile(r"(?<![\w/-])([A-Z]{1,2}[ /-]?\d{6,7}|\d{6,7})(?![\w/-]|[.,]\d)")


def _birth_date(digits, today):
    year, month, day = int(digits[:2]), int(digits[2:4]), int(digits[4:6])
    for century in (2000, 1900):
        try:
            date = datetime.date(century + year, month, day)
        except ValueError:
            continue
        if date <= today:
            return date
    return None


def find_mykads(text, today=None):
    """Find identity-card numbers: `YYMMDD-PB-###G` with hyphens, spaces or neither, and old ones where a label says so.

    The date must be one that exists; the birth year is the latest that is not after `today` (a date). Place codes
    that were never given out are kept with `place=None`, code `00` counts as an invented person. Returns `MyKad`s.
    """
    today, found = today or datetime.date.today(), []
    for match in _MYKAD.finditer(text):
        first, gap, place, gap2, last = match.groups()
        date = _birth_date(first, today)
        label = label_before(text, match.start())
        if date is None or (gap is None) != (gap2 is None):
            continue
        dashed = gap is not None and gap.strip()
        if not dashed and label in ("other", "account", "company", "card", "phone"):
            continue
        if not gap and label != "mykad" and _NEW_SSM.fullmatch(match.group()):
            continue  # a company of the year 2010 reads like a child born in 2020
        if text[match.start() - 1 : match.start()].isalpha() and label != "mykad":
            continue
        sex = "lelaki" if int(last) % 2 else "perempuan"
        value = f"{first}-{place}-{last}"
        found.append(MyKad(*match.span(), match.group(), value, True, "mykad", date, BIRTHPLACES.get(place), sex))
    for match in _OLD_IC.finditer(text):
        label, before = label_before(text, match.start(), 34), text[max(0, match.start() - 34) : match.start()]
        lettered = match.group()[0].isalpha()
        if (
            label == "mykad"
            and (lettered or re.search(r"\blama\b|\bold\b", before, re.I))
            and len(_digits(match.group())) >= (6 if lettered else 7)
        ):
            form = "old"
        elif label == "service" and re.search(r"(?:no\.?|nombor|nom\.?|bernombor)\s*(?:\w+\s*){1,3}[:\s]*$", before, re.I):
            form = "police" if re.search("polis", before, re.I) else "army"
        else:
            continue
        found.append(MyKad(*match.span(), match.group(), re.sub(r"[ /-]", "", match.group()), True, form))
    return sorted(found, key=lambda item: item.start)


# ---- telephones ----

_S = r"[ .–-]"
_EDGE = r"(?<![\w@#])(?<![.,]\d)(?<!\w[-–.])(?<!RM )"
_END = r"(?!\d|[-–]\d|[.,]\d|[A-Za-z@])"
_COUNTRY = r"(?:\(?(?:\+|00)?60\)?[ .-]{0,2}(?:\(0\)[ ]?)?|\(?\+?6[ -]?(?=\(?0))"
_MOBILE_REST = (
    rf"(?:\d{{3,4}}{_S}?{_S}?\d{{4}}|\d{{4}}{_S}\d{{3}}|\d{{2}}{_S}\d{{2}}{_S}\d{{3}}|\d{{3}}{_S}\d{{2}}{_S}\d{{2}}"
    rf"|\d{{2}}{_S}\d{{3}}{_S}\d{{2,3}}|\d{{2}}{_S}\d{{2}}{_S}\d{{2}}{_S}\d{{2}}|\d{{3}}{_S}\d{{3}}{_S}\d{{1,2}})"
)
_FIXED_REST = rf"(?:3\)?{_S}{{0,3}}\d{{4}}{_S}?\d{{4}}|3\)?{_S}{{1,2}}\d{{2}}{_S}\d{{2}}{_S}\d{{4}}|[45679]\)?{_S}{{0,3}}\d{{3}}{_S}?\d{{4}}|[45679]\)?{_S}{{0,3}}\d{{4}}{_S}\d{{3}}|[45679]\)?{_S}{{0,3}}\d{{2}}{_S}\d{{2}}{_S}\d{{3}}|8[2-9]\)?{_S}{{0,3}}(?:\d{{6}}|\d{{3}}{_S}\d{{3}}|\d{{2}}{_S}\d{{4}}|\d{{4}}{_S}\d{{2}}|\d{{2}}{_S}\d{{2}}{_S}\d{{2}}))"
_PHONES = [
    ("mobile", re.compile(rf"{_EDGE}(?:{_COUNTRY}\(?0?|\(?0)1\d\)?{_S}{{0,3}}{_MOBILE_REST}{_END}")),
    ("mobile", re.compile(rf"{_EDGE}(?:{_COUNTRY}0?|0)1\d{{1,3}}{_S}{{1,2}}\d{{2,4}}{_S}?\d{{2,4}}(?:{_S}\d{{2,4}})?{_END}")),
    ("fixed", re.compile(rf"{_EDGE}(?:{_COUNTRY}\(?0?|\(?0){_FIXED_REST}{_END}")),
    (
        "service",
        re.compile(rf"{_EDGE}1{_S}?(?:300|700|800|600|900){_S}?(?:\d{{2}}{_S}?\d{{4}}|\d{{3}}{_S}?\d{{3}}|\d{{4}}{_S}?\d{{2}}){_END}"),
    ),
    ("foreign", re.compile(rf"{_EDGE}\+(?!60)[1-9]\d{{0,2}}(?:[ .-]?\(?\d{{1,4}}\)?){{2,5}}{_END}")),
    ("fixed", re.compile(rf"(?<=[:. ])\d{{4}}[ -]\d{{4}}{_END}")),  # without an area code: after a label only
]


_SERIAL = re.compile(
    r"\b(?:siri|serial|inv|ruj|ref|rujukan|invois|invoice|resit|kod|code|sku|model|batch|kelompok|isbn|imei|barkod|versi|fail)\W{1,4}$",
    re.I,
)


def find_phones(text):
    """Find telephone numbers: mobile, fixed, 1-300/1-800, foreign; +60, brackets, dots and spaces. 999 and its like are not one's own.

    Ten plain digits after “no. invois” or “akaun” are no telephone. Returns `Phone`s, left to right.
    """
    found, taken = [], []
    for number, (line, pattern) in enumerate(_PHONES):
        for match in pattern.finditer(text):
            start, end, body = match.start(), match.end(), match.group()
            if body.startswith("(") and ")" not in body:
                start, body = start + 1, body[1:]
            digits = _digits(body)
            label = label_before(text, start)
            plain = body.isdigit()
            if _SERIAL.search(text[:start]):
                continue
            if label == "account" and re.search(r"\d[ -]$", text[:start]):
                continue  # the middle of a grouped number
            if any(start < b and a < end for a, b in taken) or not 8 <= len(digits) <= 15:
                continue
            if (plain and label in ("other", "account", "company", "mykad", "card")) or (label == "account" and body[0] not in "+0("):
                continue
            if plain and digits[0] != "0" and label != "phone" and not re.fullmatch(r"601\d{8,9}", digits):
                continue
            if number == 1 and not re.fullmatch(r"(?:00)?(?:60?)?0?1\d{8,9}", digits):
                continue
            if number == 5 and not re.search(r"(?:tel|fon|telefon|faks|fax|phone)\.?\s*[:.]?\s*$", text[:start], re.I):
                continue
            taken.append((start, end))
            digits = re.sub(r"^(?:00)?600?(?=[1-9])", "", digits) if line in ("mobile", "fixed") else digits
            if line in ("mobile", "fixed"):
                value = "+60" + digits.lstrip("0")
            else:
                value = ("+" if line == "foreign" else "") + digits
            found.append(Phone(start, end, text[start:end], value, True, line))
    return sorted(found, key=lambda item: item.start)


# ---- SSM ----

_NEW = r"(?:19[0-9]\d|20[0-4]\d)0[1-6]\d{6}"
_NEW_SSM = re.compile(_NEW)
_OLD = r"(?:[A-Z]{2}\d{7}\s?-\s?[A-Z]|\d{9}\s?-\s?[A-Z]|\d{5,7}\s?-\s?[A-Z]|LLP\s?\d{7}\s?-\s?L[A-Z]{2})"
_REGISTRATIONS = [
    ("both", re.compile(rf"(?<![\w-]){_NEW}\s*[(/]\s*{_OLD}(?![\w-])\s*\)?|(?<![\w-]){_OLD}\s*[(/]\s*{_NEW}(?![\w-])\s*\)?")),
    ("llp", re.compile(r"(?<![\w-])LLP\s?\d{7}\s?-\s?L[A-Z]{2}(?![\w-])", re.I)),
    ("new", re.compile(rf"(?<![\w.,/-]){_NEW}(?![\w-]|[.,]\d)")),
    ("business", re.compile(r"(?<![\w-])(?:[A-Z]{2}|00)\d{7}\s?-\s?[A-Z](?![\w-])")),
    ("old", re.compile(r"(?<![\w./-])\d{5,7}\s?-\s?[A-Z](?![\w-])")),
]
_COMPANY_BEFORE = re.compile(
    r"(?:sdn\.?\s*bhd\.?|berhad|enterprise|trading|plt|holdings|bhd\.?|resources|services|perniagaan|kedai)\W{0,3}$", re.I
)


def find_registrations(text):
    """Find SSM numbers: `202301012345`, `1234567-X`, `LLP0012345-LGN`, `SA0123456-K`, and both together as one.

    A part number of the same form is told by its label (“no. siri 123456-A”). Returns `Registration`s, left to right.
    """
    found = []
    for form, pattern in _REGISTRATIONS:
        for match in pattern.finditer(text):
            start, end = match.span()
            if any(start < other.end and other.start < end for other in found):
                continue
            label, before = label_before(text, start), text[max(0, start - 24) : start]
            named = label == "company" or _COMPANY_BEFORE.search(before)
            if form in ("new", "old") and not named and label in ("other", "account", "mykad", "card", "phone", "vehicle", "passport"):
                continue
            if form == "old" and len(_digits(match.group())) == 5 and not named:
                continue
            value = re.sub(r"\s", "", match.group()).upper().rstrip(")") if form == "both" else re.sub(r"\s", "", match.group()).upper()
            found.append(Registration(start, end, match.group(), value.replace("/", "("), True, form))
    return sorted(found, key=lambda item: item.start)


# ---- money's numbers ----

_ACCOUNT = re.compile(r"(?<![\w.,/+])(?<!\w-)(?<!RM )\d(?:[ -]?\d){8,17}(?![-/]?\w|[.,]\d)")
_CARD = re.compile(r"(?<![\w.,/+-])(?:\d{4}([ -]?)\d{4}\1\d{4}\1\d{4}|3[47]\d{2}([ -]?)\d{6}\2\d{5})(?![-/]?\w|[.,]\d)")


def luhn(digits):
    """Whether a string of digits passes Luhn's checksum, as card numbers do."""
    return (
        sum(int(d) if i % 2 else (int(d) * 2 - 9 if d > "4" else int(d) * 2) for i, d in enumerate(digits, start=len(digits) % 2)) % 10 == 0
    )


def find_cards(text):
    """Find numbers of payment cards: 15 or 16 digits that pass Luhn's check, or that a label calls a card. Returns `Identifier`s."""
    found = []
    for match in _CARD.finditer(text):
        digits, label = _digits(match.group()), label_before(text, match.start(), 60)
        grouped = not match.group().isdigit()
        if label == "card" or (luhn(digits) and digits[0] in "3456" and label != "account" and (grouped or label != "other")):
            found.append(Identifier(*match.span(), match.group(), digits))
    return found


_REFERENCE = re.compile(r"\b(?:rujukan|ruj|ref(?:erence)?|resit|invois|transaksi)\b\.?(?:\s+[\w/]+){0,3}\W*$", re.I)


def find_accounts(text, uncertain=False):
    """Find numbers of bank accounts: 10 to 16 digits, grouped or not, that the words around them call an account.

    `uncertain=True` also gives ungrouped numbers that no label explains (`certain=False`). Returns `Identifier`s.
    """
    found = []
    others = [(m.start(), m.end()) for m in _MYKAD.finditer(text) if m.group(2) and m.group(2).strip()]
    others += [(p.start, p.end) for p in find_phones(text) if not p.text.isdigit() or p.text[0] == "+"]
    others += [(c.start, c.end) for c in find_cards(text)]
    for match in _ACCOUNT.finditer(text):
        start, end = match.span()
        digits = _digits(match.group())
        if not 10 <= len(digits) <= 17 or any(start < b and a < end for a, b in others):
            continue
        label = label_before(text, start, 90)
        paper = _REFERENCE.search(text[max(0, start - 60) : start])
        if paper and not re.search(r"\ba(?:kaun|cct?|/c)\b", paper.group(), re.I):
            continue  # “rujukan transaksi Maybank 7612345678”
        if label is None or label in ("company", "phone"):
            label = "account" if label is None and label_after(text, end) == "account" else label
        if label == "account" and re.fullmatch(r"01\d{8,9}", digits) and label_before(text, start, 24) != "account":
            continue  # a mobile number some words after an account
        if label == "account":
            found.append(Identifier(start, end, match.group(), digits))
        elif uncertain and label is None and match.group().isdigit() and not _NEW_SSM.fullmatch(digits) and digits[0] != "0":
            found.append(Identifier(start, end, match.group(), digits, False))
    return found


# ---- passports, plates, e-mail ----

_PASSPORT = re.compile(r"(?<![\w-])(?:[A-Z]{1,2} ?\d{6,8}[A-Z]?|\d{8,9})(?![\w-]|[.,]\d)")
_PLATE = re.compile(
    r"(?<![\w/-])(?:(?:[ABCDFJKMNPRTVWLZ][A-HJ-NP-Z]{0,2}|Q[A-HJ-NP-Z]{1,2}|S[A-HJ-NP-Z]{1,2}|H[A-HJ-NP-Z]{1,2}|KV) ?[1-9]\d{0,3}(?: ?[A-HJ-NP-Y])?"
    r"|(?:Putrajaya|PUTRAJAYA|Malaysia|MALAYSIA|Patriot|PATRIOT|Perdana|PERDANA) [1-9]\d{0,3})(?![\w/-]|[.,]\d)"
)
_SMALL_PLATE = re.compile(r"(?<![\w/-])[a-hj-np-z]{2,3} ?[1-9]\d{2,3}(?![\w/-]|[.,]\d)")
_NO_PLATE = {  # abbreviations that stand before numbers
    "AC", "AJK", "AM", "ASB", "ASN", "ATM", "BA", "BBM", "BIL", "BLK", "BNM", "BP", "BR", "BSC", "BSN", "BU", "CD", "CEFR", "CPU", "CTOS",
    "DAP", "DBP", "DC", "DNA", "DO", "DSKP", "DSR", "DUN", "DVD", "EPF", "FAO", "FAX", "FB", "FWD", "GST", "HLB", "JB", "JKK", "JKKK",
    "JKR", "JPA", "JPJ", "JPN", "KFH", "KKM", "KL", "KM", "KP", "KPI", "KTM", "KV", "KVMR", "KWSP", "LED", "LOT", "LPG", "LRT", "MA",
    "MARA", "MBA", "MBB", "MCA", "MCMC", "MCO", "MDEC", "MIC", "MP", "MPS", "MPV", "MRT", "MS", "MUET", "NO", "PA", "PAS", "PBB", "PBSM",
    "PBT", "PC", "PCB", "PDF", "PDRM", "PHD", "PIBG", "PJ", "PJS", "PJU", "PKP", "PKPB", "PKR", "PLATE", "PLC", "PM", "PMR", "PO", "PPD",
    "PT", "PTD", "PTPTN", "PVC", "RFID", "RHB", "RM", "RMK", "RTM", "SBR", "SD", "SIRIM", "SJK", "SK", "SMK", "SMR", "SMS", "SPA", "SPM", "SPP",
    "SRP", "SS", "SSM", "SST", "STPM", "SUK", "SUV", "TEL", "TM", "TNB", "TNG", "TPM", "TS", "TTDI", "TV", "TVET", "UKM", "UM", "UMNO",
    "UMT", "UNISEL", "UOB", "UPM", "UPSR", "USB", "USJ", "USM", "UTHM", "UTM", "VIP", "WC", "WHO", "WP",
}  # fmt: skip


# Lists of foreign workers give name, country and number without the word passport (and a name such as Nguyen Van Loc looks like a van).
_FOREIGNER = re.compile(
    r"\b(?:warga\s?negara|(?:pekerja|warga|rakyat)\s+asing|foreign\s+workers?|nationality|indonesia|bangladesh|myanmar|nepal|vietnam|filipina|"
    r"pakistan|thailand|kemboja)\b",
    re.I,
)


def find_passports(text, uncertain=False):
    """Find passport numbers (`A12345678`, `H…` of Sabah, `K…` of Sarawak, foreign ones) after a label.

    The label may stand a list of names away. `uncertain=True` also gives `A`, `H` or `K` with eight digits and no label.
    Returns `Identifier`s.
    """
    found = []
    for match in _PASSPORT.finditer(text):
        label = label_before(text, match.start(), 90)
        foreigner = (
            match.group()[0].isalpha() and label in (None, "vehicle") and _FOREIGNER.search(text, max(0, match.start() - 90), match.start())
        )
        if (
            label == "passport"
            or foreigner
            or (label is None and match.group()[0].isalpha() and label_after(text, match.end()) == "passport")
        ):
            found.append(Identifier(*match.span(), match.group(), match.group().replace(" ", "")))
        elif uncertain and label is None and re.fullmatch(r"[AHK]\d{8}", match.group()):
            found.append(Identifier(*match.span(), match.group(), match.group(), False))
    return found


def find_plates(text, uncertain=False):
    """Find registration plates: `WXY 1234`, `SAB 4321 C`, and near words for vehicles also `W 12`, `Putrajaya 88`, `wxy1234`.

    Three capital letters and a number that no label explains are a plate: a missed plate costs more than a masked code.
    `uncertain=True` also gives them where the number may be a year (`certain=False`). Returns `Identifier`s.
    """
    found = []
    for match in (*_PLATE.finditer(text), *_SMALL_PLATE.finditer(text)):
        letters = re.match(r"[A-Za-z]+", match.group()).group()
        suffixed = match.group()[-1].isalpha() and not letters.islower()
        if (
            (letters.upper() in _NO_PLATE and not suffixed)
            or letters in ("Malaysia", "MALAYSIA")
            and re.search(r"(?:19|20)\d\d$", match.group())
        ):
            continue
        label = label_before(text, match.start())
        near = label == "vehicle" or label_after(text, match.end()) == "vehicle"
        if near and (len(letters) > 1 or " " in match.group()):
            found.append(Identifier(*match.span(), match.group(), match.group().replace(" ", "").upper()))
        elif label is None and (len(letters) == 3 or suffixed) and letters.isupper():
            year = bool(re.search(r"\s?(?:19|20)\d\d$", match.group()))
            if uncertain or not year:
                found.append(Identifier(*match.span(), match.group(), match.group().replace(" ", "").upper(), not year))
    return sorted(found, key=lambda item: item.start)


_AT, _DOT = r"\s?(?:\[at\]|\(at\)|\[@\]|\(@\))\s?", r"\s?(?:\[dot\]|\(dot\)|\[\.\]|\.)\s?"
_EMAIL = re.compile(
    rf"(?<![\w.+%-])[A-Za-z0-9][\w.+%-]*(?:@(?:[A-Za-z0-9-]+\.)+[A-Za-z]{{2,10}}|{_AT}[A-Za-z0-9-]+(?:{_DOT}[A-Za-z0-9-]+)*{_DOT}[A-Za-z]{{2,10}})(?![\w@])"
)


def find_emails(text):
    """Find e-mail addresses, those written with [at] and [dot] too. Returns `Identifier`s."""
    found = []
    for match in _EMAIL.finditer(text):
        plain = re.sub(r"\s*[\[(](?:at|@)[\])]\s*", "@", match.group())
        found.append(Identifier(*match.span(), match.group(), re.sub(r"\s*[\[(](?:dot|\.)[\])]\s*", ".", plain).lower()))
    return found
