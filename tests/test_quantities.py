"""Amounts, durations and years: a table of what people write, and what is written by program read back."""

import random
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.malay.quantities import find_amounts, find_durations, find_years, says_none
from helpers.worlds.mortgage import letters

quick = settings(max_examples=200, deadline=None, database=None, derandomize=True)

# text, low, high, period
AMOUNTS = [
    ("gaji saya RM4,500", 4500, 4500, None),
    ("RM4500.00", 4500, 4500, None),
    ("RM 3 800", 3800, 3800, None),
    ("rm 650.50", 650.5, 650.5, None),
    ("MYR 5,200", 5200, 5200, None),
    ("RM1,234,567", 1234567, 1234567, None),
    ("2,300 ringgit Malaysia", 2300, 2300, None),
    ("gaji RM4.5k", 4500, 4500, None),
    ("3.8k sebulan", 3800, 3800, "month"),
    ("RM380K", 380000, 380000, None),
    ("380 ribu", 380000, 380000, None),
    ("gaji 4.5 ribu", 4500, 4500, None),
    ("1.2 juta", 1.2e6, 1.2e6, None),
    ("RM1.5 mil", 1.5e6, 1.5e6, None),
    ("empat ribu lima ratus ringgit", 4500, 4500, None),
    ("seribu dua ratus ringgit", 1200, 1200, None),
    ("dua ratus lima puluh ringgit", 250, 250, None),
    ("tiga puluh lapan ribu enam ratus", 38600, 38600, None),
    ("lima belas ribu", 15000, 15000, None),
    ("sejuta dua ratus ribu ringgit", 1.2e6, 1.2e6, None),
    ("limo ratuh ringgit", 500, 500, None),
    ("suku juta", 250000, 250000, None),
    ("setengah juta", 500000, 500000, None),
    ("tiga suku juta", 750000, 750000, None),
    ("satu suku juta", 1.25e6, 1.25e6, None),
    ("satu juta setengah", 1.5e6, 1.5e6, None),
    ("harga sejuta setengah", 1.5e6, 1.5e6, None),
    ("four thousand five hundred ringgit", 4500, 4500, None),
    ("one hundred and fifty thousand", 150000, 150000, None),
    ("half a million", 500000, 500000, None),
    ("ansuran kereta 780", 780, 780, None),
    ("RM3,800/bulan", 3800, 3800, "month"),
    ("RM520 per month", 520, 520, "month"),
    ("7k satu bulan", 7000, 7000, "month"),
    ("RM54,000 setahun", 54000, 54000, "year"),
    ("RM46k per annum", 46000, 46000, "year"),
    ("gaji tahunan saya RM54,000", 54000, 54000, "year"),
    ("RM4,000 hingga RM4,500", 4000, 4500, None),
    ("RM5,000-RM6,000 sebulan", 5000, 6000, "month"),
    ("antara RM300 dan RM350", 300, 350, None),
    ("4-5k", 4000, 5000, None),
    ("RM4 ke 5 ribu", 4000, 5000, None),
]


@pytest.mark.parametrize("text, low, high, period", AMOUNTS)
def test_amounts_read(text, low, high, period):
    (found,) = find_amounts(text)
    assert (found.value, found.high, found.period) == (low, high, period)
    assert text[found.start : found.end] == found.text


def test_a_year_is_twelve_months():
    (found,) = find_amounts("RM54,000 setahun")
    assert found.monthly() == 4500
    (found,) = find_amounts("RM36,000 hingga RM48,000 setahun")
    assert (found.monthly(), found.monthly(upper=True)) == (3000, 4000)


@pytest.mark.parametrize(
    "text",
    [
        "kad pengenalan 900114-10-5566",
        "MyKad 900114105566",
        "IC 880101 14 5023",
        "telefon 012-345 6789",
        "hp 0123456789",
        "hubungi +60 12-345 6789",
        "pejabat 03-8888 1234 atau 082-412345",
        "sejak 2019",
        "masuk kerja tahun 2018",
        "umur 34 tahun",
        "360 bulan",
        "3 anak",
        "anak 3 orang",
        "teres 2 tingkat",
        "double storey, 4 rooms",
        "seluas 1,200 kaki persegi",
        "1200 sqft",
        "850 sq ft",
        "No. 125, Jalan Melur",
        "lot 1520",
        "Blok B12",
        "poskod 43000",
        "margin 90%",
        "pada 12/05/2024",
        "12-05-2024",
        "lima",
        "RM",
    ],
)
def test_other_numbers_are_no_money(text):
    assert find_amounts(text) == []


def test_a_telephone_number_does_not_hide_the_sums_beside_it():
    assert [a.value for a in find_amounts("gaji 4500, tel 012-3456789, hutang 350")] == [4500, 350]


def test_a_sum_and_a_tenure_side_by_side_stay_two_things():
    text = "ansuran 1200 sebulan 35 tahun"
    assert [(a.text, a.value) for a in find_amounts(text)] == [("1200 sebulan", 1200)]
    assert [(d.text, d.years) for d in find_durations(text)] == [("35 tahun", 35)]


