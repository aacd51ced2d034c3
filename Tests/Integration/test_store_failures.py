"""What a failing disk does: nothing stays stuck when space comes back, and a failed sync ends the daemon instead of a lie."""

import json
import os
import pathlib
import shutil
import sqlite3
import subprocess
import tempfile
import threading
import time
import unittest
import urllib.parse
import uuid

from evil import evil
from rig import Berthd, Mock, wait_for


def path_of(connection):
    return urllib.parse.urlsplit(connection["webhook"]["url"]).path


def delivery(padding=0):
    return json.dumps({"event": "completed", "call_id": str(uuid.uuid4()), "caller": "+12025550143", "pad": "x" * padding}).encode()


@unittest.skipUnless(os.geteuid() == 0, "mounting needs root")
class FullDisk(unittest.TestCase):
    def test_what_was_under_way_goes_on_when_space_is_back(self):
        # Would break: events and runs that stay "running" until somebody restarts the daemon.
        folder = pathlib.Path(tempfile.mkdtemp(prefix="berth-stuck-"))
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=96m", "berth-test", str(folder)], check=True)
        mock = Mock(("ringba",), ["--calls", "20000"])
        berthd = Berthd(folder, environment={"BERTH_STORE_BALLAST_MIB": "4"})
        berthd.log_path = pathlib.Path(tempfile.mkdtemp()) / "log"
        acknowledged, stop = [], threading.Event()

        def send(path):
            while not stop.is_set():
                try:
                    answer = berthd.webhook(path, delivery(2000))
                    if answer.status == 202:
                        acknowledged.append(answer.json["id"])
                    else:
                        time.sleep(0.01)
                except OSError:
                    pass
        try:
            berthd.start()
            connection = berthd.post("/v1/connections", mock.connection("ringba", streams={}))
            threads = [threading.Thread(target=send, args=(path_of(connection),), daemon=True) for _ in range(4)]
            [thread.start() for thread in threads]
            wait_for(lambda: len(acknowledged) > 200, 20, "load")
            # A reader that stays: the log can't shrink, so that the disk is full in the middle of work.
            reader = sqlite3.connect(folder / "berth.db", isolation_level=None)
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM event").fetchall()
            run = berthd.post(f"/v1/connections/{connection['id']}/streams/calls/sync")
            stat = os.statvfs(folder)
            with open(folder / "filler", "ab", buffering=0) as filler:
                try:
                    filler.write(b"x" * (stat.f_bavail * stat.f_frsize))
                except OSError:
                    pass
            time.sleep(4)
            stop.set()
            [thread.join() for thread in threads]
            reader.close()
            (folder / "filler").unlink()

            def done():
                events = berthd.get("/v1/status")["events"]
                return (not (events["available"] + events["running"] + events["retryable"])
                        and berthd.get(f"/v1/runs/{run['id']}")["status"] not in ("queued", "running"))
            wait_for(done, 60, "what was under way")
            self.assertEqual(berthd.control("POST", f"/v1/connections/{connection['id']}/streams/calls/sync", {}).status, 202)
            held = {row[0] for row in sqlite3.connect(folder / "berth.db").execute("SELECT id FROM event")}
            self.assertEqual(set(acknowledged) - held, set())
        finally:
            stop.set()
            berthd.stop()
            mock.stop()
            subprocess.run(["umount", "-l", str(folder)], check=True)
            folder.rmdir()


