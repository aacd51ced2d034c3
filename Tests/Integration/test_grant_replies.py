"""Good token replies that are written oddly, of a server that rotates refresh tokens and ends a grant whose spent one comes again."""

import email.utils
import json
import pathlib
import shutil
import tempfile
import time
import unittest
import urllib.parse

from hostile import Hostile
from oauth_probe import SOURCE, call_api, probe
from rig import Berthd, wait_for

SCOPES = ["offline_access", "User.Read"]
MANIFEST = (SOURCE / "plugin.toml").read_text().replace(
    'oauth = { token_url = "/oauth/token" }', f'oauth = {{ token_url = "/oauth/token", scopes = {json.dumps(SCOPES)} }}')


def plain(reply):
    return json.dumps(reply)


# What a server writes in the place of a plain reply.
ODD = {
    "error-null": lambda reply: plain({**reply, "error": None}),
    "error-empty": lambda reply: plain({**reply, "error": ""}),
    "byte-order-mark": lambda reply: b"\xef\xbb\xbf" + plain(reply).encode(),
    "nul": lambda reply: plain(reply) + "\0",
    "semicolon": lambda reply: plain(reply) + ";",
    "latin-1": lambda reply: json.dumps({**reply, "user": "J\u00f6rg"}, ensure_ascii=False).encode("latin-1"),
    "type-blank": lambda reply: plain({**reply, "token_type": "Bearer "}),
    "scope-left-out": lambda reply: plain({**reply, "scope": "User.Read"}),
    "scope-address": lambda reply: plain({**reply, "scope": "https://graph.microsoft.com/User.Read profile openid"}),
    "scope-case": lambda reply: plain({**reply, "scope": "offline_access user.read"}),
    "scope-plus": lambda reply: plain({**reply, "scope": "offline_access+User.Read"}),
    "lifetime-fraction": lambda reply: plain({**reply, "expires_in": "3600.0"}),
}
# Replies whose access token is of no use, and what is told of them.
UNFIT = {
    "less-scope": ({"scope": "Mail.Read"}, "User.Read is missing"),
    "mac": ({"token_type": "mac"}, "token_type 'mac'"),
    "control": ({"access_token": "a\r\nX-Evil: 1"}, "no header can carry"),
}


