"""Amounts, durations and years as Malaysians write them, found in running text.

`find_amounts("gaji RM4.5k, ansuran kereta tiga ratus lima puluh ringgit")` gives the two spans with
their values. Nothing here needs a model: a language model chooses *which* words answer a question,
this module reads what the words say. Digits (`RM3,800.00`, `RM 3 800`), suffixes (`4.5k`, `380 ribu`,
`1.2 juta`), words (`empat ribu lima ratus ringgit`, `setengah juta`, `four thousand`), ranges
(`RM4,000 hingga RM4,500`, `4-5k`) and yearly figures (`RM54,000 setahun`, `gaji tahunan RM54k`).
"""

import re
from dataclasses import dataclass

UNITS = {
    "kosong": 0, "satu": 1, "dua": 2, "tiga": 3, "empat": 4, "lima": 5, "enam": 6, "tujuh": 7,
    "lapan": 8, "sembilan": 9, "sepuluh": 10, "sopuluh": 10, "sebelas": 11,
    # spoken and dialect spellings
    "sorang": 1, "duo": 2, "tigo": 3, "limo": 5, "nam": 6, "tujoh": 7, "lapang": 8, "semilan": 9, "smbilan": 9,
    "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9,
    "ten": 10, "eleven": 11, "twelve": 12, "thirteen": 13, "fourteen": 14, "fifteen": 15, "sixteen": 16,
    "seventeen": 17, "eighteen": 18, "nineteen": 19, "twenty": 20, "thirty": 30, "forty": 40,
    "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80, "ninety": 90,
}  # fmt: skip
TENS = {"belas": "teen", "puluh": 10, "puloh": 10, "plh": 10}
HUNDREDS = {"ratus": 100, "rts": 100, "ratuh": 100, "hundred": 100}
BIG = {
    "ribu": 1e3, "rb": 1e3, "ribuan": 1e3, "k": 1e3, "thousand": 1e3,
    "juta": 1e6, "jt": 1e6, "mil": 1e6, "million": 1e6, "m": 1e6,
}  # fmt: skip
WHOLE = {"seratus": 100, "seribu": 1e3, "sejuta": 1e6}
FRACTIONS = {"setengah": 0.5, "suku": 0.25, "half": 0.5}

YEAR_UNITS = r"(?:tahun|tahunan|thn|thun|tahn|taun|tahung|years?|yrs?|yr|th)"
MONTH_UNITS = r"(?:bulan|bln|bulang|months?|mths?|mth)"
# What a counted number is *not*: 3 anak, 2 tingkat, 1,200 kaki persegi … are no amounts of money.
COUNTED = re.compile(
    r"\s*-?\s*(?:" + YEAR_UNITS + "|" + MONTH_UNITS + r"|hari|minggu|days?|weeks?|orang|org|anak|buah|biji|tingkat|"
    r"storey|storeys|bilik|room|rooms|kali|kaki|sqft|sq\.?\s?ft|ekar|meter|km|kilometer|batu|pagi|petang|malam|am|pm|"
    r"peratus|percent|jam|minit|kilo|kg|cc|lot|unit|ekor|pekerja|staf|murid|pelajar)\b|\s*%",
    re.I,
)
MONTHLY = (
    r"(?:(?:satu|se|s)\s?(?:bulan|bln|bulang)|sbulan|sebln|sbln|setiap\s+bulan|tiap[\s-]+(?:tiap\s+)?bulan|per\s+(?:month|bulan)|"
    r"(?:a|one|1)\s+month|/\s?(?:month|mth|bulan|bln|mo)|monthly|bulanan|p\.m\.|every\s+month)"
)
YEARLY = (
    r"(?:(?:se|s)\s?(?:tahun|thn|taun)|sthn|setiap\s+tahun|per\s+(?:year|annum|tahun)|a\s+year|"
    r"for\s+the\s+year|/\s?(?:year|yr|tahun|thn)|yearly|annually|tahunan|p\.a\.|pa\b)"
)
YEARLY_BEFORE = re.compile(r"\b(?:tahunan|setahun|sethn|annual|yearly|per\s+annum|pendapatan\s+tahunan)\b", re.I)
CURRENCY = r"(?:RM|MYR)"
_TOKEN = re.compile(
    rf"(?P<currency>{CURRENCY})(?![A-Za-z])|(?P<number>\d{{1,3}}(?:,\d{{3}})+(?:\.\d{{1,2}})?(?!\d)"
    rf"|\d{{1,3}}(?:\s\d{{3}})+(?:\.\d{{2}})?(?!\d|,\d)|\d+(?:\.\d+)?)|(?P<word>[A-Za-z]+)",
    re.I,
)
# Identity cards (with a real month and day) and telephone numbers, whole: “900114-10-5566”, “+60 12-345 6789”.
_IDENTIFIER = re.compile(
    r"(?<![\d,.])(?:\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])(?P<gap>[- ]?)\d{2}(?P=gap)\d{4}"
    r"|(?:\+?60[- ]?|0)\d{1,2}[- ]?\d{3,4}[- ]?\d{3,4})(?!\d|,\d)"
)
_RANGE = re.compile(r"[ \t]*(?:-|–|—|~|hingga|sehingga|sampai|smpai|smpi|ke|to|atau|until)[ \t]*$", re.I)


