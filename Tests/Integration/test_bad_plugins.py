"""Bundles that are wrong in every way: each refused with code, place and remedy, at start and at install; the others work."""

import hashlib
import json
import os
import pathlib
import platform
import shutil
import tempfile
import unittest
import urllib.parse
import uuid

from cplugin import SDK, bundle, manifest
from rig import BUNDLES, Berthd, Mock, wait_for

TEMPLATE = SDK / "template" / "phonebox.c"
OTHER = "aarch64" if platform.machine() == "x86_64" else "x86_64"


def library_line(name, digest, machine=platform.machine()):
    return f'\n[library]\nlinux-{machine} = {{ file = "{name}", sha256 = "{digest}" }}\n'


class BadPlugins(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="berth-bad-plugins-"))
        self.bundles = self.folder / "bundles"
        self.bundles.mkdir()
        self.mock = Mock(("ringba",), ["--calls", "5"])
        self.berthd = None

    def tearDown(self):
        if self.berthd:
            self.berthd.stop()
        self.mock.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def make(self, name, contents=None, digest=None, machine=platform.machine(), file=None, extra="", change=lambda text: text):
        """A bundle whose library holds `contents`, or what the C template compiles to changed by them."""
        target = self.bundles / name
        target.mkdir()
        data = contents(self.good) if callable(contents) else (self.good if contents is None else contents)
        file = file or f"lib{name}.so"
        if data is not False:
            (target / f"lib{name}.so").write_bytes(data)
        digest = digest or hashlib.sha256(data or b"").hexdigest()
        (target / "plugin.toml").write_text(change(manifest(name, extra) + library_line(file, digest, machine)))
        return target

    def everything(self):
        """All wrong bundles; name: (code or None, words in detail or hint)."""
        self.good = (bundle(self.folder / "good", "phonebox", TEMPLATE, manifest("phonebox")) / "libphonebox.so").read_bytes()
        machine = lambda number: lambda data: data[:18] + number.to_bytes(2, "little") + data[20:]
        self.make("missing", False)
        self.make("digest", digest="0" * 64)
        self.make("platform", machine=OTHER)
        self.make("machine", machine(183 if platform.machine() == "x86_64" else 62))
        self.make("word", lambda data: data[:4] + b"\x01" + data[5:])
        self.make("order", lambda data: data[:5] + b"\x02" + data[6:])
        self.make("text", b"#!/bin/sh\necho hello\n")
        self.make("empty", b"")
        self.make("half", lambda data: data[:len(data) // 2])
        self.make("head", lambda data: data[:64])
        self.make("escape", file="../phonebox.so")
        self.make("absolute", file="/etc/passwd")
        self.make("abi", change=lambda text: text.replace("abi = 1", "abi = 99"))
        self.make("nul", change=lambda text: "\x00" + text)
        self.make("deep", change=lambda text: "a." * 50_000 + "b = 1\n" + text)
        self.make("utf", change=lambda text: text)
        (self.bundles / "utf" / "plugin.toml").write_bytes(b"name = \"\xff\"\n")
        self.make("great", change=lambda text: "#" + "x" * (3 << 20) + "\n" + text)
        self.make("keys", change=lambda text: text.replace("publisher", "publsher"))
        self.make("types", change=lambda text: text.replace('version = "1.0.0"', "version = 1"))
        self.make("identity", change=lambda text: text.replace('id = "identity"', 'id = "Not An Id"'))
        self.make("nosuch", extra='\n[webhook]\nmethods = ["POST"]\nschemes = ["hmca"]\n')
        self.make("endlessly", extra='\n[settings.k]\ntype = "number"\ndefault = nan\n')
        self.make("whispering", extra='\n[settings.k]\ntype = "string"\nsecret = true\n')
        (self.bundles / "bare").mkdir()
        (self.bundles / "pipe").mkdir()
        os.mkfifo(self.bundles / "pipe" / "plugin.toml")
        self.make("fifo", False)
        os.mkfifo(self.bundles / "fifo" / "libfifo.so")
        self.make("folder", False)
        (self.bundles / "folder" / "libfolder.so").mkdir()
        self.make("endless", False)
        os.symlink("/dev/zero", self.bundles / "endless" / "libendless.so")
        self.make("loop", False)
        os.symlink("libloop.so", self.bundles / "loop" / "libloop.so")
        os.symlink("/nowhere", self.bundles / "dangling")
        return {
            "missing": ("libmissing.so",), "digest": ("sha256", "SHA-256"), "platform": (OTHER, platform.machine()), "machine": ("machine", "built for"),
            "word": ("64", "built for"), "order": ("little", "endian", "machine", "built for"), "text": ("ELF",), "empty": ("ELF", "empty", "truncated"),
            "half": ("segment ends",), "head": ("headers",), "escape": ("file",), "absolute": ("file",), "abi": ("abi",), "nul": ("NUL",),
            "deep": ("key",), "utf": ("UTF-8",), "great": ("1048576", "MiB", "bytes"), "keys": ("did you mean publisher",), "types": ("version",),
            "identity": ("id",), "nosuch": ("hmac",), "endlessly": ("no number",),
            "whispering": ("never secret",), "bare": ("plugin.toml",), "pipe": ("plugin.toml",), "fifo": ("libfifo.so",),
            "folder": ("libfolder.so",), "endless": ("libendless.so",), "loop": ("libloop.so",),
        }

    def test_every_wrong_bundle_is_refused_with_words(self):
        # Would break: issue 10's list of plugins; one wrong bundle that keeps the daemon from starting, or hangs it.
        expected = self.everything()
        shutil.copytree(BUNDLES / "ringba", self.bundles / "ringba")
        self.berthd = Berthd(bundles=self.bundles)
        self.berthd.start(wait=False)
        self.berthd.wait_ready(20)
        plugins = self.berthd.get("/v1/plugins")["items"]
        refused = {pathlib.Path(p["path"]).name: p for p in plugins if p["state"] == "refused"}
        for name, words in expected.items():
            with self.subTest(name):
                self.assertIn(name, refused)
                problem = refused[name]["problem"]
                text = f"{problem['detail']} {problem.get('hint', '')}"
                self.assertTrue(any(word in text for word in words), f"{name}: {problem}")
                self.assertTrue(problem.get("hint"), problem)
                self.assertIn(name, problem["detail"], "the place is missing")
                again = self.berthd.control("POST", "/v1/plugins", {"path": str(self.bundles / name)})
                self.assertGreaterEqual(again.status, 400, again)
                self.assertLess(again.status, 500, again)
                self.assertFalse((self.berthd.folder / "plugins" / name).exists(), "a refused bundle was kept")
                self.assertTrue(again.json.get("hint"), again)
        self.assertEqual([p["id"] for p in plugins if p["state"] == "ready"], ["ringba"])
        connection = self.berthd.post("/v1/connections", self.mock.connection("ringba", streams={}))
        path = urllib.parse.urlsplit(connection["webhook"]["url"]).path
        answer = self.berthd.webhook(path, json.dumps({"event": "completed", "call_id": str(uuid.uuid4())}).encode())
        wait_for(lambda: self.berthd.get(f"/v1/events/{answer.json['id']}")["state"] == "completed", 10, "the good plugin's event")
        health = self.berthd.control("GET", "/v1/health").json
        self.assertGreaterEqual(sum(1 for part in health["parts"] if part["status"] == "failing" and part["name"].startswith("plugin:")), 20)

    def test_numbers_that_json_cannot_tell_are_refused(self):
        # Would break: a value that is stored and never told again: every list that holds it answers 500.
        ringba = self.bundles / "ringba"
        shutil.copytree(BUNDLES / "ringba", ringba)
        (ringba / "plugin.toml").write_text((ringba / "plugin.toml").read_text() + '\n[settings.factor]\ntype = "number"\n')
        self.berthd = Berthd(bundles=self.bundles).start()
        add = lambda value: self.berthd.control("POST", "/v1/connections", self.mock.connection(
            "ringba", streams={}, settings={**Mock.SETTINGS["ringba"], "factor": value}))
        for value in ("nan", "inf", "-inf", "1e999"):
            answer = add(value)
            self.assertEqual(answer.status, 400, answer)
            self.assertIn("settings.factor", answer.json["detail"])
        body = json.dumps(self.mock.connection("ringba", streams={}, settings={"factor": 0.5})).replace("0.5", "1e999").encode()
        self.assertEqual(self.berthd.control("POST", "/v1/connections", body).status, 400)
        self.assertEqual(add("1.5").status, 201)
        self.assertEqual(self.berthd.get("/v1/connections")["items"][0]["settings"]["factor"], 1.5)

    def test_a_default_schedule_in_a_zone_of_nowhere_is_said(self):
        # Would break: a stream that never runs, and nobody is told until its first turn.
        ringba = self.bundles / "ringba"
        shutil.copytree(BUNDLES / "ringba", ringba)
        text = (ringba / "plugin.toml").read_text()
        self.assertIn('schedule = "every 5m"', text)
        (ringba / "plugin.toml").write_text(text.replace('schedule = "every 5m"', 'schedule = "cron 0 3 * * * tz=Mars/Base"'))
        self.berthd = Berthd(bundles=self.bundles).start()
        answer = self.berthd.control("POST", "/v1/connections", self.mock.connection("ringba"))
        self.assertEqual(answer.status, 400, answer)
        self.assertIn("Mars/Base", answer.json["detail"])
        self.assertEqual(self.berthd.control("POST", "/v1/connections", self.mock.connection("ringba", streams={})).status, 201)

    def test_paths_that_hold_no_bundle(self):
        # Would break: install by a wrong path.
        self.berthd = Berthd(bundles=self.bundles).start()
        for path in ("", "relative/path", "/nowhere", "/etc/passwd", "/", "/dev/zero", "/proc/self/mem", "/" + "x" * 5000):
            with self.subTest(path[:20]):
                answer = self.berthd.control("POST", "/v1/plugins", {"path": path})
                self.assertIn(answer.status, (400, 404, 422), answer)
                self.assertTrue(answer.json.get("hint"), answer)
        for method, path in (("POST", "/v1/plugins/none/reload"), ("POST", "/v1/plugins/none/rollback"), ("DELETE", "/v1/plugins/none"),
                             ("GET", "/v1/plugins/..%2F..%2Fetc")):
            answer = self.berthd.control(method, path)
            self.assertEqual(answer.status, 404, answer)
        self.assertIsNone(self.berthd.process.poll())

    def test_a_bundle_that_goes_bad_keeps_the_loaded_one(self):
        # Would break: a reload of a broken update that takes the working plugin down.
        shutil.copytree(BUNDLES / "ringba", self.bundles / "ringba")
        self.berthd = Berthd(bundles=self.bundles).start()
        connection = self.berthd.post("/v1/connections", self.mock.connection("ringba", streams={}))
        path = urllib.parse.urlsplit(connection["webhook"]["url"]).path
        library = next((self.bundles / "ringba").glob("*.so"))
        library.write_bytes(library.read_bytes()[:5000])
        answer = self.berthd.control("POST", "/v1/plugins/ringba/reload", {})
        self.assertGreaterEqual(answer.status, 400, answer)
        self.assertTrue(answer.json.get("hint"), answer)
        answer = self.berthd.webhook(path, json.dumps({"event": "completed", "call_id": str(uuid.uuid4())}).encode())
        self.assertEqual(answer.status, 202, answer)
        wait_for(lambda: self.berthd.get(f"/v1/events/{answer.json['id']}")["state"] == "completed", 10, "an event on the plugin loaded before")
        self.assertEqual(self.berthd.get("/v1/plugins/ringba")["state"], "ready")


if __name__ == "__main__":
    unittest.main(verbosity=2)
