"""A stand-in for the Hugging Face hub on 127.0.0.1, as far as its own client needs it.

Repositories with commits, small files inside the commit, large ones by Git LFS in one piece or in
parts, tokens, private repositories, revisions, and troubles on demand.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import socket
import threading
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

TOKEN = "hf_right"
DROP, DROP_ANSWER = "drop the connection", "do it, then drop the connection"
TEAR = "send half of it, then drop the connection"
STALL = "send half of it, then nothing more"


@dataclass
class Repo:
    """A repository: files of each commit by its hash, and where branches and tags point."""

    private: bool
    commits: dict[str, dict[str, tuple[str, bytes]]] = field(default_factory=dict)
    refs: dict[str, str] = field(default_factory=dict)

    def find(self, revision):
        sha = self.refs.get(revision, revision)
        return (sha, self.commits[sha]) if sha in self.commits else None

    def commit(self, files):
        sha = hashlib.sha1(f"{len(self.commits)} {sorted(files)}".encode()).hexdigest()
        self.commits[sha], self.refs["main"] = files, sha
        return sha


class Hub(ThreadingHTTPServer):
    """Serves from its making to `close`.

    Attributes:
        repos: by id.
        stored: large files by SHA-256.
        asked: how often each method and kind of address was asked for.
        troubles: regular expression of "METHOD path" to what it meets with: statuses, DROP,
            DROP_ANSWER, TEAR or STALL, one for each request; None lets one through.
        part_size: larger files are to come in parts of this size.
    """

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.address = f"http://127.0.0.1:{self.server_port}"
        self.repos, self.stored, self.parts = {}, {}, {}
        self.asked, self.troubles, self.part_size = Counter(), {}, 100_000
        self._connections, self.closed = [], threading.Event()
        self._thread = threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def get_request(self):
        connection, address = super().get_request()
        self._connections.append(connection)
        return connection, address

    def close(self):
        """Is no longer there, not even for who is connected already."""
        self.closed.set()
        self.shutdown()
        self.server_close()
        self._thread.join()
        for connection in self._connections:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def add(self, repo_id, files, private=False):
        repo = self.repos.setdefault(repo_id, Repo(private))
        return repo.commit({path: ("regular", content) for path, content in files.items()})

    def files(self, repo_id, revision="main"):
        found = self.repos[repo_id].find(revision)
        return {path: content for path, (_, content) in found[1].items()} if found else {}

    def handle_error(self, request, client_address):
        """Nothing is printed about connections that were dropped on purpose."""


def oid(mode, content):
    if mode == "lfs":
        return hashlib.sha256(content).hexdigest()
    return hashlib.sha1(f"blob {len(content)}\0".encode() + content).hexdigest()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Hub
    torn = stalled = False

    ROUTES = [
        ("POST", r"/api/repos/create", "create"),
        ("POST", r"/api/validate-yaml", "validate"),
        ("GET", r"/api/whoami-v2", "whoami"),
        ("GET", r"/api/models/([^/]+/[^/]+)(?:/revision/([^/]+))?", "info"),
        ("GET", r"/api/models/([^/]+/[^/]+)/tree/([^/]+)", "tree"),
        ("POST", r"/api/models/([^/]+/[^/]+)/preupload/([^/]+)", "preupload"),
        ("POST", r"/api/models/([^/]+/[^/]+)/commit/([^/]+)", "commit"),
        ("POST", r"/([^/]+/[^/]+)\.git/info/lfs/objects/batch", "batch"),
        ("PUT", r"/lfs/(\w+)", "put"),
        ("PUT", r"/lfs/(\w+)/part/(\d+)", "put_part"),
        ("POST", r"/lfs/(\w+)/complete", "complete"),
        ("(?:GET|HEAD)", r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", "resolve"),
    ]

    def log_message(self, *args):
        pass

    def handle_any(self):
        body, path = self.body(), urlsplit(self.path).path
        trouble = self.trouble(f"{self.command} {path}")
        if trouble == DROP:
            return self.drop()
        if trouble == DROP_ANSWER:
            self.reply = lambda *args, **headers: self.drop()
        elif trouble == TEAR:
            self.torn = True
        elif trouble == STALL:
            self.stalled = True
        elif trouble:
            return self.reply({"error": "in trouble"}, trouble)
        for method, pattern, name in self.ROUTES:
            match = re.fullmatch(pattern, path)
            if match and re.fullmatch(method, self.command):
                self.server.asked[name] += 1
                groups = [group and unquote(group) for group in match.groups()]
                if self.may(name, groups):
                    getattr(self, name)(body, *groups)
                return
        self.reply({"error": f"Unexpected {self.command} {path}"}, 404)

    def drop(self):
        self.close_connection = True
        self.connection.close()

    do_GET = do_HEAD = do_POST = do_PUT = handle_any

    def body(self):
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        pieces = []
        while size := int(self.rfile.readline(), 16):
            pieces.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(pieces)

    def trouble(self, request):
        for pattern, answers in self.server.troubles.items():
            if re.search(pattern, request) and answers:
                return answers.pop(0)
        return None

    def reply(self, content, status=200, **headers):
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body[: len(body) // 2] if self.torn or self.stalled else body)
        if self.stalled:
            self.server.closed.wait(20)
        if self.torn or self.stalled:
            self.drop()

    def may(self, name, groups):
        """Refuses who must not; as the hub, a private repository is one that is not there."""
        if name in ("put", "put_part", "complete"):  # such addresses are signed
            return True
        token = self.headers.get("Authorization")
        if token not in (None, f"Bearer {TOKEN}"):
            message = "Invalid credentials in Authorization header"
            self.reply({"error": message}, 401, X_Error_Message=message)
            return False
        reads = name in ("info", "tree", "resolve")
        if not reads and token is None:
            self.reply({"error": "Log in"}, 401, X_Error_Message="Log in")
            return False
        repo = self.server.repos.get(groups[0]) if groups else None
        missing = reads and (repo is None or repo.private and token is None)
        if missing:
            status = 401 if token is None else 404
            self.reply({"error": "Not found"}, status, X_Error_Code="RepoNotFound")
        return not missing

    def create(self, body):
        wanted = json.loads(body)
        repo_id = f"{wanted['organization']}/{wanted['name']}"
        url = {"url": f"{self.server.address}/{repo_id}"}
        if repo_id in self.server.repos:
            return self.reply({**url, "error": "You already created this model repo"}, 409)
        # The client's version 1 says it one way, version 2 the other.
        private = wanted.get("private") or wanted.get("visibility") == "private"
        self.server.repos[repo_id] = Repo(bool(private))
        self.reply(url)

    def validate(self, body):
        self.reply({"errors": [], "warnings": []})

    def whoami(self, body):
        self.reply({"name": "me", "type": "user"})

    def found(self, repo_id, revision):
        found = self.server.repos[repo_id].find(revision)
        if found is None:
            self.reply({"error": "Invalid rev id"}, 404, X_Error_Code="RevisionNotFound")
        return found

    def info(self, body, repo_id, revision):
        repo = self.server.repos[repo_id]
        about = {"id": repo_id, "modelId": repo_id, "private": repo.private, "tags": []}
        if not repo.commits and revision is None:
            return self.reply({**about, "sha": None, "siblings": []})
        if found := self.found(repo_id, revision or "main"):
            names = [{"rfilename": path} for path in found[1]]
            self.reply({**about, "sha": found[0], "siblings": names})

    def tree(self, body, repo_id, revision):
        if not self.server.repos[repo_id].commits:
            return self.reply([])
        if found := self.found(repo_id, revision):
            self.reply([self.entry(path, *file) for path, file in found[1].items()])

    def entry(self, path, mode, content):
        about = {"type": "file", "path": path, "size": len(content), "oid": oid("", content)}
        if mode == "lfs":
            about["lfs"] = {"oid": oid("lfs", content), "size": len(content), "pointerSize": 134}
        return about

    def preupload(self, body, repo_id, revision):
        found = self.server.repos[repo_id].find(revision)
        there = found[1] if found else {}
        answers = []
        for file in json.loads(body)["files"]:
            mode = "lfs" if file["size"] > 20_000 else "regular"
            answer = {"path": file["path"], "uploadMode": mode, "shouldIgnore": False}
            if file["path"] in there:
                answer["oid"] = oid(*there[file["path"]])
            answers.append(answer)
        self.reply({"files": answers})

    def batch(self, body, repo_id):
        objects = [self.instructions(**one) for one in json.loads(body)["objects"]]
        self.reply({"transfer": "basic", "objects": objects})

    def instructions(self, oid, size):
        about = {"oid": oid, "size": size}
        if oid in self.server.stored:
            return about
        href, part_size = f"{self.server.address}/lfs/{oid}", self.server.part_size
        if size <= part_size:
            return {**about, "actions": {"upload": {"href": href}}}
        count = -(-size // part_size)
        header = {str(number): f"{href}/part/{number}" for number in range(1, count + 1)}
        header["chunk_size"] = str(part_size)
        return {**about, "actions": {"upload": {"href": f"{href}/complete", "header": header}}}

    def put(self, body, oid):
        if hashlib.sha256(body).hexdigest() != oid:
            return self.reply({"error": "not what was announced"}, 400)
        self.server.stored[oid] = body
        self.reply({})

    def put_part(self, body, oid, number):
        self.server.parts[oid, int(number)] = body
        self.reply({}, ETag=f'"{hashlib.md5(body).hexdigest()}"')

    def complete(self, body, oid):
        numbers = [part["partNumber"] for part in json.loads(body)["parts"]]
        self.put(b"".join(self.server.parts[oid, number] for number in numbers), oid)

    def commit(self, body, repo_id, revision):
        repo = self.server.repos[repo_id]
        files = dict(repo.commits.get(repo.refs.get("main"), {}))
        for line in map(json.loads, body.splitlines()):
            value = line["value"]
            if line["key"] == "file":
                files[value["path"]] = ("regular", base64.b64decode(value["content"]))
            if line["key"] == "lfsFile":
                files[value["path"]] = ("lfs", self.server.stored[value["oid"]])
            if line["key"] == "deletedFile":
                del files[value["path"]]
        sha = repo.commit(files)
        self.reply({"commitUrl": f"{self.server.address}/{repo_id}/commit/{sha}", "commitOid": sha})

    def resolve(self, body, repo_id, revision, path):
        if found := self.found(repo_id, revision):
            sha, files = found
            if path not in files:
                return self.reply({"error": "none"}, 404, X_Error_Code="EntryNotFound")
            mode, content = files[path]
            self.reply(content, ETag=f'"{oid(mode, content)}"', X_Repo_Commit=sha)