class Replies(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="berth-replies-"))
        probe(self.folder / "bundles", MANIFEST)
        # By connection: the living refresh token, how often one was spent twice, the access tokens that have ended.
        self.grants, self.write, self.asked = {}, {}, {}
        self.server = Hostile(self.serve)
        self.berthd = Berthd(folder=self.folder / "state", bundles=self.folder / "bundles").start()

    def tearDown(self):
        self.berthd.stop()
        self.server.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def serve(self, peer, method, path, head, body):
        name = path.split("/")[1]
        grant = self.grants.setdefault(name, {"number": 1, "reused": 0, "ended": set(), "seen": ""})
        if not path.endswith("/oauth/token"):
            grant["seen"] = next(line.split()[-1].decode() for line in head.split(b"\r\n") if line.lower().startswith(b"authorization"))
            return peer.answer(401) if grant["seen"] in grant["ended"] else peer.json('{"account":"a"}')
        self.asked[name] = self.asked.get(name, 0) + 1
        write = self.write.get(name, plain)
        if write is None:
            return peer.json('{"error":"slow_down"}', 429, Retry_After=email.utils.formatdate(time.time() + 300, usegmt=True))
        if dict(urllib.parse.parse_qsl(body.decode()))["refresh_token"] != f"RT-{grant['number']}" or grant["reused"]:
            grant["reused"] += 1
            return peer.json('{"error":"invalid_grant"}', 400)
        grant["number"] += 1
        return peer.json(write({
            "access_token": f"AT-{grant['number']}", "token_type": "Bearer", "refresh_token": f"RT-{grant['number']}"}))

    def add(self, name, write=plain):
        self.write[name] = write
        self.berthd.post("/v1/connections", {
            "provider": "oauthprobe", "name": name, "base_url": f"{self.server.url}/{name}",
            "credentials": {"kind": "oauth2_refresh_token", "client_id": "ci", "client_secret": "cs-0123456789", "refresh_token": "RT-1"}})

    def call(self, name):
        return self.berthd.control("POST", f"/v1/connections/{name}/actions/call_api", {"path": "/api/me"})

    def works(self, name):
        self.assertEqual(call_api(self.berthd, name, "/api/me")["status"], 200, name)

    def show(self, name):
        return self.berthd.get(f"/v1/connections/{name}")

    def test_odd_replies_cost_no_grant(self):
        # Would break: the new refresh token is thrown away, the spent one is sent, and the provider ends a grant that was alive.
        for name, write in ODD.items():
            with self.subTest(name):
                self.add(name, write)
                self.works(name)
                grant = self.grants[name]
                grant["ended"].add(grant["seen"])
                self.works(name)
                self.assertEqual((grant["number"], grant["reused"], grant["seen"]), (3, 0, "AT-3"))
                shown = self.show(name)
                self.assertEqual((shown["status"], shown.get("last_error")), ("active", None))
        self.assertIsNotNone(self.show("lifetime-fraction")["credentials"].get("expires_at"))

    def test_what_is_wrong_with_a_token_costs_no_grant(self):
        # Would break: as above; or a token is used that lacks what was asked for, and nobody is told.
        for name, (members, said) in UNFIT.items():
            self.add(name, lambda reply, members=members: plain({**reply, **members}))
            answer = self.call(name)
            self.assertGreaterEqual(answer.status, 400, answer)
            self.assertIn(said, answer.json["detail"])
            shown = self.show(name)
            self.assertIn(said, shown["last_error"])
            self.assertNotIn("revoked", shown["last_error"])
            self.assertEqual(self.grants[name]["seen"], "", "the token was used")
        self.assertEqual(self.show("less-scope")["status"], "error")
        self.assertIn("give the application these scopes", self.show("less-scope")["last_error"])
        # The provider is mended; the next life goes on with the newest refresh token.
        self.berthd.kill()
        self.write.clear()
        self.berthd.start()
        for name in UNFIT:
            with self.subTest(name):
                self.works(name)
                self.assertEqual(self.grants[name]["reused"], 0)
                wait_for(lambda: self.show(name)["status"] == "active", 10, "recovery")
                self.assertIsNone(self.show(name).get("last_error"))

    def test_the_first_cause_is_told(self):
        # Would break: a grant that a broken answer cost is called revoked, and nobody looks at the answer.
        self.add("cause", lambda reply: "<html>Please wait</html>")
        self.call("cause")

        def ended():
            self.call("cause")
            return "invalid_grant" in (self.show("cause").get("last_error") or "")
        wait_for(ended, 15, "the end of the grant")
        self.assertIn("not JSON", self.show("cause")["last_error"])
        self.berthd.kill()
        self.berthd.start()
        self.assertIn("not JSON", self.call("cause").json["detail"])

    def test_tokens_that_tell_no_lifetime(self):
        # Would break: after the second token's end nothing works for two minutes, and the connection is called broken.
        self.add("timeless")
        for _ in range(3):
            self.works("timeless")
            time.sleep(5.2)  # a token that is refused sooner was never good
            grant = self.grants["timeless"]
            grant["ended"].add(grant["seen"])
        self.works("timeless")
        self.assertEqual((grant["number"], grant["reused"]), (5, 0))

    def test_rest_that_is_asked_for_by_a_date(self):
        # Would break: an endpoint that asks for five minutes is asked again each second.
        self.add("date", None)
        until = time.monotonic() + 3
        while time.monotonic() < until:
            self.assertGreaterEqual(self.call("date").status, 400)
            time.sleep(0.3)
        self.assertEqual(self.asked["date"], 1)


if __name__ == "__main__":
    unittest.main(verbosity=2)
