"""The customer counter by rules: what a keyword system, honestly made, does with the same conversations.

    Rules().act(messages)      # the next assistant message: words, or one tool call, in the OpenAI shape

Stateless: at each turn it reads the whole conversation again, finds what the person wants by patterns, and takes the
first step that is still open: ask, call a tool, or pass on what the tools said. Developed on `data/train.jsonl` alone.
"""

import json
import re

from helpers.worlds.base import ERROR, TELL, ids
from helpers.worlds.customer import CODES, MortgageCounter
from helpers.worlds.mortgage.fields import fold

GREETING = "Sama-sama. Jika ada urusan pembiayaan rumah, sila beritahu saya."
_OTHER = (
    r"(?:suami|isteri|laki|bini|bekas|abang|kakak|adik|bapa|ayah|emak|mak|ibu|jiran|kawan|rakan|sister|brother|wife|husband|mother|"
    r"father|friend|tunang|mertua\w*|sepupu|pekerja|staf)"
)
# Refusals: subject → what asks for it. The first that holds is taken.
REFUSALS = {
    "ubah angka": r"(?:ubah|tukar|pinda|padam|buang|naikkan|tinggikan|turunkan|kurangkan|edit|change|adjust|remove|delete|increase|lower|betulkan)\w*"
    r".{0,40}(?:gaji|salary|hutang|angka|figure|komitmen|income|pendapatan|umur|tunggakan|harga|rekod|slip|loan)"
    r"|(?:gaji|hutang|angka|komitmen|tunggakan)\b.{0,30}(?:jangan masuk|tak payah masuk|naikkan|dinaikkan|padam|sorok|diubah|dipinda)|tersalah taip"
    r"|(?:naik|tambah)\w*.{0,15}(?:angka|gaji|kwsp|nilai)|(?:put|make|set) (?:my )?(?:salary|income).{0,15}(?:high|more)|sorok\w*|gugurkan|takde tunggakan|"
    r"(?:edit|change|remove|tukar|ubah)\w* (?:my |the |umur |angka )?(?:age|arrears|credit|debt|card|saya)|arrears to zero|catat.{0,20}(?:lebih tinggi|lebih rendah)",
    "desakan lulus": r"(?:luluskan|meluluskan|diluluskan)(?! oleh).{0,40}(?:terus|je|saja|hari ini|segera|la\b|sahaja|sekarang)|tandakan.{0,25}lulus|"
    r"(?:just|must|please) approve|approve (?:it|my|je|saja|terus|today|now)|mark as approved|better approve|bagi lulus|lulus je|tak luluskan|abaikan dasar|ignore your policy|supaya kelulusan|ganjaran|viral|pay you|habuan|upah|duit kopi|under ?table|belanja|imbuhan|sogok|rasuah|kenal(?:an)?\b.{0,30}(?:pengarah|pengurus|director|manager)"
    r"|notis sistem|mod pegawai|tukar syor",
    "fail orang lain": rf"(?:fail|akaun|permohonan|loan|status|gaji|hutang|baki|account|file)\b.{{0,25}}\b{_OTHER}\b(?! (?:saya|i) dan saya)"
    rf"|\b(?:tanya|tengok|semak|check)\w*.{{0,15}}(?:for|bagi pihak|untuk) (?:her|him|dia|{_OTHER})|\b{_OTHER}\b (?:saya |i )?(?:mohon|punya|busy|suruh)"
    r"|majikan kepada|bagi pihak|\bmy (?:friend|tenant|client|sister|brother|mother|father|wife|husband|colleague|boss|neighbour)\b|"
    r"(?:rakan sekerja|pelanggan|penyewa|kawan|anak|jiran) saya\b(?!.{0,12}bersama)|\b(?:kawan|laki|bini|jiran|adik|abang|kakak) (?:saya|sy)\b|bekas (?:bini|laki|isteri|suami)|(?:hutang|gaji) (?:beliau|dia)\b",
}  # fmt: skip
COMPLAINT = r"\badu(?:an|kan)?\b|mengadu|complain\w*|complaint|komplen|rayu\w*|merayu|appeal|nak report|rungutan|tidak bersetuju"
SUBJECT = {
    "caj": r"\bcaj|charge[ds]?|\bfee\b|yuran|\bRM ?\d|tolak dua kali|double|\bkena potong|deduct",
    "keputusan": r"keputusan|penolakan|kena reject|\breject|ditolak|kena tolak|merayu|appeal|menolak permohonan|decision",
    "kelewatan": r"lewat|lambat|menunggu|tertangguh|lembap|\blama\b|belum tiba|belum (?:ada )?jawap|tak dijawab|delay|\bslow|bulan (?:dah )?tunggu|late\b",
    "layanan": r"layan|kasar|tengking|biadab|rude|telefon|kaunter|staf|pegawai|service|app\b|aplikasi|hotline|sombong",
}  # fmt: skip
DOCUMENTS = {
    "slip gaji 3 bulan": r"slip gaji|pay ?slips?", "penyata bank 6 bulan": r"penyata bank|bank statement",
    "penyata KWSP": r"kwsp|\bepf\b", "pendaftaran SSM": r"\bssm\b", "borang B": r"borang b\b|form b\b",
    "mykad": r"(?:salinan|fotokopi) (?:ic|mykad|kad pengenalan)|(?:copy|photocopy) (?:of )?(?:ic|mykad)|kad pengenalan.{0,20}(?:serah|hantar|bawa)",
}  # fmt: skip
_HANDED = r"serah|hantar|bawa|bawak|\bni\b.{0,30}(?:diminta|mintak)|receive|ambik|(?:the|my|attached|here is).{0,20}that|baru dapat|minta\b|submit|upload|terima|letak|\bni ha\b|\bnah\b|print|siap|dah dapat|dah buat|salinan|lampir|attach|bersama-sama ini"
SETTLE = r"penyelesaian|menyelesaikan|nak settle|jelaskan semua|caj atau rebat|full settlement|langsai|\btutup\b|settle|redeem|lunas|menjelaskan semua|bayar (?:abis|habis)|habiskan|bayar balik pada bank|ibra"
WHEN = {
    "setahun lagi": r"setahun|satu tahun|tahun depan|next year|12 bulan|a year",
    "enam bulan lagi": r"(?:enam|6) bulan|six months", "tiga bulan lagi": r"(?:tiga|3) bulan|three months",
    "bulan ini": r"bulan (?:ini|ni)|this month|sekarang|hari ini|right now",
}  # fmt: skip
ASSESS = r"layak|peluang|anggaran ansuran|kira ansuran|chance to|boleh dapat|monthly instal|mampu|kemampuan|kelayakan|kira\b|dikira|nilai(?!an rumah)|penilaian|syor|assess\w*|eligib\w*|lepas|lepah|sangkut|dapat rumah|dapat,? sik|berapa bank"
ISLAMIC, CONVENTIONAL = r"islami[ck]|syariah|kadar keuntungan", r"kon?vensional|conventional|yang biasa"
ALONE = r"\bseorang|\bsorang|single|alone|under my name|tunggal|no partner|guna income i|nama (?:i|saya) (?:je|saja)|sendiri(?:an)? mohon|\bsolo\b"
TOGETHER = r"bersama|berdua|joint|\bkami\b|laki bini|suami isteri|we all|dua belah"
TOPICS = {
    "dokumen bekerja sendiri": r"(?:meniaga|niaga|sendiri|self|kedai|gerai|freelance).{0,60}(?:dokumen|bawa|document|slip)|takde slip",
    "dokumen bergaji": r"(?:apa|apakah|what).{0,20}(?:dokumen|document)|dokumen apa",
    "rumah ketiga": r"rumah (?:yang )?ketiga|third (?:house|one|property)|rumah (?:nombor|no\.?) (?:tiga|3)|margin",
    "penyelesaian awal": r"(?:langsai|settle|penyelesaian).{0,20}(?:awal|early).{0,40}(?:denda|caj|penalty|umum)",
    "pemohon bersama": r"joint name|(?:mohon|nama|pinjam|beli) (?:\w+ )?(?:bersama|berdua)|joint loan",
    "skim Islamik": r"(?:terang|penerangan|explain|maksud).{0,40}islami[ck]|kadar (?:ke)?untung\w*|profit rate|islami[ck].{0,20}(?:lain|beza|vs)|(?:beza|perbezaan|difference|lain).{0,40}(?:islami[ck]|konvensional)|apa (?:itu )?(?:skim )?islami[ck]",
    "nisbah khidmat hutang": r"debt service|persen gaji|nisbah hutang|\bdsr\b|nisbah",
    "tempoh": r"maximum tenure|max (?:loan )?(?:period|tenure)|tempoh paling|had umur|sampai umur|until what age|paling lama|umur.{0,60}(?:tahun|tempoh)|berapa tahun|maksimum tahun|how many years|tempoh (?:paling|maksimum)",
    "tunggakan": r"tertunggak|tunggak\w*|arrears",
}  # fmt: skip
STATUS = (
    r"status|perkembangan|sampai mana|keputusan apa|apakah keputusan|keputusan|approve|ada berita|berapa kali|tinggal berapa|berapa ansuran|ansuran|instal?l?ment|repayment|rekod bayaran|dah jalan|kedudukan|peringkat|follow up|progress|update|"
    r"outstanding dalam|ada jawapan|dah sampai|apa jadi|tahap mana|diproses|processed|kurang apa|"
    r"semak|sahkan|cerita|stuck|\bcheck|belum saya hantar|masih kurang|okay tak"
)
OUTSIDE = r"job vacancy|vacancy|kerja kosong|peguam|\batm\b|duit siam|cawangan baharu|ramalan|interest rate go|hak milik|\bPIN\b|buka akaun|\bopr\b|takaful|insuran|promotion|promosi|kereta|car loan|saham|emas|kad debit|simpanan|unit trust|hibah|penama"
_FILLERS = re.compile(
    r"(?i)(?:nama|saya|sy|i|am|my|name|is|ialah|dan|dengan|digit|empat|angka|nombor|ic|mykad|akhir|hujung|belakang|berakhir|last|four|"
    r"ending|habis|ekor|ya|bah|nak|kamek|sia|akak|penuh|kad|pengenalan|the|puan|encik|cik|tuan)"
)


