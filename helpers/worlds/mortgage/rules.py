"""Regular expressions that read the nine fields of an application letter: the honest peer of a small language model.

Every sum of money and length of time that `fields.figures` finds is labelled by the cue words around it: each cue
says one label with a weight that falls with every word, comma, sentence end and other figure in between, and the
strongest label wins. Names, jobs, types of home and places are found by patterns and scored by what stands before them.

The tables were written by hand with the training and development letters in view, and some composed letters too (the
test letters were never opened). They are fitted to what was seen: all but perfect on those written letters, noticeably
weaker on composed ones, so only the test letters say how good they are. No person and no place is named in them.
"""

import re

from helpers.malay.quantities import find_amounts, find_durations, says_none
from helpers.worlds.mortgage import fields

_I = r"(?:saya|sy|sya|aku|ambo|ambe|kawe|koi|den|eden|sia|kamek|cek|teman|mek|akak|kakak|pakcik|makcik|pak cik|mak cik|abang|i|my|me)"
_SPOUSE = r"(?:isteri|istri|suami|laki|bini|wife|husband|hubby|pasangan|girlfriend|boyfriend|tunang|orang rumah|tok laki|cik abang)"
_DEBT = (
    r"(?:h?utang(?: bank)?|pinjam\w*(?:-pinjam)?|loan|loans|debts?|komitmen|commitments?|liabiliti|ansuran|tanggungan|obligasi|"
    r"pembiayaan|kewajipan)"
)
_VEHICLES = (
    r"kereta|kete|keta|koto|car|motor|motosikal|moto|motorsikal|lori|van|bot|enjin|jentera|pikap|proton|perodua|honda|toyota|nissan|mazda|"
    r"myvi|axia|bezza|saga|alza|viva|kancil|persona|iriz|exora|wira|waja|ativa|aruz|x50|x70|hilux|vios|yaris|civic|accord|jazz|hrv|crv|"
    r"almera|navara|triton|ranger|camry|innova|alphard|avanza|land rover|y15\w*|ex5|vario|lc135|rs150|honda city|food truck|hire purchase"
)
# label, weight, cue, and where it may stand: b(efore) or a(fter) the figure. Labels are those of `fields.FIELDS`.
_MONEY_CUES = (
    ("gaji", 5, r"gaji|gj|gross|salary|kasar|basic|pokok|hakiki|emolumen|bergaji|(?:slip|penyata) gaji|pays?lip|payslip|upah", "b"),
    ("gaji", 5, r"pendapatan|income|earn\w*|package|basic pay|pay slip|pay|ea form|borang b|average|purata(?:nya)?|dipuratakan|pukul rata|"
     r"pukui rata|dipukul rata|untung\w*", "b"),
    ("gaji", 3, r"dapat|dpt|dapek|masuk|majikan|company bayar|company kasi|terima|menerima|memperoleh|poket|slip|kini|sekarang|skrg", "b"),
    ("gaji", 3, r"gross|kasar|basic|purata|secara purata|sebelum (?:epf|cukai|kwsp|potongan)|after expenses|ikut payslip|masuk poket", "a"),
    ("gaji", 9, r"bersih (?:\w+ ){0,3}purata|purata bersih|bersih (?:ladang|kedai|niaga|perniagaan|bisnes)", "b"),
    ("gaji", 9, r"secara purata", "a"),
    ("gaji", 6, r"(?:majikan|company|syarikat|bos|tokey|tauke) (?:mem)?(?:bayar|beri|bagi|kasi)", "b"),
    ("hutang", 9, r"potongan pinjaman|jumlah (?:potongan|hutang|komitmen|bayaran)(?: pinjaman| bulanan)?|"
                  r"total (?:monthly )?commitments?", "b"),
    ("hutang", 5, _VEHICLES, "b"),
    ("hutang", 5, rf"{_DEBT}|hutangnya|ptptn|kad(?: kredit)?|credit card|cc|koperasi|personal(?: loan)?|peribadi|asb|tekun|mara|aeon|"
                  rf"shopee|"
     r"ceti|bsn|bank rakyat|bank persendirian|rumah lama|kredit|potongan|tolakan|dipotong|potong|instal\w+|repayment|installment", "b"),
    ("hutang", 3, r"\w*bayar\w*|bayo?r?|bayaq|byr|pay|kena|kono|bayaran(?: bulanan)?|bulanan|beban\w*", "b"),
    ("hutang", 8, rf"(?:(?:kena potong|digunakan|lesap|keluar|habis) )?(?:untuk|bagi|utk|for|\() ?(?:(?:mem)?bayar(?:an balik)? )?"
     rf"(?:{_DEBT}|{_VEHICLES}|ptptn|asb|kad kredit|koperasi)", "a"),
    ("harga", 5, r"harga\w*|hrga|hrg|hargo|rega|price\w*|berharga|dijual|jual|jualbeli|belian|pembelian|selling|asking|going for|nett|"
                 r"spa", "b"),
    ("harga", 9, r"(?:harga|hrga|hrg|nilai|bernilai) (?:jualan|tawaran|pembelian|belian|beli)|booking price", "b"),
    ("harga", 3, r"minta|mintak|mintok|maok|letak|lepas|lepaskan|lepaih|lopehkan|bagi|buka|tawar\w*|ditawarkan|dipasarkan|deal|setuju|"
     r"bersetuju|dipersetujui|developer|pemaju|seller|owner|pemilik|penjual|tuan (?:dia|rumah|tanah|nya)|quote|bajet|budget|around|"
     r"offer", "b"),
    ("bukan", 9, rf"{_SPOUSE}|anak sulung|dia punya gaji|gaji dia|gajinya", "s"),
    ("bukan", 9, rf"(?:tu |pun |itu )?(?:{_SPOUSE}|abah|ayah|papa|bapa|adik(?: sia)?) (?:yg|yang|tlg|tolong)", "a"),
    ("bukan", 8, r"sewa\w*|menyewa|disewa|rent\w*|my share|duduk bilik", "b"),
    ("bukan", 7, r"elaun|allowance|imbuhan|ot|overtime|komisen|commission|bonus|tips|trip|service point|bantuan(?: sara hidup)?|"
                 r"freelance edit|"
     r"pencen|pence|offshore allowance|gaji sampingan|side income|part[- ]?time|standby|angpau|wang saku|dropship|homestay|freelance|"
     r"sambilan|jual brg online|lapang", "b"),
    ("lain", 8, r"deposit|down\s?payment|downpayment|booking(?: fee)?|wang (?:muka|pendahuluan|cagaran)|pendahuluan|cengkeram|cagaran|"
                r"\w*simpan\w*|"
     r"10% down|down|saving\w*|kwsp", "b"),
    ("lain", 5, r"(?:\w+ )?(?:deposit|pendahuluan|booking|wang muka)", "a"),
    ("lain", 8, r"nilai(?:an)?(?: bank| pasaran| jurunilai)?|penilai(?:an)?|jurunilai|menaksir\w*|taksiran|valuation|valuer|value|"
                r"market value|"
     r"bank value|bernilai pasaran|margin|pembiayaan yang (?:diperlukan|dipohon)", "b"),
    ("bukan", 7, r"jualan|sales|omset|harian", "b"),
    ("bukan", 7, r"bersih(?:nya)?|net|take[- ]?home|clean2?|dikreditkan", "n"),
    ("bukan", 4, r"bersih|lepas tolak|selepas (?:semua )?(?:tolak|potong)\w*|after (?:epf|deduction)\w*|masuk akaun|sehari|seminggu", "a"),
    ("bukan", 11, r"dulu|dahulu|sebelum (?:ni|ini|tu|itu|ya|dinaikkan pangkat)|before (?:ni|this)|last job|last drawn|"
                  r"previous(?: company)?|bekas|"
     r"ketika menjadi|semasa (?:di|kerja|bekerja|mengajar|menjadi|bertugas)|masa kerja|company lama|tempat lama|berbanding", "f"),
    ("bukan", 4, r"di (?:syarikat|tempat) (?:terdahulu|lama)|dulu", "a"),
    ("bukan", 9, r"(?:\w+ ){0,3}(?:langsai|dilangsaikan|settled?|selesai|clear|tebus penuh|habis bayar|habih bayar|dah habis|"
                 r"habis tahun|abih)", "a"),
    ("bukan", 6, r"(?:bil|yuran|api air|\w*belanja\w*|susu|medical card|bagi mak|hulur\w*|menghulurkan|beri|insurans|takaful|taska|"
                 r"nafkah|ibu|mak ayah|zakat)", "b"),
    ("bukan", 6, r"(?:kepada|utk|untuk|bagi|to) (?:ibu|mak|emak|parents|ayah|ibu bapa)", "a"),
    ("lain", 5, r"berbaki|baki(?:nya)?|balance|outstanding|blm byr|belum bayar|early settlement", "b"),
    ("lain", 8, r"bukan|mula-mula|asal(?:nya)?|initially|tersilap (?:menulis|tulis|taip)|tersalah (?:tulis|taip)", "b"),
    ("lain", 5, r"bermula|booking|saman|ganjaran|hadiah", "b"),
)  # fmt: skip
_TIME_CUES = (
    ("tempoh", 5, r"tempoh(?:nya)?|tenure|tenor|period|repayment|loan(?: nak| for)?|pinjam\w*|pinjaman|bayar\w*|bayo?r|bayaq|byr|bayaran|"
     r"membayar|dibayar|ansuran|melunaskan|langsaikan|diselesaikan|menyelesaikan\w*|habiskan|habis(?: bayar)?|selesai|pembiayaan|"
     r"jangka", "b"),
    ("tempoh", 4, r"mohon\w*|memohon|dipohon|minta\w*|mintak|minto|dipinta|kasi(?: panjang)?|bagi|berik|nak(?: buat| ambil)?|nk|mau|"
                  r"maok|nok|"
     r"want|need|prefer|target|boleh|blh|buli|buleh|dapat|dpt|kalau|klau|klu|kalu|mun|request\w*|max|can get|arrange for|ambil|buat|"
     r"cadang\w*", "b"),
    ("tempoh", 4, r"(?:tu |pun )?(?:boleh|blh|cukup|sesuai|jadi|tenure|loan|bayar\w*|bayaq|lulus|lepas|repayment|sudah memadai|"
                  r"is enough|please|"
     r"dicadangkan|dipohon|saja|je|sahaja|habih|untuk langsaikan|ok|okay|kalau|klau|if|paling ngam|or not|lamanya|maximum|boleh dak)", "a"),
    ("kerja", 5, r"kerja\w*|keje|krja|kojo|kijo|bekerja|berkhidmat|perkhidmatan|khidmat|bertugas|mengajar|ngajar|mendidik|meniaga|berniaga|"
     r"niaga\w*|niago|bisnes|business|menjahit|menoreh|jawatan|pengalaman|posting|lantik\w*|dilantik|joined|working|been|running|buka|"
     r"service|servis|sandang|memegang|menjawat|diterima|company|syarikat|firma?m?|jalan|berjalan|turun laut|full time", "b"),
    ("kerja", 4, r"dah|dh|sudah|suda|udah|doh|telah|baru|br|genap|cukup|masuk|selama|sejak|lebih|hampir|dekat|dekat2|mula|over|already|"
     r"for the past|for|agik baru|pusing|jadi", "b"),
    ("kerja", 4, r"(?:lebih |lbh |lalu |yang lalu |setengah )?(?:sudah|dah|dh|doh|already|lebih|kerja\w*|keje|saya|sia|berkhidmat|"
                 r"berbakti|bekerja|"
     r"mengajar|ngajar|ikut|dengan|dgn|with|jaga|bawa\w*|dok|di (?:syarikat|sini|situ|asrama|jabatan)|kat (?:sini|sana)|ago|lalu|"
     r"yang lalu|polah|tapi|on my own|in the same|berniaga|mengusaha\w*|menjahit|memegang|dpt tetap|menoreh|telah|niaga)", "a"),
    ("kerja", 9, r"tempoh (?:per)?khidmat\w*|tempoh (?:be)?kerja|tempoh saya di", "b"),
    ("lain", 9, r"umur(?:nya)?|usia|berumur|aged?|muda|mencecah", "g"),
    ("lain", 10, r"y/o|years old|umurnya|(?<=tahun |bulan )(?:lepas|lepaih|lopeh|lepah|hadapan|depan)|(?<=thn |bln )(?:lps|lepas|"
                 r"depan)", "a"),
    ("lain", 9, r"dulu|dahulu|sebelum (?:ni|ini|tu|itu|ya)|before (?:ni|this)|last job|previous(?: company)?|bekas|ketika|semasa|setelah|"
     r"masa kerja|pernah", "f"),
    ("lain", 6, r"(?:di |kat )?(?:politeknik|tempat lama|syarikat lama|di tempat lama|jadi helper)", "a"),
    ("lain", 8, r"kahwin|nikah|nikoh|statement|penyata|payslip|akaun|sulung|settle|langsai|tebus\w*|dilangsaikan|anak|bongsu|"
     r"married|habis tahun|bukan", "b"),
    ("lain", 6, r"(?:dlm |dalam )borang|payslip|\W{0,3}(?:eh|sorry|salah|silap)|kahwin", "a"),
)  # fmt: skip


