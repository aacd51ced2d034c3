"""Drives berth-mock's protected API through a real daemon and a plugin in C: what tests of credentials, limits and caching share,
and a test that the pieces fit together. Run it by name: `python3 -m unittest discover -s Tests/Integration -p 'oauth_*.py'`."""

import http.client
import json
import pathlib
import shutil
import tempfile
import unittest
import urllib.parse

from cplugin import bundle
from rig import BUNDLES, Answer, Berthd, Mock, wait_for

SOURCE = pathlib.Path(__file__).resolve().parent / "plugins" / "oauthprobe"


class OAuthMock(Mock):
    """A berth-mock with the authorization server alone. Settings by name: `OAuthMock(access_seconds=5, grace="until-used")`."""

    def __init__(self, arguments=(), log=None, **settings):
        chosen = [text for name, value in settings.items() for text in ("--oauth-set", f"{name}={self.text(value)}")]
        super().__init__(("oauth",), [*chosen, *arguments], log)

    @staticmethod
    def text(value):
        return str(value).lower() if isinstance(value, bool) else json.dumps(value) if isinstance(value, dict) else str(value)

    def told(self, route):
        answer = self.request("GET", "/_mock/oauth/" + route)
        assert answer.status == 200, f"{route}: {answer}"
        return answer.json

    def ledger(self):
        return self.told("ledger")

    def set(self, **settings):
        answer = self.request("PUT", "/_mock/oauth/settings", settings)
        assert answer.status == 200, answer

    def fault(self, *faults):
        answer = self.request("PUT", "/_mock/faults", {"faults": list(faults)})
        assert answer.status == 200, answer

    def issue(self, **body):
        """A grant without a flow: grant, access_token, refresh_token."""
        answer = self.request("POST", "/_mock/oauth/grants", body)
        assert answer.status == 201, answer
        return answer.json

    def expire(self, grant=None):
        """Access tokens expire now; the number of them."""
        return self.request("POST", "/_mock/oauth/expire", {"grant": grant} if grant else {}).json["expired"]

    def revoke(self, grant):
        """The user withdraws consent."""
        assert self.request("POST", f"/_mock/oauth/grants/{grant}/revoke").status == 200


def probe(folder, manifest=None):
    """The probe's bundle in `folder`. `manifest`: its text instead of the one beside the source."""
    return bundle(folder, "oauthprobe", SOURCE / "oauthprobe.c", manifest or (SOURCE / "plugin.toml").read_text())


def browse(url, redirects=5):
    """What a browser makes of `url`: the last answer, and every URL on the way."""
    seen = []
    while True:
        seen.append(url)
        parts = urllib.parse.urlsplit(url)
        connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=30)
        try:
            connection.request("GET", parts.path + ("?" + parts.query if parts.query else ""))
            response = connection.getresponse()
            answer = Answer(response.status, dict((k.lower(), v) for k, v in response.getheaders()), response.read())
        finally:
            connection.close()
        if answer.status not in (301, 302, 303, 307, 308) or len(seen) > redirects:
            return answer, seen
        url = urllib.parse.urljoin(url, answer.headers["location"])


def call_api(berthd, connection, path, **more):
    """The probe's answer: status, body, statuses."""
    return berthd.post(f"/v1/connections/{connection}/actions/call_api", {"path": path, **more})["output"]


class OAuthProbe(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="berth-probe-"))
        cls.bundles = cls.folder / "bundles"
        if BUNDLES.exists():
            shutil.copytree(BUNDLES, cls.bundles)
        probe(cls.bundles)
        cls.mock = OAuthMock(items=45)
        cls.berthd = Berthd(bundles=cls.bundles).start()

    @classmethod
    def tearDownClass(cls):
        cls.berthd.stop()
        cls.mock.stop()
        shutil.rmtree(cls.folder, ignore_errors=True)

    def add(self, name, token):
        return self.berthd.post("/v1/connections", {
            "provider": "oauthprobe", "name": name, "base_url": self.mock.url, "credentials": {"kind": "api_key", "token": token}})

    def test_check_sync_and_calls_go_through_the_daemon(self):
        # Would break: the probe, without which nothing else here could be driven.
        grant = self.mock.issue(account="acct-5")
        connection = self.add("probe", grant["access_token"])
        self.assertTrue(self.berthd.post("/v1/connections/probe/check")["ok"])
        run = self.berthd.post("/v1/connections/probe/streams/items/sync")
        done = wait_for(lambda: (lambda r: r if r["status"] not in ("queued", "running") else None)(
            self.berthd.get(f"/v1/runs/{run['id']}")))
        self.assertEqual((done["status"], done["counts"]["created"], done["pages"]), ("success", 45, 3), done)
        records = {r["external_id"]: r for r in self.berthd.all_items("/v1/records/item?connection=probe")}
        self.assertEqual(set(records), {f"item-{n}" for n in range(1, 46)})
        self.assertEqual((records["item-3"]["name"], records["item-3"]["value"]), ("Item 3", 21))
        me = call_api(self.berthd, "probe", "/api/me")
        self.assertEqual((me["status"], json.loads(me["body"])["account"]), (200, "acct-5"), me)
        made = call_api(self.berthd, "probe", "/api/items", method="POST", body='{"name":"x"}', idempotency_key="one")
        self.assertEqual(made["status"], 201, made)
        again = call_api(self.berthd, "probe", "/api/items", method="POST", idempotency_key="one", times=3)
        self.assertEqual((again["status"], again["statuses"]), (200, {"200": 3}), again)
        self.assertEqual(call_api(self.berthd, "probe", "/api/me", no_auth=True)["status"], 401)
        log = self.mock.told("requests")["tokens"][grant["access_token"]]
        self.assertEqual(log["count"], 1 + 3 + 1 + 1 + 3, log)
        self.assertEqual(connection["provider"], "oauthprobe")

    def test_a_browser_is_sent_back(self):
        # Would break: the part of a connect flow that a person plays.
        query = {"response_type": "code", "client_id": "mock-client", "state": "s", "redirect_uri": self.mock.url + "/_mock/trap?x=1",
                 "code_challenge": "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM", "code_challenge_method": "S256"}
        answer, seen = browse(self.mock.url + "/oauth/authorize?" + urllib.parse.urlencode(query))
        told = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(seen[-1]).query))
        self.assertEqual((answer.status, told["x"], told["state"]), (200, "1", "s"), seen)
        self.assertTrue(told["code"], seen)

    def test_an_expired_token_is_told(self):
        # Would break: a refusal that looks like any other failure.
        grant = self.mock.issue()
        self.add("expired", grant["access_token"])
        self.assertEqual(self.mock.expire(grant["grant"]), 1)
        checked = self.berthd.post("/v1/connections/expired/check")
        self.assertFalse(checked["ok"], checked)


if __name__ == "__main__":
    unittest.main(verbosity=2)
