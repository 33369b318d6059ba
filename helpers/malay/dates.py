"""Dates and percentages as Malaysians write them, found in running text.

`find_dates("Mesyuarat pada Isnin, 2 Februari 2026 dan 3hb April")` gives both with their spans; the first has
`.value == date(2026, 2, 2)`, the second only a day and a month. Numbers are day first (3/4/2026 is 3 April), years of
two digits are 1950–2049, and “hujung bulan Mac” is found with `vague="hujung"`. Dates that cannot be (31 April,
29/2/2023) are not found, not even in part.

`find_percentages("kadar 4.10%, iaitu empat perpuluhan satu peratus")` gives 4.1 twice; fractions (“suku daripada gaji”)
count as percentages, and “mata peratusan” and “mata asas” are marked as points.
"""

import datetime
import re
from dataclasses import dataclass

from helpers.malay import quantities

MONTHS = {
    "januari": 1, "jan": 1, "february": 2, "februari": 2, "feb": 2, "mac": 3, "march": 3, "april": 4, "apr": 4, "mei": 5, "may": 5,
    "jun": 6, "june": 6, "julai": 7, "jul": 7, "july": 7, "ogos": 8, "ogo": 8, "ogs": 8, "august": 8, "aug": 8, "september": 9, "sept": 9,
    "sep": 9, "oktober": 10, "okt": 10, "october": 10, "oct": 10, "november": 11, "nov": 11, "disember": 12, "dis": 12, "december": 12,
    "dec": 12, "january": 1,
}  # fmt: skip
WEEKDAYS = {"isnin": 0, "selasa": 1, "rabu": 2, "khamis": 3, "jumaat": 4, "sabtu": 5, "ahad": 6}
HIJRI = (
    "muharam",
    "safar",
    "rabiulawal",
    "rabiulakhir",
    "jamadilawal",
    "jamadilakhir",
    "rejab",
    "syaaban",
    "ramadan",
    "syawal",
    "zulkaedah",
    "zulhijah",
)
VAGUE = {
    "awal": "awal",
    "permulaan": "awal",
    "pertengahan": "pertengahan",
    "tengah": "pertengahan",
    "hujung": "hujung",
    "akhir": "hujung",
    "penghujung": "hujung",
}
FRACTIONS = {
    "suku": 25.0, "separuh": 50.0, "setengah daripada": 50.0, "tiga suku": 75.0, "satu pertiga": 100 / 3, "sepertiga": 100 / 3, "dua pertiga": 200 / 3,
    "satu perempat": 25.0, "tiga perempat": 75.0, "satu perlima": 20.0, "seperlima": 20.0, "dua perlima": 40.0, "tiga perlima": 60.0,
    "empat perlima": 80.0, "sepersepuluh": 10.0, "satu persepuluh": 10.0,
}  # fmt: skip

_UNITS = ["satu", "dua", "tiga", "empat", "lima", "enam", "tujuh", "lapan", "sembilan"]
_WORDS = {word: n for n, word in enumerate(_UNITS, 1)} | {"sepuluh": 10, "sebelas": 11}
_WORDS |= {f"{word} belas": n + 10 for word, n in list(_WORDS.items()) if 1 < n < 10}
_WORDS |= {f"{tens} puluh": 10 * t for tens, t in (("dua", 2), ("tiga", 3))}
_WORDS |= {f"{tens} puluh {unit}": 10 * t + u for tens, t in (("dua", 2), ("tiga", 3)) for u, unit in enumerate(_UNITS, 1)}


def _either(words):
    return "(?:" + "|".join(sorted(map(re.escape, words), key=len, reverse=True)) + ")"


