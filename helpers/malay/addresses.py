"""Postal addresses of Malaysia found in running text.

`find_addresses("tinggal di No. 12, Jalan Mawar 3, Taman Indah, 43000 Kajang, Selangor")` gives one
`Address` with unit, street, area, postcode, town and state. An address is a chain of parts, each opened
by its own word (No., Jalan, Taman, Kampung …) and told apart by commas, line ends or nothing but the
next such word; it must hold enough parts to find a door. “Jalan Tun Razak” alone is a place, not an address.

Source of the postcode table: the ranges that Pos Malaysia gives to the states.
"""

import re
from dataclasses import dataclass

from helpers.malay.identifiers import Identifier

STATES = {
    "johor": "Johor", "kedah": "Kedah", "kelantan": "Kelantan", "melaka": "Melaka", "negeri sembilan": "Negeri Sembilan",
    "pahang": "Pahang", "pulau pinang": "Pulau Pinang", "perak": "Perak", "perlis": "Perlis", "selangor": "Selangor",
    "terengganu": "Terengganu", "sabah": "Sabah", "sarawak": "Sarawak", "kuala lumpur": "Kuala Lumpur", "labuan": "Labuan",
    "putrajaya": "Putrajaya", "wilayah persekutuan": "Wilayah Persekutuan", "johor darul takzim": "Johor", "kedah darul aman": "Kedah",
    "kelantan darul naim": "Kelantan", "negeri sembilan darul khusus": "Negeri Sembilan", "pahang darul makmur": "Pahang",
    "perak darul ridzuan": "Perak", "perlis indera kayangan": "Perlis", "selangor darul ehsan": "Selangor",
    "terengganu darul iman": "Terengganu", "wilayah persekutuan kuala lumpur": "Kuala Lumpur", "malacca": "Melaka", "penang": "Pulau Pinang",
    "n. sembilan": "Negeri Sembilan", "n sembilan": "Negeri Sembilan", "n9": "Negeri Sembilan", "p. pinang": "Pulau Pinang",
    "w.p. kuala lumpur": "Kuala Lumpur", "wp kuala lumpur": "Kuala Lumpur", "w.p. labuan": "Labuan", "w.p. putrajaya": "Putrajaya",
    "kl": "Kuala Lumpur", "wp labuan": "Labuan", "wilayah persekutuan labuan": "Labuan", "wilayah persekutuan putrajaya": "Putrajaya",
}  # fmt: skip
# Towns as they stand after a postcode; an unknown town is taken by its capitals.
TOWNS = frozenset(
    town.strip()
    for town in """
    alor gajah, alor setar, ampang, arau, ayer hitam, ayer keroh, air keroh, air itam, ayer itam, ayer tawar, bachok, bagan serai, bahau,
    balakong, balik pulau, baling, bandar baru bangi, bandar bera, bandar penawar, bandar seri iskandar, bandar tun razak, bangi, bangsar,
    banting, batang kali, batu arang, batu caves, batu ferringhi, batu gajah, batu kurau, batu pahat, bau, bayan lepas, beaufort, bedong,
    bekenu, belaga, belaran, bemban, benta, bentong, bera, beranang, besut, betong, bidor, bintulu, bongawan, brinchang, bukit jalil,
    bukit kayu hitam, bukit mertajam, bukit pasir, bukit rambai, bukit rotan, butterworth, cameron highlands, chemor, changlun, cheras,
    chukai, cukai, cyberjaya, dalat, damansara, dengkil, dungun, endau, enggor, gambang, gebeng, gelang patah, gelugor, gemas, genting,
    georgetown, george town, gerik, gombak, gong badak, gopeng, gua musang, gurun, hulu langat, hulu selangor, hutan melintang,
    inanam, ipoh, iskandar puteri, jasin, jawi, jelebu, jeli, jengka, jenjarom, jerantut, jerteh, jitra, johor bahru, johol, juru, kajang,
    kampar, kanowit, kangar, kapar, kapit, karak, kemaman, keningau, kepala batas, kepong, kerteh, ketereh, kijal, kinabatangan, kinarut,
    klang, kluang, kok lanas, kota bharu, kota belud, kota kinabalu, kota marudu, kota samarahan, kota tinggi, kota damansara, kuah,
    kuala berang, kuala kangsar, kuala kedah, kuala ketil, kuala klawang, kuala krai, kuala kubu bharu, kuala kurau, kuala lipis,
    kuala nerang, kuala nerus, kuala perlis, kuala pilah, kuala selangor, kuala terengganu, kuala lumpur, kuantan, kubang kerian, kuching,
    kudat, kulai, kulim, kunak, kundasang, labis, labu, lahad datu, langgong, lenggong, langkawi, lawas, layang-layang, limbang,
    linggi, lubok antu, lumut, lunas, lundu, lutong, machang, malim nawar, manjung, mantin, marang, maran, marudi, masai, masjid tanah,
    matu, melor, membakut, mentakab, menumbok, merbok, merlimau, mersing, miri, muadzam shah, muar, mukah, nabawan, nibong tebal,
    nilai, pagoh, padang besar, padang rengas, padang serai, papar, parit, parit buntar, parit raja, parit sulong, pasir gudang, pasir mas,
    pasir puteh, paya rumput, pekan, pekan nenas, penampang, penang, pengerang, perai, permatang pauh, petaling jaya, petra jaya, pitas,
    pokok sena, pontian, pontian kechil, port dickson, port klang, pelabuhan klang, puchong, pulau indah, pulau ketam, pusa, putatan,
    putrajaya, putra heights, ranau, rantau, rantau panjang, rasa, raub, rawang, rembau, rengit, rompin, rinching, sabak bernam,
    salak tinggi, samarahan, sandakan, saratok, sarikei, sauk, seberang jaya, seberang perai, sebuyau, segamat, sekinchan, selama, selayang,
    semenyih, semporna, senai, senawang, sendayan, sentul, sepang, serdang, seremban, serendah, seri iskandar, seri kembangan, seri manjung,
    serian, setapak, setia alam, setiu, shah alam, sibu, sik, simpang empat, simpang renggam, simunjan, sipitang, sitiawan, slim river,
    song, sri aman, sri gading, subang jaya, sungai besar, sungai buloh, sungai petani, sungai pelek, sungai siput, sungai udang,
    sungkai, taiping, tambun, tambunan, tamparuli, tampin, tanah merah, tanah rata, tangkak, tanjong karang, tanjung karang, tanjong malim,
    tanjung malim, tanjung bungah, tanjung tokong, tapah, tasek gelugor, tatau, tawau, teluk intan, telupid, temerloh, tenom, triang,
    tronoh, trong, tuaran, tumpat, ulu kinta, ulu tiram, utan aji, wakaf bharu, wangsa maju, yan, yong peng, titiwangsa, mont kiara,
    kelana jaya, segambut, jinjang, salak selatan, sri petaling, kota kemuning, bukit beruntung, kuala sungai baru, durian tunggal, pj, jb, kk, bm, sp
    """.split(",")
)  # fmt: skip
POSTCODE_STATES = [  # first two digits, both ends included
    (1, 2, "Perlis"), (5, 9, "Kedah"), (10, 14, "Pulau Pinang"), (15, 18, "Kelantan"), (20, 24, "Terengganu"), (25, 28, "Pahang"),
    (30, 36, "Perak"), (39, 39, "Pahang"), (40, 48, "Selangor"), (49, 49, "Pahang"), (50, 60, "Kuala Lumpur"), (62, 62, "Putrajaya"),
    (63, 64, "Selangor"), (68, 68, "Selangor"), (69, 69, "Pahang"), (70, 73, "Negeri Sembilan"), (75, 78, "Melaka"), (79, 86, "Johor"),
    (87, 87, "Labuan"), (88, 91, "Sabah"), (93, 98, "Sarawak"),
]  # fmt: skip


