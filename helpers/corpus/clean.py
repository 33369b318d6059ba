"""Cleaning: what a document's text carries from its files, mails and pages, mended or removed; and texts that are none.

    from helpers.corpus import clean
    clean.clean("Pejabat &amp; kaunter di\\u00a0KlangÂ\\u00a0ditutup pem-\\nbaikan.")    # 'Pejabat & kaunter di Klang ditutup pembaikan.'
    clean.why_drop("--- 12 ---")                                                 # 'too short'

`FIXES` is the list of what is done, in order. `clean` repeats the list until nothing changes, so cleaning twice is
cleaning once. Mojibake is mended with one regular expression for UTF-8 that was read as cp1252, the one kind that office files
have; `ftfy` knows more kinds and does more than is wanted here.
"""

import html
import re
import unicodedata
from collections import Counter
from itertools import islice
from string import ascii_letters

# Mojibake. The bytes 80–BF as cp1252 shows them; a lead byte says how many of them follow.
_CONTINUED = "".join(bytes([b]).decode("cp1252", "ignore") or chr(b) for b in range(0x80, 0xC0))
_MOJIBAKE = re.compile(
    # Latin letters and punctuation alone; Arabic, Tamil and Chinese only where two characters follow each other, since “é”…” is good French
    f"[ÂÃÄÅ][{_CONTINUED}]|â[{_CONTINUED}]{{2}}|ï»¿|(?:[Ø-Û][{_CONTINUED}]){{2,}}|(?:[à-ï][{_CONTINUED}]{{2}}){{2,}}|ðŸ[{_CONTINUED}]{{2}}"
)
_BYTE = {bytes([b]).decode("cp1252", "ignore") or chr(b): b for b in range(0x80, 0x100)}


def _mojibake(text):
    def mend(match):
        try:
            return bytes(_BYTE[c] for c in match[0]).decode("utf-8")
        except UnicodeDecodeError:
            return match[0]

    return _MOJIBAKE.sub(mend, text)


# Characters that are not seen. Joiners (200C, 200D) stay: Tamil, Jawi and emoji need them.
_UNSEEN = dict.fromkeys([*range(0x09), *range(0x0E, 0x20), *range(0x7F, 0xA0), 0xAD, 0x200B, 0x200E, 0x200F, *range(0x202A, 0x202F)])
_UNSEEN |= dict.fromkeys([*range(0x2060, 0x2070), 0xFEFF, 0xFFFC, *range(0xD800, 0xE000)])
_UNSEEN |= dict.fromkeys([0x0B, 0x0C, 0x85, 0x2028, 0x2029], "\n") | dict.fromkeys([0x09, 0xA0, 0x1680, *range(0x2000, 0x200B)], " ")
_UNSEEN |= dict.fromkeys([0x202F, 0x205F, 0x3000], " ")
_HAS_UNSEEN = re.compile("[" + "".join(map(re.escape, map(chr, _UNSEEN))) + "\r]")


def _unseen(text):
    return text.replace("\r\n", "\n").replace("\r", "\n").translate(_UNSEEN) if _HAS_UNSEEN.search(text) else text


# HTML: only names that are tags, so that “<nama pemohon>” and “umur < 30” stay
_BLOCK = (
    "address|article|aside|blockquote|body|br|caption|center|dd|div|dl|dt|fieldset|figure|footer|form|h[1-6]|head|header|hr|html|li|main|"
    "nav|ol|p|pre|section|table|tbody|td|tfoot|th|thead|title|tr|ul"
)
_INLINE = (
    "a|abbr|acronym|b|big|button|code|del|em|font|i|iframe|img|input|ins|label|link|mark|meta|o:p|s|small|span|strike|strong|sub|sup|svg|"
    "time|tt|u|video"
)
# each ends where the next of its kind begins, so that a page full of beginnings takes no longer than another
_GONE = re.compile(
    r"<!--(?:(?!<!--).)*?-->|<(script|style|noscript)\b[^>]{0,2000}>(?:(?!<\1\b).)*?</\1\s*>|<!doctype[^>]{0,2000}>", re.S | re.I
)
_BLOCKS, _INLINES = (re.compile(rf"</?(?:{names})(?:\s[^<>]{{0,2000}})?/?>", re.I) for names in (_BLOCK, _INLINE))
_ENTITY = re.compile(r"&(?:#\d{1,7}|#x[0-9a-f]{1,6}|[a-z][a-z0-9]{1,31});", re.I)


