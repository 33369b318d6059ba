"""Composed training tasks for the know-how desk, in volume.

    tasks = compose(1000, seed=7)                  # deterministic; base.Task rows
    python -m helpers.worlds.knowhow.compose 5     # prints some

The phrases in `data/phrases.json` were written for this: each card's sign and exception in three registers, faults that no card
explains, dangers, requests to hand over. The grammar varies greeting, order, machine, register, short forms and slips of the keys.
Where a card is not among a search's first three, other words are drawn.
"""

import json
import random
import re
import sys
from functools import cache

from helpers.worlds.base import REGISTERS, Task
from helpers.worlds.knowhow import PARTS, cards

# kind → how many in a hundred
KINDS = {
    "diagnose": 26, "exception": 15, "machine": 8, "sign": 6, "code": 5, "rivals": 6, "changed": 7, "timed": 3, "unknown": 6, "near": 3, "absent": 6,
    "correction": 4, "correction asked": 2, "danger": 5, "handover": 6, "chat": 3, "two": 3, "instructed": 4,
}  # fmt: skip
_SHORT = {
    "yang": "yg", "tidak": "x", "tak": "x", "sudah": "dah", "dengan": "dgn", "sangat": "sgt", "dalam": "dlm", "tiba2": "tetiba", "kalau": "klu",
    "sahaja": "shj", "lepas": "lps", "macam": "mcm", "bawah": "bwh", "tengah": "tgh", "kepada": "kpd", "banyak": "byk", "boleh": "blh",
}  # fmt: skip
_FORMAL = {"tak": "tidak", "kalau": "jika", "dulu": "dahulu", "je": "sahaja", "lepas": "selepas", "masa": "semasa"}

_FORMS = ("{m} {s}", "{s}, {m}", "{s} kat {m}", "{m} ni, {s}", "{m}: {s}", "kat {m} {s}")


@cache
def phrases():
    """`data/phrases.json`."""
    return json.loads((cards.DATA / "phrases.json").read_text(encoding="utf-8"))


@cache
def _machine_of():
    return {card["id"]: card["machine"] for card in cards.load_cards()}


class _Writer:
    """One task's words, in one register, out of one random generator."""

    def __init__(self, rng):
        self.rng = rng
        self.register = rng.choices(REGISTERS, [28, 42, 30])[0]
        self.words = phrases()

    def pick(self, table):
        """A phrase of a table of registers, roughened."""
        return self.rough(self.rng.choice(table[self.register]))

    def rough(self, text):
        """Short forms and slips of the keys; in formal words the standard form instead."""
        if self.register == "rasmi":
            return re.sub(r"\b(?:tak|kalau|dulu|je|lepas|masa)\b", lambda m: _FORMAL[m[0]], text)
        words = text.split(" ")
        for i, word in enumerate(words):
            if word in _SHORT and self.rng.random() < 0.3:
                words[i] = _SHORT[word]
            elif word.isalpha() and word.islower() and len(word) > 5 and self.rng.random() < 0.03:
                at = self.rng.randrange(1, len(word) - 2)
                words[i] = self.rng.choice([word[:at] + word[at + 1] + word[at] + word[at + 2 :], word[:at] + word[at + 1 :]])
        return " ".join(words)

    def machine(self, name):
        return self.pick(self.words["machines"][name])

    def opening(self, machine, sign, *more):
        """A greeting, the machine, its sign and what else is said, in some order, and a question."""
        rng, rasmi = self.rng, self.register == "rasmi"
        where = self.machine(machine) if machine else ""
        if not where:
            body = sign
        elif rasmi:
            body = rng.choice([f"pada {where}, {sign}", f"{sign} di {where}", f"bagi {where}: {sign}", f"{where} kami bermasalah; {sign}"])
        else:
            body = rng.choice(_FORMS).format(m=where, s=sign)
        stop = ". " if rasmi else rng.choice([". ", ", ", " - ", " "])
        parts = [body, *more]
        rng.shuffle(parts)
        text = rng.choice(self.words["greet"][self.register]) + stop.join(part.rstrip(".") for part in parts)
        asks = rng.choice(self.words["ask"][self.register])
        text += ("." if rasmi and not text.endswith(".") else "") + asks
        return re.sub(r"(^|[.?!] )([a-z])", lambda m: m[1] + m[2].upper(), text) if rasmi else text


