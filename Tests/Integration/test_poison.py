"""An event that kills its plugin whenever it is tried: parked after its third attempt, while everything beside it flows. A file of its
own because it waits half a minute for the attempts, beside the others."""

import pathlib
import shutil
import tempfile
import time
import unittest
from datetime import datetime

from evil import evil
from rig import Berthd, wait_for


class Poison(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="berth-poison-"))
        evil(self.folder / "bundles")
        self.berthd = Berthd(self.folder / "state", bundles=self.folder / "bundles").start()

    def tearDown(self):
        self.berthd.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def test_an_event_that_kills_is_parked_after_three_attempts(self):
        # Would break: a poison event kept alive for ever, or its batch parked with it, or held up by it; retries long after their time.
        connection = self.berthd.post("/v1/connections", {"provider": "evil", "name": "evil"})
        bad = self.berthd.deliver(connection, {"id": "poison", "mode": "segv"})
        beside = [self.berthd.deliver(connection, {"id": f"good-{n}", "mode": "fine"}) for n in range(5)]
        for event in beside:
            wait_for(lambda: self.berthd.event(event)["state"] == "completed", 10, "events in the same batch as the poison")
        # Its retries begin when they are due: after 5 and 30 s, give or take a fifth.
        for attempt, seconds in ((2, 5), (3, 30)):
            due = wait_for(lambda: (lambda e: e if e["state"] == "retryable" and e["attempt"] == attempt - 1 else None)(self.berthd.event(bad)), 20,
                           f"attempt {attempt - 1} to end")["due_at"]
            due = datetime.fromisoformat(due.replace("Z", "+00:00")).timestamp()
            self.assertLess(due - time.time(), seconds * 1.2 + 0.1)
            wait_for(lambda: self.berthd.event(bad)["attempt"] == attempt, 60, f"attempt {attempt}")
            self.assertGreaterEqual(time.time(), due)
            self.assertLess(time.time() - due, 2, f"attempt {attempt} began too late")
        parked = wait_for(lambda: (lambda e: e if e["state"] == "discarded" else None)(self.berthd.event(bad)), 90, "the poison to be parked")
        self.assertEqual((parked["failure"]["status"], parked["attempt"]), ("crashed", 3), parked)
        self.assertIn(bad, [e["id"] for e in self.berthd.get("/v1/dead-letters")["items"]])
        self.assertEqual([self.berthd.event(event)["attempt"] for event in beside], [1] * 5)


if __name__ == "__main__":
    unittest.main(verbosity=2)
