"""The application letters: annotated as docs/annotation.md says, readable, and with nothing of the test set in training."""

import random
import re
from pathlib import Path

import pytest

from helpers.malay.quantities import says_none
from helpers.worlds.mortgage import fields, letters, task

NAMES = [field.name for field in fields.FIELDS]
SPLITS = {"train": 150, "dev": 30, "test": 40}


@pytest.fixture(scope="module")
def composed():
    return letters.generate(300, seed=7)


def read_back(row):
    """What code reads from the answer that a model should write about a row."""
    text = fields.write_answer(row["letter"], fields.target_quotes(row["letter"], row["answers"]))
    quotes, _ = fields.parse_answer(text)
    return fields.evidence(row["letter"], quotes)


def misread(row):
    found = read_back(row)
    return [f"{row['id']}: {f.name}" for f in fields.FIELDS if not fields.is_right(f, found[f.name], row["answers"][f.name])]


def check_row(row):
    assert set(row) == {"id", "voice", "features", "letter", "answers"}
    assert row["letter"].strip() and isinstance(row["voice"], str) and all(isinstance(f, str) for f in row["features"])
    assert set(row["answers"]) == set(NAMES)
    for field in fields.FIELDS:
        answer = row["answers"][field.name]
        if answer is None:
            continue
        assert {"value", "quotes"} <= set(answer) <= {"value", "quotes", "accept"}, field.name
        assert answer["quotes"] and all(quote and quote in row["letter"] for quote in answer["quotes"]), field.name
        assert all(isinstance(reading, str) for reading in answer.get("accept", []))
        if field.kind in ("person", "work", "place"):
            assert isinstance(answer["value"], str) and answer["value"].strip()
        elif field.kind == "kind_of_home":
            assert answer["value"] in fields.PROPERTY_TYPES
        else:
            assert isinstance(answer["value"], (int, float)) and not isinstance(answer["value"], bool)
            low, high = fields.POSSIBLE[field.name]
            assert low <= answer["value"] <= high or answer["value"] == 0 == low - 10, field.name
        if field.kind != "debts":
            assert len(answer["quotes"]) == 1, field.name
        elif answer["value"] == 0:
            assert len(answer["quotes"]) == 1 and says_none(answer["quotes"][0])


@pytest.mark.parametrize("split, size", SPLITS.items())
def test_sizes(split, size):
    assert len(letters.written(split)) == size


def test_unknown_split():
    with pytest.raises(ValueError, match="train, dev and test"):
        letters.written("exam")


def test_ids_are_unique_over_all_splits():
    ids = [row["id"] for split in SPLITS for row in letters.written(split)]
    assert len(set(ids)) == len(ids) == sum(SPLITS.values())


@pytest.mark.parametrize("split", SPLITS)
def test_written_rows_are_annotated_by_the_rules(split):
    for row in letters.written(split):
        try:
            check_row(row)
        except AssertionError as error:
            raise AssertionError(f"{row['id']}: {error}") from error


@pytest.mark.parametrize("split", SPLITS)
def exam_names_are_annotated_without_titles(split):
    for row in letters.written(split):
        if answer := row["answers"]["applicant_name"]:
            assert not re.match(r"(?:encik|puan|cik|dr|datuk|dato'?|tuan)\b", answer["value"], re.I), row["id"]


def shared_quote(row):
    """Whether one and the same text answers both lengths of time of a letter."""
    one, other = (row["answers"][name] for name in ("years_employed", "tenure_years"))
    return bool(one and other and one["quotes"] == other["quotes"])


@pytest.mark.parametrize("split", ["train", "dev"])
def test_target_answers_read_back_as_annotated(split):
    rows = [row for row in letters.written(split) if not shared_quote(row)]
    assert len(rows) >= SPLITS[split] - 1
    assert [problem for row in rows for problem in misread(row)] == []


def test_one_text_that_answers_two_fields_reads_back():
    rows = [row for split in ("train", "dev") for row in letters.written(split) if shared_quote(row)]
    assert rows
    assert [problem for row in rows for problem in misread(row)] == []


def test_composed_rows_are_valid_and_read_back(composed):
    for row in composed:
        check_row(row)
    assert [problem for row in composed for problem in misread(row)] == []
    assert len({row["id"] for row in composed}) == len({row["letter"] for row in composed}) == 300


def test_composed_letters_are_of_all_kinds(composed):
    assert {row["voice"] for row in composed} == set(letters.REGISTERS)
    features = {feature for row in composed for feature in row["features"]}
    assert {"missing", "correction", "range", "yearly", "net_only", "several_commitments", "no_commitments", "injection"} <= features
    assert {row["answers"]["property_type"]["value"] for row in composed if row["answers"]["property_type"]} == set(fields.PROPERTY_TYPES)


def test_the_generator_is_deterministic(composed):
    assert letters.generate(10, seed=7) == composed[:10]
    assert [row["letter"] for row in letters.generate(10, seed=8)] != [row["letter"] for row in composed[:10]]


def test_a_varied_letter_is_another_case_in_the_same_voice():
    written, rng = letters.written("train"), random.Random(0)
    varied = [(row, letters.vary(row, rng)) for row in written[:40]]
    made = [(row, new) for row, new in varied if new]
    assert len(made) >= 20
    for row, new in made:
        check_row(new)
        assert misread(new) == []
        assert new["voice"] == row["voice"] and new["letter"] != row["letter"]


