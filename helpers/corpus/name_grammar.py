"""How far the name of a person goes: the grammar of Malaysian names over the words of `helpers.corpus.name_words`.

A name is a run of parts in letters of one style, joined by particles (bin, binti, a/l, a/p, anak, ak, @), with titles
outside, or inside after a particle (“Ahmad bin Haji Ismail”). `Grammar(text)` answers where it begins and ends;
what makes it a name at all is weighed in `helpers.corpus.person_names`.
"""

import re

from helpers.corpus.name_words import FIXED, PLAIN, affixed, key, lists, words

LONGEST = 9  # words of a name
_MIDDLE_TITLES = frozenset({"haji", "hj", "hajah", "hjh", "hajjah", "dato", "datuk"})


def joins(word, style, trust=False):
    """Whether an unknown word in capitals may belong to a name whose letters are of this style (`T` or `U`).

    `trust`: a label has said that a name stands here, so “Van” and “Long” are parts of it too.
    """
    if word.style != style or style not in "TU" or len(word.low) < 2 or "-" in word.low or not re.search(r"[aeiouy]", word.low):
        return False
    trust = trust and style == "T"
    if word.kinds & FIXED:
        return trust and "no_person" in word.kinds and not word.has("common", "title", "place")
    return (trust or "everyday" not in word.kinds) and not affixed(word.low)


def continues(word, style):
    """Whether a known name part continues a name whose letters are of this style."""
    if not word.named:
        return False
    if style in "TU":
        return word.style == style or word.style in "TU" and "strong" in word.kinds
    return word.style == "l" and not word.kinds & PLAIN


def plain_small(word):
    """Whether a small-letter word that no list knows may be a name after “nama saya”."""
    return word.style == "l" and len(word.low) > 2 and not word.kinds & FIXED and "everyday" not in word.kinds and not affixed(word.low)


