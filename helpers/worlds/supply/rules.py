"""The supply desk's work by rule: keywords, patterns and arithmetic, no model. The yardstick that a tuned model has to beat.

    Rules().act(messages)          # the next assistant message, OpenAI-shaped

Reading the tools' rows is exact (a comparison of numbers); what can go wrong is the reading of the person. Its words
come from the training tasks and their grammar; words that only the development tasks have were taken out again.
"""

import json
import re
from typing import get_args

from helpers.malay import dates, shortforms
from helpers.worlds.base import TELL, ids
from helpers.worlds.supply import Place, Supply, durations

_ONLY = r"\b(?:sahaja|hanya|je|jer|cuma|only|just|alone|satu jenis|one of our|on hold|yang lain|lain2|lain-lain|others|other parts)\b"
_PLACE_WORDS = r"(?<!tak )(?<!tidak )\b(?:jalan|laluan|lebuh ?raya|pelabuhan|port|route|border|sempadan|kawasan|luar negara|negeri|tempat lalu|tmpt lalu|gempa|lorries|kastam)\b"
# outcome → words, looked for in this order
WORDS = {
    "mencurigakan": r"akaun (?:bank|baru|baharu|lain)|no akaun|nombor akaun|bank (?:account|details)|deposit|wang (?:pendahuluan|tunai)|duit dulu|(?:minta|mintak) duit|cash upfront|e-?wallet|dompet|tng|"
    r"(?:tanpa|without|tidak payah|tak payah|tidak lagi) .{0,12}(?:kelulusan|approv\w*|diperlukan)|kelulusan tidak lagi",
    "luar_skop": r"cuti tahunan|approve drf|luluskan (?:draf|tuntutan|cuti)|meluluskan (?:draf|tuntutan|cuti)|approve (?:the draft|my|claim|drf)|claim|gaji|salary|bilik mesyuarat|meeting room|bilik meeting|"
    r"harga (?:tembaga|keluli|besi|minyak)|steel price|attendance|kehadiran|punch card|tuntutan perjalanan|\bleave\b",
    "kualiti": r"recall|panggil(?:an)? balik|memanggil balik|cacat|retak halus|keretakan halus|bocor elektrolit|karat|berkarat|rust|defect\w*|reject|out of spec|lari (?:saiz|ukuran)|tidak menepati|"
    r"mudah pecah|senang pecah|crack easily|suspect lot|quarantine|return one|pulang(?:kan)? satu lot|komplen|mengadu",
    "dibatalkan": r"batal|cancel\w*|called off|(?:di)?tarik(?:nya)? balik|menarik balik|withdr[ae]w|tidak jadi|tak jadi|telah berakhir|already over|silap|by mistake|backlog cleared|fully recovered|"
    r"(?:operasi|jalan|beroperasi) (?:semula|balik) (?:sepenuhnya|barang)|back to normal|masuk (?:kerja|keje) balik|lupakan|abaikan notis|sudah (?:ok|settle|jalan balik)|telah beroperasi semula|dah settle|tunggak",
    "tiada_gangguan": r"katalog|jemput\w*|invit\w*|kalendar|anugerah|award|newsletter|buletin|rumah terbuka|hari terbuka|annual dinner|jamuan|latihan kebakaran|fire drill|diperbaharui|renewed|renew awal|"
    r"pengurus akaun yang baharu|new account|sales baru|tukar (?:sales|kotak)|kotak pembungkusan|carton|wish|accounts team|(?:beroperasi|jalan|continue|hantaran tidak terjejas).{0,12}(?:seperti biasa|macam biasa|as usual)?.{0,20}ikut jadual|"
    r"on schedule|as usual|macam biasa, hantaran",
}
_RUMOUR = r"dengar|ura-ura|khabar angin|viral|rumou?r|heard|posted on|tiktok|telegram|facebook|media sosial|(?<!punya )orang (?:ckp|cakap|kata)|driver lori|people are saying|mendakwa|some(?:one)? (?:posted|tiktok)|member aku|sembang"
_INFO = r"jangan (?:order|pesan|buat|sediakan)|jgn (?:order|pesan|buat)|no (?:order|po|draft)|don'?t order|info only|tanya (?:je|saja|sahaja)|saja tanya|sekadar (?:ingin|menyediakan)|takyah|tidak payah|tak payah order|hanya bertanya|tanpa membuat draf|pertanyaan sahaja|just asking|for report|utk report|untuk report|nak tahu je|nak tau je|tidak mahu pesanan"
_WHO_ELSE = r"siapa (?:boleh )?ganti|sapa (?:boleh|leh) ganti|who (?:else )?can|pembekal lain yang mana|alternatif apa"
_THANKS = r"terima kasih|thanks|thank you|\btq\b|mekasih|maka?seh|timo kasih|noted|jumpa esok|ok ok|selesai|terbaik|orait|cantik|dihargai|case closed|all for now"
_YES = r"\b(?:ya|dah|sudah|betul|yes|already|confirmed|sah|telah|mengaku\w*|ngaku|verified)\b"
_NO = r"\b(?:belum(?:lah)?|blm|blum|not yet|tak|tidak|tiada|takde|no|nobody|only saw|sembang)\b"
_OLD = r"(?:sejak|since|with them for|dgn dorang|deal|selama ini)\W*(?:\w+\W+){0,2}$"
_TIMES = "|".join(durations._SOON) + r"|\b(?:sampai|hingga|until|tunggu)\s+(?:hari\s+)?(?:isnin|selasa|rabu|khamis|jumaat|sabtu|ahad)\b"


