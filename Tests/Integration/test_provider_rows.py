"""What providers' rows do to records: lists in capped pages, values taken back, states that come late, originals too large."""

import http.server
import json
import shutil
import threading
import unittest
import urllib.parse
import uuid

from rig import Berthd, Mock, wait_for


class Retreaver:
    """A Retreaver that answers every list of calls with `rows`."""

    def __init__(self):
        self.rows = []
        provider = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                body = json.dumps([{"call": row} for row in provider.rows]).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *arguments):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


class ProviderRows(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.mock = Mock(arguments=["--calls", "70"])
        cls.berthd = Berthd().start()

    @classmethod
    def tearDownClass(cls):
        cls.berthd.stop()
        cls.mock.stop()
        shutil.rmtree(cls.berthd.folder, ignore_errors=True)

    def add(self, provider, **changes):
        body = self.mock.connection(provider, name=f"r{uuid.uuid4().hex[:10]}", streams={}, **changes)
        return self.berthd.post("/v1/connections", body, expect=(201,))

    def faults(self, *faults):
        self.assertLess(self.mock.request("PUT", "/_mock/faults", {"faults": list(faults)}).status, 300)

    def sync(self, connection, stream, **body):
        run = self.berthd.post(f"/v1/connections/{connection['id']}/streams/{stream}/sync", body)
        return wait_for(lambda: (lambda r: r if r["status"] not in ("queued", "running") else None)(
            self.berthd.get(f"/v1/runs/{run['id']}")), 60, "the run")

    def records(self, connection, entity="call"):
        return self.berthd.all_items(f"/v1/records/{entity}?connection={connection['id']}")

    def only(self, connection):
        records = self.records(connection)
        self.assertEqual(len(records), 1, records)
        return records[0]

    def deliver(self, connection, **fields):
        """One webhook, until it is settled. Some providers are answered without the event's id."""
        path = f"/v1/events?connection={connection['id']}"
        before = {event["id"] for event in self.berthd.all_items(path)}
        answer = self.berthd.webhook(urllib.parse.urlsplit(connection["webhook"]["url"]).path, json.dumps(fields).encode())
        self.assertIn(answer.status, (202, 204), answer)
        settled = lambda: [e for e in self.berthd.all_items(path) if e["id"] not in before and e["state"] in ("completed", "discarded")]
        self.assertEqual([e["state"] for e in wait_for(settled, 20, "the event")], ["completed"])

    def test_a_server_that_begins_to_cap_its_pages_deletes_nothing(self):
        # Would break: all numbers behind the first page are taken for deleted by the next full refresh.
        connection = self.add("trackdrive")
        self.assertEqual(self.sync(connection, "numbers")["counts"]["created"], 40)
        self.faults("capped-pages:25")
        self.addCleanup(self.faults)
        run = self.sync(connection, "numbers")
        self.assertEqual((run["status"], run["counts"]["deleted"], run["counts"]["processed"]), ("success", 0, 40), run)
        self.assertEqual(len(self.records(connection, "tracking_number")), 40)
        # And from the first read on, of every provider.
        for provider in ("trackdrive", "ringba", "retreaver"):
            for stream, entity, count in (("numbers", "tracking_number", 40), ("calls", "call", 70)):
                with self.subTest(provider=provider, stream=stream):
                    fresh = self.add(provider)
                    self.assertEqual(self.sync(fresh, stream)["status"], "success")
                    self.assertEqual(len(self.records(fresh, entity)), count)

    def test_what_the_provider_took_back_is_gone(self):
        # Would break: a voided conversion keeps its revenue for ever.
        provider = Retreaver()
        self.addCleanup(provider.stop)
        call = {"uuid": "r1", "caller": "+12025550143", "number": "+18885550199", "status": "finished", "connected": True,
                "start_time": "2026-11-20T10:00:00.123Z", "end_time": "2026-11-20T10:01:00.000Z", "total_duration": 60, "revenue": 25.0,
                "payout": 18, "converted": True, "target_id": 9, "recording_url": "https://r.test/1", "tags": {"a": "b"}}
        provider.rows = [call]
        connection = self.add("retreaver", base_url=provider.url)
        self.sync(connection, "calls")
        record = self.only(connection)
        self.assertEqual([record.get(f) for f in ("revenue", "payout", "buyer_id", "recording_url")], ["25.0", "18", "9", "https://r.test/1"])
        # A webhook that says little takes nothing back.
        self.deliver(connection, event="sale", call_uuid="r1", revenue="")
        self.assertEqual(self.only(connection)["revenue"], "25.0")
        del call["recording_url"]
        call.update(revenue=None, payout=None, converted=False, target_id=None)
        self.assertEqual(self.sync(connection, "calls", mode="full")["counts"]["updated"], 1)
        record = self.only(connection)
        self.assertEqual([record.get(f) for f in ("revenue", "payout", "buyer_id", "recording_url")], [None] * 4, record)
        self.assertEqual((record["converted"], record["duration_seconds"], record["status"]), (False, 60, "completed"))

    def test_a_late_pixel_does_not_call_back_to_life_what_is_over(self):
        # Would break: a call that is over rings until the next sync, because its first pixel was held up.
        connection = self.add("ringba")
        status = lambda call: {r["external_id"]: r["status"] for r in self.records(connection)}[call]
        for call, steps in (("in-order", (("incoming", "ringing"), ("connected", "in_progress"), ("completed", "completed"))),
                            ("late", (("completed", "completed"), ("connected", "completed"), ("incoming", "completed"))),
                            ("mixed", (("connected", "in_progress"), ("incoming", "in_progress"), ("completed", "completed")))):
            for event, expected in steps:
                self.deliver(connection, event=event, call_id=call, revenue="25,50" if event == "completed" else "")
                self.assertEqual(status(call), expected, f"{call}: {event}")
        self.assertEqual({r["revenue"] for r in self.records(connection)}, {"25.50"})

    def test_an_original_over_the_limit_costs_only_itself(self):
        # Would break: one such row fails every run of its stream, and one such webhook is always discarded.
        provider = Retreaver()
        self.addCleanup(provider.stop)
        provider.rows = [{"uuid": "small", "total_duration": 1}, {"uuid": "large", "total_duration": 2, "note": "x" * 1_500_000}]
        connection = self.add("retreaver", base_url=provider.url)
        run = self.sync(connection, "calls")
        self.assertEqual((run["status"], run["counts"]["created"]), ("success", 2), run)
        self.assertEqual({r["external_id"]: r["duration_seconds"] for r in self.records(connection)}, {"small": 1, "large": 2})
        pixels = self.add("ringba")
        self.deliver(pixels, event="completed", call_id="p1", duration="7", note="x" * 1_500_000)
        self.assertEqual(self.only(pixels)["duration_seconds"], 7)
        self.assertIn("without its original", self.berthd.log())
        # Where the fields alone are too many, the failure names the record, and the worker is not to blame.
        provider.rows = [{"uuid": "laden", "tags": {"a": "x" * 1_500_000}}]
        run = self.sync(connection, "calls", mode="full")
        self.assertEqual(run["status"], "failed", run)
        self.assertIn("'laden'", json.dumps(run["error"]))
        self.assertNotIn("broke the contract", self.berthd.log())


if __name__ == "__main__":
    unittest.main(verbosity=2)
