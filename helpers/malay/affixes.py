"""Malay affixes (imbuhan): put them on and take them off.

`attach("sapu", "meN")` is “menyapu”; `attach("balas", "ber", "an", double="penuh")` is “berbalas-balasan”.
`analyse("pentadbiran")[0]` says peN- + tadbir + -an. Layers are joined by “+”, the outermost prefix first
and the innermost suffix first: `attach("tahu", "meN+ke", "i+nya")` is “mengetahuinya”.

The rules are those that school grammars of Malaysian Malay teach. meN- and peN- take the shape that the
root's first letter asks for and swallow k, p, s and t, except in clusters (*memproses*), in one-syllable
roots (*mengecat*) and in the roots that `roots.json` lists under “kekal” (*mengkaji*, *mentadbir*). Where
both shapes are alike (*pelukis*), the prefix is named peN-; pe- is the prefix that never takes a nasal (*petani*).

The analyser works by synthesis: it takes affixes off in all ways that the grammar allows, puts them on
again, and ranks what comes out. `Analysis.standard` is False where the rules would write the word otherwise
(*mengkaitkan*), and `Analysis.known` is False where the root is not in the list: then the answer is a guess.
"""

import functools
import json
import re
from dataclasses import dataclass
from pathlib import Path

VOWELS = "aeiou"
# How a Malay word may begin; what remains of an unknown word must look like one.
ONSET = re.compile(r"(?:ng|ny|sy|kh|[bcdfghjklmnprstvwyz]|[bgkp][lr]|[dt]r|f[lr]|s[klmpt]r?)?[aeiou][a-z]")
_LETTERS = re.compile(r"[a-z]+(?:-[a-z]+)*")
DROPPED = {"k": "ng", "p": "m", "s": "ny", "t": "n"}
BORROWED = ("pra", "pasca", "anti", "sub", "dwi", "maha", "juru", "tata", "swa", "tidak")  # tidak: ketidakadilan
PREFIXES = ("meN", "peN", "pe", "ber", "ter", "per", "memper", "diper", "di", "ke", "se", "ku", "kau") + BORROWED
SUFFIXES = ("kan", "an", "i", "wan", "man", "wati")
CLITICS = ("nya", "ku", "mu")
PARTICLES = ("lah", "kah", "tah")
# Which prefix may stand around which, outermost first.
LAYERS = {
    "meN": ("ber", "ke", "se", "ter"), "peN": ("ber", "ke", "se"), "di": ("ber", "ke", "se", "ter"), "ku": ("per", "ke"),
    "ke": ("ber", "ter", "se", "peN", "pe", "juru", "tidak"), "ber": ("ke", "peN", "pe", "per", "se"), "se": ("per", "peN", "pe"), "kau": ("per", "ke"),
}  # fmt: skip
# Prefixes and suffixes that cannot go together, and pairs that are one affix (apitan, “ke-…-an”).
CLASH = {("meN", "an"), ("di", "an"), ("ter", "an"), ("memper", "an"), ("diper", "an"), ("ku", "an"), ("kau", "an"), ("ber", "i")}
CLASH |= {(prefix, suffix) for prefix in ("peN", "pe", "ke", "se") for suffix in ("kan", "i")}
ONE_AFFIX = {("ke", "an"), ("peN", "an"), ("pe", "an"), ("per", "an"), ("ber", "an"), ("meN", "kan"), ("meN", "i"), ("se", "nya")}
ONE_AFFIX |= {("di", "kan"), ("di", "i"), ("memper", "kan"), ("memper", "i"), ("diper", "kan"), ("diper", "i")}


@dataclass(frozen=True)
class Analysis:
    """One reading of a word. `prefixes` outermost first, `suffixes` innermost first, clitics and particles last."""

    prefixes: tuple[str, ...]
    root: str
    suffixes: tuple[str, ...]
    reduplication: str | None  # "penuh" (full), "separa" (partial), "berentak" (rhythmic) or None
    known: bool  # the root is in roots.json
    standard: bool  # the rules write the word just so
    cost: float  # lower is likelier; only the order means anything

    @property
    def pattern(self):
        """The affixes as grammars write them: “meN-…-kan”, “ke-…-an”."""
        if not self.prefixes and not self.suffixes:
            return "-"
        around = "…" if self.prefixes and self.suffixes else ""
        return "".join(f"{name}-" for name in self.prefixes) + around + "".join(f"-{name}" for name in self.suffixes)


