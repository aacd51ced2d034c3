"""What happens to one connection at the same time, and what is left of one that is cut off: changes that meet, kills in between, late
answers, and the way back."""

import contextlib
import json
import pathlib
import random
import shutil
import sqlite3
import subprocess
import tempfile
import threading
import time
import unittest
import urllib.parse

from hostile import Hostile
from oauth_probe import SOURCE, browse, probe
from rig import BIN, BUNDLES, Berthd, wait_for

CLIENT = {"client_id": "mock-client", "client_secret": "CANARY-client-secret-9d2f"}
ROUNDS = 12


class Bed(unittest.TestCase):
    settings = "[sync]\nmax_concurrent = 1\n"

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="berth-connections-"))
        probe(self.folder / "bundles", (SOURCE / "plugin.toml").read_text().replace("max_concurrent = 16", "max_concurrent = 1"))
        shutil.copytree(BUNDLES / "ringba", self.folder / "bundles" / "ringba")
        # What came: paths of the API with the tokens shown. `gates` hold paths with that part until the test lets them go.
        self.seen, self.gates, self.refused = [], {}, set()
        self.server = Hostile(self.serve)
        self.berthd = Berthd(folder=self.folder / "state", bundles=self.folder / "bundles", settings=self.settings).start()

    def tearDown(self):
        for gate in self.gates.values():
            gate.set()
        self.berthd.stop()
        self.server.stop()
        # Exchanges outlive the daemon by design and may still write.
        shutil.rmtree(self.folder, ignore_errors=True)

    def serve(self, peer, method, path, head, body):
        token = next((line.split()[-1].decode() for line in head.split(b"\r\n") if line.lower().startswith(b"authorization")), "")
        self.seen.append((path, token))
        for end, gate in list(self.gates.items()):
            if end in path:
                gate.wait(30)
        if path.endswith("/oauth/revoke"):
            return peer.answer(200)
        if path.endswith("/oauth/token"):
            return peer.json(json.dumps({"access_token": f"access-{len(self.seen)}", "token_type": "Bearer", "expires_in": 3600,
                                         "account_id": "a1"}))
        if token in self.refused:
            return peer.answer(401)
        return peer.json('{"account":"a1","items":[]}')

    def hold(self, path):
        """Requests to `path` wait from now on; a function that waits for the first of them, and one that lets them go."""
        self.gates[path] = threading.Event()
        before = len(self.seen)
        came = lambda: wait_for(lambda: any(path in p for p, _ in self.seen[before:]), 20, f"a request to {path}")
        return came, lambda: self.gates.pop(path).set()

    def add(self, name, kind="api_key", **fields):
        fields = fields or ({"token": "tok-1234567"} if kind == "api_key" else CLIENT)
        return self.berthd.post("/v1/connections", {
            "provider": "oauthprobe", "name": name, "base_url": self.server.url, "credentials": {"kind": kind, **fields}})["id"]

    def show(self, connection):
        return self.berthd.get(f"/v1/connections/{connection}")

    def ask(self, method, connection, verb="", body=None):
        return self.berthd.control(method, f"/v1/connections/{connection}" + (f"/{verb}" if verb else ""), body, timeout=60)

    def call(self, connection, path="/api/me", **more):
        return self.ask("POST", connection, "actions/call_api", {"path": path, **more})

    def together(self, *requests):
        """Asks all at once; their statuses in order."""
        answers = [None] * len(requests)

        def one(index, request):
            answers[index] = self.ask(*request).status
        threads = [threading.Thread(target=one, args=pair) for pair in enumerate(requests)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        return answers

    def beside(self, *request):
        """Asks in a thread; a function that waits for the answer."""
        answers = []
        thread = threading.Thread(target=lambda: answers.append(self.ask(*request)))
        thread.start()

        def wait():
            thread.join(60)
            return answers[0]
        return wait

    def invite(self, connection):
        """A consent begun: where the browser is sent back to, with code and state."""
        url = self.berthd.post(f"/v1/connections/{connection}/connect")["url"]
        query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(url).query))
        return query["redirect_uri"] + "?" + urllib.parse.urlencode({"code": "c1", "state": query["state"]})

    def rows(self, query, *values):
        with contextlib.closing(sqlite3.connect(f"file:{self.folder}/state/berth.db?mode=ro", uri=True)) as database:
            return database.execute(query, values).fetchall()

    def slots(self, connection):
        return sorted(row[0] for row in self.rows("SELECT slot FROM secret WHERE connection = ?", connection))

    def audited(self, connection):
        return [entry["kind"] for entry in self.berthd.all_items(f"/v1/audit?connection={connection}")]


