"""Regular expressions that read the nine fields of an application letter: the honest peer of a small language model.

Every sum of money and length of time that `fields.figures` finds is labelled by the cue words around it: each cue
says one label with a weight that falls with every word, comma, sentence end and other figure in between, and the
strongest label wins. Names, jobs, types of home and places are found by patterns and scored by what stands before them.

The tables were written by hand with the training and development letters in view (never the test letters), so
figures measured on those letters flatter these rules. No person and no place is named in them.
"""

import re

from helpers.malay.quantities import find_durations, says_none
from helpers.worlds.mortgage import fields

_I = r"(?:saya|sy|sya|aku|ambo|ambe|kawe|koi|den|eden|sia|kamek|cek|teman|mek|akak|kakak|pakcik|makcik|pak cik|mak cik|abang|i|my|me)"
_MINE = r"(?:nya|ku|)"
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
    ("hutang", 5, _VEHICLES, "b"),
    ("hutang", 5, rf"{_DEBT}|hutangnya|ptptn|kad(?: kredit)?|credit card|cc|koperasi|personal(?: loan)?|peribadi|asb|tekun|mara|aeon|shopee|"
     r"ceti|bsn|bank rakyat|bank persendirian|rumah lama|kredit|potongan|tolakan|dipotong|potong|instal\w+|repayment|installment", "b"),
    ("hutang", 3, r"bayar\w*|bayo?r?|bayaq|byr|membayar|pay|kena|kono|bayaran(?: bulanan)?|bulanan|beban\w*", "b"),
    ("hutang", 4, rf"(?:untuk|bagi|utk|for|\() ?(?:{_VEHICLES}|ptptn|asb|kad kredit|koperasi|pinjaman)", "a"),
    ("harga", 5, r"harga\w*|hrga|hrg|hargo|rega|price\w*|berharga|dijual|jual|jualbeli|belian|pembelian|selling|asking|going for|nett|spa", "b"),
    ("harga", 3, r"minta|mintak|mintok|maok|letak|lepas|lepaskan|lepaih|lopehkan|bagi|buka|tawar\w*|ditawarkan|dipasarkan|deal|setuju|"
     r"bersetuju|dipersetujui|developer|pemaju|seller|owner|pemilik|penjual|tuan (?:dia|rumah|tanah|nya)|quote|bajet|budget|around|offer", "b"),
    ("lain", 7, rf"{_SPOUSE}|abah|ayah|adik|abang ipar|anak sulung|mak mentua", "s"),
    ("lain", 5, rf"(?:tu |pun |itu )?(?:{_SPOUSE}|abah|ayah|papa|bapa|adik(?: sia)?) (?:yg|yang|tlg|tolong)", "a"),
    ("lain", 8, r"sewa\w*|menyewa|disewa|rent\w*|my share|duduk bilik", "b"),
    ("lain", 7, r"elaun|allowance|imbuhan|ot|overtime|komisen|commission|bonus|tips|trip|service point|bantuan(?: sara hidup)?|freelance edit|"
     r"pencen|pence|offshore allowance|gaji sampingan|side income|part[- ]?time|standby", "b"),
    ("lain", 8, r"deposit|down\s?payment|downpayment|booking(?: fee)?|wang (?:muka|pendahuluan|cagaran)|pendahuluan|cengkeram|cagaran|simpan\w*|"
     r"10% down|down|saving\w*|kwsp", "b"),
    ("lain", 5, r"(?:\w+ )?(?:deposit|pendahuluan|booking|wang muka)", "a"),
    ("lain", 8, r"nilai(?:an)?(?: bank| pasaran| jurunilai)?|penilai(?:an)?|jurunilai|menaksir\w*|taksiran|valuation|valuer|value|market value|"
     r"bank value|bernilai pasaran|margin|pembiayaan yang (?:diperlukan|dipohon)", "b"),
    ("lain", 7, r"jualan|sales|omset|harian", "b"),
    ("lain", 7, r"bersih|net|take[- ]?home|clean|kat tangan bersih", "b"),
    ("lain", 4, r"bersih|lepas tolak|selepas (?:semua )?(?:tolak|potong)\w*|after (?:epf|deduction)\w*|masuk akaun|sehari|seminggu", "a"),
    ("lain", 6, r"dulu|dahulu|sebelum (?:ni|ini|tu|itu|ya|dinaikkan pangkat)|before (?:ni|this)|last job|last drawn|previous(?: company)?|bekas|"
     r"ketika menjadi|semasa|terdahulu|masa kerja|company lama|tempat lama|berbanding|pangkat", "s"),
    ("lain", 4, r"di (?:syarikat|tempat) (?:terdahulu|lama)|dulu", "a"),
    ("lain", 6, r"(?:\w+ ){0,3}(?:langsai|dilangsaikan|settled?|selesai|clear|tebus penuh|habis bayar|habih bayar|dah habis|habis tahun|abih)", "a"),
    ("lain", 6, r"(?:bil|yuran|api air|belanja\w*|hulur\w*|menghulurkan|beri|insurans|takaful|taska|nafkah|ibu|mak ayah|zakat)", "b"),
    ("lain", 6, r"(?:kepada|utk|untuk|bagi|to) (?:ibu|mak|emak|parents|ayah|ibu bapa)", "a"),
    ("lain", 5, r"berbaki|baki(?:nya)?|balance|outstanding", "b"),
    ("lain", 8, r"bukan|mula-mula|asal(?:nya)?|initially|tersilap|asking dulu|tersalah", "b"),
    ("lain", 6, r"(?:\W{0,3}(?:tu )?(?:eh|sorry|salah|silap|typo|update|adalah tersilap|tapi dah deal|tapi lepas))", "a"),
    ("lain", 5, r"bermula|booking|saman|ganjaran|hadiah", "b"),
)  # fmt: skip
_TIME_CUES = (
    ("tempoh", 5, r"tempoh(?:nya)?|tenure|tenor|period|repayment|loan(?: nak| for)?|pinjam\w*|pinjaman|bayar\w*|bayo?r|bayaq|byr|bayaran|"
     r"membayar|dibayar|ansuran|melunaskan|langsaikan|diselesaikan|menyelesaikan\w*|habiskan|habis(?: bayar)?|selesai|pembiayaan|jangka", "b"),
    ("tempoh", 4, r"mohon\w*|memohon|dipohon|minta\w*|mintak|minto|dipinta|kasi(?: panjang)?|bagi|berik|nak(?: buat| ambil)?|nk|mau|maok|nok|"
     r"want|need|prefer|target|boleh|blh|buli|buleh|dapat|dpt|kalau|klau|klu|kalu|mun|request\w*|max|can get|arrange for|ambil|buat|"
     r"cadang\w*", "b"),
    ("tempoh", 4, r"(?:tu |pun )?(?:boleh|blh|cukup|sesuai|jadi|tenure|loan|bayar\w*|bayaq|lulus|lepas|repayment|sudah memadai|is enough|please|"
     r"dicadangkan|dipohon|saja|je|sahaja|habih|untuk langsaikan|ok|okay|kalau|klau|if|paling ngam|or not|lamanya|maximum|boleh dak)", "a"),
    ("kerja", 5, r"kerja\w*|keje|krja|kojo|kijo|bekerja|berkhidmat|perkhidmatan|khidmat|bertugas|mengajar|ngajar|mendidik|meniaga|berniaga|"
     r"niaga\w*|niago|bisnes|business|menjahit|menoreh|jawatan|pengalaman|posting|lantik\w*|dilantik|joined|working|been|running|buka|"
     r"service|servis|sandang|memegang|menjawat|diterima|company|syarikat|firma?m?|jalan|berjalan|turun laut|full time", "b"),
    ("kerja", 4, r"dah|dh|sudah|suda|udah|doh|telah|baru|br|genap|cukup|masuk|selama|sejak|lebih|hampir|dekat|dekat2|mula|over|already|"
     r"for the past|for|agik baru|pusing|jadi", "b"),
    ("kerja", 4, r"(?:lebih |lbh |lalu |yang lalu |setengah )?(?:sudah|dah|dh|doh|already|lebih|kerja\w*|keje|saya|sia|berkhidmat|berbakti|bekerja|"
     r"mengajar|ngajar|ikut|dengan|dgn|with|jaga|bawa\w*|dok|di (?:syarikat|sini|situ|asrama|jabatan)|kat (?:sini|sana)|ago|lalu|"
     r"yang lalu|polah|tapi|on my own|in the same|berniaga|mengusaha\w*|menjahit|memegang|dpt tetap|menoreh|telah|niaga)", "a"),
    ("lain", 9, r"umur(?:nya)?|usia|berumur|aged?|muda|baru umur|pencen umur|mencecah", "b"),
    ("lain", 8, r"(?:y/o|years old|umurnya|lepas|lepaih|lopeh|lepah|hadapan|depan)", "a"),
    ("lain", 7, r"dulu|dahulu|sebelum (?:ni|ini|tu|itu|ya)|before (?:ni|this)|last job|previous(?: company)?|bekas|ketika|semasa|setelah|"
     r"terdahulu|masa kerja|pernah", "b"),
    ("lain", 6, r"(?:di |kat )?(?:politeknik|tempat lama|syarikat lama|di tempat lama|jadi helper)", "a"),
    ("lain", 8, r"kahwin|nikah|nikoh|statement|penyata|payslip|akaun|sulung|settle|langsai|tebus\w*|dilangsaikan|anak|bongsu|"
     r"married|habis tahun|tukar|bukan", "b"),
    ("lain", 6, r"(?:dlm |dalam )borang|payslip|\W{0,3}(?:eh|sorry|salah|silap)|kahwin", "a"),
)  # fmt: skip


