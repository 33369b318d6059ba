"""Rumi to Jawi, for a lesson: which spellings are certain, and which are a guess by rule.

`to_jawi("Saya belajar di sekolah.").text` is «ساي بلاجر د سکوله.». Each word says where its spelling comes from:
“senarai” (the word list), “terbitan” (a listed root with affixes put on by rule) or “petua” (the rules alone: a guess).

Limits, honestly: Rumi does not show what Jawi needs to know. The letter *e* is two vowels (*perang* the war, *perang* the
colour); Arabic loans keep spellings that sound alone does not give (*rakyat* is رعيت), and only the listed ones are right;
English loans write more vowels than the rules do; homographs share one spelling. Names are spelt as words. The rules cover
open and closed syllables, the final-a rule (alif after d, r, l, w, ng), hamzah between vowels, k/ق at the end of a word,
and affixes. `rule_accuracy()` counts how often the rules alone agree with the list: four words in five. Let a reader of Jawi
check what is printed.
"""

import functools
import json
import re
from dataclasses import dataclass
from pathlib import Path

from helpers.malay import affixes

LETTERS = {
    "ng": "ڠ", "ny": "ڽ", "sy": "ش", "kh": "خ", "gh": "غ", "b": "ب", "c": "چ", "d": "د", "f": "ف", "g": "ݢ", "h": "ه", "j": "ج", "k": "ک",
    "l": "ل", "m": "م", "n": "ن", "p": "ڤ", "q": "ق", "r": "ر", "s": "س", "t": "ت", "v": "ۏ", "w": "و", "x": "کس", "y": "ي", "z": "ز",
}  # fmt: skip
PUNCTUATION = str.maketrans({",": "،", "?": "؟", ";": "؛"})
DIGITS = str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩")
_SUFFIX = {
    "kan": "کن",
    "nya": "ڽ",
    "ku": "کو",
    "mu": "مو",
    "lah": "له",
    "kah": "که",
    "tah": "ته",
    "wan": "وان",
    "man": "مان",
    "wati": "واتي",
}
_SOUND = re.compile(r"ng|ny|sy|kh|gh|[a-z]")
_TOKEN = re.compile(r"(?P<amount>RM\s?(?=\d))|(?P<number>\d[\d.,]*\d|\d)|(?P<word>[A-Za-z]+(?:-[A-Za-z]+)*)|(?P<mark>.)", re.I | re.S)


@dataclass(frozen=True)
class Word:
    """One word with its Jawi spelling. `source`: "senarai" (list), "terbitan" (listed root, affixes by rule), "petua" (guess)."""

    rumi: str
    jawi: str
    source: str


@dataclass(frozen=True)
class Jawi:
    """A text in Jawi, and its words in order."""

    text: str
    words: tuple[Word, ...]

    @property
    def certain(self):
        """The share of words whose spelling comes from the list."""
        return sum(w.source == "senarai" for w in self.words) / len(self.words) if self.words else 1.0


@functools.cache
def tables():
    """The word list {rumi: jawi}, the part of it written before the rules, and the roots whose first e is the e of *meja*."""
    data = json.loads((Path(__file__).parent / "data" / "jawi.json").read_text(encoding="utf-8"))
    return {"words": data["teratur"] | data["kata"], "written": data["kata"], "taling": frozenset(data["taling"].split())}


def by_rule(root):
    """Spell a root by the rules alone. A guess; letters only."""
    sounds = _SOUND.findall(root.lower())
    vowel = [s in "aeiou" for s in sounds]
    positions = [i for i, v in enumerate(vowel) if v]
    last = len(sounds) - 1
    # the e of “meja”: listed, or in the last syllable, or before an e or o in the last syllable
    full_e = {i for i in positions[-1:] if sounds[i] == "e"}
    if len(positions) > 1 and sounds[positions[-1]] in "eo" and sounds[positions[-2]] == "e":
        full_e.add(positions[-2])
    if root.lower() in tables()["taling"]:
        full_e |= {i for i in positions[:2] if sounds[i] == "e"}
    spelt = []
    for i, sound in enumerate(sounds):
        before = sounds[i - 1] if i else ""
        after = sounds[i + 1] if i < last else ""
        if not vowel[i]:
            final_k = sound == "k" and i == last and before and vowel[i - 1]
            spelt.append("ق" if final_k else LETTERS[sound])
            continue
        open_syllable = not after or (i + 2 <= last and vowel[i + 2]) or (i + 1 <= last and vowel[i + 1])
        letter = {"i": "ي", "u": "و", "o": "و", "e": "ي" if i in full_e else ""}.get(sound)
        if i == 0:
            spelt.append("ا" + (letter or ""))
        elif vowel[i - 1]:
            closing_pair = i == last and before == "a" and sound in "iu"  # pandai, pulau
            hamzah = "" if closing_pair or (before, sound) in (("i", "a"), ("u", "a"), ("i", "u"), ("e", "a"), ("i", "o")) else "ء"
            spelt.append(hamzah + ("ا" if sound == "a" and not hamzah else letter or ""))
        elif sound != "a":
            spelt.append(letter)
        elif after and vowel[i + 1]:
            spelt.append("ا")  # air, laut, pandai
        elif i < last:
            spelt.append("ا" if open_syllable and i != positions[-1] else "")
        else:
            spelt.append("ا" if _final_alif(sounds, vowel, positions, full_e) else "")
    return "".join(spelt)