@dataclass(frozen=True)
class Amount:
    """A sum of money found in a text. Ringgit; `value` is the lower end of a range, `high` the upper."""

    start: int
    end: int
    text: str
    value: float
    high: float
    period: str | None  # "month", "year" or None where the words do not say

    def monthly(self, upper=False):
        """Ringgit a month: a yearly figure is divided by twelve."""
        value = self.high if upper else self.value
        return round(value / 12, 2) if self.period == "year" else value


@dataclass(frozen=True)
class Duration:
    """A length of time found in a text, in years; `high` is the upper end of a range."""

    start: int
    end: int
    text: str
    years: float
    high: float


@dataclass(frozen=True)
class _Number:
    start: int
    end: int
    value: float
    scaled: bool  # has ribu, juta, k …: surely not a house number
    digits: bool
    currency: bool


def _tokens(text):
    tokens = []
    for match in _TOKEN.finditer(text):
        kind, body = match.lastgroup, match.group().lower()
        before = text[match.start() - 1] if match.start() else " "
        if kind == "currency":
            if before.isalpha():
                continue
            tokens.append((kind, 0.0, match.start(), match.end()))
        elif kind == "number":
            if before.isalpha() and not re.search(rf"{CURRENCY}\s?$", text[: match.start()], re.I):
                continue  # N41, A4, Blok B12
            tokens.append((kind, float(re.sub(r"[,\s]", "", body)), match.start(), match.end()))
        elif body in UNITS:
            tokens.append(("unit", UNITS[body], match.start(), match.end()))
        elif body in TENS:
            tokens.append(("tens", TENS[body], match.start(), match.end()))
        elif body in HUNDREDS:
            tokens.append(("hundreds", 100, match.start(), match.end()))
        elif body in BIG and (len(body) > 2 or tokens and tokens[-1][3] == match.start() or body == "rb"):
            tokens.append(("big", BIG[body], match.start(), match.end()))  # a bare “k” or “m” must touch its number
        elif body in WHOLE:
            tokens.append(("whole", WHOLE[body], match.start(), match.end()))
        elif body in FRACTIONS:
            tokens.append(("fraction", FRACTIONS[body], match.start(), match.end()))
        elif body == "and" and tokens and tokens[-1][0] in ("hundreds", "big"):
            tokens.append(("skip", 0, match.start(), match.end()))
    return tokens


