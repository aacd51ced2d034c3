"""Secrets are planted in every slot; nothing the daemon writes, answers or shows may hold one, and a planted leak is found."""

import base64
import os
import pathlib
import re
import secrets
import shutil
import tempfile
import unittest

from oauth_probe import OAuthMock, browse, call_api, probe
from rig import BUNDLES, Berthd, Mock, wait_for


def forms(text):
    """A secret as it stands, and as a careless writer would put it."""
    raw = text.encode()
    return {raw, base64.b64encode(raw).rstrip(b"="), base64.urlsafe_b64encode(raw).rstrip(b"="), raw.hex().encode(), raw[::-1]}


def readable_memory(pid):
    """Every readable mapping of a process, in pieces."""
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", 0) as memory:
        for line in maps:
            found = re.match(r"([0-9a-f]+)-([0-9a-f]+) r", line)
            if not found or "[v" in line:
                continue
            start, end = int(found[1], 16), int(found[2], 16)
            try:
                memory.seek(start)
                yield memory.read(min(end - start, 64 << 20))
            except (OSError, ValueError):
                continue


class Canary(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="berth-canary-"))
        bundles = cls.folder / "bundles"
        shutil.copytree(BUNDLES, bundles)
        probe(bundles)
        cls.canaries = {name: f"canary-{name}-{secrets.token_hex(12)}" for name in
                        ("token", "password", "hmac", "oldhmac", "webhooktoken", "clientsecret", "apikey", "wrong")}
        canaries = cls.canaries
        cls.mock = OAuthMock(clients=f"canary-client:{canaries['clientsecret']}", items=30, extra={"echo": "x"})
        cls.providers = Mock(("ringba", "retreaver", "trackdrive"), ["--calls", "60"])
        cls.state = cls.folder / "state"
        cls.berthd = Berthd(folder=cls.state, bundles=bundles, settings="").start()
        post = cls.berthd.post
        post("/v1/connections", {"provider": "oauthprobe", "name": "oauth", "base_url": cls.mock.url, "credentials": {
            "kind": "oauth2_authorization_code", "client_id": "canary-client", "client_secret": canaries["clientsecret"]}})
        browse(post("/v1/connections/oauth/connect")["url"])
        post("/v1/connections", {"provider": "oauthprobe", "name": "key", "base_url": cls.mock.url,
                                 "credentials": {"kind": "api_key", "token": canaries["token"]}})
        cls.hmac = post("/v1/connections", {
            "provider": "ringba", "name": "ringba", "base_url": cls.providers.url + "/ringba", "settings": {"account_id": "RA1"},
            "credentials": {"kind": "api_key", "token": canaries["apikey"]}, "webhook": {"scheme": "hmac", "secret": canaries["oldhmac"]}})
        cls.berthd.control("PATCH", f"/v1/connections/{cls.hmac['id']}", {"webhook": {"secret": canaries["hmac"]}})
        cls.track = post("/v1/connections", {
            "provider": "trackdrive", "name": "track", "base_url": cls.providers.url + "/trackdrive", "settings": {"subdomain": "mock"},
            "credentials": {"kind": "basic", "username": "u", "password": canaries["password"]},
            "webhook": {"scheme": "token", "secret": canaries["webhooktoken"]}})

    @classmethod
    def tearDownClass(cls):
        cls.berthd.stop()
        cls.mock.stop()
        cls.providers.stop()
        shutil.rmtree(cls.folder)

    def work(self):
        """Everything that touches a secret, well and badly."""
        berthd = self.berthd
        for name in ("oauth", "key"):
            berthd.control("POST", f"/v1/connections/{name}/check", {})
            berthd.control("POST", f"/v1/connections/{name}/actions/call_api", {"path": "/api/me"})
            berthd.control("POST", f"/v1/connections/{name}/actions/call_api", {"path": "/api/echo?token=" + "x" * 10})
            run = berthd.control("POST", f"/v1/connections/{name}/streams/items/sync", {}).json
            wait_for(lambda: berthd.get(f"/v1/runs/{run['id']}")["status"] not in ("queued", "running"), 60, "run")
        for connection in (self.hmac, self.track):
            berthd.control("POST", f"/v1/connections/{connection['id']}/check", {})
            # A scheduled run may be under way already: it is as good, and the one asked for comes after it.
            run = wait_for(lambda: berthd.control("POST", f"/v1/connections/{connection['id']}/streams/calls/sync", {}).json.get("id"), 60, "run")
            wait_for(lambda: berthd.get(f"/v1/runs/{run}")["status"] not in ("queued", "running"), 60, "run")
        self.mock.expire()
        self.mock.fault("token-500")
        berthd.control("POST", "/v1/connections/oauth/actions/call_api", {"path": "/api/me"})
        self.mock.fault()
        wait_for(lambda: berthd.control("POST", "/v1/connections/oauth/actions/call_api", {"path": "/api/me"}).status == 200, 15, "renewal")
        path = f"/webhooks/trackdrive/{self.track['id']}/"
        self.assertEqual(berthd.webhook(path + self.canaries["webhooktoken"], b'{"call":{"id":1}}').status // 100, 2)
        berthd.webhook(path + self.canaries["wrong"], b"{}")
        berthd.webhook(path[:-1] + "?token=" + self.canaries["wrong"], b"{}", {"Authorization": "Bearer " + self.canaries["wrong"]})
        berthd.webhook(f"/webhooks/ringba/{self.hmac['id']}", b"{}", {"X-Signature": self.canaries["wrong"]})
        berthd.control("POST", "/v1/connections", {"provider": "ringba", "name": "bad", "credentials": {"kind": "api_key", "tokn": self.canaries["wrong"]}})
        berthd.control("POST", "/v1/connections", b'{"provider":"ringba","credentials":{"token":"' + self.canaries["wrong"].encode() + b'"},}')

    def needles(self):
        found = dict(self.canaries)
        for number, grant in enumerate(self.mock.told("grants").get("tokens", [])):
            found[f"token-{number}"] = grant
        for token in self.mock.told("requests")["tokens"]:
            found[f"access-{token[:12]}"] = token
        return {name: forms(text) for name, text in found.items() if len(text) > 12}

    def hits(self, place, data):
        return [f"{name} in {place}" for name, texts in self.secrets.items() for text in texts if text in data]

    def test_nothing_holds_a_secret(self):
        self.work()
        berthd = self.berthd
        self.secrets = self.needles()
        self.assertTrue(any(name.startswith("access-") for name in self.secrets), "no access token was seen")
        found = []
        for path in self.state.rglob("*"):
            if path.is_file() and path.name != "vault.key":
                found += self.hits(path, path.read_bytes())
        for route in ("status", "health", "connections", "plugins", "runs", "events", "dead-letters", "audit?limit=500", "records/call", "records/item",
                      "connections/oauth", "connections/key", "openapi.json"):
            found += self.hits(route, berthd.control("GET", "/v1/" + route).body)
        for event in berthd.get("/v1/events")["items"]:
            found += self.hits(event["id"], berthd.control("GET", "/v1/events/" + event["id"]).body)
        found += self.hits("metrics", berthd.control("GET", "/metrics").body)
        workers = [pid for plugin in berthd.get("/v1/plugins")["items"] for pid in plugin["workers"]]
        self.assertGreaterEqual(len(workers), 4)
        for pid in [*workers, berthd.process.pid]:
            for name in ("cmdline", "environ"):
                found += self.hits(f"{pid}/{name}", pathlib.Path(f"/proc/{pid}/{name}").read_bytes())
        for pid in workers:
            for piece in readable_memory(pid):
                found += self.hits(f"memory of worker {pid}", piece)
        self.assertEqual(sorted(set(found)), [])
        limits = pathlib.Path(f"/proc/{berthd.process.pid}/limits").read_text()
        self.assertRegex(limits, r"Max core file size\s+0\s+0")

    def test_a_planted_leak_is_found(self):
        # Would break: a search that finds nothing because it looks wrongly.
        self.secrets = {"planted": forms("canary-planted-0123456789")}
        body = b'{"call":{"id":77,"note":"canary-planted-0123456789"}}'
        self.assertEqual(self.berthd.webhook(f"/webhooks/trackdrive/{self.track['id']}/{self.canaries['webhooktoken']}", body).status // 100, 2)
        done = lambda: all(e["state"] not in ("available", "running") for e in self.berthd.get("/v1/events")["items"])
        wait_for(done, 20, "dispatch")
        places = [p for p in self.state.rglob("*") if p.is_file() and self.hits(p, p.read_bytes())]
        self.assertTrue(any(p.name.startswith("berth.db") for p in places), places)
        pid = next(p for p in self.berthd.get("/v1/plugins")["items"] if p["id"] == "trackdrive")["workers"][0]
        self.assertTrue(any(self.hits("", piece) for piece in readable_memory(pid)), "the worker saw it, its memory does not show it")
        event = self.berthd.get("/v1/events")["items"][0]
        self.assertTrue(self.hits("", self.berthd.control("GET", f"/v1/events/{event['id']}").body))


if __name__ == "__main__":
    unittest.main(verbosity=2)
