"""Likelihood scores against a plain computation, public protocols, written text, the suite and the task files."""

import json
import math
import random
from pathlib import Path

import jsonschema
import pytest
import torch
import yaml
from conftest import random_llama
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers import evaluation
from helpers.evaluation import likelihood, lm_eval, public, scoreboard, suite, text

SIZES = {"suite_prose": 2, "suite_items": 1, "suite_retention": 3, "suite_routing": 3, "suite_written": 2, "suite_tokens": 4}


@pytest.fixture(scope="module")
def tiny(tokenizer):
    return random_llama(tokenizer, seed=4)


def plain_log_probability(model, context, answer):
    """One sequence, no padding, all logits: the definition."""
    with torch.inference_mode():
        logits = model(torch.tensor([context + answer])).logits[0].double().log_softmax(-1)
    return sum(logits[len(context) - 1 + i, token].item() for i, token in enumerate(answer))


@given(data=st.data())
@settings(max_examples=15, deadline=None)
def test_batched_likelihoods_are_those_of_single_sequences(tiny, data):
    ids = st.lists(st.integers(3, 2000), min_size=1, max_size=9)
    batch = data.draw(st.lists(st.tuples(ids, ids), min_size=1, max_size=6))
    values = likelihood.score_tokens(tiny, batch, batch_tokens=data.draw(st.sampled_from([1, 16, 500])))
    for (context, answer), value in zip(batch, values):
        assert value.tokens == len(answer)
        assert math.isclose(value.log_probability, plain_log_probability(tiny, context, answer), rel_tol=1e-4, abs_tol=1e-4)


def test_answers_behind_one_context_do_not_see_each_other(tiny):
    context, answers = [5, 9, 300, 41], [[7], [8, 12, 500], [7, 7], [900, 3, 3, 3, 3], [7]]
    values = likelihood.score_tokens(tiny, [(context, answer) for answer in answers] + [([5], [9, 300])])
    for answer, value in zip(answers, values):
        assert math.isclose(value.log_probability, plain_log_probability(tiny, context, answer), rel_tol=1e-4, abs_tol=1e-4)
    assert math.isclose(values[-1].log_probability, plain_log_probability(tiny, [5], [9, 300]), rel_tol=1e-4, abs_tol=1e-4)


def test_an_empty_continuation_is_refused(tiny, tokenizer):
    with pytest.raises(ValueError, match="a continuation is empty"):
        likelihood.log_likelihoods(tiny, tokenizer, [("Selamat", "")])


def test_spaces_of_the_context_belong_to_the_answer(tokenizer):
    assert likelihood.encode_pair(tokenizer, "Ibu kota ", "Melaka") == likelihood.encode_pair(tokenizer, "Ibu kota", " Melaka")
    context, answer = likelihood.encode_pair(tokenizer, "", "Melaka")
    assert context == [likelihood.prefix_token(tokenizer)] and tokenizer.decode(answer) == "Melaka"


@given(st.integers(1, 60), st.integers(2, 20))
def test_windows_predict_every_token_once_and_stay_small(count, length):
    ids = list(range(100, 100 + count))
    pieces = likelihood.windows(ids, 1, length)
    assert [token for _, answer in pieces for token in answer] == ids
    assert pieces[0][0] == [1]
    for context, answer in pieces:
        assert context and len(context) + len(answer) <= length + 1
        if answer[0] != ids[0]:
            assert context[-1] == answer[0] - 1


def test_bits_per_byte_is_what_a_uniform_model_needs(tokenizer):
    model = random_llama(tokenizer)
    with torch.no_grad():
        model.model.norm.weight.zero_()  # all logits equal
    passage = "Ladang getah itu sudah disiangi. Pokok-pokoknya ditoreh pagi-pagi."
    tokens = len(tokenizer(passage)["input_ids"])
    expected = tokens * math.log2(model.config.vocab_size) / len(passage.encode())
    score = evaluation.bits_per_byte(model, tokenizer, [passage] * 3)
    assert math.isclose(score.value, expected, rel_tol=1e-5) and score.n == 3
    assert math.isclose(score.low, score.high, rel_tol=1e-6)