@dataclass(frozen=True)
class Address(Identifier):
    """A postal address; the parts that it does not have are empty."""

    unit: str = ""
    street: str = ""
    area: str = ""
    postcode: str = ""
    town: str = ""
    state: str = ""


_UNIT_HEADS = "no no. nombor lot unit blok block blk tingkat aras level plot suite pt rumah bilik pintu batu km kilometer tkt petak"
_STREET_HEADS = (
    "jalan jln jln. jl jl. lorong lrg lrg. persiaran psrn lebuh lebuhraya leboh lengkok lengkuk lingkaran solok medan cangkat changkat hala gat susur"
    " laluan pesiaran lintang laman street road lane avenue off dataran"
)
_AREA_HEADS = (
    "taman tmn tmn. kampung kg kg. kpg kampong desa bandar seksyen section sek. sek fasa felda felcra flat flet pangsapuri apartment apartmen kondominium"
    " kondo condominium residensi residence residency perumahan ppr ppa vista villa menara wisma bangunan kompleks plaza pekan ladang estet bukit"
    " kuarters mukim usj kuala presint precinct garden gardens heights perkampungan rpr rkt pulau sungai simpang parit batu teluk tanjung rumah"
    " pusat pangsa kota putra rh pasar"
)
_HEADS = (
    {w: "unit" for w in _UNIT_HEADS.split()}
    | {w: "area" for w in _AREA_HEADS.split()}
    | {w: "street" for w in _STREET_HEADS.split()}
    | {"batu": "unit", "rumah": "unit"}
)
# Words at which a name in small letters surely ends.
_STOP = frozenset(
    "dan yang di ke dari daripada untuk pada dengan ini itu saya kami kita dia beliau mereka anda awak akan telah sudah dah nak hendak mahu boleh tolong"
    " sila adalah ialah kerana sebab supaya atau tetapi tapi oleh sejak semasa ketika apabila bila jika kalau selepas sebelum hingga sampai tak tidak"
    " belum masih ada tiada dekat kat sini situ sana lagi juga pun je jer lah la ya ye ok tq terima kasih esok hari semalam pukul jam telefon tel hp email"
    " emel sebagai bagi serta lalu kemudian manakala berhampiran sebelah depan belakang setiap semua yg utk dgn tu ni mcm sy poskod alamat nama mohon minta"
    " hantar barang atas bawah dalam luar antara menjadi milik kepunyaan berkenaan tersebut is and the at for from with to please no. ic kp k/p"
    " bernilai berharga seluas selama bertarikh setelah telefonnya sedang pernah rumahnya cari ambil bayar".split()
)
_ABBREVIATED = re.compile(r"\b(?:no|jln|jl|lrg|tmn|kg|kpg|sek|psrn|blk|tkt|st|bt|sg|tg|dr|hj|p|n|w|w\.p|k|s|u|b)$", re.I)
_WORD = re.compile(r"#?\d[\w/.-]*[\w]|#?\d|[A-Za-zÀ-ÿ]+(?:['’/-][\w]+|\d[\w/-]*)*")
_GAP = re.compile(r"(?:[ \t]*,[ \t]*(?:\n[ \t]*)?|[ \t]*\n[ \t]*|[ \t]+[-–][ \t]+|[ \t]*[()][ \t]*|[ \t]+)")
_POSTCODE = re.compile(r"(?<![\w.,/-])(?<!RM )(\d{5})(?![\w/-]|[.,]\d)")
_START = re.compile(
    r"(?<![\w/&'’-])(?:(?P<box>Peti\s+Surat|P\.?\s?O\.?\s+Box|Beg\s+Berkunci|W\.?D\.?T\.?|PS)\s*(?:No\.?\s*)?\d+[\w-]*"
    r"|(?P<word>(?:[A-Za-z]+)\.?(?=[\s\d,#]|\Z))|(?P<code>#?(?:[A-Z]\d*-)?\d{1,5}[A-Z]?(?:[-/]\w{1,4}){0,3})(?=\s*,?\s*\n?\s*[A-Za-z]))"
)
_LABELLED = re.compile(
    r"(?:\b(?:ber)?alamat(?:nya|kan)?|\baddress|\btinggal|\bmenetap|\bbermastautin|\bduduk|\bpenghantaran|\bhantar|\bpos(?:kan)?\s+ke|\bpindah\s+ke|\bkediaman|"
    r"\brumah\s+(?:saya|kami|dia|beliau|sy))\b[^.;\n]{0,28}(?:\n[^.;\n]{0,4})?$",
    re.I,
)


