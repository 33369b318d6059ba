"""The counter's work by rule: keywords and patterns, no model. The yardstick that a tuned model has to beat.

    route("lesen lori nak mati, nak sambung")     # ("JPJ", "biasa")
    Rules().act(messages)                         # the next assistant message, OpenAI-shaped

Developed on the training tasks only. Short forms are made standard words first (`helpers.malay.shortforms`).
"""

import functools
import json
import re
import tomllib
from pathlib import Path

from helpers.worlds.base import TELL, ids
from helpers.worlds.counter import Counter, knowledge

_DATA = tomllib.loads((Path(__file__).parent / "data" / "rules.toml").read_text(encoding="utf-8"))
AGENCY = _DATA["agency"]  # agency → its words; the agency with most of them wins, the first one where two are even
HAND = _DATA["hand"]  # reason → what sounds like it
EMERGENCY, HURT, HAZARD, ACCIDENT = (_DATA[name] for name in ("emergency", "hurt", "hazard", "accident"))
LOST, NOT_LOST, SUSPECT = (_DATA[name] for name in ("lost", "not_lost", "suspect"))
QUESTION, REQUEST, THANKS, SPLIT, NO = (_DATA[name] for name in ("question", "request", "thanks", "split", "no"))
_GREETING, _EMPTY = frozenset(_DATA["greeting"].split()), frozenset(_DATA["empty"].split())


@functools.lru_cache(maxsize=2000)
def standard(text):
    """The text in standard words, in lower case."""
    from helpers.malay import shortforms

    return shortforms.normalise(text).text.lower()


def _has(pattern, text):
    return bool(re.search(pattern, text, re.I))


def agency_of(text):
    """The agency with most keywords in a text, or None."""
    text = re.sub(
        r"(?i)(?:nombor|no\.?|number)?\s*(?:mykad|kad pengenalan|ic)\b[^.,]{0,30}\d{6}\S*|\b(?:Jalan|Taman|Kampung) (?-i:[A-Z])\w+",
        " ",
        text,
    )
    elsewhere = re.sub(
        r"(?:(?i:saya telah ke|i went to|went to|sudah pergi|dah pergi) [A-Z]{3,5}\b[^.]*[.])|(?:(?i:pihak |pegawai )?[A-Z]{3,5} (?:told|suruh|meminta|said|kata|memaklumkan)[^.:]*[.:])",
        " ",
        text,
    )
    text = elsewhere if len(elsewhere.split()) > 2 else text
    score = {a: len(set(re.findall(rf"\b(?:{words})\b", standard(text)))) for a, words in AGENCY.items()}
    best = max(score, key=score.get)
    return best if score[best] else None


def route(text):
    """(agency, urgency) of a message that is to be routed: the keyword router. Without any keyword: the council."""
    low = standard(text)
    if _has(EMERGENCY, low):
        return "999", "kecemasan"
    if _has(SUSPECT, low):
        return ("NSRC", "segera") if _has(LOST, low) and not _has(NOT_LOST, low) else ("MCMC", "biasa")
    agency = agency_of(text) or "MPS"
    if agency == "NSRC" or (agency == "MPS" and _has(rf"\b(?:{HAZARD})", low)):
        return agency, "segera"
    return ("MPS", "segera") if _has(rf"\b(?:{HAZARD})", low) and not _has(REQUEST, low) else (agency, "biasa")


def matters(text):
    """What a message wants, the most urgent first: tuples such as ("route", "JPN", "biasa"), ("search", words), ("hand", reason), ("ask", fact)."""
    text = re.sub(r"“[^”]*”|\[[^\]]*\]|\"[^\"]*\"", " ", text)
    found = []
    parts = re.split(SPLIT, text, flags=re.I)
    if _has(EMERGENCY, standard(text)):  # in a hurry people leave out the connecting word
        parts = [sentence for part in parts for sentence in re.split(r"(?<=[.!?])\s+", part)]
    for part in parts:
        one = _matter(part)
        if one and one not in found:
            found.append(one)
    if len(found) > 1:
        found = [m for m in found if m != ("ask", "hal")]
    rank = {"kecemasan": 0, "segera": 1}
    return sorted(found, key=lambda m: rank.get(m[-1], 2))


