"""A small hub: the documented endpoints that huggingface_hub calls, over a real socket.

    with HubServer() as server:
        model.push_to_hub("me/my-gan", endpoint=server.url, token="hf_writer")

It keeps repositories in memory, with commits, branches, pull requests and LFS objects, checks
parent commits and hashes of uploads as the hub does, and writes down what it was asked. `faults`
spoil answers on purpose. There is no Xet: set HF_HUB_DISABLE_XET.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import socket
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import yaml

Files = dict[str, bytes]
LFS = (".safetensors", ".png", ".pkl", ".bin", ".pt")
TOKENS = {"hf_writer": ("me", "org"), "hf_reader": ()}
"""Tokens, and the names under which each may write."""


@dataclass
class Repo:
    id: str
    private: bool = False
    commits: dict[str, Files] = field(default_factory=dict)
    refs: dict[str, str] = field(default_factory=dict)

    def commit(self, files: Files, ref: str = "main") -> str:
        """A commit that holds these files, at the head of a branch."""
        # git ids of commits are arbitrary to clients; these differ with every commit
        oid = hashlib.sha1(f"{self.id}{ref}{len(self.commits)}".encode()).hexdigest()
        self.commits[oid] = files
        self.refs[ref] = oid
        return oid

    def head(self, revision: str) -> str | None:
        return self.refs.get(revision) or (revision if revision in self.commits else None)


@dataclass(frozen=True)
class Asked:
    """A request as it came."""

    method: str
    path: str
    token: str


class HubServer:
    """The hub at `url`, for the time of a `with`.

    Attributes:
        repos: by name. asked: every request. fault: spoils the content of a download: it is
            called with the file's name and content, and gives what is sent in its place;
            None breaks the connection in the middle.
        body: in place of a fault, it gives the parts that are sent one after the other, and
            what is announced as their length; None announces nothing.
        busy: answers to the next requests: a status, and what `Retry-After` says.
        bare: lists tell names of files and nothing else, as some mirrors do; silent: nor do the
            addresses of the files tell more.
        before_commit: called as a commit arrives, before its parent is looked at.
    """

    def __init__(self) -> None:
        self.repos: dict[str, Repo] = {}
        self.objects: dict[str, bytes] = {}
        self.asked: list[Asked] = []
        self.fault: Callable[[str, bytes], bytes | None] | None = None
        self.body: Callable[[str, bytes], tuple[Iterable[bytes], int | None]] | None = None
        self.busy: list[tuple[int, str]] = []
        self.bare = self.silent = False
        self.before_commit: Callable[[Repo], None] | None = None
        self.lock = threading.Lock()
        hub = self

        class Handler(_Handler):
            server_hub = hub

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    def __enter__(self) -> HubServer:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    def add(self, id: str, files: Files, *, private: bool = False) -> Repo:
        """A repository as somebody else would have made it."""
        repo = Repo(id, private)
        repo.commit({".gitattributes": b"*.safetensors filter=lfs\n"})
        repo.commit({**repo.commits[repo.refs["main"]], **files})
        self.repos[id] = repo
        return repo

    @property
    def downloads(self) -> list[str]:
        """The names of the files that were asked for, in order."""
        found = (re.match(r"/[^/]+/[^/]+/resolve/[^/]+/(.+)", one.path) for one in self.asked)
        return [unquote(match[1]) for match in found if match]


class _Refused(Exception):
    def __init__(self, status: int, message: str, code: str = "", **more: Any) -> None:
        self.status, self.message, self.code, self.more = status, message, code, more


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_hub: HubServer

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def do_GET(self) -> None:
        self._handle()

    do_HEAD = do_POST = do_PUT = do_GET

    # ------------------------------------------------------------------------ plumbing

    def _handle(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = urlsplit(self.path)
        self.query = parse_qs(parts.query)
        self.token = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
        hub = self.server_hub
        with hub.lock:
            hub.asked.append(Asked(self.command, parts.path, self.token))
            busy = hub.busy.pop(0) if hub.busy else None
        try:
            if busy:
                raise _Refused(busy[0], "Too many requests", retry_after=busy[1])
            if self.token and self.token not in TOKENS:
                raise _Refused(401, "Invalid credentials in Authorization header")
            for pattern, methods, route in ROUTES:
                match = re.fullmatch(pattern, parts.path)
                if match and self.command in methods:
                    route(self, *map(unquote, match.groups()), body)
                    return
            raise _Refused(404, f"no endpoint {self.command} {parts.path}")
        except _Refused as refused:
            self._json(
                {"error": refused.message, **refused.more},
                refused.status,
                {"X-Error-Message": refused.message}
                | ({"X-Error-Code": refused.code} if refused.code else {})
                | (
                    {"Retry-After": str(refused.more["retry_after"])}
                    if refused.more.get("retry_after")
                    else {}
                ),
            )
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def _json(self, value: Any, status: int = 200, headers: dict[str, str] | None = None) -> None:
        content = json.dumps(value).encode()
        self._send(content, {"Content-Type": "application/json", **(headers or {})}, status)

    def _send(self, content: bytes, headers: dict[str, str], status: int = 200) -> None:
        self.send_response(status)
        for key, value in {"Content-Length": str(len(content)), **headers}.items():
            self.send_header(key, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def _repo(self, id: str, *, write: bool = False) -> Repo:
        hub, owners = self.server_hub, TOKENS.get(self.token)
        repo = hub.repos.get(id)
        mine = owners is not None and id.split("/")[0] in owners
        if repo is None or (repo.private and not mine):
            # without a token, the hub does not say whether a repository is private or missing
            raise _Refused(404 if self.token else 401, "Repository not found", "RepoNotFound")
        if write and not mine and "create_pr" not in self.query:
            raise _Refused(403 if self.token else 401, "You don't have the rights to write here")
        return repo

    def _commit(self, repo: Repo, revision: str) -> tuple[str, Files]:
        oid = repo.head(revision)
        if oid is None:
            raise _Refused(404, f"Invalid rev id: {revision}", "RevisionNotFound")
        return oid, repo.commits[oid]

    # -------------------------------------------------------------------------- asking

    def info(self, id: str, revision: str | bytes, body: bytes = b"") -> None:
        revision = revision if isinstance(revision, str) else "main"
        repo = self._repo(id)
        oid, files = self._commit(repo, revision)
        found = _described(repo, oid, files)
        if "blobs" in self.query and not self.server_hub.bare:
            found["siblings"] = [
                {"rfilename": name, "size": len(content), **_blob(name, content)}
                for name, content in files.items()
            ]
        self._json(found)

    def models(self, body: bytes) -> None:
        wanted = {key: values[0] for key, values in self.query.items()}
        found = []
        for repo in self.server_hub.repos.values():
            oid = repo.refs["main"]
            described = _described(repo, oid, repo.commits[oid])
            owner, _, name = repo.id.partition("/")
            if (
                (not repo.private)
                and wanted.get("author", owner) == owner
                and wanted.get("search", "") in name
                and all(word in described["tags"] for word in self.query.get("filter", []))
            ):
                found.append(described)
        page, size = int(wanted.get("page", 0)), 2
        shown = found[page * size : (page + 1) * size]
        link = f'<{self.server_hub.url}/api/models?{_next(self.query, page + 1)}>; rel="next"'
        self._json(shown, headers={"Link": link} if found[(page + 1) * size :] else None)

    def tree(self, id: str, revision: str, body: bytes) -> None:
        _, files = self._commit(self._repo(id), revision)
        self._json(
            [
                {"type": "file", "path": name, "size": len(content), **_tree(name, content)}
                for name, content in files.items()
            ]
        )

    def resolve(self, id: str, revision: str, name: str, body: bytes) -> None:
        oid, files = self._commit(self._repo(id), revision)
        if name not in files:
            raise _Refused(404, f"{name} not found", "EntryNotFound")
        content = files[name]
        headers = {"X-Repo-Commit": oid, "ETag": f'"{_sha1(content)}"', "Accept-Ranges": "bytes"}
        if name.endswith(LFS):
            sha256 = hashlib.sha256(content).hexdigest()
            headers |= {"X-Linked-Etag": f'"{sha256}"', "X-Linked-Size": str(len(content))}
        if self.server_hub.silent:
            headers = {}
        if self.command == "HEAD" and self.server_hub.silent:
            raise _Refused(405, "Method Not Allowed")
        if self.command == "HEAD":
            self.send_response(200)
            for key, value in {**headers, "Content-Length": str(len(content))}.items():
                self.send_header(key, value)
            self.end_headers()
            return
        start = re.match(r"bytes=(\d+)-", self.headers.get("Range") or "")
        first = int(start[1]) if start else 0
        if self.server_hub.body:
            self._parts(*self.server_hub.body(name, content))
            return
        fault = self.server_hub.fault
        sent = fault(name, content) if fault else content
        status, part = 206 if start else 200, None if sent is None else sent[first:]
        if part is None:  # half of it, and then the line is cut
            rest = content[first:]
            self.send_response(status)
            self.send_header("Content-Length", str(len(rest)))
            self.end_headers()
            self.wfile.write(rest[: len(rest) // 2])
            self.wfile.flush()
            with suppress(OSError):
                self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True
            return
        if start:
            headers["Content-Range"] = f"bytes {first}-{len(content) - 1}/{len(content)}"
        self._send(part, headers, status)

    def _parts(self, parts: Iterable[bytes], length: int | None) -> None:
        """A body that comes part by part; the line is closed where it has no announced end."""
        self.send_response(200)
        if length is not None:
            self.send_header("Content-Length", str(length))
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        for part in parts:
            self.wfile.write(part)
            self.wfile.flush()

    # ------------------------------------------------------------------------- changing

    def create(self, body: bytes) -> None:
        asked = json.loads(body)
        owners = TOKENS.get(self.token)
        if owners is None:
            raise _Refused(401, "Invalid username or password.")
        owner = asked.get("organization") or owners[0]
        if owner not in owners:
            raise _Refused(403, f"You don't have the rights to create a model under {owner}")
        id = f"{owner}/{asked['name']}"
        url = f"{self.server_hub.url}/{id}"
        if id in self.server_hub.repos:
            raise _Refused(409, "You already created this model repo", url=url)
        repo = Repo(id, private=asked.get("visibility") == "private")
        repo.commit({".gitattributes": b"*.safetensors filter=lfs\n"})
        self.server_hub.repos[id] = repo
        self._json({"url": url, "name": id})

    def branch(self, id: str, branch: str, body: bytes) -> None:
        repo = self._repo(id, write=True)
        if branch in repo.refs:
            raise _Refused(409, "Reference already exists")
        oid, _ = self._commit(repo, json.loads(body or b"{}").get("startingPoint", "main"))
        repo.refs[branch] = oid
        self._json({})

    def validate(self, body: bytes) -> None:
        head = re.match(r"---\n(.*?)\n---", json.loads(body)["content"], re.DOTALL)
        errors: list[dict[str, str]] = []
        try:
            card = yaml.safe_load(head[1]) if head else {}
            for index in card.get("model-index", []):
                for result in index["results"]:
                    assert {"type", "name"} <= set(result["dataset"]), "dataset"
                    assert all({"type", "value"} <= set(m) for m in result["metrics"]), "metrics"
        except (yaml.YAMLError, KeyError, TypeError, AssertionError, AttributeError) as error:
            errors.append({"message": f"Invalid metadata: {error}"})
        self._json({"errors": errors, "warnings": []}, 400 if errors else 200)

    def preupload(self, id: str, revision: str, body: bytes) -> None:
        _, files = self._commit(self._repo(id, write=True), revision)
        self._json(
            {
                "files": [
                    {
                        "path": asked["path"],
                        "uploadMode": "lfs" if asked["path"].endswith(LFS) else "regular",
                        "shouldIgnore": False,
                        **_known(asked["path"], files),
                    }
                    for asked in json.loads(body)["files"]
                ]
            }
        )

    def batch(self, id: str, body: bytes) -> None:
        self._repo(id)  # whoever proposes a change uploads, too
        if not self.token:
            raise _Refused(401, "Invalid username or password.")
        hub = self.server_hub
        objects = []
        for one in json.loads(body)["objects"]:
            answer: dict[str, Any] = {"oid": one["oid"], "size": one["size"]}
            if one["oid"] not in hub.objects:
                answer["actions"] = {
                    "upload": {"href": f"{hub.url}/lfs/{one['oid']}", "header": {}},
                    "verify": {"href": f"{hub.url}/lfs-verify", "header": {}},
                }
            objects.append(answer)
        self._json({"transfer": "basic", "objects": objects})

    def put(self, sha256: str, body: bytes) -> None:
        if hashlib.sha256(body).hexdigest() != sha256:
            raise _Refused(400, "the content has another hash")
        self.server_hub.objects[sha256] = body
        self._send(b"", {})

    def verify(self, body: bytes) -> None:
        asked = json.loads(body)
        content = self.server_hub.objects.get(asked["oid"])
        if content is None or len(content) != asked["size"]:
            raise _Refused(404, "no such object")
        self._json({})

    def commit(self, id: str, revision: str, body: bytes) -> None:
        repo, hub = self._repo(id, write=True), self.server_hub
        if hub.before_commit:
            hub.before_commit(repo)
        oid, files = self._commit(repo, revision)
        files = dict(files)
        for line in body.splitlines():
            item = json.loads(line)
            value = item["value"]
            match item["key"]:
                case "header":
                    if value.get("parentCommit", oid) != oid:
                        raise _Refused(412, "A commit has happened since. Please refresh.")
                case "file":
                    files[value["path"]] = base64.b64decode(value["content"])
                case "lfsFile":
                    files[value["path"]] = hub.objects[value["oid"]]
                case "deletedFile":
                    del files[value["path"]]
                case other:
                    raise _Refused(400, f"unknown operation {other}")
        pull_request = "create_pr" in self.query
        number = sum(ref.startswith("refs/pr/") for ref in repo.refs) + 1
        ref = f"refs/pr/{number}" if pull_request else revision
        made = repo.commit(files, ref)
        answer = {"commitUrl": f"{hub.url}/{id}/commit/{made}", "commitOid": made}
        if pull_request:
            answer["pullRequestUrl"] = f"{hub.url}/{id}/discussions/{number}"
        self._json(answer)


def _sha1(content: bytes) -> str:
    return hashlib.sha1(f"blob {len(content)}\0".encode() + content).hexdigest()


def _pointer(content: bytes) -> bytes:
    """What git keeps in place of a file in LFS."""
    sha256 = hashlib.sha256(content).hexdigest()
    return (
        f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize {len(content)}\n"
    ).encode()


def _blob(name: str, content: bytes) -> dict[str, Any]:
    if not name.endswith(LFS):
        return {"blobId": _sha1(content)}
    pointer = _pointer(content)
    sha256 = hashlib.sha256(content).hexdigest()
    lfs = {"sha256": sha256, "size": len(content), "pointerSize": len(pointer)}
    return {"blobId": _sha1(pointer), "lfs": lfs}


def _tree(name: str, content: bytes) -> dict[str, Any]:
    blob = _blob(name, content)
    lfs = blob.get("lfs")
    more = {"lfs": {**lfs, "oid": lfs["sha256"]}} if lfs else {}
    return {"oid": blob["blobId"], **more}


def _known(path: str, files: Files) -> dict[str, str]:
    """The hash of what is there already, by which clients skip what has not changed."""
    if path not in files:
        return {}
    blob = _blob(path, files[path])
    return {"oid": blob["lfs"]["sha256"] if "lfs" in blob else blob["blobId"]}


def _described(repo: Repo, oid: str, files: Files) -> dict[str, Any]:
    head = re.match(rb"---\n(.*?)\n---", files.get("README.md", b""), re.DOTALL)
    card = yaml.safe_load(head[1]) if head else {}
    tags = [*card.get("tags", []), *filter(None, [card.get("library_name")])]
    return {
        "id": repo.id, "modelId": repo.id, "sha": oid, "private": repo.private, "tags": tags,
        "cardData": card, "pipeline_tag": card.get("pipeline_tag"), "downloads": 7,
        "lastModified": "2026-01-02T03:04:05.000Z",
        "siblings": [{"rfilename": name} for name in files],
    }  # fmt: skip


def _next(query: dict[str, list[str]], page: int) -> str:
    kept = [f"{key}={value}" for key, values in query.items() if key != "page" for value in values]
    return "&".join([*kept, f"page={page}"])


ID = r"([^/]+/[^/]+)"
ROUTES: list[tuple[str, tuple[str, ...], Callable[..., None]]] = [
    (r"/api/models", ("GET",), _Handler.models),
    (rf"/api/models/{ID}", ("GET",), lambda self, id, body: self.info(id, body)),
    (rf"/api/models/{ID}/revision/([^/]+)", ("GET",), _Handler.info),
    (rf"/api/models/{ID}/tree/([^/]+)", ("GET",), _Handler.tree),
    (r"/api/repos/create", ("POST",), _Handler.create),
    (r"/api/validate-yaml", ("POST",), _Handler.validate),
    (rf"/api/models/{ID}/branch/([^/]+)", ("POST",), _Handler.branch),
    (rf"/api/models/{ID}/preupload/([^/]+)", ("POST",), _Handler.preupload),
    (rf"/api/models/{ID}/commit/([^/]+)", ("POST",), _Handler.commit),
    (rf"/{ID}\.git/info/lfs/objects/batch", ("POST",), _Handler.batch),
    (r"/lfs/([0-9a-f]{64})", ("PUT",), _Handler.put),
    (r"/lfs-verify", ("POST",), _Handler.verify),
    (rf"/{ID}/resolve/([^/]+)/(.+)", ("GET", "HEAD"), _Handler.resolve),
]