def state_of(postcode):
    """The state of a five-digit postcode, or None where the range belongs to none."""
    prefix = int(postcode[:2])
    return next((state for low, high, state in POSTCODE_STATES if low <= prefix <= high), None)


def _town(text, position):
    """`(town, state, end)` read at `position`; town and state may be empty."""
    words = list(re.compile(r"[ \t]*([A-Za-z][A-Za-z.'’-]*)").finditer(text, position, position + 60))
    chain, at = [], position
    for match in words:
        if match.start() != at:
            break
        chain.append(match)
        at = match.end()
    if not chain:
        return "", "", position
    low = [m.group(1).lower().rstrip(".") for m in chain]
    for size in range(min(4, len(chain)), 0, -1):
        if " ".join(low[:size]) in TOWNS:
            return (
                " ".join(m.group(1) for m in chain[:size]).rstrip("."),
                "",
                chain[size - 1].start(1) + len(chain[size - 1].group(1).rstrip(".")),
            )
    for size in range(min(5, len(chain)), 0, -1):
        if " ".join(low[:size]) in STATES:
            return "", STATES[" ".join(low[:size])], chain[size - 1].start(1) + len(chain[size - 1].group(1).rstrip("."))
    return "", "", position


def find_postcodes(text):
    """Find five-digit postcodes with a town after them. Returns `Identifier`s whose value is `postcode town`."""
    found = []
    for match in _POSTCODE.finditer(text):
        town, state, end = _town(text, match.end())
        if not town and not state:
            name = re.compile(r"[ \t]+(?:[A-Z][a-z'’]+|[A-Z]{3,})(?:[ \t]+(?:[A-Z][a-z'’]+|[A-Z]{3,})){0,2}").match(text, match.end())
            if not name or name.group().split()[0].lower() in _STOP or not state_of(match.group(1)):
                continue
            town, end = name.group().strip(), name.end()
        if state_of(match.group(1)):
            found.append(Identifier(match.start(), end, text[match.start() : end], f"{match.group(1)} {town or state}"))
    return found


