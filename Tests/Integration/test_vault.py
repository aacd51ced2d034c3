"""The key that secrets are sealed with is changed while the daemon works."""

import contextlib
import shutil
import sqlite3
import subprocess
import threading
import unittest

from rig import BIN, Berthd, Mock, wait_for


class Rotation(unittest.TestCase):
    def setUp(self):
        self.mock = Mock(("ringba",), ["--calls", "30"])
        self.berthd = Berthd().start()

    def tearDown(self):
        self.berthd.stop()
        self.mock.stop()
        shutil.rmtree(self.berthd.folder, ignore_errors=True)

    def check(self, name="ringba"):
        return self.berthd.post(f"/v1/connections/{name}/check")["ok"]

    def test_the_key_changes_under_load_and_over_restarts(self):
        # Would break: a rotation that stops the daemon, or leaves a secret that nothing opens.
        for number in range(40):
            self.berthd.post("/v1/connections", self.mock.connection("ringba", name=f"c{number}", streams={}))
        stop, bad = threading.Event(), []

        def load():
            while not stop.is_set():
                if not self.check("c7"):
                    bad.append("check")
        thread = threading.Thread(target=load)
        thread.start()
        try:
            first = self.berthd.post("/v1/vault/rotate", {"new_key": True})
            self.assertGreaterEqual(first["rewrapped"], 40, first)
            second = self.berthd.post("/v1/vault/rotate", {"new_key": True})
            self.assertNotEqual(first["key"], second["key"])
            again = self.berthd.post("/v1/vault/rotate", {})
            self.assertEqual((again["rewrapped"], again["key"]), (0, second["key"]), again)
        finally:
            stop.set()
            thread.join()
        self.assertEqual(bad, [])
        self.berthd.kill()
        (self.berthd.folder / "vault.key.old").unlink()
        self.berthd.start()
        self.assertTrue(self.check("c39"))
        self.assertEqual((self.berthd.folder / "vault.key").stat().st_mode & 0o777, 0o600)

    def test_a_wrong_key_is_told_at_start(self):
        # Would break: a daemon that starts and fails at the first request at night.
        self.berthd.post("/v1/connections", self.mock.connection("ringba", streams={}))
        self.berthd.stop()
        key = self.berthd.folder / "vault.key"
        right = key.read_bytes()
        key.write_bytes(bytes(range(32)))
        self.berthd.start(wait=False)
        self.assertNotEqual(self.berthd.process.wait(20), 0)
        self.assertIn("sealed with key", self.berthd.log())
        key.write_bytes(right)
        key.chmod(0o644)
        self.berthd.start(wait=False)
        self.assertNotEqual(self.berthd.process.wait(20), 0)
        self.assertIn("chmod 0600", self.berthd.log())
        key.chmod(0o600)
        self.berthd.start()
        self.assertTrue(self.check())

    def check_start(self):
        done = subprocess.run([str(BIN / "berthd"), "--config", str(self.berthd.config), "--check"], capture_output=True, text=True, timeout=30)
        return done.returncode, done.stdout + done.stderr

    def test_a_check_knows_the_key_of_the_database(self):
        # Would break: "configuration ok", and a daemon that does not start; a hint that nobody can follow while nothing starts.
        connection = self.berthd.post("/v1/connections", self.mock.connection("ringba", streams={}))
        key = self.berthd.folder / "vault.key"
        right = key.read_bytes()
        files = lambda: sorted((path.name, path.stat().st_mtime_ns) for path in self.berthd.folder.glob("berth.db*"))
        self.assertEqual(self.check_start(), (0, "configuration ok\n"), "beside a running daemon")
        key.write_bytes(bytes(range(32)))
        for stop in (lambda: None, self.berthd.kill, self.berthd.start, self.berthd.stop):
            if stop == self.berthd.start:
                key.write_bytes(right)
            stop()
            key.write_bytes(bytes(range(32)))
            status, text = self.check_start()
            self.assertEqual(status, 78, text)
            self.assertIn("sealed with key", text)
        before = files()
        key.unlink()
        status, text = self.check_start()
        self.assertEqual(status, 78, text)
        self.assertIn("are as well", text)
        self.assertEqual(files(), before)
        # What the hint says can be done.
        self.berthd.start(wait=False)
        self.assertEqual(self.berthd.process.wait(20), 70)
        self.assertIn("DELETE FROM secret", self.berthd.log())
        with contextlib.closing(sqlite3.connect(self.berthd.folder / "berth.db")) as database, database:
            database.execute("DELETE FROM secret")
        self.berthd.start()
        self.assertEqual(self.berthd.control("DELETE", f"/v1/connections/{connection['id']}").status, 204)
        self.berthd.post("/v1/connections", self.mock.connection("ringba", streams={}))
        self.assertTrue(self.check())

    def test_keys_that_do_not_fit_are_refused_while_running(self):
        self.berthd.post("/v1/connections", self.mock.connection("ringba", streams={}))
        key = self.berthd.folder / "vault.key"
        right = key.read_bytes()
        key.write_bytes(bytes(range(32)))
        answer = self.berthd.control("POST", "/v1/vault/rotate", {})
        self.assertGreaterEqual(answer.status, 400)
        self.assertIn("nothing was changed", answer.json["hint"])
        key.write_bytes(right)
        self.assertTrue(wait_for(self.check, 5))


if __name__ == "__main__":
    unittest.main(verbosity=2)