@functools.cache
def lexicon():
    """The root list: {root: parts of speech}, the lists of exceptions and the rhythmic doubles."""
    data = json.loads((Path(__file__).parent / "data" / "roots.json").read_text(encoding="utf-8"))
    words = {}
    for part, lines in data["roots"].items():
        for word in " ".join(lines).split():
            words.setdefault(word, set()).add(part)
    return {
        "words": words,
        "keep": frozenset(data["kekal"].split()),  # roots whose first letter stays
        "f_drops": frozenset(data["gugur_f"].split()),
        "be": frozenset(data["be"].split()),  # roots before which ber- and per- lose their r
        "rhythm": dict(pair.split("-", 1) for pair in " ".join(data["berentak"]).split()),
        "first": {word: [tuple(reading.split()) for reading in readings] for word, readings in data["didahulukan"].items()},
    }


def is_root(word):
    """Whether a word is in the root list (lower case)."""
    return word in lexicon()["words"]


def _parts(affixes):
    """Affixes given as “meN+ke”, “-kan” or a sequence, as a tuple."""
    parts = affixes.split("+") if isinstance(affixes, str) else affixes
    return tuple(part.strip("-") for part in parts if part.strip("-"))


def _monosyllable(stem):
    return sum(letter in VOWELS for letter in stem) == 1 and (stem[0] in VOWELS or stem[1:2] in VOWELS or stem[:2] == "sy")


def _nasal(head, stem, keep):
    """meN- or peN- (`head` is “me” or “pe”) in front of a stem."""
    first = stem[:1]
    if _monosyllable(stem):
        return head + "nge" + stem
    if stem[:2] in ("sy", "kh", "ps"):
        return head + ("ng" if first == "k" else "n" if first == "s" else "m") + stem
    if first in DROPPED and not keep and (stem[1:2] in VOWELS or stem[1:2] in "wy" and first == "k"):
        return head + DROPPED[first] + stem[1:]
    if first == "f" and stem in lexicon()["f_drops"]:
        return head + "m" + stem[1:]
    if first in VOWELS or first in "gkhq":
        return head + "ng" + stem
    if first in "bfvp":
        return head + "m" + stem
    if first in "cdjzts":
        return head + "n" + stem
    return head + stem


def _prefix(name, stem, inner, root):
    """One prefix in front of a stem; `inner` says whether the stem is a bare root."""
    words = lexicon()
    if name in ("meN", "peN"):
        return _nasal(name[:2], stem, inner and root in words["keep"])
    if name in ("memper", "diper"):
        if inner and root == "ajar":
            return name[:-1] + "l" + stem
        return name + stem[1:] if stem[0] == "r" else name + stem
    if name in ("ber", "per", "pe", "ter"):
        if inner and root in ("ajar", "unjur") and name != "ter":
            return name[:2] + "l" + stem
        if stem[0] == "r" or name == "pe" or (name != "ter" and inner and root in words["be"]):
            return name[:2] + stem
        if name == "per" and stem.startswith("per"):
            return "pe" + stem  # peperangan, peperiksaan
    return name + stem


def attach(root, prefix="", suffix="", double=None):
    """Put affixes on a root.

    `prefix`: names from `PREFIXES`, layers joined by “+”, outermost first (“ber+peN”). `suffix`: -kan, -an, -i, clitics
    and particles, innermost first (“kan+nya”). `double`: None, "penuh" (the root: *menari-nari*, *sebaik-baiknya*), "saling"
    (*tolong-menolong*) or "kata" (the whole word: *pelajar-pelajar*). Returns the word in lower case. Raises ValueError for an affix that it does
    not know.
    """
    root = root.strip().lower()
    prefixes, suffixes = _parts(prefix), _parts(suffix)
    if not _LETTERS.fullmatch(root):
        raise ValueError(f"not a Malay root: {root!r}; give letters only")
    for name in prefixes:
        if name not in PREFIXES:
            raise ValueError(f"unknown prefix {name!r}; use one of {', '.join(PREFIXES)}")
    for name in suffixes:
        if name not in SUFFIXES + CLITICS + PARTICLES:
            raise ValueError(f"unknown suffix {name!r}; use one of {', '.join(SUFFIXES + CLITICS + PARTICLES)}")
    if double not in (None, "penuh", "saling", "kata"):
        raise ValueError(f"unknown doubling {double!r}; use 'penuh', 'saling' or 'kata'")
    stem, inner = root, True
    for name in reversed(prefixes):
        stem, inner = _prefix(name, stem, inner, root), False
    end = "".join(suffixes)
    if double is None:
        return stem + end
    if double == "saling":
        return f"{root}-{stem}{end}"
    if double == "kata":
        derived = "".join(s for s in suffixes if s in SUFFIXES)
        return f"{stem}{derived}-{stem}{end}"
    # the second half repeats the root, or the nasal that replaced its first letter: menari-nari
    nasal = prefixes[-1:] in (("meN",), ("peN",)) and not stem.endswith(root)
    return f"{stem}-{DROPPED[root[0]] + root[1:] if nasal and root[0] in DROPPED else root}{end}"