def without_tags(text):
    """Text without the tags, scripts and entities of HTML; a tag that begins a block becomes a line's end."""
    if "<" in text:
        text = _INLINES.sub("", _BLOCKS.sub("\n", _GONE.sub("", text)))
    # with the semicolon only: in “?a=1&copy=2” nothing is an entity
    return _ENTITY.sub(lambda m: html.unescape(m[0]), text) if "&" in text else text


_BROKEN = re.compile(r"(?<![^\W\d_])([^\W\d_]{1,40})- {0,9}\n {0,9}([^\W\d_]{1,40})")


def _hyphens(text):
    """Words broken at a line's end. Malay doubles words: “kanak-⏎kanak” keeps its hyphen, “pem-⏎baikan” loses it."""

    if "-\n" not in text and "- " not in text:
        return text

    def join(match):
        before, after = match[1], match[2]
        keep = not after.islower() or len(before) == 1 or _doubled(before.lower(), after)
        return f"{before}-{after}" if keep else before + after

    return _BROKEN.sub(join, text)


def _doubled(before, after):
    """Whether two parts are a doubled word: kanak-kanak, berlari-lari, bukit-bukau, sayur-mayur, turun-temurun."""
    overlap = any(before[-k:] == after[:k] for k in range(3, min(len(before), len(after)) + 1))
    rhyme = len(before) > 3 and len(after) > 3 and before[-3:] == after[-3:]
    alliteration = len(before) == len(after) > 4 and before[:2] == after[:2]
    return overlap or rhyme or alliteration


# E-mail
_QUOTED = re.compile(r"^[ \t]*>.*\n?", re.M)
_MAIL = re.compile(r"^(?:From|Sent|To|Cc|Subject|Daripada|Dihantar|Kepada|Perkara|Salinan)[ \t]*:.*\n?", re.M)
_REPLY = re.compile(
    r"^(?:On .{5,120}wrote:|Pada .{5,120}menulis:|-{2,} ?(?:Original Message|Forwarded message|Mesej Asal|Mesej Dimajukan) ?-{2,}"
    r"|_{20,})[ \t]*$.*",
    re.M | re.S | re.I,
)
_SIGNATURE = re.compile(
    r"^-- ?$.*|^(?:Sent from my|Dihantar (?:dari|daripada|melalui) (?:iPhone|telefon|peranti|Android|Outlook)).*", re.M | re.S
)
_DISCLAIMER = re.compile(
    r"^[ \t*_]*(?:PENAFIAN|DISCLAIMER|CONFIDENTIALITY NOTICE|NOTIS KERAHSIAAN|This e-?mail (?:and any|message|is intended|may contain)"
    r"|(?:E-?mel|Emel|Mesej) ini (?:dan (?:sebarang|apa-apa)|mengandungi maklumat|adalah sulit|bertujuan hanya)).*",
    re.M | re.S | re.I,
)


# what every part of a mail has at least one of: a quick look before the slow ones
_MAYBE_MAIL = re.compile(
    r"^(?:>|-- ?$|[ \t*_]*(?:PENAFIAN|DISCL|CONFID|NOTIS K|This e|Sent from|Dihantar|E-?mel|Mesej|From|Daripada|On |Pada |--|____))",
    re.M | re.I,
)


def _mail(text):
    """A mail's quoted parts, signature and disclaimer; lines with “>” only where there are other signs of a mail."""
    if not _MAYBE_MAIL.search(text):
        return text
    heads = len(_MAIL.findall(text))
    is_mail = heads >= 2 or bool(_REPLY.search(text) or _SIGNATURE.search(text))
    text = _SIGNATURE.sub("", _REPLY.sub("", text))
    if is_mail:
        text = _MAIL.sub("", _QUOTED.sub("", text)) if heads >= 2 else _QUOTED.sub("", text)
    return _DISCLAIMER.sub("", text)


