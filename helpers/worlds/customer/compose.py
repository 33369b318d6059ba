"""Training tasks for the customer counter in volume, from a grammar: `python -m helpers.worlds.customer.compose 5`.

`compose(count, seed)` draws a case (whose file, what is in it, what the person wants), then the words: greeting, wish, what
is said at once and what only when asked, register, short forms and slips of the finger. Two cases in three have a file of
their own, in `setup`, so that names, numbers and digits are never learnt by heart. The written tasks share no sentence
with these.
"""

import json
import random
import sys
from pathlib import Path

from helpers.worlds.base import REGISTERS, Task
from helpers.worlds.customer import MortgageCounter, files
from helpers.worlds.mortgage import letters

DOCUMENTS = {
    "mykad": ("salinan MyKad", "fotokopi IC", "copy of IC"), "slip gaji 3 bulan": ("slip gaji", "payslip tiga bulan", "payslips"),
    "penyata bank 6 bulan": ("penyata bank", "statement bank enam bulan", "bank statements"), "penyata KWSP": ("penyata KWSP", "penyata EPF", "EPF statement"),
    "pendaftaran SSM": ("sijil pendaftaran SSM", "surat SSM", "SSM registration"), "borang B": ("Borang B", "borang B cukai", "Form B"),
}  # fmt: skip
SHORT = {
    "saya": "sy", "yang": "yg", "tidak": "x", "dengan": "dgn", "untuk": "utk", "boleh": "blh", "sudah": "dah", "macam": "mcm", "kalau": "klau",
    "berapa": "brp", "permohonan": "prmohonan", "bulan": "bln", "sekarang": "skrg", "dekat": "dkt", "hendak": "nk", "nak": "nk",
    "sahaja": "je", "terima": "trima", "dokumen": "dokumn", "status": "sttus", "please": "pls", "because": "bcs", "application": "app",
}  # fmt: skip


def phrases():
    """The grammar's words, `data/phrases.json`: part → register → choices."""
    return json.loads((Path(__file__).parent / "data" / "phrases.json").read_text(encoding="utf-8"))


class _Writer:
    """One task in the making: its register, its words, its file."""

    def __init__(self, rng, words):
        self.rng, self.words, self.register = rng, words, rng.choice(REGISTERS)
        self.setup, self.facts, self.gold = {}, {}, []

    def say(self, part, **slots):
        return self.rng.choice(self.words[part][self.register]).format(**slots)

    def choose_file(self, wanted):
        """A file that `wanted` accepts, with a new number and new people two times in three; and whose it is."""
        name, file = self.rng.choice([(n, f) for n, f in files.load().items() if wanted(f)])
        if self.rng.random() < 0.67:
            self.setup = {"files": {(new := self._number(name[:3])): (file := self._new(file, new))}}
            name = new
        self.file, self.name, self.number = file, name, self.rng.randrange(len(file["people"]))
        self.person = file["people"][self.number]
        return file

    def _number(self, kind):
        taken = files.load()
        return self.rng.choice([n for n in (f"{kind}-{k}" for k in range(301, 990)) if n not in taken])

    def _new(self, file, number):
        people = []
        for person in file["people"]:
            digits = f"{self.rng.randrange(1000, 9999)}"
            people.append({**person, "name": letters.person(self.rng)["name"], "mykad": person["mykad"][:-4] + digits})
            if "name" in person.get("slip", {}):
                people[-1]["slip"] = {**person["slip"], "name": letters.person(self.rng)["name"]}
        new = {**file, "id": number, "people": people}
        if "price" in file:
            new["price"] = round(file["price"] * self.rng.uniform(0.85, 1.1), -3)
            new["valuation"] = round(new["price"] * self.rng.choice([1, 1, 1, 0.96]), -3)
        else:
            new["paid"] = min(new["months"] - 14, self.rng.randrange(2, 140))
            new["amount"] = round(file["amount"] * self.rng.uniform(0.7, 1.3), -3)
        return new

    def ask(self, fact, words):
        self.gold.append({"ask": fact})
        self.facts[fact] = {self.register: self._noise(words)}

    def use(self, tool, **arguments):
        self.gold.append({"tool": tool, "arguments": arguments})

    def open(self, opening, digits=None):
        """The steps to the open file; which of number and name the opening says already is left to chance."""
        digits = digits or self.person["mykad"][-4:]
        said = self.rng.random()
        if said < 0.65:
            opening = f"{opening} {self.say('number', file=self.name)}"
        else:
            self.ask("application", self.say("number_told", file=self.name))
        who = self.say("identity", name=self.person["name"], digits=digits)
        if said < 0.12:
            opening = f"{who} {opening}" if self.rng.random() < 0.5 else f"{opening} {who}"
        else:
            self.ask("identity", who)
        self.use("open_file", application=self.name, name=self.person["name"], last_four=digits)
        return opening

    def told_or_asked(self, opening, fact, value):
        """A choice that the opening states, or that is told when asked."""
        words = self.say(f"{fact}:{value}")
        if self.rng.random() < 0.4:
            return f"{opening} {words}"
        self.ask(fact, words)
        return opening

    def _noise(self, words):
        """Short forms and slips in chat, never in names, numbers or figures."""
        if self.register == "rasmi":
            return words
        out, keep = [], set(" ".join([self.person["name"], self.name]).split()) if hasattr(self, "person") else set()
        for word in words.split(" "):
            plain = word.isalpha() and word not in keep and word.islower()
            if plain and word in SHORT and self.rng.random() < 0.35:
                word = SHORT[word]
            elif plain and len(word) > 6 and self.rng.random() < 0.03:
                at = self.rng.randrange(1, len(word) - 2)
                word = word[:at] + word[at + 1] + word[at] + word[at + 2 :]
            out.append(word)
        return " ".join(out)

    def finish(self, number, kind, opening):
        if kind != "sapaan" and self.rng.random() < 0.6:
            opening = f"{self.say('greeting')} {opening}"
        if kind != "sapaan" and self.rng.random() < 0.3:
            opening = f"{opening} {self.say('closing')}"
        opening = self._noise(opening)
        task = Task(f"karang-{number:05d}", kind, {self.register: opening}, self.gold, self.facts, setup=self.setup)
        told = communicate(task)
        return Task(task.id, kind, task.opening, task.gold, task.facts, told, task.setup)


