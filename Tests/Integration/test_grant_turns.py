"""What happens to a grant at the same time: consents, ends, changes and renewals that meet; and what a token endpoint says in bad times."""

import contextlib
import http.client
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

SECRET = "CANARY-client-secret-9d2f"
REFRESH = "CANARY-refresh-7b1e"


class Turns(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="berth-turns-"))
        probe(self.folder / "bundles", (SOURCE / "plugin.toml").read_text().replace("max_concurrent = 16", "max_concurrent = 32"))
        # What was asked: token requests as (grant type, token or code or client), revocations, tokens the API saw.
        self.asked, self.revoked, self.seen = [], [], []
        # How it answers; `gate` holds token requests of one grant type until the test lets them go.
        self.dead, self.refused, self.reply, self.gate = set(), set(), None, {}
        self.server = Hostile(self.serve)
        self.berthd = Berthd(folder=self.folder / "state", bundles=self.folder / "bundles").start()
        self.ids = {}

    def tearDown(self):
        for gate in self.gate.values():
            gate.set()
        self.berthd.stop()
        self.server.stop()
        # Exchanges outlive the daemon by design and may still write.
        shutil.rmtree(self.folder, ignore_errors=True)

    def serve(self, peer, method, path, head, body):
        fields = json.loads(body) if body.startswith(b"{") else dict(urllib.parse.parse_qsl(body.decode()))
        if path.endswith("/oauth/revoke"):
            self.revoked.append(fields["token"])
            return peer.answer(200)
        if path.endswith("/oauth/token"):
            kind = fields["grant_type"]
            number = len(self.asked)
            self.asked.append((kind, fields.get("refresh_token") or fields.get("code") or fields.get("username")))
            if path.startswith("/hang"):
                return peer.hold()
            if kind in self.gate:
                self.gate[kind].wait(30)
            if self.reply:
                return self.reply(peer, fields)
            if fields.get("refresh_token") in self.dead:
                return peer.json('{"error":"invalid_grant"}', 400)
            return peer.json(json.dumps({
                "access_token": f"access-{number}", "token_type": "Bearer", "expires_in": 3600, "account_id": "a1", "scope": "calls.read",
                **({"refresh_token": f"refresh-{number}"} if kind != "client_credentials" else {})}))
        token = next((line.split()[-1].decode() for line in head.split(b"\r\n") if line.lower().startswith(b"authorization")), "")
        self.seen.append(token)
        if token in self.refused:
            return peer.answer(401)
        return peer.json('{"account":"a1"}')

    def add(self, name, kind, url=None, workspace="default", **fields):
        connection = self.berthd.post("/v1/connections", {
            "provider": "oauthprobe", "name": name, "workspace": workspace, "base_url": url or self.server.url,
            "credentials": {"kind": kind, "client_id": "mock-client", "client_secret": SECRET, **fields}})
        self.ids[name] = connection["id"]

    def call(self, name, timeout=60):
        return self.berthd.control("POST", f"/v1/connections/{name}/actions/call_api", {"path": "/api/me"}, timeout=timeout)

    def ok(self, name):
        answer = self.call(name)
        self.assertEqual((answer.status, answer.json.get("output", {}).get("status")), (200, 200), answer)
        return self.seen[-1]

    def consent(self, name, code="code"):
        url = self.berthd.post(f"/v1/connections/{name}/connect")["url"]
        query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(url).query))
        return browse(query["redirect_uri"] + "?" + urllib.parse.urlencode({"code": code, "state": query["state"]}))[0]

    def slots(self, name):
        with contextlib.closing(sqlite3.connect(f"file:{self.folder}/state/berth.db?mode=ro", uri=True)) as database:
            return [row[0] for row in database.execute("SELECT slot FROM secret WHERE connection = ?", (self.ids[name],))]

    def while_held(self, kind, begin, during):
        """Runs `begin` until its token request is held, then `during` beside it; lets the request go and answers both results."""
        results = {}
        count = len([1 for asked in self.asked if asked[0] == kind])
        self.gate[kind] = threading.Event()
        first = threading.Thread(target=lambda: results.update(first=begin()))
        first.start()
        wait_for(lambda: len([1 for asked in self.asked if asked[0] == kind]) > count, 20, f"a {kind} request")
        second = threading.Thread(target=lambda: results.update(second=during()))
        second.start()
        second.join(1.5)
        self.gate.pop(kind).set()
        first.join(30)
        second.join(30)
        return results["first"], results["second"]

    def test_a_new_consent_outlives_the_end_of_the_old_grant(self):
        # Would break: the old grant's invalid_grant is stored over the fresh tokens; after a restart the connection is lost.
        self.add("con", "oauth2_authorization_code")
        self.assertEqual(self.consent("con").status, 200)
        old = self.ok("con")
        self.refused.add(old)
        self.dead = {"refresh-0"}
        self.while_held("authorization_code", lambda: self.consent("con"), lambda: self.call("con"))
        new = self.ok("con")
        self.assertNotEqual(new, old)
        self.berthd.kill()
        self.berthd.start()
        self.assertEqual(self.ok("con"), new)
        self.assertEqual(self.berthd.get("/v1/connections/con")["status"], "active")

    def test_a_disconnect_ends_the_tokens_that_were_just_given(self):
        # Would break: the provider still holds a live grant of a connection that is called disconnected.
        self.add("dis", "oauth2_authorization_code")
        self.consent("dis")
        self.refused.add(self.ok("dis"))
        _, answer = self.while_held(
            "refresh_token", lambda: self.call("dis"), lambda: self.berthd.control("POST", "/v1/connections/dis/disconnect", {}, timeout=60))
        self.assertEqual((answer.status, answer.json["status"], answer.json.get("last_error")), (200, "disconnected", None))
        self.assertEqual(self.revoked, [f"refresh-{len(self.asked) - 1}"])
        self.assertEqual(self.slots("dis"), [])
        count = len(self.asked)
        self.assertNotEqual(self.call("dis").status, 200)
        self.assertEqual((len(self.asked), self.slots("dis")), (count, []))
        # And a person may connect it again.
        self.berthd.control("PATCH", "/v1/connections/dis", {"credentials": {
            "kind": "oauth2_authorization_code", "client_id": "mock-client", "client_secret": SECRET}})
        self.assertEqual(self.consent("dis").status, 200)
        self.ok("dis")

    def test_a_removal_leaves_no_tokens_behind(self):
        # Would break: sealed tokens of connections that nobody can see or remove any more.
        self.add("rem", "oauth2_refresh_token", refresh_token="r0")
        _, answer = self.while_held(
            "refresh_token", lambda: self.call("rem"), lambda: self.berthd.control("DELETE", "/v1/connections/rem", timeout=60))
        self.assertEqual(answer.status, 204)
        self.assertEqual(self.slots("rem"), [])

    def test_replaced_credentials_are_used_at_once(self):
        # Would break: a connection goes on with the old client's tokens, so with another account's data, until they expire.
        for kind, one, two in (
            ("oauth2_client_credentials", {}, {"client_id": "other"}),
            ("oauth2_client_credentials", {}, {"client_secret": "other-secret"}),
            ("oauth2_password", {"username": "ann", "password": "p1"}, {"username": "bob", "password": "p2"}),
            ("oauth2_refresh_token", {"refresh_token": "r1"}, {"refresh_token": "r2"}),
        ):
            with self.subTest(kind=kind, two=two):
                name = f"{kind}-{'-'.join(two)}"
                self.add(name, kind, **one)
                before = self.ok(name)
                credentials = {"kind": kind, "client_id": "mock-client", "client_secret": SECRET, **one, **two}
                self.assertEqual(self.berthd.control("PATCH", f"/v1/connections/{name}", {"credentials": credentials}).status, 200)
                after = self.ok(name)
                self.assertNotEqual(before, after)
                self.assertEqual(self.ok(name), after)
                self.berthd.kill()
                self.berthd.start()
                self.assertEqual(self.ok(name), after)

    def test_credentials_replaced_during_a_renewal(self):
        # Would break: the tokens of what was replaced are kept for their whole life.
        self.add("pat", "oauth2_refresh_token", refresh_token="old")
        new = {"kind": "oauth2_refresh_token", "client_id": "mock-client", "client_secret": SECRET, "refresh_token": "new"}
        self.while_held(
            "refresh_token", lambda: self.call("pat"), lambda: self.berthd.control("PATCH", "/v1/connections/pat", {"credentials": new}))
        self.ok("pat")
        self.assertEqual(self.asked[-1], ("refresh_token", "new"))

    def test_a_first_token_that_nobody_lived_to_take(self):
        # Would break: a kill during the first exchange of a given refresh token: it is used twice, and the provider ends the grant.
        self.add("first", "oauth2_refresh_token", refresh_token="given")
        self.gate["refresh_token"] = threading.Event()

        def call():
            with contextlib.suppress(OSError, http.client.HTTPException):
                self.call("first")
        thread = threading.Thread(target=call)
        thread.start()
        wait_for(lambda: self.asked, 20, "the token request")
        self.berthd.kill()
        thread.join()
        self.dead = {"given"}
        reply = json.dumps({"access_token": "access-x", "token_type": "Bearer", "expires_in": 3600, "refresh_token": "refresh-x"})
        self.reply = lambda peer, fields: peer.json(reply)
        self.gate.pop("refresh_token").set()
        wait_for(lambda: list((self.folder / "state").rglob("*.reply")), 20, "the answer's file")
        self.reply = None
        self.berthd.start()
        self.assertEqual(self.ok("first"), "access-x")
        self.assertEqual([asked for asked in self.asked if asked[1] == "given"], [("refresh_token", "given")])

    def test_absurd_waits_are_bounded(self):
        # Would break: R4: one header of a token endpoint overflows and ends the daemon, or silences a connection for years.
        for number, text in enumerate(("9223372036854775", "99999999999999999", "9223372036854775807", "-5", "31536000")):
            with self.subTest(text):
                self.add(f"wait-{number}", "oauth2_client_credentials")
                self.reply = lambda peer, fields, text=text: peer.json('{"error":"temporarily_unavailable"}', 503, Retry_After=text)
                self.assertEqual(self.call(f"wait-{number}").status, 502)
                self.assertIsNone(self.berthd.process.poll())

    def test_secrets_that_a_server_repeats_are_hidden(self):
        # Would break: real servers say "refresh token abc not found": it would stand in log, audit, database and every answer.
        self.reply = lambda peer, fields: peer.json(json.dumps({
            "error": "invalid_grant", "error_description":
                f"token {fields['refresh_token']} of {SECRET} and {urllib.parse.quote('a b/' + REFRESH)} is not known, nor is "
                "eyJhbGciOiJIUzI1NiJ9eyJzdWIiOiIxMjM0NTY3ODkwIn0"}), 400)
        self.add("echo", "oauth2_refresh_token", refresh_token=REFRESH)
        answer = self.call("echo")
        self.assertIn("invalid_grant: token [hidden] of [hidden] and", answer.json["detail"])
        self.assertIn("is not known, nor is [hidden]", answer.json["detail"])
        told = [answer.body.decode(), self.berthd.log(), json.dumps(self.berthd.get("/v1/connections/echo")),
                json.dumps(self.berthd.all_items("/v1/audit")), self.berthd.control("GET", "/metrics").body.decode()]
        files = [path.read_bytes().decode("latin-1") for path in (self.folder / "state").rglob("*") if path.is_file()]
        for text in told + files:
            for secret in (REFRESH, SECRET, "eyJhbGciOiJIUzI1NiJ9"):
                self.assertNotIn(secret, text)

    def test_silent_token_endpoints_hold_up_only_their_own(self):
        # Would break: some providers whose token endpoint is silent stop the renewals of every connection.
        threads = []

        def quietly(name):
            # The daemon ends before they are answered.
            with contextlib.suppress(OSError, http.client.HTTPException):
                self.call(name)
        for number in range(10):
            self.add(f"hang-{number}", "oauth2_client_credentials", url=f"{self.server.url}/hang-{number}")
            threads.append(threading.Thread(target=quietly, args=(f"hang-{number}",), daemon=True))
        [thread.start() for thread in threads]
        wait_for(lambda: len(self.asked) == 10, 20, "ten token requests that are under way")
        self.add("healthy", "oauth2_client_credentials")
        began = time.monotonic()
        self.ok("healthy")
        self.assertLess(time.monotonic() - began, 5)

    def test_a_silent_proxy_holds_up_only_its_workspace(self):
        # Would break: one workspace's dead proxy takes all places at a token endpoint, and no other workspace gets a token.
        proxy = Hostile(lambda peer, *_: (peer.hold(), False)[1])
        self.berthd.stop()
        self.berthd = Berthd(
            folder=self.folder / "state", bundles=self.folder / "bundles",
            settings=f'[workspaces.behind.egress]\nproxy = "{proxy.url}"\n').start()

        def quietly(name):
            # The daemon ends before they are answered.
            with contextlib.suppress(OSError, http.client.HTTPException):
                self.call(name)
        try:
            for number in range(20):
                self.add(f"behind-{number}", "oauth2_client_credentials", workspace="behind")
                threading.Thread(target=quietly, args=(f"behind-{number}",), daemon=True).start()
            wait_for(lambda: len(proxy.asked) >= 16, 30, "token requests in all places")
            self.add("healthy", "oauth2_client_credentials")
            began = time.monotonic()
            self.ok("healthy")
            self.assertLess(time.monotonic() - began, 15)
        finally:
            proxy.stop()


if __name__ == "__main__":
    unittest.main(verbosity=2)