def has(pattern, text):
    """Whether a pattern stands in a text, whatever its case."""
    return re.search(pattern, text, re.I) is not None


def identity(messages):
    """`(name, digits)` as the person said them, or None: a name beside four digits that are no file and no amount."""
    for text in reversed(messages):
        for digits in re.finditer(r"(?<![\w,.-])\d{4}(?!\d|[,-]\d)", re.sub(r"\b[A-Z]{3}-\d+", lambda m: "·" * len(m[0]), text)):
            if re.search(r"(?:RM|tahun|sejak)\s*$", text[: digits.start()], re.I):
                continue
            runs = re.findall(r"[A-Z][\w’']+(?:\s+(?:binti|bin|a/l|a/p|anak|[A-Z][\w’']+))+", text)
            runs = [
                re.sub(r"^(?:Rujukannya|Fail|File|Ref)\b.*|^(?:(?:Nama|Saya|Puan|Encik|Tuan|My|Name|This|I[’']m)\s+)+", "", run)
                for run in runs
            ]
            runs = [run for run in runs if len([w for w in fold(run).split() if not _FILLERS.fullmatch(w)]) >= 2]
            if runs:
                return max(runs, key=len), digits[0]
            for piece in re.split(r"[,;.()]|\d{4}", text):
                words = [w for w in piece.split() if not _FILLERS.fullmatch(w)]
                if len(words) >= 2:
                    return " ".join(words), digits[0]
    return None


