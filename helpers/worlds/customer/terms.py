"""What the counter computes and says beyond the desk: early settlement by a dated table, answers from the policy's figures.

settlement(files.load()["AKN-505"], "enam bulan lagi")["jumlah"]      # ringgit
"""

import datetime
import functools
import tomllib
from pathlib import Path

from helpers.worlds.mortgage import policy as bank_policy

_MONTHS = ("Januari", "Februari", "Mac", "April", "Mei", "Jun", "Julai", "Ogos", "September", "Oktober", "November", "Disember")
_ASKING = (
    r"\?|\b(?:sila|tolong|mohon|nyatakan|beritahu|bagitahu|perlukan|please|provide|give|tell me|need|boleh (?:bagi|beri|saya)|"
    r"(?:saya|kami) (?:perlu|nak|hendak)|bagi (?:saya|tahu|nombor|no|nama))\b"
)


@functools.cache
def settlement_terms():
    """The dated table of early settlement, `data/settlement.toml`."""
    return tomllib.loads((Path(__file__).parent / "data" / "settlement.toml").read_text(encoding="utf-8"))


def settlement(account, when, terms=None):
    """What settling costs, in ringgit: outstanding, and the ibra’ (Islamic) or the lock-in fee (conventional).

    `terms`: from `settlement_terms`. Outstanding is the present value of the instalments left after those due by then;
    ibra’ is that share of the profit in them which is not yet earned.
    """
    terms = terms or settlement_terms()
    months, scheme = terms["when"][when], terms[account["scheme"]]
    paid, rate = account["paid"] + months, account["rate"] / 1200
    left = account["months"] - paid
    if left <= 0:
        raise ValueError(f"ansuran {account['id']} habis dibayar sebelum {when}: tiada baki; pilih masa yang lebih awal")
    monthly = bank_policy.instalment(account["amount"], account["months"] / 12, account["rate"])
    outstanding = round(monthly * (1 - (1 + rate) ** -left) / rate if rate else monthly * left, 2)
    fee = next((percent for until, percent in scheme["lock_in"] if paid <= until), 0.0)
    year, month = divmod(terms["today"].year * 12 + terms["today"].month - 1 + months, 12)
    bill = {
        "tarikh": date(datetime.date(year, month + 1, terms["today"].day)),
        "baki": outstanding,
        "caj": round(outstanding * fee / 100, 2),
    }
    if account["scheme"] == "islamik":
        sale = round(monthly * left, 2)
        bill |= {"baki jualan": sale, "ibra": round((sale - outstanding) * scheme["ibra"] / 100, 2)}
        return {**bill, "jumlah": round(sale - bill["ibra"] + bill["caj"], 2)}
    return {**bill, "jumlah": round(outstanding + bill["caj"], 2)}


def general(topic, policy):
    """The answer to a general question, filled from the policy's figures."""
    limits, schemes = policy["limits"], policy["schemes"]
    locks = settlement_terms()["konvensional"]["lock_in"]
    fees = ", ".join(f"{percent:g}% sehingga ansuran ke-{until}" for until, percent in locks)
    return {
        "dokumen bergaji": f"Pemohon bergaji perlu menyerahkan {papers(policy['documents']['salaried'])}.",
        "dokumen bekerja sendiri": f"Pemohon yang bekerja sendiri perlu menyerahkan {papers(policy['documents']['self_employed'])}, dengan bukti "
        f"pendapatan sekurang-kurangnya {policy['self_employed']['evidence_months']} bulan.",
        "pemohon bersama": "Pendapatan dan komitmen semua pemohon dicampur; setiap pemohon bersama dikira sebagai peminjam.",
        "rumah ketiga": f"Margin pembiayaan sehingga {limits['margin_first']:.0f}% bagi dua rumah pertama dan {limits['margin_third']:.0f}% mulai "
        "pembiayaan rumah ketiga yang belum selesai; yang sudah selesai tidak dikira.",
        "skim Islamik": f"Skim Islamik ialah pembiayaan dengan kadar keuntungan {schemes['islamik']['rate']:.2f}% setahun; kadar faedah "
        f"skim konvensional {schemes['konvensional']['rate']:.2f}%. Had dan syarat kelayakan kedua-duanya sama.",
        "penyelesaian awal": f"Skim Islamik: ibra’ diberi dan tiada caj. Skim konvensional: caj tempoh terikat {fees} daripada baki, "
        "kemudian tiada caj.",
        "tempoh": f"Tempoh sehingga {limits['maximum_tenure']:.0f} tahun dan tidak melepasi umur {limits['maximum_age_at_end']} tahun.",
        "nisbah khidmat hutang": f"Ansuran baharu dan komitmen dibahagi dengan pendapatan bersih: sehingga {limits['dsr_approve']:.0f}% boleh "
        f"disyorkan lulus, lebih daripada {limits['dsr_reject']:.0f}% ditolak, di antaranya dirujuk. Nisbah ini dasar bank sendiri.",
        "tunggakan": f"Tunggakan {limits['arrears_refer']} hingga {limits['arrears_reject'] - 1} bulan dalam dua belas bulan dirujuk kepada "
        f"pegawai; {limits['arrears_reject']} bulan atau lebih ditolak.",
    }[topic]  # fmt: skip


def ringgit(value):
    """A sum as an officer writes it: 4500 → “RM4,500.00”."""
    return f"RM{value:,.2f}"


def date(day):
    """A date as it is written in Malay: 1 Disember 2026."""
    return f"{day.day} {_MONTHS[day.month - 1]} {day.year}"


def papers(documents):
    """Names of documents as a person reads them."""
    return ", ".join(documents).replace("mykad", "MyKad")


def asked(pattern):
    """A pattern inside a question or a request: a sentence that only tells something is no question."""
    return rf"^(?=[\s\S]*(?:{_ASKING}))[\s\S]*?(?:{pattern})"