class _Reader:
    """Reads one address from a starting point; `parts` are (kind, start, end), `end` is where the last firm part ends."""

    def __init__(self, text, postcodes):
        self.text, self.postcodes = text, postcodes

    def read(self, start):
        text, position, parts, current, firm = self.text, start, [], None, start
        loose, words_since, lower_mode, previous = False, 0, False, ""
        while position < len(text):
            hard = False
            if parts or position > start:
                gap = _GAP.match(text, position)
                dot = (
                    text[position : position + 1] == "."
                    and _ABBREVIATED.search(text[max(0, position - 5) : position])
                    and previous.isalpha()
                )
                if dot:
                    gap = re.compile(r"\.[ \t]*,?[ \t]*").match(text, position)
                if not gap or "\n" in gap.group() and re.match(r"\s*(?:\n|$)", text[gap.end() :]) or ")" in gap.group():
                    break
                hard = bool(re.search(r"[,\n(–-]", gap.group()))
                at = gap.end()
            else:
                at = position
            if at in self.postcodes:
                item = self.postcodes[at]
                parts.append(("postcode", item.start, item.end))
                firm = position = item.end
                state = self._state(position)
                if state:
                    parts.append(("state", *state))
                    firm = state[1]
                return parts, firm
            word = _WORD.match(text, at)
            if not word:
                break
            body, low = word.group(), word.group().lower()
            head = "area" if re.match(r"rumah\s+panjang|rumah\s+pangsa", text[at : at + 16], re.I) else _HEADS.get(low)
            following = text[word.end() : word.end() + 1]
            if head == "unit" and not re.match(
                r"\.?\s*(?:rumah\s*|unit\s*|pintu\s*)?[#:]?\s*[A-Z]?-?\d|\.?\s*[A-Z]\b|\s+(?:bawah|satu|dua|tiga|empat|lima|no)\b",
                text[word.end() : word.end() + 14],
                re.I,
            ):
                head = "area" if low in ("batu", "rumah") and body[0].isupper() and current else None
            town, state, town_end = _town(text, at)
            is_code = bool(re.fullmatch(r"#?[A-Za-z]{0,3}\d[\w/.-]*|[A-Z](?:[-/][\w]+)+", body)) and len(body) <= 12
            if head and not (head == "area" and current == "street" and not hard and words_since == 0):
                if low in ("no",) and previous.lower() in ("dan", "atau"):
                    break
                parts.append([head, at, word.end()])
                current, words_since, loose, lower_mode = head, 0, False, body[0].islower()
                position = firm = word.end()
            elif hard and (town or state):
                parts.append(["town" if town else "state", at, town_end])
                current, words_since, loose = "town", 9, False
                position = firm = town_end
            elif is_code and (
                not hard
                or re.match(
                    r"[\s,]*(?:" + "|".join(map(re.escape, (*_STREET_HEADS.split(), "taman", "kampung", "kg"))) + r")\b",
                    text[word.end() :],
                    re.I,
                )
            ):
                if current in ("town",) or re.fullmatch(r"\d{6,}", body) or words_since > 5:
                    break
                if not parts or hard:
                    parts.append(["unit", at, word.end()])
                    current = "unit"
                words_since += 1
                position = word.end()
                firm = firm if loose else self._stretch(parts, position)
            elif low in _STOP or body.isdigit() and len(body) > 5:
                break
            elif body[0].isupper():
                if hard or current in ("town", None) or words_since > 5:
                    if not hard:
                        break
                    loose, words_since = True, 0  # a name of its own: kept if something firm follows
                    if sum(1 for p in parts if p[0] == "loose") > 2:
                        break
                    parts.append(["loose", at, word.end()])
                    current = "loose"
                elif current == "unit" and not re.match(r"(?:bawah|satu|dua|tiga|empat|lima|[A-Z])$", body, re.I):
                    parts.append(["loose", at, word.end()])
                    current, loose = "loose", True
                words_since += 1
                position = word.end()
                if current != "loose":
                    firm = self._stretch(parts, position)
                else:
                    parts[-1][2] = position
            elif lower_mode and not hard and current in ("street", "area") and words_since < 3:
                if town and words_since:
                    parts.append(["town", at, town_end])
                    current, words_since, position = "town", 9, town_end
                    firm = town_end
                else:
                    words_since += 1
                    position = word.end()
                    firm = self._stretch(parts, position)
            elif lower_mode and (town or state):
                parts.append(["town" if town else "state", at, town_end])
                current, words_since = "town", 9
                position = firm = town_end
            elif lower_mode and hard and re.compile(r"[a-z ]{1,24}\d{5}\b").match(text, at):
                parts.append(["loose", at, word.end()])
                current, loose, position, words_since = "loose", True, word.end(), 1
            elif lower_mode and current == "loose" and words_since < 4:
                words_since, position = words_since + 1, word.end()
                parts[-1][2] = position
            else:
                break
            previous = body
            if following == "." and not _ABBREVIATED.search(body):
                break
        return parts, firm

    @staticmethod
    def _stretch(parts, position):
        if parts:
            parts[-1][2] = position
        return position

    def _state(self, position):
        gap = _GAP.match(self.text, position)
        if not gap:
            return None
        town, state, end = _town(self.text, gap.end())
        if state:
            country = re.compile(r"\s*,\s*(?:Malaysia|MALAYSIA)\b").match(self.text, end)
            return gap.end(), country.end() if country else end
        return None


