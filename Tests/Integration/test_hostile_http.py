"""The public listener against clients that are broken, slow or hostile: refused by a clear answer or ended in time, nothing that
was accepted lost, and the daemon goes on."""

import base64
import json
import os
import socket
import threading
import time
import unittest
import urllib.parse
import uuid

from rig import Berthd, Mock, wait_for
from wire import Wire

LIMIT = 65536

class HostileHTTP(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.mock = Mock(("ringba",), ["--calls", "5"])
        cls.berthd = Berthd(environment={
            "BERTH_SERVER_MAX_BODY_BYTES": str(LIMIT), "BERTH_SERVER_HEAD_SECONDS": "2", "BERTH_SERVER_REQUEST_SECONDS": "4"}).start()
        cls.connection = cls.berthd.post("/v1/connections", cls.mock.connection("ringba", streams={}))
        cls.path = urllib.parse.urlsplit(cls.connection["webhook"]["url"]).path

    @classmethod
    def tearDownClass(cls):
        cls.berthd.stop()
        cls.mock.stop()

    def tearDown(self):
        self.assertIsNone(self.berthd.process.poll(), self.berthd.log()[-2000:])
        # A good delivery still passes.
        self.stored(json.dumps({"event": "completed", "call_id": str(uuid.uuid4())}).encode())

    def stored(self, body, headers=None):
        """Posts a body; the event holds the same bytes."""
        answer = self.berthd.webhook(self.path, body, headers)
        self.assertEqual(answer.status, 202, answer)
        return self.event(answer.json["id"])

    def event(self, event):
        return self.berthd.get(f"/v1/events/{event}")

    def head(self, *lines, method="POST", path=None):
        return (f"{method} {path or self.path} HTTP/1.1", "Host: berth", *lines)

    def body(self, padding=0):
        return json.dumps({"event": "completed", "call_id": str(uuid.uuid4()), "x": "y" * padding}).encode()

    def count(self):
        return len(self.berthd.all_items("/v1/events"))

    def test_too_great_a_body_is_refused_before_it_is_sent(self):
        # Would break: memory by request; an answer lost in a reset.
        with Wire(self.berthd.url) as wire:
            wire.send(*self.head(f"Content-Length: {25 << 20}"))
            answer = wire.answer()
            self.assertEqual(answer.status, 413)
            self.assertEqual(answer.json["code"], "too_large")
            self.assertIn(str(LIMIT), answer.json["detail"])
            self.assertEqual(answer.headers["connection"], "close")
        before = self.berthd.control("GET", "/metrics").body.decode()
        with Wire(self.berthd.url) as wire:
            wire.send(*self.head(f"Content-Length: {25 << 20}"), body=b"x" * (25 << 20))
            self.assertEqual(wire.answer().status, 413)
            wire.is_ended()
        with Wire(self.berthd.url) as wire:
            wire.send(*self.head("Transfer-Encoding: chunked"))
            for _ in range(25):
                if not wire.raw(b"100000\r\n" + b"x" * (1 << 20) + b"\r\n"):
                    break
            self.assertEqual(wire.answer().status, 413)
        # And whoever looks for the missing delivery finds what became of it.
        told = wait_for(lambda: [e for e in self.berthd.get("/v1/audit?kind=webhook.refused&limit=50")["items"] if "too_large" in e["detail"]],
                        10, "the audit entry")
        self.assertEqual((told[0]["address"], told[0]["actor"]), ("127.0.0.1", "provider"))
        self.assertIn("connection", told[0])
        rss = lambda text: next(float(line.split()[1]) for line in text.splitlines() if line.startswith("process_resident_memory_bytes"))
        self.assertLess(rss(self.berthd.control("GET", "/metrics").body.decode()) - rss(before), 48 << 20)

    def test_bodies_at_the_limit(self):
        # Would break: an off-by-one that refuses what is allowed.
        body = self.body()
        exact = body[:-2] + b"z" * (LIMIT - len(body)) + body[-2:]
        self.assertEqual(len(exact), LIMIT)
        self.assertEqual(self.stored(exact)["body"].encode(), exact)
        self.assertEqual(self.berthd.webhook(self.path, exact + b" ").status, 413)

    def test_lengths_that_lie(self):
        # Would break: half a delivery stored as a whole one, or the rest of one taken for the next request.
        before = self.count()
        body = self.body()
        with Wire(self.berthd.url) as wire:
            wire.send(*self.head(f"Content-Length: {len(body) + 10}"), body=body)
            wire.end()
            answer = wire.answer()
            self.assertTrue(answer is None or answer.status == 400, answer)
            self.assertLess(wire.is_ended(), 3)
        with Wire(self.berthd.url) as wire:
            wire.send(*self.head(f"Content-Length: {len(body) + 10}"), body=body)
            began = time.monotonic()
            self.assertEqual(wire.answer().status, 408)
            wire.is_ended()
            self.assertLess(time.monotonic() - began, 8)
        self.assertEqual(self.count(), before)
        with Wire(self.berthd.url) as wire:
            wire.send(*self.head(f"Content-Length: {len(body)}"), body=body + b"garbage that is no request\r\n\r\n")
            self.assertEqual(wire.answer().status, 202)
            answer = wire.answer()
            self.assertTrue(answer is None or answer.status == 400, answer)
            wire.is_ended()
        self.assertEqual(self.count(), before + 1)
        for length in ("-1", "+5", "5 5", "5,5", "0x5", "99999999999999999999", "five", "1e3"):
            with Wire(self.berthd.url) as wire:
                wire.send(*self.head(f"Content-Length: {length}"), body=b"hello")
                wire.end()
                answer = wire.answer()
                self.assertTrue(answer is None or answer.status in (400, 413), f"{length}: {answer}")
        self.assertEqual(self.count(), before + 1)

    def test_smuggling_shapes_are_refused(self):
        # Would break: a proxy in front and Berth that disagree about where a request ends.
        before = self.count()
        inner = self.body()
        smuggled = f"POST {self.path} HTTP/1.1\r\nHost: b\r\nContent-Length: {len(inner)}\r\n\r\n".encode() + inner
        shapes = {
            "CL and TE": self.head(f"Content-Length: {len(smuggled) + 5}", "Transfer-Encoding: chunked"),
            "TE and CL": self.head("Transfer-Encoding: chunked", f"Content-Length: {len(smuggled) + 5}"),
            "two CL": self.head("Content-Length: 5", f"Content-Length: {len(smuggled) + 5}"),
            "two TE": self.head("Transfer-Encoding: chunked", "Transfer-Encoding: identity"),
            "more than chunked": self.head("Transfer-Encoding: gzip, chunked"),
            "chunked in HTTP/1.0": (f"POST {self.path} HTTP/1.0", "Host: berth", "Transfer-Encoding: chunked"),
            "no host": (f"POST {self.path} HTTP/1.1", f"Content-Length: {len(smuggled) + 5}"),
            "odd TE": self.head("Transfer-Encoding: xchunked"),
            "TE with blank": self.head("Transfer-Encoding : chunked"),
            "TE folded": self.head("Transfer-Encoding:", " chunked"),
            "TE with vertical tab": self.head("Transfer-Encoding: \x0bchunked"),
            "two hosts": self.head("Host: other", f"Content-Length: {len(smuggled) + 5}"),
            "NUL in a field": self.head("X-A: a\x00b", f"Content-Length: {len(smuggled) + 5}"),
            "no name": self.head(": x", f"Content-Length: {len(smuggled) + 5}"),
            "blank in a name": self.head("X A: x", f"Content-Length: {len(smuggled) + 5}"),
        }
        for name, head in shapes.items():
            with self.subTest(name), Wire(self.berthd.url) as wire:
                wire.send(*head, body=b"0\r\n\r\n" + smuggled)
                wire.end()
                statuses = []
                while answer := wire.answer():
                    statuses.append(answer.status)
                self.assertTrue(all(status >= 400 for status in statuses), statuses)
                self.assertLessEqual(len(statuses), 1, "what follows a broken request was taken for a request")
        for chunk in (b"ffffffffffffffff\r\n", b"fffffffffffffffff\r\n", b"-1\r\n", b"0x5\r\nhello\r\n", b"5 \r\nhello\r\n", b"5\nhello\r\n", b"g\r\n",
                      b"5\r\nhelloXX0\r\n\r\n"):
            with self.subTest(chunk[:20]), Wire(self.berthd.url) as wire:
                wire.send(*self.head("Transfer-Encoding: chunked"), body=chunk)
                wire.end()
                answer = wire.answer()
                self.assertTrue(answer is None or answer.status in (400, 413), answer)
        self.assertEqual(self.count(), before)

    def test_heads_that_are_too_great_or_none(self):
        # Would break: memory by header, other protocols on the port.
        for name, text in {
            "a great field": b"POST / HTTP/1.1\r\nHost: b\r\nX: " + b"y" * 20_000 + b"\r\n\r\n",
            "many fields": b"POST / HTTP/1.1\r\nHost: b\r\n" + b"X: y\r\n" * 500 + b"\r\n",
            "a great target": b"GET /" + b"x" * 100_000 + b" HTTP/1.1\r\nHost: b\r\n\r\n",
            "a great head": b"POST / HTTP/1.1\r\nHost: b\r\n" + b"".join(b"X%d: " % n + b"y" * 1000 + b"\r\n" for n in range(60)) + b"\r\n",
            "HTTP/0.9": b"GET /healthz\r\n\r\n", "HTTP/3": b"GET / HTTP/3.0\r\n\r\n", "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 500,
            "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00", "blanks": b" \r\n" * 100, "NULs": b"\x00" * 1000,
            "bare LF": b"GET /healthz HTTP/1.1\nHost: b\n\n", "bare CR": b"GET /healthz HTTP/1.1\rHost: b\r\r", "no method": b"/ HTTP/1.1\r\n\r\n",
            "odd method": b"P\xc3\x96ST / HTTP/1.1\r\n\r\n", "NUL in target": b"GET /a\x00b HTTP/1.1\r\nHost: b\r\n\r\n",
        }.items():
            with self.subTest(name), Wire(self.berthd.url) as wire:
                wire.raw(text)
                wire.end()
                answer = wire.answer()
                self.assertTrue(answer is None or 400 <= answer.status < 500 or name == "bare LF", answer)
                self.assertLess(wire.is_ended(), 4)

    def test_slow_clients_are_ended(self):
        # Would break: R8: one descriptor per patient attacker. Bodies below the least rate end at the request's deadline.
        def slow_head():
            with Wire(self.berthd.url) as wire:
                began = time.monotonic()
                for byte in b"POST / HTTP/1.1\r\nHost: berth\r\nX-Slow: " + b"x" * 100:
                    if not wire.raw(bytes([byte])):
                        break
                    time.sleep(0.2)
                wire.is_ended()
                return time.monotonic() - began

        def slow_body():
            with Wire(self.berthd.url) as wire:
                began = time.monotonic()
                wire.send(*self.head("Content-Length: 1000"))
                for _ in range(30):
                    if not wire.raw(b"x"):
                        break
                    time.sleep(0.3)
                answer = wire.answer()
                self.assertTrue(answer is None or answer.status == 408, answer)
                return time.monotonic() - began

        def silent():
            with Wire(self.berthd.url) as wire:
                return wire.is_ended()

        def idle_after_an_answer():
            with Wire(self.berthd.url) as wire:
                wire.send("GET /healthz HTTP/1.1", "Host: b")
                self.assertEqual(wire.answer().status, 200)
                return wire.is_ended()

        times, failures = {}, []

        def run(name, function):
            try:
                times[name] = function()
            except Exception as error:
                failures.append((name, error))

        threads = [threading.Thread(target=run, args=(f.__name__, f)) for f in (slow_head, slow_body, silent, idle_after_an_answer)]
        for thread in threads:
            thread.start()
        for _ in range(10):
            self.stored(self.body())
            time.sleep(0.1)
        for thread in threads:
            thread.join()
        self.assertEqual(failures, [])
        self.assertEqual(len(times), 4)
        for name, seconds in times.items():
            # One byte every 0.2 s may find the end of the connection only at its next byte; the guard looks once a second.
            self.assertLess(seconds, 11 if name == "slow_body" else 5, name)

    def test_many_idle_connections_do_not_keep_others_out_for_long(self):
        # Would break: R8 with 500 sockets at once.
        wires = [Wire(self.berthd.url) for _ in range(500)]
        began = time.monotonic()
        self.stored(self.body())
        for wire in wires:
            wire.is_ended()
            wire.socket.close()
        self.assertLess(time.monotonic() - began, 8)

    def test_pipelined_requests_are_answered_in_order(self):
        # Would break: answers swapped between deliveries.
        bodies = [self.body() for _ in range(20)]
        with Wire(self.berthd.url) as wire:
            wire.raw(b"".join(f"POST {self.path} HTTP/1.1\r\nHost: b\r\nContent-Length: {len(b)}\r\n\r\n".encode() + b for b in bodies))
            for body in bodies:
                answer = wire.answer()
                self.assertEqual(answer.status, 202, answer)
                self.assertEqual(self.event(answer.json["id"])["body"].encode(), body)

    def test_chunked_bodies_and_expectations(self):
        # Would break: curl with a great body (it waits for 100), and senders that stream.
        body = self.body()
        with Wire(self.berthd.url) as wire:
            wire.send(*self.head("Transfer-Encoding: chunked"))
            for byte in body:
                wire.raw(b"1\r\n" + bytes([byte]) + b"\r\n")
            wire.raw(b"0\r\nX-Trailer: x\r\n\r\n")
            answer = wire.answer()
            self.assertEqual(answer.status, 202)
            self.assertEqual(self.event(answer.json["id"])["body"].encode(), body)
        body = self.body()
        with Wire(self.berthd.url) as wire:
            wire.send(*self.head(f"Content-Length: {len(body)}", "Expect: 100-continue"))
            self.assertEqual(wire.answer().status, 100)
            wire.raw(body)
            self.assertEqual(wire.answer().status, 202)
        with Wire(self.berthd.url) as wire:
            wire.send(*self.head(f"Content-Length: {LIMIT + 1}", "Expect: 100-continue"))
            self.assertEqual(wire.answer().status, 413)
        with Wire(self.berthd.url) as wire:
            wire.send("POST /nowhere HTTP/1.1", "Host: b", "Content-Length: 5", "Expect: 100-continue")
            self.assertEqual(wire.answer().status, 404)

    def test_bytes_are_kept_as_they_came(self):
        # Would break: evidence: what a signature was made over must be what is stored.
        for raw in (b"\xff\xfe\x00\x01", b"\x00" * 100, b"{\"a\":\"\xed\xa0\x80\"}", bytes(range(256)), b"", b"\r\n\r\n"):
            answer = self.berthd.webhook(self.path + f"?nonce={uuid.uuid4()}", raw, {"Content-Type": "application/octet-stream"})
            self.assertEqual(answer.status, 202, answer)
            event = self.event(answer.json["id"])
            kept = base64.b64decode(event["body_base64"]) if event.get("body_base64") else event["body"].encode()
            self.assertEqual(kept, raw)
        text = "b\u00e4r \u0000 \U0001f600"
        event = self.stored(json.dumps({"event": "completed", "call_id": str(uuid.uuid4()), "x": text}, ensure_ascii=False).encode())
        self.assertIn(text.replace("\u0000", "\\u0000"), event["body"])

    def test_targets_of_every_form(self):
        # Would break: proxies that send the absolute form; escapes that decode to something else than was checked.
        with Wire(self.berthd.url) as wire:
            body = self.body()
            wire.send(*self.head(f"Content-Length: {len(body)}", path="http://hooks.example.com" + self.path), body=body)
            self.assertEqual(wire.answer().status, 202)
            wire.send("GET http://x/healthz HTTP/1.1", "Host: b")
            self.assertEqual(wire.answer().status, 200)
        for path in ("/webhooks/ringba/%zz", "/webhooks/ringba/%", "/webhooks/%00/x", "/webhooks//x", "/webhooks/ringba/../../v1/status",
                     "/webhooks/ringba/a/b/c/d", "/webhooks/", "/webhooks", "//webhooks/ringba/x", "/v1/status", "/metrics", "/v1/openapi.json",
                     "/webhooks/ringba%2Fmain", "*", "x", "/webhooks/ringba/" + "x" * 3000):
            with self.subTest(path[:40]), Wire(self.berthd.url) as wire:
                wire.send(*self.head("Content-Length: 2", path=path), body=b"{}")
                answer = wire.answer()
                self.assertIn(answer.status if answer else 400, (400, 404), f"{path}: {answer}")
                self.assertLess(wire.is_ended(), 4)
        answer = self.berthd.webhook(self.path + "?a=%zz&b=%ff&c", self.body())
        self.assertEqual(answer.status, 202, answer)
        self.assertEqual(self.event(answer.json["id"])["query"], "a=%zz&b=%ff&c")

    def test_a_client_that_leaves_takes_nothing_with_it(self):
        # Would break: a task per vanished client.
        for n in range(100):
            wire = Wire(self.berthd.url)
            wire.send(*self.head("Content-Length: 1000"), body=b"x" * (n * 9))
            if n % 2:
                wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
            wire.socket.close()
        folder = f"/proc/{self.berthd.process.pid}/fd"
        sockets = lambda: sum(1 for fd in os.listdir(folder) if "socket" in self.link(folder, fd))
        wait_for(lambda: sockets() < 30, 10, "sockets of clients that left to be closed")

    @staticmethod
    def link(folder, descriptor):
        try:
            return os.readlink(f"{folder}/{descriptor}")
        except OSError:
            return ""


if __name__ == "__main__":
    unittest.main(verbosity=2)