def _compiled(cues):
    return [(label, weight, re.compile(rf"(?<![\w-])(?:{cue})(?!\w)", re.I), side) for label, weight, cue, side in cues]


_MONEY_CUES, _TIME_CUES = _compiled(_MONEY_CUES), _compiled(_TIME_CUES)
_SENTENCE = re.compile(r"(?<!\bDr)(?<!\b[Bb])[.!?]+(?=\s|$)|\n")
_BREAK = re.compile(r"[,;()]|\b(?:dan|and|tapi|tp|tetapi|manakala|plus|but)\b", re.I)
_ORDERS = re.compile(
    r"\b(?:abaikan|arahan|nota (?:kepada|utk|untuk)|(?:kepada|utk) (?:sistem|ai)|sistem:|ignore|anggap|klau komputer|kalau komputer|untuk ai)\b", re.I
)


def _orders(letter):
    """The stretches of a letter that give orders to its reader (“abaikan semua syarat …”)."""
    found = []
    for match in _ORDERS.finditer(letter):
        end = _SENTENCE.search(letter, match.end())
        found.append((match.start(), end.start() if end else len(letter)))
    return found


def _nearness(gap, figures_between, after, lasting):
    """How much of a cue's weight is left across the words between it and the figure."""
    words = len(gap.split())
    sentences, breaks = len(_SENTENCE.findall(gap)), len(_BREAK.findall(gap))
    if after:
        return 0.8 * 0.75**words * 0.15**sentences * 0.4**breaks * 0.2**figures_between
    return (0.97 if lasting else 0.92) ** words * 0.3**sentences * 0.75**breaks * 0.4**figures_between