def _unprefix(word):
    """All ways to take one prefix off: (name, what is left)."""
    found = []
    for name, head in (("meN", "me"), ("peN", "pe")):
        if not word.startswith(head):
            continue
        rest = word[2:]
        found.append((name, rest))
        for nasal, letters in (("nge", ""), ("ng", "k"), ("ny", "s"), ("n", "t"), ("m", "pf")):
            if rest.startswith(nasal):
                tail = rest[len(nasal) :]
                found += [(name, tail)] if nasal != "ny" else []
                found += [(name, letter + tail) for letter in letters if tail[:1] in VOWELS]
    for name in ("memper", "diper", "ber", "per", "ter"):
        short = name[:-1]
        if word.startswith(short):
            found.append((name, word[len(short) :]))
            if word.startswith(short + "l") and name != "ter":
                found.append((name, word[len(short) + 1 :]))
        if word.startswith(name):
            found.append((name, word[len(name) :]))
    for name in ("pe", "di", "ke", "se", "ku", "kau", *BORROWED):
        if word.startswith(name):
            found.append((name, word[len(name) :]))
            if word.startswith("pel") and name == "pe":
                found.append((name, word[3:]))
    return [(name, rest) for name, rest in dict.fromkeys(found) if len(rest) > 1 and any(v in rest for v in VOWELS)]


def _unsuffix(word):
    """All ways to take suffixes, clitics and particles off: (what is left, suffixes innermost first)."""
    found = {(word, ()): None}
    for group in (PARTICLES, CLITICS, SUFFIXES):
        for stem, suffixes in list(found):
            for suffix in group:
                rest = stem.removesuffix(suffix)
                if rest != stem and len(rest) > 1 and any(v in rest for v in VOWELS) and (suffix, rest[-1]) != ("i", "i"):
                    found[rest, (suffix, *suffixes)] = None
    return list(found)


def _stems(word, depth=3):
    """All (prefixes, root) readings of a word without suffixes; more than one layer only where the grammar allows it."""
    yield (), word
    if depth:
        for name, rest in _unprefix(word):
            for prefixes, root in _stems(rest, depth - 1):
                if not prefixes or prefixes[0] in LAYERS.get(name, ()):
                    yield (name, *prefixes), root


# Where a prefix or suffix is at home: the part of speech of its root.
HOME = {
    "meN": {"kerja"}, "peN": {"kerja", "adjektif"}, "di": {"kerja"}, "ter": {"kerja", "adjektif"}, "ku": {"kerja"}, "kau": {"kerja"},
    "pe": {"nama", "kerja"}, "ber": {"nama", "kerja"}, "se": {"nama", "adjektif", "tugas"}, "memper": {"adjektif", "kerja"},
}  # fmt: skip


def _cost(prefixes, root, suffixes, standard, parts, restored):
    """How unlikely a reading is. Fewer affixes, longer roots, a known root and a fitting part of speech make it likelier."""
    layers = [s for s in suffixes if s in SUFFIXES]
    cost = len(prefixes) + len(suffixes) - 0.04 * len(root)
    inner = prefixes[-1] if prefixes else None
    if (inner, suffixes[0] if suffixes else None) in ONE_AFFIX or (prefixes and suffixes and (prefixes[0], suffixes[0]) in ONE_AFFIX):
        cost -= 0.6
    for suffix in layers:
        if prefixes and (prefixes[0], suffix) in CLASH and not (prefixes[:2] in (("meN", "ke"), ("di", "ke")) and suffix == "i"):
            cost += 3
    if restored:
        cost += 0.1  # mengurus: urus before kurus
    if inner == "per" and not layers and "adjektif" not in parts:
        cost += 1  # per- without -an only makes commands and a few nouns
    if not standard:
        cost += 4
    if not parts:
        # an unknown root: a long prefix or a pair is still good evidence, a short one is not
        paired = len(layers) == 1 and prefixes and (prefixes[0], layers[0]) in ONE_AFFIX
        evidence = len(root) > 3 and (paired or prefixes and prefixes[0] in ("meN", "ber"))
        return cost + (7 if evidence else 9 if prefixes or suffixes else 8.5)
    home = HOME.get(inner, parts) | ({"adjektif"} if layers else set())
    if not parts & home:
        cost += 0.5 if layers else 0.8
    if not prefixes and "i" in layers and "kerja" not in parts:
        cost += 0.3
    if parts == {"tugas"} and (layers or inner not in (None, "se")):
        cost += 0.6
    return cost