class Together(Bed):
    def test_changes_of_one_connection_are_all_kept(self):
        # Would break: one of two changes that meet is answered 200 and is not there.
        other = {"base_url": self.server.url + "/v2"}
        schedule = {"streams": {"items": {"schedule": "every 2h"}}}
        for number in range(ROUNDS):
            one = self.add(f"one{number}")
            self.assertEqual(self.together(("PATCH", one, "", other), ("PATCH", one, "", schedule), ("POST", one, "pause")), [200] * 3)
            shown = self.show(one)
            self.assertEqual((shown["base_url"], shown["streams"]["items"]["schedule"], shown["status"]),
                             (other["base_url"], "every 2h", "paused"))
        self.berthd.kill()
        self.berthd.start()
        for number in range(ROUNDS):
            shown = self.show(f"one{number}")
            self.assertEqual((shown["base_url"], shown["streams"]["items"]["schedule"], shown["status"]),
                             (other["base_url"], "every 2h", "paused"))

    def test_an_end_that_meets_a_change_is_one_after_the_other(self):
        # Would break: a connection is active without its secrets, or disconnected with them.
        for number in range(ROUNDS):
            one = self.add(f"end{number}")
            new = {"credentials": {"kind": "api_key", "token": "tok-NEW4567"}, "base_url": self.server.url + "/v2"}
            statuses = self.together(("PATCH", one, "", new), ("POST", one, "disconnect"))
            shown = self.show(one)
            kinds = self.audited(one)
            if statuses == [409, 200]:  # the end had begun: what it would have taken away was not taken
                self.assertEqual((shown["status"], shown["base_url"], self.slots(one)), ("disconnected", self.server.url, []))
                continue
            self.assertEqual(statuses, [200, 200])
            if shown["status"] == "active":  # the new credentials came after the end: they brought it back
                self.assertLess(kinds.index("connection.reconnected"), kinds.index("connection.disconnected"), kinds)
                self.assertEqual(self.call(one).status, 200)
                self.assertEqual(self.seen[-1][1], "tok-NEW4567")
            else:
                self.assertEqual((shown["status"], kinds[0], self.slots(one)), ("disconnected", "connection.disconnected", []))
            self.assertEqual(shown["base_url"], self.server.url + "/v2")

    def test_a_change_that_meets_a_removal_brings_nothing_back(self):
        # Would break: a removed connection is listed until the next start.
        for number in range(ROUNDS):
            one = self.add(f"gone{number}")
            statuses = self.together(("PATCH", one, "", {"base_url": self.server.url + "/v2"}), ("DELETE", one))
            self.assertIn(statuses, ([200, 204], [404, 204]))
            self.assertEqual((self.ask("GET", one).status, self.slots(one)), (404, []))

    def test_a_change_during_a_slow_end_is_kept_and_nobody_waits(self):
        # Would break: what was answered 200 while the provider was asked is undone when the disconnect ends.
        one, other = self.add("slow", "oauth2_authorization_code"), self.add("other")
        self.assertEqual(browse(self.invite(one))[0].status, 200)
        came, go = self.hold("/oauth/revoke")
        ended = self.beside("POST", one, "disconnect")
        came()
        began = time.monotonic()
        changed = self.ask("PATCH", one, "", {"name": "renamed", "base_url": self.server.url + "/v2"})
        self.assertEqual((changed.status, self.show(other)["status"], self.show(one)["status"]), (200, "active", "active"))
        # What the end will take away, or override, is not answered 200 before.
        for method, path, body in (("PATCH", "", {"credentials": {"kind": "api_key", "token": "tok-NEW4567"}}), ("POST", "pause", {}), ("POST", "connect", {})):
            self.assertEqual(self.ask(method, one, path, body).status, 409, (method, path))
        self.assertLess(time.monotonic() - began, 5)
        go()
        self.assertEqual(ended().status, 200)
        shown = self.show(one)
        self.assertEqual((shown["name"], shown["base_url"], shown["status"], self.slots(one)),
                         ("renamed", self.server.url + "/v2", "disconnected", []))

    def test_a_check_of_old_credentials_says_nothing_of_new_ones(self):
        # Would break: a good new credential stands in error because the old one was refused meanwhile.
        one = self.add("checked")
        self.refused.add("tok-1234567")
        came, go = self.hold("/api/me")
        checked = self.beside("POST", one, "check")
        came()
        self.assertEqual(self.ask("PATCH", one, "", {"credentials": {"kind": "api_key", "token": "tok-NEW4567"}}).status, 200)
        go()
        self.assertEqual(checked().json["ok"], False)
        shown = self.show(one)
        self.assertEqual((shown["status"], shown.get("last_error")), ("active", None))


