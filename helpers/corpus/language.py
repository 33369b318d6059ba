"""Is it Malay, and whose? A quick look at a text's script and small words, then the purity of its Malay.

    from helpers.corpus import language
    language.look("Please submit the form to us by Friday.")     # Look(english=1.0, foreign_script=0.0, small_words=5)
    language.why_drop("Mobil itu parkir di depan kantor.")        # ("Indonesian", ["mobil", "parkir", "kantor"])

Small words (yang, dan, the, of …) carry no topic and are a third of any running text, so their counts tell Malay from English in a
microsecond. Malay from Indonesian is finer: `helpers.malay.purity` knows the words that differ. Mixed Malay and English is
ordinary Malaysian usage; only texts that are mainly English go.
"""

import re
from dataclasses import dataclass

from helpers.corpus import ngrams

# Each list leaves out what the other language also has (an, in, do, on, at, me …).
_MALAY = """
yang dan di ke dari daripada pada kepada untuk bagi dengan oleh dalam ini itu tidak tak bukan ada adalah ialah akan telah sudah
sedang boleh saya kami kita anda mereka dia beliau ia atau tetapi tapi juga serta jika kalau kerana apabila bila maka agar supaya lebih
sangat hanya semua setiap para sebagai seperti antara hingga sehingga selepas sebelum masih belum lagi pun lah sila mohon apa siapa
bagaimana mengapa kenapa mana satu dua tiga hari orang nak dah je kat macam yg dgn utk tu ni aku kau awak
"""
_ENGLISH = """
the of and to is are was were be been has have had with for from this that these those not it its they them their there you your we
our us he she his her will would can could should may must which who what when where why how if or but as by than then so such into
about after before over more most very please i am my
"""
MALAY, ENGLISH = frozenset(_MALAY.split()), frozenset(_ENGLISH.split())
# letters of scripts other than Latin, Tamil and Chinese among them
_FOREIGN = re.compile(r"[^\W\d_\u0041-\u024f\u1e00-\u1eff\u00aa\u00ba]")


@dataclass(frozen=True)
class Look:
    """Shares of English among the small words known, and of letters outside the Latin script, 0–1; the number of small words."""

    english: float
    foreign_script: float
    small_words: int


def look(text):
    """Count the small words and the scripts of a text. Returns a `Look`."""
    words = ngrams.words(text)
    malay, english = sum(map(MALAY.__contains__, words)), sum(map(ENGLISH.__contains__, words))
    foreign = 0.0
    if not text.isascii() and (strange := len(_FOREIGN.findall(text))):
        foreign = strange / max(1, sum(map(str.isalpha, text)))
    return Look(english / (malay + english) if malay + english else 0.0, foreign, malay + english)


def why_drop(text, max_english=0.6, max_foreign_script=0.3, min_purity=0.05, second_opinion=False):
    """The reason for which a text is not Malaysian Malay, with the words that say so: `(reason, words)`, or None.

    Args:
        max_english: the largest share of English among the small words (of three at least).
        max_foreign_script: the largest share of letters outside the Latin script; 1 keeps Jawi, Tamil and Chinese.
        min_purity: the least purity, from 0 (Indonesian) to 1 (Malaysian); 0 keeps everything. 0.05 takes a word or two that nobody
            writes in Malaysia; single headings that only lean to Indonesian stay.
        second_opinion: ask the language detector too. It sees Indonesian without telling words, and is several times slower.
    """
    seen = look(text)
    if seen.foreign_script > max_foreign_script:
        return "another script", sorted(set(_FOREIGN.findall(text)))[:10]
    if seen.small_words >= 3 and seen.english > max_english:
        return "mainly English", sorted(ENGLISH.intersection(ngrams.words(text)))[:10]
    if min_purity > 0:
        from helpers.malay.purity import purity

        found = purity(text, second_opinion=second_opinion)
        if found.score < min_purity:
            causes = sorted((cause for cause in found.words if cause.side == "id"), key=lambda cause: -cause.weight)
            return "Indonesian", list(dict.fromkeys(cause.text for cause in causes))[:10]
    return None