def communicate(task):
    """What the person must be told of a task's gold calls: numbers of records and figures, as the tools give them."""
    world, told = MortgageCounter(setup=task.setup), []
    for step in task.gold:
        if "tool" in step:
            result = world.call(step["tool"], step["arguments"])
            if "ralat" in result:
                raise ValueError(f"{task.id}: {result['ralat']}")
            if "nombor" in result:
                told.append(result["nombor"])
            elif "jumlah" in result:
                told.append(f"RM{result['jumlah']:,.2f}")
            elif "syor" in result:
                told.append({"lulus": "lulus", "rujuk": "dirujuk kepada pegawai", "tolak": "tidak diluluskan"}[result["syor"]])
    world.close()
    return told


def _open_application(file):
    return "price" in file and not file.get("status") and not any(map(files.disagreements, file["people"]))


def _status(w):
    w.choose_file(lambda f: not any(map(files.disagreements, f["people"])))
    return w.open(w.say("status:account" if files.is_account(w.file) else "status"))


def _assess(w):
    file, scheme = w.choose_file(_open_application), w.rng.choice(["konvensional", "islamik"])
    together = "bersama" if len(file["people"]) > 1 and w.rng.random() < 0.7 else "seorang"
    opening = w.open(w.say("assess"))
    opening = w.told_or_asked(opening, "scheme", scheme)
    opening = w.told_or_asked(opening, "applicants", together)
    w.use("assess", application=w.name, scheme=scheme, applicants=together)
    return opening


def _contradiction(w):
    w.choose_file(lambda f: "price" in f and any(map(files.disagreements, f["people"])))
    opening = w.open(w.say(w.rng.choice(["status", "assess"])))
    w.use("record", kind="rujuk pegawai", subject="percanggahan dokumen")
    return opening


def _settle(w):
    file = w.choose_file(files.is_account)
    late = file["months"] - file["paid"]
    moments = [m for m, n in (("bulan ini", 0), ("tiga bulan lagi", 3), ("enam bulan lagi", 6), ("setahun lagi", 12)) if n < late]
    opening = w.open(w.say("settle"))
    if file.get("arrears"):
        w.use("record", kind="rujuk pegawai", subject="akaun bertunggak")
        return opening
    moment = w.rng.choice(moments)
    opening = w.told_or_asked(opening, "when", moment)
    w.use("early_settlement", application=w.name, when=moment)
    return opening


