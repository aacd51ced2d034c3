"""Sync runs as the store and the provider see them: where the next one begins, where a killed one goes on, how one is stopped."""

import json
import os
import pathlib
import re
import shutil
import tempfile
import time
import unittest
from datetime import datetime, timedelta

from phonebox import Phonebox, template
from rig import ROOT, Berthd, Mock, wait_for


def when(text):
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


class Syncs(unittest.TestCase):
    def setUp(self):
        self.mock = Mock(("ringba",), ["--calls", "6000"])
        self.berthd = Berthd().start()
        self.connection = self.berthd.post("/v1/connections", self.mock.connection("ringba", streams={}))

    def tearDown(self):
        self.berthd.stop()
        self.mock.stop()
        shutil.rmtree(self.berthd.folder, ignore_errors=True)

    def sync(self, **body):
        return self.berthd.post(f"/v1/connections/{self.connection['id']}/streams/calls/sync", body)

    def ended(self, run, seconds=90):
        return wait_for(lambda: (lambda r: r if r["status"] not in ("queued", "running") else None)(
            self.berthd.get(f"/v1/runs/{run['id']}")), seconds, "the run")

    def test_the_next_run_begins_an_overlap_before_the_last_ones_end(self):
        # Would break: records that the provider changed or showed late around the end of a run are never read.
        first = self.ended(self.sync())
        self.assertEqual(first["status"], "success", first)
        manifest = (ROOT / "Plugins/ringba/plugin.toml").read_text()
        overlap = int(re.search(r'overlap = "(\d+)h"', manifest)[1]) * 3600
        high = when(self.berthd.get(f"/v1/connections/{self.connection['id']}")["streams"]["calls"]["high_water"])
        second = self.berthd.get(f"/v1/runs/{self.sync()['id']}")
        self.assertEqual((second["mode"], when(second["since"])), ("incremental", high - timedelta(seconds=overlap)))
        self.assertEqual(self.ended(second)["counts"]["created"], 0)

    def test_a_killed_run_goes_on_at_its_checkpoint(self):
        # Would break: a sync of a day that begins anew after every restart.
        self.mock.request("PUT", "/_mock/faults", {"faults": ["slow:0.3"]})
        run = self.sync()
        wait_for(lambda: self.berthd.get(f"/v1/runs/{run['id']}")["pages"] >= 2, 60, "two pages")
        self.assertEqual(self.berthd.get(f"/v1/runs/{run['id']}")["status"], "running", "it ended before it could be killed")
        self.berthd.kill()
        self.mock.request("PUT", "/_mock/faults", {"faults": []})
        self.berthd.start()
        before = self.berthd.get(f"/v1/runs/{run['id']}")
        done = self.ended(run)
        self.assertEqual((done["status"], done["counts"]["created"]), ("success", 6000), done)
        # Pages are counted once each, over both lives: a run that began anew would have counted the first ones twice.
        whole = self.ended(self.sync(mode="full"))
        self.assertLessEqual(done["pages"], whole["pages"] + 1, (before["pages"], done["pages"], whole["pages"]))
        self.assertEqual(whole["counts"]["created"], 0)

    def test_a_zone_that_there_is_not_is_refused(self):
        # Would break: a schedule that never runs, on a connection that looks well.
        for path, method, body in (
            ("/v1/connections", "POST", self.mock.connection("ringba", name="mars", streams={"calls": {"schedule": "cron 0 3 * * * tz=Mars/Phobos"}})),
            (f"/v1/connections/{self.connection['id']}", "PATCH", {"streams": {"calls": {"schedule": "cron 0 3 * * * tz=Mars/Phobos"}}}),
        ):
            answer = self.berthd.control(method, path, body)
            self.assertEqual((answer.status, answer.json["code"]), (400, "invalid_request"), answer)
            self.assertIn("Mars/Phobos", answer.json["detail"])
            self.assertIn("streams.calls.schedule", answer.json["detail"])
        good = {"streams": {"calls": {"schedule": "cron 0 3 * * * tz=Europe/Berlin"}}}
        self.assertEqual(self.berthd.control("PATCH", f"/v1/connections/{self.connection['id']}", good).status, 200)

    def test_a_daemon_that_waits_for_its_schedules_sleeps(self):
        # Would break: a whole processor for looking at schedules, and everything else slow beside it.
        self.berthd.post("/v1/connections", self.mock.connection("ringba", name="scheduled"))
        runs = lambda: [r["status"] for r in self.berthd.all_items("/v1/runs")]
        wait_for(lambda: runs() and not {"queued", "running"} & set(runs()), 90, "the first scheduled runs")

        def used():
            fields = open(f"/proc/{self.berthd.process.pid}/stat").read().rsplit(")", 1)[1].split()
            return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        before, began = used(), time.monotonic()
        time.sleep(3)
        self.assertLess(used() - before, (time.monotonic() - began) * 0.2, "seconds of processor time")

    def test_a_run_is_stopped_by_a_person_and_the_next_may_begin(self):
        # Would break: a run that nobody can stop, or that blocks its stream after it was.
        self.mock.request("PUT", "/_mock/faults", {"faults": ["slow:0.5"]})
        run = self.sync()
        wait_for(lambda: self.berthd.get(f"/v1/runs/{run['id']}")["pages"] >= 1, 60, "a page")
        began = time.monotonic()
        self.berthd.post(f"/v1/runs/{run['id']}/cancel")
        done = self.ended(run, 15)
        self.assertEqual(done["status"], "cancelled", done)
        self.assertLess(time.monotonic() - began, 10)
        self.mock.request("PUT", "/_mock/faults", {"faults": []})
        self.assertEqual(self.ended(self.sync())["status"], "success")


class Circles(unittest.TestCase):
    def test_paging_in_circles_ends(self):
        # Would break: a provider whose second page names the first one again is asked for ever.
        folder = pathlib.Path(tempfile.mkdtemp(prefix="berth-circles-"))
        provider = Phonebox(100)
        berthd = Berthd(folder / "state", bundles=folder / "bundles")
        template(folder / "bundles")
        berthd.start()
        try:
            connection = berthd.post("/v1/connections", provider.connection("round", streams={"calls": {"schedule": ""}}))
            provider.nexts = {2: 1}
            run = berthd.post(f"/v1/connections/{connection['id']}/streams/calls/sync")
            done = wait_for(lambda: (lambda r: r if r["status"] not in ("queued", "running") else None)(berthd.get(f"/v1/runs/{run['id']}")), 60, "the run")
            self.assertEqual(done["status"], "failed", done)
            self.assertIn("circles", json.dumps(done))
            self.assertLess(len(provider.requests), 40)
            # And a long way that only looks like one is gone to its end.
            provider.nexts = {}
            run = berthd.post(f"/v1/connections/{connection['id']}/streams/calls/sync", {"mode": "full"})
            done = wait_for(lambda: (lambda r: r if r["status"] not in ("queued", "running") else None)(berthd.get(f"/v1/runs/{run['id']}")), 60, "the run")
            self.assertEqual(done["status"], "success", done)
        finally:
            berthd.stop()
            provider.stop()
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    unittest.main(verbosity=2)