class Rules:
    """The rule-based counter."""

    def act(self, messages):
        """The next assistant message to a conversation in the OpenAI shape."""
        said = [m["content"] or "" for m in messages if m["role"] == "user"]
        calls = [
            json.loads(c["function"]["arguments"]) | {"tool": c["function"]["name"]} for m in messages for c in m.get("tool_calls") or ()
        ]
        results = [json.loads(m["content"]) for m in messages if m["role"] == "tool"]
        asked = [m["content"] for m in messages if m["role"] == "assistant" and m.get("content")]
        step = self._step(said, list(zip(calls, results)), asked)
        if isinstance(step, dict):
            name = step.pop("tool")
            function = {"name": name, "arguments": json.dumps(step, ensure_ascii=False)}
            return {
                "role": "assistant",
                "content": None,
                "tool_calls": [{"id": f"c{len(calls)}", "type": "function", "function": function}],
            }
        told = "\n".join(asked)
        news = [r[TELL] for r in results if TELL in r and r[TELL] not in told]
        return {"role": "assistant", "content": step or " ".join(news) or GREETING}

    def _step(self, said, done, asked):
        """What comes next: a question, a call (with its tool under `tool`), or None where all is done."""
        text = "\n".join(said)

        def ask(fact):
            question = MortgageCounter.FACTS[fact].question
            return question if question not in asked else None

        def recorded(kind, subject=None):
            return any(c["tool"] == "record" and c["kind"] == kind and subject in (None, c["subject"]) and ERROR not in r for c, r in done)

        def record(kind, subject):
            return None if recorded(kind, subject) else {"tool": "record", "kind": kind, "subject": subject}

        if done and ERROR in done[-1][1] and sum(ERROR in r for _, r in done) > 2:
            return None
        refused = next((subject for subject, pattern in REFUSALS.items() if has(pattern, text)), None)
        together = has(TOGETHER, text)
        if refused == "fail orang lain" and together:
            refused = None
        wants = self._wants(text, refused)
        if refused and not ("assess" in wants and refused != "fail orang lain"):
            return record("tidak dibenarkan", refused)
        if not wants:
            small = re.sub(r"terima kasih|thanks?|selamat \w+|sejahtera", "", text, flags=re.I)
            small = small != text and len(small.split()) <= 6
            small = small or has(r"baik lah|baiklah|okey|noted|tunggu je|morning|^hi\W*$|itu sahaja|datang balik", text)
            if small and not has(r"\?|tanya|bantu|help|cakap pasal|tolong", text):
                return None
            return ask("business") or (None if done else record("rujuk pegawai", "soalan lain"))
        if "complaint" in wants and not recorded("aduan"):
            subject = self._complaint(said)
            return (ask("complaint") if subject is None else None) or record("aduan", subject or "layanan")
        if "explain" in wants and not any(c["tool"] == "explain" for c, _ in done):
            return {"tool": "explain", "topic": wants["explain"]}
        if "outside" in wants:
            return record("rujuk pegawai", "soalan lain")
        if wants.keys() & {"status", "assess", "settle", "document"}:
            step = self._with_file(said, text, wants, done, ask, record)
            if step:
                return step
        return record("tidak dibenarkan", refused) if refused else None

    def _wants(self, text, refused):
        wants = {}
        has_file = bool([i for i in ids(text) if i[:3] not in CODES.values()])
        if has(COMPLAINT, text):
            wants["complaint"] = True
        topic = next((name for name, pattern in TOPICS.items() if has(pattern, text)), None)
        own = has_file or has(
            r"permohonan (?:saya|sy)|(?:my|application) (?:\w+ ){0,3}(?:application|app|saya|I)\b|akaun (?:rumah )?(?:saya|sy)|ansuran (?:rumah )?(?:saya|sy)|my house account|mohon tu|saya .{0,20}layak|loan aku|my eligibility|kelayakan kami|hantar surat",
            text,
        )
        if has(_HANDED, text) and any(has(p, text) for p in DOCUMENTS.values()) and not has(r"masih belum|belum saya hantar", text):
            if not (topic and topic.startswith("dokumen") and not has_file):
                wants["document"] = True
        elif (
            has(
                r"(?:serah|submit|hantar|bawa|melengkapkan|bagi)\w* .{0,25}(?:dokumen|document)|(?:dokumen|document) (?:\w+ )?(?:yang )?(?:kurang|tertinggal|missing|tambahan|complete|jumpa)",
                text,
            )
            and not topic
        ):
            wants["document"] = True
        if has(SETTLE, text) and topic != "penyelesaian awal":
            wants["settle"] = True
        if has(ASSESS, text) and not wants.keys() & {"settle", "complaint"}:
            wants["assess"] = True
        if topic and not own and not wants.keys() & {"settle", "document"}:
            return {k: v for k, v in wants.items() if k == "complaint"} | {"explain": topic}
        if not wants and has(OUTSIDE, text) and not own:
            return {"outside": True}
        if "complaint" in wants and topic and not has_file and not has(r"akaun saya|my account", text) and has(r"\?", text):
            wants["explain"] = topic
        if "complaint" in wants and own and has(STATUS, re.sub(r"keputusan|permohonan (?:saya )?(?:tertangguh|kena)", "", text)):
            wants["status"] = True
        named = has_file and not wants.keys() - {"complaint"}
        if named or (not wants and (own or has(STATUS, text))):
            wants["status"] = True
        return wants

    def _complaint(self, said):
        scores = {subject: sum(has(pattern, text) for text in said) for subject, pattern in SUBJECT.items()}
        return next((subject for subject in SUBJECT if scores[subject]), None)

    def _with_file(self, said, text, wants, done, ask, record):
        files = [i for i in ids(text) if i.startswith(("APP-", "AKN-"))]
        if not files:
            return ask("application") or record("rujuk pegawai", "soalan lain")
        file, opened = files[-1], [r for c, r in done if c["tool"] == "open_file"]
        if not opened:
            who = identity(said)
            if who is None:
                return ask("identity") or record("rujuk pegawai", "identiti")
            return {"tool": "open_file", "application": file, "name": who[0], "last_four": who[1]}
        if opened[0].get("fail") is None:
            return record("rujuk pegawai", "identiti")
        view = opened[0]
        if "document" in wants:
            brought = [name for name, pattern in DOCUMENTS.items() if has(pattern, text)]
            if not brought:
                return ask("document")
            for name in brought:
                if not any(c["tool"] == "record" and c["subject"] == name for c, _ in done):
                    return record("dokumen diterima", name)
        if view.get("percanggahan"):
            return record("rujuk pegawai", "percanggahan dokumen")
        if "settle" in wants and file.startswith("AKN"):
            if view["status"] == "bertunggak":
                return record("rujuk pegawai", "akaun bertunggak")
            moments = [name for name, pattern in WHEN.items() if has(pattern, text)]
            if not moments:
                return ask("when")
            for moment in moments:
                if not any(c["tool"] == "early_settlement" and c["when"] == moment for c, _ in done):
                    return {"tool": "early_settlement", "application": file, "when": moment}
        if "assess" in wants and file.startswith("APP") and not any(c["tool"] == "assess" for c, _ in done):
            if view["status"] in ("lulus", "tolak", "ditarik balik"):
                return None
            scheme = "islamik" if has(ISLAMIC, text) else "konvensional" if has(CONVENTIONAL, text) else None
            if scheme is None and (question := ask("scheme")):
                return question
            alone = "seorang" if has(ALONE, text) or view["pemohon"] == "seorang" else "bersama" if has(TOGETHER, text) else None
            if alone is None and (question := ask("applicants")):
                return question
            return {"tool": "assess", "application": file, "scheme": scheme or "konvensional", "applicants": alone or "bersama"}
        return None