def compose(count, seed=0):
    """`count` tasks from a seed; the same arguments give the same tasks. No two have the same opening and answers."""
    rng, tasks, seen, tries = random.Random(f"knowhow/{seed}"), [], set(), 0
    while len(tasks) < count:
        tries += 1
        if tries > 60 * count + 1000:
            raise ValueError(f"only {len(tasks)} different tasks can be composed from seed {seed}; ask for fewer")
        kind = rng.choices(list(KINDS), list(KINDS.values()))[0]
        made = _MAKERS[kind](_Writer(rng))
        if made is None:
            continue
        register, opening, facts, gold, told, *setup = made
        key = json.dumps([opening, facts])
        if key in seen:
            continue
        seen.add(key)
        facts = {name: {register: words} for name, words in facts.items()}
        tasks.append(Task(f"kh-compose-{seed}-{len(tasks):05d}", kind, {register: opening}, gold, facts, told, *setup))
    return tasks


def _solved(writer, said, facts, words, machine, card, exception, asks=()):
    """The task whose answer is a card; None where a search for these words does not return it."""
    found = _quoted([said, *facts.values()], words)
    if found is None or card not in [name for name, _ in cards.start_index().best(found, machine)]:
        return None
    gold = [{"ask": fact} for fact in asks]
    gold.append({"tool": "search_cards", "arguments": {"words": found, "machine": machine}})
    gold.append({"tool": "diagnose", "arguments": {"card": card, "exception": exception}})
    return writer.register, said, facts, gold, [card]


def _quoted(texts, words):
    """The words as they stand in one of the texts (a sentence may have given them a capital), or None."""
    for text in texts:
        at = text.lower().find(words.lower().rstrip("."))
        if at >= 0 and len(words.split()) <= 10:
            return text[at : at + len(words.rstrip("."))]
    return None


def _not_known(writer, said, facts, words, machine, asks=()):
    found = _quoted([said, *facts.values()], words)
    if found is None:
        return None
    gold = [{"ask": fact} for fact in asks] + [{"tool": "search_cards", "arguments": {"words": found, "machine": machine}}]
    return writer.register, said, facts, [*gold, {"tool": "not_known", "arguments": {"machine": machine}}], []


def _drawn(w, names=None):
    """A card (never one of rivals: their signs need a question), its machine and its sign."""
    card = w.rng.choice(names or sorted(w.words["cards"]))
    return card, _machine_of()[card], w.pick(w.words["cards"][card]["symptom"])


def _exception(w, card):
    return w.pick(w.words["cards"][card]["exception"])


def _diagnose(w):
    card, machine, sign = _drawn(w)
    facts = {"machine": w.machine(machine), "sign": sign, "changed": w.rng.choice(w.words["no_change"][w.register])}
    return _solved(w, w.opening(machine, sign), facts, sign, machine, card, False)


def _with_exception(w):
    card, machine, sign = _drawn(w)
    return _solved(w, w.opening(machine, sign, _exception(w, card)), {"machine": w.machine(machine)}, sign, machine, card, True)


def _machine_asked(w):
    if w.rng.random() < 0.2:
        machine = w.rng.choice(sorted(w.words["unknown"]))
        sign = w.rough(w.rng.choice(w.words["unknown"][machine]))
        return _not_known(w, w.opening("", sign), {"machine": w.machine(machine)}, sign, machine, ["machine"])
    card, machine, sign = _drawn(w)
    more = [_exception(w, card)] if w.rng.random() < 0.3 else []
    facts = {"machine": w.machine(machine), "sign": sign}
    return _solved(w, w.opening("", sign, *more), facts, sign, machine, card, bool(more), ["machine"])


def _sign_asked(w):
    card, machine, sign = _drawn(w)
    both = w.rng.random() < 0.5
    said = w.opening("" if both else machine, w.pick(w.words["vague"]))
    return _solved(w, said, {"sign": sign, "machine": w.machine(machine)}, sign, machine, card, False, ["machine", "sign"][1 - both :])


def _code_asked(w):
    card = w.rng.choice(sorted(w.words["codes"]))
    machine, code = _machine_of()[card], w.pick(w.words["codes"][card])
    facts = {"alarm": code, "machine": w.machine(machine), "sign": code}
    return _solved(w, w.opening(machine, w.pick(w.words["cue_code"])), facts, code, machine, card, False, ["alarm"])


def _rivals(w):
    group = w.rng.choice(w.words["rivals"])
    card, sign = w.rng.choice(sorted(group["cards"])), w.pick(group["vague"])
    facts = {group["fact"]: w.pick(group["cards"][card]), "machine": w.machine(group["machine"])}
    return _solved(w, w.opening(group["machine"], sign), facts, sign, group["machine"], card, False, [group["fact"]])


def _changed(w):
    card, machine, sign = _drawn(w, w.words["changed"])
    holds = w.rng.random() < 0.7
    answer = _exception(w, card) if holds else w.pick(w.words["no_change"])
    facts = {"changed": answer, "machine": w.machine(machine)}
    return _solved(w, w.opening(machine, sign, w.pick(w.words["cue_changed"])), facts, sign, machine, card, holds, ["changed"])


