"""How old credentials are, and who is told when it is time for new ones. Rows are made older while the daemon is stopped."""

import pathlib
import shutil
import sqlite3
import subprocess
import tempfile
import time
import unittest

from oauth_probe import SOURCE, OAuthMock, call_api, probe
from rig import BIN, Berthd, wait_for

MANIFEST = (SOURCE / "plugin.toml").read_text()
DAY = 86_400_000


class Rotation(unittest.TestCase):
    def start(self, settings="", manifest=MANIFEST):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="berth-rotation-"))
        self.addCleanup(shutil.rmtree, self.folder, True)
        probe(self.folder / "bundles", manifest)
        self.mock = OAuthMock(scopes="calls.read", default_scope="calls.read")
        self.addCleanup(self.mock.stop)
        self.berthd = Berthd(self.folder / "state", bundles=self.folder / "bundles", settings=settings).start()
        self.addCleanup(lambda: self.berthd.stop())

    def add(self, name, kind="api_key", **fields):
        return self.berthd.post("/v1/connections", {
            "provider": "oauthprobe", "name": name, "base_url": self.mock.url,
            "credentials": {"kind": kind, **(fields or {"token": self.mock.issue()["access_token"]})}})

    def show(self, name):
        return self.berthd.get(f"/v1/connections/{name}")

    def due(self):
        return {c["name"]: c["rotation_due"] for c in self.berthd.get("/v1/connections")["items"]}

    def age(self, days, where="1", table="secret", column="set_at"):
        """Makes rows older; the daemon is stopped meanwhile."""
        self.berthd.stop()
        with sqlite3.connect(self.folder / "state" / "berth.db") as database:
            changed = database.execute(f"UPDATE {table} SET {column} = {column} - ? WHERE {where}", (days * DAY,)).rowcount
        database.close()
        self.assertGreater(changed, 0)
        self.berthd.start()

    def reminders(self):
        return self.berthd.all_items("/v1/audit?kind=credentials.rotation_due")

    def reminded(self, count):
        wait_for(lambda: len(self.reminders()) >= count, 10, f"{count} reminders")
        self.assertEqual(len(self.reminders()), count)

    def metric(self, name):
        lines = self.berthd.control("GET", "/metrics").body.decode().splitlines()
        return next((float(line.split()[-1]) for line in lines if line.startswith(name)), None)

    def part(self):
        return next((p for p in self.berthd.get("/v1/health")["parts"] if p["name"] == "credentials"), None)

    def test_an_old_credential_is_due_until_a_new_one_is_set(self):
        # Would break: a token that a person who left the company still knows, for years.
        self.start()
        begun = time.time()
        self.add("old")
        self.add("young")
        shown = self.show("old")
        self.assertEqual((shown["rotation_due"], shown["credentials_age_days"]), (False, 0), shown)
        self.assertLess(abs(self.seconds(shown["credentials_set_at"]) - begun), 60)
        self.assertIsNone(self.part())
        self.age(89, f"connection = '{shown['id']}'")
        self.assertEqual((self.due(), self.show("old")["credentials_age_days"]), ({"old": False, "young": False}, 89))
        self.assertEqual(self.reminders(), [])
        self.age(1, f"connection = '{shown['id']}'")
        self.assertEqual(self.due(), {"old": True, "young": False})
        # A notice, and nothing that would wake anybody at night: it works as before.
        part, health = self.part(), self.berthd.get("/v1/health")
        self.assertEqual((part["status"], health["status"]), ("ok", "ok"), health)
        self.assertIn("1 connection has credentials that are due for new ones: oauthprobe/old (90 days)", part["detail"])
        self.assertIn("set-credentials", part["hint"])
        self.assertEqual((self.metric("berth_credentials_rotation_due"), self.metric(f'berth_credentials_age_days{{connection="{shown["id"]}"}}')), (1, 90))
        self.assertEqual(call_api(self.berthd, "old", "/api/me")["status"], 200)
        self.reminded(1)
        self.assertIn("oauthprobe/old (90 days)", self.reminders()[0]["detail"])
        self.assertEqual(self.berthd.log().count("credentials are due for new ones"), 1)
        # The command that the hint names.
        token = self.folder / "token"
        token.write_text(self.mock.issue()["access_token"])
        done = subprocess.run(
            [str(BIN / "berthctl"), "connection", "set-credentials", "old", "--socket", str(self.berthd.socket), "--credential", f"token=@{token}"],
            capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual((self.due(), self.show("old")["credentials_age_days"], self.part()), ({"old": False, "young": False}, 0, None))
        self.assertEqual(self.metric("berth_credentials_rotation_due"), 0)
        self.assertEqual(call_api(self.berthd, "old", "/api/me")["status"], 200)

    @staticmethod
    def seconds(text):
        from datetime import datetime
        return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()

    def test_a_day_has_one_reminder(self):
        # Would break: a log full of reminders from a daemon that restarts often, or none at all after the first.
        self.start()
        self.add("old")
        self.age(100)
        self.reminded(1)
        for _ in range(2):
            self.berthd.stop()
            self.berthd.start()
            # Another connection's entry: the reminder has looked by the time it is there.
            self.berthd.post("/v1/connections/old/check")
        self.assertEqual(len(self.reminders()), 1)
        self.berthd.stop()
        # The audit log refuses to be changed: the trigger is taken out for as long as the day is turned back.
        with sqlite3.connect(self.folder / "state" / "berth.db") as database:
            trigger = database.execute("SELECT sql FROM sqlite_master WHERE name = 'audit_unchanged'").fetchone()[0]
            database.executescript(f"DROP TRIGGER audit_unchanged; UPDATE audit SET at = at - {DAY}; {trigger};")
        database.close()
        self.berthd.start()
        self.reminded(2)

    def test_tokens_are_not_due_and_the_client_secret_is(self):
        # Would break: a reminder that nobody can obey, or an old client secret hidden by fresh tokens.
        self.start()
        client = {"client_id": "mock-client", "client_secret": "mock-client-secret"}
        granted = self.mock.issue()["refresh_token"]
        made = self.add("oauth", "oauth2_refresh_token", refresh_token=granted, **client)
        self.assertEqual(call_api(self.berthd, "oauth", "/api/me")["status"], 200)
        mine = f"connection = '{made['id']}'"
        for slot in ("grant", "exchange-key", "credential/refresh_token", "credential/client_id"):
            with self.subTest(slot):
                self.age(400, f"{mine} AND slot = '{slot}'")
                self.assertEqual((self.show("oauth")["rotation_due"], self.show("oauth")["credentials_age_days"]), (False, 0))
        self.age(95, f"{mine} AND slot = 'credential/client_secret'")
        self.assertEqual((self.show("oauth")["rotation_due"], self.show("oauth")["credentials_age_days"]), (True, 95))
        # Renewed tokens do not make it younger.
        self.mock.expire()
        self.assertEqual(call_api(self.berthd, "oauth", "/api/me")["status"], 200)
        self.assertTrue(self.show("oauth")["rotation_due"])
        # A public client has nothing to rotate.
        self.add("jwt", "oauth2_jwt_bearer", client_id="c", subject="s", private_key="k")
        self.age(400, "slot IN ('credential/subject', 'credential/client_id')")
        self.assertFalse(self.show("jwt")["rotation_due"])
        self.age(400, "slot = 'credential/private_key'")
        self.assertTrue(self.show("jwt")["rotation_due"])

    def test_the_age_outlives_a_new_vault_key(self):
        # Would break: sealing again counted as a new credential, so that nothing is ever due where keys are changed.
        self.start()
        self.add("old")
        self.age(120)
        before = self.show("old")["credentials_set_at"]
        self.assertGreater(self.berthd.post("/v1/vault/rotate", {"new_key": True})["rewrapped"], 0)
        self.assertEqual((self.show("old")["credentials_set_at"], self.due()), (before, {"old": True}))

    def test_the_age_at_which(self):
        # Would break: the setting, off included, and a plugin that knows its provider's rule.
        self.start("[credentials]\nrotation_days = 0\n", MANIFEST.replace('kind = "oauth2_client_credentials"', 'kind = "oauth2_client_credentials"\nrotation_days = 10'))
        self.add("never")
        self.add("strict", "oauth2_client_credentials", client_id="mock-client", client_secret="mock-client-secret")
        self.age(3000)
        self.assertEqual(self.due(), {"never": False, "strict": True})
        self.reminded(1)
        self.assertEqual(self.reminders()[0]["detail"], "oauthprobe/strict (3000 days)")

    def test_what_was_there_before_is_as_old_as_its_connection(self):
        # Would break: the first start of this version, with secrets of which nobody wrote down when they were set.
        self.start()
        self.add("old")
        self.berthd.stop()
        with sqlite3.connect(self.folder / "state" / "berth.db") as database:
            version = database.execute("PRAGMA user_version").fetchone()[0]
            # Step 9 may be taken twice.
            self.assertEqual(version, 11, "a later step: undo it here too")
            database.executescript(
                f"UPDATE connection SET created = created - {200 * DAY}; DROP TRIGGER audit_appended; DROP TABLE boot; ALTER TABLE secret "
                "DROP COLUMN set_at; ALTER TABLE request DROP COLUMN reason; ALTER TABLE event DROP COLUMN unproven; "
                "PRAGMA user_version = 4")
        database.close()
        self.berthd.start()
        self.assertEqual((self.due(), self.show("old")["credentials_age_days"]), ({"old": True}, 200))


if __name__ == "__main__":
    unittest.main(verbosity=2)
