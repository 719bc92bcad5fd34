"""A hub on this machine, for the hub's real client: repositories, commits, and the ways in which both can fail."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

WRITE_TOKEN, READ_TOKEN = "hf_writes", "hf_reads"


@dataclass
class Repo:
    """One model repository.

    Attributes:
        files: name to content, of the newest commit.
        stated: name to the SHA-256 that the hub states, where that is not the right one; None states nothing.
        broken: names of files of which only half arrives.
        gated: it answers that access must be asked for.
    """

    files: dict[str, bytes] = field(default_factory=dict)
    private: bool = False
    stated: dict[str, str | None] = field(default_factory=dict)
    broken: set[str] = field(default_factory=set)
    gated: bool = False

    @property
    def sha(self) -> str:
        content = json.dumps({name: hashlib.sha1(data).hexdigest() for name, data in sorted(self.files.items())})
        return hashlib.sha1(content.encode()).hexdigest()

    def sha256(self, name: str) -> str | None:
        return self.stated.get(name, hashlib.sha256(self.files[name]).hexdigest()) if name.endswith(".onnx") else None


class Hub(ThreadingHTTPServer):
    """`repos` by name; `log` of (method, path) as they came; `status` answers everything with that number."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.repos: dict[str, Repo] = {}
        self.log: list[tuple[str, str]] = []
        self.status = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


@contextmanager
def running_hub() -> Iterator[Hub]:
    with Hub() as hub:
        thread = Thread(target=hub.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield hub
        finally:
            hub.shutdown()
            thread.join()


def use_hub(monkeypatch: pytest.MonkeyPatch, url: str, home: Path, *, token: str | None = None) -> None:
    """What HF_ENDPOINT, HF_HOME and HF_TOKEN do to a process that starts."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "ENDPOINT", url)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", url + "/{repo_id}/resolve/{revision}/{filename}")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(home / "hub"))
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(home / "token"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    if token:
        monkeypatch.setenv("HF_TOKEN", token)


class _Handler(BaseHTTPRequestHandler):
    server: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        pass

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path)
        self.server.log.append((self.command, path))
        if self.server.status:
            self._refuse(self.server.status)
        elif found := re.fullmatch(r"/api/models/([^/]+/[^/]+)(?:/revision/(.+))?", path):
            self._info(found[1], found[2] or "main")
        elif found := re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path):
            self._file(*found.groups())
        else:
            self._refuse(404)

    do_HEAD = do_GET

    def do_POST(self) -> None:
        path = unquote(urlsplit(self.path).path)
        self.server.log.append(("POST", path))
        body = self.rfile.read(int(self.headers["Content-Length"]))
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if self.server.status:
            self._refuse(self.server.status)
        elif path == "/api/validate-yaml":
            self._answer({"errors": [], "warnings": []})
        elif token not in (READ_TOKEN, WRITE_TOKEN):
            self._refuse(401, message="Invalid credentials in Authorization header")
        elif token != WRITE_TOKEN:
            self._refuse(403)
        elif path == "/api/repos/create":
            wanted = json.loads(body)
            name = f"{wanted['organization']}/{wanted['name']}"
            if name in self.server.repos:
                self._answer({"error": "it is there", "url": f"{self.server.url}/{name}"}, status=409)
                return
            private = wanted.get("visibility") == "private" or bool(wanted.get("private"))
            self.server.repos[name] = Repo(private=private)
            self._answer({"url": f"{self.server.url}/{name}", "name": name, "id": name})
        elif path.endswith("/preupload/main"):
            files = [
                {"path": file["path"], "uploadMode": "regular", "shouldIgnore": False}
                for file in json.loads(body)["files"]
            ]
            self._answer({"files": files})
        elif found := re.fullmatch(r"/api/models/([^/]+/[^/]+)/commit/main", path):
            repo = self.server.repos[found[1]]
            for line in map(json.loads, body.splitlines()):
                if line["key"] == "file":
                    repo.files[line["value"]["path"]] = base64.b64decode(line["value"]["content"])
            self._answer({"commitUrl": f"{self.server.url}/{found[1]}/commit/{repo.sha}", "commitOid": repo.sha})
        else:
            self._refuse(404)

    def _repo(self, name: str, revision: str) -> Repo | None:
        repo = self.server.repos.get(name)
        if repo is None or (repo.private and "Authorization" not in self.headers):
            self._refuse(401, "RepoNotFound")
        elif repo.gated:
            self._refuse(403, "GatedRepo")
        elif revision not in ("main", "v1", repo.sha):
            self._refuse(404, "RevisionNotFound")
        else:
            return repo
        return None

    def _info(self, name: str, revision: str) -> None:
        repo = self._repo(name, revision)
        if repo is None:
            return
        siblings: list[dict[str, Any]] = []
        for file, data in repo.files.items():
            siblings.append({"rfilename": file, "size": len(data), "blobId": hashlib.sha1(data).hexdigest()})
            if stated := repo.sha256(file):
                siblings[-1]["lfs"] = {"sha256": stated, "size": len(data), "pointerSize": 130}
        self._answer({"id": name, "sha": repo.sha, "private": repo.private, "siblings": siblings, "tags": []})

    def _file(self, name: str, revision: str, file: str) -> None:
        repo = self._repo(name, revision)
        if repo is None:
            return
        if file not in repo.files:
            self._refuse(404, "EntryNotFound")
            return
        data = repo.files[file]
        self.send_response(200)
        self.send_header("X-Repo-Commit", repo.sha)
        self.send_header("ETag", f'"{repo.sha256(file) or hashlib.sha1(data).hexdigest()}"')
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(data[: len(data) // 2] if file in repo.broken else data)
            self.close_connection = file in repo.broken

    def _answer(self, value: Any, status: int = 200) -> None:
        data = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _refuse(self, status: int, code: str = "", message: str = "refused") -> None:
        self.send_response(status)
        self.send_header("X-Error-Code", code)
        self.send_header("X-Error-Message", message)
        self.send_header("Content-Length", "0")
        self.end_headers()
