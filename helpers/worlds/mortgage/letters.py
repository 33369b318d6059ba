"""Application letters: the ones written by hand, and a generator of more.

    python -m helpers letters --n 5 --seed 3     # look at a few

Written letters are read with `written("train")`, `written("dev")` (for choosing settings) and
`written("test")` (40 letters that nothing is trained or tuned on). `generate` composes letters from banks of phrases
in four registers; `vary` rewrites the figures, names and places of a written letter. Every row has the form that
`docs/annotation.md` describes, so that people, generator and scorer agree on what is right.
"""

import json
import random
import re
from functools import lru_cache
from pathlib import Path

from helpers.worlds.mortgage.fields import FIELDS, evidence, figures, is_right, parse_answer, target_quotes, write_answer

DATA = Path(__file__).parent / "data"
REGISTERS = ("formal", "pasar", "campur", "daerah")
# Words that place a phrase in one region: a letter keeps to one of them.
DIALECTS = {
    "sabah": r"\b(?:sia|bah|nda|inda|buli|suda|teda|tulung|palis|ndak|bilang|mau)\b",
    "sarawak": r"\b(?:kamek|kitak|sik|sikda|tok|ya|nya|nak ya|rega|udah|mayar|kinek|polah|gik)\b",
    "utara": r"\b(?:cek|hang|depa|takdak|habaq|bayaq|hat|betoi|la ni|buleh|awat|satni|tok sah|pi|ketegaq)\b",
    "timur": r"\b(?:ambo|kawe|ambe|dok|tokdok|tadok|rumoh|denge|nok|mitok|sokmo|gak|hok|kito|demo|supo|mari|ado|bulehlah|weh|hute|keto)\b",
}
TYPE_WORDS = {
    "teres": {"teres": 4, "teres dua tingkat": 3, "rumah teres": 4, "teres setingkat": 2, "double storey terrace": 1, "terrace house": 1},
    "semi-d": {"semi-D": 3, "rumah berkembar": 2, "rumah kembar": 1, "semi-D dua tingkat": 1},
    "banglo": {"banglo": 3, "banglo setingkat": 1, "bungalow": 1},
    "apartmen": {"apartmen": 4, "pangsapuri": 3, "apartment": 2},
    "kondominium": {"kondominium": 2, "kondo": 2, "condo": 2},
    "flat": {"flat": 3, "rumah flat": 2, "rumah pangsa": 1},
    "townhouse": {"townhouse": 2, "town house": 1},
    "kluster": {"rumah kluster": 1, "cluster home": 1},
    "studio": {"unit studio": 1, "studio": 1},
    "kedai": {"rumah kedai": 2, "shoplot": 1},
    "tanah": {"tanah": 1, "lot tanah": 1},
}
_UNIT_WORDS = ["", "satu", "dua", "tiga", "empat", "lima", "enam", "tujuh", "lapan", "sembilan", "sepuluh", "sebelas"]


@lru_cache
def _data(name):
    return json.loads((DATA / f"{name}.json").read_text(encoding="utf-8"))


