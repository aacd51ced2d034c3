"""Starts and talks to a real berthd and berth-mock. Standard library only; knows interfaces.md and nothing of the source."""

import http.client
import json
import os
import pathlib
import signal
import socket
import subprocess
import tempfile
import time
import unittest
import urllib.parse

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BIN = pathlib.Path(os.environ.get("BERTH_BIN", ROOT / ".build" / "debug"))
BUNDLES = pathlib.Path(os.environ.get("BERTH_BUNDLES", ROOT / ".build" / "bundles-debug"))
needs_kill_points = unittest.skipUnless(b"BERTH_KILLPOINT" in (BIN / "berthd").read_bytes(), "release binaries have no labelled kill points")


def wait_for(condition, seconds=20.0, what="condition"):
    """Polls until `condition()` is truthy and answers its value."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds} s in vain for {what}")
        time.sleep(0.05)


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path, timeout=30):
        super().__init__("berth", timeout=timeout)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self.path))


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"<{self.status} {self.body[:300]!r}>"


class Berthd:
    """One daemon with a folder of its own; may be killed and started again on the same folder."""

    def __init__(self, folder=None, bundles=BUNDLES, environment=None, settings=""):
        self.folder = pathlib.Path(folder or tempfile.mkdtemp(prefix="berth-"))
        self.folder.mkdir(parents=True, exist_ok=True)
        self.socket = self.folder / "control.sock"
        self.log_path = self.folder / "berthd.log"
        self.environment = environment or {}
        self.config = self.folder / "berth.toml"
        self.config.write_text(f"""
[server]
listen = "127.0.0.1:0"
max_connections_per_address = 2048
[control]
socket = "{self.socket}"
[store]
url = "sqlite://{self.folder}/berth.db"
ballast_mib = 1
[plugins]
directories = ["{bundles}"]
[vault]
key_file = "{self.folder}/vault.key"
[log]
level = "info"
format = "json"
{settings}""")
        self.process = None
        self.url = None

    def start(self, wait=True, arguments=()):
        environment = dict(os.environ, SWIFT_BACKTRACE="enable=no", **self.environment)
        log = open(self.log_path, "ab")
        self.process = subprocess.Popen(
            [str(BIN / "berthd"), "--config", str(self.config), *arguments], env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        log.close()
        if wait:
            self.wait_ready()
        return self

    def wait_ready(self, seconds=30):
        def ready():
            if self.process.poll() is not None:
                raise AssertionError(f"berthd exited with {self.process.returncode}:\n{self.log()[-3000:]}")
            try:
                answer = self.control("GET", "/v1/status")
            except (OSError, http.client.HTTPException):
                return None
            return answer.json if answer.status == 200 else None

        status = wait_for(ready, seconds, "berthd to be ready")
        self.url = status["listen"] if status["listen"].startswith("http") else "http://" + status["listen"]
        return status

    def log(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self, seconds=15):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(seconds)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                raise AssertionError(f"berthd did not stop within {seconds} s of SIGTERM:\n{self.log()[-3000:]}")
        return self.process.returncode if self.process else None

    def control(self, method, path, body=None, headers=None, timeout=30):
        connection = UnixConnection(self.socket, timeout)
        try:
            data = body if isinstance(body, (bytes, type(None))) else json.dumps(body).encode()
            headers = dict(headers or {})
            if data is not None:
                headers.setdefault("Content-Type", "application/json")
            connection.request(method, path, body=data, headers=headers)
            response = connection.getresponse()
            return Answer(response.status, dict((k.lower(), v) for k, v in response.getheaders()), response.read())
        finally:
            connection.close()

    def get(self, path):
        answer = self.control("GET", path)
        assert answer.status == 200, f"GET {path}: {answer}"
        return answer.json

    def post(self, path, body=None, expect=(200, 201, 202, 204)):
        answer = self.control("POST", path, body if body is not None else {})
        assert answer.status in expect, f"POST {path}: {answer}"
        return answer.json if answer.body else None

    def all_items(self, path):
        """Every item of a list, page after page."""
        cursor, items = None, []
        while True:
            joined = path + ("&" if "?" in path else "?") + "limit=500"
            page = self.get(joined + ("&cursor=" + urllib.parse.quote(cursor) if cursor else ""))
            items += page["items"]
            cursor = page["next"]
            if not cursor:
                return items

    def deliver(self, connection, body):
        """Sends a body as JSON to a connection's own address; the id of the event it became."""
        answer = self.webhook(urllib.parse.urlsplit(connection["webhook"]["url"]).path, json.dumps(body).encode())
        assert answer.status == 202, answer
        return answer.json["id"]

    def event(self, event):
        return self.get(f"/v1/events/{event}")

    def webhook(self, path_or_url, body=b"", headers=None, method="POST"):
        """One delivery to the public listener. None: no answer was had."""
        url = path_or_url if path_or_url.startswith("http") else self.url + path_or_url
        parts = urllib.parse.urlsplit(url)
        connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=15)
        try:
            target = parts.path + ("?" + parts.query if parts.query else "")
            connection.request(method, target, body=body, headers=headers or {})
            response = connection.getresponse()
            return Answer(response.status, dict((k.lower(), v) for k, v in response.getheaders()), response.read())
        finally:
            connection.close()


class Mock:
    """A berth-mock that plays providers on one port."""

    CREDENTIALS = {
        "ringba": {"kind": "api_key", "token": "mock-ringba-token"},
        "retreaver": {"kind": "api_key", "api_key": "mock-retreaver-key"},
        "trackdrive": {"kind": "basic", "username": "tdpubMOCK", "password": "tdprvMOCK"},
    }
    SETTINGS = {
        "ringba": {"account_id": "RAMOCK0000000000000000000000000001"},
        "retreaver": {"company_id": "4242"},
        "trackdrive": {},
    }

    def __init__(self, providers=("ringba", "retreaver", "trackdrive"), arguments=(), log=None):
        self.process = subprocess.Popen(
            [str(BIN / "berth-mock"), *providers, "--listen", "127.0.0.1:0", *arguments],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=open(log, "ab") if log else subprocess.DEVNULL, text=True)
        line = self.process.stdout.readline()
        assert "listening on http://" in line, f"berth-mock said: {line!r}"
        self.url = line.split("listening on ")[1].strip()

    def request(self, method, path, body=None):
        parts = urllib.parse.urlsplit(self.url)
        connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=60)
        try:
            connection.request(method, path, body=json.dumps(body) if body is not None else None)
            response = connection.getresponse()
            return Answer(response.status, {}, response.read())
        finally:
            connection.close()

    def ledger(self):
        return self.request("GET", "/_mock/ledger").json

    def truth(self, provider):
        lines = self.request("GET", f"/_mock/calls/{provider}").body.decode().splitlines()
        return [json.loads(line) for line in lines if line]

    def connection(self, provider, **changes):
        """The body that adds a connection to this mock."""
        body = {
            "provider": provider, "workspace": "acme", "name": provider, "base_url": self.url,
            "credentials": self.CREDENTIALS[provider], "settings": self.SETTINGS[provider],
        }
        body.update(changes)
        return body

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
