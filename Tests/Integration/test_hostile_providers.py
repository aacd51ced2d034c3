"""Providers whose answers are endless, bombs, trickles, cut off or lies: a clear error each, in bounded time and memory, and other
connections of the same daemon, of the same plugin even, work all the while."""

import contextlib
import email.utils
import gzip
import json
import os
import pathlib
import re
import resource
import shutil
import tempfile
import threading
import time
import unittest

from cplugin import bundle
from hostile import Hostile, bomb, drip, undisturbed
from oauth_probe import SOURCE, probe
from rig import Berthd, wait_for

TEXT = (SOURCE / "plugin.toml").read_text()
QUICK = TEXT.replace("max_concurrent = 16", "max_concurrent = 16\ntimeout_seconds = 3")
# Has the time for the rule against trickles to strike first.
PATIENT = TEXT.replace('id = "oauthprobe"', 'id = "patient"').replace(
    "max_concurrent = 16", "max_concurrent = 16\ntimeout_seconds = 100") + "\n[runtime]\naction_deadline_seconds = 110\n"
SECRET = "a-secret-of-the-connection"


def endless(peer, piece, head=""):
    with contextlib.suppress(OSError):
        peer.send(head)
        while True:
            peer.send(piece)
    return False


def cut(peer, text):
    peer.send(text)
    return False


def broken(peer, text):
    peer.send(text)
    time.sleep(0.05)  # so that it is read before the reset throws it away
    peer.reset()


