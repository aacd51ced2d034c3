"""Headers of deliveries: tokens that proxies repeat in them, blanks around their values, and the one that a 405 has."""

import json
import unittest

import deliveries
from deliveries import CALL


class Tokens(deliveries.Daemon):
    def test_a_token_that_a_proxy_repeats_is_covered(self):
        # Would break: P5, by the headers of every reverse proxy that says where a request was meant to go.
        connection = self.add()
        path = self.path(connection)
        token = path.rsplit("/", 1)[1]
        escaped = "".join(f"%{byte:02X}" for byte in token.encode())
        headers = {"Referer": "http://x" + path, "X-Original-URL": path, "X-Forwarded-Uri": "/a?u=" + escaped, "X-Kept": "kept " * 20}
        event = self.berthd.webhook(path, json.dumps({**CALL, "call_id": "proxied"}).encode(), headers).json["id"]
        shown = dict(self.settled(event)["headers"])
        self.assertEqual((shown["x-original-url"], shown["x-kept"]), (path.replace(token, "***"), ("kept " * 20).strip()))
        self.berthd.stop()
        stored = b"".join((self.berthd.folder / name).read_bytes() for name in ("berth.db", "berth.db-wal") if (self.berthd.folder / name).exists())
        self.berthd.start()
        self.assertNotIn(token, json.dumps(shown) + self.berthd.log())
        self.assertNotIn(escaped, json.dumps(shown))
        self.assertNotIn(token.encode(), stored)

    def test_blanks_around_a_header_are_no_part_of_it(self):
        # Would break: a token behind which a client leaves a blank (RFC 9110, 5.5).
        connection = self.add()
        base, token = self.path(connection).rsplit("/", 1)
        for value in (token + " ", token + "\t", " \t" + token + " \t"):
            self.assertEqual(self.berthd.webhook(base, b'{"call_id":"b"}', {"X-Berth-Token": value}).status, 202, repr(value))
        self.assertEqual(self.berthd.webhook(base, b"{}", {"X-Berth-Token": token[:-1]}).status, 401)

    def test_a_refused_method_hears_which_are_taken(self):
        # Would break: RFC 9110, 15.5.6.
        refused = self.berthd.webhook(self.path(self.add()), b"", method="DELETE")
        self.assertEqual((refused.status, refused.headers.get("allow")), (405, "GET, PATCH, POST, PUT"))


if __name__ == "__main__":
    unittest.main(verbosity=2)
