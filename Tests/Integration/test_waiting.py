"""What has to wait: a provider that asks for quiet, events of a paused connection, events that failed together."""

import json
import pathlib
import shutil
import tempfile
import time
import unittest
import urllib.parse
import uuid
from datetime import datetime

from evil import evil
from phonebox import Phonebox, template
from rig import BUNDLES, Berthd, Mock, wait_for


def when(text):
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


class Waiting(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="berth-waiting-"))
        bundles = cls.folder / "bundles"
        shutil.copytree(BUNDLES / "ringba", bundles / "ringba")
        template(bundles)
        evil(bundles, event_batch=32)
        cls.berthd = Berthd(cls.folder / "state", bundles=bundles).start()

    @classmethod
    def tearDownClass(cls):
        cls.berthd.stop()
        shutil.rmtree(cls.folder, ignore_errors=True)

    def runs(self, name, **only):
        runs = self.berthd.get(f"/v1/runs?connection={name}&limit=500")["items"]
        return [r for r in runs if all(r[key] == value for key, value in only.items())]

    def add(self, body):
        return self.berthd.post("/v1/connections", body, expect=(201,))

    def post(self, connection, call):
        path = urllib.parse.urlsplit(connection["webhook"]["url"]).path
        answer = self.berthd.webhook(path, json.dumps({"event": "completed", "call_id": call, "caller": "+12025550143"}).encode())
        self.assertEqual(answer.status, 202, answer)
        return answer.json["id"]

    def event(self, event):
        return self.berthd.get(f"/v1/events/{event}")

    def all_completed(self, events, seconds=20):
        wait_for(lambda: all(self.event(event)["state"] == "completed" for event in events), seconds, "events to be completed")

    def test_a_stream_waits_as_long_as_its_provider_asked(self):
        # Would break: a 429 that asks for ten minutes is answered with a run every second, each of which fails.
        calm = Phonebox(5)
        self.addCleanup(calm.stop)
        self.add(calm.connection("calm", streams={"calls": {"schedule": "every 1s"}}))
        providers = {"quiet-c": Phonebox(5), "quiet-swift": Phonebox(5)}
        for provider in providers.values():
            self.addCleanup(provider.stop)
            provider.refusals[1] = (429, {"Retry-After": "600"})
        every = {"streams": {"calls": {"schedule": "every 1s"}}}
        self.add(providers["quiet-c"].connection("quiet-c", **every))
        self.add({"provider": "ringba", "name": "quiet-swift", "base_url": providers["quiet-swift"].url, "credentials": Mock.CREDENTIALS["ringba"],
                  "settings": Mock.SETTINGS["ringba"], **every})

        def others_went_on(count):
            ended = len(self.runs("calm", status="success"))
            wait_for(lambda: len(self.runs("calm", status="success")) >= ended + count, 40, "runs of a provider that asks for nothing")

        for name, provider in providers.items():
            wait_for(lambda: self.runs(name, status="failed"), 30, f"the first run of {name} to fail")
            first = self.runs(name, status="failed")[-1]
            self.assertEqual(first["error"]["status"], "throttled", first)
        others_went_on(4)
        asked = {name: len(provider.requests) for name, provider in providers.items()}
        self.berthd.kill()
        self.berthd.start()
        others_went_on(4)
        for name, provider in providers.items():
            with self.subTest(name):
                self.assertEqual(len(self.runs(name)), 1, [r["created_at"] for r in self.runs(name)])
                self.assertEqual((len(provider.requests), asked[name]), (1, 1))
                shown = self.berthd.get(f"/v1/connections/{name}")
                self.assertEqual((shown["status"], shown["failures"]), ("active", 1), shown)
        # And two ways to end it: a person who knows better, and another server.
        self.berthd.post("/v1/connections/quiet-c/reset-circuit")
        wait_for(lambda: len(self.runs("quiet-c")) > 1, 20, "a run after the reset")
        self.berthd.control("PATCH", "/v1/connections/quiet-swift", {"base_url": calm.url})
        wait_for(lambda: len(self.runs("quiet-swift")) > 1, 20, "a run at another server")

    def test_events_of_a_paused_connection_wait(self):
        # Would break: pause as the operator's way to keep records as they are while something is put right.
        mock = Mock(("ringba",), ["--calls", "5"])
        self.addCleanup(mock.stop)
        paused = self.add(mock.connection("ringba", name="paused", streams={"calls": {"schedule": "every 1s"}}))
        beside = self.add(mock.connection("ringba", name="beside", streams={"calls": {"schedule": "every 1s"}}))
        self.all_completed([self.post(paused, "before-the-pause")])
        wait_for(lambda: self.runs("paused", status="success"), 20, "a sync before the pause")
        self.assertEqual(self.berthd.post("/v1/connections/paused/pause")["status"], "paused")
        wait_for(lambda: not self.runs("paused", status="queued") and not self.runs("paused", status="running"), 20, "its last sync to end")
        runs = len(self.runs("paused"))
        waiting = [self.post(paused, f"in-the-pause-{number}") for number in range(5)]

        def others_went_on():
            # Later events and runs of the same plugin, through the same dispatcher, have passed those that wait.
            self.all_completed([self.post(beside, f"beside-{uuid.uuid4()}") for _ in range(3)])
            ended = len(self.runs("beside", status="success"))
            wait_for(lambda: len(self.runs("beside", status="success")) >= ended + 2, 20, "syncs of the other connection")

        def all_wait():
            self.assertEqual([(e["state"], e["attempt"]) for e in map(self.event, waiting)], [("available", 0)] * 5)
            self.assertEqual(len(self.runs("paused")), runs, "it was synced while it was paused")
            self.assertFalse([r for r in self.berthd.all_items("/v1/records/call?connection=paused") if r["external_id"].startswith("in-the")])

        others_went_on()
        all_wait()
        self.assertEqual(self.berthd.control("POST", "/v1/connections/paused/streams/calls/sync", {}).status, 409)
        # A restart and a wake-up for all connections look at everything that is due.
        self.berthd.kill()
        self.berthd.start()
        others_went_on()
        self.berthd.post("/v1/connections/beside/pause")
        self.berthd.post("/v1/connections/beside/resume")
        others_went_on()
        all_wait()
        self.assertEqual(self.berthd.post("/v1/connections/paused/resume")["status"], "active")
        self.all_completed(waiting, 10)
        self.assertEqual([e["attempt"] for e in map(self.event, waiting)], [1] * 5)
        created = [r["external_id"] for r in self.berthd.all_items("/v1/records/call?connection=paused")]
        self.assertEqual({f"in-the-pause-{number}" for number in range(5)} - set(created), set())
        wait_for(lambda: len(self.runs("paused")) > runs, 20, "syncs to go on")

    def test_events_that_failed_together_do_not_come_back_together(self):
        # Would break: an outage of a minute ends with all its events in one instant, again and again.
        connection = self.add({"provider": "evil", "name": "evil"})
        path = urllib.parse.urlsplit(connection["webhook"]["url"]).path
        # Behind a pause, so that they fail in one batch, in the same millisecond.
        self.berthd.post("/v1/connections/evil/pause")
        events = []
        for number in range(24):
            answer = self.berthd.webhook(path, json.dumps({"id": f"e{number}", "mode": "unknown-status"}).encode())
            self.assertEqual(answer.status, 202, answer)
            events.append(answer.json["id"])
        begun = time.time()
        self.berthd.post("/v1/connections/evil/resume")
        failed = lambda e: e if e["state"] == "retryable" and e["attempt"] == 1 else None
        due = [when(wait_for(lambda: failed(self.event(event)), 20, "a failure")["due_at"]) for event in events]
        self.assertGreaterEqual(min(due) - begun, 3.9)
        self.assertGreater(len(set(due)), 16, due)
        self.assertGreater(max(due) - min(due), 0.8, due)


if __name__ == "__main__":
    unittest.main(verbosity=2)
