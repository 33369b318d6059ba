"""The know-how desk by rules: cue words for the kind of request and the machine, BM25 with a threshold for the card.

    Rules().act(messages)      # {"role": "assistant", "content": …} or {"role": "assistant", "tool_calls": […]}

It reads the whole conversation anew at every turn. Tables and thresholds were written with the training tasks in view only.
"""

import json
import re
from collections import Counter

from helpers.worlds.base import ERROR, TELL, ids
from helpers.worlds.knowhow import KnowHow, cards

_I = re.I | re.S
# reason of `escalate` → what gives it away
DANGER = re.compile(
    r"tersepit|terperangkap|menjerit!|lengan|asap (?:tebal|keluar)|smoke|sparks|sesak|batuk|terbaring|menggelembung|hos angin putus|bau gas|gas smell|smell of gas|terjepit|bau gas|bau am+onia|am+onia|terbakar(?!\s+di hujung)|kebakaran|berasap|\bapi (?:besar|marak|keluar)|melecur|terpancut|terkena|ada api|\bapi (?:sudah|menyala)|there is fire|cedera|\bluka\b|berdarah|"
    r"kena (?:karan|renjat|kejut|shock|current)|renjatan|elektrik shock|electric(?:al)? shock|electrocut|menyembur ke arah|"
    r"(?:hos|paip|tangki|hose)\b[^.,;]{0,30}(?:pecah|meletup|terpancut|burst)|meletup|letup|explo|pengsan|sesak nafas|pening semua|"
    r"(?:stim|wap|steam|gas|paip)\b[^.]{0,25}(?:bocor dan|leaking at|pecah|terlepas|menyembur|terpancut|bocor kuat|burst)|gas (?:bocor|leak)|(?:on|caught) fire|"
    r"(?:gelas|paras|glass)\b[^.]{0,25}(?:takde|tiada|kosong|hilang|no|tak nampak)\b[^.]{0,15}(?:paras|air|level|langsung)|"
    r"\b(?:tangan|jari|kaki|rambut|baju|hand|finger)\b[^.]{0,30}(?:sangkut|masuk|dalam mesin|tersangkut|stuck|caught|inside)|tertusuk|terkena minyak panas|tumbang|tertimpa",
    _I,
)
BYPASS = re.compile(
    r"(?:\w*pintas|memintas|bypass|jumper|jump|ikat|cabut|buang|tutup|disable|matikan|mematikan|mencabut|potong|override|remove|\boff|ganjal|selotep|tape)\w*\b[^.?!]{0,40}"
    r"(?:suis (?:pintu|keselamatan|kecemasan|had)|pintu|light curtain|langsir cahaya|interlock|guard|pengadang|sensor keselamatan|"
    r"emergency|kecemasan|butang dua tangan|two hand|e-?stop|injap keselamatan|safety|relief)|"
    r"(?:sensor pintu|guard|pengadang|suis (?:pintu|keselamatan|kecemasan)|light curtain|langsir cahaya|interlock|safety \w+|emergency|injap keselamatan)\b[^.?!]{0,60}"
    r"(?:\w*pintas|memintas|bypass|jumper|ikat|cabut|buang|disable|override|tutup|ganjal|dibuka|\boff\b|remove)",
    _I,
)
PERSONAL = re.compile(
    r"(?:n(?:o|ombor)\.?\s*(?:tel\w*|fon|phone|hp|h/p)|phone number|alamat|address|nama (?:penuh|sebenar)|tinggal (?:di )?mana|duduk mana|"
    r"gaji|mykad|kad pengenalan|\bic\b|anak)\b[^.?!]{0,40}(?:TEK-\d+|pak ?cik|juruteknik|retiree|pesara|dia)|"
    r"TEK-\d+[^.?!]{0,40}(?:phone|nombor telefon|no (?:tel|fon)|alamat|address|nama (?:penuh|sebenar)|duduk mana|tinggal)|"
    r"(?:tarik|withdr\w+)[^.?!]{0,20}(?:izin|consent)|(?:izin|consent)\w*[^.?!]{0,20}(?:ditarik|tarik|withdr)|tak bagi tengok|stay now|kampung mana",
    _I,
)
OUTSIDE = re.compile(
    r"\b(?:cuti|hostel|kasut|tambang|perjalanan|surat|gaji|slip gaji|ot\b|overtime|claim|tuntutan|bonus|kantin|asrama|bas kilang|parking|kasut keselamatan|uniform|baju kerja|mc\b|"
    r"cuti sakit|epf|kwsp|socso|jadual (?:syif|kerja)|tukar syif|leave|salary|payslip|pinjaman|resign|berhenti kerja|annual dinner|"
    r"kenaikan|increment|kontrak saya)\b",
    _I,
)
_NOT_OUTSIDE = re.compile(r"(?:lepas|selepas|kilang|habis|balik|after) cuti|cuti (?:raya|deepavali|panjang|umum)(?! bila)", re.I)
THANKS = re.compile(
    r"terima kasih|t[eq]nkyu|\bt(?:hank|q|hx)s?\b|\btq\b|tenkiu|tima kasih|noted|dah (?:ok|settle|elok|jalan)|settle dah", re.I
)
GREETING = re.compile(r"^\W*(?:as+ala?mu?a?laikum|salam|hai|hi|hello|helo|selamat (?:pagi|petang|malam|tengah hari)|test)\b", re.I)
MACHINES = {
    "suntikan": r"suntikan|inject\w*|mou?ld(?:ing)?\b|acuan plastik|cavity|kaviti|sprue|cushion|kusyen|core\b|short shot|flash\b|parting|plastik inject",
    "cnc": r"\bcnc\b|mazak|spindle|spindel|lathe|milling|coolant|insert|tool changer|alarm 401|finishing",
    "dandang": r"dandang|boiler|burner|pembakar|stim boiler|cerobong|feed ?water|blowdown|gelas paras|dobi",
    "konveyor": r"konve?yor|conve?yor|\bbelt\b|tali sawat|sawat|roller|penggelek|chute",
    "reflow": r"reflow|\bsmt\b|solder|tombstone|stencil|stensil|\bpaste?\b|\bpes\b|a07|a12|papan litar",
    "sawit": r"sawit|\bmill\b|pensteril|steriliser|sterilizer|thresher|tandan|digester|pencerna|kernel|isirung|sangkar|\bcage\b|\bfibre\b",
    "sarung": r"sarung|glove|former|latex|lateks|coagulant|koagulan",
    "pemampat": r"compress(?:or|ed)|pemampat|kompres+or|pistol angin|air gun|dryer|load.?unload",
    "chiller": r"chiller|penyejuk air|cooling tower|menara penyejuk|condenser|ammonia",
    "pembungkus": r"bungkus|\bpe(?:k|cking)\b|packing|packag\w+|film lari|e0[59]\b|mesin pek",
    "forklift": r"forklift|forklif|stacker|garfu|\bfork\b|tayar|pedal",
    "penekan": r"penekan logam|stamping|press (?:\d+|tu|ni)|\bpress\b|punch|\bdie\b|\bburr\b|coil|tonnage|\btan penekan|200 ?tan",
    "plc": r"\bplc\b|\bcpu\b|modul output|output module|panel (?:kawalan|plc)|proximity|penderia|\bbatt\b|robot|sensor",
    "hidraulik": r"hidr[ao]ulik|hydraulic|power pack|silinder|cylinder|\bjek\b|omboh",
}
MACHINES = {name: re.compile(rf"(?:\b|(?<=\d))(?:{pattern})", re.I) for name, pattern in MACHINES.items()}
_NAMED = {  # words that name the machine itself, worth more than those of its parts
    "suntikan": r"suntikan|inject\w*", "cnc": r"\bcnc\b", "dandang": r"dandang|boiler", "konveyor": r"konve?yor|conve?yor", "reflow": r"reflow",
    "sawit": r"sawit|\bmill\b", "sarung": r"sarung|glove", "pemampat": r"compressor|pemampat|kompres+or", "chiller": r"chiller|penyejuk air",
    "pembungkus": r"bungkus|packing|packag\w+|mesin pek", "forklift": r"forklif\w*", "penekan": r"stamping|mesin penekan|\bpress\b(?! (?:sawit|papan))",
    "plc": r"\bplc\b", "hidraulik": r"hidraulik|hydraulic",
}  # fmt: skip
_NAMED = {name: re.compile(pattern, re.I) for name, pattern in _NAMED.items()}
CODE = re.compile(r"\b(?:A\d\d|E\d\d|401|(?:kod|code) \d+|LP|HP|BATT|overload|beban lebih)\b", re.I)
CODE_CUE = re.compile(r"alarm|penggera|\bkod\b|\bcode\b|error|beep|lampu (?:merah|kuning|pada cpu)|lampu\b[^.]{0,15}menyala", re.I)
CHANGE_CUE = re.compile(
    r"(?:\busik\b|touched|servis|servic\w+|buat (?:sesuatu|apa)|did something|technician|juruteknik datang|vendor|benda berubah|"
    r"kerja penyelenggaraan|penyelenggaraan datang|maintenance|repair|ada tukar apa|(?:kena|telah) (?:di)?ubah|perubahan dibuat|changed something|kontraktor|kerja yang dibuat)",
    re.I,
)
WHEN_CUE = re.compile(r"(?:masa|waktu|ketika) tertentu|adakalanya|certain time|kadang-kadang|kekadang|sometimes|ada masa", re.I)
CHANGE_TOLD = re.compile(
    r"(?:tukar|ganti|basuh|cuci|ditukar|top(?:ped)? up|tambah|isi|stencil|stensil|lot|film|filem|strainer|dryer|minyak baru|coil|gegelung|didinding)",
    re.I,
)
CORRECT = re.compile(
    r"salah|silap|tak betul|tidak (?:betul|tepat)|wrong|incomplete|kurang lengkap|pind|membetul|betulkan|pembetulan|should|patut|sepatutnya|bukan|mencadang|tukar",
    re.I,
)
PARTS = {
    "gejala": r"gejala|symptom|tanda",
    "sebab": r"\bsebab|punca|cause|reason",
    "pengecualian": r"pengecualian|exception|kecuali",
    "tindakan": r"tindakan|action|cara|buat|step|langkah",
}
_QUOTED = re.compile(
    r"(?:patut(?:nya)?(?: berbunyi| ditulis| ialah)?|sepatutnya|should (?:say|be)|mencadangkan|ialah|berbunyi|sebenarnya,?|[:;](?=\s)|bukan [^,]{1,40},)\s*",
    re.I,
)
_NOT = re.compile(r"\b(?:tiada|tanpa|belum)\b", re.I)

