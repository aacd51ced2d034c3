"""Sync runs as the store and the provider see them: where the next one begins, where a killed one goes on, how one is stopped."""

import json
import os
import pathlib
import re
import shutil
import tempfile
import threading
import time
import unittest
from datetime import datetime, timedelta, timezone

from phonebox import Phonebox, template
from rig import BUNDLES, ROOT, Berthd, Mock, wait_for


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
        # Another account's history is not what was read.
        self.berthd.control("PATCH", f"/v1/connections/{self.connection['id']}", {"settings": {"currency": "EUR"}})
        self.assertIsNotNone(self.berthd.get(f"/v1/connections/{self.connection['id']}")["streams"]["calls"]["high_water"])
        self.berthd.control("PATCH", f"/v1/connections/{self.connection['id']}", {"settings": {"account_id": "RAOTHER"}})
        self.assertIsNone(self.berthd.get(f"/v1/connections/{self.connection['id']}")["streams"]["calls"]["high_water"])

    def test_a_run_of_the_last_hours_leaves_the_rest_to_be_read(self):
        # Would break: everything before the first run's `since` is never asked for, and every run says success.
        def stands():
            streams = self.berthd.get(f"/v1/connections/{self.connection['id']}").get("streams") or {}
            return (streams.get("calls") or {}).get("high_water")
        self.assertEqual(self.ended(self.sync(mode="range", since="2026-01-01"))["since"], "2026-01-01T00:00:00.000Z")
        since = (datetime.now(timezone.utc) - timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
        self.assertEqual(self.ended(self.sync(since=since))["status"], "success")
        self.assertIsNone(stands())
        self.assertNotIn("since", self.ended(self.sync()))
        self.assertIsNotNone(stands())
        ahead = (datetime.now(timezone.utc) + timedelta(days=7)).strftime("%Y-%m-%dT%H:%M:%SZ")
        for body in ({"until": ahead}, {"since": since, "until": since}, {"mode": "full", "since": since}):
            answer = self.berthd.control("POST", f"/v1/connections/{self.connection['id']}/streams/calls/sync", body)
            self.assertEqual((answer.status, answer.json["code"]), (400, "invalid_request"), answer)

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


class Interrupted(unittest.TestCase):
    """A provider whose third page waits for the test, and everything that may happen meanwhile."""

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="berth-interrupted-"))
        self.provider = Phonebox(200)
        self.gate = self.provider.gates[3] = threading.Event()
        self.berthd = Berthd(self.folder / "state", bundles=self.folder / "bundles", settings="[sync]\nmax_concurrent = 4\n")
        template(self.folder / "bundles")
        self.berthd.start()

    def tearDown(self):
        self.berthd.stop()
        self.provider.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def add(self, name, provider=None):
        return self.berthd.post("/v1/connections", (provider or self.provider).connection(name, streams={"calls": {"schedule": ""}}))["id"]

    def sync(self, connection):
        return self.berthd.post(f"/v1/connections/{connection}/streams/calls/sync")["id"]

    def run_of(self, run, *states):
        return wait_for(lambda: (lambda r: r if r["status"] in states else None)(self.berthd.get(f"/v1/runs/{run}")), 30, f"a run {states}")

    def begun(self, name):
        connection = self.add(name)
        run = self.sync(connection)
        self.assertTrue(self.provider.waiting.wait(30))
        return connection, run

    def test_a_pause_stops_a_run_and_keeps_it_also_over_a_restart(self):
        # Would break: a provider that asked to be left alone is asked on, or what was read so far is read again.
        connection, run = self.begun("main")
        self.berthd.post(f"/v1/connections/{connection}/pause")
        waits = self.run_of(run, "queued")
        self.assertIn("resume main", waits["waits_for"])
        self.gate.set()
        del self.provider.gates[3]
        self.berthd.stop()
        self.berthd.start()
        time.sleep(1)
        self.assertEqual(self.berthd.get(f"/v1/runs/{run}")["status"], "queued")
        self.assertEqual(self.provider.requests, [1, 2, 3])
        self.berthd.post(f"/v1/connections/{connection}/resume")
        done = self.run_of(run, "success", "failed")
        self.assertEqual((done["status"], done["counts"]["created"], done.get("waits_for")), ("success", 200, None), done)
        self.assertEqual(self.provider.requests, [1, 2, 3, *range(3, 11)])

    def test_a_run_waits_for_its_plugin_also_over_a_restart(self):
        # Would break: what was read so far is read again, and a person's wish is forgotten, because a plugin was away for a moment.
        connection, run = self.begun("main")
        plugin = self.berthd.get("/v1/plugins")["items"][0]["id"]
        self.assertEqual(self.berthd.control("DELETE", f"/v1/plugins/{plugin}?force=true").status, 204)
        self.gate.set()
        del self.provider.gates[3]
        self.assertIn(f"'{plugin}' is not loaded", self.run_of(run, "queued")["waits_for"])
        self.berthd.stop()
        self.berthd.start()
        time.sleep(1)
        self.assertEqual(self.run_of(run, "queued", "failed", "running")["status"], "queued")
        asked = len(self.provider.requests)
        self.berthd.post(f"/v1/plugins/{plugin}/reload")
        done = self.run_of(run, "success", "failed")
        self.assertEqual((done["status"], done["counts"]["created"], done.get("waits_for")), ("success", 200, None), done)
        self.assertGreater(self.provider.requests[asked], 1)
        self.assertEqual(self.berthd.get(f"/v1/connections/{connection}")["failures"], 0)

    def test_a_run_of_a_removed_connection_is_cancelled(self):
        # Would break: a failure in the list of runs that nobody can do anything about.
        connection, run = self.begun("main")
        self.berthd.post(f"/v1/connections/{connection}/pause")
        self.run_of(run, "queued")
        self.assertEqual(self.berthd.control("DELETE", f"/v1/connections/{connection}").status, 204)
        self.gate.set()
        done = self.run_of(run, "cancelled", "failed")
        self.assertEqual((done["status"], done["error"]["message"]), ("cancelled", "the connection was removed before the run began"))

    def test_a_run_whose_connection_ends_is_stopped(self):
        # Would break: a provider is asked and records are written for a connection that is gone, and the run says success.
        for name, method, verb in (("removed", "DELETE", ""), ("disconnected", "POST", "/disconnect")):
            with self.subTest(name):
                self.provider.waiting.clear()
                self.gate = self.provider.gates[3] = threading.Event()
                connection, run = self.begun(name)
                self.assertIn(self.berthd.control(method, f"/v1/connections/{connection}{verb}").status, (200, 204))
                before = self.berthd.get("/v1/status")["records"]["call"]
                done = self.run_of(run, "cancelled", "failed", "success")
                self.assertEqual((done["status"], done["error"]["message"]), ("cancelled", f"the connection was {name} while it ran"))
                asked = len(self.provider.requests)
                self.gate.set()
                del self.provider.gates[3]
                time.sleep(1)
                self.assertEqual((len(self.provider.requests), self.berthd.get("/v1/status")["records"]["call"]), (asked, before))

    def test_another_account_is_read_from_its_beginning(self):
        # Would break: of the account that takes the other's place only what is new is ever read.
        connection, run = self.begun("main")
        other = Phonebox(200)
        self.addCleanup(other.stop)
        stands = lambda: self.berthd.get(f"/v1/connections/{connection}")["streams"]["calls"]["high_water"]
        self.berthd.control("PATCH", f"/v1/connections/{connection}", {"base_url": other.url})
        done = self.run_of(run, "cancelled", "failed", "success")
        self.assertEqual(done["status"], "cancelled", done)
        self.assertIn("another address or account", done["error"]["message"])
        self.gate.set()
        self.assertIsNone(stands())
        self.run_of(self.sync(connection), "success")
        self.assertEqual(other.requests, list(range(1, 11)))
        self.assertIsNotNone(stands())
        self.berthd.control("PATCH", f"/v1/connections/{connection}", {"name": "renamed"})
        self.assertIsNotNone(stands())
        self.berthd.control("PATCH", f"/v1/connections/{connection}", {"base_url": self.provider.url})
        self.assertIsNone(stands())
        self.assertIn("connection.streams_restarted", [e["kind"] for e in self.berthd.get("/v1/audit?limit=20")["items"]])

    def test_a_run_that_waits_is_cancelled(self):
        # Would break: "or cancel it", says the refusal of another run, and then that it can't be.
        connection, run = self.begun("main")
        self.berthd.post(f"/v1/connections/{connection}/pause")
        self.run_of(run, "queued")
        self.assertEqual(self.berthd.post(f"/v1/runs/{run}/cancel")["status"], "cancelled")
        self.assertEqual(self.berthd.control("POST", f"/v1/runs/{run}/cancel").status, 409)
        self.gate.set()
        del self.provider.gates[3]
        self.berthd.post(f"/v1/connections/{connection}/resume")
        self.assertEqual(self.run_of(self.sync(connection), "success", "failed")["status"], "success")

    def test_a_plugin_that_refuses_its_settings_is_named(self):
        # Would break: "status 14" is all that is ever said of a setting whose bounds the manifest forgot.
        bundle = self.folder / "bundles" / "ringba"
        shutil.copytree(BUNDLES / "ringba", bundle)
        manifest = (bundle / "plugin.toml").read_text()
        (bundle / "plugin.toml").write_text(manifest.replace("minimum = 1\n", ""))
        self.berthd.post("/v1/plugins", {"path": str(bundle)}, expect=(201,))
        self.berthd.post("/v1/connections", {
            "provider": "ringba", "name": "bad", "base_url": self.provider.url, "credentials": Mock.CREDENTIALS["ringba"],
            "settings": {**Mock.SETTINGS["ringba"], "page_size": 0}, "streams": {"calls": {"schedule": ""}}})
        done = self.run_of(self.sync("bad"), "failed", "success")
        self.assertIn("the plugin refuses the connection's settings", done["error"]["message"])
        self.assertIn("'berthctl plugin show' lists them", done["error"]["message"])

    def test_a_provider_that_does_not_answer_leaves_room(self):
        # Would break: everybody's syncs wait for minutes because one provider's address answers nothing.
        shutil.copytree(BUNDLES / "ringba", self.folder / "bundles" / "ringba")
        self.berthd.stop()
        self.berthd.start()
        silent = [self.sync(self.add(f"silent{n}")) for n in range(6)]
        self.assertTrue(self.provider.waiting.wait(30))
        mock = Mock(("ringba",), ["--calls", "20"])
        try:
            good = self.berthd.post("/v1/connections", mock.connection("ringba", streams={}))["id"]
            self.assertEqual(self.run_of(self.sync(good), "success", "failed")["status"], "success")
        finally:
            mock.stop()
        states = [self.berthd.get(f"/v1/runs/{run}")["status"] for run in silent]
        self.assertEqual((states.count("running"), states.count("queued")), (2, 4))

    def test_two_quick_reloads_drop_nothing(self):
        # Would break: a sync in hand fails, and its connection with it, because somebody installed two versions in a row.
        connection, run = self.begun("main")
        plugin = self.berthd.get(f"/v1/connections/{connection}")["provider"]
        old = self.berthd.get(f"/v1/plugins/{plugin}")["workers"]
        for _ in range(3):
            self.berthd.post(f"/v1/plugins/{plugin}/reload", {})
        time.sleep(0.5)
        self.gate.set()
        done = self.run_of(run, "success", "failed")
        self.assertEqual((done["status"], done["counts"]["created"], done["attempts"]), ("success", 200, 1), done)
        # Page 4 may have been under way already when the third one was stored.
        self.assertEqual([page for page in self.provider.requests if page != 4], [1, 2, 3, *range(5, 11)], "read again")
        self.assertFalse(self.berthd.get(f"/v1/connections/{connection}").get("last_error"))
        wait_for(lambda: not [pid for pid in old if pathlib.Path(f"/proc/{pid}").exists()], 10, "the first load's worker is gone")


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