def _compiled(cues):
    return [(label, weight, re.compile(rf"(?<![\w-])(?:{cue})(?!\w)", re.I), side) for label, weight, cue, side in cues]


_MONEY_CUES, _TIME_CUES = _compiled(_MONEY_CUES), _compiled(_TIME_CUES)
# What takes back the figure before it for the figure after it: “RM285k, eh silap, RM295k”.
_CORRECTION = re.compile(
    r"\b(?:t?er?silap|silap|salah|typo|sorry|eh|eh tunggu|sebaliknya|tukar|update|pinda|dipinda|betul|muktamad|diskaun|rebat|rebate|"
    r"turun\w*|"
    r"nego|tawar-menawar|deal|sebenar(?:nya)?|sbnrnya|ralat|pembetulan|correction|rupanya|sedangkan jumlah|should be|amend)\b", re.I,
)  # fmt: skip
# What ends the reach of net pay (n), of age (g), of a spouse (s) and of former times (f) in a sentence.
_RESETS = {
    "n": re.compile(r"\bkasar\b", re.I), "g": re.compile(r"\d|[,.]|\bmemohon\b"),
    "s": re.compile(rf"[,;] (?:{_I}|manakala saya)\b", re.I),
    "f": re.compile(r"\b(?:sekarang|skrg|skang|kini|la ni|lo ni|lening|sekarg|current|new job|berhenti|balik kampung|jadi)\b", re.I),
}  # fmt: skip
_SENTENCE = re.compile(r"(?<!\bDr)(?<!\b[Bb])[.!?]+(?=\s|$)|\n")
_BREAK = re.compile(r"[,;()]|\b(?:dan|and|tapi|tp|tetapi|manakala|plus|but)\b", re.I)
_ORDERS = re.compile(
    r"\b(?:abaikan(?! (?:angka|gaji|harga|jumlah|RM))|arahan|nota (?:kepada|utk|untuk)|(?:kepada|utk) (?:sistem|ai)|sistem:|"
    r"ignore (?:all|previous|any)|anggap|klau komputer|kalau komputer|untuk ai)\b",
    re.I,
)


