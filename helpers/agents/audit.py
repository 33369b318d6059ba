"""A log that shows when somebody has changed it: every entry carries the hash of the one before (a hash chain).

    head = audit.append("runs/audit.jsonl", {"what": "approve", "case": "PMB-104"})   # "1:9f2c…": keep it somewhere else
    audit.verify("runs/audit.jsonl", head=head)                                       # Verdict(ok=True, entries=1, …)
    python -m helpers.agents.audit runs/audit.jsonl --head 1:9f2c…

SHA-256 over the entry's canonical JSON, the previous hash in it; with a key an HMAC, so that nobody without the key can write a
chain that fits. What the file alone cannot show is a tail cut off, or a chain without a key made anew: for that the head is kept
where the writer of the file cannot reach it. Method: Schneier and Kelsey, “Secure audit logs to support computer forensics”, 1999.
"""

import hashlib
import hmac
import json
import os
from collections import namedtuple
from datetime import UTC, datetime
from pathlib import Path

START = "0" * 64  # what the first entry names as the hash before it
# entries: how many are sound from the start; broken: the number of the first that is not, or None; head: of the sound ones
Verdict = namedtuple("Verdict", "ok entries broken why head")


def _line(entry):
    return json.dumps(entry, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def _hash(entry, key):
    text = _line({name: value for name, value in entry.items() if name != "hash"})
    return hmac.new(key.encode(), text, hashlib.sha256).hexdigest() if key else hashlib.sha256(text).hexdigest()


def append(path, body, key=None, redact=None):
    """Add an entry to a log (JSONL; made where it is missing) and return the new head, "number:hash".

    `body`: anything that JSON can write; it goes through `redact` first (`guard.redact` by default). `key`: a secret text.
    Safe among processes and across a kill. ValueError where the log's end cannot be read.
    """
    from filelock import FileLock

    from helpers.agents import guard

    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    body = (redact or guard.redact)(json.loads(json.dumps(body, allow_nan=False, default=str)))
    with FileLock(f"{path}.lock"), path.open("a+b") as file:
        file.seek(0)
        *lines, torn = file.read().split(b"\n")
        if torn:  # a killed writer left half a line, which nobody was told of: it is put aside and the log goes on
            with Path(f"{path}.torn").open("ab") as aside:
                aside.write(torn + b"\n")
            file.truncate(file.tell() - len(torn))
        last = _entry(lines[-1], key) if lines else {"number": 0, "hash": START}
        if last is None:
            raise ValueError(f"the end of {path} is damaged, or its key is another: run `python -m helpers.agents.audit {path}`")
        entry = {"number": last["number"] + 1, "time": datetime.now(UTC).isoformat(), "body": body, "previous": last["hash"]}
        entry["hash"] = _hash(entry, key)
        file.write(_line(entry) + b"\n")
        file.flush()
        os.fsync(file.fileno())
    return f"{entry['number']}:{entry['hash']}"


def verify(path, key=None, head=None):
    """Read a log from its start and give a `Verdict`: the first entry that does not fit, and what was done to it.

    `head`: what `append` last returned, kept elsewhere. `key`: the log's. ValueError where there is no file or no such head.
    """
    count, _, kept = (head or f"0:{START}").partition(":")
    if not count.isdecimal() or len(kept) != 64:
        raise ValueError(f"{head!r} is no head: it is a number, a colon and 64 digits, as append returns it")
    if not Path(path).is_file():
        raise ValueError(f"there is no log {path}: check the name")
    *lines, torn = Path(path).read_bytes().split(b"\n")
    entries, hashes, why = [_entry(line, key) for line in lines], [START], None
    for number, entry in enumerate(entries, 1):
        if why := _broken(entries, number, hashes[-1]):
            break
        hashes.append(entry["hash"])
    sound = len(hashes) - 1
    if why is None and torn:
        why = "cut: the last line is not whole (its writer was stopped, or the end is gone)"
    elif why is None and int(count) > sound:
        why = f"cut: entries {sound + 1} to {count} are gone from the end"
    elif why is None and kept != hashes[int(count)]:
        return Verdict(False, 0, 1, f"rewritten: entry {count} is not the one whose head was kept", f"0:{START}")
    return Verdict(why is None, sound, sound + 1 if why else None, why or "whole", f"{sound}:{hashes[-1]}")


def _entry(line, key):
    """The entry of a line, or None where the line is not, byte for byte, one that `append` wrote with this key."""
    try:
        entry = json.loads(line)
        sound = _line(entry) == line and type(entry["number"]) is int and hmac.compare_digest(entry["hash"], _hash(entry, key))
        return entry if sound else None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def _broken(entries, number, previous):
    """What is wrong with entry `number`, or None. `previous`: the hash of the sound entry before it."""
    entry = entries[number - 1]
    if entry and (entry["number"], entry["previous"]) == (number, previous):
        return None
    if entry and entry["number"] <= number:
        return "inserted: it does not follow from the entry before it"
    later = any(other and other["previous"] == previous for other in entries[number:])  # the entry that belongs here
    if entry is None:
        return "inserted: this log did not write it" if later else "altered: its content does not fit its hash, or the key is another"
    return "reordered: the entry that belongs here comes later" if later else "removed: the entry that belongs here is gone"


def main(arguments=None):
    """Print the verdict on a log: status 0 where it is whole, 1 where it is broken. The key is taken from LEPASLATIH_AUDIT_KEY."""
    from argparse import ArgumentParser

    parser = ArgumentParser(prog="python -m helpers.agents.audit", description="Verify an audit log.")
    parser.add_argument("file")
    parser.add_argument("--head", help="the head that was kept elsewhere")
    options = parser.parse_args(arguments)
    try:
        verdict = verify(options.file, os.environ.get("LEPASLATIH_AUDIT_KEY"), options.head)
    except ValueError as error:
        parser.error(str(error))
    print(f"whole: {verdict.entries} entries" if verdict.ok else f"broken at entry {verdict.broken}: {verdict.why}")
    print(f"head {verdict.head}")
    return 0 if verdict.ok else 1


if __name__ == "__main__":
    raise SystemExit(main())
