"""A full disk and a full descriptor table: refused in time and in words, nothing accepted lost, taken again when there is room."""

import json
import os
import pathlib
import resource
import shutil
import socket
import sqlite3
import subprocess
import tempfile
import threading
import time
import unittest
import urllib.parse
import uuid

from rig import BIN, Berthd, Mock, wait_for
from wire import Wire


def delivery():
    return {"event": "completed", "call_id": str(uuid.uuid4()), "caller": "+12025550143"}


class Sender:
    """Posts deliveries one after the other and keeps what was answered."""

    def __init__(self, berthd, path, padding=0):
        self.berthd, self.path, self.padding = berthd, path, padding
        self.acknowledged, self.refused, self.other = [], [], []
        self.is_running = True
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while self.is_running:
            body = dict(delivery(), padding="x" * self.padding)
            try:
                answer = self.berthd.webhook(self.path, json.dumps(body).encode())
            except OSError as error:
                self.other.append(error)
                time.sleep(0.02)
                continue
            if answer.status == 202:
                self.acknowledged.append(answer.json["id"])
            elif answer.status == 503:
                self.refused.append(answer)
                time.sleep(0.01)
            else:
                self.other.append(answer)

    def stop(self):
        self.is_running = False
        self.thread.join(20)


@unittest.skipUnless(os.geteuid() == 0, "mounting needs root")
class FullDisk(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="berth-full-"))
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=96m", "berth-test", str(self.folder)], check=True)
        self.mock = Mock(("ringba",), ["--calls", "300"])
        self.berthd = None

    def tearDown(self):
        if self.berthd and self.berthd.process.poll() is None:
            self.berthd.stop()
        self.mock.stop()
        subprocess.run(["umount", "-l", str(self.folder)], check=True)
        self.folder.rmdir()

    def fill(self, leave):
        """Takes the space until only `leave` bytes are free."""
        stat = os.statvfs(self.folder)
        free = stat.f_bavail * stat.f_frsize
        try:
            with open(self.folder / "filler", "ab") as file:
                file.write(b"x" * max(0, free - leave))
        except OSError:
            pass  # the daemon wrote meanwhile: it is full all the same

    def test_the_ballast_lets_accepted_work_end(self):
        # Would break: R5: on a disk that somebody else has filled nothing can be finished, and not even old rows be deleted.
        self.berthd = Berthd(self.folder, environment={"BERTH_STORE_BALLAST_MIB": "12"})
        self.berthd.log_path = pathlib.Path(tempfile.mkdtemp(prefix="berth-full-log-")) / "berthd.log"
        self.berthd.start()
        connection = self.berthd.post("/v1/connections", self.mock.connection("ringba", streams={}))
        self.assertEqual((self.folder / "ballast").stat().st_size, 12 << 20)
        self.fill(leave=0)
        wait_for(lambda: not (self.folder / "ballast").exists(), 20, "the ballast to be given up")
        self.assertIn("ballast file is given up", self.berthd.log())
        run = self.berthd.post(f"/v1/connections/{connection['id']}/streams/calls/sync")
        wait_for(lambda: self.berthd.get(f"/v1/runs/{run['id']}")["status"] not in ("queued", "running"), 30, "the run")
        self.assertEqual(self.berthd.get(f"/v1/runs/{run['id']}")["status"], "success")
        (self.folder / "filler").unlink()
        wait_for(lambda: (self.folder / "ballast").exists(), 20, "the ballast to be back")

    def test_deliveries_are_refused_in_time_and_taken_again(self):
        # Would break: R5: an acknowledged delivery lost on a full disk, a crash, or a daemon that stays refused after space is back.
        self.berthd = Berthd(self.folder, environment={"BERTH_STORE_BALLAST_MIB": "12"})
        self.berthd.log_path = pathlib.Path(tempfile.mkdtemp(prefix="berth-full-log-")) / "berthd.log"
        self.berthd.start()
        connection = self.berthd.post("/v1/connections", self.mock.connection("ringba", streams={}))
        sender = Sender(self.berthd, urllib.parse.urlsplit(connection["webhook"]["url"]).path, padding=4000)
        try:
            wait_for(lambda: len(sender.acknowledged) > 20, 20, "deliveries")
            self.fill(leave=20 << 20)
            wait_for(lambda: sender.refused, 20, "a refusal below the low mark")
            refusal = sender.refused[0]
            self.assertGreaterEqual(int(refusal.headers["retry-after"]), 1)
            self.assertEqual(refusal.json["code"], "overloaded")
            # What is inside goes on: looking, health, even a run that has to write.
            health = self.berthd.control("GET", "/v1/health")
            self.assertEqual(self.berthd.webhook("/healthz", method="GET").status, 200)
            self.assertIn("store", [p["name"] for p in health.json["parts"]])
            store = next(p for p in health.json["parts"] if p["name"] == "store")
            self.assertNotEqual(store["status"], "ok", store)
            self.assertIn("low mark", store["detail"])
            self.assertIn("hint", store)
            self.assertEqual(self.berthd.webhook("/readyz", method="GET").status, 503)
            # And then nothing at all is left.
            self.fill(leave=0)
            run = self.berthd.control("POST", f"/v1/connections/{connection['id']}/streams/calls/sync", {})
            self.assertIn(run.status, (202, 500, 503), run)
            seen = len(sender.refused)
            wait_for(lambda: len(sender.refused) > seen + 50, 20, "more refusals")
            self.assertIsNone(self.berthd.process.poll(), self.berthd.log()[-3000:])
            self.assertLess(self.berthd.control("GET", "/v1/events?limit=5").status, 300)
            before = len(sender.acknowledged)
            (self.folder / "filler").unlink()
            began = time.monotonic()
            wait_for(lambda: len(sender.acknowledged) > before, 20, "deliveries after space came back")
            self.assertLess(time.monotonic() - began, 5)
            self.assertEqual(sender.other, [])
        finally:
            sender.stop()
        wait_for(lambda: self.berthd.get("/v1/health")["parts"][0]["status"] == "ok", 10, "health after space came back")
        stored = {event["id"] for event in self.berthd.all_items("/v1/events")}
        self.assertEqual(set(sender.acknowledged) - stored, set())
        again = self.berthd.post(f"/v1/connections/{connection['id']}/streams/calls/sync")
        done = wait_for(lambda: (lambda r: r if r["status"] not in ("queued", "running") else None)(self.berthd.get(f"/v1/runs/{again['id']}")), 60)
        self.assertEqual(done["status"], "success", done)
        self.berthd.kill()
        rows = sqlite3.connect(self.folder / "berth.db").execute("PRAGMA integrity_check").fetchall()
        self.assertEqual(rows, [("ok",)])

    def test_a_start_on_a_full_disk_says_so(self):
        # Would break: a crash or a riddle at start.
        self.berthd = Berthd(self.folder)
        self.berthd.log_path = pathlib.Path(tempfile.mkdtemp(prefix="berth-full-log-")) / "berthd.log"
        self.fill(leave=0)
        self.berthd.start(wait=False)
        wait_for(lambda: self.berthd.process.poll() is not None or "ready" in self.berthd.log(), 20, "an end or a start")
        if self.berthd.process.poll() is not None:
            self.assertIn(self.berthd.process.returncode, (70, 78), self.berthd.log())
            self.assertIn("full", self.berthd.log())
            self.assertIn("hint:", self.berthd.log())