_MONTH = _either(MONTHS) + r"\.?(?![a-z])"
_DAY = rf"(?:\d{{1,2}}|{_either(w for w, n in _WORDS.items() if n < 32)})"
_YEAR = r"(?:\d{4}(?![\d-])|[’']\d{2}\b)"
_WEEK = rf"(?:(?:hari\s+)?(?P<week>{_either(WEEKDAYS)})\s*,?\s*\(?\s*)?"
_HB = r"(?:\s*(?:hb|haribulan|hari\s+bulan)\.?\s*)"
_TOKENS = {
    "iso": r"(?<![\d/-])(?P<y>\d{4})-(?P<m>\d{1,2})-(?P<d>\d{1,2})(?![\d/-])",
    "numbers": _WEEK + r"(?<![\d/.,-])(?P<d>\d{1,2})(?P<sep>[/.-])(?P<m>\d{1,2})(?P=sep)(?P<y>\d{4}|\d{2})(?![\d/-]|\.\d)",
    "range": rf"(?<![\w/.,-])(?P<d>{_DAY})\s*(?:-|–|hingga|sehingga|sampai|dan|&)\s*(?P<d2>{_DAY})(?:{_HB}|\s+)(?:bulan\s+)?(?P<month>{_MONTH})(?:\s*,?\s*(?P<y>{_YEAR}))?",
    "hijri": rf"(?<![\w/.,-])(?P<d>\d{{1,2}})(?:{_HB}|\s+)(?P<hijri>{_either(HIJRI)})(?:\s+(?P<y>\d{{4}})\s?H?)?\b",
    "words": _WEEK + rf"(?<![\w/.,-])(?P<d>{_DAY})(?:{_HB}|\s+)(?:bulan\s+)?(?P<month>{_MONTH})(?:\s*,?\s*(?:tahun\s+)?(?P<y>{_YEAR}))?",
    "day": _WEEK + rf"(?<![\w/.,-])(?P<d>{_DAY}){_HB}(?:ini|ni|depan|bulan\s+(?:ini|depan)|itu)?(?![a-z])",
    "vague": rf"\b(?P<vague>{_either(VAGUE)})\s+(?:bulan\s+)?(?P<month>{_MONTH})(?:\s*,?\s*(?P<y>{_YEAR}))?",
    "month": rf"\b(?:bulan\s+(?P<month>{_MONTH})(?:\s*,?\s*(?P<y>{_YEAR}))?|(?P<month2>{_MONTH})\s*,?\s*(?P<y2>{_YEAR}))",
}
_PATTERNS = {kind: re.compile(pattern, re.I) for kind, pattern in _TOKENS.items()}


@dataclass(frozen=True)
class FoundDate:
    """A date found in a text. What the words do not say is None; `calendar` is "masihi" or "hijrah" (the latter has no value)."""

    start: int
    end: int
    text: str
    day: int | None
    month: int | None
    year: int | None
    weekday: int | None = None  # 0 is Isnin, as written
    vague: str | None = None  # "awal", "pertengahan", "hujung"
    calendar: str = "masihi"

    @property
    def value(self):
        """The `datetime.date`, or None where the date is partial, vague or of the Islamic calendar."""
        if self.calendar != "masihi" or self.vague or None in (self.day, self.month, self.year):
            return None
        return datetime.date(self.year, self.month, self.day)

    @property
    def weekday_fits(self):
        """Whether the weekday written is that of the date; None where there is nothing to compare."""
        return None if self.weekday is None or self.value is None else self.value.weekday() == self.weekday


def _number(text):
    if text is None:
        return None
    text = re.sub(r"\s+", " ", text.strip().lower())
    return int(text) if text.isdecimal() else _WORDS[text]


def _year(text):
    if not text:
        return None
    digits = int(re.sub(r"\D", "", text))
    return digits if digits > 99 else digits + (1900 if digits >= 50 else 2000)


def _possible(day, month, year, calendar="masihi"):
    if calendar == "hijrah":
        return 1 <= day <= 30
    if day == 0 or month == 0:
        return False
    try:
        # a leap year where the year is not known; any month of 31 days where the month is not
        datetime.date(year or 2024, month or 1, day or 1)
    except ValueError:
        return False
    return year is None or 1000 <= year <= 2999


def find_dates(text):
    """Find dates, whole or partial, left to right: a list of `FoundDate`.

    A weekday alone and a year alone are not dates here (`quantities.find_years` reads years). Of a range (“3 hingga 5 Mac
    2026”) both ends are found, each with the month and year of the range.
    """
    found, taken = [], bytearray(len(text))

    def add(start, end, day, month, year, **rest):
        found.append(FoundDate(start, end, text[start:end], day, month, year, **rest))

    for kind, pattern in _PATTERNS.items():
        for match in pattern.finditer(text):
            start, end = match.span()
            while end > start and text[end - 1] in " ,":
                end -= 1
            if "(" in text[start:end] and text[end : end + 1] == ")":
                end += 1
            if any(taken[start:end]):
                continue
            taken[start:end] = b"\1" * (end - start)  # also where the date cannot be: no part of it is read as another
            part = match.groupdict()
            month = part.get("month") or part.get("month2")
            month = MONTHS[month.lower().rstrip(".")] if month else _number(part.get("m"))
            day, year = _number(part.get("d")), _year(part.get("y") or part.get("y2"))
            weekday = WEEKDAYS[part["week"].lower()] if part.get("week") else None
            if kind == "hijri":
                if _possible(day, None, None, "hijrah"):
                    add(start, end, day, HIJRI.index(part["hijri"].lower()) + 1, year, calendar="hijrah")
            elif kind == "range":
                last = _number(part["d2"])
                if _possible(day, month, year) and _possible(last, month, year):
                    add(match.start("d"), match.end("d"), day, month, year)
                    add(match.start("d2"), end, last, month, year)
            elif _possible(day, month, year):
                vague = VAGUE[part["vague"].lower()] if part.get("vague") else None
                add(start, end, day, month, year, weekday=weekday, vague=vague)
    return sorted(found, key=lambda d: d.start)