class CutOff(Bed):
    def test_kills_leave_no_secret_of_a_disconnected_connection(self):
        # Would break: a kill between the status and the secrets leaves a credential that goes on working.
        for number in range(8):
            ids = [self.add(f"kill{number}-{index}") for index in range(8)]

            def end(index, one):
                with contextlib.suppress(Exception):  # the daemon dies under it
                    self.ask("DELETE", one) if index % 2 else self.ask("POST", one, "disconnect")
            threads = [threading.Thread(target=end, args=pair) for pair in enumerate(ids)]
            for thread in threads:
                thread.start()
            time.sleep(random.uniform(0.001, 0.02))
            self.berthd.kill()
            for thread in threads:
                thread.join(60)
            left = self.rows("SELECT c.name, s.slot FROM secret s JOIN connection c ON c.id = s.connection "
                             "WHERE c.status = 'disconnected' OR c.removed IS NOT NULL")
            self.assertEqual(left, [])
            self.berthd.start()

    def test_secrets_that_an_older_version_left_go_at_the_start(self):
        # Would break: a connection that was cut off before an update still has its credential.
        one, kept = self.add("old"), self.add("kept")
        self.berthd.stop()
        with contextlib.closing(sqlite3.connect(self.folder / "state" / "berth.db")) as database:
            database.execute("UPDATE connection SET status = 'disconnected' WHERE id = ?", (one,))
            database.commit()
        self.berthd.start()
        self.assertEqual((self.slots(one), self.slots(kept)), ([], ["credential/token"]))
        self.assertEqual((self.call(one).status, self.call(kept).status), (409, 200))

    def test_a_disconnected_connection_sends_nothing(self):
        # Would break: a provider still gets requests, without a credential, of a connection that the operator cut off.
        one = self.add("quiet")
        self.assertEqual(self.call(one, no_auth=True).status, 200)
        self.berthd.post(f"/v1/connections/{one}/disconnect")
        count = len(self.seen)
        for verb, body in (("actions/call_api", {"path": "/api/me", "no_auth": True}), ("actions/call_api", {"path": "/api/me"}),
                           ("check", None), ("streams/items/sync", {}), ("pause", None), ("resume", None), ("connect", {})):
            answer = self.ask("POST", one, verb, body)
            self.assertEqual((answer.status, answer.json["code"]), (409, "conflict"), (verb, answer))
            self.assertIn("is disconnected", answer.json["detail"])
            self.assertIn("berthctl connection set-credentials quiet", answer.json["hint"])
        self.assertEqual(len(self.seen), count)
        self.assertEqual(self.ask("PATCH", one, "", {"base_url": self.server.url + "/v2"}).json["status"], "disconnected")
        self.assertEqual(self.slots(one), [])

    def test_what_waited_its_turn_is_not_sent_any_more(self):
        # Would break: a request that waited for a limit goes out after the disconnect was answered.
        one = self.add("queue")
        came, go = self.hold("/api/first")
        first = self.beside("POST", one, "actions/call_api", {"path": "/api/first"})
        came()
        more = [self.beside("POST", one, "actions/call_api", {"path": f"/api/more{index}", "no_auth": index == 0}) for index in range(2)]
        wait_for(lambda: self.audited(one).count("action.performed") == 3, 10, "three actions begun")
        self.berthd.post(f"/v1/connections/{one}/disconnect")
        go()
        first()
        for answer in more:
            answer = answer()
            self.assertNotEqual(answer.status, 200, answer)
            self.assertIn("is disconnected", answer.json["detail"])
        self.assertEqual([path for path, _ in self.seen if "more" in path], [])

    def ended(self, run):
        return wait_for(lambda: (lambda r: r if r["status"] not in ("queued", "running") else None)(
            self.berthd.get(f"/v1/runs/{run['id']}")), 20, "the end of a run")

    def test_runs_end_with_their_connection(self):
        # Would break: a run that was queued reads after the disconnect, and one that ends changes what the disconnect said.
        one, other = self.add("reads"), self.add("waits")
        came, go = self.hold("/api/items")
        running = self.berthd.post(f"/v1/connections/{one}/streams/items/sync")
        came()
        queued = self.berthd.post(f"/v1/connections/{other}/streams/items/sync")
        for connection in (one, other):
            self.berthd.post(f"/v1/connections/{connection}/disconnect")
        count = len(self.seen)
        go()
        self.ended(running)
        done = self.ended(queued)
        self.assertEqual((done["status"], len(self.seen)), ("cancelled", count), done)
        self.assertIn("disconnected", json.dumps(done["error"]))
        for connection in (one, other):
            shown = self.show(connection)
            self.assertEqual((shown["status"], shown["failures"], shown.get("last_error")), ("disconnected", 0, None))

    def test_a_late_consent_leaves_nothing(self):
        # Would break: a callback after the end stores a key for a connection that has none to keep.
        for end in ("disconnect", "remove"):
            one = self.add(end, "oauth2_authorization_code")
            back = self.invite(one)
            answer = self.ask("POST", one, "disconnect") if end == "disconnect" else self.ask("DELETE", one)
            self.assertIn(answer.status, (200, 204))
            count = len(self.seen)
            late = browse(back)[0]
            self.assertEqual((late.status, len(self.seen), self.slots(one)), (400, count, []), late)
            self.assertIn(b"the state is unknown", late.body)

    def test_new_credentials_bring_it_back(self):
        # Would break: whoever disconnected by mistake has to make another connection and lose its records' history.
        for kind, fields in (("api_key", {"token": "tok-1234567"}), ("oauth2_client_credentials", CLIENT),
                             ("oauth2_authorization_code", CLIENT)):
            name = kind.replace("oauth2_", "")
            one = self.add(name, kind, **fields)
            if kind.endswith("code"):
                browse(self.invite(one))
            self.assertEqual(self.call(one).status, 200)
            self.berthd.post(f"/v1/connections/{one}/disconnect")
            self.assertEqual(self.call(one).status, 409)
            back = self.ask("PATCH", one, "", {"credentials": {"kind": kind, **fields}})
            self.assertEqual(back.status, 200, back)
            self.assertEqual(self.audited(one)[0], "connection.reconnected")
            if kind.endswith("code"):
                self.assertEqual(back.json["status"], "error")
                self.assertIn("berthctl connection connect", back.json["last_error"])
                self.assertEqual(browse(self.invite(one))[0].status, 200)
            else:
                self.assertEqual(back.json["status"], "active")
                self.assertEqual(self.ask("POST", one, "resume").status, 200)
            self.assertEqual((self.show(one)["status"], self.call(one).status), ("active", 200))

    def test_its_webhooks_come_back_with_a_new_key(self):
        # Would break: a connection that was brought back refuses every delivery, because its key went with the other secrets.
        made = self.berthd.post("/v1/connections", {
            "provider": "ringba", "name": "hooks", "base_url": self.server.url, "credentials": {"kind": "api_key", "token": "tok-1234567"},
            "settings": {"account_id": "RA1"}})
        path = urllib.parse.urlsplit(made["webhook"]["url"]).path
        self.berthd.post("/v1/connections/hooks/disconnect")
        self.assertEqual(self.berthd.webhook(path, b"{}").status, 410)
        refused = self.ask("PATCH", "hooks", "", {"webhook": {"secret": "a-new-secret-1"}})
        self.assertEqual((refused.status, self.slots(made["id"])), (409, []))
        back = self.ask("PATCH", "hooks", "", {"credentials": {"kind": "api_key", "token": "tok-1234567"}})
        self.assertEqual(self.berthd.webhook(path, b"{}").status, 401)
        self.assertEqual(self.berthd.webhook(urllib.parse.urlsplit(back.json["webhook"]["url"]).path, b'{"a":1}').status // 100, 2)

    def test_a_consent_leaves_a_pause_as_it_is(self):
        # Would break: a connection that a person stopped starts to sync because another person clicked a link.
        one = self.add("paused", "oauth2_authorization_code")
        browse(self.invite(one))
        self.berthd.post(f"/v1/connections/{one}/pause")
        answer = browse(self.invite(one))[0]
        self.assertEqual((answer.status, self.show(one)["status"]), (200, "paused"))
        self.assertIn(b"still paused", answer.body)
        self.assertEqual(self.ask("POST", one, "resume").json["status"], "active")

    def test_a_state_pasted_for_the_wrong_connection_serves_the_right_one(self):
        # Would break: a slip of the hand costs the person at the provider another consent.
        one, other = self.add("right", "oauth2_authorization_code"), self.add("wrong", "oauth2_authorization_code")
        self.invite(other)
        back = self.invite(one)
        wrong = self.ask("POST", other, "connect/complete", {"url": back})
        self.assertEqual((wrong.status, wrong.json["code"]), (400, "invalid_request"), wrong)
        self.assertEqual(self.ask("POST", one, "connect/complete", {"url": back}).status, 200)
        self.assertEqual(browse(back)[0].status, 400)


class Names(Bed):
    def add_hook(self, workspace, **webhook):
        return self.berthd.post("/v1/connections", {
            "provider": "ringba", "workspace": workspace, "name": "m", "base_url": self.server.url,
            "credentials": {"kind": "api_key", "token": "tok-1234567"}, "settings": {"account_id": "RA1"},
            **({"webhook": webhook} if webhook else {})})

    def test_a_name_in_two_workspaces_is_told_apart_by_its_token(self):
        # Would break: a connection somewhere else silences the webhooks of one that has its name.
        one = self.add_hook("default")
        token = one["webhook"]["url"].rsplit("/", 1)[1]
        self.assertEqual(self.berthd.webhook(f"/webhooks/ringba/m/{token}", b'{"a":1}').status // 100, 2)
        other = self.add_hook("other")
        self.assertIn(one["id"], one["webhook"]["url"])
        for made, body in ((one, b'{"a":2}'), (other, b'{"a":3}')):
            token = made["webhook"]["url"].rsplit("/", 1)[1]
            answer = self.berthd.webhook(f"/webhooks/ringba/m/{token}", body)
            self.assertEqual(answer.status // 100, 2, answer)
            self.assertEqual(self.berthd.event(answer.json["id"])["connection"], made["id"])
        self.assertEqual(self.berthd.webhook("/webhooks/ringba/m/wrong-token", b"{}").status, 404)
        self.assertEqual(self.berthd.webhook("/webhooks/ringba/m", b"{}").status, 404)
        # With one key for both nobody can tell whose it is.
        for made in (one, other):
            self.assertEqual(self.ask("PATCH", made["id"], "", {"webhook": {"secret": "the-same-secret"}}).status, 200)
        self.assertEqual(self.berthd.webhook("/webhooks/ringba/m/the-same-secret", b'{"a":4}').status, 404)
        self.assertEqual(self.berthd.webhook(f"/webhooks/ringba/{other['id']}/the-same-secret", b'{"a":4}').status // 100, 2)

    def test_the_hint_for_a_name_that_is_not_clear_can_be_followed(self):
        # Would break: whoever follows the hint is told the same again.
        one, other = self.add_hook("default"), self.add_hook("other")
        answer = self.ask("GET", "m")
        self.assertEqual(answer.status, 409)
        self.assertIn(f"default/ringba/m is {one['id']}", answer.json["hint"])
        self.assertIn(f"other/ringba/m is {other['id']}", answer.json["hint"])
        told = subprocess.run(
            [BIN / "berthctl", "--socket", str(self.berthd.socket), "connection", "show", "other/ringba/m", "--output", "json"],
            capture_output=True, text=True)
        self.assertIn(other["id"], told.stdout, told)
        self.assertEqual(self.show(other["id"])["workspace"], "other")


class AuditLog(Bed):
    def test_no_entry_is_replaced(self):
        # Would break: whoever has the file rewrites the log with INSERT OR REPLACE, which asks no trigger against deleting.
        self.add("audited")
        self.berthd.stop()
        columns = "sequence, at, kind, actor, connection, detail, address"
        with contextlib.closing(sqlite3.connect(self.folder / "state" / "berth.db")) as database:
            before = database.execute(f"SELECT {columns} FROM audit ORDER BY sequence").fetchall()
            for change in (
                "INSERT OR REPLACE INTO audit SELECT sequence, at, kind, 'evil', connection, detail, address FROM audit",
                "REPLACE INTO audit (sequence, at, kind, actor, detail) VALUES (1, 0, 'k', 'evil', 'd')",
                "INSERT INTO audit (sequence, at, kind, actor, detail) VALUES (0, 0, 'k', 'evil', 'd')",
                "INSERT INTO audit SELECT sequence, at, kind, actor, connection, detail, address FROM audit WHERE true "
                "ON CONFLICT DO UPDATE SET actor = 'evil'",
                "UPDATE OR REPLACE audit SET sequence = 1",
            ):
                with self.assertRaisesRegex(sqlite3.DatabaseError, "append-only"):
                    database.execute(change)
                database.rollback()
            self.assertEqual(database.execute(f"SELECT {columns} FROM audit ORDER BY sequence").fetchall(), before)
        self.berthd.start()
        self.add("more")
        self.assertEqual(len(self.berthd.all_items("/v1/audit?kind=connection.created")), 2)


if __name__ == "__main__":
    unittest.main(verbosity=2)
