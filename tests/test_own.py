"""The learner's own data in one call, and the shipped checkpoint: it loads, and repeats what its card says."""

import json

import pytest
import torch

from helpers import lesson, models, training
from helpers.__main__ import main
from helpers.training import own

QUESTIONS = [
    ("Bila pejabat dibuka?", "Pejabat dibuka pada pukul 8.00 pagi, Isnin hingga Jumaat."), ("Di manakah kaunter bayaran?", "Di tingkat bawah."),
    ("Boleh bayar dengan kad?", "Boleh, kad debit dan kad kredit diterima."), ("Berapakah yurannya?", "Yurannya RM10.00 setahun."),
    ("Siapa yang boleh memohon?", "Warganegara yang berumur 18 tahun ke atas."), ("Ada tempat letak kereta?", "Ada, di belakang bangunan."),
    ("Bagaimana hendak membuat aduan?", "Isi borang di laman web kami."), ("Perlukah janji temu?", "Tidak perlu pada waktu pagi."),
    ("Berapa lama permohonan diproses?", "Lazimnya tiga hari bekerja."), ("Apakah dokumen yang diperlukan?", "Salinan MyKad dan bil utiliti."),
    ("Boleh wakilkan orang lain?", "Boleh, dengan surat kebenaran."), ("Adakah surau di sini?", "Ada, di tingkat dua."),
    ("Bagaimana menyemak status?", "Masukkan nombor permohonan di portal."), ("Cuti umum buka?", "Tidak, pejabat ditutup pada cuti umum."),
]  # fmt: skip


@pytest.fixture
def questions(tmp_path):
    path = tmp_path / "soalan.csv"
    rows = [
        "Soalan,Jawapan",
        *(f'"{question}","{answer}"' for question, answer in QUESTIONS),
        f'"Panjang?","{"amat " * 300}"',
        '"Kosong?",""',
    ]
    path.write_text("\n".join(rows), encoding="utf-8")
    return path


def test_a_file_becomes_an_adapter_with_its_card(questions, tiny_folder, tmp_path, capsys):
    out = tmp_path / "out" / "mine"
    out.parent.mkdir()
    status = main(
        ["finetune", "--in", str(questions), "--out", str(out), "--model", str(tiny_folder), "--longest", "120", "--licence", "CC BY 4.0"]
    )
    said = capsys.readouterr()
    assert status == 0, said.err
    assert "left out" in said.err and "more than 120" in said.err and "minutes" in said.err
    card = (out / "README.md").read_text()
    assert "soalan.csv" in card and "CC BY 4.0" in card and "held-out loss" in card and "hours" in card
    assert QUESTIONS[0][1] not in card + said.err + said.out  # the learner's text stays where it is
    about = json.loads((out / "training.json").read_text())
    assert about["documents"] + 2 == len(QUESTIONS)  # two are held out, two rows were left out
    model, tokenizer = models.load(tiny_folder, adapter=out)
    assert models.chat(model, tokenizer, [{"role": "user", "content": QUESTIONS[0][0]}], max_new_tokens=2) is not None


def test_the_answer_alone_is_learnt(questions, tokenizer):
    found, problems = own.documents_of(tokenizer, questions, longest=120)
    assert len(found) == len(QUESTIONS) and len(problems) >= 1
    assert tokenizer.decode(found[0].input_ids[found[0].prompt_length :]) == QUESTIONS[0][1] + tokenizer.eos_token


def test_running_text_is_learnt_whole(tmp_path, tokenizer):
    path = tmp_path / "nota.txt"
    path.write_text("Mesin pengisar mesti dibersihkan setiap petang.\n\nMinyak pelincir ditukar setiap tiga bulan.", encoding="utf-8")
    found, _ = own.documents_of(tokenizer, path)
    assert found and all(document.prompt_length == 1 for document in found)


def test_too_little_is_refused(tmp_path, tiny_folder, capsys):
    path = tmp_path / "sikit.csv"
    path.write_text("soalan,jawapan\nApa?,Ini.\n", encoding="utf-8")
    assert main(["finetune", "--in", str(path), "--out", str(tmp_path / "a"), "--model", str(tiny_folder)]) == 2
    assert "10 are the least" in capsys.readouterr().err and not (tmp_path / "a").exists()
    with pytest.raises(ValueError, match="there is no"):
        own.finetune_file(tmp_path / "tiada.csv", tmp_path / "a", tiny_folder)


# ---- the shipped checkpoint


def test_the_shipped_checkpoint_repeats_its_score():
    """Its card's score is that of the readings kept beside it, and asked again it reads the same."""
    from helpers import evaluation
    from helpers.agents.backends import InProcess
    from helpers.agents.reading import ModelReader, Reading
    from helpers.worlds.mortgage import letters

    kept = json.loads((lesson.SHIPPED / "readings.json").read_text(encoding="utf-8"))
    rows = letters.written("dev")
    assert list(kept) == [row["id"] for row in rows]
    readings = [Reading({name: value and {"value": value} for name, value in kept[row["id"]].items()}) for row in rows]
    right = sum(mark for marks in evaluation.field_marks(rows, readings) for mark in marks.values())
    assert f"({right}/{9 * len(rows)};" in (lesson.SHIPPED / "README.md").read_text(encoding="utf-8")
    model, tokenizer = models.load(adapter=lesson.SHIPPED)
    some = sorted(rows, key=lambda row: len(row["letter"]))[:3]
    again = evaluation.read_all(some, ModelReader(InProcess(model, tokenizer)), progress=False)
    for row, found in zip(some, again):
        assert found.values() == kept[row["id"]], row["id"]


def test_the_ablation_table_is_whole():
    from helpers.ablations import READING

    table = json.loads(lesson.ABLATIONS.read_text(encoding="utf-8"))
    assert set(table["letters"]) == set(READING)
    for run in table["letters"].values():
        assert run["low"] <= run["fields"] <= run["high"] and run["minutes"] > 0


def test_new_rows_of_an_extended_tokenizer_are_trained_and_no_others(tiny, tmp_path):
    from helpers.models import vocabulary

    model, tokenizer = tiny
    larger = vocabulary.extend(tokenizer, vocabulary.learn(tokenizer, ["permohonan pinjaman perumahan " * 3], 5))
    vocabulary.grow(model, tokenizer, larger)
    before = model.get_input_embeddings().weight.detach().clone()
    new = range(len(tokenizer), len(larger))
    settings = training.Settings(rank=2, learning_rate=1e-2, warmup_steps=1)
    model = training.with_lora(model, settings, new)
    documents = training.prose(larger, ["permohonan pinjaman perumahan"] * 6)
    assert any(i in new for i in documents[0].input_ids)
    training.finetune(model, larger, documents, tmp_path / "a", settings)
    after = model.merge_and_unload().get_input_embeddings().weight
    assert torch.equal(after[: len(tokenizer)], before[: len(tokenizer)])
    assert not torch.allclose(after[len(tokenizer) : len(larger)], before[len(tokenizer) : len(larger)])
