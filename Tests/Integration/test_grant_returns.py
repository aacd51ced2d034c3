"""Grants that have no use any more: what the provider is told of them, and who is told when it does not listen."""

import os
import pathlib
import shutil
import subprocess
import tempfile
import time
import unittest
import urllib.parse
from concurrent.futures import ThreadPoolExecutor

from hostile import Hostile
from oauth_probe import SOURCE, OAuthMock, browse, call_api, probe
from rig import BIN, Berthd, wait_for

CLIENT = {"client_id": "mock-client", "client_secret": "mock-client-secret"}
CONSENT = {"kind": "oauth2_authorization_code", **CLIENT}
PLAIN = (SOURCE / "plugin.toml").read_text()
TOKEN = PLAIN.replace('revoke_url = "/oauth/revoke"', 'revoke_url = "/oauth/revoke", revoke_ends = "token"').replace(
    '"oauth2_refresh_token"\noauth = { ', '"oauth2_refresh_token"\noauth = { revoke_url = "/oauth/revoke", revoke_ends = "token", ')


class Returns(unittest.TestCase):
    manifest = TOKEN

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="berth-returns-"))
        probe(self.folder / "bundles", self.manifest)
        self.mock = OAuthMock(scopes="calls.read", default_scope="calls.read", extra={"account_id": "acct-1"})
        self.berthd = Berthd(folder=self.folder / "state", bundles=self.folder / "bundles").start()

    def tearDown(self):
        self.berthd.stop()
        self.mock.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def add(self, name="x", url=None, credentials=CONSENT):
        self.berthd.post("/v1/connections", {
            "provider": "oauthprobe", "name": name, "base_url": url or self.mock.url, "credentials": credentials})

    def invite(self, name="x"):
        return self.berthd.post(f"/v1/connections/{name}/connect")["url"]

    def connect(self):
        self.assertEqual(browse(self.invite())[0].status, 200)

    def change(self, **credentials):
        answer = self.berthd.control("PATCH", "/v1/connections/x", {"credentials": credentials})
        self.assertEqual(answer.status, 200, answer)

    def works(self, name="x"):
        self.assertEqual(call_api(self.berthd, name, "/api/me")["status"], 200)

    def alive(self):
        """Which grants live at the provider, in the order they were given."""
        return [grant["alive"] for grant in self.mock.told("grants")["grants"]]

    def entries(self, kind):
        return [entry["detail"] for entry in self.berthd.all_items("/v1/audit") if entry["kind"] == kind]

    def given_back(self, count=1):
        wait_for(lambda: len(self.entries("connection.grant_revoked")) == count, 20, "the revocation's audit entry")


class Replaced(Returns):
    def test_a_removal_gives_the_grant_back(self):
        # Would break: a removed connection's tokens live on at the provider, for whoever has a copy of the database.
        self.add()
        self.connect()
        self.assertEqual(self.berthd.control("DELETE", "/v1/connections/x").status, 204)
        self.assertEqual(self.alive(), [False])

    def test_a_second_consent_gives_the_first_grant_back(self):
        # Would break: each new consent leaves a living grant that nobody knows of.
        self.add()
        self.connect()
        self.connect()
        self.given_back()
        self.assertEqual(self.alive(), [False, True])
        self.assertNotIn("may still", self.entries("connection.grant_revoked")[0])
        self.berthd.kill()
        self.berthd.start()
        self.mock.expire()
        self.works()
        # One that comes to nothing ends nothing.
        self.mock.set(deny=True)
        browse(self.invite())
        self.works()
        self.assertEqual(self.alive(), [False, True])

    def test_replaced_credentials_give_the_grant_back(self):
        # Would break: as above; or the same credentials given again cut off the connection that lives on them.
        one, two = self.mock.issue(), self.mock.issue()
        given = {"kind": "oauth2_refresh_token", **CLIENT, "refresh_token": one["refresh_token"]}
        self.add(credentials=given)
        self.works()
        self.change(**given)
        self.works()
        self.change(**{**given, "refresh_token": two["refresh_token"]})
        self.given_back()
        self.assertEqual(self.alive(), [False, True])
        self.works()

    def test_another_kind_gives_the_consent_back(self):
        # Would break: as above; or what was given back is used again when the old kind comes back.
        self.add()
        self.connect()
        self.change(**{**CONSENT, "client_secret": CLIENT["client_secret"]})
        self.works()
        self.change(kind="api_key", token="token-1234567")
        self.given_back()
        self.assertEqual(self.alive(), [False])
        self.change(**CONSENT)
        answer = self.berthd.control("POST", "/v1/connections/x/actions/call_api", {"path": "/api/me"})
        self.assertIn("it was given back", answer.json["detail"])
        self.assertIn("berthctl connection connect", answer.json["detail"])
        self.connect()
        self.works()
        self.assertEqual((self.alive(), len(self.entries("connection.grant_revoked"))), ([False, True], 1))


