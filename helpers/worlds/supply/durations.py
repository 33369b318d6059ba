"""How long something lasts, in days from a given day, read from the words of a notice.

    days("kira-kira dua minggu", today)      # (14, True)
    days("hingga 5 Disember", today)         # (12, True) on 23 November
    days("belum pasti lagi", today)          # (None, False): said to be unknown

The longest of several durations counts, the last of several dates, and an end date goes before a duration; a duration that
begins on a later day ends so much later. Words that say
nothing about time are a ValueError: a wrong quotation must not pass for “unknown”.
"""

import datetime
import math
import re

from helpers.malay import dates, quantities

_UNITS = {"hour": 1 / 24, "day": 1, "week": 7, "month": 30, "year": 365}
_NAMES = (
    ("hour", r"jam|hours?|hrs?"),
    ("day", r"hari|ari|hri|days?"),
    ("week", r"minggu|mgu|mggu|mingu|ahad|weeks?|wks?|wk"),
    ("month", r"bulan|bln|months?|mths?"),
    ("year", r"tahun|thn|years?"),
)
_UNIT = "|".join(f"(?P<{name}>{forms})" for name, forms in _NAMES)
_WORDS = {**quantities.UNITS, "a": 1, "an": 1, "beberapa": 4, "several": 4, "few": 4, "setengah": 0.5, "separuh": 0.5, "half": 0.5}
_NUMBER = (
    r"(?:\d+(?:\.\d+)?|(?:"
    + "|".join(sorted(_WORDS, key=len, reverse=True))
    + r")(?:\s+(?:belas|puluh))?(?:\s+(?:satu|dua|tiga|empat|lima))?)"
)
_COUNTED = re.compile(
    rf"(?<![\w.])(?:(?P<low>{_NUMBER})\s*(?:-|–|hingga|ke|sampai|to|atau|or)\s*)?(?P<number>{_NUMBER}|se|s)\s*-?\s*(?:a\s+)?(?:{_UNIT})\b"
    r"(?P<half>\s+setengah)?(?P<two>\s+dua)?(?P<work>\s*(?:bekerja|kerja|waktu bekerja))?|(?P<fortnight>\bfortnight\b)",
    re.I,
)
_START = re.compile(r"\b(?:(?:ber)?mula(?:i)?|sejak|starting|start|from|since|effective)\b", re.I)
_END = re.compile(r"\b(?:hingga|sehingga|sampai|until|till|to)\b", re.I)
_WORKING = re.compile(r"working\s+days?|business\s+days?|hari\s+(?:be)?kerja", re.I)
_UNKNOWN = re.compile(
    r"\b(?:tak|tidak|tdk|belum|blm|x|tk|dok|dak|tok|sik|nda|bukan|tiada|takde|xde|no|not|nobody|don'?t|can'?t)\b.{0,30}?(?:pasti|tahu|tau|taw|tentu|maklum|confirm|sure|know|jelas|date|tarikh|eta|"
    r"kata|cakap|sebut|bagi|clear|reti|nyata|dapat memasti|dapat mengesah)|diberitahu\s+kelak|dimaklumkan\s+kelak|\bkelak\b|notis\s+lanjut|further\s+notice|unknown|\btb[cda]\b|\bentah|"
    r"unsure|indefinite|selesai|xpasti|xtau|xtahu|takpasti|\bnaik\s+tau\b",
    re.I,
)
_SOON = {
    r"\besok\b|tomorrow": 1, r"\blusa\b": 2, r"\btulat\b": 3, r"hujung\s+minggu|weekend": 6, r"minggu\s+depan|next\s+week": 7,
    r"hujung\s+bulan(?:\s+(?:ini|ni))?\s*$|end\s+of\s+the\s+month|month\s*end": "month", r"(?:hujung|akhir)\s+tahun|year[\s-]*end|end\s+of\s+the\s+year": "year",
    r"bulan\s+depan|next\s+month": 30,
}  # fmt: skip


