"""A small model hub on this computer, so that the real hub client can be tested without a network.

    with HubServer(folder) as hub:      # folder/owner/name/revision/files…, and folder/datasets/owner/name/revision/files…
        ...                             # HF_ENDPOINT=hub.url

It speaks the part of the hub's protocol that loading a model or streaming a data set needs: information about a repository at a
revision, its tree, single paths in it, and its files or ranges of them, with their commit and ETag. `hub.requests`
is the list of `(method, path, status)` it answered.
"""

import hashlib
import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit


class HubServer:
    """Serves a folder of repositories on a free port of 127.0.0.1."""

    def __init__(self, folder):
        self.folder, self.requests = Path(folder), []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"hub": self}))
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()

    def close(self):
        """Stop answering; the port is closed afterwards."""
        self._server.shutdown()
        self._server.server_close()

    def commit(self, repository, revision):
        """The commit hash of a revision: made from the files' content, so that equal content has an equal hash."""
        folder, digest = self.folder / repository / revision, hashlib.sha1()
        for path in files(folder):
            digest.update(f"{path}\0".encode() + (folder / path).read_bytes())
        return digest.hexdigest()

    def find(self, repository, revision):
        """The folder and the commit of a branch, tag or commit hash; None where there is none."""
        for folder in sorted((self.folder / repository).iterdir()):
            commit = self.commit(repository, folder.name)
            if revision in (folder.name, commit):
                return folder, commit
        return None


def files(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def entry(folder, path):
    """A file or folder as the hub describes it."""
    return {
        "type": "file" if path.is_file() else "directory",
        "oid": hashlib.sha1(path.as_posix().encode()).hexdigest(),
        "size": path.stat().st_size if path.is_file() else 0,
        "path": path.relative_to(folder).as_posix(),
    }


def card(folder):
    """What a data set's README.md says between its first lines of dashes: `name: value`."""
    text = (folder / "README.md").read_text(encoding="utf-8") if (folder / "README.md").is_file() else ""
    lines = text.split("---")[1].splitlines() if text.startswith("---") else []
    return dict(line.split(": ", 1) for line in lines if ": " in line and not line.startswith((" ", "-")))


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *message):
        pass

    def do_HEAD(self):
        self.do_GET()

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        wanted = json.loads(body)["paths"] if body.startswith("{") else parse_qs(body).get("paths", [])
        self.do_GET(wanted)

    def do_GET(self, wanted=()):
        parts = [unquote(part) for part in urlsplit(self.path).path.strip("/").split("/")]
        api = parts[:1] == ["api"] and parts[1:2] in (["models"], ["datasets"])
        kind = "datasets/" if "datasets" in parts[: 2 if api else 1] else ""
        owner, name, *rest = (parts[2:] if api else parts[1:] if kind else parts) + [""] * 2
        rest = [part for part in rest if part]
        repository = f"{kind}{owner}/{name}"
        if not name or not (self.hub.folder / repository).is_dir():
            return self.fail("RepoNotFound", "Repository not found")
        if api and not rest:
            rest = ["revision", "main"]
        if len(rest) < 2:
            return self.fail("EntryNotFound", "Entry not found")
        what, revision, path = rest[0], rest[1], "/".join(rest[2:])
        found = self.hub.find(repository, revision)
        if found is None:
            return self.fail("RevisionNotFound", f"Invalid rev id: {revision}")
        folder, commit = found
        if api and what == "revision":
            names = [{"rfilename": path} for path in files(folder)]
            about = {"_id": "0" * 24, "id": f"{owner}/{name}", "sha": commit, "private": False, "siblings": names}
            about |= {"cardData": card(folder)} if kind else {"modelId": f"{owner}/{name}"}
            return self.reply(json.dumps(about | {"tags": [], "downloads": 0, "likes": 0, "disabled": False, "gated": False}).encode())
        if api and what == "tree":
            return self.tree(folder, path, commit)
        if api and what == "paths-info":
            return self.reply(json.dumps([entry(folder, folder / p) for p in wanted if (folder / p).exists()]).encode(), commit=commit)
        if not api and what == "resolve" and path and (folder / path).is_file():
            body = (folder / path).read_bytes()
            return self.reply(body, kind="application/octet-stream", commit=commit, etag=hashlib.sha256(body).hexdigest())
        return self.fail("EntryNotFound", "Entry not found", commit)

    def tree(self, folder, path, commit):
        if path and not (folder / path).is_dir():
            return self.fail("EntryNotFound", f"{path} does not exist", commit)
        inside = [p for p in (folder / path).rglob("*") if "recursive=true" in self.path.lower() or p.parent == folder / path]
        return self.reply(json.dumps([entry(folder, p) for p in sorted(inside)]).encode(), commit=commit)

    def fail(self, code, message, commit=None):
        self.reply(json.dumps({"error": message}).encode(), 404, commit=commit, error=(code, message))

    def reply(self, body, status=200, kind="application/json", commit=None, etag=None, error=None):
        part = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", "")) if etag and kind == "application/octet-stream" else None
        whole = len(body)
        if part:
            start, end = int(part[1]), min(int(part[2] or whole - 1), whole - 1)
            body, status = body[start : end + 1], 206
        self.hub.requests.append((self.command, self.path, status))
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        if part:
            self.send_header("Content-Range", f"bytes {start}-{end}/{whole}")
        if commit:
            self.send_header("X-Repo-Commit", commit)
        if etag:
            self.send_header("ETag", f'"{etag}"')
        if error:
            self.send_header("X-Error-Code", error[0])
            self.send_header("X-Error-Message", error[1])
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