class OneAuthorization(Returns):
    manifest = PLAIN

    def test_a_new_grant_is_not_ended_with_the_old_one(self):
        # Would break: a provider that ends everything of the user with the old token cuts off what was just connected.
        self.add()
        self.connect()
        self.connect()
        self.change(kind="api_key", token="token-1234567")
        self.change(**CONSENT)
        self.works()
        time.sleep(0.5)  # a revocation would be under way
        self.assertEqual((self.alive(), self.entries("connection.grant_revoked")), ([True, True], []))


class Unwilling(Returns):
    """The provider's revocation endpoint refuses, or does not answer."""

    def setUp(self):
        super().setUp()
        self.server = Hostile(self.serve)

    def tearDown(self):
        super().tearDown()
        self.server.stop()

    @staticmethod
    def serve(peer, method, path, head, body):
        if path.endswith("/oauth/revoke"):
            return peer.hold() if "hang" in path else peer.json('{"error":"unsupported_token_type"}', 400)
        if path.endswith("/oauth/token"):
            return peer.json('{"access_token":"AT-0123456789","refresh_token":"RT-0123456789","expires_in":3600,"account_id":"a"}')
        return peer.json('{"account":"a"}')

    def connected(self, name):
        self.add(name, f"{self.server.url}/{name}")
        query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(self.invite(name)).query))
        back = query["redirect_uri"] + "?" + urllib.parse.urlencode({"code": "c0de", "state": query["state"]})
        self.assertEqual(browse(back)[0].status, 200)

    def test_a_removal_is_not_kept_back(self):
        # Would break: a connection that can't be removed while its provider is down, or only after each who asked had his own try; a
        # grant that lives on and nobody knows.
        for name, said in (("no", "answered 400"), ("hang", "")):
            with self.subTest(name):
                self.connected(name)
                begun = time.monotonic()
                # An operator who waits asks again.
                with ThreadPoolExecutor(4) as pool:
                    answers = list(pool.map(lambda _: self.berthd.control("DELETE", f"/v1/connections/{name}", timeout=90), range(4)))
                self.assertLess(time.monotonic() - begun, 30)
                self.assertEqual(sum(path.endswith("/revoke") and name in path for _, path, *_ in self.server.asked), 1)
                self.assertEqual(sorted(answer.status for answer in answers), [200, 404, 404, 404], answers)
                problem = next(answer.json["problem"] for answer in answers if answer.status == 200)
                self.assertIn(said, problem)
                self.assertIn(f"may still hold the grant: {problem}", self.entries("connection.removed")[0])
                self.assertEqual(self.berthd.control("GET", f"/v1/connections/{name}").status, 404)

    def test_berthctl_tells(self):
        self.connected("no")
        done = subprocess.run(
            [str(BIN / "berthctl"), "connection", "remove", "no"], env={**os.environ, "BERTH_CONTROL_SOCKET": str(self.berthd.socket)},
            capture_output=True, text=True, timeout=60)
        self.assertEqual((done.returncode, done.stdout), (0, ""), done)
        self.assertIn("may still hold the grant: the revocation endpoint answered 400", done.stderr)

    def test_a_consent_works_all_the_same(self):
        # Would break: what the provider says of the old grant troubles the new one, or is told nobody.
        self.connected("no")
        numbers = iter(range(1000))
        serve = self.serve
        self.server.script = lambda peer, method, path, head, body: peer.json(
            f'{{"access_token":"AT-{next(numbers)}-0123456","refresh_token":"RT-{next(numbers)}-0123456","expires_in":3600,"account_id":"a"}}'
        ) if path.endswith("/token") else serve(peer, method, path, head, body)
        query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(self.invite("no")).query))
        back = query["redirect_uri"] + "?" + urllib.parse.urlencode({"code": "c0de", "state": query["state"]})
        self.assertEqual(browse(back)[0].status, 200)
        self.works("no")
        self.given_back()
        self.assertIn("may still hold it: the revocation endpoint answered 400", self.entries("connection.grant_revoked")[0])
        self.assertEqual(self.berthd.get("/v1/connections/no")["status"], "active")


if __name__ == "__main__":
    unittest.main(verbosity=2)
