"""Names of people in Malaysian text, found by grammar and by lists; no model is needed.

`find_names("Pn. Kavitha a/p Raman dan Kak Ros jumpa Lim Wei Ming di Jalan Tun Razak")` gives three names
and leaves the street alone. Evidence, strongest first: a particle (bin, binti, a/l, a/p, anak, @), a title or a
word of kinship before, a label (“Nama:”, “nama saya”, “bernama”), a name known from `data/names.json`, an
identity number after, and the same name earlier in the text. Words that open a place (Jalan, Hospital, Masjid)
or close a company (Sdn Bhd, Enterprise), and people of history, take their names out again
(`helpers.corpus.name_words`); where a name begins and ends is the business of `helpers.corpus.name_grammar`.

A title is not part of the name: “Encik [NAMA]” still reads as a letter.
"""

import bisect
import functools
import re
from dataclasses import dataclass

from helpers.corpus.name_grammar import Grammar, continues, joins, plain_small
from helpers.corpus.name_words import FIXED, PLAIN, affixed, key, lists

# One syllable as romanised Chinese names have it, to read on after a known surname.
_SYLLABLE = re.compile(r"(?:[bcdfghjklmnpqrstwxyz]|[cskptz]h|ng|hs|t[sz]|sz|[ghkq]w)?[iy]?[aeiouy]{1,3}(?:ng?|ck|[kktpmhwr])?$")


@dataclass(frozen=True)
class PersonName:
    """The name of a person without the title before it; `score` is 0–1, below 0.5 means that it needs a word of context."""

    start: int
    end: int
    text: str
    score: float


# countries of those who are listed as “name, country, passport”
_LANDS = "indonesia|bangladesh|nepal|myanmar|vietnam|filipina|pakistan|india|thailand|kemboja|laos|sri lanka|china|singapura|brunei"
# what “Nama …:” names when it names no person
_NAMELESS = (
    "syarikat|produk|barang|jalan|sekolah|projek|bank|kedai|taman|kampung|fail|mesyuarat|acara|program|kursus|pertubuhan|persatuan|premis|"
    "pasukan|kelas|dewan|bilik|ubat|model|hotel|restoran|tempat|negeri|daerah|parlimen|perniagaan|agensi|jabatan|bahagian|kenderaan|bot|kapal|"
    "kelab|koperasi|masjid|surau|tanaman|haiwan|menu|resipi|laman|domain|aplikasi|pengguna|akaun"
)


@functools.cache
def _patterns():
    """The phrases of names.json as patterns; each ends where the name begins."""
    p, begin, here = lists().patterns, r"(?<![^\W_])", r"(?=[^\W\d_])"
    quoted = r"\s*[,:“\"']?\s*(?:ialah\s+|adalah\s+)?"
    said = r"(?:\s+(?:ialah|adalah|tu|ni|is|dlm\s+ic|dalam\s+ic|yg\s+betul))?"
    relation = rf"(?:(?:{p['relations']})(?:\s+(?:{p['relation_words']})){{1,3}}|(?i:{p['addressing']}))"
    number = r"(?:no\.?|nombor|bernombor)?\s*(?:k\.?/?p|ic|i/c|kad pengenalan|mykad|nric)\b|\d{6} ?- ?\d\d ?- ?\d{4}|\d{12}\b|(?:warga\w*|rakyat)\s+[A-Z]|(?:{_LANDS})\s*,|(?:ber)?(?:umur|usia)\b|\(?\d\d tahun"
    return {
        "label": re.compile(
            rf"{begin}(?:{p['labels']}|nama(?!\s+(?:{_NAMELESS})\b)(?:\s+\w{{2,}}){{1,2}})(?:\s+saya)?\s*(?:\([^)\n]{{1,30}}\))?[ \t]*[:=][ \t]*\n?[ \t]*(?:\d[.)]\s*)?",
            re.I,
        ),
        "naming": re.compile(rf"{begin}(?:nama(?=\s+(?-i:[A-Z][a-z]))|(?:{p['naming']}){said}){quoted}{here}", re.I),
        "calling": re.compile(rf"{begin}(?:{p['calling']}){quoted}{here}", re.I),
        "role": re.compile(rf"{begin}(?:{p['roles']}){quoted}{here}", re.I),
        "relation": re.compile(rf"{begin}{relation}\s*(?:,\s*iaitu|[,:]|iaitu|ialah|bernama)?\s+(?=[A-Z][a-z])"),
        "closing": re.compile(rf"(?:{p['closings']})[^\n]{{0,20}}\n+[\s.(_…-]*{here}", re.I),
        "speaks": re.compile(rf"\s+(?:{p['human_verbs']})\b"),
        "number": re.compile(rf"\s*[,(–:/-]{{0,2}}\s*(?:{number})", re.I),
        "office": re.compile(rf"\s*[,(–:-]{{1,2}}\s*(?:(?:tel|h/?p|hp)\b\.?|01\d[- ]?\d{{3}}|(?:{p['offices']})\b)", re.I),
    }


