"""From an interview's passage to a card by quoting: the reading task of the know-how desk.

    task = passages("latih")[0]                    # Passage(id, machine, text, gold)
    answers = {"gejala": "pagi Isnin lepas cuti, …", "sebab": "…", "tindakan": "…", "pengecualian": ""}
    check(task.text, answers)                      # quotes that the passage does not contain are refused
    score([answers], [task])                       # exact and overlapping words, for each slot

A passage is one paragraph of an interview. Each slot's answer is a span of it, as it stands; where the passage has no
know-how (a digression), every slot is empty. Interviews whose witness took the consent back are left out.
Interviews are split whole (`latih`, `bangun`, `uji`), so that no witness is read in training and in the test.
"""

import re
from dataclasses import dataclass

from helpers.worlds.knowhow import cards

# slot → the question that asks for it
SLOTS = {
    "gejala": "Apakah tanda kerosakan yang diceritakan?",
    "sebab": "Apakah puncanya?",
    "tindakan": "Apakah yang perlu dibuat?",
    "pengecualian": "Bilakah nasihat itu tidak terpakai, dan apa yang dibuat?",
}


@dataclass(frozen=True)
class Passage:
    """One paragraph; `gold` maps each slot to its quote, or "" where the paragraph does not tell it; `cards`: ids that rest on it."""

    id: str
    machine: str
    text: str
    gold: dict
    cards: tuple = ()


def passages(split=None):
    """The passages of a split (`latih`, `bangun`, `uji`), or all, in the order of the interviews.

    A paragraph on which two cards rest is left out: it has no single answer.
    """
    found = []
    for interview in cards.load_interviews().values():
        if interview["consent"] != "setuju" or split not in (None, interview["split"]):
            continue
        mine = [card for card in cards.load_cards() if card["source"]["interview"] == interview["id"]]
        for number, text in enumerate(interview["text"].split("\n"), 1):
            here = [card for card in mine if card["source"]["words"] in text]
            if len(here) > 1:
                continue
            gold = dict(here[0]["source"]["quotes"]) if here else dict.fromkeys(SLOTS, "")
            machine = here[0]["machine"] if here else interview["machine"]
            found.append(Passage(f"{interview['id']}/{number}", machine, text, gold, tuple(card["id"] for card in here)))
    return found


def check(text, answers):
    """The answers with each quote verified: a slot whose words do not stand in the text becomes "". ValueError for an unknown slot."""
    unknown = set(answers) - set(SLOTS)
    if unknown:
        raise ValueError(f"no such slot: {', '.join(sorted(unknown))}; the slots are {', '.join(SLOTS)}")
    return {slot: answers.get(slot, "") if answers.get(slot, "") in text else "" for slot in SLOTS}


def overlap(answer, gold):
    """F1 of the words that a quote and the gold quote share, 0 to 1; two empty quotes agree."""
    mine, wanted = (re.findall(r"\w+", text.lower()) for text in (answer, gold))
    if not mine or not wanted:
        return float(mine == wanted)
    shared = sum(min(mine.count(word), wanted.count(word)) for word in set(mine))
    return 2 * shared / (len(mine) + len(wanted))


def score(answers, tasks):
    """Slot → (share that is exact but for case and punctuation at the ends, mean overlap F1), after `check`."""
    result = {}
    for slot in SLOTS:
        pairs = [(check(task.text, answer)[slot], task.gold[slot]) for answer, task in zip(answers, tasks, strict=True)]
        exact = [a.strip(" .,;:").lower() == g.strip(" .,;:").lower() for a, g in pairs]
        result[slot] = (sum(exact) / len(exact), sum(overlap(a, g) for a, g in pairs) / len(pairs))
    return result