def _matter(text):
    low = standard(text)
    if not re.search(r"\w{2}", low):
        return None
    if _has(EMERGENCY, low):
        return "route", "999", "kecemasan"
    if _has(SUSPECT, low) and not _has(QUESTION.replace(r"\?|", ""), low):
        if _has(NOT_LOST, low):
            return "route", "MCMC", "biasa"
        return ("route", "NSRC", "segera") if _has(LOST, low) else ("ask", "wang")
    if re.search(r"^\W*(?:tuan, |salam,? |bos |hi,? )?(?:kad saya|my card)\b", low):
        return "ask", "hal"
    for reason, pattern in HAND.items():
        if _has(pattern, low) and not (reason == "rayuan" and _has(r"still open|dibuka|bilakah|\bbila\b", low)):
            return "hand", reason
    if _has(rf"\b(?:{ACCIDENT})", low) and not _has("tiada sesiapa|tidak ada yang|takde siapa|tiada siapa|aduan|lapor", low):
        return "ask", "bahaya"
    if _has(rf"\b(?:{HAZARD})", low) and not _has(r"\b(?:berapa|bilakah|lapor anjing)\b", low):
        return "route", "MPS", "segera"
    if _has(QUESTION, low) and not _has(REQUEST, low):
        query = _subject(text)
        return (
            ("search", query)
            if query and knowledge.words(query) and len(knowledge.words(query)) > 0 and not _vague(low)
            else ("ask", "hal")
        )
    agency = agency_of(text)
    if agency:
        return "route", agency, "segera" if agency == "NSRC" else "biasa"
    if _has(THANKS, low) and not _has(r"\b(?:tak settle|not settled|tanya|ask|tolong|urus|belum selesai|masih belum)\b", low):
        return None
    return "ask", "hal"


def _vague(low):
    return not set(knowledge.words(low)) - _EMPTY - _GREETING


def _subject(text):
    """The ten words that carry a question: its own sentence, with greetings and question words off both ends."""
    sentences = re.split(r"(?<=[.?!])\s+", text.strip())
    best = max(sentences, key=lambda one: (_has(QUESTION, standard(one)), len(knowledge.words(one))))
    tokens = best.split()
    for end in (0, -1):
        while tokens and (
            not (words := knowledge.words(tokens[end]))
            or set(words) <= _GREETING
            or set(standard(tokens[end]).strip(" ,.?!").split()) <= _GREETING
        ):
            tokens.pop(end)
    return " ".join(tokens[:10]).strip(" .,?!")


def spans(field, text):
    """The words of a text that hold a field's value, or None."""
    from helpers.malay.dates import find_dates
    from helpers.malay.identifiers import find_mykads, find_phones, find_plates
    from helpers.malay.quantities import find_amounts

    if field in ("nama", "tempat"):
        match = re.search(_NAME if field == "nama" else _PLACE, text)
        return match and match.group(1).strip(" .,")
    if field == "tarikh":
        match = re.search(
            r"(?i)\b(?:semalam|smlm|malam tadi|hari ini|pagi tadi|\w+ hari (?:lepas|lalu)|(?:isnin|selasa|rabu|khamis|jumaat|sabtu|ahad) (?:lepas|lalu))\b",
            text,
        )
        found = [d for d in find_dates(text) if d.day and d.month]
        return text[found[0].start : found[0].end] if found else match and match.group()
    finder = {"mykad": find_mykads, "telefon": find_phones, "plat": functools.partial(find_plates, uncertain=True), "amaun": find_amounts}[
        field
    ]
    found = [f for f in finder(text) if field != "amaun" or f.value > 0]
    return text[found[0].start : found[0].end] if found else None


_CAP = r"(?:[A-Z][\w'’]*|a/[lp]|bin|binti|anak)"
_NAME = rf"(?:(?i:nama(?: penuh)? (?:saya|aku)|my name(?: is)?|\bsaya|\bsy)[, ]+(?:ialah )?)((?:{_CAP})(?: {_CAP})+)"
_PLACE = r"(?:(?i:lokasinya di|place:|dekat|kat|di) )((?:kedai tepi surau |pasar raya |depan )?(?:[A-Z][\w]*)(?: [A-Z0-9]\w*| blok \w)*)"
_LEAD = re.compile(
    r"(?i)^(?:maklumatnya ialah|untuk makluman,?|it'?s|nama (?:saya|aku|penuh saya)(?: ialah)?|nombor saya|no sy|ni|sy|saya|di|kat|pada)\s+|\s*\b(?:ya|je|la)\b[.\s]*$"
)