def _scale_follows(text, tokens, position):
    """Whether the number at `position` goes on with puluh, ratus, ribu … (`tiga ribu lima ratus`)."""
    following = tokens[position + 1 : position + 2]
    if following and following[0][0] in ("tens", "hundreds", "big") and not text[tokens[position][3] : following[0][2]].strip():
        return True
    if tokens[position][0] == "unit" and re.compile(r"\s+ringgit\b", re.I).match(text, tokens[position][3]):
        return True  # “tiga ribu lima ringgit”
    # “dua ratus lima” is 205; a bare “tiga ribu lima” and anything counted is not read on
    return (tokens[position - 1][0] in ("tens", "hundreds") or tokens[position - 1][:2] == ("whole", 100)) and not COUNTED.match(
        text, tokens[position][3]
    )


def _numbers(text):
    """All number phrases of a text, longest first reading, left to right."""
    tokens, found, index = _tokens(text), [], 0
    while index < len(tokens):
        start, currency = tokens[index][2], tokens[index][0] == "currency"
        position = index + 1 if currency else index
        total = group = 0.0
        pending, scaled, digits, end, last_big = None, False, False, None, float("inf")
        previous_end = tokens[index][3] if currency else None
        while position < len(tokens):
            kind, value, token_start, token_end = tokens[position]
            gap = text[previous_end:token_start] if previous_end is not None else ""
            # “half a million”: the article may stand between a fraction and its scale
            loose = {"currency": " .", "fraction": " a"}.get(tokens[position - 1][0], " ")
            if gap.strip(loose) or "\n" in gap:
                break
            if scaled and kind in ("number", "unit") and not _scale_follows(text, tokens, position):
                break  # “225k 15 tahun”, “7k satu bulan”: a new number begins
            if kind == "currency":
                break
            if kind == "number":
                if pending is not None or group:
                    break
                if end is not None and not scaled:
                    break
                pending, digits = value, True
            elif kind in ("unit", "whole") and value < 100:
                if pending is not None and not (pending >= 20 and pending % 10 == 0 and value < 10 and not digits):
                    break
                pending = (pending or 0) + value
            elif kind == "whole":
                if value == 100:
                    group += 100
                else:
                    if value >= last_big:
                        break
                    total, scaled, last_big = total + value, True, value
            elif kind == "fraction":
                following = tokens[position + 1] if position + 1 < len(tokens) else None
                scales = following and following[0] == "big" and not text[token_end : following[2]].strip(" a")
                counted = COUNTED.match(text, token_end)
                if last_big == 1e6 and pending is None and not group and not scales and not counted:
                    total, last_big = total + value * 1e6, 1e3  # “sejuta setengah” is 1.5 million
                elif not scales and not (pending is not None and counted):
                    break  # “setengah juta” and “tiga setengah tahun”, but not a bare “setengah”
                else:
                    pending = (pending or 0) + value if not (pending == 3 and value == 0.25) else 0.75
            elif kind == "tens":
                if pending is None:
                    break
                group, pending = group + (10 + pending if value == "teen" else pending * 10), None
            elif kind == "hundreds":
                if pending is None:
                    break
                group, pending, scaled = group + pending * 100, None, True
            elif kind == "big":
                if (pending is None and not group) or value >= last_big:
                    break
                total, group, pending = total + (group + (pending or 0)) * value, 0.0, None
                scaled, last_big = True, value
            if kind != "skip":
                end = token_end
            previous_end = token_end
            position += 1
        if end is None:
            index += 1
            continue
        value = total + group + (pending or 0)
        found.append(_Number(start, end, value, scaled, digits, currency))
        index = position
    return found


