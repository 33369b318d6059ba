"""Letters in, decisions out: bad rows, interruption, and files that must not be touched."""

import json

import pytest

from helpers import __main__ as command_line
from helpers import batch, bootstrap
from helpers.agents.reading import Reading
from helpers.worlds.mortgage import gold_recommendation, invent_documents, letters

ROWS = letters.written("train")[:12]


class GoldReader:
    """Reads what is annotated; raises at the letters it is told to."""

    def __init__(self, interrupted_at=None):
        self.answers = {row["letter"]: row["answers"] for row in ROWS}
        self.read_letters, self.interrupted_at = [], interrupted_at

    def read(self, letter):
        if len(self.read_letters) == self.interrupted_at:
            raise KeyboardInterrupt
        self.read_letters.append(letter)
        answers = self.answers[letter]
        found = {name: answer and {"value": answer["value"], "quotes": answer["quotes"]} for name, answer in answers.items()}
        return Reading(found, dict.fromkeys(found, 0.9))


def line(row, documents=True):
    made = {"id": row["id"], "letter": row["letter"]}
    return json.dumps(made | ({"documents": vars(invent_documents(row))} if documents else {}), ensure_ascii=False)


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "letters.jsonl"
    path.write_text("".join(line(row) + "\n" for row in ROWS), encoding="utf-8")
    return path


def ids(path):
    return [json.loads(text)["id"] for text in path.read_text(encoding="utf-8").splitlines()]


def test_every_letter_gets_its_decision(source, tmp_path):
    target = tmp_path / "new" / "folder" / "decisions.jsonl"
    assert batch.run(source, target, reader=GoldReader()) == 0
    assert ids(target) == [row["id"] for row in ROWS]
    for row, text in zip(ROWS, target.read_text(encoding="utf-8").splitlines()):
        decision = batch.Decision.model_validate_json(text)
        assert decision.recommendation == gold_recommendation(row, invent_documents(row))
        found = {name: value and value["value"] for name, value in decision.fields.model_dump().items()}
        assert found == {name: answer and answer["value"] for name, answer in row["answers"].items()}
        assert decision.confidence == 0.9 and decision.reasons
    assert len({json.loads(text)["recommendation"] for text in target.read_text(encoding="utf-8").splitlines()}) > 1


def test_without_documents_nothing_is_approved(tmp_path):
    source, target = tmp_path / "letters.jsonl", tmp_path / "out.jsonl"
    source.write_text("\n".join(line(row, documents=False) for row in ROWS), encoding="utf-8")
    assert batch.run(source, target, reader=GoldReader()) == 0
    given = [batch.Decision.model_validate_json(text).recommendation for text in target.read_text(encoding="utf-8").splitlines()]
    assert len(given) == len(ROWS) and set(given) <= {"rujuk", "tolak"} and "rujuk" in given


BAD = [
    ("{not json", "JSON"),
    ('["a", "list"]', "object"),
    ('{"id": "kosong", "letter": "   "}', "the letter is empty"),
    ('{"id": "kosong-2", "letter": ""}', "letter"),
    ('{"letter": "Salam"}', "id"),
    ('{"id": 7, "letter": "Salam"}', "id"),
    ('{"id": "tiada-surat"}', "letter"),
    ('{"id": "umur", "letter": "Salam", "documents": {"age": "tua"}}', "documents.age"),
    ('{"id": "dokumen", "letter": "Salam", "documents": "mykad"}', "documents"),
    ('{"id": "medan", "letter": "Salam", "documents": {"mykadname": "X"}}', "documents.mykadname"),
    (json.dumps({"id": "panjang", "letter": "x" * 6001}), "6000"),
]


def test_bad_rows_are_reported_with_their_lines_and_the_rest_goes_on(tmp_path, capsys):
    source, target = tmp_path / "letters.jsonl", tmp_path / "out.jsonl"
    lines = ["", line(ROWS[0]), *(text for text, _ in BAD), line(ROWS[1]), line(ROWS[0]), line(ROWS[2])]
    source.write_bytes(b"\xef\xbb\xbf" + "\n".join(lines).encode())  # as Windows writes UTF-8
    assert batch.run(source, target, reader=GoldReader()) == 1
    assert ids(target) == [row["id"] for row in ROWS[:3]]
    told = [text for text in capsys.readouterr().err.splitlines() if text.startswith("letters.jsonl, line")]
    expected = [(number, word) for number, (_, word) in enumerate(BAD, 3)] + [(len(BAD) + 4, "stands on line 2 already")]
    assert len(told) == len(expected)
    for text, (number, word) in zip(told, expected):
        assert text.startswith(f"letters.jsonl, line {number}: ") and word in text and text.endswith("skipped")


def test_a_letter_in_another_encoding_does_not_stop_the_others(tmp_path):
    source, target = tmp_path / "letters.jsonl", tmp_path / "out.jsonl"
    source.write_bytes(b'{"id": "\xe9", "letter": ""}\n' + line(ROWS[0]).encode())
    assert batch.run(source, target, reader=GoldReader()) == 1
    assert ids(target) == [ROWS[0]["id"]]