@unittest.skipUnless(os.geteuid() == 0 and shutil.which("strace"), "needs strace and root")
class FailedSync(unittest.TestCase):
    def test_a_disk_that_is_full_for_the_logs_index_is_a_full_disk(self):
        # Would break: SQLite names it an input/output error, and a daemon that ends for those does so over a want of space.
        mock = Mock(("ringba",), ["--calls", "20"])
        berthd = Berthd().start()
        try:
            path = path_of(berthd.post("/v1/connections", mock.connection("ringba", streams={})))
            # A reader that stays lets the log grow, and its index with it: a page of it for each 16 MiB.
            reader = sqlite3.connect(berthd.folder / "berth.db", isolation_level=None)
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM event").fetchall()
            acknowledged = [berthd.webhook(path, delivery(100_000)).json["id"]]
            trace = subprocess.Popen(
                ["strace", "-f", "-qq", "-o", "/dev/null", "-P", f"{berthd.folder}/berth.db-shm", "-e", "trace=pwrite64",
                 "-e", "inject=pwrite64:error=ENOSPC", "-p", str(berthd.process.pid)], stderr=subprocess.DEVNULL)
            wait_for(lambda: "TracerPid:\t0" not in pathlib.Path(f"/proc/{berthd.process.pid}/status").read_text(), 10, "strace")

            def deliver():
                answer = berthd.webhook(path, delivery(500_000))
                if answer.status == 202:
                    acknowledged.append(answer.json["id"])
                return answer.status
            statuses = [deliver() for _ in range(60)]
            trace.terminate()
            trace.wait(10)
            self.assertEqual(set(statuses[-10:]), {503}, statuses)
            reader.close()
            wait_for(lambda: deliver() == 202, 60, "a delivery that is taken again")
            held = {row[0] for row in sqlite3.connect(berthd.folder / "berth.db").execute("SELECT id FROM event")}
            self.assertEqual(set(acknowledged) - held, set())
        finally:
            berthd.stop()
            mock.stop()

    def test_a_failed_fdatasync_ends_the_daemon(self):
        # Would break: R6: pages may be gone after it though the next sync succeeds; only a new start can tell what is there.
        mock = Mock(("ringba",), ["--calls", "20"])
        berthd = Berthd().start()
        try:
            connection = berthd.post("/v1/connections", mock.connection("ringba", streams={}))
            path = path_of(connection)
            before = [berthd.webhook(path, delivery()).json["id"] for _ in range(5)]
            trace = subprocess.Popen(
                ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=fdatasync,fsync", "-e", "inject=fdatasync,fsync:error=EIO",
                 "-p", str(berthd.process.pid)], stderr=subprocess.DEVNULL)
            wait_for(lambda: "TracerPid:\t0" not in pathlib.Path(f"/proc/{berthd.process.pid}/status").read_text(), 10, "strace")
            answers = []
            deadline = time.monotonic() + 20
            while berthd.process.poll() is None and time.monotonic() < deadline:
                try:
                    answers.append(berthd.webhook(path, delivery()).status)
                except OSError:
                    pass
                time.sleep(0.05)
            trace.kill()
            trace.wait()
            self.assertEqual(berthd.process.poll(), 70, berthd.log()[-600:])
            self.assertNotIn(202, answers[1:], "acknowledged after a failed sync")
            self.assertIn("can't write any more", berthd.log())
            berthd.start()
            held = {e["id"] for e in berthd.all_items("/v1/events")}
            self.assertEqual(set(before) - held, set())
        finally:
            berthd.stop()
            mock.stop()
            shutil.rmtree(berthd.folder, ignore_errors=True)


@unittest.skipUnless(os.geteuid() == 0 and shutil.which("strace"), "needs strace and root")
class SlowDisk(unittest.TestCase):
    def test_a_sync_that_hangs_is_told_in_time(self):
        # Would break: senders that give up waiting and know nothing, connections that pile up behind a disk that hangs.
        mock = Mock(("ringba",), ["--calls", "5"])
        berthd = Berthd().start()
        try:
            path = path_of(berthd.post("/v1/connections", mock.connection("ringba", streams={})))
            self.assertEqual(berthd.webhook(path, delivery()).status, 202)
            trace = subprocess.Popen(
                ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=fdatasync,fsync", "-e", "inject=fdatasync,fsync:delay_enter=8000000",
                 "-p", str(berthd.process.pid)], stderr=subprocess.DEVNULL)
            wait_for(lambda: "TracerPid:\t0" not in pathlib.Path(f"/proc/{berthd.process.pid}/status").read_text(), 10, "strace")
            body, begun = delivery(), time.monotonic()
            answer = berthd.webhook(path, body)
            took = time.monotonic() - begun
            self.assertEqual((answer.status, answer.headers.get("retry-after")), (503, "5"), answer)
            self.assertLess(took, 6)
            self.assertIn("was not stored within", berthd.log())
            self.assertEqual(berthd.webhook("/healthz", method="GET").status, 200)
            trace.terminate()
            trace.wait()
            # What was on its way is stored by now or soon: the same delivery again is no second event.
            again = wait_for(lambda: (lambda a: a if a.status in (200, 202) else None)(berthd.webhook(path, body)), 30, "the disk")
            self.assertEqual(len(berthd.all_items("/v1/events")), 2, again)
            berthd.stop()
            berthd.start()
            details = [entry["detail"] for entry in berthd.all_items("/v1/audit") if entry["kind"] == "webhook.refused"]
            self.assertTrue(any(text.startswith("overloaded: ") and "answered 503" in text for text in details), details)
        finally:
            berthd.stop()
            mock.stop()
            shutil.rmtree(berthd.folder, ignore_errors=True)