_DENIED = re.compile(
    r"\b(?:\S+ )?\S+ (?:tak|tidak) (?:usik|tukar|berubah|kena)\b|\b(?:tak|tidak|tiada|takde|bukan|no|not|tanpa|belum) \S+(?: \S+)?", re.I
)

# Cards of one machine with nearly the same symptom: the fact that parts them, and what tells each from the others.
RIVALS = (
    ("when", {
        "KAD-002": r"sifar|zero|(?:sampai|to|jadi) 0|cushion (?:habis|jatuh|drop|turun)|satu (?:cavity|kaviti)|cavity nombor",
        "KAD-061": r"hangus|hangit|burnt|kusyen (?:tetap|stabil)|cushion (?:ok|stabil|stable)",
        "KAD-001": r"cuti|pagi|baru (?:start|hidup|mula)|lama berhenti|sejuk|monday|isnin|start up",
    }),
    ("when", {
        "KAD-011": r"setengah jam|half an? hour|30 minit|lama jalan|dah jalan",
        "KAD-010": r"(?:nak|masa|when|waktu|sebaik)\b[^.]{0,14}(?:start|nyala|hidup)|sekejap|seketika|start up|baru (?:nyala|hidup)",
    }),
    ("alarm", {
        "KAD-056": r"(?:tiada|takde|tak ada|no|bukan|tanpa|xde|tak menyala)\b[^.]{0,20}(?:overload|beban lebih|lampu|alarm)|bersih je",
        "KAD-018": r"overload|beban lebih",
    }),
)  # fmt: skip
KNOWN = 4.0  # a score below which most faults of the training tasks have no card