_AND_A_HALF = (  # each with what it says in the form that is read
    (rf"({_NUMBER})\s+(?:and\s+a\s+half|1/2|½)\s+(?=[a-z])", lambda match: f"{_number(match[1]) + 0.5} "),
    (r"\b(?:an?|one)\s+(day|week|month|year)\s+and\s+a\s+half\b", lambda match: f"1.5 {match[1]}"),
    (r"\b(?:a\s+)?couple\s+(?:of\s+)?(?=[a-z])", lambda match: "2 "),
)
_WEEKDAYS = dates.WEEKDAYS | {
    name: number for number, name in enumerate(("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"))
}


def _number(words):
    words = words.lower()
    if words in ("se", "s"):
        return 1
    try:
        return float(words)
    except ValueError:
        first, *rest = words.split()
    value = _WORDS[first]
    for word in rest:
        value = value + 10 if word == "belas" else value * 10 if word == "puluh" else value + _WORDS[word]
    return value


def _last_date(text, today):
    """The last date in a text as days from `today` (0 where it is past); None where there is no date."""
    found = []
    for date in dates.find_dates(text):
        if date.calendar != "masihi" or date.month is None and date.day is None:
            continue
        month = date.month or (today.month if date.day >= today.day else today.month % 12 + 1)  # “12hb”: the next twelfth
        year = date.year or today.year + (month < today.month - 6)
        day = date.day or {"awal": 10, "pertengahan": 20}.get(date.vague, 31)
        while True:
            try:
                found.append(datetime.date(year, month, day))
                break
            except ValueError:
                day -= 1
    return max(0, (max(found) - today).days) if found else None


def _date_free(text):
    """The text without its dates, whose numbers are no lengths of time."""
    for date in reversed(dates.find_dates(text)):
        text = text[: date.start] + text[date.end :]
    return text


def days(text, today):
    """(days, True) for a length of time or an end date; (None, False) where the words say that it is unknown."""
    text = " ".join(text.split())
    for pattern, number in _AND_A_HALF:
        text = re.sub(pattern, number, text, flags=re.I)
    starts = _START.search(text)
    until = text[: starts.start()] if starts else text  # a date after “mulai” is no end …
    if starts and (ends := _END.search(text, starts.end())):  # … until “hingga” follows
        until = text[ends.start() :]
    last = _last_date(until, today)
    if last is not None:
        return last, True
    from_today = (_last_date(text, today) or 0) if starts else 0
    text, lengths = (_date_free(text), []) if starts else (text, [])
    for match in _COUNTED.finditer(text):
        if match["fortnight"]:
            lengths.append(14)
            continue
        number = 2 if match["two"] else _number(match["number"])
        number += 0.5 if match["half"] else 0
        value = number * next(size for name, size in _UNITS.items() if match[name])
        if match["work"] or match["day"] and _WORKING.search(text):
            value = value * 7 / 5
        lengths.append(value)
    for match in re.finditer(rf"({_NUMBER})\s+(?:working|business)\s+days?", text, re.I):
        lengths.append(_number(match[1]) * 7 / 5)
    if lengths:
        return from_today + math.ceil(max(lengths)), True
    if _UNKNOWN.search(text):
        return None, False
    for pattern, value in _SOON.items():
        if re.search(pattern, text, re.I):
            if value == "month":
                value = (today.replace(day=28) + datetime.timedelta(days=4)).replace(day=1).toordinal() - 1 - today.toordinal()
            elif value == "year":
                value = (datetime.date(today.year, 12, 31) - today).days
            return value, True
    for name, weekday in _WEEKDAYS.items():
        if re.search(rf"\b{name}\b", text, re.I):
            return (weekday - today.weekday()) % 7 or 7, True
    raise ValueError(
        f"tempoh tidak dapat dibaca daripada “{text}”; petik tempoh (2 minggu), tarikh akhir (5 Disember) atau kata-kata “tidak pasti”"
    )