class Versions(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="berth-versions-"))
        (self.folder / "bundles").mkdir()
        self.berthd = Berthd(self.folder / "state", bundles=self.folder / "bundles").start()

    def tearDown(self):
        self.berthd.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def build(self, name, version, *defines):
        return str(evil(self.folder / name, version=version, defines=defines))

    def restart(self):
        self.berthd.stop()
        self.berthd.start()

    def test_a_failed_installation_a_rollback_and_a_removal_outlive_a_restart(self):
        # Would break: the version that was left, or the plugin that was removed, is back after the next reboot.
        install = lambda path: self.berthd.control("POST", "/v1/plugins", {"path": path})
        version = lambda: self.berthd.get("/v1/plugins/evil")["version"]
        self.assertEqual(install(self.build("one", "1.0.0")).status, 201)
        self.assertGreaterEqual(install(self.build("bad", "1.1.0", "EVIL_ABI")).status, 400)
        self.restart()
        self.assertEqual(version(), "1.0.0")
        self.assertEqual(install(self.build("two", "2.0.0")).status, 201)
        self.restart()
        self.assertEqual(version(), "2.0.0")
        self.assertEqual(install(self.build("three", "3.0.0")).status, 201)
        self.assertEqual(self.berthd.post("/v1/plugins/evil/rollback")["version"], "2.0.0")
        self.restart()
        self.assertEqual(version(), "2.0.0")
        self.assertEqual(self.berthd.control("DELETE", "/v1/plugins/evil").status, 204)
        self.restart()
        self.assertEqual(self.berthd.get("/v1/plugins")["items"], [])

    def test_a_version_is_gone_back_to_after_a_restart(self):
        # Would break: the version before is on the disk, and an operator who restarted first can't get it back.
        version = lambda: self.berthd.get("/v1/plugins/evil")["version"]
        for name, number in (("one", "1.0.0"), ("two", "2.0.0")):
            self.assertEqual(self.berthd.control("POST", "/v1/plugins", {"path": self.build(name, number)}).status, 201)
        self.restart()
        self.assertEqual(version(), "2.0.0")
        self.assertEqual(self.berthd.post("/v1/plugins/evil/rollback")["version"], "1.0.0")
        self.restart()
        self.assertEqual(version(), "1.0.0")
        self.assertEqual(self.berthd.post("/v1/plugins/evil/rollback")["version"], "2.0.0")

    def test_a_packaged_plugin_stays_removed_and_comes_back_by_reload(self):
        self.build("bundles", "1.0.0")
        self.restart()
        self.assertEqual(self.berthd.get("/v1/plugins/evil")["state"], "ready")
        self.berthd.control("DELETE", "/v1/plugins/evil")
        self.restart()
        self.assertEqual(self.berthd.get("/v1/plugins")["items"], [])
        self.assertEqual(self.berthd.post("/v1/plugins/evil/reload")["state"], "ready")
        self.restart()
        self.assertEqual(self.berthd.get("/v1/plugins/evil")["state"], "ready")


class Schedules(unittest.TestCase):
    def test_a_short_interval_is_kept(self):
        # Would break: a schedule under a minute that runs once a minute.
        mock = Mock(("ringba",), ["--calls", "20"])
        berthd = Berthd().start()
        try:
            berthd.post("/v1/connections", mock.connection("ringba", streams={"calls": {"schedule": "every 2s"}}))
            wait_for(lambda: len([r for r in berthd.get("/v1/runs")["items"] if r["status"] == "success"]) >= 4, 15, "four runs")
        finally:
            berthd.stop()
            mock.stop()
            shutil.rmtree(berthd.folder, ignore_errors=True)


if __name__ == "__main__":
    unittest.main(verbosity=2)
