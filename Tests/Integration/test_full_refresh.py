"""What a full read no longer shows is gone, and only that: a read that did not come to its end shows nothing."""

import pathlib
import shutil
import tempfile
import threading
import unittest
from datetime import datetime, timedelta, timezone

from phonebox import Phonebox, template
from rig import Berthd, wait_for


class FullRefresh(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="berth-full-"))
        template(cls.folder / "bundles", lambda text: text.replace("incremental = false", "incremental = true\ndeletes_unseen = true"))
        cls.berthd = Berthd(cls.folder / "state", bundles=cls.folder / "bundles").start()

    @classmethod
    def tearDownClass(cls):
        cls.berthd.stop()
        shutil.rmtree(cls.folder, ignore_errors=True)

    def setUp(self):
        self.phonebox = Phonebox()
        self.addCleanup(self.phonebox.stop)
        self.name = self.id().rsplit(".", 1)[1].replace("_", "-")[:60]
        self.berthd.post("/v1/connections", self.phonebox.connection(self.name), expect=(201,))
        self.assertEqual(self.sync()["counts"]["created"], 45)

    def begin(self, **body):
        return self.berthd.post(f"/v1/connections/{self.name}/streams/calls/sync", {"mode": "full", **body})["id"]

    def end(self, run):
        return wait_for(lambda: (lambda r: r if r["status"] not in ("queued", "running") else None)(
            self.berthd.get(f"/v1/runs/{run}")), 40, "the run to end")

    def sync(self, **body):
        return self.end(self.begin(**body))

    def records(self, deleted=False):
        items = self.berthd.all_items(f"/v1/records/call?connection={self.name}&deleted={str(deleted).lower()}")
        return {r["external_id"] for r in items if not deleted or r["deleted_at"]}

    def assert_all_stand(self):
        self.assertEqual((len(self.records()), self.records(deleted=True)), (45, set()))

    def test_what_is_gone_gets_a_tombstone_and_comes_back(self):
        # Would break: records of calls that the provider deleted stay for ever; or what came back stays buried.
        gone = {"pb-3", "pb-21", "pb-44"}
        everything = set(self.phonebox.calls)
        self.phonebox.calls = [call for call in self.phonebox.calls if call not in gone]
        run = self.sync()
        self.assertEqual((run["status"], run["counts"]["deleted"], run["counts"]["processed"]), ("success", 3, 42), run)
        self.assertEqual((self.records(), self.records(deleted=True)), (everything - gone, gone))
        kept = [r["raw"]["id"] for r in self.berthd.all_items(f"/v1/records/call?connection={self.name}&deleted=true") if r["deleted_at"]]
        self.assertEqual(set(kept), gone, "a tombstone keeps the original")
        again = self.sync()
        self.assertEqual(again["counts"]["deleted"], 0, "a tombstone was deleted again")
        self.phonebox.calls = sorted(everything)
        self.assertEqual(self.sync()["status"], "success")
        self.assertEqual((self.records(), self.records(deleted=True)), (everything, set()))

    def test_an_incremental_read_deletes_nothing(self):
        # Would break: everything older than the last run's window would be gone.
        self.phonebox.calls = self.phonebox.calls[:5]
        run = self.sync(mode="incremental")
        self.assertEqual((run["status"], run["counts"]["deleted"]), ("success", 0), run)
        self.assert_all_stand()

    def test_a_full_read_up_to_yesterday_deletes_nothing(self):
        # Would break: a person who reads an old part again loses everything after it.
        self.phonebox.calls = self.phonebox.calls[:5]
        until = (datetime.now(timezone.utc) - timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
        run = self.sync(until=until)
        self.assertEqual((run["status"], run["mode"], run["counts"]["deleted"]), ("success", "full", 0), run)
        self.assert_all_stand()

    def test_a_full_read_that_fails_half_way_deletes_nothing(self):
        # Would break: one bad answer on page two, and all after page one is gone.
        self.phonebox.refusals[2] = (401, {})
        run = self.sync()
        self.assertEqual((run["status"], run["pages"], run["counts"]["deleted"]), ("failed", 1, 0), run)
        self.assert_all_stand()
        # The next one has no part of the failed one's: page one was seen by that, and must be seen again.
        self.phonebox.refusals.clear()
        self.assertEqual(self.sync()["counts"]["deleted"], 0)
        self.assert_all_stand()

    def test_a_full_read_that_is_stopped_half_way_deletes_nothing(self):
        # Would break: a person who stops a run deletes what it had not reached.
        gate = self.phonebox.gates[2] = threading.Event()
        run = self.begin()
        self.assertTrue(self.phonebox.waiting.wait(20), "page two was not asked for")
        self.berthd.post(f"/v1/runs/{run}/cancel")
        done = self.end(run)
        gate.set()
        self.assertEqual((done["status"], done["pages"], done["counts"]["deleted"]), ("cancelled", 1, 0), done)
        self.assert_all_stand()

    def test_a_full_read_over_a_kill_deletes_only_what_is_gone(self):
        # Would break: the second life knows nothing of what the first saw, and buries its pages.
        gate = self.phonebox.gates[3] = threading.Event()
        self.phonebox.calls.remove("pb-7")
        run = self.begin()
        self.assertTrue(self.phonebox.waiting.wait(20), "page three was not asked for")
        wait_for(lambda: self.berthd.get(f"/v1/runs/{run}")["pages"] == 2, 20, "two pages")
        self.berthd.kill()
        gate.set()
        del self.phonebox.gates[3]
        self.phonebox.requests.clear()
        self.berthd.start()
        done = self.end(run)
        self.assertEqual((done["status"], done["counts"]["deleted"]), ("success", 1), done)
        self.assertNotIn(1, self.phonebox.requests, "it began anew: this shows nothing")
        self.assertEqual(self.records(deleted=True), {"pb-7"})
        self.assertEqual(len(self.records()), 44)


if __name__ == "__main__":
    unittest.main(verbosity=2)