class _Finder(Grammar):
    def __init__(self, text):
        super().__init__(text)
        self.starts = [word.start for word in self.words]
        self.spans = []  # (first, last, score): indices of words

    def add(self, first, last, score):
        found = self.words[first.index : last.index + 1]
        while found and found[0].style not in "TUl":
            del found[0]
        while found and (found[-1].style not in "TUl" or len(found) > 1 and found[-1].low in ("haji", "hj")):
            del found[-1]
        if found and not any(word.blocked for word in found):
            self.spans.append((found[0].index, found[-1].index, score))

    def by_particles(self):
        for word in self.words:
            left = word.before
            if "particle" not in word.kinds or word.blocked or not left or left.blocked or left.style not in "TUl":
                continue
            right = self.after_particle(word) if self.is_particle(word, left) else None
            if not right or right.blocked or word.low == "@" and not (left.named or right.named):
                continue
            unknown = not (left.kinds or right.kinds) and word.low in ("bin", "@", "alias", "bt", "ibn")
            if unknown and not (right.style in "TU" and joins(left, left.style)):
                continue  # “recycle bin area”
            if left.style == "l" and left.kinds & PLAIN and "strong" not in left.kinds:
                continue
            if left.style in "TU" and left.kinds & FIXED and not left.has("nick") and not left.named and not self.names_child(word):
                continue
            self.add(self.left(left, left.style), max(right, self.run(right, right.style), key=lambda w: w.index), 0.95)

    def by_titles(self):
        skip = -1
        for word in self.words:
            if word.index < skip or word.style not in "TUl" or word.blocked:
                continue
            name, kind = self.title(word)
            if name and not name.blocked:
                score = self.after_title(word, name, kind)
                if score:
                    self.add(name, self.run(name, name.style), score)
                skip = name.index

    def after_title(self, title, name, kind):
        """How surely `name` after `title` is one; 0 for no. Titles are followed by offices, verbs and kinship words too."""
        next_given = name.after is not None and "given" in name.after.kinds
        if name.style in "P1":
            return 0
        chinese = name.style == "T" and name.has("given", "surname") and name.after is not None and continues(name.after, "T")
        if "no_person" in name.kinds and "strong" not in name.kinds and not chinese:
            return 0
        if name.style == "l":
            if name.kinds & PLAIN or len(name.low) < 2:
                return 0
            if name.has("strong", "surname") or kind == "kin" and "nick" in name.kinds:
                return 0.8 if kind != "weak" or "strong" in name.kinds else 0
            if "soft" in name.kinds:
                return 0.8 if kind != "weak" else 0
            return 0.8 if kind == "title" and "given" in name.kinds and next_given else 0
        unknown = joins(name, name.style)
        if title.style == "T" and unknown and not name.kinds and (title.low == "bah" or "kin" in title.kinds and not title.opens):
            return 0.6
        if kind == "weak" and not ("strong" in name.kinds or (name.named or "nick" in name.kinds) and title.style in "TU"):
            return 0
        if name.initial:
            return 0.85 if name.after and name.after.style in "TU" else 0
        if name.named or "nick" in name.kinds:
            if name.style == "U" and name.kinds & PLAIN and not name.has("surname", "strong"):
                return 0
            return 0.85
        if name.style == "U" and (len(name.low) < 3 or title.style != "U" and re.search(r"[a-z]{2}", self.line(name))):
            return 0
        return 0.7 if unknown else 0

    def word_at(self, position):
        index = bisect.bisect_left(self.starts, position)
        found = self.words[index] if index < len(self.words) else None
        return found if found and found.start - position <= 2 and found.style in "TUl" else None

    def by_labels(self):
        patterns = _patterns()
        for kind in ("label", "naming", "calling", "role"):
            for match in patterns[kind].finditer(self.text):
                word = self.word_at(match.end())
                if not word or kind == "calling" and self.calls_a_thing(match.start(), word):
                    continue
                naming = kind in ("naming", "calling") or match.group().lower().startswith(("nama", "full name", "name"))
                if word.style != "l" or kind in ("label", "naming"):
                    self.labelled(self.after_titles(word), naming, kind == "label")
        for match in patterns["relation"].finditer(self.text):
            word = self.word_at(match.end())
            if word and not word.blocked and (joins(word, "T") or word.kinds and not self.misfit(word)):
                self.add(word, self.run(word, "T"), 0.6)
        for match in patterns["closing"].finditer(self.text):
            if word := self.word_at(match.end()):
                self.signed(self.after_titles(word))

    def calls_a_thing(self, position, word):
        """“Kucing saya bernama Comel”: whatever is called so is no person; its name is blocked."""
        index = bisect.bisect_left(self.starts, position)
        if not any("thing" in w.kinds for w in self.words[max(0, index - 3) : index]):
            return False
        for part in self.words[word.index : word.index + 4]:
            if part.style not in "TU":
                break
            part.blocked = True
        return True

    @staticmethod
    def misfit(word):
        return word.blocked or bool(word.kinds & FIXED) and not word.has("strong", "surname", "given")

    def labelled(self, word, naming, colon):
        """A name after a label. `naming`: the label says “nama”; `colon`: it stands before a colon."""
        if word.blocked or word.style not in "TUl":
            return
        if word.style == "l":
            if naming and (word.named and not word.kinds & PLAIN or plain_small(word)):
                self.add(word, self.run(word, "l", True), 0.7)
            elif "strong" in word.kinds and not naming:
                self.add(word, self.run(word, "l"), 0.7)
            return
        if not (word.named or joins(word, word.style) or word.initial):
            return
        last = self.run(word, word.style, naming or colon)
        found = self.words[word.index : last.index + 1]
        if any("strong" in w.kinds for w in found):
            self.add(word, last, 0.8)
        elif not self.misfit(word):
            alone = last is word and word.style == "U" and not word.named
            if naming and not alone or not naming and last is not word and not self.acronyms(found):
                self.add(word, last, 0.8 if naming else 0.6)

    def signed(self, word):
        """A name that fills the line after “Yang benar,” and its like."""
        last = self.run(word, word.style, True)
        if re.search(r"\w", self.text[last.end :].split("\n")[0]):
            return
        found = self.words[word.index : last.index + 1]
        if word.style == "l" and last is word and word.has("strong", "nick"):
            self.add(word, word, 0.6)
        elif (
            word.style in "TU" and not any(self.misfit(w) for w in found) and (len(found) in range(2, 6) or word.named or word.has("nick"))
        ):
            self.add(word, last, 0.75)

    @staticmethod
    def acronyms(found):
        return all(w.style == "U" and len(w.low) < 5 and not w.kinds for w in found)

    def by_lists(self):
        skip = -1
        for word in self.words:
            if word.index < skip or word.blocked or word.style not in "TUl":
                continue
            name = self.title(word)[0]
            if not (word.named or word.initial or word.style == "T" and "nick" in word.kinds):
                skip = name.index if name else skip  # “Puan Sri Hasnah”: Sri is no name here
                continue
            if word.style == "l" and word.kinds & PLAIN:
                continue
            if not name and word.after and f"{word.low} {word.after.low}" in lists().titles:
                skip = word.after.index + 1  # “Mak Teh,” is an aunt without a name
                continue
            if name and "strong" not in word.kinds and not ("surname" in word.kinds and name.has("given", "surname")):
                skip = name.index
                continue
            style = word.style
            last = self.run(word, style)
            if score := self.judge(word, last, style):
                self.add(self.left(word, style) if style in "TU" and score >= 0.5 else word, last, score)
                skip = last.index + 1

    def judge(self, first, last, style):
        """How surely a run of words is a name, judged by its parts alone; 0 for no."""
        run = [w for w in self.words[first.index : last.index + 1] if w.style in "TUl"]
        strong = [w for w in run if "strong" in w.kinds and len(w.low) > 2]
        if style == "l":
            return self.judge_small(run, [w for w in strong if "everyday" not in w.kinds and not affixed(w.low)])
        if strong:
            if len(run) > 1:
                return 0.75
            if style == "U" and len(first.low) < 4:
                return 0
            dictionary = "everyday" in first.kinds and first.opens and self.text[first.end : first.end + 1] not in (",", ":")
            return 0.3 if dictionary else 0.7
        return self.judge_chinese(run, style) or (self.judge_soft(run, last) if style == "T" else self.doubtful(run))

    @staticmethod
    def judge_small(run, strong):
        if len(strong) >= 2 or len(strong) == 1 and len(run) >= 2 and all(w.named for w in run):
            return 0.7
        if len(strong) == 1 and len(run) == 1 and len(run[0].low) >= 4:
            return 0.6
        if len(run) >= 3 and "surname" in run[0].kinds and all("given" in w.kinds for w in run[1:3]) and all(len(w.low) > 1 for w in run):
            return 0.65
        pair = len(run) == 2 and run[0].low != run[1].low
        return 0.55 if pair and all("given" in w.kinds and "everyday" not in w.kinds and len(w.low) > 2 for w in run) else 0

    @staticmethod
    def judge_chinese(run, style):
        if len(run) < 2:
            return 0
        first, second, third = [*run, None][:3]

        def given(word):
            return word is not None and ("given" in word.kinds or not word.kinds and len(word.low) < 7 and bool(_SYLLABLE.match(word.low)))

        if first.has("common") and first.before and first.before.style == "1":
            return 0  # “5 Mei”
        if "surname" in first.kinds and given(second):
            if given(third):
                return 0.75
            return 0.65 if third or style == "T" else 0.55 if min(len(first.low), len(second.low)) > 2 else 0.3
        if style == "T" and "given" in first.kinds:
            return 0.6 if "given" in second.kinds else 0.55 if "surname" in run[-1].kinds else 0
        return 0

    def judge_soft(self, run, last):
        """Runs in Title letters without a strong part: initials, nicknames, names that are words too."""
        first, alone = run[0], len(run) == 1
        inside = not first.opens and (first.before is None or first.before.style == "l")
        if inside and first.initial and len(run) > 1 and self.text[first.end] == "." and len(run[-1].low) > 4:
            return 0.6  # “K. Thiagarajan”
        rare = any("soft" in w.kinds and not w.has("common", "wordy", "everyday") and len(w.low) > 2 for w in run)
        if rare and (not alone or self.free(first)):
            return 0.55
        if "nick" in first.kinds and len(first.low) > 2:
            if len(run) == 2 and first.low != "man" and joins(last, "T"):
                return 0.55  # “Din Gemok”
            if alone and not first.has("wordy", "common") and (not first.opens or len(first.low) > 3) and self.free(first):
                return 0.55
        placed = first.before is not None and first.before.has("before_place")
        single = first.has("soft", "nick") and not first.has("common", "never_alone") and len(first.low) > 2
        if alone and inside and single and not placed and self.free(first):
            return 0.5  # a capital in mid-sentence makes it a name
        return self.doubtful(run)

    @staticmethod
    def doubtful(run):
        """Scores that a word of context must lift."""
        first = run[0]
        soft = [w for w in run if "soft" in w.kinds and "common" not in w.kinds and not (first.opens and w.has("everyday", "wordy"))]
        inside = first.style == "T" and not first.opens and not (first.before and "before_place" in first.before.kinds)
        if inside and len(run) >= 2 and soft and (len(soft) >= 2 or first.named and all(w.kinds or joins(w, "T") for w in run)):
            return 0.5
        if soft and len(soft[0].low) > 2 and not first.initial:
            return 0.3
        surname = (
            len(run) == 1 and "surname" in first.kinds and first.style == "T" and len(first.low) > 1 and not first.kinds & (PLAIN | {"kin"})
        )
        return 0.3 if surname else 0

    @staticmethod
    def free(word):
        """Whether a single capitalised word stands for itself: no number or unknown capitalised word beside it."""
        before, after = word.before, word.after

        def unknown(other):
            return other.style in "TU" and not other.named and "nick" not in other.kinds

        if before and not before.opens and (before.style == "1" or unknown(before)):
            return False
        return not (after and unknown(after))

    def by_what_follows(self):
        """Two to six unknown capitalised words before an identity number, an age or an office are a name."""
        skip, patterns = -1, _patterns()
        for word in self.words:
            if word.index < skip or word.style not in "TU" or word.blocked or word.before and word.before.style in "TUP1":
                continue
            if not (joins(word, word.style) or word.has("soft", "surname", "given")):
                continue
            last = self.run(word, word.style, True)
            found, skip = self.words[word.index : last.index + 1], last.index + 1
            follows = patterns["number"].match(self.text, last.end) or patterns["office"].match(self.text, last.end)
            if follows and 2 <= len(found) <= 6 and not any(self.misfit(w) for w in found) and not self.acronyms(found):
                self.add(word, last, 0.65)

    def by_verbs(self):
        """An unknown capitalised word before what only people do (“Thanusha tersenyum”)."""
        for word in self.words:
            if word.blocked or len(word.low) < 3 or not word.text[1:].islower() or not joins(word, "T") or not self.free(word):
                continue
            if word.has("never_alone"):
                continue
            inside = word.before is not None and word.before.style == "l" and "before_place" not in word.before.kinds
            if (inside or word.before is None) and _patterns()["speaks"].match(self.text, word.end):
                self.add(word, word, 0.55)

    def by_company(self):
        """An unknown capitalised word joined to a name by “dan” or “dengan”, or between names in a list, is one too."""
        inside = {i for first, last, score in self.spans if score >= 0.5 for i in range(first, last + 1)}

        def named(index):
            return index in inside

        for word in self.words:
            if (
                word.blocked
                or word.index in inside
                or len(word.low) < 3
                or not joins(word, "T")
                or not word.text[1:].islower()
                or not self.free(word)
            ):
                continue
            around = [self.words[i] if 0 <= i < len(self.words) else None for i in (word.index - 1, word.index + 1)]
            joined = [w is not None and w.low in ("dan", "dengan", "dgn", "serta", "and", "&") for w in around]
            listed = [w is not None and w.text == "," for w in around]
            names = [named(word.index - 2), named(word.index + 2)]
            if joined[0] and names[0] or joined[1] and names[1] or all(listed) and all(names) or listed[0] and joined[1] and names[0]:
                self.add(word, word, 0.55)

    def by_echo(self):
        """A part of a name found above stands for the same person elsewhere in the text."""
        known = {}
        for first, last, score in self.spans:
            for word in self.words[first : last + 1] if score >= 0.55 else ():
                if word.style in "TUl" and len(word.low) > 2 and not word.has("stop", "common", "title", "particle"):
                    known.setdefault(word.low, set()).add(word.style)

        def echoes(word):
            styles = known.get(word.low, ())
            if not styles or word.style not in "TUl" or word.blocked:
                return False
            return word.style == "T" or "strong" in word.kinds if word.style != "l" else "l" in styles and "strong" in word.kinds

        for word in self.words:
            if echoes(word) or word.style == "U" and not word.blocked and "U" in known.get(word.low, ()):
                last = word
                while last.after and last.after.style == word.style and last.after.low in known and not last.after.blocked:
                    last = last.after
                self.add(word, last, 0.6)

    def find(self):
        for look in (
            self.by_labels,
            self.by_particles,
            self.by_titles,
            self.by_lists,
            self.by_what_follows,
            self.by_verbs,
            self.by_company,
            self.by_echo,
        ):
            look()
        merged = []
        for first, last, score in sorted(self.spans):
            if merged and first <= merged[-1][1]:
                first, end, old = merged[-1]
                if score >= 0.5 or old < 0.5:
                    merged[-1] = (first, max(last, end), max(score, old))
            else:
                merged.append((first, last, score))
        found = []
        for first, last, score in merged:
            start, end = self.words[first].start, self.words[last].end
            if self.words[last].initial and last > first and self.text[end : end + 1] == ".":
                end += 1
            found.append(PersonName(start, end, self.text[start:end], score))
        return found


def find_names(text):
    """Find the names of people. Returns `PersonName`s, left to right; those with a score below 0.5 need context to count."""
    return _Finder(text).find()


def leading_title(name):
    """How many characters of titles and spaces stand before a name (`"Puan Sri Halimah"`: 9); 0 where nothing would remain."""
    for size in (3, 2, 1):
        match = re.match(rf"(?:[^\W\d_]+['’]?\.?\s*){{{size}}}(?=\w)", name)
        if match and " ".join(re.findall(r"[^\W\d_]+", key(match.group()))) in lists().titles:
            return match.end()
    return 0