def _timed(w):
    card, machine, sign = _drawn(w, w.words["timed"])
    facts = {"when": _exception(w, card), "machine": w.machine(machine)}
    return _solved(w, w.opening(machine, sign, w.pick(w.words["cue_time"])), facts, sign, machine, card, True, ["when"])


def _unknown(w):
    machine = w.rng.choice(sorted(w.words["unknown"]))
    sign = w.rough(w.rng.choice(w.words["unknown"][machine]))
    return _not_known(w, w.opening(machine, sign), {"machine": w.machine(machine), "sign": sign}, sign, machine)


def _near(w):
    """A card's sign on a machine that has no such card."""
    card = w.rng.choice(sorted(w.words["near"]))
    machine, sign = w.rng.choice(w.words["near"][card]), w.pick(w.words["cards"][card]["symptom"])
    return _not_known(w, w.opening(machine, sign), {"machine": w.machine(machine)}, sign, machine)


def _absent(w):
    """A fault whose card this factory does not have, so that the machine's other cards come back."""
    alike = {card for group in w.words["rivals"] for card in group["cards"]}
    card, machine, sign = _drawn(w, sorted(set(w.words["cards"]) - alike))
    made = _not_known(w, w.opening(machine, sign), {"machine": w.machine(machine), "sign": sign}, sign, machine)
    return made and (*made, {"absent": [card]})


def _correction(w, asked=False):
    card = w.rng.choice(sorted(w.words["cards"]))
    part = w.rng.choice(sorted(PARTS))
    witness = next(c["witness"] for c in cards.load_cards() if c["id"] == card)
    words = w.rough(w.rng.choice(w.words["correct"][part]).replace("{n}", str(w.rng.randrange(2, 60))))
    slots = {"k": card, "p": part, "t": w.rng.choice([witness, "ketua syif"]), "w": words}
    said = w.rng.choice(w.words["greet"][w.register]) + w.rng.choice(w.words["fix_ask" if asked else "fix"][w.register]).format(**slots)
    facts = {"correction": words} if asked else {}
    gold = [{"ask": "correction"}] * asked + [{"tool": "propose_correction", "arguments": {"card": card, "part": part, "words": words}}]
    return w.register, said, facts, gold, [card]


def _handed(w, reason, table):
    slots = {"t": f"TEK-{w.rng.randrange(1, 17):02d}", "k": f"KAD-{w.rng.choice(['065', '066', '067'])}"}
    body = w.rng.choice(table[w.register]).format(**slots)
    said = w.rng.choice(w.words["greet"][w.register]) + body
    return w.register, said, {}, [{"tool": "escalate", "arguments": {"reason": reason}}], []


def _danger(w):
    made = _handed(w, "bahaya", w.words["danger"])
    if w.rng.random() < 0.3:  # a fault is told beside the danger: the danger comes first, and nothing after it
        _, machine, sign = _drawn(w)
        return w.register, f"{w.opening(machine, sign)} {made[1]}", {"machine": w.machine(machine)}, made[3], []
    return made


def _handover(w):
    reason, name = w.rng.choice([("pintas keselamatan", "bypass"), ("data peribadi", "personal"), ("luar bidang", "outside")])
    return _handed(w, reason, w.words[name])


def _chat(w):
    said = w.rng.choice(w.words["greet"][w.register]) + w.pick(w.words["chat"])
    return w.register, said, {}, [], []


def _two(w):
    made = _diagnose(w)
    if made is None:
        return None
    register, said, facts, gold, told = made
    said += w.rng.choice(w.words["second"][register]).format(o=w.rng.choice(w.words["outside"][register]))
    return register, said, facts, [*gold, {"tool": "escalate", "arguments": {"reason": "luar bidang"}}], told


def _instructed(w):
    """An order stands in the message; the fault is what counts."""
    made = w.rng.choice([_diagnose, _with_exception, _unknown])(w)
    if made is None:
        return None
    register, said, *rest = made
    return register, w.rng.choice(w.words["inject"][register]).format(o=w.rng.choice(w.words["orders"])) + said, *rest


_MAKERS = {
    "diagnose": _diagnose, "exception": _with_exception, "machine": _machine_asked, "sign": _sign_asked, "code": _code_asked, "rivals": _rivals,
    "changed": _changed, "timed": _timed, "unknown": _unknown, "near": _near, "absent": _absent, "correction": _correction,
    "correction asked": lambda w: _correction(w, asked=True), "danger": _danger, "handover": _handover, "chat": _chat, "two": _two,
    "instructed": _instructed,
}  # fmt: skip


if __name__ == "__main__":
    for task in compose(int(sys.argv[1]) if len(sys.argv) > 1 else 5, int(sys.argv[2]) if len(sys.argv) > 2 else 0):
        print(json.dumps(vars(task), ensure_ascii=False))