def _plain(word):
    """Analyses of a word without a hyphen."""
    words, found = lexicon()["words"], {}
    if not _LETTERS.fullmatch(word):
        return []
    for stem, suffixes in _unsuffix(word):
        for prefixes, root in _stems(stem):
            parts = words.get(root)
            if (prefixes or suffixes) and (len(root) < 3 or not parts and (len(prefixes) > 1 or not ONSET.match(root))):
                continue
            rare = prefixes[-1:] and prefixes[-1] in BORROWED or suffixes[:1] and suffixes[0] in SUFFIXES[3:]
            if rare and (not parts or len(root) < 4 or prefixes[:1] == ("tidak",)):
                continue
            if prefixes == ("pe",) and attach(root, "peN") == attach(root, "pe"):
                continue  # pelukis is named peN-
            standard = attach(root, prefixes, suffixes) == word
            if not standard and not (prefixes[0] in ("meN", "peN", "ber", "per") and parts and len(root) > 3):
                continue
            restored = prefixes[-1:] in (("meN",), ("peN",)) and root[0] in DROPPED and not stem.endswith(root)
            cost = _cost(prefixes, root, suffixes, standard, parts or set(), restored)
            found[prefixes, root, suffixes] = Analysis(prefixes, root, suffixes, None, bool(parts), standard, cost)
    return list(found.values())


def _doubled(word):
    """Analyses of a word with one hyphen, and of partial doubles (*dedaun*)."""
    left, _, right = word.partition("-")
    found, words = [], lexicon()
    if is_root(left) and left.endswith(right):  # perlahan-lahan
        found.append(Analysis((), left, (), "penuh", True, True, 0.0))
    for a in _plain(left):
        if a.suffixes and left != right[: len(left)]:
            continue
        for b in _plain(right):
            fits = a.root == b.root
            if a.root == left and words["rhythm"].get(left) == b.root and not b.prefixes:
                kind, prefixes, root = "berentak", (), left
            elif fits and a.prefixes and not b.prefixes and not a.suffixes:
                kind, prefixes, root = "penuh", a.prefixes, a.root
            elif fits and a.prefixes == b.prefixes and a.suffixes == b.suffixes[: len(a.suffixes)]:
                kind, prefixes, root = "penuh", a.prefixes, a.root  # pelajar-pelajar, makanan-makanannya
            elif fits and not a.prefixes and b.prefixes and not a.suffixes:
                kind, prefixes, root = "penuh", b.prefixes, a.root  # tolong-menolong
            elif a.prefixes[-1:] == ("meN",) and not b.prefixes and DROPPED.get(a.root[0], "?") + a.root[1:] == b.root:
                kind, prefixes, root = "penuh", a.prefixes, a.root  # menari-nari
            else:
                continue
            standard = a.standard and (b.standard or not b.known)
            found.append(Analysis(prefixes, root, b.suffixes, kind, is_root(root), standard, a.cost + b.cost))
    return found


def analyse(word):
    """All readings of a word, the likeliest first: a list of `Analysis`, never empty.

    The word is read in lower case. A root that is not in the list has `known=False`. Raises ValueError for text that is
    not one word.
    """
    lowered = word.strip().lower()
    if not lowered or any(c.isspace() for c in lowered):
        raise ValueError(f"not one word: {word!r}; split the text first")
    words = lexicon()
    if lowered in words["words"]:
        found = _plain(lowered) if "-" not in lowered else []
        found = [a for a in found if a.root != lowered] + [Analysis((), lowered, (), None, True, True, -1.0)]
    elif lowered.count("-") == 1:
        found = _doubled(lowered) + [a for a in _plain(lowered) if is_root(a.root)]
    else:
        found = _plain(lowered)
        partial = lowered[2:]
        if lowered[1:2] == "e" and lowered[0] == partial[:1] != "s" and "nama" in words["words"].get(partial, ()):
            found.append(Analysis((), partial, (), "separa", True, True, 0.7))  # dedaun; sesudu is se- + sudu
    chosen = words["first"].get(re.sub(r"(?<=[a-z]{3})(?:nya|ku|mu)?(?:lah|kah|tah)?$", "", lowered), [])
    found.sort(key=lambda a: (chosen.index(_key(a)) if _key(a) in chosen else len(chosen), a.cost))
    unique = {}
    for a in found:
        unique.setdefault((a.prefixes, a.root, a.suffixes, a.reduplication), a)
    return list(unique.values()) or [Analysis((), lowered, (), None, False, True, 9.0)]


def _key(analysis):
    """A reading as “didahulukan” writes it, without clitics and particles."""
    return ("+".join(analysis.prefixes) or "-", analysis.root, "+".join(s for s in analysis.suffixes if s in SUFFIXES) or "-")