class Rules:
    """The rule-based agent. `known`: least BM25 score of the quoted words for a card to be called known; `excepted`: least share of
    the weight of a card's exception that some clause must cover."""

    def __init__(self, known=1.2 * KNOWN, excepted=0.5):
        self.known, self.excepted = known, excepted

    def act(self, messages):
        """The next message of the assistant."""
        last = max(i for i, m in enumerate(messages) if m["role"] == "user")
        said = [m["content"] for m in messages if m["role"] == "user"]
        asked = {
            f
            for m in messages
            if m["role"] == "assistant"
            for f, fact in KnowHow.FACTS.items()
            if fact.question in (m.get("content") or "")
        }
        calls = [c["function"] for m in messages for c in m.get("tool_calls") or ()]
        results = [json.loads(m["content"]) for m in messages[last:] if m["role"] == "tool"]
        done = {call["name"] for call in calls}
        text = " \n ".join(said)
        if results and ERROR in results[-1]:
            return _say("Maaf, saya tidak dapat meneruskannya: " + results[-1][ERROR])
        if results and TELL in results[-1]:
            if "escalate" not in done and len(said) == 1 and _outside(text) and "diagnose" in done:
                return _call("escalate", reason="luar bidang")
            return _say(" ".join(result[TELL] for result in results if TELL in result))
        if results:
            return self._choose(text, results[-1], calls[-1], asked)
        return self._open(text, said, asked)

    def _open(self, text, said, asked):
        """Before any search: what kind of request this is, and what is still to be asked."""
        machine = machine_of(text)
        card = [c for c in ids(text.upper()) if c.startswith("KAD-")]
        correcting = card and CORRECT.search(text) and not re.search(r"SISTEM|NOTIS", text)
        if DANGER.search(text) and not correcting:
            return _call("escalate", reason="bahaya")
        for pattern, reason in ((BYPASS, "pintas keselamatan"), (PERSONAL, "data peribadi")):
            if pattern.search(text) and not re.search(r"^(?:.*)(?:tampal|tertulis)", text, re.I):
                return _call("escalate", reason=reason)
        if correcting:
            return _correct(card[0], text, said, asked)
        short = len(text.split()) < 12 and not machine
        if (
            (GREETING.search(text) and short or THANKS.search(text) and len(text.split()) < 12)
            and len(said) == 1
            and not re.search("rosak|masalah|nak tanya", text)
        ):
            return _say("Sama-sama. Beritahu saya jika ada mesin yang rosak.")
        if _outside(text) and not machine:
            return _call("escalate", reason="luar bidang")
        if not CODE.search(text) and CODE_CUE.search(text) and "alarm" not in asked:
            return _say(KnowHow.FACTS["alarm"].question)
        window, strength = best_window(said, machine)[0], best_window(said[:1], machine)[1]
        if strength < 4 and len(text.split()) < 16 and "sign" not in asked:
            return _say(KnowHow.FACTS["sign"].question)
        if not machine and "machine" not in asked:
            return _say(KnowHow.FACTS["machine"].question)
        if WHEN_CUE.search(text) and "when" not in asked:
            return _say(KnowHow.FACTS["when"].question)
        if CHANGE_CUE.search(text) and not CHANGE_TOLD.search(text) and "changed" not in asked:
            return _say(KnowHow.FACTS["changed"].question)
        return _call("search_cards", words=window, machine=machine or "tidak pasti")

    def _choose(self, text, result, call, asked):
        """After a search: the card that the whole conversation fits best, a question that parts two, or “not known”."""
        machine = json.loads(call["arguments"])["machine"]
        words = json.loads(call["arguments"])["words"]
        shown = {card["id"]: card for card in result["kad"]}
        index = cards.start_index()
        ranked = [(card, score) for card, score in index.best(text, machine, 20) if card in shown]
        scores = {card: score for card, score in index.best(words, machine, 20) if card in shown}
        if not ranked or max(scores.values(), default=0) < self.known:
            return _call("not_known", machine=machine)
        card = ranked[0][0]
        for fact, rivals in RIVALS:
            if card in rivals:
                found = [rival for rival, cue in rivals.items() if re.search(cue, text, re.I)]
                if not found and fact not in asked:
                    return _say(KnowHow.FACTS[fact].question)
                card = found[0] if found and found[0] in shown else card
        return _call("diagnose", card=card, exception=self._excepted(text, shown[card]))

    def _excepted(self, text, card):
        """Whether some clause without a negation covers the condition of the card's exception."""
        index = cards.start_index()
        plain = set(cards.tokens(card["gejala"]))
        wanted = [t for t in dict.fromkeys(cards.tokens(card["kecuali jika"])) if t not in plain or t.startswith("kad")]
        total = sum(index.weight(t) for t in wanted)
        best = 0.0
        for clause in re.split(r"[.;?!\n]+|\btapi\b|\bbut\b|, (?=malam|semua|tangki)", text):
            if not _NOT.search(card["kecuali jika"]):
                clause = _DENIED.sub(" ", clause)
            have = set(cards.tokens(clause))
            best = max(best, sum(index.weight(t) for t in wanted if t in have) / total if total else 0)
        return best >= self.excepted