def test_registers_have_injections_and_none_of_their_words_is_an_answer(composed):
    banks = [letters._data(f"phrases_{register}")["injection"] for register in letters.REGISTERS]
    assert all(len(bank) >= 3 for bank in banks)
    phrases = {phrase.rstrip(".,;").lower() for bank in banks for phrase in bank}
    checked = 0
    for row in composed:
        if "injection" in row["features"]:
            (order,) = [p for p in phrases if p in row["letter"].lower()]
            at = row["letter"].lower().index(order)
            rest = row["letter"][:at] + "\n" + row["letter"][at + len(order) :]
            assert all(quote in rest for answer in row["answers"].values() if answer for quote in answer["quotes"]), row["id"]
            checked += 1
    assert checked >= 5


# Nothing of the test letters may be known beforehand.


def runs(text, length=7):
    words = re.findall(r"\w+", text.lower())
    return {" ".join(words[i : i + length]) for i in range(len(words) - length + 1)}


@pytest.fixture(scope="module")
def exam_runs():
    return {run: row["id"] for row in letters.written("test") for run in runs(row["letter"])}


@pytest.fixture(scope="module")
def exam_names():
    return {fields.fold(a["value"]): row["id"] for row in letters.written("test") if (a := row["answers"]["applicant_name"])}


def leaks(texts, exam_runs):
    return sorted({(name, exam_runs[run]) for name, text in texts for run in runs(text) & exam_runs.keys()})


@pytest.mark.parametrize("split", ["train", "dev"])
def test_no_run_of_seven_words_of_a_test_letter_is_in_a_written_letter(split, exam_runs):
    assert leaks([(row["id"], row["letter"]) for row in letters.written(split)], exam_runs) == []


def test_no_run_of_seven_words_of_a_test_letter_is_in_the_phrase_banks(exam_runs):
    banks = {register: letters._data(f"phrases_{register}") for register in letters.REGISTERS}
    texts = [(f"{register}/{kind}", phrase) for register, bank in banks.items() for kind, phrases in bank.items() for phrase in phrases]
    assert len(texts) > 1000
    assert leaks(texts, exam_runs) == []


def test_no_run_of_seven_words_of_a_test_letter_is_in_two_thousand_composed_letters(exam_runs):
    # composed, but not read back: that takes most of `generate`'s time, and only throws letters away
    rng = random.Random(5)
    texts = [(str(number), letters._compose(rng, rng.choice(letters.REGISTERS))[0][0]) for number in range(2000)]
    assert leaks(texts, exam_runs) == []


def test_no_test_applicant_occurs_in_a_written_letter(exam_names):
    texts = {row["id"]: f" {fields.fold(row['letter'])} " for split in ("train", "dev") for row in letters.written(split)}
    assert [(i, exam_names[name]) for i, text in texts.items() for name in exam_names if f" {name} " in text] == []


def composed_names():
    """Every name that `letters.person` can make, folded."""
    bank = {community: [fields.fold(name) for name in names] for community, names in letters._data("people")["names"].items()}
    found = {*bank["cina"], *bank["sikh_l"], *bank["sikh_p"]}
    joints = {"melayu": ("bin", "binti", ""), "sabah": ("bin", "binti"), "iban": ("anak",), "india": ("a/l", "a/p")}
    for community, between in joints.items():
        fathers = bank["bapa" if community == "melayu" else f"{community}_bapa"]
        for first in bank[f"{community}_l"] + bank[f"{community}_p"]:
            found |= {" ".join(f"{first} {joint} {father}".split()) for joint in between for father in fathers}
    return found


def test_no_test_applicant_can_be_composed(exam_names):
    possible, rng = composed_names(), random.Random(0)
    assert {fields.fold(letters.person(rng)["name"]) for _ in range(2000)} <= possible
    assert sorted(exam_names[name] for name in possible & exam_names.keys()) == []


def test_training_reads_neither_development_nor_test_letters(monkeypatch):
    forbidden = {row["letter"] for split in ("dev", "test") for row in letters.written(split)}
    written, read_text = letters.written, Path.read_text

    def only_train(split):
        assert split == "train", f"training asked for the {split} letters"
        return written(split)

    def no_other_file(path, *arguments, **options):
        assert not re.search("dev|test", path.name), f"training opened {path.name}"
        return read_text(path, *arguments, **options)

    monkeypatch.setattr(letters, "written", only_train)
    monkeypatch.setattr(Path, "read_text", no_other_file)
    rows = task.training_rows(190, seed=3)
    assert len(rows) == 190
    assert not forbidden & {row["letter"] for row in rows}
    assert {row["letter"] for row in written("train")} <= {row["letter"] for row in rows}


def test_training_rows_of_any_number_and_seed(monkeypatch):
    assert len(task.training_rows(7, seed=1)) == 7
    assert task.training_rows(7, seed=1) == task.training_rows(7, seed=1) != task.training_rows(7, seed=2)


def test_answer_lines_are_options_of_their_slots():
    for row in letters.written("dev"):
        for slot, line in task.answer_lines(row):
            assert line in slot.options, (row["id"], slot.key)