def _orders(letter):
    """The stretches of a letter that give orders to its reader (“abaikan semua syarat …”)."""
    found = []
    for match in _ORDERS.finditer(letter):
        end = re.compile(r"[.!?]+(?=[\s*\]]|$)|\n|\]").search(letter, match.end())
        found.append((match.start(), end.start() if end else len(letter)))
    return found


def _nearness(gap, figures_between, side):
    """How much of a cue's weight is left across the words between it and the figure."""
    words = len(gap.split())
    sentences, breaks = len(_SENTENCE.findall(gap)), len(_BREAK.findall(gap))
    if side == "a":
        return 0.8 * 0.75**words * 0.15**sentences * 0.4**breaks * 0.2**figures_between
    if side in _RESETS:
        return 0.97**words * (0.2 if _RESETS[side].search(gap) else 1) * 0.3**sentences * 0.8**breaks * 0.85**figures_between
    return 0.92**words * 0.3**sentences * 0.75**breaks * 0.4**figures_between


def _label_scores(letter, figure, everything, cues):
    """Label → strength of the strongest cue for it around one figure, plus a little of the second strongest."""
    scores = {}
    for label, weight, cue, side in cues:
        best = 0.0
        window = (figure.end, figure.end + 60) if side == "a" else (max(0, figure.start - 160), figure.start)
        for match in cue.finditer(letter, *window):
            low, high = (figure.end, match.start()) if side == "a" else (match.end(), figure.start)
            between = sum(low <= other.start < high for other in everything)
            best = max(best, weight * _nearness(letter[low:high], between, side))
        scores.setdefault(label, []).append(best)
    return {label: sorted(s)[-1] + 0.25 * sum(sorted(s)[-2:-1]) for label, s in scores.items()}