def written(split):
    """The written letters of a split: `train` (150), `dev` (30) or `test` (40), as a list of rows."""
    rows = []
    for path in sorted(DATA.glob(f"written_{split}*.jsonl")):
        rows += [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    if not rows:
        raise ValueError(f"no written letters called {split!r}; there are train, dev and test")
    return rows


def in_words(number):
    """A whole number below ten million in Malay words: 4500 → “empat ribu lima ratus”."""
    number = int(number)
    if number >= 1_000_000:
        head = "satu juta" if number // 1_000_000 == 1 else f"{in_words(number // 1_000_000)} juta"
        return f"{head} {in_words(number % 1_000_000)}".strip()
    if number >= 1000:
        head = "seribu" if number // 1000 == 1 else f"{in_words(number // 1000)} ribu"
        return f"{head} {in_words(number % 1000)}".strip()
    if number >= 100:
        head = "seratus" if number // 100 == 1 else f"{_UNIT_WORDS[number // 100]} ratus"
        return f"{head} {in_words(number % 100)}".strip()
    if number >= 20:
        return f"{_UNIT_WORDS[number // 10]} puluh {_UNIT_WORDS[number % 10]}".strip()
    if number >= 12:
        return f"{_UNIT_WORDS[number - 10]} belas"
    return _UNIT_WORDS[number]


def write_amount(value, rng, register="formal", period=None, bare=False):
    """Ringgit as somebody of this register might write them; `bare` allows a figure without any unit."""
    thousands = value / 1000
    forms = [(4, f"RM{value:,.0f}"), (1, f"RM {value:,.0f}"), (1, f"RM{value:,.2f}"), (1, f"{value:,.0f} ringgit")]
    if value != int(value):
        forms = [(3, f"RM{value:,.2f}"), (1, f"RM {value:.2f}")]
    else:
        forms += [(1.2, f"{in_words(value)} ringgit")] if value % 50 == 0 else []
        if register != "formal":
            forms += [(3, f"RM{value:.0f}"), (1, f"rm{value:.0f}"), (1, f"{value:.0f} ringgit")]
            forms += [(1, in_words(value))] if value >= 1000 and value % 50 == 0 else []
            forms += [(2, f"{value:.0f}")] if bare or value >= 1900 and not 1950 <= value <= 2050 else []
        if value >= 1000 and round(thousands, 2 if value < 1e5 else 1) == thousands:
            forms += [(2.5 if register != "formal" else 0.6, f"RM{thousands:g}k"), (1.5 if register != "formal" else 0, f"{thousands:g}k")]
            forms += [(1.5, f"{thousands:g} ribu")] if thousands == int(thousands) else []
            forms += [(0.7, f"RM {int(value) // 1000} {int(value) % 1000:03d}")]
        if value >= 1e6 and round(value / 1e6, 2) == value / 1e6:
            forms += [(3, f"RM{value / 1e6:g} juta"), (1, f"{value / 1e6:g} juta")]
    text = rng.choices([f for _, f in forms], [w for w, _ in forms])[0]
    if period == "month" and rng.random() < 0.35:
        text += rng.choice([" sebulan"] * 3 + ([" setiap bulan"] if register == "formal" else ["/bln", " sebulan", " monthly"]))
    if period == "year":
        text += rng.choice([" setahun"] * 4 + ([] if register == "formal" else ["/tahun", " per year"]))
    return text


def write_years(years, rng, register="formal"):
    """A length of time as somebody might write it: `years` whole, halves or a number of months below one."""
    unit = rng.choice(
        ["tahun"] * 6 + ([] if register == "formal" else ["thn", "thn", "tahun"]) + (["years"] * 2 if register == "campur" else [])
    )
    if years < 1:
        return f"{round(years * 12)} {rng.choice(['bulan', 'bulan', 'bln'])}"
    if years != int(years):
        return f"{int(years)} {'tahun' if unit == 'years' else unit} setengah"
    if rng.random() < 0.12:
        return f"{in_words(years)} tahun"
    if years >= 10 and years % 5 == 0 and rng.random() < 0.08:
        return f"{int(years * 12)} bulan"
    return f"{int(years)} {unit}"


def person(rng):
    """An invented applicant: name, sex, community, job, sector and gross monthly pay."""
    people, names = _data("people"), _data("people")["names"]
    community = rng.choices(["melayu", "cina", "india", "iban", "sabah", "sikh"], [52, 20, 10, 7, 8, 3])[0]
    sex = rng.choice("lp")
    if community == "cina":
        name = rng.choice(names["cina"])
    elif community == "sikh":
        name = rng.choice(names[f"sikh_{sex}"])
    else:
        first = rng.choice(names[f"{community}_{sex}"])
        father = rng.choice(names["bapa" if community == "melayu" else f"{community}_bapa"])
        joint = {"melayu": ("bin", "binti"), "sabah": ("bin", "binti"), "iban": ("anak", "anak"), "india": ("a/l", "a/p")}[community]
        name = f"{first} {joint[sex == 'p']} {father}"
        if community == "melayu" and rng.random() < 0.2:
            name = f"{first} {father}"
    job = rng.choice(people["jobs"])
    pay = rng.uniform(job["low"], job["high"])
    pay = round(pay / 50) * 50 if rng.random() < 0.75 else round(pay / 10) * 10
    return {"name": name, "sex": sex, "community": community, "job": job["job"], "sector": job["sector"], "pay": float(pay)}


def _mark(field, text):
    return f"\x01{field}\x02{text}\x03"


def _phrases(register, kind, dialect):
    bank = _data(f"phrases_{register}").get(kind, [])
    if dialect is None:
        return bank
    others = "|".join(p for name, p in DIALECTS.items() if name != dialect)
    kept = [p for p in bank if re.search(DIALECTS[dialect], p, re.I) or not re.search(others, p, re.I)]
    return kept or _data("phrases_pasar")[kind]


def _facts(rng, register, say):
    """The marked phrases of one application, in no order yet, and the features it has."""
    who, features = person(rng), []
    price = rng.choice([rng.randrange(120, 480) * 1000, rng.randrange(24, 190) * 5000, rng.randrange(1200, 7600) * 100])
    parts, years = [], rng.choice([rng.randrange(1, 26), rng.randrange(2, 15), rng.choice([0.5, 0.67, 0.25, 1.5, 2.5, 3.5])])
    pay, money = who["pay"], lambda low, high, step=10: float(rng.randrange(int(low), int(high), step))

    def amount(value, **options):
        return write_amount(value, rng, register, **options)

    def gone(chance=0.07):
        if rng.random() < chance:
            features.append("missing")
            return True
        return False

    if not gone():
        if rng.random() < 0.3:
            parts.append(("end", _mark("applicant_name", who["name"])))
        else:
            parts.append(("start", say("name", name=_mark("applicant_name", who["name"]))))
    job = _mark("employment", who["job"])
    written_years = write_years(years, rng, register)
    roll = rng.random()
    if roll < 0.5 and not gone():
        if years >= 1 and rng.random() < 0.35:
            features.append("since_year")
            parts += [("", say("job", job=job)), ("", say("since", year=_mark("years_employed", str(int(2026 - max(1, int(years)))))))]
        else:
            parts.append(("", say("job_years", job=job, years=_mark("years_employed", written_years))))
    else:
        if not gone(0.1):
            parts.append(("", say("job", job=job)))
        if not gone(0.1):
            parts.append(("", say("years", years=_mark("years_employed", written_years))))
    roll = rng.random()
    if gone(0.05):
        pass
    elif roll < 0.08:
        features.append("net_only")
        parts.append(("", say("income_net", net=amount(round(pay * 0.86, -1)))))
    elif roll < 0.2:
        features.append("yearly")
        parts.append(("", say("income_yearly", income=_mark("gross_monthly_income", amount(pay * 12, period="year")))))
    elif roll < 0.28:
        features.append("range")
        high = pay + rng.choice([200, 300, 500, 800])
        joint = rng.choice([" hingga ", " - ", "-", " ke "] if register != "formal" else [" hingga ", " – "])
        parts.append(("", say("income", income=_mark("gross_monthly_income", f"RM{pay:,.0f}{joint}RM{high:,.0f}"))))
    elif roll < 0.4:
        features.append("correction")
        wrong = amount(pay + rng.choice([-400, -200, 150, 300, 500, 1000]))
        parts.append(("", say("correction_income", wrong=wrong, income=_mark("gross_monthly_income", amount(pay)))))
    else:
        parts.append(("", say("income", income=_mark("gross_monthly_income", amount(pay, period="month")))))
    kind = rng.choices(list(TYPE_WORDS), [30, 8, 6, 14, 12, 6, 4, 2, 3, 3, 3])[0]
    way = rng.choices(list(TYPE_WORDS[kind]), list(TYPE_WORDS[kind].values()))[0]
    place = _mark("property_location", rng.choice(_data("people")["places"]))
    value = _mark("property_price", amount(float(price)))
    roll = rng.random()
    if roll < 0.45:
        parts.append(("", say("price_type_place", type=way, place=place, price=value)))
    else:
        if not gone():
            parts.append(("", say("type_place", type=way, place=place)))
        if gone(0.05):
            pass
        elif rng.random() < 0.35:
            features.append("correction")
            wrong = amount(float(price + rng.choice([-30000, -10000, 15000, 20000, 45000])))
            parts.append(("", say("correction_price", wrong=wrong, price=value)))
        else:
            parts.append(("", say("price", price=value)))
    if not gone():
        tenure = rng.choice([10, 12, 15, 18, 20, 22, 25, 27, 28, 30, 30, 32, 33, 34, 35, 35])
        written_tenure = _mark("tenure_years", write_years(tenure, rng, register))
        if rng.random() < 0.12:
            features.append("correction")
            wrong = write_years(rng.choice([x for x in (20, 25, 30, 35) if x != tenure]), rng, register)
            parts.append(("", say("correction_tenure", wrong=wrong, tenure=written_tenure)))
        else:
            parts.append(("", say("tenure", tenure=written_tenure)))
    debts = rng.sample(_data("people")["debts"][register], 4)
    owed = [money(80, min(1800, max(200, pay * 0.3))) + (rng.choice([0.5, 0.25, 0.9]) if rng.random() < 0.08 else 0) for _ in debts]
    roll = rng.random()
    if roll < 0.16:
        features.append("no_commitments")
        phrase = say("commitment_none")
        parts.append(("", re.sub(r"\[(.+?)\]", lambda m: _mark("monthly_commitments", m.group(1)), phrase)))
    elif roll < 0.4:
        parts.append(
            ("", say("commitment_one", debt=debts[0], amount=_mark("monthly_commitments", amount(owed[0], period="month", bare=True))))
        )
    elif roll < 0.78:
        features.append("several_commitments")
        count = rng.choice([2, 2, 3, 3, 4])
        items = [f"{d} {_mark('monthly_commitments', amount(o, bare=True))}" for d, o in zip(debts[:count], owed)]
        if rng.random() < 0.4 and count > 1:  # a settled or other sum between the ones that count
            items.insert(rng.randrange(1, count), say("household", amount=amount(money(100, 900))))
            parts.append(
                (
                    "",
                    ". ".join(
                        say("commitment_one", debt=d, amount=_mark("monthly_commitments", amount(o, bare=True))) if i != 1 else items[1]
                        for i, (d, o) in enumerate(zip(debts, owed[:3]))
                    ),
                )
            )
        else:
            joint = rng.choice([" dan ", ", ", " dan "] if register != "campur" else [" and ", " dan ", " plus "])
            parts.append(("", say("commitment_list", list=", ".join(items[:-1]) + joint + items[-1])))
    elif roll < 0.9:
        parts.append(("", say("commitment_total", amount=_mark("monthly_commitments", amount(sum(owed[:2]), period="month", bare=True)))))
    else:
        features.append("missing")
    distractors = {
        "spouse_income": dict(amount=amount(money(1700, 9000, 50), period="month")), "former_salary": dict(amount=amount(money(1500, max(1700, pay), 50))),
        "allowance": dict(amount=amount(money(100, 1200, 50))), "bonus": dict(amount=amount(money(500, 9000, 100))),
        "side_income": dict(amount=amount(money(200, 2000, 50))), "sales": dict(amount=amount(money(5000, 30000, 500))),
        "rent": dict(amount=amount(money(350, 2200, 50), period="month", bare=True)), "deposit": dict(amount=amount(money(5000, 70000, 1000))),
        "valuation": dict(amount=amount(float(price + rng.choice([-20000, -5000, 10000, 25000])))),
        "settled_debt": dict(debt=debts[3], amount=amount(money(120, 1200), bare=True)), "balance": dict(amount=amount(money(3000, 60000, 500))),
        "household": dict(amount=amount(money(100, 900), bare=True)), "age": dict(years=f"{rng.randrange(23, 58)} {rng.choice(['tahun', 'tahun', 'thn'])}"),
        "married": dict(years=write_years(rng.randrange(1, 25), rng, register)), "other_duration": dict(years=write_years(rng.randrange(1, 20), rng, register)),
        "former_job": dict(job=rng.choice(_data("people")["jobs"])["job"], years=write_years(rng.randrange(1, 12), rng, register)),
        "agent": dict(person=person(rng)["name"]), "present_home": dict(type=rng.choice(["flat", "apartmen", "rumah teres", "pangsapuri"])),
    }  # fmt: skip
    if who["sector"] != "sendiri":
        del distractors["sales"]
    for name in rng.sample(list(distractors), rng.choice([0, 1, 1, 2, 2, 3])):
        features.append(name)
        parts.append(("", say(name, **distractors[name])))
    for _ in range(rng.choice([0, 0, 1, 1, 2])):
        parts.append(("", say("chatter")))
    if rng.random() < 0.05:
        features.append("injection")
        parts.append(("", say("injection")))
    return parts, features


def _compose(rng, register):
    dialect = rng.choice(list(DIALECTS)) if register == "daerah" else None

    def say(kind, **slots):
        options = [p for p in _phrases(register, kind, dialect) if set(re.findall(r"{(\w+)}", p)) <= set(slots)]
        return rng.choice(options).format(**slots)

    parts, features = _facts(rng, register, say)
    middle = [text for where, text in parts if where == ""]
    rng.shuffle(middle)
    first = [text for where, text in parts if where == "start"]
    for text in first:
        middle.insert(0 if rng.random() < 0.7 else rng.randrange(len(middle) + 1), text)
    if rng.random() < 0.9:
        middle.insert(0, say("opening"))
    if rng.random() < 0.7:
        middle.append(say("closing"))
    sentences = [s.strip().rstrip(".,;") for s in middle]
    if register == "formal" or rng.random() < 0.4:
        sentences = [re.sub(r"^([\x01]\w+\x02)?(\w)", lambda m: (m.group(1) or "") + m.group(2).upper(), s) for s in sentences]
        letter = " ".join(s if s[-1] in "!?" else s + "." for s in sentences)
    else:
        joints = rng.choice([[". "], [", ", ". "], [" ", ". ", ", "], ["\n", ". "], [".. ", ". "]])
        letter = sentences[0] + "".join(
            (rng.choice(joints) if sentences[i][-1:] not in "!?" else " ") + s for i, s in enumerate(sentences[1:])
        )
        if rng.random() < 0.35:
            letter = re.sub(r"\x01\w+\x02", lambda m: m.group().upper(), letter).lower()
            letter = re.sub(r"\x01\w+\x02", lambda m: m.group().lower(), letter)
    for where, text in parts:
        if where == "end":
            letter += rng.choice(["\n", " ", "\nYang benar,\n", "\n- "] if register == "formal" else ["\n", " - ", ". ", "\n- "]) + text
    return _unmark(letter), features


def _unmark(marked):
    """A marked text as (letter, {field: [quotes]})."""
    quotes = {}
    for field, text in re.findall(r"\x01(\w+)\x02(.*?)\x03", marked, re.S):
        quotes.setdefault(field, []).append(text)
    return re.sub(r"\x01\w+\x02(.*?)\x03", r"\1", marked, flags=re.S), quotes


def _answers(letter, marked):
    """Marked words as annotated answers, by the same reading that the desk uses; raises ValueError if one cannot be read."""
    from helpers.worlds.mortgage.fields import candidates, read

    answers = {field.name: None for field in FIELDS}
    for field in FIELDS:
        words = marked.get(field.name)
        if field.kind == "kind_of_home":
            ways = candidates(field, letter)
            if words is None and marked.get("property_location") and ways:
                # the generator writes the type beside the place, so the type nearest to the place is meant
                at = letter.find(marked["property_location"][0])
                words = [min(ways, key=lambda w: min(abs(m.start() - at) for m in re.finditer(re.escape(w), letter)))]
            elif words is None:
                continue
        if not words:
            continue
        if field.kind in ("amount", "debts", "duration", "since"):
            spans = [f.text for f in figures(letter) if field in f.fields]
            grown = [next((s for s in spans if w in s), None) for w in words]
            if not (field.kind == "debts" and len(words) == 1 and grown[0] is None):
                if None in grown:
                    raise ValueError(f"{field.name}: {words} is not read in {letter!r}")
                words = grown
        value = read(field, words)
        if value is None:
            raise ValueError(f"{field.name}: {words} says nothing")
        answers[field.name] = {"value": value, "quotes": words}
    return answers


def generate(count, seed=0, registers=REGISTERS):
    """Compose `count` letters. Same seed, same letters.

    Returns rows as `written` does. A letter whose marked facts the reader would read otherwise is thrown away and made anew.
    """
    rng, rows = random.Random(seed), []
    while len(rows) < count:
        register = rng.choices(registers, [{"formal": 30, "pasar": 30, "campur": 25, "daerah": 15}[r] for r in registers])[0]
        (letter, marked), features = _compose(rng, register)
        row = _checked(f"jana-{seed}-{len(rows) + 1:04d}", register, features, letter, marked)
        if row:
            rows.append(row)
    return rows


def vary(row, rng):
    """A written letter with other figures, name and place: the same voice, another case. None if it cannot be done."""
    letter, register = row["letter"], "pasar" if row["letter"].islower() else "formal"
    marks, someone = {}, person(rng)
    low = someone["name"].lower() if row["letter"].islower() else someone["name"]
    for field in FIELDS:
        answer = row["answers"].get(field.name)
        if answer is None:
            continue
        for quote in answer["quotes"]:
            at = letter.find(quote)
            new = quote
            if rng.random() < 0.8:
                if field.kind == "person":
                    new = low
                elif field.kind == "place":
                    new = rng.choice(_data("people")["places"])
                    new = new.lower() if row["letter"].islower() else new
                elif field.kind == "amount" or field.kind == "debts" and answer["value"] > 0:
                    new = _other_amount(quote, rng, register, field)
                elif field.kind == "duration" and "range" not in row["features"]:
                    new = write_years(rng.choice([10, 15, 18, 20, 22, 25, 28, 30, 33, 35]), rng, register)
                elif field.kind == "since" and re.fullmatch(r"\d+ (?:tahun|thn|years)", quote):
                    new = write_years(rng.randrange(1, 25), rng, register)
            marks[(at, at + len(quote))] = (field.name, new)
    text, last = "", 0
    for (start, end), (name, new) in sorted(marks.items()):
        if start < last:
            return None
        text += letter[last:start] + _mark(name, new)
        last = end
    letter, marked = _unmark(text + letter[last:])
    return _checked(f"{row['id']}-v", row["voice"], row["features"], letter, marked)


def _other_amount(quote, rng, register, field):
    from helpers.malay.quantities import find_amounts

    found = find_amounts(quote)
    if not found or found[0].value != found[0].high:
        return quote
    value = found[0].value * rng.uniform(0.6, 1.5)
    step = 1000 if value > 50_000 else 50 if value > 1500 else 10
    value = float(max(step, round(value / step) * step))
    period = found[0].period if found[0].period == "year" else None
    return write_amount(value, rng, register, period=period, bare=not re.search("RM|ringgit|k$", quote, re.I))


def _checked(name, voice, features, letter, marked):
    try:
        answers = _answers(letter, marked)
        row = {"id": name, "voice": voice, "features": sorted(set(features)), "letter": letter, "answers": answers}
        quotes, _ = parse_answer(write_answer(letter, target_quotes(letter, answers)))
    except ValueError:
        return None
    read_back = evidence(letter, quotes)
    return row if all(is_right(f, read_back[f.name], answers[f.name]) for f in FIELDS) else None