class FewDescriptors(unittest.TestCase):
    def test_a_full_descriptor_table_keeps_nobody_out_for_ever(self):
        # Would break: R13: one failed accept that ends the listener, or a loop that burns a core.
        mock = Mock(("ringba",), ["--calls", "5"])
        berthd = Berthd(environment={"BERTH_SERVER_HEAD_SECONDS": "60"})
        berthd.start()
        wires = []
        try:
            connection = berthd.post("/v1/connections", mock.connection("ringba", streams={}))
            path = urllib.parse.urlsplit(connection["webhook"]["url"]).path
            self.assertEqual(berthd.webhook(path, json.dumps(delivery()).encode()).status, 202)
            in_use = len(os.listdir(f"/proc/{berthd.process.pid}/fd"))
            hard = resource.prlimit(berthd.process.pid, resource.RLIMIT_NOFILE)[1]
            resource.prlimit(berthd.process.pid, resource.RLIMIT_NOFILE, (in_use + 30, hard))
            parts = urllib.parse.urlsplit(berthd.url)
            for _ in range(200):
                wires.append(socket.create_connection((parts.hostname, parts.port), timeout=10))
            wait_for(lambda: "can't be accepted" in berthd.log(), 10, "the table to be full")
            stat = pathlib.Path(f"/proc/{berthd.process.pid}/stat")
            cpu = lambda: sum(int(n) for n in stat.read_text().rsplit(")", 1)[1].split()[11:13])
            before = cpu()
            time.sleep(2)
            self.assertLess((cpu() - before) / os.sysconf("SC_CLK_TCK"), 1.0, "a core is burnt")
            self.assertLess(berthd.log().count("can't be accepted"), 5)
            self.assertIsNone(berthd.process.poll(), berthd.log()[-3000:])
            for wire in wires:
                wire.close()
            wires.clear()
            began = time.monotonic()
            body = json.dumps(delivery()).encode()

            def accepted():
                try:
                    return berthd.webhook(path, body).status == 202
                except OSError:
                    return False

            wait_for(accepted, 10, "a delivery after the table had room")
            self.assertLess(time.monotonic() - began, 5)
            self.assertEqual(berthd.get("/v1/status")["version"][0], "0")
        finally:
            for wire in wires:
                wire.close()
            self.assertEqual(berthd.stop(), 0)
            mock.stop()

    def test_connections_over_a_limit_are_counted_and_told(self):
        # Would break: a proxy whose connections are cut off without a line or a figure anywhere.
        berthd = Berthd(environment={"BERTH_SERVER_MAX_CONNECTIONS_PER_ADDRESS": "4"}).start()
        wires = []
        try:
            for _ in range(10):
                wires.append(Wire(berthd.url))
                wires[-1].send("GET /healthz HTTP/1.1", "Host: b")
            name = 'berth_connections_refused_total{listener="public",limit="share"} 6'
            wait_for(lambda: name in berthd.control("GET", "/metrics").body.decode(), 20, "the figure")
            warnings = [line for line in berthd.log().splitlines() if "public listener are refused" in line]
            self.assertEqual(len(warnings), 1, "once in ten seconds")
            self.assertIn("[server] max_connections_per_address allows 4", warnings[0])
        finally:
            for wire in wires:
                wire.socket.close()
            berthd.stop()
            shutil.rmtree(berthd.folder, ignore_errors=True)

    def test_a_start_with_too_few_descriptors_says_so(self):
        # Would break: a start that hangs or crashes without a word.
        berthd = Berthd()
        berthd.config.chmod(0o600)
        limits = lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (16, 16))
        done = subprocess.run([str(BIN / "berthd"), "--config", str(berthd.config)], preexec_fn=limits, capture_output=True, text=True,
                              timeout=30, env=dict(os.environ, SWIFT_BACKTRACE="enable=no"))
        self.assertGreater(done.returncode, 0, done.stderr)
        self.assertLess(done.returncode, 128, done.stderr)
        self.assertIn("hint:", done.stderr)
        shutil.rmtree(berthd.folder, ignore_errors=True)


if __name__ == "__main__":
    unittest.main(verbosity=2)