class Rules:
    """Answers a conversation by rule."""

    def act(self, messages):
        """The next assistant message."""
        people = [m["content"] for m in messages if m["role"] == "user"]
        calls, results = _history(messages)
        step = self._next(people, calls, results, messages)
        if isinstance(step, str):
            return {"role": "assistant", "content": step}
        name, arguments = step
        call = {"id": f"c{len(calls)}", "type": "function"}
        call["function"] = {"name": name, "arguments": json.dumps(arguments, ensure_ascii=False)}
        return {"role": "assistant", "content": None, "tool_calls": [call]}

    def _next(self, people, calls, results, messages):
        if not calls:
            return self._read(people, messages)
        info = re.search(_INFO, _plain(" ".join(people)))
        if calls[0][0] not in ("check_supply", "check_place") or "berisiko" not in results[0]:
            return _tell(results)
        at_risk = [row["bahagian"] for row in results[0]["berisiko"]]
        if info:
            todo = [part for part in at_risk if re.search(_WHO_ELSE, _plain(people[0])) and ("alternatives", part) not in _made(calls)]
            return ("alternatives", {"part": todo[0]}) if todo else _tell(results)
        made = _made(calls)
        for part in at_risk:
            if ("alternatives", part) not in made:
                return "alternatives", {"part": part}
            if ("draft_order", part) in made:
                continue
            outcome, supplier = _choose(next(r for (name, a), r in zip(calls, results) if name == "alternatives" and a["part"] == part))
            if supplier:
                return "draft_order", {"part": part, "supplier": supplier}
            if ("close_notice", outcome) not in made:
                return "close_notice", {"outcome": outcome}
        if not at_risk and len(calls) == 1 and "tiada dalam daftar" not in results[0].get(TELL, ""):
            return "close_notice", {"outcome": "tiada_risiko"}
        return _tell(results)

    def _read(self, people, messages):
        """The first step for what the person has said so far: a question or a call."""
        text = "\n".join(people)
        plain = _plain(text)
        asked = [m["content"] for m in messages if m["role"] == "assistant"]
        facts = {name: fact.question for name, fact in Supply.FACTS.items()}
        subject, place = _subject(text), _place(text)
        quote = _quote(people)
        if re.search(_THANKS, plain) and not (subject or place) and len(people) == 1:
            return Supply.SAYS["tamat"]
        rumour = re.search(_RUMOUR, plain)
        if not rumour:
            found = _outcome(plain, bool(quote), bool(subject or place))
            if found:
                return "close_notice", {"outcome": found}
        elif facts["confirmed"] not in asked:
            return facts["confirmed"]
        else:
            answer = _plain(people[-1])
            if re.search(_NO, answer) and not re.search(r"^\W*(?:ya|dah|sudah|yes|already|confirmed|sah)\b", answer):
                return "close_notice", {"outcome": "belum_disahkan"}
        trouble = (
            subject
            or place
            or quote
            or len(plain.split()) > 9
            or re.search(r"stop|tutup|putus|rosak|sangkut|masalah|issue|problem|stoppage|banjir|pembekal|supplier|vendor|mesin", plain)
        )
        if not trouble or facts["notice"] in asked and len(people) == 2 and not (subject or place or quote):
            if facts["notice"] in asked or re.search(_THANKS, plain):
                return Supply.SAYS["tamat"]
            return facts["notice"]
        if not subject and not place:
            wanted = "part" if re.search(_ONLY, plain) and quote else "place" if re.search(_PLACE_WORDS, plain) else "supplier"
            return facts[wanted] if facts[wanted] not in asked else ("close_notice", {"outcome": "luar_skop"})
        if not quote:
            if facts["duration"] not in asked:
                return facts["duration"]
            quote = people[-1] if len(people[-1].split()) <= 10 else "tidak pasti"
        if place and (not subject or text.find(place) < text.find(subject)):
            return "check_place", {"place": place, "duration": quote}
        return "check_supply", {"subject": subject, "duration": quote}


