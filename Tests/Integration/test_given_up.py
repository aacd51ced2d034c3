"""Events that end without being processed: those of a removed connection, and those a person cancels. And deliveries so large that
they could take their plugin or the daemon with them."""

import json
import pathlib
import shutil
import subprocess
import tempfile
import unittest
import urllib.parse

from evil import evil
from rig import BIN, Berthd, wait_for


class GivenUp(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="berth-given-up-"))
        evil(self.folder / "bundles", event_batch=64)
        self.berthd = Berthd(self.folder / "state", bundles=self.folder / "bundles").start()
        self.connection = self.berthd.post("/v1/connections", {"provider": "evil", "name": "evil"})

    def tearDown(self):
        self.berthd.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def pause(self):
        self.berthd.post(f"/v1/connections/{self.connection['id']}/pause", {})

    def ctl(self, *arguments):
        return subprocess.run([str(BIN / "berthctl"), "--socket", str(self.berthd.socket), *arguments], capture_output=True, text=True)

    def test_the_events_of_a_removed_connection_end(self):
        # Would break: events that wait for ever for nobody, are counted as waiting, and are replayed into nothing.
        dead = self.berthd.deliver(self.connection, {"id": "dead", "mode": "read-file"})
        wait_for(lambda: self.berthd.event(dead)["state"] == "discarded", 10, "a dead letter")
        queue = lambda: next(part for part in self.berthd.get("/v1/health")["parts"] if part["name"] == "queue")
        self.assertEqual(queue()["status"], "degraded")
        done = self.berthd.deliver(self.connection, {"id": "done", "mode": "fine"})
        wait_for(lambda: self.berthd.event(done)["state"] == "completed", 10, "the first event")
        self.pause()
        events = [self.berthd.deliver(self.connection, {"id": f"e{n}", "mode": "fine"}) for n in range(5)]
        self.assertEqual(self.berthd.control("DELETE", f"/v1/connections/{self.connection['id']}").status, 204)
        for event in events:
            event = self.berthd.event(event)
            self.assertEqual((event["state"], event["failure"]["message"]), ("cancelled", "its connection was removed"))
            self.assertTrue(event["settled_at"])
        self.assertEqual(self.berthd.get("/v1/status")["events"].get("available", 0), 0)
        for event in (events[0], done):
            answer = self.berthd.control("POST", f"/v1/events/{event}/replay", {})
            self.assertEqual(answer.status, 409, answer)
            self.assertIn("connection was removed", answer.json["detail"])
        self.assertEqual(self.berthd.post("/v1/events/replay", {"ids": [*events, done]})["count"], 0)
        self.assertEqual(self.berthd.event(done)["state"], "completed")
        # Its dead letter can still be read, and is nobody's to mend.
        self.assertEqual(self.berthd.event(dead)["state"], "discarded")
        self.assertEqual(queue()["status"], "ok")

    def test_a_person_cancels_an_event_that_waits(self):
        # Would break: ARCHITECTURE's promise that a person can take the head of a line away.
        self.pause()
        event = self.berthd.deliver(self.connection, {"id": "unwanted", "mode": "fine"})
        answer = self.ctl("event", "cancel", event, "--output", "json")
        self.assertEqual(answer.returncode, 0, answer.stderr)
        self.assertEqual(json.loads(answer.stdout)["state"], "cancelled")
        self.assertEqual(self.berthd.event(event)["failure"]["message"], "given up by a person")
        self.assertEqual(self.berthd.control("POST", f"/v1/events/{event}/cancel").status, 409)
        self.assertEqual(self.berthd.control("POST", "/v1/events/nothing/cancel").status, 404)
        entry = self.berthd.get("/v1/audit?kind=event.cancelled")["items"][0]
        self.assertEqual(entry["detail"], event)
        # It can be brought back.
        self.berthd.post(f"/v1/connections/{self.connection['id']}/resume", {})
        self.berthd.post(f"/v1/events/{event}/replay", {})
        wait_for(lambda: self.berthd.event(event)["state"] == "completed", 10, "the event that was brought back")

    def test_a_backlog_of_large_deliveries_kills_nothing(self):
        # Would break: a batch beyond what a worker takes at once, for which the worker ends and its plugin is blamed.
        other = self.berthd.post("/v1/connections", {"provider": "evil", "name": "other"})
        self.pause()
        path = urllib.parse.urlsplit(self.connection["webhook"]["url"]).path
        large = "x" * int(9.9 * 1024 * 1024)
        events = []
        for number in range(8):
            answer = self.berthd.webhook(path, json.dumps({"id": f"large{number}", "mode": "fine", "note": large}).encode())
            self.assertEqual(answer.status, 202, answer)
            events.append(answer.json["id"])
        self.berthd.post(f"/v1/connections/{self.connection['id']}/resume", {})
        small = self.berthd.deliver(other, {"id": "small", "mode": "fine"})
        wait_for(lambda: self.berthd.event(small)["state"] == "completed", 20, "the small event beside them")
        for event in events:
            ended = wait_for(lambda: (lambda e: e if e["state"] in ("completed", "discarded") else None)(self.berthd.event(event)), 60, "a large one")
            self.assertEqual(ended["attempt"], 1, ended)
        plugin = self.berthd.get("/v1/plugins/evil")
        self.assertEqual((plugin["state"], plugin["restarts"]), ("ready", 0), plugin)
        status = pathlib.Path(f"/proc/{self.berthd.process.pid}/status").read_text()
        peak = int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")))
        self.assertLess(peak, 512 << 10, "KiB at most in the daemon")

    def test_the_hint_for_a_quarantined_plugin_is_of_use(self):
        # Would break: an operator sent to dead letters that are not there.
        for number in range(3):
            self.berthd.deliver(self.connection, {"id": f"bad{number}", "mode": "segv"})
        part = wait_for(lambda: next((p for p in self.berthd.control("GET", "/v1/health").json["parts"]
                                      if p["name"] == "plugin:evil" and p["status"] == "failing"), None), 30, "the quarantine")
        self.assertIn("evt_", part["detail"])
        self.assertIn("berthctl plugin reload evil", part["hint"])
        self.assertNotIn("dead-letter", part["hint"])


if __name__ == "__main__":
    unittest.main(verbosity=2)
