"""A connection that gets another address or another credential while something is under way with the old ones: no secret meets a server
that it was not given for, and nothing that the old server says is kept for the new one."""

import contextlib
import json
import pathlib
import shutil
import sqlite3
import tempfile
import threading
import time
import unittest
import urllib.parse

from hostile import Hostile
from oauth_probe import SOURCE, browse, probe
from rig import Berthd, wait_for


class Moves(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="berth-moves-"))
        probe(self.folder / "bundles", (SOURCE / "plugin.toml").read_text().replace(
            "max_concurrent = 16", 'max_concurrent = 16\nrate_limits = [ { requests = 1, per = "second", class = "slow" } ]'))
        # What each server saw: (path, body, authorization). `gates` hold paths with that part until the test lets them go.
        self.seen, self.gates, self.token_reply = {"A": [], "B": []}, {}, None
        self.servers = {name: Hostile(lambda *asked, name=name: self.serve(name, *asked)) for name in self.seen}
        self.berthd = Berthd(folder=self.folder / "state", bundles=self.folder / "bundles").start()

    def tearDown(self):
        for gate in self.gates.values():
            gate.set()
        self.berthd.stop()
        for server in self.servers.values():
            server.stop()
        shutil.rmtree(self.folder, ignore_errors=True)  # exchanges outlive the daemon by design and may still write

    def serve(self, name, peer, method, path, head, body):
        token = next((line.split()[-1].decode() for line in head.split(b"\r\n") if line.lower().startswith(b"authorization")), "")
        self.seen[name].append((path, body.decode(), token))
        number = len(self.seen[name])
        for part, gate in list(self.gates.items()):
            if part in path:
                gate.wait(30)
        if "/oauth/token" in path:
            if self.token_reply:
                return self.token_reply(peer, name, body.decode())
            return peer.json(json.dumps({
                "access_token": f"access-of-{name}-{number}", "refresh_token": f"refresh-of-{name}-{number}", "expires_in": 3600,
                "account_id": "a1"}))
        if "/api/items" in path:
            page = int(path.split("=")[1])
            return peer.json(json.dumps({
                "items": [{"id": f"{name}{page}", "name": "n", "value": 1}], "next_page": page + 1 if page < 4 else None}))
        return peer.json('{"account":"a1"}')

    def add(self, name, kind, server="A", **fields):
        return self.berthd.post("/v1/connections", {
            "provider": "oauthprobe", "name": name, "base_url": self.servers[server].url, "credentials": {"kind": kind, **fields}})

    def change(self, name, kind=None, server=None, **fields):
        body = {"base_url": self.servers[server].url} if server else {}
        if kind:
            body["credentials"] = {"kind": kind, **fields}
        answer = self.berthd.control("PATCH", f"/v1/connections/{name}", body)
        self.assertEqual(answer.status, 200, answer)

    def call(self, name, path="/api/me", **more):
        return self.berthd.control("POST", f"/v1/connections/{name}/actions/call_api", {"path": path, **more}, timeout=60)

    def hold(self, part):
        self.gates[part] = threading.Event()

    def let_go(self, part):
        self.gates.pop(part).set()

    def all_of(self, name):
        return " ".join(" ".join(asked) for asked in self.seen[name])

    def ended(self, run):
        return wait_for(lambda: (lambda now: now if now["status"] not in ("queued", "running") else None)(
            self.berthd.get(f"/v1/runs/{run['id']}")), 30, "the end of the run")

    def test_what_is_under_way_takes_no_secret_to_the_old_address(self):
        # Would break: pages of a run, and later requests of an action, carry the new server's key to the old one.
        self.add("k", "api_key", token="KEY-OF-A")
        self.hold("page=2")
        self.hold("/api/me")
        run = self.berthd.post("/v1/connections/k/streams/items/sync")
        answers = []
        action = threading.Thread(target=lambda: answers.append(self.call("k", times=3)))
        action.start()
        wait_for(lambda: "page=2" in self.all_of("A") and "/api/me" in self.all_of("A"), 20, "requests under way")
        self.change("k", "api_key", "B", token="KEY-OF-B")
        self.let_go("page=2")
        self.let_go("/api/me")
        end = self.ended(run)
        action.join(30)
        self.assertNotIn("KEY-OF-B", self.all_of("A"))
        self.assertNotIn("KEY-OF-A", self.all_of("B"))
        self.assertIn("changed while this was under way", str(answers[0].json))
        # Where it stood at A is no place at B.
        self.assertEqual(end["status"], "cancelled", end)
        self.assertIn("another address or account", json.dumps(end))
        self.assertEqual(self.ended(self.berthd.post("/v1/connections/k/streams/items/sync"))["status"], "success")
        self.assertIn("KEY-OF-B", self.all_of("B"))

    def test_a_run_goes_on_with_another_key_of_the_same_server(self):
        # Would break: who changes a key ends the sync of hours that is under way, or it goes on with the old key; a new name ends it too.
        self.add("same", "api_key", token="FIRST-KEY")
        self.hold("page=2")
        run = self.berthd.post("/v1/connections/same/streams/items/sync")
        wait_for(lambda: "page=2" in self.all_of("A"), 20, "the second page")
        self.assertEqual(self.berthd.control("PATCH", "/v1/connections/same", {"name": "other"}).status, 200)
        self.change("other", "api_key", token="SECOND-KEY")
        self.let_go("page=2")
        self.assertEqual(self.ended(run)["status"], "success")
        pages = [(path.split("=")[1], key) for path, _, key in self.seen["A"] if "items" in path]
        self.assertEqual(pages, [("1", "FIRST-KEY"), ("2", "FIRST-KEY"), ("3", "SECOND-KEY"), ("4", "SECOND-KEY")])

    def test_a_paused_run_begins_anew_at_another_address(self):
        # Would break: a run that waited out a pause goes on at the new server with the old one's cursor, and skips what is before it.
        self.add("rest", "api_key", token="KEY-OF-A")
        self.hold("page=3")
        run = self.berthd.post("/v1/connections/rest/streams/items/sync")
        wait_for(lambda: "page=3" in self.all_of("A"), 20, "the third page")
        self.berthd.post("/v1/connections/rest/pause")
        wait_for(lambda: self.berthd.get(f"/v1/runs/{run['id']}")["status"] == "queued", 20, "a queued run")
        self.let_go("page=3")
        self.change("rest", "api_key", "B", token="KEY-OF-B")
        self.berthd.post("/v1/connections/rest/resume")
        self.assertEqual(self.ended(run)["status"], "success")
        self.assertEqual([path.split("=")[1] for path, _, _ in self.seen["B"]], ["1", "2", "3", "4"])

    def test_a_new_name_or_schedule_ends_nothing(self):
        # Would break: any change of a connection ends what runs.
        self.add("plain", "api_key", token="KEY-OF-A")
        self.hold("/api/me")
        answers = []
        action = threading.Thread(target=lambda: answers.append(self.call("plain", times=3)))
        action.start()
        wait_for(lambda: self.seen["A"], 20, "a request")
        self.assertEqual(self.berthd.control("PATCH", "/v1/connections/plain", {
            "name": "fancy", "streams": {"items": {"schedule": "every 1h"}}}).status, 200)
        self.let_go("/api/me")
        action.join(30)
        self.assertEqual(answers[0].status, 200, answers)

    def test_no_key_meets_the_wrong_server_however_often_it_moves(self):
        # Would break: between the commit of a move and its being known, new keys go to the old address or old keys to the new one.
        self.add("often", "api_key", token="KEY-OF-A")
        stop = threading.Event()

        def caller():
            while not stop.is_set():
                self.call("often", times=3)

        callers = [threading.Thread(target=caller) for _ in range(3)]
        for one in callers:
            one.start()
        for number in range(24):
            server = "BA"[number % 2]
            self.change("often", "api_key", server, token=f"KEY-OF-{server}")
            time.sleep(0.05)
        stop.set()
        for one in callers:
            one.join(60)
        self.assertTrue(self.seen["A"] and self.seen["B"])
        self.assertEqual([key for _, _, key in self.seen["A"] if key != "KEY-OF-A"], [])
        self.assertEqual([key for _, _, key in self.seen["B"] if key != "KEY-OF-B"], [])

    def test_a_token_of_one_server_is_not_shown_to_another(self):
        # Would break: a token request that waits for the old server sends it the new client_secret, or its token goes to the new one.
        fields = {"client_id": "client", "client_secret": "SECRET-OF-A"}
        self.add("token", "oauth2_client_credentials", **fields)
        self.hold("/oauth/token")
        answers = []
        calls = [threading.Thread(target=lambda: answers.append(self.call("token"))) for _ in range(4)]
        for one in calls:
            one.start()
        wait_for(lambda: self.seen["A"], 20, "a token request")
        self.change("token", "oauth2_client_credentials", "B", client_id="client", client_secret="SECRET-OF-B")
        self.let_go("/oauth/token")
        for one in calls:
            one.join(60)
        self.assertEqual(self.call("token").status, 200)
        self.assertNotIn("SECRET-OF-B", self.all_of("A"))
        self.assertNotIn("of-A", self.all_of("B"))
        # Nor where only the address is another.
        self.seen["A"].clear()
        self.change("token", server="A")
        self.assertEqual(self.call("token").status, 200)
        self.assertNotIn("access-of-B", self.all_of("A"))

    def test_a_move_loses_no_grant(self):
        # Would break: the new refresh token goes to the old server, and its invalid_grant is stored as the new grant's end.
        def reply(peer, name, body):
            if f"REFRESH-OF-{name}" not in body:
                return peer.json('{"error":"invalid_grant"}', 400)
            return peer.json(json.dumps({"access_token": f"access-of-{name}", "expires_in": 3600}))

        self.token_reply = reply
        fields = {"client_id": "client", "client_secret": "secret-of-both"}
        self.add("grant", "oauth2_refresh_token", refresh_token="REFRESH-OF-A", **fields)
        self.hold("page=2")
        run = self.berthd.post("/v1/connections/grant/streams/items/sync")
        wait_for(lambda: "page=2" in self.all_of("A"), 20, "the second page")
        self.change("grant", "oauth2_refresh_token", "B", refresh_token="REFRESH-OF-B", **fields)
        self.let_go("page=2")
        self.ended(run)
        self.assertEqual(self.call("grant").status, 200)
        self.assertNotIn("REFRESH-OF-B", self.all_of("A"))
        self.assertNotIn("REFRESH-OF-A", self.all_of("B"))
        now = self.berthd.get("/v1/connections/grant")
        self.assertEqual((now["status"], now.get("last_error")), ("active", None))

    def test_a_link_of_before_a_change_leads_to_nothing(self):
        # Would break: the code and the new client_secret go to the old server, whose tokens are then the new connection's.
        fields = {"client_id": "client", "client_secret": "SECRET-OF-A"}
        changes = {
            "moved": {"server": "B"}, "keyed": {"kind": "oauth2_authorization_code", "client_id": "client", "client_secret": "NEW-SECRET"},
            "kind": {"kind": "api_key", "token": "KEY-OF-A"}}
        for name, change in changes.items():
            with self.subTest(name):
                self.add(name, "oauth2_authorization_code", **fields)
                invitation = self.berthd.post(f"/v1/connections/{name}/connect")["url"]
                self.change(name, **change)
                page = self.come_back(invitation)
                self.assertEqual(page.status, 400, page)
                self.assertIn(b"changed after this link was made", page.body)
                self.assertIn(b"berthctl connection connect", page.body)
                self.assertEqual(self.seen, {"A": [], "B": []})
        # One of before a new name leads where it did.
        self.add("named", "oauth2_authorization_code", **fields)
        invitation = self.berthd.post("/v1/connections/named/connect")["url"]
        self.assertEqual(self.berthd.control("PATCH", "/v1/connections/named", {"name": "renamed"}).status, 200)
        self.assertEqual(self.come_back(invitation).status, 200)

    def test_a_code_that_is_exchanged_during_a_change_gives_nothing(self):
        # Would break: the old server answers late, and its tokens are stored for the new address.
        self.add("late", "oauth2_authorization_code", client_id="client", client_secret="SECRET-OF-A")
        invitation = self.berthd.post("/v1/connections/late/connect")["url"]
        self.hold("/oauth/token")
        pages = []
        browser = threading.Thread(target=lambda: pages.append(self.come_back(invitation)))
        browser.start()
        wait_for(lambda: self.seen["A"], 20, "the exchange")
        self.change("late", server="B")
        self.let_go("/oauth/token")
        browser.join(30)
        self.assertEqual(pages[0].status, 400, pages)
        self.assertIn("nobody has consented yet", str(self.call("late").json))
        self.assertEqual(self.seen["B"], [])

    def come_back(self, invitation, **more):
        query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(invitation).query))
        fields = {"state": query["state"], **(more or {"code": "code"})}
        return browse(query["redirect_uri"] + "?" + urllib.parse.urlencode(fields))[0]

    def connect(self, name, **more):
        return self.come_back(self.berthd.post(f"/v1/connections/{name}/connect")["url"], **more)

    def test_a_damaged_grant_is_replaced_by_what_its_hint_says(self):
        # Would break: neither a consent nor new credentials take the place of a grant that can't be opened; a code is spent for nothing.
        client = {"client_id": "client", "client_secret": "secret-of-a-client"}
        kinds = {"consent": ("oauth2_authorization_code", {}), "client": ("oauth2_client_credentials", {}),
                 "again": ("oauth2_authorization_code", {})}
        for name, (kind, fields) in kinds.items():
            self.add(name, kind, **client, **fields)
            if kind == "oauth2_authorization_code":
                self.assertEqual(self.connect(name).status, 200)
            self.assertEqual(self.call(name).status, 200)
        self.berthd.stop()
        with contextlib.closing(sqlite3.connect(f"{self.folder}/state/berth.db")) as database:
            for connection, sealed in database.execute("SELECT connection, sealed FROM secret WHERE slot = 'grant'").fetchall():
                damaged = bytearray(sealed)
                damaged[len(damaged) // 2] ^= 1
                database.execute("UPDATE secret SET sealed = ? WHERE connection = ? AND slot = 'grant'", (bytes(damaged), connection))
            database.commit()
        self.berthd.start()
        for name in kinds:
            self.assertIn("does not open", str(self.call(name).json), name)
        self.assertEqual(self.connect("consent").status, 200)
        self.change("client", "oauth2_client_credentials", **client)
        self.change("again", "oauth2_authorization_code", **client)
        self.assertEqual(self.connect("again").status, 200)
        for name in kinds:
            self.assertEqual(self.call(name).status, 200, name)

    def test_a_failed_consent_leaves_a_trace(self):
        # Would break: why a consent failed stands on a browser page that nobody keeps.
        added = self.add("no", "oauth2_authorization_code", client_id="client", client_secret="secret-of-a-client")
        self.token_reply = lambda peer, name, body: peer.json('{"error":"invalid_client","error_description":"unknown client"}', 401)
        for fields, reason in [({"code": "code"}, "unknown client"), ({"error": "access_denied"}, "access_denied")]:
            self.assertGreaterEqual(self.connect("no", **fields).status, 400)
            noted = [entry["detail"] for entry in self.berthd.all_items(f"/v1/audit?connection={added['id']}")
                     if entry["kind"] == "connection.consent_failed"]
            self.assertTrue(any(reason in detail for detail in noted), noted)
            now = self.berthd.get("/v1/connections/no")
            self.assertEqual(now["status"], "error")
            self.assertIn(reason, now["last_error"])
            self.assertTrue(any("consent failed" in line and reason in line for line in self.berthd.log().splitlines()))
        self.token_reply = None
        self.assertEqual(self.connect("no").status, 200)
        # Of one that lives on an earlier consent it is only noted.
        self.assertGreaterEqual(self.connect("no", error="access_denied").status, 400)
        now = self.berthd.get("/v1/connections/no")
        self.assertEqual((now["status"], now.get("last_error")), ("active", None))

    def test_refusals_that_last_make_an_error(self):
        # Would break: a connection whose token endpoint says no for good looks active for ever, and the provider's reason is nowhere.
        answers = {
            "moved": lambda peer: peer.send("HTTP/1.1 302 X\r\nLocation: https://login.example/\r\nContent-Length: 0\r\n\r\n"),
            "barred": lambda peer: peer.json('{"message":"IP address not allowed"}', 403),
            "listed": lambda peer: peer.json('{"errors":[{"detail":"tenant is closed"}]}', 403),
            "busy": lambda peer: peer.json('{"error":"slow_down"}', 429)}
        self.token_reply = lambda peer, name, body: next(answers[one] for one in answers if one in body)(peer)
        for name in answers:
            self.add(name, "oauth2_refresh_token", client_id="client", client_secret="secret-of-a-client", refresh_token=f"refresh-{name}")

        def try_all():
            for name in answers:
                self.call(name)
            count = sum("refresh-busy" in body for _, body, _ in self.seen["A"])
            return count >= 4 and all(self.berthd.get(f"/v1/connections/{name}")["status"] == "error" for name in answers if name != "busy")

        wait_for(try_all, 60, "errors")
        now = {name: self.berthd.get(f"/v1/connections/{name}") for name in answers}
        self.assertIn("answered 302", now["moved"]["last_error"])
        self.assertIn("answered 403: IP address not allowed", now["barred"]["last_error"])
        self.assertIn("answered 403: tenant is closed", now["listed"]["last_error"])
        self.assertEqual(now["busy"]["status"], "active")
        # It mends itself when the provider does.
        self.token_reply = None
        wait_for(lambda: self.call("barred").status == 200, 60, "a token")
        self.assertEqual(self.berthd.get("/v1/connections/barred")["status"], "active")

    def test_a_circuit_goes_with_its_connection(self):
        # Would break: a removed connection's open circuit stays in the metrics, and alarms about it never end.
        self.add("gone", "api_key", token="KEY-OF-A")
        self.servers["A"].stop()
        for _ in range(7):
            self.call("gone")
        self.assertIn("berth_circuit_state{", self.berthd.control("GET", "/metrics").body.decode())
        self.assertEqual(self.berthd.control("DELETE", "/v1/connections/gone").status, 204)
        self.assertNotIn("berth_circuit_state{", self.berthd.control("GET", "/metrics").body.decode())


if __name__ == "__main__":
    unittest.main()