@dataclass(frozen=True)
class Percentage:
    """A percentage found in a text: `value` 4.1 for 4.1%; of a range the lower end, `high` the upper. `unit`: "percent" or "points"."""

    start: int
    end: int
    text: str
    value: float
    high: float
    unit: str = "percent"


_SPOKEN = r"(?:kosong|sifar|satu|dua|tiga|empat|lima|enam|tujuh|lapan|sembilan|sepuluh|sebelas|belas|puluh|seratus|ratus|setengah|suku)"
_VALUE = rf"(?:[-+−]?\d{{1,3}}(?:,\d{{3}})+(?:\.\d+)?|[-+−]?\d+(?:\.\d+)?(?:\s+perpuluhan\s+\d+)?|{_SPOKEN}(?:[ ]+{_SPOKEN})*(?:[ ]+perpuluhan(?:[ ]+{_SPOKEN})+)?)"
_PERCENT = re.compile(
    rf"(?<![\w.,])(?P<low>{_VALUE})\s*%?\s*(?:(?:-|–|hingga|sehingga|sampai|ke|atau|dan)\s*(?P<high>{_VALUE}))?\s*"
    r"(?P<unit>mata\s+(?:peratusan|peratus)|mata\s+asas|%|peratus\b|per\s?cent\b|percent\b)(?!\w)",
    re.I,
)
# What follows “suku”, “separuh” when they are no share of something: a quarter of the year, a syllable, half an hour, some people.
_NO_SHARE = r"(?!\s+(?:pertama|kedua|ketiga|keempat|akhir|tahun|tahunan|kata|abad|sakat|bangsa|kaum|jam|hari|jalan|masa|orang|juta|ribu|ratus|bilion|dekad|peratus)|\s*-)"
_SHARE = re.compile(rf"(?<![\w-])(?<!pukul )(?<!puluh )(?P<share>{_either(FRACTIONS)}){_NO_SHARE}(?!\w)", re.I)


def _spoken(text):
    """The value of “empat perpuluhan satu”, “4 perpuluhan 1”, “12.5”; None where the words are no number."""
    whole, _, decimals = re.sub(r"\s+", " ", text.strip().lower()).partition(" perpuluhan ")
    if re.fullmatch(r"[-+−]?[\d,]+(?:\.\d+)?", whole):
        value = float(whole.replace(",", "").replace("−", "-").replace("+", ""))
    elif whole in ("kosong", "sifar"):
        value = 0.0
    elif whole in ("setengah", "suku", "tiga suku"):
        value = {"setengah": 0.5, "suku": 0.25, "tiga suku": 0.75}[whole]
    else:
        numbers = quantities._numbers(whole.replace("sifar", "kosong"))
        half = re.fullmatch(r"(.+) (setengah|suku)", whole)
        if half:
            numbers = quantities._numbers(half.group(1))
        if len(numbers) != 1:
            return None
        value = numbers[0].value + ({"setengah": 0.5, "suku": 0.25}[half.group(2)] if half else 0.0)
    if decimals:
        digits = decimals.strip().replace("sifar", "kosong").split(" ")
        if all(d.isdecimal() for d in digits):
            value += float("0." + "".join(digits))
        elif all(quantities.UNITS.get(d, 10) < 10 for d in digits):
            value += float("0." + "".join(str(quantities.UNITS[d]) for d in digits))
        else:
            return None
    return round(value, 6)


def find_percentages(text):
    """Find percentages in figures and words, and fractions of a whole, left to right: a list of `Percentage`."""
    found = []
    for match in _PERCENT.finditer(text):
        low = _spoken(match["low"])
        high = _spoken(match["high"]) if match["high"] else low
        if low is None or high is None:
            continue
        unit = re.sub(r"\s+", " ", match["unit"].lower())
        scale = 0.01 if unit == "mata asas" else 1.0
        points = "points" if unit.startswith("mata") else "percent"
        found.append(Percentage(match.start(), match.end(), match.group(), round(low * scale, 6), round(high * scale, 6), points))
    for match in _SHARE.finditer(text):
        if not any(p.start < match.end() and match.start() < p.end for p in found):
            value = round(FRACTIONS[match["share"].lower()], 4)
            found.append(Percentage(match.start(), match.end(), match.group(), value, value))
    return sorted(found, key=lambda p: p.start)