def _numbers(letter):
    """The labelled figures: field name → quotes."""
    everything, orders = fields.figures(letter), _orders(letter)
    scored = {f.key: [] for f in (*fields.SUMS, *fields.TIMES)}
    previous = None
    for figure in everything:
        if any(a <= figure.start < b for a, b in orders):
            continue
        money = any(f in fields.SUMS for f in figure.fields)
        scores = _label_scores(letter, figure, everything, _MONEY_CUES if money else _TIME_CUES)
        keys = [f.key for f in figure.fields]
        _priors(letter, figure, scores, keys, money)
        gap = letter[previous[0].end : figure.start] if previous else ""
        if previous and previous[1] == "hutang" and "hutang" in keys and len(gap.split()) <= 5 and not _SENTENCE.search(gap):
            scores["hutang"] += 1.5  # an item in a list of debts
        if money and keys == ["harga"]:
            scores.pop("bukan", None)  # a spouse, rent and former days say nothing of a price
        scores["lain"] = max(scores["lain"], scores.pop("bukan", 0))
        if previous and previous[1] in keys and _corrected(letter, previous, figure):
            scores[previous[1]] += 6
            scored[previous[1]] = [pair for pair in scored[previous[1]] if pair[1] is not previous[0]]
        label = max([*keys, "lain"], key=lambda key: scores.get(key, 0))
        previous = (figure, label)
        if label != "lain" and scores[label] > 0.8:
            scored[label].append((scores[label], figure))
    quotes = {}
    for field in (*fields.SUMS, *fields.TIMES):
        found = scored[field.key]
        if field.kind == "debts":
            quotes[field.name] = [figure.text for _, figure in found]
        else:
            best = max((s for s, _ in found), default=0)
            quotes[field.name] = [figure.text for s, figure in found if s == best][:1]
    return quotes


def _corrected(letter, previous, figure):
    """Whether the words between two figures take the first back for the second, which is of its size."""
    gap = letter[previous[0].end : figure.start]
    first, second = (find_amounts(f.text) or find_durations(f.text) for f in (previous[0], figure))
    if not first or not second or type(first[0]) is not type(second[0]) or len(gap.split()) > 12:
        return False
    if re.search(r"(?:tulis|menulis|taip|isi)\s*$", gap):
        return False
    taken_back = re.search(
        r"\b(?:bukan|bkn|isn't|abaikan|ignore|pinda|"
        r"m?em?betulkan)(?:\s[\w]+){0,3}\s*$",
        letter[: previous[0].start],
        re.I,
    )
    if taken_back and not re.search(r"\d", taken_back.group()) and 0.5 < first[0].high / max(second[0].high, 0.1) < 2:
        return True
    return 0.5 < first[0].high / max(second[0].high, 0.1) < 2 and bool(_CORRECTION.search(gap))


def _priors(letter, figure, scores, keys, money):
    """What the figure itself says: a bare large sum is a price, a yearly one is pay, thirty years are a tenure."""

    def add(key, value):
        scores[key] = scores.get(key, 0) + value

    if money:
        if re.search(r"tahun|thn|year|annum|annual", figure.text, re.I):
            add("gaji", 4)
        elif keys == ["harga"]:
            add("harga", 3)
        elif "gaji" in keys and find_amounts(figure.text)[0].value >= 1200:
            add("gaji", 1)
        return
    durations = find_durations(figure.text)
    if not durations and re.search(r"(?:habis|abis|habih|settled?|langsai|dilangsaikan|clear|penuh)\s*$", letter[: figure.start], re.I):
        add("lain", 10)  # a year that a debt ended in
    if not durations or re.match(r"setahun$|tahun ke", figure.text, re.I):
        add("kerja", 3 if re.match(r"sejak|since|dari|from|semenjak", figure.text, re.I) else 2 if not durations else -2)
    elif durations[0].high >= 8 and re.search(r"b(?:u)?ln|bulan|month|mth", figure.text, re.I) and "tahun" not in figure.text:
        add("tempoh", 6)
    elif durations[0].high >= 25 or durations[0].high >= 10 and durations[0].high % 5 == 0:
        add("tempoh", 1)
    elif durations[0].high < 8:
        add("kerja", 1.5)


_NONE = (
    r"(?:tiada|tidak (?:mempunyai|menanggung|ada|pernah)|tak (?:ada|pernah|dak|do|dok)|takd\w+|tad[eo]\w*|x ?d[ea]k?|xda\w?|xada|"
    r"sik ada|nda ada|nda|inda|"
    r"no|zero|nil|none|tanpa|bebas|kosong|belum|bersih|sifar|never|free|without|tak(?= hutang)|x(?= hutang)|dont have|don't have|tidak)"
)
_DENIAL = re.compile(
    rf"\b{_NONE}\b(?:[ -]+(?!tolong|gagal|mohon|membayar|suka|boleh)[\w-]+){{0,3}}? {_DEBT}\b(?: lain| bank| apa-apa| langsung| at all)*"
    rf"|\b(?:{_DEBT})\b(?:[ :,?-]+(?!cuma|hanya|je|saja|yang|yg|sebab|bank: ?RM)[\w-]+){{0,5}}?[ :,?-]+{_NONE}\b(?: (?:ada|satu apa|"
    rf"langsung|lagi))*",
    re.I,
)  # fmt: skip


def _denial(letter):
    """The words that deny any debt (“tiada hutang lain”), in a list."""
    orders = _orders(letter)
    for match in _DENIAL.finditer(letter):
        if says_none(match.group()) and not any(a <= match.start() < b for a, b in orders) and not _SENTENCE.search(match.group()):
            return [match.group()]
    return []