def test_the_byte_floor_is_the_entropy_of_known_frequencies():
    even = ["".join(map(chr, range(128)))] * 200
    assert abs(likelihood.byte_floor(even, even) - 7) < 0.02
    assert likelihood.byte_floor(["aaaa" * 500], ["aaaa"]) < 0.2 < 6 < likelihood.byte_floor(["aaaa" * 500], ["zz"])


def test_choices_are_scored_per_character_and_pairs_whole():
    values = [likelihood.Likelihood(-6.0, 2), likelihood.Likelihood(-8.0, 2)]
    assert likelihood.picked({"kind": "pair"}, values) == 0
    assert likelihood.picked({"kind": "choice", "options": ["ya", "sudah tentu"]}, values) == 1


def test_items_are_marked_by_the_models_own_preference(tiny, tokenizer):
    rows = [
        {"kind": "pair", "phenomenon": "a", "good": "Dia makan nasi.", "bad": "Dia nasi makan."},
        {"kind": "choice", "phenomenon": "b", "question": "Warna langit?", "options": ["biru", "hijau", "ungu"], "answer": 1},
    ]
    marks = likelihood.item_marks(tiny, tokenizer, rows)
    for row, mark in zip(rows, marks):
        pairs, answer = likelihood.requests(row)
        scores = [plain_log_probability(tiny, *likelihood.encode_pair(tokenizer, *pair)) for pair in pairs]
        scores = scores if row["kind"] == "pair" else [s / len(o) for s, o in zip(scores, row["options"])]
        assert mark == (scores.index(max(scores)) == answer)
    scores = evaluation.score_items(tiny, tokenizer, rows)
    assert scores["items"].n == 2 and math.isclose(scores["items"].floor, (1 / 2 + 1 / 3) / 2)
    assert scores["items:a"].floor == 0.5 and scores["items:b"].n == 1


def test_dice_stay_at_the_floor():
    rng = random.Random(0)
    rows = [{"kind": "choice", "question": "", "options": list("abcd")[: rng.choice([2, 3, 4])], "answer": 0} for _ in range(4000)]
    marks = [rng.randrange(len(row["options"])) == row["answer"] for row in rows]
    share = likelihood.shares(rows, marks, "dice")["dice"]
    assert share.low <= share.floor <= share.high


def test_routing_takes_the_labels_own_frequency_off(smol):
    chosen = likelihood.route(
        *smol, ["I lost my passport", "My internet is slow"], ["police", "telecom", "the"], "Message: {text}\nOffice:"
    )
    assert len(chosen) == 2 and all(label in ("police", "telecom", "the") and 1 / 3 <= p <= 1 for label, p in chosen)
    assert likelihood.majority_floor(["a", "a", "b"]) == 2 / 3


# ---- MalayMMLU and Belebele


def mmlu_row(key="B", options=3, subject="Sejarah"):
    letters = "ABCDE"[:options]
    prompt = "Siapakah yang menulis surat itu?\n" + "\n".join(f"{letter}. pilihan {letter}" for letter in letters)
    return {"prompt": prompt, "options": [f"{x}. pilihan {x}" for x in letters], "key": key, "subject": subject, "category": "Humanities"}


def test_malaymmlu_takes_the_largest_logit_among_the_bare_letters(tiny, tokenizer):
    rows = [mmlu_row(key, size) for key in "AB" for size in (2, 3, 5)]
    prompts = [public.malaymmlu_prompt(tokenizer, row) for row in rows]
    chosen = public.first_token(tiny, tokenizer, prompts, [len(r["options"]) for r in rows])
    for prompt, row, (index, share) in zip(prompts, rows, chosen):
        ids = tokenizer(prompt, add_special_tokens=False)["input_ids"]
        logits = tiny(torch.tensor([ids])).logits[0, -1]
        bare = [logits[tokenizer.encode(letter)[-1]].item() for letter in "ABCDE"[: len(row["options"])]]
        assert index == bare.index(max(bare)) and 1 / len(bare) <= share <= 1
    scores = public.score_malaymmlu(tiny, tokenizer, rows)
    assert scores["malaymmlu"].n == 6 and math.isclose(scores["malaymmlu"].floor, (1 / 2 + 1 / 3 + 1 / 5) / 3)
    assert scores["malaymmlu:Humanities"].right == scores["malaymmlu"].right


