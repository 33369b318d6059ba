"""A factory's supply desk: a notice of disruption comes in, parts at risk are found, an approved supplier is chosen.

    desk = Supply()                                      # in memory; give a path to keep it
    desk.call("check_supply", {"subject": "SUP-13", "duration": "dua minggu"})
    desk.call("alternatives", {"part": "PRT-206"})       # rows with what the policy's rule needs, ordered by id
    desk.call("draft_order", {"part": "PRT-206", "supplier": "SUP-24"})
    desk.approve("DRF-001", "Cik Salmah")                # for people only

The factory, its parts, suppliers, prices and rates are invented. Code computes every quantity, date, cost and rule of
origin; which notice is a disruption, what it touches and which row the policy picks is for the reader of the notice.
`optimum.py` finds the right row by brute force.
"""

import datetime
import math
from typing import Literal

from helpers.worlds.base import TELL, Fact, Known, Quote, World
from helpers.worlds.supply import durations, start

_ORDER = "INSERT INTO orders (part, supplier, quantity, cost_RM, arrives, status) VALUES (?, ?, ?, ?, ?, 'menunggu')"
_ASEAN = {"Thailand", "Vietnam", "Indonesia", "Singapura"}
_MONTHS = ("Januari", "Februari", "Mac", "April", "Mei", "Jun", "Julai", "Ogos", "September", "Oktober", "November", "Disember")
_CERTIFICATES = {"kereta": ("iso9001", "iatf16949"), "elektronik": ("iso9001", "rohs")}
_LABELS = {"iso9001": "ISO 9001", "iatf16949": "IATF 16949", "rohs": "RoHS"}
ROWS = 4  # candidates that an answer shows at most
URGENT = 2  # parts that a notice brings to this desk; the others are listed for people

Place = Literal[
    "Johor", "Kedah", "Melaka", "Negeri Sembilan", "Pahang", "Perak", "Pulau Pinang", "Selangor",
    "China", "Indonesia", "Jepun", "Singapura", "Taiwan", "Thailand", "Vietnam",
    "Pelabuhan Klang", "Pelabuhan Pasir Gudang", "Pelabuhan Pulau Pinang", "Pelabuhan Tanjung Pelepas", "KLIA Kargo",
    "Bukit Kayu Hitam", "Tambak Johor", "PLUS utara", "PLUS selatan", "Lebuhraya Karak", "Lebuh AMJ",
]  # fmt: skip
Outcome = Literal[
    "tiada_gangguan", "dibatalkan", "tiada_risiko", "tiada_calon", "melebihi_had", "kualiti", "mencurigakan", "belum_disahkan", "luar_skop"
]
OUTCOMES = {
    "tiada_gangguan": "Notis ini bukan gangguan bekalan, jadi tiada pesanan dibuat.",
    "dibatalkan": "Gangguan itu telah dibatalkan atau telah berakhir, jadi tiada pesanan baharu dibuat.",
    "tiada_risiko": "Stok dan pesanan sedia ada mencukupi sepanjang gangguan, jadi tiada pesanan baharu dibuat.",
    "tiada_calon": "Tiada pembekal yang sah dan sempat menghantar, jadi kes ini diserahkan kepada pengurus bekalan.",
    "melebihi_had": "Kos melebihi had pembeli, jadi kes ini diserahkan kepada pengurus bekalan.",
    "kualiti": "Ini perkara kualiti, jadi kes ini diserahkan kepada jurutera kualiti dan tiada pesanan dibuat.",
    "mencurigakan": "Permintaan ini mencurigakan, jadi kes ini diserahkan kepada pegawai keselamatan dan mesej itu tidak dibalas.",
    "belum_disahkan": "Berita ini belum disahkan dengan pembekal, jadi pegawai bekalan akan menghubungi pembekal dahulu.",
    "luar_skop": "Perkara ini di luar tugas meja bekalan, jadi permintaan diserahkan kepada pegawai bertugas.",
}


