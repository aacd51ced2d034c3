"""Backups and restores as an operator does them at night, and what happens to files under a running daemon."""

import pathlib
import os
import shutil
import sqlite3
import subprocess
import tempfile
import time
import unittest
import urllib.parse

from rig import BIN, Berthd, Mock, wait_for


def pixel(number):
    return {"event": "completed", "call_id": f"call-{number}", "caller": "+12025550143"}


class Files(unittest.TestCase):
    def setUp(self):
        self.mock = Mock(("ringba",), ["--calls", "5"])
        self.berthd = Berthd().start()
        self.connection = self.berthd.post("/v1/connections", self.mock.connection("ringba", streams={}))

    def tearDown(self):
        self.berthd.stop()
        self.mock.stop()
        shutil.rmtree(self.berthd.folder, ignore_errors=True)

    @property
    def database(self):
        return self.berthd.folder / "berth.db"

    def take(self, numbers):
        for number in numbers:
            self.berthd.deliver(self.connection, pixel(number))
        wait_for(lambda: not [e for e in self.berthd.all_items("/v1/events") if e["state"] in ("available", "running")], 20, "dispatch")

    def command(self, *arguments):
        done = subprocess.run([str(BIN / "berthd"), "--config", str(self.berthd.config), *arguments], capture_output=True, text=True,
                              env=dict(os.environ, SWIFT_BACKTRACE="enable=no", **self.berthd.environment), timeout=30)
        return done.returncode, done.stdout + done.stderr

    def records(self):
        return len(self.berthd.all_items("/v1/records/call"))

    def test_a_clean_stop_leaves_one_whole_file(self):
        # Would break: a copy of berth.db that is empty because all of it is in the log; an old log that destroys a file put in its place.
        self.take(range(30))
        backup = self.berthd.folder / "backup.db"
        self.berthd.post("/v1/backup", {"path": str(backup)})
        self.take(range(30, 60))
        self.berthd.stop()
        self.assertEqual([path.name for path in self.berthd.folder.glob("berth.db-*")], [])
        with sqlite3.connect(f"file:{self.database}?mode=ro", uri=True) as database:
            self.assertEqual(database.execute("SELECT count(*) FROM event").fetchone()[0], 60)
        shutil.copyfile(backup, self.database)
        self.berthd.start()
        self.assertEqual(self.records(), 30)

    def test_restore_after_a_kill(self):
        # Would break: the log of the killed daemon written over the restored file: "ready", then malformed.
        self.take(range(20))
        backup = self.berthd.folder / "backup.db"
        self.berthd.post("/v1/backup", {"path": str(backup)})
        status, text = self.command("--restore", str(backup))
        self.assertNotEqual(status, 0, "restored under a running daemon")
        self.assertIn("has this database open", text)
        self.take(range(20, 200))
        self.berthd.kill()
        self.assertGreater((self.berthd.folder / "berth.db-wal").stat().st_size, 0)
        (self.berthd.folder / "garbage.db").write_bytes(b"no database" * 1000)
        sqlite3.connect(self.berthd.folder / "foreign.db").execute("CREATE TABLE other (x)")
        (self.berthd.folder / "folder.db").mkdir()
        for wrong, needle in (("nowhere.db", "can't be read"), ("folder.db", "is a folder"), ("garbage.db", "garbage.db is no backup: file is not a database"),
                              ("foreign.db", "none of Berth's")):
            status, text = self.command("--restore", str(self.berthd.folder / wrong))
            self.assertNotEqual(status, 0, text)
            self.assertIn(needle, text)
        status, text = self.command("--restore", str(backup))
        self.assertEqual(status, 0, text)
        kept = pathlib.Path(text.split("before: ")[1].splitlines()[0])
        self.assertEqual(self.database.stat().st_mode & 0o777, 0o600)
        self.assertEqual([path.name for path in self.berthd.folder.glob("*.db-*") if not path.name.startswith("berth.db")], [], "left beside backups")
        status, text = self.command("--restore", str(backup), "--check")
        self.assertEqual(status, 64, text)
        self.berthd.start()
        self.assertEqual(self.records(), 20)
        self.take(range(300, 310))
        self.assertEqual(self.records(), 30)
        # What was there is whole, with its log.
        with sqlite3.connect(kept) as database:
            self.assertEqual(database.execute("SELECT count(*) FROM event").fetchone()[0], 200)
            self.assertEqual(database.execute("PRAGMA integrity_check").fetchone()[0], "ok")

    @unittest.skipUnless(os.geteuid() == 0, "giving files away needs root")
    def test_root_restores_for_the_daemons_user(self):
        # Would break: exit status 0, and a database of root's that the daemon can't open.
        self.take(range(3))
        backup = self.berthd.folder / "backup.db"
        self.berthd.post("/v1/backup", {"path": str(backup)})
        self.berthd.stop()
        for path in (self.berthd.folder, self.database):
            os.chown(path, 65534, 65533)
        (self.berthd.folder / "berth.db.lock").unlink()
        for gone in (False, True):
            if gone:
                self.database.unlink()
            status, text = self.command("--restore", str(backup))
            self.assertEqual(status, 0, text)
            for path in (self.database, self.berthd.folder / "berth.db.lock"):
                self.assertEqual((path.stat().st_uid, path.stat().st_gid), (65534, 65533), path.name)

    def test_a_restore_that_was_cut_short_is_told(self):
        # Would break: a daemon that starts on half a restore as if nothing had been.
        self.take(range(5))
        backup = self.berthd.folder / "backup.db"
        self.berthd.post("/v1/backup", {"path": str(backup)})
        self.berthd.stop()
        (self.berthd.folder / "berth.db.restoring-mark").touch()
        status, text = self.command()
        self.assertEqual(status, 70, text)
        self.assertIn("--restore", text)
        self.assertEqual(self.command("--restore", str(backup))[0], 0)
        self.berthd.start()
        self.assertEqual(self.records(), 5)

    def test_a_damaged_file_acknowledges_nothing(self):
        # Would break: health says failing, and deliveries are still answered 202 into a file that nobody can read.
        self.take(range(200))
        self.berthd.stop()
        size = self.database.stat().st_size
        with open(self.database, "r+b") as file:
            # Every page but the first few, which the start itself reads.
            for offset in range(40 * 4096, size, 4096):
                file.seek(offset)
                file.write(os.urandom(4096))
        self.berthd.start(wait=False)
        ended = lambda: self.berthd.process.poll() is not None
        deadline = time.monotonic() + 20
        while not ended() and time.monotonic() < deadline:
            for path in ("/v1/events", "/v1/records/call", "/v1/audit"):
                try:
                    self.berthd.control("GET", path)
                except OSError:
                    pass
            time.sleep(0.1)
        self.assertTrue(ended(), "goes on with a file that can't be read")
        # And not again, however often the service manager tries.
        status, text = self.command()
        self.assertEqual(status, 70, text)
        self.assertIn("damaged", text)
        self.assertIn("--restore", text)

    def test_a_database_file_that_goes_away(self):
        # Would break: 202 for deliveries into a file that no longer has a name, and health says ok.
        self.take(range(3))
        path = urllib.parse.urlsplit(self.connection["webhook"]["url"]).path
        self.database.rename(self.berthd.folder / "moved.db")
        # From that moment, not from the next look.
        self.assertEqual(self.berthd.webhook(path, b'{"event":"completed","call_id":"x"}').status, 503)
        told = lambda: any("while berthd has it open" in part["detail"] for part in self.berthd.control("GET", "/v1/health").json["parts"])
        wait_for(told, 10, "health")
        part = next(part for part in self.berthd.control("GET", "/v1/health").json["parts"] if part["name"] == "store")
        self.assertEqual(part["status"], "failing")
        self.assertIn("berthctl backup", part["hint"])
        saved = self.berthd.folder / "saved.db"
        self.berthd.post("/v1/backup", {"path": str(saved)})
        with sqlite3.connect(saved) as database:
            self.assertGreaterEqual(database.execute("SELECT count(*) FROM event").fetchone()[0], 3)
        (self.berthd.folder / "moved.db").rename(self.database)
        wait_for(lambda: self.berthd.webhook(path, b'{"event":"completed","call_id":"y"}').status == 202, 10, "acceptance")

    def test_a_log_without_its_database(self):
        # Would break: an empty database made beside the log of the one that was moved, which wipes what was accepted; a restore that
        # leaves the old log to be written over what it restored.
        self.take(range(20))
        backup = self.berthd.folder / "backup.db"
        self.berthd.post("/v1/backup", {"path": str(backup)})
        self.take(range(20, 320))
        moved = self.berthd.folder / "moved.db"
        self.database.rename(moved)
        self.berthd.kill()
        status, text = self.command()
        self.assertEqual(status, 70, text)
        self.assertIn("move the database back", text)
        self.assertFalse(self.database.exists())
        moved.rename(self.database)
        self.berthd.start()
        self.assertEqual(len(self.berthd.all_items("/v1/events")), 320)
        self.database.rename(moved)
        self.berthd.kill()
        self.assertEqual(self.command("--restore", str(backup))[0], 0)
        self.berthd.start()
        self.assertEqual(self.records(), 20)
        self.assertEqual(self.berthd.control("GET", "/v1/health").json["status"], "ok")

    def test_a_key_file_that_goes_away(self):
        # Would break: nobody knows until the next start, and then the key may be gone from the backups too.
        key = self.berthd.folder / "vault.key"
        held = key.read_bytes()
        key.unlink()
        part = next(part for part in self.berthd.control("GET", "/v1/health").json["parts"] if part["name"] == "vault")
        self.assertEqual(part["status"], "failing")
        self.assertIn("back", part["hint"])
        key.write_bytes(held)
        key.chmod(0o600)
        self.assertEqual([part for part in self.berthd.control("GET", "/v1/health").json["parts"] if part["name"] == "vault"], [])

    def test_two_names_of_one_database(self):
        # Would break: a second daemon through a symbolic link frees the first one's leases, and works on the same events.
        other = Berthd()
        (other.folder / "berth.db").symlink_to(self.database)
        shutil.copy(self.berthd.folder / "vault.key", other.folder / "vault.key")
        other.start(wait=False)
        try:
            self.assertNotEqual(other.process.wait(15), 0)
            self.assertIn("has this database open", other.log())
        finally:
            other.stop()
            shutil.rmtree(other.folder, ignore_errors=True)

    @unittest.skipUnless(os.geteuid() == 0, "mounting needs root")
    def test_a_backup_that_does_not_fit(self):
        # Would break: the hint names the wrong disk, and half a file is in the way of the next try.
        self.take(range(50))
        folder = pathlib.Path(tempfile.mkdtemp(prefix="berth-small-"))
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=100k", "berth-test", str(folder)], check=True)
        try:
            answer = self.berthd.control("POST", "/v1/backup", {"path": str(folder / "b.db")})
            self.assertGreaterEqual(answer.status, 500)
            self.assertIn("another disk", answer.json["hint"])
            self.assertEqual(list(folder.iterdir()), [])
        finally:
            subprocess.run(["umount", "-l", str(folder)], check=True)
            folder.rmdir()


if __name__ == "__main__":
    unittest.main(verbosity=2)