def _final_alif(sounds, vowel, positions, full_e):
    """Whether a final -a is written: after d, r, l, w, ng; after e or o; behind a closed syllable; else not (mata مات, buka بوک)."""
    if sounds[-2:-1] and sounds[-2] in ("d", "r", "l", "w", "ng"):
        return True
    if len(positions) > 2 and positions[-2] == positions[-3] + 1:
        return True  # biasa, kuasa
    if len(positions) != 2:
        return len(positions) == 1
    first = positions[0]
    return sounds[first] in "eo" or (len(sounds) - 1 - first == 3 and not vowel[first + 1])


def _known(word):
    spelling = tables()["words"].get(word)
    return (spelling, "senarai") if spelling else (by_rule(word), "petua")


def _with_prefix(name, stem, root, jawi):
    """Put one prefix in front of a spelt stem; `root` is the stem in Rumi."""
    shape = affixes.attach(root, name)
    taken = root if shape.endswith(root) else root[1:]
    front = shape[: len(shape) - len(taken)]
    if taken != root:
        jawi = jawi[1:]  # menulis: the t is gone, the n stands in front
    letters = "".join(LETTERS.get(s, "") for s in _SOUND.findall(front))
    if jawi.startswith("ا"):
        if front.endswith("ng"):
            closed = len(root) > 2 and root[0] in "ae" and root[2] not in "aeiou" and root[1:3] not in ("ng", "ny", "sy", "kh")
            jawi = jawi[1:] if jawi[1:2] in "ويى" or closed else jawi  # mengikut مڠيکوت, mengambil مڠمبيل, mengajar مڠاجر
        elif name in ("di", "ke", "se", "ku", "kau"):
            jawi = ("إ" if root[0] in "i" else "أ") + jawi[1:]  # diikat دإيکت, seorang سأورڠ
    return letters + jawi


def _with_suffix(stem, jawi, suffix):
    """Put one suffix on a spelt stem; `stem` is its Rumi."""
    jawi = jawi[:-1] + "ت" if jawi.endswith("ة") else jawi
    silent_a = stem.endswith("a") and not jawi.endswith(("ا", "ى"))
    if suffix in ("an", "i") and stem.endswith("a"):
        return jawi + ("ا" if silent_a else "") + ("ءن" if suffix == "an" else "ءي")
    if suffix == "an":
        return jawi + ("ان" if stem[-1] in "uo" else "ن")
    if suffix == "i":
        return jawi + "ي"
    return jawi + ("ا" if silent_a and suffix in ("kan", *affixes.PARTICLES) else "") + _SUFFIX[suffix]


def _spell(word):
    """(jawi, source) of one word without a hyphen."""
    if word in tables()["words"]:
        return _known(word)
    reading = affixes.analyse(word)[0]
    if not reading.known or not reading.standard or reading.reduplication or not (reading.prefixes or reading.suffixes):
        return by_rule(word), "petua"
    jawi, source = _known(reading.root)
    stem = reading.root
    for name in reversed(reading.prefixes):
        if stem == "ajar" and name in ("ber", "per", "pe", "memper", "diper"):
            jawi = "".join(LETTERS.get(s, "") for s in _SOUND.findall(affixes.attach(stem, name)[: -len(stem)])) + jawi
        else:
            jawi = _with_prefix(name, stem, stem, jawi)
        stem = affixes.attach(stem, name)
    for suffix in reading.suffixes:
        jawi, stem = _with_suffix(stem, jawi, suffix), stem + suffix
    return jawi, "terbitan" if source == "senarai" else "petua"


def spell(word):
    """The Jawi spelling of one word (letters, hyphens allowed): a `Word`. Raises ValueError for anything else."""
    lowered = word.lower()
    if not re.fullmatch(r"[a-z]+(?:-[a-z]+)*", lowered):
        raise ValueError(f"not one word in Rumi letters: {word!r}; use to_jawi for a text")
    if lowered in tables()["words"]:
        return Word(word, *_known(lowered))
    first, _, second = lowered.partition("-")
    tail = second[len(first) :]
    if second.startswith(first) and tail in ("", *_SUFFIX) and "-" not in second:  # buku-buku, rakan-rakannya: angka dua
        jawi, source = _spell(first)
        return Word(word, jawi + "٢" + (_SUFFIX[tail] if tail else ""), "terbitan" if source == "senarai" else source)
    parts = [_spell(part) for part in lowered.split("-")]
    worst = max((source for _, source in parts), key=("senarai", "terbitan", "petua").index)
    return Word(word, "-".join(jawi for jawi, _ in parts), worst)


def to_jawi(text, digits=True):
    """Write a Rumi text in Jawi: a `Jawi` with the text and its words.

    Commas, question marks and semicolons become ، ؟ ؛ ; with `digits`, 0–9 become ٠–٩ (separators inside numbers stay as they
    are). Whatever is not a Rumi letter is kept.
    """
    pieces, words = [], []
    for match in _TOKEN.finditer(text):
        if match["word"]:
            words.append(spell(match["word"]))
            pieces.append(words[-1].jawi)
        elif match["amount"]:
            pieces.append("رم" + match["amount"][2:])
        elif match["number"]:
            pieces.append(match["number"].translate(DIGITS) if digits else match["number"])
        else:
            pieces.append(match["mark"].translate(PUNCTUATION))
    return Jawi("".join(pieces), tuple(words))


def rule_accuracy():
    """How far the rules alone agree with the list: (right, all) over native words, that is without Arabic letters or spellings."""
    arabic = re.compile("[ثحخذزشصضطظعغةىأؤئ]")
    native = {rumi: jawi for rumi, jawi in tables()["written"].items() if not arabic.search(jawi) and "-" not in rumi}
    return sum(by_rule(rumi) == jawi for rumi, jawi in native.items()), len(native)