# Words that are no part of a name or a place, though they may be written with a capital.
_STOP = (
    "saya sy sia aku ambo ambe kawe koi den kamek cek akak kakak pakcik makcik i ini ni nama name namo dari dr daripada di kat kt dkt "
    "dekat at in ke "
    "yang yg dengan dgn dan and or dah dh sudah telah baru umur kerja krja keje kojo kijo bekerja sebagai seorang harga hrga hrg hargo "
    "rega price "
    "rumah rmh unit gaji hutang tempoh loan tuan puan encik cik bang bos boss kak salam hi hai hello hey selamat assalamualaikum terima "
    "kasih sekian "
    "i'm i've it's yang benar ikhlas hormat saya regards applicant pemohon subject perkara permohonan nak nk nok mau mok mahu maok tu "
    "itu tok ya la lah pun je "
    "jual dijual sebab untuk utk bagi pada atas oleh orang asal duduk ada mohon memohon pembiayaan rm my me am is dalam dlm tengah "
    "boleh kalau "
    "deposit tingkat berharga bernilai jalan2 developer pemaju owner tuanya kami kita isteri suami the a an for now target market sini "
    "sana kpd tq "
    "koperal sarjan kapten bini laki lagi juga pula mmg memang masih gross basic income salary purata pendapatan bank cawangan pengurus "
    "pegawai "
    "good day morning afternoon dear team thanks ofis skrg sekarang dulu sedang teres flat apartmen apartment kondo condo"
)
_STOP = set(_STOP.split())
_PARTICLE = r"(?:bin|binti|bt\.?|bte|b\.|a/l|a/p|s/o|d/o|anak|ak|de|van|@)"
_NAME_CUE = re.compile(
    rf"(?:\bnama\b[^.,;:\n]{{0,45}}(?: ialah|:| ya)|\b(?:kat |ikut |as per )?ic(?: tulis| ialah| is)?|\bmenulis(?: ni)?|\bamanah,|"
    rf"\bname[^.,\n]{{0,12}} (?:ialah|is)|\bnama(?: penuh| pemohon| dalam ic| dlm ic)?(?: {_I})?(?: ialah| adalah)?|\bnamo {_I}|"
    rf"\b(?:my |full |ic )*name(?: is)?|\bapplicant|\bpemohon|"
    rf"\b{_I}(?: ni| ialah| adalah| tok)?|\bi'm|\bini|\bni|\bdiri|\boleh|\bdaripada|\bnama\s+{_I})[\s,:–-]*(?:(?:encik|puan|cik|dr|"
    rf"hajah|haji|ir)\.? )*$",
    re.I,
)
_AFTER_NAME = re.compile(rf" (?:here|sini|nama {_I}|nama sia)\b", re.I)


def _cased(letter):
    """Whether the writer uses capitals inside sentences, so that they tell names and places from other words."""
    return len(re.findall(r"(?<=[a-z,] )(?!RM)[A-Z][a-z]+", letter)) >= 3


def _name_word(word, cased, inside):
    if not re.fullmatch(r"[A-Z][A-Za-z'’@-]*" if cased or inside == "capitals" else r"[A-Za-z'’@-]+", word):
        return False
    return word.lower() not in _STOP or (cased and inside and word[0].isupper() and len(word) > 3)


def _runs(letter):
    """Runs of two to seven words that may be a name: (start, end). In a letter without capitals, only around bin, a/l and the like."""
    cased = _cased(letter)
    found, run = [], []
    for match in [*re.finditer(r"(?:a/[lp]|s/o|d/o)|[\w'’@-]+(?:(?<=\bb)\.|(?<=\bbt)\.)?|[^\w\s]|\n|\s{2,}", letter), None]:
        word = match.group() if match else "\n"
        joined = run and re.fullmatch(_PARTICLE, word, re.I)
        if joined or _name_word(word, cased, run and ("capitals" if letter[run[0][0]].isupper() else "small")):
            run.append((match.start(), match.end()))
            continue
        while run and re.fullmatch(_PARTICLE, letter[slice(*run[-1])], re.I):
            run.pop()
        if 2 <= len(run) <= 8:
            found.append((run[0][0], run[-1][1]))
        run = []
    return found


def _name(letter):
    """The applicant's name: the run of name-like words with the best signs around it, in a list."""
    orders, best = _orders(letter), (1.9, None)
    for start, end in _runs(letter):
        run, before, after = letter[start:end], re.sub(r"\b(?:Dr|Ir|Hj)\.? $", "", letter[:start]), letter[end:]
        score = 3.0 if re.search(r"(?<= )(?:bin|binti|bt\.?|bte|b\.|a/l|a/p|s/o|d/o|anak) ", run) else 0.0
        score += 3 if _NAME_CUE.search(before[-60:]) else 0
        score += 3 if _AFTER_NAME.match(after) else 0
        alone_before = not before.strip() or re.search(r"(?:[.!?\n]|[–—-]|[,:]\n|benar,|saya,|ikhlas,|regards,|\W{2})\s*$", before)
        score += 2 if alone_before and (not after.strip(" .\n") or re.match(r"\s*(?:[,.\n]| (?:dr|dari)\b)", after)) else 0
        score -= (
            4
            if re.search(
                rf"\b(?:{_SPOUSE}|kepada|kpd|cik|en\.|ms|mr|pn|di|kat|kt|at|in|jalan|taman|"
                rf"dekat)\.?(?: {_I})? $",
                before[-20:],
                re.I,
            )
            else 0
        )
        score -= (
            6
            if re.search(
                r"\b(?:ejen|agent|agen|pegawai|officer|perhatian|contact|jiran|peguam|"
                r"diaturkan oleh)\b[^.,\n]{0,30}$",
                before[-45:],
                re.I,
            )
            else 0
        )
        score -= 6 if re.match(r",? (?:Pegawai|Pengurus|from|dari bank)", after) else 0
        if run[0].islower() and not re.search(rf" {_PARTICLE} ", run):
            score -= 0 if re.search(r"\b(?:nama|name|ic|pemohon|applicant|namo)\b[^.,\n]{0,20}$", before) else 3
        score -= 4 if re.match(r"(?:Taman|Bandar|Kampung|Kg|Jalan|Bukit|Kota|Sungai|Bank|Hospital)\b", run) else 0
        if score > best[0] and not any(a <= start < b for a, b in orders):
            best = (score, run)
    return [best[1]] if best[1] else []