def test_the_three_prompts_of_malaymmlu(tokenizer):
    row = mmlu_row()
    assert public.malaymmlu_prompt(tokenizer, row, "plain") == row["prompt"] + "\nJawapan:"
    chat, llama = (public.malaymmlu_prompt(tokenizer, row, style) for style in ("chat", "llama"))
    assert "Berikut adalah soalan aneka pilihan tentang Sejarah. Sila berikan jawapan sahaja.\n\n" + row["prompt"] in chat
    assert chat.index("Jawapan:") < chat.rindex("assistant") < llama.rindex("Jawapan:")
    assert llama.endswith("\nJawapan:") and chat.endswith("assistant\n")


def test_public_benchmarks_load_from_a_local_file(tmp_path, tiny, tokenizer):
    as_json, as_lines = tmp_path / "a.json", tmp_path / "b.jsonl"
    rows = [mmlu_row("A"), mmlu_row("C")]
    as_json.write_text(json.dumps(rows), encoding="utf-8")
    as_lines.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    assert public.malaymmlu(as_json) == public.malaymmlu(as_lines) == rows
    assert public.malaymmlu(as_json, n=1) == rows[:1]
    with pytest.raises(ValueError, match="not Belebele's questions"):
        public.belebele(as_json)
    question = {"flores_passage": "Sungai itu dalam.", "question": "Apakah yang dalam?", "correct_answer_num": "2"}
    question |= {f"mc_answer{k}": answer for k, answer in enumerate(["laut", "sungai", "tasik", "kolam"], 1)}
    as_lines.write_text(json.dumps(question), encoding="utf-8")
    items = public.belebele(as_lines)
    assert items[0]["options"][items[0]["answer"]] == "sungai"
    assert public.score_belebele(tiny, tokenizer, items)["belebele"].floor == 0.25
    as_json.write_text("[{", encoding="utf-8")
    with pytest.raises(ValueError, match="neither JSON nor JSONL"):
        public.malaymmlu(as_json)
    as_json.write_text('[{"soalan": 1}]', encoding="utf-8")
    with pytest.raises(ValueError, match="not MalayMMLU's zero-shot questions"):
        public.malaymmlu(as_json)


# ---- written text


def test_chrf_is_sacrebleus_and_its_interval_holds_it():
    from sacrebleu.metrics import CHRF

    references = ["Kereta api ke Ipoh lewat sejam.", "Sila ambil nombor giliran.", "Pejabat tutup pada hari Ahad."]
    written = ["Kereta api ke Ipoh lambat sejam.", "Ambil nombor.", "Pejabat ditutup hari Ahad."]
    score = text.chrf(written, references)
    assert math.isclose(score.value, CHRF(word_order=2).corpus_score(written, [references]).score, abs_tol=1e-9)
    assert score.low <= score.value <= score.high and score == text.chrf(written, references)
    assert math.isclose(text.chrf(references, references).low, 100)
    with pytest.raises(ValueError, match="one reference for each text"):
        text.chrf(written, references[:2])


def test_purity_of_texts_has_the_floor_of_silence():
    score = text.purity(["Kereta itu rosak kerana enjinnya panas.", "1234"])
    assert score.floor == 0.5 and 0.5 < score.value < 1 and score.n == 2


# ---- the suite, the board, the task files


def test_the_suite_fills_a_column_that_the_schema_accepts(tmp_path, smol):
    scores = suite.measure(*smol, SIZES)
    assert {"bits_per_byte", "diagnostics", "retention", "routing", "chrf", "purity", "tokens_per_second"} <= set(scores)
    assert len([name for name in scores if name.startswith("diagnostics:")]) == 10
    for name, score in scores.items():
        assert score.n > 0 and score.low <= score.value <= score.high, name
        assert name in ("tokens_per_second", "peak_memory") or score.floor is not None, name
    path = tmp_path / "scoreboard.json"
    board = scoreboard.record(path, "base", scores | {"note": "words", "minutes": 1.5}, profile="smoke")
    schema = json.loads((scoreboard.Path(scoreboard.__file__).with_name("scoreboard.schema.json")).read_text())
    jsonschema.validate(board, schema)
    header, rows = scoreboard.rows(board, floors=True)
    assert header == ["", "base", "floor", "n"] and all(len(row) == 4 for row in rows)