_WRAPPED = re.compile(r"(?m)^(.{50,}[^\s.!?:;])\n(?=[a-z(])")
_SPACES = ((re.compile(r"[ \t]{2,}"), " "), (re.compile(r"[ \t]+(?=\n)|(?<=\n)[ \t]+"), ""), (re.compile(r"\n{3,}"), "\n\n"))


def _space(text):
    """Runs of blanks, blanks at a line's ends, more than one empty line, and lines that a page wrapped inside a sentence."""
    for pattern, new in _SPACES:
        text = pattern.sub(new, text)
    return _WRAPPED.sub(r"\1 ", text).strip()


FIXES = (
    ("mojibake", _mojibake),
    ("unseen characters", _unseen),
    ("composed letters (NFC)", lambda text: unicodedata.normalize("NFC", text)),
    ("HTML", without_tags),
    ("broken words", _hyphens),
    ("e-mail parts", _mail),
    ("white space", _space),
)


def _plain(text):
    """Whether a text needs no fix, as most short rows do: one line of ASCII without tags, entities, double blanks or a mail's words."""
    return (
        text.isascii()
        and text.isprintable()
        and not ("<" in text or "&" in text or "  " in text or text[:1] == " " or text[-1:] == " ")
        and not _MAYBE_MAIL.match(text)
    )


def clean(text, seen=None):
    """The cleaned text. seen: a Counter to which the names of the fixes that changed the text are added."""
    if _plain(text):
        return text
    changed = set()
    for _ in range(8):  # a fix may lay another's work bare: an entity inside mojibake, a tag inside entities
        before = text
        for name, fix in FIXES:
            fixed = fix(text)
            if fixed != text:
                changed.add(name)
                text = fixed
        if text == before:
            break
    if seen is not None:
        seen.update(changed)
    return text


_LETTERS, _DIGITS, _MARKS = re.compile(r"[^\W\d_]+"), re.compile(r"\d+"), re.compile(r"\S+")
_ASCII_LETTERS = ascii_letters.encode()


def why_drop(text, min_words=3, max_symbols=0.4, max_digits=0.5):
    """The reason for which a text is no use, or None.

    Args:
        min_words: fewer words than this is too short.
        max_symbols: the largest share of characters (without blanks) that are neither letters nor digits.
        max_digits: the largest share of digits among letters and digits.
    """
    # most texts are plainly text: ASCII letters alone are enough to see it, and bytes are counted 20 times faster
    plain = text.encode("ascii", "ignore")
    letters, digits = len(plain) - len(plain.translate(None, _ASCII_LETTERS)), len(plain) - len(plain.translate(None, b"0123456789"))
    seen = len(text) - text.count(" ") - text.count("\n")
    if letters < (1 - max_symbols) * seen or digits > max_digits * (letters + digits):
        letters, digits, seen = (sum(map(len, pattern.findall(text))) for pattern in (_LETTERS, _DIGITS, _MARKS))
        if not seen:
            return "empty"
        if seen - letters - digits > max_symbols * seen:
            return "mostly symbols"
        if digits > max_digits * (letters + digits):
            return "mostly digits"
    if sum(1 for _ in islice(_LETTERS.finditer(text), min_words)) < min_words:
        return "too short" if seen else "empty"
    return None


def without_repeated_edges(pages, lines=3, share=0.5):
    """Pages of one document without their common headers and footers.

    A line among the first or last `lines` of a page that stands there on more than `share` of the pages (three at least) is removed;
    digits count as equal, so that page numbers go too. Takes and returns a list of texts.
    """

    def key(line):
        return re.sub(r"\d+", "0", " ".join(line.split())).lower()

    cut = [[line for line in page.splitlines() if line.strip()] for page in pages]
    seen = Counter()
    for page in cut:
        seen.update({("top", key(line)) for line in page[:lines]} | {("bottom", key(line)) for line in page[-lines:]})
    needed = max(3, share * sum(map(bool, cut)) + 1e-9)
    repeated = {what for what, count in seen.items() if count >= needed}
    if not repeated:
        return list(pages)
    out = []
    for page in cut:
        start, end = 0, len(page)
        keep = [
            line
            for n, line in enumerate(page)
            if not (n < start + lines and ("top", key(line)) in repeated or n >= end - lines and ("bottom", key(line)) in repeated)
        ]
        out.append("\n".join(keep))
    return out