def _history(messages):
    """(name, arguments) of every call so far, and the tools' results, since the person opened."""
    calls = [(c["function"]["name"], json.loads(c["function"]["arguments"])) for m in messages for c in m.get("tool_calls") or []]
    return calls, [json.loads(m["content"]) for m in messages if m["role"] == "tool"]


def _made(calls):
    return {(name, arguments.get("part") or arguments.get("outcome")) for name, arguments in calls}


def _tell(results):
    return " ".join(dict.fromkeys(r.get(TELL) or r.get("ralat", "") for r in results)) or Supply.SAYS["tamat"]


def _choose(result):
    """(None, supplier) by the policy's rule, or (outcome, None)."""
    rows = [row for row in result.get("calon", []) if row["sah"] == row["sempat"] == "ya"]
    if not rows:
        return "tiada_calon", None
    best = min(rows, key=lambda row: (row["kos_RM"], -int(row["sijil_hingga"].replace("-", "")), row["pembekal"]))
    return (None, best["pembekal"]) if best["kos_RM"] <= result["had_RM"] else ("melebihi_had", None)


def _plain(text):
    return shortforms.normalise(text).text.casefold()


def _outcome(plain, timed, named):
    for name, words in WORDS.items():
        if re.search(words, plain):
            if (
                name in ("kualiti", "tiada_gangguan", "dibatalkan")
                and timed
                and not re.search(r"jemput|invit|jamuan|recall|panggil|batal|cancel|tarik balik", plain)
            ):
                continue  # with a length of time it is a disruption after all
            if name == "luar_skop" and named:
                continue  # pay is what the strike is about
            return name
    return None


def _subject(text):
    """The supplier's or part's number that a message is about: a part that is named as the only one goes first."""
    found = ids(text)
    parts = [name for name in found if name.startswith("PRT-")]
    suppliers = [name for name in found if name.startswith("SUP-")]
    return (parts or suppliers or [None])[0]


def _place(text):
    spots = [(m.start(), -len(place), place) for place in get_args(Place) for m in re.finditer(rf"\b{place}\b", text, re.I)]
    spots += [(m.start(), 0, "Lebuhraya Karak") for m in re.finditer(r"\bkarak\b", text, re.I)]
    return min(spots)[2] if spots else None


def _quote(people):
    """The words that say how long it lasts, the latest message first; None where nothing does."""
    for text in reversed(people):
        found = [text[d.start : d.end] for d in dates.find_dates(text) if d.month and d.calendar == "masihi" and (d.day or d.vague)]
        if found:
            return found[-1]
        for match in durations._COUNTED.finditer(text):
            before = text[: match.start()]
            if match["year"] or re.search(_OLD, before, re.I):
                continue
            tail = re.match(r"\s+(?:working|business)\s+days?", text[match.end() :], re.I)
            return text[match.start() : match.end() + (tail.end() if tail else 0)]
        work = re.search(rf"{durations._NUMBER}\s+(?:working|business)\s+days?", text, re.I)
        if work:
            return work.group()
        soon = re.search(_TIMES, text, re.I)
        if soon:
            return soon.group()
        unknown = durations._UNKNOWN.search(text)
        if unknown and len(unknown.group().split()) <= 10:
            return unknown.group()
    return None