def test_the_same_sample_every_time_and_evenly_from_groups():
    rows = [{"id": i, "g": i % 3} for i in range(30)]
    first = suite.sample(rows, 4, "g")
    assert first == suite.sample(rows, 4, "g") and sorted(r["g"] for r in first) == [0] * 4 + [1] * 4 + [2] * 4
    assert suite.sample(rows, 99) == rows and suite.sample(rows, 0) == []
    assert suite.sample(rows, 5, seed=1) != suite.sample(rows, 5, seed=2)


def test_runs_on_other_questions_are_not_compared(tmp_path, monkeypatch):
    first, second = tmp_path / "a" / "scoreboard.json", tmp_path / "b" / "scoreboard.json"
    for path in (first, second):
        path.parent.mkdir()
        scoreboard.record(path, "base", {"diagnostics": evaluation.wilson(5, 9)})
    assert [(run, column) for run, column, _ in scoreboard.compare([first, second], "diagnostics")] == [("a", "base"), ("b", "base")]
    monkeypatch.setattr(scoreboard, "test_digests", lambda: {"diagnostics": "0" * 12})
    with pytest.raises(ValueError, match="other test sets"):
        scoreboard.record(first, "tuned", {"diagnostics": evaluation.wilson(6, 9)})
    board = json.loads(second.read_text()) | {"tests": {"diagnostics": "0" * 12}}
    second.write_text(json.dumps(board))
    with pytest.raises(ValueError, match="different test sets"):
        scoreboard.compare([first, second], "diagnostics")


def test_task_files_hold_what_lm_eval_needs(tmp_path):
    from datasets import load_dataset

    lm_eval.export(tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(
        ["lepaslatih.yaml", *(f"{t}.{e}" for t in lm_eval.TASKS for e in ("yaml", "jsonl"))]
    )
    for task in lm_eval.TASKS:
        config = yaml.safe_load((tmp_path / f"{task}.yaml").read_text())
        rows = load_dataset(config["dataset_path"], **config["dataset_kwargs"], cache_dir=tmp_path / "cache")[config["test_split"]]
        assert len(rows) == len(lm_eval.rows_of(task)) > 0
        for field in ("doc_to_text", "doc_to_choice", "doc_to_target"):
            for name in __import__("re").findall(r"\b([a-z]+)\b(?=[^{]*}})", str(config.get(field, ""))):
                assert name in rows.column_names, (task, name)


# ---- what the notebooks show by hand is what the kit computes


def shown_in(notebook, *names):
    """Functions as a notebook defines them, taken out of its text twin."""
    import ast

    tree = ast.parse((Path(__file__).parents[1] / "notebooks" / "source" / f"{notebook}.py").read_text(encoding="utf-8"))
    found = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name in names]
    assert {node.name for node in found} == set(names)
    space = {"math": math, "random": random}
    exec(compile(ast.Module(found, []), notebook, "exec"), space)
    return [space[name] for name in names]


def test_the_interval_made_by_hand_is_ours():
    (by_hand,) = shown_in("04_measure_first", "wilson_by_hand")
    for n in (1, 7, 40, 389):
        for right in range(n + 1):
            share = evaluation.wilson(right, n)
            assert all(math.isclose(max(0, min(1, a)), b, abs_tol=1e-9) for a, b in zip(by_hand(right, n), (share.low, share.high)))


def test_runs_of_words_made_by_hand_are_as_alike_as_ours():
    from helpers.corpus import duplicates

    (shingles,) = shown_in("05_build_the_data", "shingles")
    first, second = "satu dua tiga empat lima enam", "satu dua tiga empat lima tujuh"
    by_hand = len(shingles(first, duplicates.WORDS) & shingles(second, duplicates.WORDS))
    everything = len(shingles(first, duplicates.WORDS) | shingles(second, duplicates.WORDS))
    assert math.isclose(by_hand / everything, duplicates.jaccard(duplicates.shingles(first), duplicates.shingles(second)))