def _enough(kinds, labelled, boxed, text_of):
    """Whether these parts find a door: a number and a street, a street and a postcode, or a label that says “alamat”."""
    kinds = set(kinds)
    place = kinds & {"street", "area"}
    if boxed:
        return bool(place or kinds & {"postcode"})
    if "postcode" in kinds and (place or "unit" in kinds):
        return True
    door = re.search(r"\b(?:no|nombor|lot|unit|pt|rumah|plot|suite|pintu)\b\W{0,3}\w*\d|^#?[A-Z]?-?\d|\d-\d|\b[A-Z]-\d", text_of, re.I)
    if "unit" in kinds and "street" in kinds and door:
        return True
    if "unit" in kinds and place and door:
        return bool(
            re.search(
                r"(?:taman|tmn|kampung|kampong|kg|desa|seksyen|section|flat|pangsapuri|apartment|kondo\w*|ppr|felda|perumahan|residensi|kuarters|usj|presint)\b",
                text_of,
                re.I,
            )
        )
    if labelled == "alamat":
        return bool(place)
    return bool(labelled and place and (len(place) > 1 or kinds & {"town", "state"}))


def find_addresses(text):
    """Find postal addresses. Returns `Address`es, left to right; `value` is the address on one line."""
    postcodes = {item.start: item for item in find_postcodes(text)}
    reader, found, position = _Reader(text, postcodes), [], 0
    while match := _START.search(text, position):
        start = match.start()
        position = match.end() if not match.group("word") else match.start() + len(match.group("word"))
        boxed = bool(match.group("box"))
        if match.group("word"):
            low = match.group("word").lower()
            if (low if low in _HEADS else low.rstrip(".")) not in _HEADS:
                continue
        elif match.group("code"):
            code = match.group("code")
            heads = "|".join(re.escape(head) for head in _STREET_HEADS.split() if head not in ("lebuhraya", "off", "dataran"))
            if re.search(r"(?:RM\s?|\d[.,]|\b[A-Z][\w'-]*\s)$", text[:start]):
                continue
            street = re.compile(rf"\s*,?\s*\n?\s*(?:{heads})\s", re.I).match(text, match.end())
            coded = re.fullmatch(r"#?(?:[A-Z]\d*-)?\d+[A-Z]?(?:-\w+)+|#.*", code) and not re.fullmatch(
                r"\d{1,2}-\d{1,2}(?:-\d{2,4})?", code
            )
            area = re.compile(rf"\s*,\s*\n?\s*(?:{'|'.join(_AREA_HEADS.split())})\s", re.I).match(text, match.end())
            if (
                not street
                and not (coded and area)
                and not (coded and re.compile(r"\s*,\s*[A-Z]").match(text, match.end()))
                and not (area and match.group("code")[0].isdigit())
            ):
                continue
        if boxed:
            rest = _GAP.match(text, match.end())
            parts, end = reader.read(rest.end()) if rest else ([], match.end())
            parts = [("unit", start, match.end()), *parts]
        else:
            parts, end = reader.read(start)
        kinds = [part[0] for part in parts if part[2] <= end]
        before = text[max(0, start - 60) : start]
        label = _LABELLED.search(before)
        labelled = ("alamat" if re.match(r"\b(?:ber)?(?:alamat|address)", label.group(), re.I) else "home") if label else None
        if not _enough(kinds, labelled, boxed, text[start:end]):
            continue
        fields = {}
        for kind, a, b in parts:
            if b <= end and kind in ("unit", "street", "area", "town", "state"):
                fields.setdefault(kind, text[a:b].strip(" ,"))
        for kind, a, b in parts:
            if kind == "postcode":
                fields["postcode"] = text[a : a + 5]
                fields["town"] = text[a + 5 : b].strip(" ,\n")
        if fields.get("postcode") and not fields.get("state"):
            fields["state"] = state_of(fields["postcode"]) or ""
        body = text[start:end].rstrip(" ,.-–(\n")
        found.append(Address(start, start + len(body), body, re.sub(r"\s*\n\s*", ", ", body).replace(",,", ","), True, **fields))
        position = max(position, end)
    return found