# Heads of occupations. Malay ones take their attributes after them (“guru sekolah rendah”), English ones before (“QC engineer”).
_JOBS = re.compile(
    r"\b(?:(?:penolong|pembantu|ketua|timbalan|naib|bekas|freelance)\s+)*(?:juru\w+|guru|cikgu|ustaz(?:ah)?|pensyarah|pegawai|kerani|"
    r"tukang|pe(?:mandu|niaga|"
    r"njual|ngusaha|nyelia|ngurus|kebun|sawah|gawai|guam|kerja|ladang|noreh|njaja|ternak|ngawal|ndawai|ndandan|kedai|rancang|reka|lukis|"
    r"nulis|neroka|"
    r"rakaunan|nolong|mbantu|mborong|nghantar|laut|lajar|masar|njahit|ngasuh|nasihat|rundin\w*|runding|maju masyarakat|nguat\w*|motong|"
    r"kerja\w*)|"
    r"pustakawan|wartawan|akauntan|jurutera|doktor|dentist|anggota|askar|polis|tentera|bomba|nelayan|mekanik|operator|buruh|"
    r"ahli farmasi|renjer|"
    r"driver|drebar|rider|barista|chef|tauke|usahawan|kontraktor|ejen|pramugar[ai]|imam|bilal|siak|renjer|koperal|inspektor|sarjan|"
    r"buruh|pomen|jaga|bos)\b",
    re.I,
)
_ENGLISH_JOBS = re.compile(
    r"(?<![\w'’])(?:[\w&-]+ ){0,3}?(?:engineer|technician|executive|manager|supervisor|designer|developer|dev|tester|analyst|accountant|"
    r"auditor|pharmacist|nurse|"
    r"doctor|dentist|optometrist|teacher|tutor|lecturer|lawyer|clerk|cashier|agent|consultant|officer|assistant|administrator|welder|"
    r"wireman|"
    r"plumber|electrician|carpenter|chef|cook|baker|barista|driver|rider|operator|guard|security|cleaner|architect|surveyor|planner|"
    r"programmer|editor|writer|photographer|therapist|scientist|researcher|trader|salesman|promoter|receptionist|secretary|contractor|"
    r"broker|pilot|steward|freelancer|coordinator|specialist|foreman|mechanic|draftsman|hairdresser|librarian)\b", re.I
)  # fmt: skip
# Work said with a verb (“jual tudung online”, “bawak bas sekolah”).
_TRADES = re.compile(
    r"\b(?:jual|niag[ao]|meniaga|berniaga|menjual|buat keropok|buat kuih|menoreh|noreh|ternak|tanam|bawak?|pandu|pegang|kedai|usahakan|"
    r"bela|jaga|"
    r"ngajar|mengusahakan|tangkap)(?: (?!dah|sudah|di|dari|dr|kat|kt|dekat|dengan|dgn|sejak|yang|yg|saya|sy|kereta|rumah|je|ni|tu|"
    r"pun)[A-Za-z-]+){1,3}", re.I
)  # fmt: skip
_JOB_CUE = re.compile(
    rf"(?:\b(?:be)?(?:kerja|keje|krja|kojo|kijo|tugas|khidmat)(?: {_I})?(?: tok| tu| ni)?(?: sebagai)?|\bsebagai|\bjawatan(?: saya)?|"
    rf"\bjob|\bposition|"
    rf"\bwork as|\bpekerjaan|\bselaku|\bjadi|\bmenjadi|\bseorang|\bmerupakan|\bialah|\b{_I}(?: ni| merupakan| seorang| ialah)?|\bi'm|"
    rf"\bi am)"
    rf"[\s:–-]*(?:(?:a|an|the|full time|seorang|ialah|sepenuh masa) )*$",
    re.I,
)
_JOB_END = re.compile(
    r"[,.;:()\n–—?!]|\s-\s|\s(?:di|kat|kt|dkt|dekat|at|in|dr|dari|area|sekitar|ngan|dengan|dgn|with|yang|yg|sejak|since|dah|dh|doh|"
    r"sudah|suda|telah|baru|"
    r"br|selama|dan|and|ni|tu|here|lama|lebih|genap|hampir|masuk|mula|memohon|mohon|ingin|guna|ikut|itulah|nama|sini|gaji|pendapatan|"
    r"saja|sahaja|punya|"
    r"menerima|bergaji|jadi|macam|mcm|untuk|ambil|ambik|sendiri|sepenuh|satu|full|for|of|ko|yo|le|bah|ba|udah|la|lah|naa|berlangsung|"
    r"kerana|sini|situ|kini|nak|full|can|je|aje|nih|jgk|setakat|slip|Nak|tempoh|ialah|bkn|sampai|apa|\d+|[1-9]\w*|SMKA|SJK\S*|UiTM|"
    r"lantikan|kem|asal|pada|itu|saya|sy|sia|is)(?=\s|$|[,.;])"
)  # fmt: skip


