"""The hub's data sets: what they are for and under which licence, then their rows, streamed.

    from helpers.corpus import hub
    hub.catalogue()["aya"]                            # what is known about it
    for row in hub.stream("aya", n=100):              # prints licence and warning first
        row                                           # {"id", "text", "source", "licence", "instruction", "answer"}
    hub.stream("owner/name", split="train")           # any other data set, at its newest commit or owner/name@revision

Nothing is downloaded whole, and no program that comes with a data set is run. The revision that is read is the commit that the hub
named at the start; it stands in every row's `source`, so that the rows can be found again. The licence that the data set's card
states now is shown beside the one in the catalogue.
"""

import json
from functools import lru_cache
from itertools import islice

from helpers import corpus, machine
from helpers.corpus import contamination, licences, readers

LANGUAGE_COLUMNS = ("language_code", "language", "lang", "iso_639_3")


@lru_cache
def catalogue():
    """The catalogue: name → what is known about the data set (repository, config, split, licence, for, warning …)."""
    return json.loads((corpus.DATA / "catalogue.json").read_text(encoding="utf-8"))


def table():
    """The catalogue as `(header, rows)`."""
    header = ["name", "repository", "licence", "may it be trained on?", "for", "warning"]
    allowed = {name: "no: a test set" if one.get("test") else licences.check(one["licence"]).allowed for name, one in catalogue().items()}
    return header, [
        [name, one["repository"], one["licence"], allowed[name], one["for"], one["warning"]] for name, one in catalogue().items()
    ]


def find(name):
    """The catalogue's entry of a name, or one made up for `owner/name[@revision]`. ValueError where it is neither."""
    repository, _, revision = name.partition("@")
    if repository in catalogue():
        return catalogue()[repository] | ({"revision": revision} if revision else {})
    if repository.count("/") != 1 or not all(repository.split("/")):
        raise ValueError(f"there is no data set {name!r}: choose one of {', '.join(catalogue())}, or give owner/name")
    known = {
        "config": None,
        "split": "train",
        "licence": "unstated",
        "text": None,
        "fields": None,
        "for": "",
        "warning": "not in the catalogue: read its card",
    }
    return known | {"repository": repository, "revision": revision or "main"}


def stream(name, split=None, n=None, config=None, quiet=False):
    """Stream rows of a data set of the hub.

    Args:
        name: a name in the catalogue, or `owner/name[@revision]`.
        split: the split; the catalogue's where None.
        n: so many rows at most.
        config: the configuration (often a language); the catalogue's where None.
        quiet: do not print licence and warning.

    Returns an iterator of dicts: `id`, `text`, `source`, `licence`, and the set's own columns under the names in the catalogue. Raises
    ValueError with one line that says what to do, at once or, where the connection breaks, while rows are read.
    """
    entry = find(name)
    if not machine.hub_reachable():
        raise ValueError(
            f"{name} is on the hub, which does not answer from here: use a built-in set ({', '.join(corpus.names())}), or files you have"
        )
    import datasets
    from huggingface_hub import HfApi

    config, split = config or entry["config"], split or entry["split"]
    try:
        info = HfApi().dataset_info(entry["repository"], revision=entry["revision"])
        stated = (info.card_data or {}).get("license") if info.card_data else None
        licence = _licence(entry["licence"], stated)
        if not quiet:
            _introduce(name, entry, config, split, info.sha, licence, stated)
        loaded = datasets.load_dataset(
            entry["repository"], config, split=split, revision=info.sha, streaming=True, data_files=entry.get("data_files")
        )
    except Exception as error:
        raise ValueError(_explain(name, split, error)) from error
    return islice(_rows(name, split, entry, loaded, f"{entry['repository']}@{info.sha[:12]}", licence), n)


def _licence(known, stated):
    """The licence that counts: of the catalogue's and the one that the card states now, the stricter."""
    stated = ", ".join(stated) if isinstance(stated, list) else stated
    if not stated or licences.check(known).licence == "unstated":
        return stated or known
    strict = ("yes", "ask", "no")
    return max((known, stated), key=lambda one: strict.index(licences.check(one).allowed))


def _introduce(name, entry, config, split, commit, licence, stated):
    verdict = licences.check(licence)
    print(f"{name}: {entry['repository']}, {config or 'default'}, {split}, commit {commit[:12]}")
    print(f"  Licence: {licence} (its card says: {stated or 'nothing'}): {verdict.reason}; {verdict.advice}.")
    print("  A test set: never train on it." if entry.get("test") else f"  May it be trained on: {verdict.allowed}.")
    if entry["warning"]:
        print(f"  Warning: {entry['warning']}.")


def _rows(name, split, entry, loaded, source, licence):
    wanted = set(entry.get("languages") or ())
    try:
        for number, found in enumerate(loaded):
            if wanted and wanted.isdisjoint(str(found[column]) for column in LANGUAGE_COLUMNS if column in found):
                continue
            fields = {ours: found.get(theirs) for ours, theirs in entry["fields"].items()} if entry["fields"] is not None else dict(found)
            text = "\n\n".join(readers.as_text(fields.get(key, found.get(key))) for key in entry["text"]) if entry["text"] else _text(found)
            yield fields | {"id": f"{name}:{split}:{number}", "text": text, "source": source, "licence": licence}
    except (OSError, RuntimeError, ValueError) as error:
        raise ValueError(_explain(name, split, error)) from error


def _text(found):
    """The text of a row whose columns are not known: the column that is called so, a chat, or all texts one after another."""
    lower = {str(column).lower(): column for column in found}
    for key in (*readers.TEXT_NAMES, "messages", "conversations", "conversation"):
        if key in lower and found[lower[key]]:
            return readers.as_text(found[lower[key]])
    return "\n\n".join(contamination.pieces(found))


def _explain(name, split, error):
    """One line for what the hub's client may raise."""
    text, kind = f"{type(error).__name__} {error}", type(error).__name__
    first = (str(error).strip().splitlines() or [kind])[0][:160]
    if kind == "GatedRepoError" or "is a gated" in text:
        return f"{name} is gated: accept its terms on its page, then `huggingface-cli login`"
    if kind in ("RepositoryNotFoundError", "RevisionNotFoundError", "DatasetNotFoundError") or "404 Client Error" in text:
        return f"the hub has no data set {name!r} at that revision: check the spelling on its page"
    if "scripts are no longer supported" in text:
        return f"{name} is loaded by a program of its own, which is not run here: look on its page for a version in Parquet, and give that"
    if "Unknown split" in text or "Bad split" in text:
        return f"{name} has no split {split!r} ({first}): choose one that is there"
    if "Config name is missing" in text or "BuilderConfig" in text:
        return f"{name} has several configurations ({first}): give one with config=…"
    if any(word in text for word in ("Connection", "ConnectError", "offline", "Offline", "Timeout", "timed out", "Max retries")):
        return f"the hub stopped answering while {name} was read: check the connection and start again"
    return f"{name} could not be read ({kind}: {first}): check its page, or choose another data set"