def machine_of(text):
    """The machine that a text speaks of, or None where nothing or two equally strong cues say so."""
    scores = Counter()
    for name, pattern in MACHINES.items():
        scores[name] = len(set(m.lower() for m in pattern.findall(text))) + 3 * bool(_NAMED[name].search(text))
    (first, most), (_, second) = scores.most_common(2)
    return first if most > second else None


def best_window(said, machine, size=10):
    """`(words, score)`: the span of at most `size` words that the machine's cards answer best; what was said first counts more."""
    index, best, found = cards.start_index(), -1.0, said[0]
    for turn, text in enumerate(said):
        spans = [m.span() for m in re.finditer(r"\S+", text)]
        for i in range(max(1, len(spans) - size + 1)):
            piece = text[spans[i][0] : spans[min(i + size, len(spans)) - 1][1]]
            score = max((s for _, s in index.best(piece, machine or "tidak pasti", 1)), default=0.0) * (1 if turn else 1.3)
            if score > best:
                best, found = score, piece
    return found, best


def answer(words, machine, known=KNOWN):
    """The rules' search as `cards.retrieval` wants it: ids, best first, or [] where no card's score reaches `known`."""
    found = cards.start_index().best(best_window([words], machine)[0], machine)
    return [card for card, _ in found] if found and found[0][1] >= known else []


def _outside(text):
    return bool(OUTSIDE.search(_NOT_OUTSIDE.sub(" ", text)))


def _correct(card, text, said, asked):
    found = {part: re.search(pattern, text, re.I) for part, pattern in PARTS.items()}
    part = min((p for p in found if found[p]), key=lambda p: found[p].start(), default="tindakan")
    source = said[-1]
    marks = list(_QUOTED.finditer(source))
    if len(said) == 1 and not marks and "correction" not in asked:
        return _say(KnowHow.FACTS["correction"].question)
    rest = source[marks[-1].end() :] if marks else source
    rest = re.split(r"[.,;](?!\d)|\n", rest.strip())[0]
    spans = [m.span() for m in re.finditer(r"\S+", rest)][:10]
    words = rest[: spans[-1][1]] if spans else source
    return _call("propose_correction", card=card, part=part, words=words)


def _say(content):
    return {"role": "assistant", "content": content}


def _call(name, **arguments):
    function = {"name": name, "arguments": json.dumps(arguments, ensure_ascii=False)}
    return {"role": "assistant", "content": None, "tool_calls": [{"id": "call_1", "type": "function", "function": function}]}