CHUNKED = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
BLANKS = b"10000\r\n" + b" " * 65536 + b"\r\n"
# What the provider does, what must be told, and with which hint.
LARGE = {
    "announced-30-gb": (lambda p, t: endless(p, b"x" * 65536, f"HTTP/1.1 200 OK\r\nContent-Length: {30 << 30}\r\n\r\n"), "larger than the 33554432 bytes"),
    "endless-chunks": (lambda p, t: endless(p, BLANKS, CHUNKED), "larger than the 33554432 bytes"),
    "endless-without-length": (lambda p, t: endless(p, b"x" * 65536, "HTTP/1.1 200 OK\r\n\r\n"), "larger than the 33554432 bytes"),
    "gzip-bomb": (lambda p, t: p.answer(200, t.bomb, Content_Encoding="gzip"), "larger than the 33554432 bytes"),
    "bomb-in-chunks": (lambda p, t: endless(p, b"%x\r\n%s\r\n" % (len(t.bomb), t.bomb), CHUNKED.replace("\r\n\r\n", "\r\nContent-Encoding: gzip\r\n\r\n")),
                       "larger than the 33554432 bytes"),
    "many-bombs": (lambda p, t: p.answer(200, gzip.compress(b" " * 4096) * 9000, Content_Encoding="gzip"), "not readable HTTP"),
    "layers": (lambda p, t: p.answer(200, t.bomb, Content_Encoding=", ".join(["gzip"] * 40)), "not readable HTTP"),
    "endless-headers": (lambda p, t: endless(p, "X-Filler: " + "y" * 1000 + "\r\n", "HTTP/1.1 200 OK\r\n"), "headers are larger"),
    "one-endless-header": (lambda p, t: endless(p, b"y" * 65536, "HTTP/1.1 200 OK\r\nX-Filler: "), "127.0.0.1"),
    "endless-status-line": (lambda p, t: endless(p, b"y" * 65536, "HTTP/1.1 200 "), "127.0.0.1"),
    "early-hints": (lambda p, t: endless(p, "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"), "headers are larger"),
    "endless-trailers": (lambda p, t: endless(p, "X-Filler: " + "y" * 1000 + "\r\n", CHUNKED + "2\r\n{}\r\n0\r\n"), "headers are larger"),
}
BROKEN = {
    "nothing": (lambda p, t: False, "Empty reply|broke before an answer"),
    "reset": (lambda p, t: p.reset(), "reset"),
    "reset-in-the-middle": (lambda p, t: broken(p, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{\"half\":"), "reset"),
    "reset-in-chunks": (lambda p, t: broken(p, CHUNKED + "5\r\n{\"a\":"), "reset"),
    "too-short": (lambda p, t: cut(p, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n[1,2"), "bytes remaining"),
    "chunks-end": (lambda p, t: cut(p, CHUNKED + "5\r\n{\"a\":"), "127.0.0.1"),
    "chunks-wrong": (lambda p, t: cut(p, CHUNKED + "zz\r\n{}\r\n"), "127.0.0.1"),
    "two-lengths": (lambda p, t: cut(p, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 400\r\n\r\n{}"), "tells two lengths"),
    "two-lengths-whole": (lambda p, t: cut(p, "HTTP/1.1 200 OK\r\nContent-Length: 5, 2\r\n\r\n{}xyz"), "tells two lengths"),
    "negative-length": (lambda p, t: cut(p, "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n{}"), "127.0.0.1"),
    "length-overflows": (lambda p, t: cut(p, "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999\r\n\r\n{}"), "127.0.0.1"),
    "gzip-goes-on": (lambda p, t: p.answer(200, gzip.compress(b"{}") + b"more than that", Content_Encoding="gzip"), None),
    "no-gzip": (lambda p, t: p.answer(200, "{}", Content_Encoding="gzip"), "not readable HTTP"),
    "half-gzip": (lambda p, t: p.answer(200, t.bomb[:600], Content_Encoding="gzip") or False, None),
    "garbage": (lambda p, t: cut(p, "SSH-2.0-OpenSSH_9.2\r\n\r\n"), "not readable HTTP"),
    "old": (lambda p, t: cut(p, "<html>HTTP/0.9</html>"), "not readable HTTP"),
    "silent": (lambda p, t: p.hold(), "no answer within 3.0 s"),
    "silent-in-the-middle": (lambda p, t: p.send("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{") or p.hold(), "did not arrive in full within 3.0 s"),
    "trickle": (lambda p, t: drip(p, "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n" + "x" * 99, 0.3), "within 3.0 s"),
}


class HostileProviders(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="berth-hostile-"))
        probe(cls.folder / "bundles", QUICK)
        bundle(cls.folder / "bundles", "patient", SOURCE / "oauthprobe.c", PATIENT)
        cls.bomb = bomb()
        cls.cases, cls.stories = {}, []
        cls.trap = Hostile(lambda p, *_: p.json('{"account":"trap"}'))
        cls.server = Hostile(cls.serve)
        cls.berthd = Berthd(folder=cls.folder / "state", bundles=cls.folder / "bundles").start()
        cls.add("healthy", lambda p, t: p.json('{"account":"healthy"}'))
        # Begun now, looked at at the end: the rule against trickles takes its time.
        cls.add("slow", lambda p, t: p.send("HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n") or drip(p, "x" * 900, 1), provider="patient")
        cls.trickle = threading.Thread(target=lambda: cls.stories.append(cls.call("slow", timeout=120)))
        cls.trickle.start()

    @classmethod
    def tearDownClass(cls):
        cls.berthd.stop()
        cls.server.stop()
        cls.trap.stop()
        shutil.rmtree(cls.folder, ignore_errors=True)

    @classmethod
    def serve(cls, peer, method, path, head, body):
        return cls.cases[path.split("/")[1]](peer, cls)

    @classmethod
    def add(cls, name, script, provider="oauthprobe"):
        cls.cases[name] = script
        return cls.berthd.post("/v1/connections", {
            "provider": provider, "name": name, "base_url": f"{cls.server.url}/{name}", "credentials": {"kind": "api_key", "token": SECRET}})

    @classmethod
    def call(cls, name, timeout=60, **more):
        begun = time.monotonic()
        body = {"path": "/api/me", "method": "POST", **more}
        answer = cls.berthd.control("POST", f"/v1/connections/{name}/actions/call_api", body, timeout=timeout)
        return answer, time.monotonic() - begun

    def peak(self, reset=False):
        """The most memory since the last reset, in KiB."""
        process = pathlib.Path(f"/proc/{self.berthd.process.pid}")
        if reset:
            (process / "clear_refs").write_text("5")
        return int(re.search(r"VmHWM:\s+(\d+)", (process / "status").read_text())[1])

    def workers(self):
        return {p["id"]: p["workers"] for p in self.berthd.get("/v1/plugins")["items"]}

    def healthy(self):
        return undisturbed(self, lambda: self.call("healthy"), lambda answer: "healthy" in answer.json["output"]["body"], self.workers, 2.0)

    def told(self, name, answer, text):
        if text is None:
            return
        self.assertEqual(answer.status, 502, (name, answer))
        detail, hint = answer.json["detail"], answer.json["hint"]
        self.assertRegex(detail, text, name)
        self.assertIn(f"POST 127.0.0.1/{name}/api/me", detail, "to what?")
        self.assertGreater(len(hint), 30, hint)
        self.assertNotIn(SECRET, answer.body.decode() + self.berthd.log())

    def test_answers_without_end(self):
        # Would break: one provider fills the daemon's memory, and every connection dies with it.
        with self.healthy():
            for name, (script, text) in LARGE.items():
                with self.subTest(name):
                    self.add(name, script)
                    before = self.peak(reset=True)
                    answer, seconds = self.call(name)
                    grown = self.peak() - before
                    self.told(name, answer, text)
                    self.assertLess(seconds, 3.5)
                    # 32 MiB are allowed, and a buffer that grows is there twice for a moment.
                    self.assertLess(grown, 72 << 10, "KiB")
        for pid in [pid for pids in self.workers().values() for pid in pids]:
            peak = int(re.search(r"VmHWM:\s+(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text())[1])
            self.assertLess(peak, 64 << 10, "a worker was given what the daemon refused")

    def test_four_bombs_at_once(self):
        # Would break: bounds that hold for one answer and not for those that come together.
        names = [f"bombs-{number}" for number in range(4)]
        for name in names:
            self.add(name, lambda p, t: p.answer(200, t.bomb, Content_Encoding="gzip"))
        before = self.peak(reset=True)
        threads = [threading.Thread(target=self.call, args=(name,)) for name in names]
        with self.healthy():
            [thread.start() for thread in threads]
            [thread.join() for thread in threads]
        self.assertLess(self.peak() - before, 4 * 64 << 10, "KiB")

    def test_answers_that_break(self):
        # Would break: half a list taken for a whole one, a caller that waits for ever, an error that names no cause.
        for name, (script, _) in BROKEN.items():
            self.add(name, script)
        results = {}
        threads = [threading.Thread(target=lambda name=name: results.update({name: self.call(name)})) for name in BROKEN]
        with self.healthy():
            [thread.start() for thread in threads]
            [thread.join() for thread in threads]
        for name, (answer, seconds) in results.items():
            with self.subTest(name):
                self.told(name, answer, BROKEN[name][1])
                self.assertLess(seconds, 6)
                self.assertEqual(len([path for _, path, _, _ in self.server.asked if path.startswith(f"/{name}/")]), 1, "a POST was repeated")

    def test_an_answer_before_its_question(self):
        # Would break: a provider's left-overs on a kept connection answer the next request.
        evil = '{"account":"evil"}'

        def script(peer, t):
            peer.send(f"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{{}}HTTP/1.1 200 OK\r\nContent-Length: {len(evil)}\r\n\r\n{evil}")
        self.add("early", script)
        for _ in range(5):
            answer, _ = self.call("early")
            self.assertNotIn("evil", answer.body.decode())

    def test_a_host_without_descriptors(self):
        # Would break: what this host lacks opens the provider's circuit, and nobody is told what to mend.
        self.add("closes", lambda p, t: p.answer(200, "{}", Connection="close") or False)
        berthd = Berthd(folder=self.folder / "few", bundles=self.folder / "bundles").start()
        try:
            berthd.post("/v1/connections", {
                "provider": "oauthprobe", "name": "x", "base_url": f"{self.server.url}/closes", "credentials": {"kind": "api_key", "token": SECRET}})
            call = lambda name: berthd.control("POST", f"/v1/connections/{name}/actions/call_api", {"path": "/api/me", "method": "POST"}, timeout=60)
            hard = resource.prlimit(berthd.process.pid, resource.RLIMIT_NOFILE)[1]
            told = []
            # The caller's own connection takes one, and libcurl has its wake-up: what is left must not do for another. How many are in
            # use is looked at a moment before, when those of the last call may still be.
            end = time.monotonic() + 60
            while time.monotonic() < end and "gave no socket" not in str(told[-1:]):
                for room in range(6, -1, -1):
                    in_use = {int(name) for name in os.listdir(f"/proc/{berthd.process.pid}/fd")}
                    free = [number for number in range(max(in_use) + 40) if number not in in_use]
                    resource.prlimit(berthd.process.pid, resource.RLIMIT_NOFILE, (free[room], hard))
                    with contextlib.suppress(OSError):
                        told.append(call("x").body.decode())
                    resource.prlimit(berthd.process.pid, resource.RLIMIT_NOFILE, (hard, hard))
                    if "gave no socket" in str(told[-1:]):
                        break
                    time.sleep(0.1)
            self.assertIn("raise LimitNOFILE", told[-1], told)
            shown = berthd.get("/v1/connections/x")
            self.assertNotIn("provider fails", json.dumps(shown))
            wait_for(lambda: call("x").status == 200, 20, "a call that works")
        finally:
            berthd.stop()

    def test_redirects_are_answers(self):
        # Would break: a provider sends the daemon, and the credential with it, wherever it likes.
        for status in (301, 302, 303, 307, 308):
            for number, place in enumerate((self.trap.url, f"http://localhost:{self.trap.port}/x", "http://169.254.169.254/latest/meta-data/",
                                            "file:///etc/passwd", "//127.0.0.1:" + str(self.trap.port), "gopher://127.0.0.1/_x")):
                name = f"redirect-{status}-{number}"
                self.add(name, lambda p, t, status=status, place=place: p.answer(status, Location=place, Refresh=f"0;url={place}"))
                for method in ("GET", "POST"):
                    answer, _ = self.call(name, method=method)
                    self.assertEqual(answer.json["output"]["status"], status, answer)
        self.assertEqual(self.trap.connections, 0)

    def test_a_clock_an_hour_ahead(self):
        # Would break: "wait two seconds", said by a clock that is off, stops a connection for an hour.
        there = lambda seconds: email.utils.formatdate(time.time() + 3600 + seconds, usegmt=True)
        headers = {"clock-after": lambda: {"Retry_After": there(2)}, "clock-reset": lambda: {"X_RateLimit_Remaining": "0", "X_RateLimit_Reset": str(int(time.time()) + 3602)}}
        for name, fields in headers.items():
            self.add(name, lambda p, t, fields=fields: p.answer(429, Date=there(0), **fields()))
            self.call(name)
            pauses = self.berthd.get(f"/v1/connections/{name}").get("pauses") or {}
            self.assertLess(max(pauses.values(), default=0), 10, pauses)

    def test_z_a_byte_a_second(self):
        # Would break: a report that is given minutes, and a provider that uses them up a byte at a time.
        self.trickle.join(60)
        (answer, seconds), = self.stories
        self.told("slow", answer, "did not arrive in full within")
        self.assertTrue(12 < seconds < 35, seconds)


if __name__ == "__main__":
    unittest.main(verbosity=2)