def malay_date(day):
    """A date in words: 7 Disember 2026."""
    return f"{day.day} {_MONTHS[day.month - 1]} {day.year}"


def _listed(words):
    words = list(words)
    return words[0] if len(words) == 1 else ", ".join(words[:-1]) + " dan " + words[-1]


class Supply(World):
    """The supply desk of the invented factory Kilang Komponen Contoh. `setup` of a task may hold `variant` (a number: another
    state of the same factory), `limit` (RM), and changes by id: `parts` {"PRT-204": {"stock": 900}}, `suppliers`
    {"SUP-12": {"rohs": "2026-10-31"}}, `offers` {"PRT-204/SUP-24": {"rvc": 39.8}}, `drafts` [["PRT-204", "SUP-24", 500]]."""

    NAME = "supply"
    REFUSAL = ("close_notice", {"outcome": "luar_skop"})
    TOOLS = ("check_supply", "check_place", "alternatives", "draft_order", "close_notice")
    FACTS = {
        "notice": Fact(
            "Salam sejahtera. Apakah notis atau masalah bekalan yang perlu saya semak?",
            r"(?i)\b(apa(kah)?|what|boleh|how)\b(?!.*\b(tempoh|nombor|no)\b).{0,30}\b(notis|masalah|isu|bantu|tolong|help|notice|hal)\b|(?:kongsi|tampal|paste|share)\w*\W.{0,20}\b(?:notis|notice|mesej)",
        ),
        "supplier": Fact(
            "Apakah nombor pembekal yang terlibat (SUP-…)?",
            r"(?i)\b(nombor|no|kod|id|nama|siapa\w*|mana|manakah|which|what|apa|who\w*)\b.{0,24}\b(pembekal|supplier|vendor)|\b(pembekal|supplier|vendor)\b.{0,14}\b(mana|manakah|apa|siapa\w*|which)\b|\bSUP\b",
        ),
        "place": Fact(
            "Di negeri, negara, pelabuhan atau laluan manakah gangguan itu berlaku?",
            r"(?i)\b(di|kat|dekat|where|mana\w*|which|what)\b.{0,30}\b(negeri|negara|pelabuhan|laluan|tempat|lokasi|state|country|port|route|kawasan|location|jalan)\b|\b(negeri|negara|pelabuhan|laluan|tempat|lokasi|port|kawasan|jalan)\b.{0,16}\b(mana\w*|apa|which)\b|\bwhere\b|\bdi\s?mana(kah)?\b|\bkat\s+mana\b",
        ),
        "duration": Fact(
            "Berapa lamakah gangguan itu dijangka berlangsung?",
            r"(?i)\bberapa\s+(lama|hari|minggu|bulan)|\bbrapa\s+(lama|hari|minggu)|\b(sampai|hingga|sehingga)\s+bila|\bbila\b.{0,30}\b(pulih|selesai|habis|siap|tamat|beroperasi|normal|sambung|buka|berakhir)|how\s+long|until\s+when|\btempoh\b|\bduration\b|when\b.{0,30}\b(resume|end|over|recover|back)",
        ),
        "part": Fact(
            "Bahagian yang manakah (PRT-…) perlu dicarikan pengganti?",
            r"(?i)\b(nombor|no|kod|id|which|what|apa|mana)\b.{0,12}\b(bahagian|part|barang|komponen)\b|\b(bahagian|part|barang|komponen)\b.{0,14}\b(mana\w*|apa|which)\b|\bPRT\b",
        ),
        "confirmed": Fact(
            "Sudahkah berita ini disahkan dengan pihak berkenaan?",
            r"(?i)\b(di)?sah(kan|ih)\b|\bconfirm(ed)?\b|\bverif(y|ied)\b|\bpengesahan\b|\bsahih\b",
        ),
    }
    SAYS = {"salam": FACTS["notice"].question, "tamat": "Sama-sama. Meja bekalan sedia membantu."}
    REFUSAL = ("close_notice", {"outcome": "luar_skop"})
    SCHEMA = """
    CREATE TABLE IF NOT EXISTS orders (id INTEGER PRIMARY KEY, part, supplier, quantity, cost_RM, arrives, status, by);
    CREATE TABLE IF NOT EXISTS outcomes (outcome TEXT PRIMARY KEY);
    CREATE TABLE IF NOT EXISTS stopped (name TEXT PRIMARY KEY);
    CREATE TABLE IF NOT EXISTS checked (part TEXT PRIMARY KEY, gap INTEGER, at_risk INTEGER);
    CREATE TABLE IF NOT EXISTS settings (name TEXT PRIMARY KEY, value);
    """
    COMPARED = {"orders": ("part", "supplier", "quantity"), "outcomes": ("outcome",)}

    def _begin(self, setup):
        self._world, tables = start.state(setup)
        self.today = start.today()
        for name, (key, rows) in tables.items():
            self._db.execute(f"CREATE TABLE IF NOT EXISTS {name} ({', '.join(rows[0])}, PRIMARY KEY ({', '.join(key)}))")
            marks = ", ".join("?" * len(rows[0]))
            self._db.executemany(f"INSERT OR IGNORE INTO {name} VALUES ({marks})", [tuple(row.values()) for row in rows])
        limit = setup.get("limit", self._world["factory"]["buyer_limit_RM"])
        self._db.execute("INSERT OR IGNORE INTO settings VALUES ('limit', ?)", (limit,))
        for part, supplier, quantity in setup.get("drafts", []):
            self._db.execute(_ORDER, (part, supplier, quantity, 0, self.today.isoformat()))

    @property
    def limit(self):
        """The buyer's limit for one order, in ringgit."""
        return self.query("SELECT value FROM settings WHERE name = 'limit'")[0]["value"]

    # For people

    def approve(self, draft: str, person: str):
        """Approve a draft order (DRF-001); the first decision stands."""
        return self._decide(draft, person, "diluluskan")

    def reject(self, draft: str, person: str):
        """Reject a draft order; the first decision stands."""
        return self._decide(draft, person, "ditolak")

    def _decide(self, draft, person, status):
        if not person.strip():
            raise ValueError("nyatakan nama orang yang memutuskan")
        sql = "UPDATE orders SET status = ?, by = ? WHERE printf('DRF-%03d', id) = ? AND status = 'menunggu'"
        with self._lock, self._db:
            changed = self._db.execute(sql, (status, person, draft))
        if not changed.rowcount:
            raise ValueError(f"{draft} tiada, atau sudah diputuskan")
        return f"{draft}: {status} oleh {person}"

    # Tools

    def check_supply(self, subject: Known, duration: Quote) -> dict:
        """Find which parts run out when a supplier (SUP-…), or the supply of one part (PRT-…), stops.

        Args:
            subject: Number of the supplier that stops, or of the only part that does.
            duration: The person's words for how long it lasts, or that this is unknown.
        """
        days = self._days(duration)
        if subject.startswith("SUP-") and self.query("SELECT 1 FROM suppliers WHERE supplier = ?", subject):
            parts = self._stop("supplier = ?", subject, days)
        else:
            parts = self.query("SELECT * FROM parts WHERE part = ?", subject)
            if not parts:
                return {"berisiko": [], TELL: f"{subject} tiada dalam daftar kilang, jadi kesannya tidak diketahui."}
        return self._risk(subject, parts, days)

    def check_place(self, place: Place, duration: Quote) -> dict:
        """Find which parts run out when everything made in a place, or brought through it, stops.

        Args:
            place: State, country, port of entry, border crossing or highway that the notice is about.
            duration: The person's words for how long it lasts, or that this is unknown.
        """
        days = self._days(duration)
        return self._risk(place, self._stop("? IN (place, via)", place, days), days)

    def alternatives(self, part: Known) -> dict:
        """List who else can supply a part that has been checked: at most four rows, ordered by supplier number.

        Args:
            part: Number of the part at risk (PRT-…).
        """
        need = self._checked(part)
        rows = self.candidates(part)
        good = [r for r in rows if r["sah"] == r["sempat"] == "ya"]
        told = [f"{r['pembekal']} (tiba dalam {r['tiba_hari']} hari, RM{r['kos_RM']:,})" for r in good]
        text = f"{_listed(told)} sah dan sempat" if told else "tiada pembekal yang sah dan sempat"
        shown = [{k: v for k, v in row.items() if k != "kuantiti"} for row in rows]
        result = {"bahagian": part, "stok_hari": need["cover"], "had_RM": self.limit, "calon": shown}
        return result | {TELL: f"Bagi {part}, {text}; had pembeli ialah RM{self.limit:,}."}

    def draft_order(self, part: Known, supplier: Known) -> dict:
        """Draft an order for a part at risk; the quantity is computed, and a person approves it later.

        Args:
            part: Number of the part (PRT-…).
            supplier: Number of the chosen supplier (SUP-…).
        """
        need = self._checked(part)
        if not need["at_risk"]:
            raise ValueError(f"{part} tidak berisiko; tiada pesanan diperlukan")
        if self._ordered(part):
            raise ValueError(f"{part} sudah ada draf pesanan; jangan pesan dua kali")
        row = next((r for r in self.candidates(part) if r["pembekal"] == supplier), None)
        if row is None:
            raise ValueError(f"{supplier} bukan calon bagi {part}; pilih daripada alternatives")
        if row["sah"] != "ya":
            raise ValueError(f"{supplier} tidak sah: {row['sebab']}; pilih calon lain")
        if row["sempat"] != "ya":
            raise ValueError(f"{supplier} tidak sempat tiba; pilih calon lain")
        if row["kos_RM"] > self.limit:
            raise ValueError(f"RM{row['kos_RM']:,} melebihi had RM{self.limit:,}; tutup dengan melebihi_had jika tiada calon lebih murah")
        arrives = self.today + datetime.timedelta(days=row["tiba_hari"])
        values = (part, supplier, row["kuantiti"], row["kos_RM"], arrives.isoformat())
        draft = f"DRF-{self._db.execute(_ORDER, values).lastrowid:03d}"
        told = f"{draft} dibuat: {row['kuantiti']:,} unit {part} daripada {supplier}, RM{row['kos_RM']:,}"
        return {"draf": draft, TELL: f"{told}, dijangka tiba {malay_date(arrives)}; menunggu kelulusan pengurus."}

    def close_notice(self, outcome: Outcome) -> dict:
        """End a notice that needs no order, or hand it over to a person.

        Args:
            outcome: Why there is no order (tiada_…, dibatalkan) or why a person takes over.
        """
        left = [row for row in self.query("SELECT part FROM checked WHERE at_risk") if not self._ordered(row["part"])]
        if outcome == "tiada_risiko" and left:
            raise ValueError(f"{_listed(r['part'] for r in left)} masih berisiko; lihat alternatives atau serahkan")
        self._db.execute("INSERT OR IGNORE INTO outcomes VALUES (?)", (outcome,))
        return {"hasil": outcome, TELL: OUTCOMES[outcome]}

    # What the tools compute

    def candidates(self, part):
        """Rows of everybody else who offers a part, with all that the policy's rule looks at."""
        need = self._checked(part)
        sql = "SELECT * FROM offers o JOIN suppliers s USING (supplier) WHERE o.part = ? AND o.supplier <> ? ORDER BY o.supplier"
        rows = []
        for offer in self.query(sql, part, need["supplier"])[:ROWS]:
            arrives = self.today + datetime.timedelta(days=offer["lead_days"])
            wanted = _CERTIFICATES[need["kind"]]
            expiry = min(offer[name] for name in wanted)
            origin = offer["place"] in _ASEAN and (offer["rvc"] >= self._world["factory"]["form_d_rvc"] or offer["heading_changed"] == "ya")
            abroad = offer["currency"] != "MYR"
            lapsed = [_LABELS[name] for name in wanted if offer[name] < arrives.isoformat()]
            faults = {
                "terjejas gangguan": bool(self.query("SELECT 1 FROM stopped WHERE name = ?", offer["supplier"])),
                "belum diluluskan": offer["approved"] != "ya",
                f"{' dan '.join(lapsed)} tamat": bool(lapsed),
                f"PPAP {offer['ppap']}": offer["ppap"] != "lulus",
                "tiada Borang D": need["origin_needed"] == "ya" and abroad and not origin,
            }
            short = max(0, need["gap"] - need["cover"]) * need["daily_use"]
            quantity = max(offer["moq"], math.ceil(short / offer["pack"]) * offer["pack"])
            duty = 0 if origin or not abroad else self._world["duty"][need["hs6"][:4]]
            cost = quantity * offer["price"] * self._world["rates"][offer["currency"]] * (1 + duty / 100) + offer["freight_RM"]
            reasons = [text for text, wrong in faults.items() if wrong]
            in_time = "ya" if offer["lead_days"] <= need["cover"] else "tidak"
            row = {"pembekal": offer["supplier"], "tiba_hari": offer["lead_days"], "sempat": in_time}
            row |= {"sah": "tidak", "sebab": reasons[0]} if reasons else {"sah": "ya"}
            row |= {"kos_RM": math.ceil(round(cost, 2) / 100) * 100, "sijil_hingga": expiry, "minimum": offer["moq"], "kuantiti": quantity}
            rows.append(row | ({"RVC": f"{offer['rvc']}%"} if offer["rvc"] is not None else {}))
        return rows

    def _days(self, duration):
        days, known = durations.days(duration, self.today)
        return days if known else self._world["factory"]["assumed_days"]

    def _ordered(self, part):
        return self.query("SELECT 1 FROM orders WHERE part = ? AND status <> 'ditolak'", part)

    def _stop(self, which, value, days):
        """Note the suppliers that stop, unless it is over already, and give the parts that they are the main source of."""
        if days:
            self._db.execute(f"INSERT OR IGNORE INTO stopped SELECT supplier FROM suppliers WHERE {which}", (value,))
        return self.query(f"SELECT * FROM parts WHERE supplier IN (SELECT supplier FROM suppliers WHERE {which}) ORDER BY part", value)

    def _risk(self, subject, parts, days):
        found, safe, ordered = [], [], []
        for part in parts:
            cover, gap = part["stock"] // part["daily_use"], part["due_days"] + days
            at_risk = bool(days) and cover < gap
            self._db.execute("INSERT OR REPLACE INTO checked VALUES (?, ?, ?)", (part["part"], gap, at_risk))
            if self._ordered(part["part"]):
                ordered.append(part["part"])
            elif at_risk:
                found.append({"bahagian": part["part"], "nama": part["name"], "stok_hari": cover, "bekalan_hari": gap})
            else:
                safe.append(part["part"])
        until = malay_date(self.today + datetime.timedelta(days=days))
        found.sort(key=lambda row: (row["stok_hari"], row["bahagian"]))
        found, later = found[:URGENT], sorted(row["bahagian"] for row in found[URGENT:])
        told = [f"{row['bahagian']} ({row['nama']}, stok {row['stok_hari']} hari)" for row in found]
        text = f"Gangguan {subject} {days} hari (hingga {until}): " + (f"{_listed(told)} berisiko" if told else "tiada bahagian berisiko")
        text += f"; {_listed(later)} juga berisiko dan disenaraikan untuk pegawai" if later else ""
        text += f"; stok {_listed(safe)} mencukupi" if safe else ""
        text += f"; {_listed(ordered)} sudah ada draf" if ordered else ""
        return {"berisiko": found, TELL: text + "."}

    def _checked(self, part):
        rows = self.query("SELECT *, stock / daily_use AS cover FROM checked JOIN parts USING (part) WHERE part = ?", part)
        if not rows:
            known = self.query("SELECT 1 FROM parts WHERE part = ?", part)
            raise ValueError(f"{part} belum disemak; panggil check_supply dahulu" if known else f"{part} tiada dalam daftar bahagian")
        return rows[0]
