"""New pieces for a tokenizer that has learnt another language, and rows for them in its model.

    from helpers.models import vocabulary
    merges = vocabulary.learn(tokenizer, texts, 1000)   # go on with BPE training where its makers stopped
    larger = vocabulary.extend(tokenizer, merges)       # the same tokenizer, the new merges after the old
    vocabulary.grow(model, tokenizer, larger)           # a row for each new piece in the model's embedding

A model with new rows has to be trained before it is as good as it was: it has never seen the new pieces.
"""

import json
import re
import tempfile
from collections import Counter, defaultdict
from pathlib import Path


def learn(tokenizer, texts, pieces, least=2):
    """Go on with the training of a byte-level BPE tokenizer on new texts: the merges that come after its own.

    Args:
        tokenizer: a byte-level BPE tokenizer of `transformers`, such as SmolLM2's.
        texts: the texts to learn from.
        pieces: how many new pieces to learn, at most.
        least: stop when the most frequent pair occurs less often than this.

    Returns a list of `(left, right)`, in the order learnt. The most frequent pair goes first; of equals the first in the
    alphabet, so the same texts give the same merges. Stretches with digits are left out: numbers stay as they are.
    Method: byte-pair encoding (Sennrich and others 2016), begun from the given tokenizer instead of single bytes.
    """
    backend = tokenizer.backend_tokenizer
    known = set(tokenizer.get_vocab())
    stretches = Counter(s for text in texts for s, _ in backend.pre_tokenizer.pre_tokenize_str(text) if not re.search(r"\d", s))
    words = [[token.value for token in backend.model.tokenize(s)] for s in stretches]
    often = list(stretches.values())
    pairs, where = Counter(), defaultdict(set)

    def add(number, sign):
        for pair in zip(words[number], words[number][1:]):
            pairs[pair] += sign * often[number]
            where[pair].add(number)

    for number in range(len(words)):
        add(number, 1)
    merges = []
    while len(merges) < pieces and pairs:
        most = max(pairs.values())
        if most < least:
            break
        best = min(pair for pair, times in pairs.items() if times == most)
        if "".join(best) in known:  # a piece that the old merges make in another way: leave it to them
            del pairs[best]
            continue
        merges.append(best)
        known.add("".join(best))
        for number in where.pop(best):
            add(number, -1)
            words[number] = join(words[number], best)
            add(number, 1)
        pairs.pop(best, None)
    return merges


def join(pieces, pair):
    """A list of pieces with every occurrence of the pair made into one, from the left."""
    joined, at = [], 0
    while at < len(pieces):
        if tuple(pieces[at : at + 2]) == tuple(pair):
            joined.append(pieces[at] + pieces[at + 1])
            at += 2
        else:
            joined.append(pieces[at])
            at += 1
    return joined


def extend(tokenizer, merges):
    """A new tokenizer with these merges after its own, and one new id for each; the old one is not changed.

    Old ids, special tokens and the chat template stay as they are. ValueError for merges that do not fit.
    """
    from transformers import AutoTokenizer

    with tempfile.TemporaryDirectory() as folder:
        tokenizer.save_pretrained(folder)
        file = Path(folder) / "tokenizer.json"
        content = json.loads(file.read_text(encoding="utf-8"))
        vocabulary, first = content["model"]["vocab"], len(tokenizer)
        for number, (left, right) in enumerate(merges):
            if left not in vocabulary or right not in vocabulary or left + right in vocabulary:
                raise ValueError(f"the merge {left!r} + {right!r} does not fit this tokenizer: learn the merges from the same one")
            vocabulary[left + right] = first + number
            content["model"]["merges"].append([left, right])
        file.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
        larger = AutoTokenizer.from_pretrained(folder)
    larger.name_or_path = tokenizer.name_or_path  # not the folder, which is gone
    return larger


def old_pieces(old, new):
    """For each new id, the ids of the old pieces that the old tokenizer writes instead: `{id: [ids]}`."""
    model, names = old.backend_tokenizer.model, {i: piece for piece, i in new.get_vocab().items()}
    return {i: [token.id for token in model.tokenize(names[i])] for i in range(len(old), len(new))}


def grow(model, old, new, how="mean", seed=0):
    """Give the model a row for each new piece, in its input and output embedding; changes the model and returns it.

    `how`: "mean" makes a row the mean of the rows of the old pieces that it replaces; "centre" the mean of all old rows,
    from which libraries start (Hewitt 2021); "random" draws it with the mean and spread of all old rows. Old rows stay as
    they are. May be called again with another `how`.
    """
    import torch

    if how not in ("mean", "centre", "random"):
        raise ValueError(f"there is no way {how!r} to fill new rows: choose mean, centre or random")
    if model.get_input_embeddings().num_embeddings < len(new):
        model.resize_token_embeddings(len(new), mean_resizing=False)
    generator = torch.Generator().manual_seed(seed)
    tables = {id(table.weight): table.weight for table in (model.get_input_embeddings(), model.get_output_embeddings())}
    with torch.no_grad():
        for weight in tables.values():  # one table where input and output are tied
            spread, centre = weight[: len(old)].std(0), weight[: len(old)].mean(0)
            for i, ids in old_pieces(old, new).items():
                weight[i] = weight[ids].mean(0) if how == "mean" else centre
                if how == "random":
                    weight[i] += spread * torch.randn(weight.shape[1], generator=generator).to(weight)
    return model