class Grammar:
    """The words of a text, and where a name among them begins and ends. Styles are those of `Word`: `T`, `U`, `l`."""

    def __init__(self, text):
        self.text, self.words = text, words(text)

    def line(self, word):
        start = self.text.rfind("\n", 0, word.start) + 1
        end = self.text.find("\n", word.end)
        return self.text[start : end if end >= 0 else len(self.text)]

    def title(self, word):
        """`(the word after the titles, kind)` of a chain of titles that begins here; kind is weak, kin or title; or `(None, None)`."""
        at, kind, titles = word, "", lists().titles
        while at and at.style in "TUl" and (len(at.text) > 1 or at.text == "k"):
            chain = [at, at.after, at.after.after if at.after else None]
            for size in (3, 2, 1):
                part = chain[:size]
                found = titles.get(" ".join(w.low for w in part)) if None not in part else None
                if found:
                    kind = max(kind, found, key=("", "weak", "kin", "title").index)
                    at = part[-1].after
                    break
            else:
                break
        return (at, kind) if kind else (None, None)

    def after_titles(self, word):
        return self.title(word)[0] or word

    def is_particle(self, word, left):
        """Whether this word joins `left` with what follows, as bin, a/l and anak do."""
        if "particle" not in word.kinds:
            return False
        right = word.after
        if word.style == "P" or right is None:
            return word.style == "P"
        capitals = left.style in "TU" and right.style in "TU"
        known = left.named and right.named or "strong" in left.kinds
        if word.low in ("al", "ap"):
            return known
        if word.low == "b":
            return known and (capitals or right.style == "l" and "strong" in left.kinds and "strong" in right.kinds)
        if word.low == "ak":
            return capitals or known and right.style == "l"
        # anak: “Jugah anak Barieng”, but neither “dua anak Siti” nor “Tabung Anak Yatim”
        if capitals and (known or self.names_child(word)):
            return True
        free = not left.kinds & FIXED and not affixed(left.low)
        if capitals:
            return free and word.style != "T" and not right.kinds & PLAIN and right.low != "malaysia"
        small = left.style == "l" and right.style == "l" and left.has("soft", "strong") and right.has("soft", "strong")
        return small and free and not right.kinds & FIXED

    def names_child(self, particle):
        """Whether “anak” in small letters stands between two capitals of which the second is a name: “Linggi anak Jarau”, and Linggi is a river too."""
        left, right = particle.before, particle.after
        return particle.low == "anak" and particle.style == "l" and right is not None and right.named and "common" not in left.kinds

    def after_particle(self, particle):
        """The first word of the father's name after a particle, over titles; None where there is none."""
        word = particle.after
        if word and particle.low == "anak" and word.low in ("lelaki", "perempuan"):
            word = word.after
        if word is None:
            return None
        name, kind = self.title(word)
        if name and name.style in "TUl" and (kind == "title" or word.style in "TU"):
            word = name
        return word if word.style in "TUl" and not (word.style == "l" and "stop" in word.kinds) else None

    def run(self, first, style, trust=False):
        """The last word of the name that begins with `first`."""
        last, count = first, 1
        while count < LONGEST and (word := last.after) and not word.blocked:
            if self.is_particle(word, last):
                if not (name := self.after_particle(word)):
                    break
                last, count = name, count + 2
                continue
            if word.low in _MIDDLE_TITLES and word.style in (style, "T"):
                if not word.after or not (continues(word.after, style) or joins(word.after, style)):
                    break
                word = word.after
            elif word.initial and style != "l":
                if word.low == "i" or word.after and word.after.style == "1":
                    break
            elif continues(word, style):
                if not self.goes_on(word, first, last, style):
                    break
            elif joins(word, style, trust):
                if style == "U" and not trust and not re.search(r"[a-z]{2}", self.line(word)):
                    break  # in a line of capitals an unknown word is nobody's name
            elif not (trust and style == "l" and count < 3 and plain_small(word)):
                break
            last, count = word, count + 1
        return last

    @staticmethod
    def goes_on(word, first, last, style):
        """Whether a known part is a part here too, though it may be an everyday word (“Encik Ahmad Selamat”, “PUAN LIM MEI 2025”)."""
        chinese = word.has("given", "surname")
        if style == "T":
            return "common" not in word.kinds or chinese or word.has("strong", "soft")
        if style == "U":
            return not word.kinds & PLAIN or chinese and "surname" in first.kinds and "stop" not in word.kinds
        return "strong" in word.kinds or chinese and last.has("given", "surname") or "soft" in word.kinds and len(word.low) > 2

    def left(self, word, style):
        """The first word of the name that holds `word`, going left; titles stay outside."""
        first, count, titles = word, 1, lists().titles
        while count < LONGEST and (before := first.before) and not before.blocked:
            further = before.before
            if before.style == "P" or before.low in ("anak", "b", "ak") and further and self.is_particle(before, further):
                if not further or further.blocked or not (continues(further, further.style) or joins(further, further.style)):
                    break
                first, count = further, count + 2
                continue
            chinese = before.has("surname", "given")
            if style == "U" and before.kinds & PLAIN and not chinese or further and f"{further.low} {before.low}" in titles:
                break
            if before.low in titles and "strong" not in before.kinds:
                leads = self.title(before)[0] is first and "surname" not in before.kinds
                if leads or not (chinese or "soft" in before.kinds):
                    break
            known = continues(before, style) or before.initial and before.low != "i"
            if not known and not (joins(before, style) and (not before.opens or self.in_list(before))):
                break
            first, count = before, count + 1
        return first

    def in_list(self, word):
        """Whether the line holds capitalised words only, as in a list of people."""
        line = re.split(r"\s[-–(]|[,(:–]", re.sub(r"^\W*\d*[.)]?\s*", "", self.line(word)))[0].split()
        kinds = lists().kinds
        return 2 <= len(line) <= 6 and all(w[0].isupper() and not kinds.get(key(w.strip(".,")), frozenset()) & FIXED for w in line)