def _is_money(text, number):
    """Whether a number phrase may be a sum of money, and where its words end."""
    suffix = re.compile(r"\s?(?:ringgit(?:\s+Malaysia)?|rgt|inggit|hinggit|RM)\b", re.I).match(text, number.end)
    end = suffix.end() if suffix else number.end
    if number.currency or suffix:
        return end
    if COUNTED.match(text, number.end) or re.match(r"/\d|-\d+-", text[number.end :]):
        return None
    before = text[: number.start]
    if number.digits and re.search(r"\d/$|\d-\d\d-$|\b0\d{1,2}-\s?(?:\d+ )?$", before):
        return None  # dates, identity cards, telephone numbers
    if number.digits and any(m.start() <= number.start < m.end() for m in _IDENTIFIER.finditer(text)):
        return None
    if re.search(r"\b(?:no|lot|poskod|postcode|blok|unit|umur|tingkat|jalan|jln|lorong|km|batu)\.?\s*$", before, re.I):
        return None
    if number.scaled:
        return end
    if number.value < 50 or (number.digits and 1950 <= number.value <= 2050 and not _period(text, end)[0]):
        return None
    return end if number.digits else None


def _period(text, end):
    for name, pattern in (("month", MONTHLY), ("year", YEARLY)):
        match = re.compile(r"[ ,(]{0,2}" + pattern + r"(?![A-Za-z])", re.I).match(text, end)
        if match:
            return name, match.end()
    return None, end


def find_amounts(text):
    """Find the sums of money in a text.

    Returns a list of `Amount`, left to right. Numbers that count something else (years, children,
    storeys, square feet), calendar years, identity-card and telephone numbers are left out; a bare
    number of at least 50 is kept, since people do write “ansuran kereta 780”.
    """
    found, numbers, skip = [], _numbers(text), set()
    for index, number in enumerate(numbers):
        if index in skip:
            continue
        following = numbers[index + 1] if index + 1 < len(numbers) else None
        low, high, end, start = number.value, number.value, _is_money(text, number), number.start
        if following is not None:
            gap_from = end if end is not None else number.end
            period_before, gap_start = _period(text, gap_from)
            between = text[gap_start : following.start]
            second_end = _is_money(text, following)
            joined = _RANGE.fullmatch(between) or (
                re.fullmatch(r"\s+(?:dan|and|dgn|n|&)\s+", between, re.I)
                and re.search(r"\b(?:antara|between|dalam)\s+$", text[: number.start], re.I)
            )
            if joined and second_end is not None and following.value > 0:
                first = number.value
                # “4-5k”, “RM4 ke 5 ribu”: the first number borrows the second's scale
                if first < 1000 <= following.value and not number.scaled and first * 1000 <= following.value:
                    first *= 1000 if following.value < 1e6 else 1e6
                if 0 < first <= following.value and following.value <= 3 * first and first >= 50:
                    low, high, end = first, following.value, second_end
                    skip.add(index + 1)
        if end is None:
            continue
        period, end = _period(text, end)
        if period is None:
            # the word that says “yearly” may stand before: “gaji tahunan saya RM54,000”
            clause = re.split(r"[.;,\n]", text[:start])[-1]
            before = list(YEARLY_BEFORE.finditer(clause))
            if before and len(clause[before[-1].end() :].split()) <= 4:
                period, start = "year", start - len(clause) + before[-1].start()
        text_end = end
        while text_end > start and text[text_end - 1] in " ,.":
            text_end -= 1
        found.append(Amount(start, text_end, text[start:text_end], low, high, period))
    return found