class Rules:
    """The rule-based agent: `act` gives the next message for a conversation."""

    def act(self, messages):
        """The next assistant message: text, or one tool call."""
        said, done, asked, told = self._read(messages)
        opening = said[0] if said else ""
        wanted = matters(opening)
        for fact in ("hal", "wang", "bahaya"):
            if ("ask", fact) in wanted:
                if fact not in asked:
                    return _say(Counter.FACTS[fact].question)
                reply = asked[fact] or ""
                place = wanted.index(("ask", fact))
                wanted[place : place + 1] = self._cleared(fact, reply, opening)
        for matter in wanted:
            step = self._step(matter, done)
            if step:
                return step
        return self._form(said, done, asked, told) or _say(" ".join(told) or "Sama-sama. Kaunter ini sedia membantu jika ada hal lain.")

    def _read(self, messages):
        """What the citizen said, the calls with their results, fact → reply, and sentences not passed on yet."""
        said, done, asked, told, calls, open_fact = [], [], {}, [], {}, None
        for message in messages:
            if message["role"] == "user":
                said.append(message["content"])
                if open_fact:
                    asked[open_fact] = message["content"]
                open_fact = None
            elif message["role"] == "assistant" and message.get("tool_calls"):
                for call in message["tool_calls"]:
                    calls[call["id"]] = (call["function"]["name"], json.loads(call["function"]["arguments"]))
            elif message["role"] == "assistant":
                told = []
                open_fact = next((name for name, fact in Counter.FACTS.items() if fact.question in (message["content"] or "")), None)
                if open_fact:
                    asked.setdefault(open_fact, "")
            elif message["role"] == "tool":
                result = json.loads(message["content"])
                done.append((*calls.get(message.get("tool_call_id"), ("", {})), result))
                told += [result[TELL]] if TELL in result else []
        return said, done, asked, told

    def _cleared(self, fact, reply, opening):
        """What is wanted once a question has been answered."""
        low = standard(reply)
        if fact == "hal":
            return [m for m in matters(reply) if m != ("ask", "hal")][:2]
        if fact == "wang":
            return [("route", "NSRC", "segera") if not _has(NO, reply) and not _has(NOT_LOST, low) else ("route", "MCMC", "biasa")]
        return [("route", "999", "kecemasan") if _has(HURT, low) else ("route", "MPS", "segera")]

    def _step(self, matter, done):
        """The call that a matter still needs, or None."""
        kind, value = matter[:2]
        tried = [(name, arguments, result) for name, arguments, result in done]
        if kind == "route":
            return (
                None
                if any(n == "route" and a["agency"] == value for n, a, _ in tried)
                else _call("route", agency=value, urgency=matter[2], n=len(done))
            )
        if kind == "hand":
            return (
                None
                if any(n == "hand_over" and a["reason"] == value for n, a, _ in tried)
                else _call("hand_over", reason=value, n=len(done))
            )
        if kind == "search":
            found = next((r for n, _, r in tried if n == "search_knowledge"), None)
            if found is None:
                return _call("search_knowledge", query=value, n=len(done))
            if any(n == "answer" or (n == "hand_over" and a["reason"] == "tiada maklumat") for n, a, _ in tried):
                return None
            passage = self._fits(value, found.get("petikan", []))
            return _call("answer", passage=passage, n=len(done)) if passage else _call("hand_over", reason="tiada maklumat", n=len(done))
        return None

    def _fits(self, query, passages):
        """The id of the passage that has most of the query's words, where it is in force and has at least half of them."""
        terms = set(knowledge.words(query))
        best = None
        for passage in passages:
            share = len(terms & set(knowledge.words(passage["teks"]))) / max(1, len(terms))
            if share >= 0.5 and passage["status"] != "luput" and (best is None or share > best[0] + 1e-9):
                best = share, ids(passage["id"])[0]
        return best and best[1]

    def _form(self, said, done, asked, told):
        """Ask whether the form is wanted, then fill it or ask for what is missing; None when there is nothing left to do."""
        routed = [r for n, _, r in done if n == "route" and "borang" in r]
        if not routed:
            return None
        if "borang" not in asked:
            return _say(" ".join([*told, Counter.FACTS["borang"].question]))
        if _has(NO, asked["borang"]) or not asked["borang"]:
            return None
        fields = routed[0]["borang"]
        filled = {a["field"] for n, a, r in done if n == "fill_form"}
        for field in [f for f in fields if f not in filled]:
            if asked.get(field):
                words = spans(field, asked[field]) or _LEAD.sub("", _LEAD.sub("", asked[field])).strip(" .")
                return _call("fill_form", field=field, value=" ".join(words.split()[:10]), n=len(done))
            words = next((w for w in (spans(field, text) for text in said) if w), None)
            if words:
                return _call("fill_form", field=field, value=" ".join(words.split()[:10]), n=len(done))
            if field not in asked:
                return _say(Counter.FACTS[field].question)
        return None


def _say(text):
    return {"role": "assistant", "content": text}


def _call(tool, n=0, **arguments):
    call = {"id": f"k{n}", "type": "function", "function": {"name": tool, "arguments": json.dumps(arguments, ensure_ascii=False)}}
    return {"role": "assistant", "content": None, "tool_calls": [call]}