# Whatever follows these words is taken for an occupation, known or not.
_ANY_JOB = re.compile(
    rf"(?:\b(?:bekerja|bertugas|berkhidmat|adalah|makan|living|saya|{_I}|nafkah|rezeki {_I}|adalah|{_I} (?:kerja|keje|jadi)) (?:sebagai|"
    rf"sbg|as) (?:seorang )?|"
    rf"(?:^|[.!?\n] )sebagai |\b(?:{_I}|kerja|keje|skrg|sekarang|ni|bertahan|tok) (?:jadi|jd|merupakan|sbg) |"
    rf"\bkerjaya {_I} (?:sebagai )?|\bsandang kini ialah |"
    rf"\b(?:jawatan|pekerjaan|occupation|job|position|profession)(?: {_I})?(?: sekarang| skrg)?(?: ialah|:)? |\b(?:saya|sy|"
    rf"i) (?:ialah )?seo?ra?n?g |"
    rf"\b(?:kerja|keje|kojo|kijo)(?: {_I})?(?: sekarang| skrg)?:? |\bby profession {_I} |\bjob [–-] )(?=(\S+))", re.I
)  # fmt: skip


_NO_JOB_WORDS = (
    "as own full time to of got wife hubby same sama work works working her his new old sbg jadi jd seorg tulis skang skrg keje apa "
    "ialah position current "
    "sekarang ni nang tok merupakan makan cari memang juga tetap plak tanya sini situ kek tepi sblm adalah menjadi pernah lama pertama "
    "macam sebelum"
)
_NO_JOB_WORDS = set(_NO_JOB_WORDS.split())


def _job(letter):
    """What the applicant does: the head of an occupation and its attributes, best placed, in a list."""
    orders, options = _orders(letter), []
    for pattern, base in ((_JOBS, 2.0), (_ENGLISH_JOBS, 2.0), (_TRADES, 0.6), (_ANY_JOB, 0.5)):
        for match in pattern.finditer(letter):
            start, end = match.span(1) if pattern is _ANY_JOB else match.span()
            first = letter[start:end]
            if pattern is _ANY_JOB and (_JOB_END.match(" " + first) or first.lower().strip(",.") in _STOP | _NO_JOB_WORDS):
                continue
            if pattern in (_JOBS, _ANY_JOB):
                stop = _JOB_END.search(letter, end)
                end = stop.start() if stop else len(letter)
                end = start + len(" ".join(letter[start:end].split(" ")[:5]))
            elif pattern is _ENGLISH_JOBS:
                words = letter[start:end].split(" ")
                own = next((i for i, w in enumerate(reversed(words)) if w.lower() in _STOP | _NO_JOB_WORDS or w.isdigit()), len(words))
                start = end - len(" ".join(words[len(words) - own :]))
                stop = _JOB_END.search(letter, end)
                more = letter[end : stop.start() if stop else len(letter)].split(" ")[:3]  # “technician aircond”, “driver lori simen”
                end += len(" ".join(more))
            before = letter[max(0, start - 60) : start]
            clause = re.split(r"[.;!?\n]", letter[max(0, start - 90) : start])[-1]
            score = base - start / 400 + 2.5 * bool(_JOB_CUE.search(before))
            score += bool(re.search(r"(?:, (?:seorang )?|– | - )$", before))
            score -= 5 * bool(
                re.search(
                    rf"\b(?:{_SPOUSE}|kepada|pihak|anak|tuan|puan|pegawai|kad|untuk|bagi|"
                    rf"hantar)\b[^,.]*$",
                    clause[-25:],
                    re.I,
                )
            )
            score -= 3 * bool(
                re.search(
                    r"\b(?:dulu|bekas|sebelum|before|ketika|semasa|last|asalnya|pernah|kerja lama|kontrak saya|"
                    r"berhenti sebagai|minat|hutang|dari|sewa)\b[^.]*$",
                    clause[-35:],
                    re.I,
                )
            )
            score -= 4 * bool(
                re.match(
                    r"(?:pegawai|pengurus|guru|kerani|penolong)?\s*(?:pembiayaan|kredit|bank|pinjaman|"
                    r"cawangan)\b",
                    letter[start:],
                    re.I,
                )
            )
            score -= 4 * bool(re.match(r"(?:pegawai|pengurus)\s*(?:[,.]|bank|yang|kredit|untuk|pembiayaan|HR)", letter[start:], re.I))
            score -= 3 * letter[start:end].lower().startswith("bekas") + 3 * bool(re.search(r"(?:dengan|dgn|with|sama) $", before))
            score += 2 * bool(re.match(r"[, ]+(?:itulah|itu) kerja", letter[end:]))
            if end > start and not any(a <= start < b for a, b in orders):
                options.append((score, letter[start:end].strip(" ,.'\"")))
    options = [
        (
            score,
            re.sub(
                r"^(?:(?:sbg|jadi|jd|seorg|pernah|menjadi|skang|skrg|keje|kerja|"
                r"bekas) )+",
                "",
                text,
            ),
        )
        for score, text in options
    ]
    best = max(options, key=lambda option: option[0], default=(0, ""))
    return [best[1]] if best[0] > 0 and best[1] else []


_HOME = r"(?:rumah|rmh|rumoh|ghumoh|umah|hartanah|kediaman|property|unit|lot)"