def find_durations(text):
    """Find lengths of time (“30 tahun”, “tiga puluh lima tahun”, “2 tahun setengah”, “360 bulan”).

    Returns a list of `Duration` in years, left to right. “sebulan” and “setahun” after a sum of money
    are periods of that sum and are left out.
    """
    found, taken = [], 0
    unit = re.compile(rf"\s*-?\s*(?:(?P<year>{YEAR_UNITS})|(?P<month>{MONTH_UNITS}))\b", re.I)
    numbers = _numbers(text)
    for index, number in enumerate(numbers):
        match = unit.match(text, number.end)
        if number.currency or not match or number.start < taken or number.value > 600:
            continue
        scale = 1.0 if match.group("year") else 1 / 12
        years, end, start = number.value * scale, match.end(), number.start
        low = years
        if index and _RANGE.fullmatch(text[numbers[index - 1].end : number.start]) and numbers[index - 1].value < number.value:
            start, low = numbers[index - 1].start, numbers[index - 1].value * scale
        if scale == 1.0:
            half = re.compile(r"\s+(?:dan\s+|and\s+)?(?:se)?(?P<part>tengah|suku|half)\b", re.I).match(text, end)
            extra = re.compile(rf"\s+(?:dan\s+)?(?P<n>\d+)\s*{MONTH_UNITS}\b", re.I).match(text, end)
            if half:
                add = 0.25 if half.group("part").lower() == "suku" else 0.5
                years, low, end = years + add, low + add, half.end()
            elif extra:
                add = int(extra.group("n")) / 12
                years, low, end = years + add, low + add, extra.end()
        found.append(Duration(start, end, text[start:end], round(low, 2), round(years, 2)))
        taken = end
    singles = rf"\b(?:(?P<half>setengah\s+{YEAR_UNITS})|(?P<one>se(?:tahun|thn)|a\s+year)(?P<plus>\s+setengah)?|(?P<ten>sedekad))\b"
    amounts = find_amounts(text)
    for match in re.finditer(singles, text, re.I):
        if any(a.start <= match.start() < a.end for a in amounts) or any(d.start <= match.start() < d.end for d in found):
            continue
        years = 0.5 if match.group("half") else 10.0 if match.group("ten") else 1.5 if match.group("plus") else 1.0
        found.append(Duration(match.start(), match.end(), match.group(), years, years))
    for match in re.finditer(r"\btahun\s+ke[-\s]?(?P<n>\d{1,2}|\w+)\b", text, re.I):
        value = match.group("n")
        value = float(value) if value.isdecimal() else float(UNITS.get(value.lower(), 0))
        if value:
            found.append(Duration(match.start(), match.end(), match.group(), value, value))
    return sorted(found, key=lambda d: d.start)


_MONTH_NAMES = (
    r"(?:jan(?:uari|uary)?|feb(?:ruari|ruary)?|mac|march|apr(?:il)?|mei|may|jun[e]?|julai|july?|ogos|aug(?:ust)?|"
    r"sept?(?:ember)?|okt(?:ober)?|oct(?:ober)?|nov(?:ember)?|dis(?:ember)?|dec(?:ember)?)"
)


def find_years(text, today=2026):
    """Find calendar years that say since when (“sejak 2018”, “masuk kerja tahun 2020”).

    Returns a list of `Duration`: the whole years from the named year to `today`.
    """
    pattern = rf"(?:\b(?:sejak|semenjak|sjk|since|dari|dr|from|tahun|thn|taun|{_MONTH_NAMES})\.?\s+)*\b(?P<year>19[6-9]\d|20[0-4]\d)\b"
    found = []
    for match in re.finditer(pattern, text, re.I):
        after, before = text[match.end() :], text[: match.start("year")]
        if re.match(r"\s?[-/]\d|,\d{3}|\.\d", after) or re.search(rf"[-/\d]$|{CURRENCY}\s?$", before, re.I):
            continue
        year = int(match.group("year"))
        if year <= today:
            found.append(Duration(match.start(), match.end(), match.group(), float(today - year), float(today - year)))
    return found


_NONE_CUE = re.compile(
    r"\b(?:tiada|tidak|tak|takde|takda|tade|takdak|tak(?:\s+)?dok|xde|xda|xdak|xada|x|sik|sikda|nda|ndak|nadai|inda|tadok|tokdok|dok|"
    r"belum|bukan|tanpa|kosong|bebas|bersih|sifar|zero|no|none|nil|not|never|without|free|clear|cleared|habis|langsai|selesai|settled?|"
    r"0|nothing|mana|xdok|takdok|tak\s?ada|dak|takdo|indo|nyandak|sing|endang|nan)\b",
    re.I,
)


def says_none(text):
    """Whether a phrase denies something (“tiada hutang”, “xde loan”, “bebas hutang”)."""
    return bool(_NONE_CUE.search(text)) and not any(a.value > 0 for a in find_amounts(text))