@pytest.mark.parametrize("torn", [b"", b'{"id": "', b'{"id": "latih-x", "fields": {"applicant_name": {"value": "S\xc3'])
def test_an_interrupted_run_goes_on(source, tmp_path, torn, capsys):
    target = tmp_path / "decisions.jsonl"
    with pytest.raises(KeyboardInterrupt):
        batch.run(source, target, reader=GoldReader(interrupted_at=5))
    assert ids(target) == [row["id"] for row in ROWS[:5]]
    with open(target, "ab") as file:
        file.write(torn)  # what a kill in the middle of a line leaves
    reader = GoldReader()
    assert batch.run(source, target, reader=reader) == 0
    assert reader.read_letters == [row["letter"] for row in ROWS[5:]]
    assert ids(target) == [row["id"] for row in ROWS]
    assert all(batch.Decision.model_validate_json(text) for text in target.read_text(encoding="utf-8").splitlines())
    assert "5 letters were decided before; going on with 7" in capsys.readouterr().err


def test_a_decision_that_only_lacks_its_newline_is_made_again(source, tmp_path):
    target = tmp_path / "decisions.jsonl"
    assert batch.run(source, target, reader=GoldReader()) == 0
    whole = target.read_bytes()
    target.write_bytes(whole.rstrip(b"\n"))
    reader = GoldReader()
    assert batch.run(source, target, reader=reader) == 0
    assert reader.read_letters == [ROWS[-1]["letter"]]
    assert ids(target) == [row["id"] for row in ROWS]


def test_a_finished_run_reads_nothing_again(source, tmp_path):
    target = tmp_path / "decisions.jsonl"
    batch.run(source, target, reader=GoldReader())
    before = target.read_bytes()
    reader = GoldReader()
    assert batch.run(source, target, reader=reader) == 0
    assert (reader.read_letters, target.read_bytes()) == ([], before)


def test_the_letters_are_never_overwritten(source, tmp_path):
    before = source.read_bytes()
    link = tmp_path / "link.jsonl"
    link.symlink_to(source)
    for target in (source, tmp_path / "." / source.name, link):
        with pytest.raises(ValueError, match="another file"):
            batch.run(source, target, reader=GoldReader())
    assert source.read_bytes() == before


@pytest.mark.parametrize(
    "content",
    [
        "nota saya\n",
        "nota saya, tanpa baris baharu",
        '{"a": 1}',
        '{"id": "surat-1", "letter": "Salam."}\n',
        '{"id": "surat-1", "letter": "Salam."}',
        '{"id": "x"}\n{"id": "',
    ],
)
def test_another_file_is_refused_and_left_as_it_is(source, tmp_path, content):
    target = tmp_path / "notes.txt"
    target.write_text(content, encoding="utf-8")
    with pytest.raises(ValueError, match="other than decisions"):
        batch.run(source, target, reader=GoldReader())
    assert target.read_text(encoding="utf-8") == content


def test_no_input_and_no_file_to_write_to(source, tmp_path):
    with pytest.raises(FileNotFoundError, match="check the path after --in"):
        batch.run(tmp_path / "nowhere.jsonl", tmp_path / "out.jsonl", reader=GoldReader())
    with pytest.raises(ValueError, match="folder"):
        batch.run(source, tmp_path, reader=GoldReader())
    assert not (tmp_path / "out.jsonl").exists()


def test_only_bad_rows_need_no_model(tmp_path):
    source, target = tmp_path / "letters.jsonl", tmp_path / "out.jsonl"
    source.write_text("{}\n")
    assert batch.run(source, target) == 1
    assert not target.exists()


def test_the_policy_of_the_learner_counts(source, tmp_path):
    from helpers.worlds.mortgage import policy

    path = tmp_path / "policy.toml"
    text = (policy.Path(policy.__file__).parent / "data" / "policy.toml").read_text(encoding="utf-8")
    path.write_text(text.replace("minimum_income = 2000.0", "minimum_income = 90000.0"), encoding="utf-8")
    assert batch.run(source, tmp_path / "out.jsonl", policy=str(path), reader=GoldReader()) == 0
    given = [json.loads(text) for text in (tmp_path / "out.jsonl").read_text(encoding="utf-8").splitlines()]
    assert all(d["recommendation"] == "tolak" for d in given if d["fields"]["gross_monthly_income"])


def test_the_command_says_what_is_wrong_in_one_line(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(bootstrap, "enter", lambda arguments: None)
    status = command_line.main(["mortgage", "--in", str(tmp_path / "nowhere.jsonl"), "--out", str(tmp_path / "out.jsonl")])
    error = capsys.readouterr().err
    assert status == 2
    assert error.startswith("error: there is no file") and error.count("\n") == 1


def test_the_command_passes_its_status_on(source, tmp_path, monkeypatch):
    monkeypatch.setattr(bootstrap, "enter", lambda arguments: None)
    monkeypatch.setattr(batch, "make_reader", lambda adapter, address: GoldReader())
    arguments = ["mortgage", "--in", str(source), "--out", str(tmp_path / "out.jsonl")]
    assert command_line.main(arguments) == 0
    with open(source, "a") as file:
        file.write("rosak\n")
    assert command_line.main(arguments) == 1