def _label_scores(letter, figure, everything, cues):
    """Label → strength of the strongest cue for it around one figure, plus a little of the second strongest."""
    scores = {}
    for label, weight, cue, side in cues:
        best = 0.0
        for match in cue.finditer(letter, max(0, figure.start - 160), min(len(letter), figure.end + 60)):
            if match.end() <= figure.start and side in "bs":
                gap, low, high = letter[match.end() : figure.start], match.end(), figure.start
            elif match.start() >= figure.end and side == "a":
                gap, low, high = letter[figure.end : match.start()], figure.end, match.start()
            else:
                continue
            between = sum(low <= other.start < high for other in everything)
            best = max(best, weight * _nearness(gap, between, after=side == "a", lasting=side == "s"))
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
        if previous and previous[1] == "hutang" and len(letter[previous[0].end : figure.start].split()) <= 5 and "hutang" in keys:
            if not _SENTENCE.search(letter[previous[0].end : figure.start]):
                scores["hutang"] = scores.get("hutang", 0) + 1.5  # an item in a list of debts
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
            near = [figure.text for s, figure in found if s >= 0.6 * best]
            quotes[field.name] = [max(found, key=lambda pair: pair[0])[1].text] if found else []
            if len(near) > 1 and re.search(r"silap|salah|typo|\btukar|\bbukan\b|eh |dipinda|muktamad|update|diskaun|turun|deal|lepas (?:nego|tawar)", letter, re.I):
                quotes[field.name] = near[-1:]
    return quotes


def _priors(letter, figure, scores, keys, money):
    """What the figure itself says: a bare large sum is a price, a yearly one is pay, thirty years are a tenure."""
    def add(key, value):
        scores[key] = scores.get(key, 0) + value

    if money:
        if re.search(r"tahun|thn|year|annum|annual", figure.text, re.I):
            add("gaji", 4)
        elif keys == ["harga"]:
            add("harga", 2)
        return
    durations = find_durations(figure.text)
    if not durations:
        add("kerja", 3)
    elif durations[0].high >= 25 or durations[0].high >= 10 and durations[0].high % 5 == 0:
        add("tempoh", 1)
    elif durations[0].high < 8:
        add("kerja", 1.5)


def extract(letter):
    return _numbers(letter)