@pytest.mark.parametrize(
    "text, low, high",
    [
        ("30 tahun", 30, 30),
        ("tiga puluh lima tahun", 35, 35),
        ("2 tahun setengah", 2.5, 2.5),
        ("dua tahun setengah", 2.5, 2.5),
        ("tiga setengah tahun", 3.5, 3.5),
        ("lima tahun suku", 5.25, 5.25),
        ("3 tahun 6 bulan", 3.5, 3.5),
        ("360 bulan", 30, 30),
        ("8 bulan", 0.67, 0.67),
        ("lapan bln", 0.67, 0.67),
        ("20-25 tahun", 20, 25),
        ("25 hingga 30 tahun", 25, 30),
        ("30thn", 30, 30),
        ("28-year", 28, 28),
        ("10 yrs", 10, 10),
        ("three years", 3, 3),
        ("setahun", 1, 1),
        ("setahun setengah", 1.5, 1.5),
        ("setengah tahun", 0.5, 0.5),
        ("sedekad", 10, 10),
        ("masuk tahun ke-4", 4, 4),
    ],
)
def test_durations_read(text, low, high):
    (found,) = find_durations(text)
    assert (found.years, found.high) == (low, high)
    assert text[found.start : found.end] == found.text


def test_the_period_of_a_sum_is_no_duration():
    assert find_durations("RM54,000 setahun") == []
    assert find_durations("RM4,500 sebulan") == []


@pytest.mark.parametrize(
    "text, years", [("sejak 2018", [8]), ("masuk kerja tahun 2020", [6]), ("sejak Mac 2021", [5]), ("RM2018", []), ("pada 2031", [])]
)
def test_years_count_to_the_present(text, years):
    assert [y.years for y in find_years(text, today=2026)] == years


@pytest.mark.parametrize(
    "text, none",
    [
        ("tiada hutang lain", True),
        ("xde loan", True),
        ("bebas hutang", True),
        ("no other loans", True),
        ("hutang kereta", False),
        ("tiada kecuali kereta RM500", False),
    ],
)
def test_denials(text, none):
    assert says_none(text) is none


@quick
@given(st.integers(1, 9_999_999))
def test_a_number_in_words_reads_back(number):
    text = f"{letters.in_words(number)} ringgit"
    (found,) = find_amounts(text)
    assert (found.value, found.text) == (number, text)


sums = st.one_of(
    st.integers(8, 180).map(lambda n: 10.0 * n),  # instalments
    st.integers(30, 400).map(lambda n: 50.0 * n),  # pay
    st.integers(1200, 40_000).map(lambda n: 100.0 * n),  # homes
    st.integers(100, 1800).map(lambda n: n + 0.25),
)


@quick
@given(
    sums,
    st.integers(0, 10**6),
    st.sampled_from(letters.REGISTERS),
    st.sampled_from([None, "month", "year"]),
    st.sampled_from([False, True]),
)
def test_a_written_amount_reads_back(value, seed, register, period, bare):
    bare = bare and not 1950 <= value <= 2050  # without a unit that would be a calendar year
    text = letters.write_amount(value, random.Random(seed), register, period, bare)
    (found,) = find_amounts(f"jumlahnya {text}, terima kasih")
    assert found.value == found.high == pytest.approx(value, abs=0.005)
    assert found.text == text
    if period == "year":
        assert found.period == "year" and found.monthly() == pytest.approx(value / 12, abs=0.01)


@quick
@given(
    st.one_of(st.integers(1, 45).map(float), st.integers(1, 30).map(lambda n: n + 0.5), st.sampled_from([0.25, 0.5, 0.67, 0.75])),
    st.integers(0, 10**6),
    st.sampled_from(letters.REGISTERS),
)
def test_a_written_duration_reads_back(years, seed, register):
    text = letters.write_years(years, random.Random(seed), register)
    (found,) = find_durations(f"selama {text}.")
    assert found.years == found.high == pytest.approx(years, abs=0.01)
    assert found.text == text


# Letters, digits of several scripts, and the words that the reader looks for, in any order.
pieces = st.lists(
    st.one_of(
        st.sampled_from(["RM", "k", "ribu", "juta", "setengah", "suku", "puluh", "belas", "ratus", "tahun", "bulan", "hingga", "-"]),
        st.sampled_from(["4", "2019", "0", "²", "٣", "1,000", "3.5", ",", ".", "\n", "tahun ke ²", "tahun\u00a0ke", "012-345 6789"]),
        st.text(max_size=4),
    ),
    max_size=14,
).map(" ".join)


@quick
@given(pieces)
def test_any_text_is_read_without_an_error_and_quoted_as_it_stands(text):
    for found in [*find_amounts(text), *find_durations(text), *find_years(text)]:
        assert text[found.start : found.end] == found.text
        assert found.start < found.end
    assert says_none(text) in (True, False)


def test_an_exponent_of_a_year_is_no_number():
    assert find_durations("tahun ke ²") == []


def test_spans_of_amounts_do_not_overlap():
    for row in letters.written("train"):
        spans = [(a.start, a.end) for a in find_amounts(row["letter"])]
        assert all(one[1] <= other[0] for one, other in zip(spans, spans[1:])), row["id"]
        assert not any(re.search(r"^\s|\s$", row["letter"][start:end]) for start, end in spans), row["id"]
