"""What providers allow, over the daemon's death: limits shared by connections, pauses, throttle notices, circuits; and the logs that
tell of requests and of people."""

import os
import pathlib
import shutil
import sqlite3
import tempfile
import threading
import time
import unittest
import urllib.parse

from oauth_probe import OAuthMock, SOURCE, call_api, probe
from rig import Berthd, wait_for

MANIFEST = (SOURCE / "plugin.toml").read_text()


def manifest(http, runtime=""):
    """The probe's, with more in [http]."""
    return MANIFEST.replace("max_concurrent = 16", "max_concurrent = 16\n" + http) + runtime


class Limits(unittest.TestCase):
    def start(self, http, mock, connections=1, settings=""):
        folder = pathlib.Path(tempfile.mkdtemp(prefix="berth-limits-"))
        self.addCleanup(shutil.rmtree, folder, True)
        probe(folder / "bundles", manifest(http))
        berthd = Berthd(folder / "state", bundles=folder / "bundles", settings=settings).start()
        self.addCleanup(berthd.stop)
        for number in range(connections):
            token = mock.issue(account=f"acct-{number}")["access_token"]
            berthd.post("/v1/connections", {
                "provider": "oauthprobe", "name": f"c{number}", "base_url": mock.url, "credentials": {"kind": "api_key", "token": token}})
        return berthd

    def mock(self, **settings):
        mock = OAuthMock(**settings)
        self.addCleanup(mock.stop)
        return mock

    @staticmethod
    def counter(mock):
        return next(iter(mock.told("limits")["counters"]), {"admitted": 0, "refused": 0, "peak_in_any_window": 0})

    def keeps_the_limit_over_a_restart(self, seconds, per, windows, end):
        mock = self.mock(limit=f"100/{seconds}", limit_window="sliding")
        berthd = self.start(f'timeout_seconds = {seconds * 2}\nrate_limits = [{{ requests = 100, per = "{per}", scope = "provider" }}]', mock, 12)
        begun = time.monotonic()
        for number in range(36):
            self.assertEqual(call_api(berthd, f"c{number % 12}", "/api/limited/bare")["status"], 200)
        stop, eager = threading.Event(), threading.Event()

        def demand(number):
            while not stop.is_set():
                # Before the end at a pace that it can strike in the middle; after it as much as it gets.
                eager.wait(seconds * 0.2)
                try:
                    berthd.control("POST", f"/v1/connections/c{number}/actions/call_api",
                                   {"path": "/api/limited/bare", "times": 10 if eager.is_set() else 1}, timeout=seconds * 3)
                except OSError:
                    time.sleep(0.05)  # it is dead, or not there yet
                except Exception:
                    time.sleep(0.05)  # it died in the middle of an answer

        callers = [threading.Thread(target=demand, args=(number,), daemon=True) for number in range(12)]
        for caller in callers:
            caller.start()
        wait_for(lambda: self.counter(mock)["admitted"] >= 50 and time.monotonic() - begun > seconds / 2, seconds, "fifty requests and half a window")
        killed = time.monotonic() - begun
        end(berthd)
        before = self.counter(mock)["admitted"]
        self.assertLess(before, 90, "the kill came too late to leave anything")
        eager.set()
        berthd.start()
        self.assertLess(killed, seconds, "the kill came after the window it should cut")
        while time.monotonic() - begun < seconds * windows + 1:
            time.sleep(0.2)
        stop.set()
        told = self.counter(mock)
        self.assertEqual(told["refused"], 0, told)
        self.assertLessEqual(told["peak_in_any_window"], 100, told)
        self.assertGreaterEqual(told["peak_in_any_window"], 95, told)
        times = sorted(entry["at"] for token in mock.told("requests")["tokens"].values() for entry in token["requests"])
        times = [self.milliseconds(at) for at in times]
        first = sum(1 for at in times if at < times[0] + seconds * 1000)
        self.assertTrue(95 <= first <= 100, f"{first} in the window of the kill, {before} before it, {told}")
        self.assertGreaterEqual(told["admitted"], 95 * (windows - 1), told)
        print(f"\n  ended after {killed:.1f} s and {before} requests; {first} in that window, peak {told['peak_in_any_window']}, "
              f"{told['admitted']} in {time.monotonic() - begun:.0f} s", flush=True)

    @staticmethod
    def milliseconds(at):
        if isinstance(at, (int, float)):
            return at
        from datetime import datetime
        return datetime.fromisoformat(at.replace("Z", "+00:00")).timestamp() * 1000

    def test_a_hundred_are_a_hundred_over_a_kill(self):
        # Would break: the provider's limit, once per restart and once more per connection.
        self.keeps_the_limit_over_a_restart(10, "10 seconds", 2, Berthd.kill)

    @unittest.skipUnless(os.environ.get("BERTH_LIMIT_MINUTE"), "takes two minutes: BERTH_LIMIT_MINUTE=1")
    def test_a_hundred_a_minute_over_a_kill(self):
        # Would break: as above, at the true scale.
        self.keeps_the_limit_over_a_restart(60, "minute", 2, Berthd.kill)

    @unittest.skipUnless(os.environ.get("BERTH_LIMIT_MINUTE"), "takes two minutes: BERTH_LIMIT_MINUTE=1")
    def test_a_hundred_a_minute_over_a_restart(self):
        # Would break: as above, where the daemon has the time to give back what it claimed.
        self.keeps_the_limit_over_a_restart(60, "minute", 2, Berthd.stop)

    def test_a_notice_of_its_own_is_a_429(self):
        # Would break: providers that say "too many requests" with 200.
        mock = self.mock(limit="5/2", limit_window="fixed")
        berthd = self.start('throttle = [{ status = 200, body = "/isRateLimited", equals = true, retry_after_seconds = 2 }]', mock)
        answer = call_api(berthd, "c0", "/api/limited/body", times=12)
        self.assertEqual(answer["statuses"], {"200": 12}, answer)
        self.assertNotIn("isRateLimited", answer["body"])
        told = self.counter(mock)
        self.assertTrue(1 <= told["refused"] <= 4, told)

    def test_a_pause_outlives_a_kill(self):
        # Would break: a restart as the way around a Retry-After.
        mock = self.mock(limit="1/300", limit_window="sliding")
        berthd = self.start("", mock)
        self.assertEqual(call_api(berthd, "c0", "/api/limited/retry-after")["status"], 200)
        self.assertEqual(call_api(berthd, "c0", "/api/limited/retry-after")["status"], 429)
        pauses = berthd.get("/v1/connections/c0")["pauses"]
        self.assertGreater(pauses[""], 200, pauses)
        time.sleep(0.3)  # what is learned is written behind the answer
        berthd.kill()
        berthd.start()
        self.assertGreater(berthd.get("/v1/connections/c0")["pauses"][""], 200)
        answer = berthd.control("POST", "/v1/connections/c0/actions/call_api", {"path": "/api/limited/retry-after"})
        self.assertGreaterEqual(answer.status, 400, answer)
        self.assertEqual(self.counter(mock)["refused"], 1)

    def test_circuits_are_seen_and_reset(self):
        # Would break: an operator who sees failures and not that nothing is sent any more.
        mock = self.mock()
        berthd = self.start('rate_limits = [{ requests = 1000, per = "hour", class = "items" }]', mock)
        mock.fault("http-500:1")
        for _ in range(5):
            berthd.control("POST", "/v1/connections/c0/actions/call_api", {"path": "/api/me"})
        shown = berthd.get("/v1/connections/c0")
        self.assertEqual((shown["circuit"]["state"], shown["circuit"]["failures"]), ("open", 5), shown)
        self.assertTrue(0 < shown["circuit"]["retry_after_seconds"] <= 60, shown)
        self.assertEqual([(limit["requests"], limit["window_seconds"], limit["request_class"], limit["scope"], limit["used"])
                          for limit in shown["limits"]], [(1000, 3600, "items", "connection", 0)])
        part = next(p for p in berthd.get("/v1/health")["parts"] if p["name"] == "circuit:oauthprobe/c0")
        self.assertIn("reset-circuit oauthprobe/c0", part["hint"])
        status = berthd.get("/v1/status")
        self.assertEqual((status["health"], status["circuits"]), ("degraded", {"oauthprobe/c0": "open"}))
        state = f'berth_circuit_state{{provider="oauthprobe",connection="{shown["id"]}"}} '
        self.assertIn(state + "2", berthd.control("GET", "/metrics").body.decode())
        mock.fault()
        refused = berthd.control("POST", "/v1/connections/c0/actions/call_api", {"path": "/api/me"})
        self.assertGreaterEqual(refused.status, 500, refused)
        self.assertEqual(berthd.post("/v1/connections/c0/reset-circuit")["circuit"]["state"], "closed")
        self.assertEqual(call_api(berthd, "c0", "/api/me")["status"], 200)
        self.assertIn(state + "0", berthd.control("GET", "/metrics").body.decode())
        entries = berthd.get("/v1/audit?kind=connection.circuit_reset")["items"]
        self.assertEqual([e["actor"] for e in entries], [f"uid:{os.getuid()}"])

    def test_requests_are_logged_without_what_is_in_them(self):
        # Would break: finding out what was asked of a provider, or worse, a log that tells customers' data.
        mock = self.mock()
        berthd = self.start("", mock)
        for number in range(5):
            call_api(berthd, "c0", f"/api/items?page={number}&phone=%2B12025550143", **{"class": "items"})
        call_api(berthd, "c0", "/api/nothing")
        items = wait_for(lambda: (lambda i: i if len(i) >= 6 else None)(berthd.all_items("/v1/requests?connection=c0")), 10, "the log")
        self.assertEqual([(i["status"], i["path"], i["tries"]) for i in items[:2]],
                         [(404, "/api/nothing", 1), (200, "/api/items?page=***&phone=***", 1)])
        self.assertEqual((items[1]["request_class"], items[1]["method"], items[1]["host"]), ("items", "GET", "127.0.0.1"))
        self.assertNotIn("2025550143", str(items))
        self.assertEqual([i["status"] for i in berthd.get("/v1/requests?failed=true")["items"]], [404])
        page = berthd.get("/v1/requests?limit=4")
        rest = berthd.get("/v1/requests?limit=4&cursor=" + urllib.parse.quote(page["next"]))
        self.assertEqual(page["items"] + rest["items"], items)
        self.assertEqual(berthd.get(f"/v1/requests?until={items[-1]['at']}")["items"], [])
        self.assertEqual(berthd.control("GET", "/v1/requests?status=5").status, 400)

    def test_no_requests_are_logged_where_nobody_wants_it(self):
        # Would break: [log] provider_requests = "off".
        mock = self.mock()
        berthd = self.start("", mock, settings='provider_requests = "off"\n')
        call_api(berthd, "c0", "/api/me")
        berthd.stop()
        rows = sqlite3.connect(berthd.folder / "berth.db").execute("SELECT count(*) FROM request").fetchone()
        self.assertEqual(rows, (0,))

    def test_the_audit_log_is_filtered_and_only_grows(self):
        # Would break: who looked at what, and that nobody can take it back.
        mock = self.mock()
        berthd = self.start("", mock, 2)
        call_api(berthd, "c0", "/api/me")
        middle = berthd.get("/v1/audit?limit=1")["items"][0]["at"]
        time.sleep(0.01)
        berthd.get("/v1/records/item?connection=c0")
        berthd.get("/v1/events")
        entries = berthd.all_items("/v1/audit")
        kinds = [entry["kind"] for entry in entries]
        self.assertEqual(kinds, ["events.read", "records.read", "action.performed", "connection.created", "connection.created"])
        self.assertEqual(entries[1]["detail"], "0 of item by connection")
        me = f"uid:{os.getuid()}"
        self.assertEqual(len(berthd.get(f"/v1/audit?actor={me}")["items"]), 5)
        self.assertEqual(berthd.get("/v1/audit?actor=uid:4711")["items"], [])
        self.assertEqual([e["kind"] for e in berthd.get("/v1/audit?kind=connection.&connection=c1")["items"]], ["connection.created"])
        since = urllib.parse.quote(middle)
        self.assertEqual(len(berthd.get(f"/v1/audit?until={since}")["items"]), 2)
        self.assertEqual(len(berthd.get(f"/v1/audit?since={since}")["items"]), 3)
        berthd.stop()
        database = sqlite3.connect(berthd.folder / "berth.db")
        for change in ("UPDATE audit SET actor = 'nobody'", "DELETE FROM audit"):
            with self.assertRaisesRegex(sqlite3.DatabaseError, "append-only"):
                database.execute(change)
        database.close()


if __name__ == "__main__":
    unittest.main(verbosity=2)