def _kind(letter):
    """The word that names the type of the home to be bought, in a list."""
    best = (0.5, None)
    for text in fields.candidates(next(f for f in fields.FIELDS if f.kind == "kind_of_home"), letter):
        for match in re.finditer(rf"\b{re.escape(text)}\b", letter):
            clause = re.split(r"[.;!?\n]", letter[: match.start()])[-1][-70:]
            after = letter[match.end() : match.end() + 60]
            score = 1.0 if not re.match(r"kedai|tanah|shop|ruko|land|sesebuah|kembar$", text, re.I) else 0.2
            score += bool(
                re.search(
                    r"\b(?:beli|membeli|meli|nak|nk|nok|mau|maok|mohon|sebuah|minat|berkenan|usha|buy|buying|rumah|cari|"
                    r"satu|jumpa|ada)\b",
                    clause,
                    re.I,
                )
            )
            score += bool(re.search(r"^[\w ,]{0,30}\b(?:di|kat|kt|dekat|at|in|dkt)\b|harga|hrga", after, re.I))
            score -= 2 * bool(
                re.search(
                    r"\b(?:sewa|menyewa|loan|ansuran|existing|kerja|tukang|manager|jurujual|bos|dok|lori|duduk|"
                    r"ada own|pemilik)(?: \w+)?\s$",
                    clause,
                    re.I,
                )
            )
            score -= 2 * bool(
                re.match(
                    r" (?:gunting|dobi|emas|optik|runcit|makan|kecik|saya|repair|loan|"
                    r"\d+k)\b",
                    after,
                )
            ) + 2 * bool(re.match(r"Tanah [A-Z]", letter[match.start() :]))
            if score > best[0]:
                best = (score, match.group())
    return [best[1]] if best[1] else []


_PLACE_WORD = r"(?!RM\d)(?:(?:Kg|Tmn|Jln|Bdr|Sg|Bkt)\.|[A-Z][\w'’/-]+)"
_TOWNSHIP = r"(?:Taman|Tmn|Bandar|Bdr|Kampung|Kg\.?|Desa|Seksyen|Presint|Jalan|Jln|Felda|Batu \d)"


def _ends_place(word, first):
    """Whether a word cannot go on a place: “harga”, “SPA” and, unless it is a capitalised “Baru” inside one, any function word."""
    return word in ("SPA", "Harga", "Price", "Tempoh", "Saya") or word.lower() in _STOP and (first or word.islower())


def _places(letter):
    """Place phrases after a preposition or a comma: (start, end, words), “Taman Melati, Setapak” in one piece."""
    parts = [
        re.compile(rf"{word}(?: (?:{word}|\d{{1,2}}(?!\d|[,.]\d|[%k]|\s?(?:tahun|thn|ribu|years|bulan))))*")
        for word in (_PLACE_WORD, r"[a-z'’/-]+")[: 1 if _cased(letter) else 2]
    ]
    covered = 0
    for match in re.finditer(
        r"(?:\b(?:di|kat|kt|dkt|dekat|at|in|area|dlm|dalam|sekitar|flat|pilih|kek|dale|loka\w+(?: ialah|:)?|"
        r"location:?|tempat dia|tmpt dia)|[,–-]) (?=\S)|\b(?=Taman )",
        letter,
        re.I,
    ):
        start, end = match.end(), None
        if start < covered:
            continue
        part = next((p for p in parts if p.match(letter, start)), parts[0])
        while found := part.match(letter, end + 2 if end else start):
            words = found.group().split(" ")
            kept = next((i for i, w in enumerate(words) if _ends_place(w, first=not i)), len(words))
            if not kept or (end and kept > 4):
                break
            if end and letter[found.end() :].startswith(":"):
                break
            end = covered = found.start() + len(" ".join(words[:kept]))
            if kept < len(words) or not re.match(r", \S", letter[end:]):
                break
        if end:
            yield start, end, letter[start:end]


def _place(letter):
    """Where the home is: the place phrase nearest after words for the home, in a list."""
    best, kinds = (0.8, None), "|".join(fields.PROPERTY_TYPES.values())
    for start, _end, words in _places(letter):
        score = 0.0
        for cue, weight in ((rf"\b(?:{kinds})\b", 4), (rf"\b{_HOME}\b", 2.5), (r"\b(?:beli|membeli|buy|buying|hartanah)\b", 2)):
            for match in re.finditer(cue, letter[:start], re.I):
                gap = letter[match.end() : start]
                sentences, breaks = len(_SENTENCE.findall(gap)), len(_BREAK.findall(gap))
                score = max(score, weight * 0.9 ** len(gap.split()) * 0.25**sentences * 0.85**breaks)
        clause = re.split(r"[.;!?\n]", letter[:start])[-1]
        score += 3 if re.search(r"\b(?:loka\w+|location|tempat dia|tmpt dia)(?: ialah|:)? $", clause, re.I) else 0
        score += 1.5 if re.match(rf"(?: \w+){{0,4}} (?:{kinds})\b", letter[_end:], re.I) else 0
        score += 2 if re.match(_TOWNSHIP, words, re.I) else 0
        score += 0.5 if "," in words else 0
        if re.search(
            r"\b(?:kerja|bekerja|bertugas|berkhidmat|sewa|menyewa|duduk|tinggal|orang|klinik|hospital|sekolah|kilang|company|"
            r"company|firma|gerai|ansuran|"
            r"pinjaman|loan|hotel|kerani|guru|cikgu)\b(?:\W+\w+){0,3}\W+$",
            clause[-40:],
            re.I,
        ):
            score *= 0.3
        if score > best[0]:
            best = (score, words)
    return [best[1]] if best[1] else []


def extract(letter):
    """Field name → quotes, each a contiguous piece of the letter (an empty list where nothing was found)."""
    quotes = {"applicant_name": _name(letter), "employment": _job(letter), **_numbers(letter)}
    quotes |= {"property_type": _kind(letter), "property_location": _place(letter)}
    if not quotes["monthly_commitments"]:
        quotes["monthly_commitments"] = _denial(letter)
    return quotes