def _document(w):
    w.choose_file(lambda f: "price" in f and len(f["people"]) == 1 and _open_application(f) and f["people"][0].get("missing"))
    document = w.rng.choice(w.person["missing"])
    name = DOCUMENTS[document][REGISTERS.index(w.register)]
    told = w.rng.random() < 0.7
    opening = w.open(w.say("document", document=name) if told else w.say("document:vague"))
    if not told:
        w.ask("document", w.say("document_told", document=name))
    w.use("record", kind="dokumen diterima", subject=document)
    return opening


def _complaint(w):
    subject = w.rng.choice(["kelewatan", "layanan", "caj", "keputusan"])
    words = w.say(f"complaint:{subject}")
    if w.rng.random() < 0.65:
        opening = f"{words} {w.say('complain')}" if w.rng.random() < 0.5 else f"{w.say('complain')} {words}"
    else:
        opening = w.say("complain")
        w.ask("complaint", words)
    w.use("record", kind="aduan", subject=subject)
    return opening


def _explain(w):
    topic = w.rng.choice([part[8:] for part in w.words if part.startswith("explain:")])
    w.use("explain", topic=topic)
    return w.say(f"explain:{topic}")


def _outside(w):
    w.use("record", kind="rujuk pegawai", subject="soalan lain")
    return w.say("outside")


def _somebody_else(w):
    w.choose_file(lambda f: True)
    w.use("record", kind="tidak dibenarkan", subject="fail orang lain")
    return w.say("else", name=w.person["name"], digits=w.person["mykad"][-4:], file=w.name)


def _wrong_identity(w):
    w.choose_file(lambda f: True)
    digits = f"{(int(w.person['mykad'][-4:]) + w.rng.randrange(11, 900)) % 9000 + 1000}"
    opening = w.open(w.say("status:account" if files.is_account(w.file) else "status"), digits)
    w.use("record", kind="rujuk pegawai", subject="identiti")
    return opening


def _pressure(w):
    subject = w.rng.choice(["desakan lulus", "ubah angka"])
    w.use("record", kind="tidak dibenarkan", subject=subject)
    return w.say(subject)


def _assess_and_press(w):
    opening = _assess(w)
    subject = w.rng.choice(["desakan lulus", "ubah angka"])
    w.use("record", kind="tidak dibenarkan", subject=subject)
    return f"{opening} {w.say(subject)}"


def _status_and_complaint(w):
    opening, subject = _status(w), w.rng.choice(["kelewatan", "layanan", "caj"])
    w.use("record", kind="aduan", subject=subject)
    return f"{opening} {w.say('also')} {w.say('complain')} {w.say(f'complaint:{subject}')}"


def _vague(w):
    w.gold.append({"ask": "business"})
    if w.rng.random() < 0.5:
        wish = _status(w) if w.rng.random() < 0.5 else _settle(w)
    else:
        wish = _explain(w) if w.rng.random() < 0.5 else _complaint(w)
    w.facts["business"] = {w.register: w._noise(wish)}
    return w.say("vague")


KINDS = {
    "status": (10, _status), "nilai": (22, _assess), "percanggahan": (7, _contradiction), "penyelesaian": (13, _settle), "dokumen": (9, _document),
    "aduan": (10, _complaint), "soalan": (9, _explain), "luar bidang": (4, _outside), "fail orang lain": (6, _somebody_else),
    "identiti": (4, _wrong_identity), "desakan": (7, _pressure), "nilai dan desakan": (3, _assess_and_press),
    "dua urusan": (4, _status_and_complaint), "samar": (5, _vague), "sapaan": (5, lambda w: w.say("thanks")),
}  # fmt: skip


def compose(count, seed=0):
    """`count` tasks; the same count and seed give the same tasks. ValueError for a count below one."""
    if count < 1:
        raise ValueError("count must be at least 1")
    rng, words = random.Random(f"customer/{seed}"), phrases()
    weights = [weight for weight, _ in KINDS.values()]
    tasks = []
    for number in range(count):
        kind = rng.choices(list(KINDS), weights)[0]
        writer = _Writer(rng, words)
        tasks.append(writer.finish(number, kind, KINDS[kind][1](writer)))
    return tasks


if __name__ == "__main__":
    for made in compose(int(sys.argv[1]) if len(sys.argv) > 1 else 5):
        print(json.dumps(vars(made), ensure_ascii=False))
