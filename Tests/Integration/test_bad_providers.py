"""Providers that answer nonsense: the run ends in error with a message that says what came, what was committed stays, and the next
run recovers everything."""

import json
import unittest
import urllib.parse

from hostile import Hostile
from rig import Berthd, Mock, wait_for

PROVIDERS = ("ringba", "retreaver", "trackdrive")


class BadProviders(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.mock = Mock(PROVIDERS, ["--calls", "1200"])
        cls.berthd = Berthd(environment={"BERTH_SYNC_MAX_CONCURRENT": "32"}).start()

    @classmethod
    def tearDownClass(cls):
        cls.berthd.stop()
        cls.mock.stop()

    def tearDown(self):
        self.faults()
        self.assertIsNone(self.berthd.process.poll(), self.berthd.log()[-2000:])

    def faults(self, *faults, mock=None):
        answer = (mock or self.mock).request("PUT", "/_mock/faults", {"faults": list(faults)})
        self.assertLess(answer.status, 300, answer)

    def add(self, provider, name, mock=None):
        return self.berthd.post("/v1/connections", (mock or self.mock).connection(provider, name=name, streams={}), expect=(201,))["id"]

    def sync(self, *connections, stream="calls"):
        """Runs one sync of each at the same time; the ended runs."""
        runs = [self.berthd.post(f"/v1/connections/{c}/streams/{stream}/sync")["id"] for c in connections]
        ended = lambda run: (lambda r: r if r["status"] not in ("queued", "running") else None)(self.berthd.get(f"/v1/runs/{run}"))
        return [wait_for(lambda run=run: ended(run), 90, f"run {run} to end") for run in runs]

    def ids(self, connection):
        return sorted(r["external_id"] for r in self.berthd.all_items(f"/v1/records/call?connection={connection}"))

    def recovers(self, connections):
        self.faults()
        for connection, provider, run in zip(connections, PROVIDERS, self.sync(*connections)):
            self.assertEqual(run["status"], "success", run)
            self.assertEqual(self.ids(connection), sorted(c["external_id"] for c in self.mock.truth(provider)), provider)

    def test_nonsense_ends_the_run_with_what_came(self):
        # Would break: a run that hangs, retries for ever, or "decoding failed" with nothing to act on.
        faults = {
            "html": ("html",), "truncated-json": ("json",), "http-500": ("500",), "auth-expired:0": ("401",), "gzip-bomb": ("mib", "bytes", "large"),
            "huge-body": ("mib", "bytes", "large"), "redirect-loopback": ("302", "redirect"), "reset": ("reset", "broke", "closed", "ended"),
        }
        # A mock per fault, so that the waits between tries pass side by side.
        mocks = {fault: Mock(PROVIDERS, ["--calls", "60", "--fault", fault]) for fault in faults}
        try:
            cases = [(fault, provider, self.add(provider, f"{fault.split(':')[0]}-{provider}", mocks[fault])) for fault in faults
                     for provider in PROVIDERS]
            for (fault, provider, connection), run in zip(cases, self.sync(*[case[2] for case in cases])):
                with self.subTest(fault, provider=provider):
                    self.assertEqual(run["status"], "failed", run)
                    message = run["error"]["message"]
                    self.assertTrue(any(word in message.lower() for word in faults[fault]), message)
                    self.assertEqual(run["counts"]["created"], 0)
                    view = self.berthd.get(f"/v1/connections/{connection}")
                    self.assertEqual((view["failures"], view["last_error"]), (1, message))
            for mock in mocks.values():
                self.faults(mock=mock)
            # A circuit that a fault opened stays open for a minute, and a run waits for it: not here.
            cases = [case for case in cases if case[0] not in ("reset", "http-500")]
            for (fault, provider, connection), run in zip(cases, self.sync(*[case[2] for case in cases])):
                with self.subTest(fault, provider=provider, after="recovery"):
                    self.assertEqual(run["status"], "success", run)
                    self.assertEqual(self.ids(connection), sorted(c["external_id"] for c in mocks[fault].truth(provider)))
        finally:
            for mock in mocks.values():
                mock.stop()

    def test_no_header_ends_the_daemon(self):
        # Would break: a date of the year 300,000,000 overflows, and each next daemon resumes the run that meets it.
        far = "Sun, 06 Nov 300000000 08:49:37 GMT"
        heads = [
            ("503 Service Unavailable", {"Retry-After": far}), ("429 Too Many Requests", {"Retry-After": far}),
            ("429 Too Many Requests", {"Retry-After": "Wed, 04 Mar 2026 10:00:30 GMT", "Date": far}),
            ("429 Too Many Requests", {"Retry-After": "-9223372036854775808"}), ("503 Service Unavailable", {"Retry-After": "9" * 400}),
            ("200 OK", {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "9223372036854775807", "Date": far}),
            ("200 OK", {"RateLimit": '"a";r=0;t=9223372036854775807', "Expires": far, "Date": far, "Age": "9223372036854775807"}),
        ]

        def answer(peer, *_):
            status, headers = heads[min(len(provider.asked), len(heads)) - 1]
            lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
            peer.send(f"HTTP/1.1 {status}\r\n{lines}Content-Length: 2\r\n\r\n{{}}".encode())
        provider = Hostile(answer)
        try:
            for number in range(len(heads)):
                connection = {**self.mock.connection("retreaver", name=f"heads-{number}", streams={}), "base_url": provider.url}
                connection = self.berthd.post("/v1/connections", connection)["id"]
                self.berthd.post(f"/v1/connections/{connection}/streams/calls/sync")
                wait_for(lambda: len(provider.asked) > number or self.berthd.process.poll() is not None, 20, f"request {number}")
            wait_for(lambda: len(provider.asked) >= len(heads), 20, "all answers")
            self.assertEqual(self.berthd.control("GET", "/v1/status").status, 200)
        finally:
            provider.stop()

    def test_no_number_in_a_delivery_ends_a_plugin(self):
        # Would break: the smallest exponent, or a duration beyond 64 bits, traps in the worker; three of them put a plugin out of
        # work for all workspaces.
        values = ({"revenue": "1e-9223372036854775808"}, {"duration": "1:9223372036854775807"}, {"duration": "9223372036854775807:1:1"},
                  {"started_at": 9223372036854775807, "duration": 9223372036854775807}, {"started_at": "20260304102107", "payout": "9" * 400})
        for provider, key in (("ringba", "call_id"), ("retreaver", "call_uuid"), ("trackdrive", "call_uuid")):
            connection = self.berthd.post("/v1/connections", self.mock.connection(provider, name=f"numbers-{provider}", streams={}))
            bodies = [json.dumps({"event": "completed", key: f"n{number}", **fields}) for number, fields in enumerate(values)]
            bodies.append('{"event":"completed","%s":"number","revenue":1e-9223372036854775808}' % key)
            for body in bodies:
                path = urllib.parse.urlsplit(connection["webhook"]["url"]).path
                self.assertIn(self.berthd.webhook(path, body.encode()).status, (202, 204))
            wanted = sorted([f"n{n}" for n in range(len(values))] + ["number"])
            wait_for(lambda c=connection: self.ids(c["id"]) == wanted, 20, f"the calls of {provider}")
            for call in self.berthd.all_items(f"/v1/records/call?connection={connection['id']}"):
                self.assertIsNone(call.get("started_at"), call)
                self.assertIsNone(call.get("duration_seconds"), call)
        self.assertEqual(self.berthd.get("/v1/status")["plugins"], {"ready": 3})

    def test_paging_that_stands_still_ends_the_run(self):
        # Would break: R10: a loop that fills the store and never ends.
        connections = [self.add(provider, f"loop-{provider}") for provider in PROVIDERS]
        self.faults("loop-paging")
        for provider, run in zip(PROVIDERS, self.sync(*connections)):
            self.assertIn(run["status"], ("failed", "success"), (provider, run))
            if run["status"] == "failed":
                self.assertTrue(any(word in run["error"]["message"] for word in ("stand", "same", "again", "loop")), run)
            self.assertLessEqual(run["pages"], 10, (provider, run))
            # A provider whose lists tell their length may be found out at the end of them; nothing may be claimed that was not seen.
            if run["status"] == "success":
                self.assertEqual(len(self.ids(run["connection"])), 1200, (provider, run))
        self.recovers(connections)

    def test_a_failure_in_the_middle_keeps_what_was_committed(self):
        # Would break: checkpoints: the next run begins again from nothing, or skips what failed.
        connections = [self.add(provider, f"middle-{provider}") for provider in PROVIDERS]
        for connection, provider in zip(connections, PROVIDERS):
            with self.subTest(provider):
                self.faults("auth-expired:1")
                (run,) = self.sync(connection)
                self.assertEqual(run["status"], "failed", run)
                kept = self.ids(connection)
                self.assertEqual(len(kept), run["counts"]["created"])
                self.faults()
                (again,) = self.sync(connection)
                self.assertEqual(again["status"], "success", again)
                truth = sorted(c["external_id"] for c in self.mock.truth(provider))
                self.assertEqual(self.ids(connection), truth)
                self.assertTrue(set(kept) <= set(truth))

    def test_three_failures_put_the_connection_in_error_and_success_clears_it(self):
        # Would break: an operator who never learns that a connection stands still.
        connection = self.add("ringba", "thrice")
        self.faults("html")
        for _ in range(3):
            self.assertEqual(self.sync(connection)[0]["status"], "failed")
        view = self.berthd.get(f"/v1/connections/{connection}")
        self.assertEqual((view["status"], view["failures"]), ("error", 3), view)
        part = next(p for p in self.berthd.get("/v1/health")["parts"] if p["name"].startswith("connection:") and "thrice" in p["name"])
        self.assertEqual(part["status"], "degraded")
        self.assertIn("hint", part)
        self.faults()
        self.assertEqual(self.sync(connection)[0]["status"], "success")
        view = self.berthd.get(f"/v1/connections/{connection}")
        self.assertEqual((view["status"], view["failures"]), ("active", 0), view)

    def test_checking_a_credential_says_what_is_wrong(self):
        # Would break: `connection check` that only says no.
        connection = self.add("ringba", "checked")
        self.assertTrue(self.berthd.post(f"/v1/connections/{connection}/check")["ok"])
        for fault in ("html", "auth-expired:0", "http-500", "truncated-json"):
            self.faults(fault)
            result = self.berthd.post(f"/v1/connections/{connection}/check")
            self.assertFalse(result["ok"], fault)
            self.assertTrue(result["failure"]["message"], fault)


if __name__ == "__main__":
    unittest.main(verbosity=2)
