"""Kept answers through a real daemon, a plugin in C that knows nothing of them, and a provider that counts what it is asked."""

import json
import os
import pathlib
import shutil
import stat
import subprocess
import tempfile
import unittest

from oauth_probe import SOURCE, OAuthMock, call_api, probe
from rig import BIN, Berthd, wait_for

CACHE = """
[http.cache]
classes = [{ class = "things", seconds = 3600 }, { class = "blink", seconds = 1 }]
max_mib = 1
"""


class Cache(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="berth-cache-"))
        cls.bundles = cls.folder / "bundles"
        text = (SOURCE / "plugin.toml").read_text()
        probe(cls.bundles, text.replace("\n[[credentials]]", CACHE + "\n[[credentials]]", 1))
        cls.mock = OAuthMock(items=45)
        cls.berthd = Berthd(folder=cls.folder / "state", bundles=cls.bundles).start()

    @classmethod
    def tearDownClass(cls):
        cls.berthd.stop()
        cls.mock.stop()
        shutil.rmtree(cls.folder, ignore_errors=True)

    def add(self, name, workspace="acme", account=None):
        """A connection of an account of its own; answers its access token."""
        token = self.mock.issue(account=account or f"account-{name}")["access_token"]
        self.berthd.post("/v1/connections", {
            "provider": "oauthprobe", "workspace": workspace, "name": name, "base_url": self.mock.url,
            "credentials": {"kind": "api_key", "token": token}})
        return token

    def get(self, name, path, kind="things", **more):
        answer = call_api(self.berthd, name, path, **{"class": kind}, **more)
        self.assertEqual(answer["status"], 200, answer)
        return json.loads(answer["body"])

    def asked(self, thing):
        """Full and 304 answers that the provider gave of a thing."""
        found = self.mock.told("cached").get(thing, {"full": {}, "not_modified": {}})
        return sum(found["full"].values()), sum(found["not_modified"].values())

    def requests(self, token):
        return self.mock.told("requests")["tokens"].get(token, {"count": 0})["count"]

    def metric(self, name):
        lines = self.berthd.control("GET", "/metrics").body.decode().splitlines()
        return next((float(line.split()[-1]) for line in lines if line.startswith(name + " ")), 0.0)

    def clear(self, name, query="", expect=200):
        answer = self.berthd.control("DELETE", f"/v1/connections/{name}/cache{query}")
        self.assertEqual(answer.status, expect, answer)
        return answer.json

    def test_a_fresh_answer_makes_no_request(self):
        # Would break: the limits of providers that allow a few requests a minute.
        token = self.add("fresh")
        hits = self.metric('berth_cache_requests_total{provider="oauthprobe",outcome="hit"}')
        sent = self.metric('berth_provider_requests_total{provider="oauthprobe",endpoint="things",status="200"}')
        first = self.get("fresh", "/api/cached/plain/fresh-1")
        self.assertEqual(self.get("fresh", "/api/cached/plain/fresh-1", times=100), first)
        self.assertEqual(self.asked("fresh-1"), (1, 0))
        self.assertEqual(self.requests(token), 1)
        self.assertEqual(self.metric('berth_cache_requests_total{provider="oauthprobe",outcome="hit"}') - hits, 100)
        self.assertEqual(self.metric('berth_provider_requests_total{provider="oauthprobe",endpoint="things",status="200"}') - sent, 1)
        self.assertGreater(self.metric("berth_cache_bytes"), 0)
        # Other classes, and none, go past.
        self.get("fresh", "/api/cached/plain/fresh-1", kind="others", times=2)
        self.get("fresh", "/api/cached/plain/fresh-1", kind="", times=2)
        self.assertEqual(self.asked("fresh-1"), (5, 0))
        # What the provider forbids to keep is not kept; what it allows for a moment is kept for that.
        self.get("fresh", "/api/cached/no-store/fresh-2", times=3)
        self.assertEqual(self.asked("fresh-2"), (3, 0))
        self.get("fresh", "/api/cached/max-age/fresh-3?seconds=0", times=3)
        self.assertEqual(self.asked("fresh-3"), (1, 2))
        # Without the credential the answer is another one.
        self.assertEqual(call_api(self.berthd, "fresh", "/api/cached/plain/fresh-1", no_auth=True, **{"class": "things"})["status"], 401)

    def test_a_restart_keeps_it(self):
        # Would break: a burst of requests with every restart.
        self.add("restart")
        first = self.get("restart", "/api/cached/etag/restart-1")
        for end in (self.berthd.stop, self.berthd.kill):
            end()
            self.berthd.start()
            self.assertEqual(self.get("restart", "/api/cached/etag/restart-1"), first)
        self.assertEqual(self.asked("restart-1"), (1, 0))
        # A damaged file costs the answers and nothing else.
        self.berthd.stop()
        file = self.berthd.folder / "cache.db"
        self.assertEqual(stat.S_IMODE(file.stat().st_mode), 0o600)
        file.write_bytes(os.urandom(100_000))
        self.berthd.start()
        self.assertEqual(self.get("restart", "/api/cached/etag/restart-1"), first)
        self.assertEqual(self.get("restart", "/api/cached/etag/restart-1"), first)
        self.assertEqual(self.asked("restart-1"), (2, 0))
        self.assertNotIn("cache", [part["name"] for part in self.berthd.get("/v1/health")["parts"]])
        # Nor does one that can't be had, but somebody has to learn of it.
        self.berthd.stop()
        file.unlink()
        file.mkdir()
        self.berthd.start()
        self.assertEqual(self.get("restart", "/api/cached/etag/restart-1", times=2), first)
        self.assertEqual(self.asked("restart-1"), (4, 0))
        (part,) = [part for part in self.berthd.get("/v1/health")["parts"] if part["name"] == "cache"]
        self.assertEqual(part["status"], "degraded")
        self.assertIn(f"{file} can't be opened", part["detail"])
        self.berthd.stop()
        file.rmdir()
        self.berthd.start()

    def test_none_are_kept_where_the_operator_wants_none(self):
        # Would break: a site whose rules forbid copies of customers' data.
        folder = self.folder / "none"
        own = Berthd(folder=folder, bundles=self.bundles, settings="[cache]\nmax_mib = 0\n")
        (folder / "cache.db").write_bytes(b"from before")
        own.start()
        try:
            token = self.mock.issue(account="account-none")["access_token"]
            own.post("/v1/connections", {"provider": "oauthprobe", "name": "none", "base_url": self.mock.url,
                                         "credentials": {"kind": "api_key", "token": token}})
            call_api(own, "none", "/api/cached/plain/none-1", times=3, **{"class": "things"})
            self.assertEqual(self.asked("none-1"), (3, 0))
            self.assertFalse((folder / "cache.db").exists())
        finally:
            own.stop()

    def test_workspaces_and_connections_never_share(self):
        # Would break: the promise that a workspace sees its own data only.
        names = {"share-a": "acme", "share-b": "globex", "share-c": "acme"}
        for name, workspace in names.items():
            self.add(name, workspace)
        for _ in range(2):
            for name in names:
                self.assertEqual(self.get(name, "/api/cached/plain/share-1")["account"], f"account-{name}")
        self.assertEqual(self.asked("share-1"), (3, 0))
        # Nor does a name that is given anew.
        self.assertEqual(self.berthd.control("DELETE", "/v1/connections/share-a").status, 204)
        self.add("share-a", "acme", account="account-new")
        self.assertEqual(self.get("share-a", "/api/cached/plain/share-1")["account"], "account-new")

    def test_a_new_credential_sees_nothing_of_the_old_one(self):
        # Would break: the old account's data under the new account's name.
        self.add("change")
        self.assertEqual(self.get("change", "/api/cached/plain/change-1")["account"], "account-change")
        token = self.mock.issue(account="account-other")["access_token"]
        answer = self.berthd.control("PATCH", "/v1/connections/change", {"credentials": {"kind": "api_key", "token": token}})
        self.assertEqual(answer.status, 200, answer)
        self.assertEqual(self.get("change", "/api/cached/plain/change-1")["account"], "account-other")

    def test_a_stale_answer_is_asked_for_on_condition(self):
        # Would break: whole bodies over the wire though nothing changed.
        self.add("stale")
        for variant in ("etag", "weak-etag", "last-modified"):
            with self.subTest(variant):
                thing = f"stale-{variant}"
                path = f"/api/cached/{variant}/{thing}"
                first = self.get("stale", path, kind="blink")

                def renewed():
                    self.assertEqual(self.get("stale", path, kind="blink"), first)
                    return self.asked(thing) == (1, 1)

                wait_for(renewed, 10, "a 304")
                self.mock.request("PUT", f"/_mock/oauth/cached/{thing}")
                if variant != "last-modified":  # its moment has seconds only
                    wait_for(lambda: self.get("stale", path, kind="blink")["version"] > first["version"], 10, "the new version")
        self.assertGreater(self.metric('berth_cache_requests_total{provider="oauthprobe",outcome="revalidated"}'), 2)

    def test_it_is_cleared_by_hand(self):
        # Would break: an operator who knows better than the lifetime.
        self.add("clear")
        for thing in ("clear-1", "clear-2"):
            self.get("clear", f"/api/cached/plain/{thing}")
        self.assertEqual(self.clear("clear", "?prefix=/api/cached/plain/clear-2"), {"removed": 1})
        for thing in ("clear-1", "clear-2"):
            self.get("clear", f"/api/cached/plain/{thing}")
        self.assertEqual((self.asked("clear-1"), self.asked("clear-2")), ((1, 0), (2, 0)))
        told = subprocess.run(
            [str(BIN / "berthctl"), "connection", "clear-cache", "clear", "--prefix", "/api/cached", "--socket", str(self.berthd.socket)],
            capture_output=True, text=True, timeout=30)
        self.assertEqual(told.returncode, 0, told)
        self.assertIn("2", told.stdout)
        self.get("clear", "/api/cached/plain/clear-1")
        self.assertEqual(self.asked("clear-1"), (2, 0))
        self.assertEqual(self.clear("clear"), {"removed": 1})
        self.clear("clear", "?prefix=api", expect=400)
        self.clear("clear", "?prefx=/api", expect=400)
        self.clear("nobody", expect=404)
        self.assertIn("connection.cache_cleared", [a["kind"] for a in self.berthd.all_items("/v1/audit?connection=clear")])

    def test_a_write_ends_what_it_may_have_changed(self):
        # Would break: a plugin that reads back what stood there before its own write.
        token = self.add("write")
        for page in (1, 2):
            self.get("write", f"/api/items?page={page}", times=3)
        self.get("write", "/api/cached/plain/write-1", times=3)
        self.assertEqual(self.requests(token), 3)
        made = call_api(self.berthd, "write", "/api/items", method="POST", body='{"name":"x"}', idempotency_key="write-one")
        self.assertEqual(made["status"], 201, made)
        for page in (1, 2):
            self.get("write", f"/api/items?page={page}", times=3)
        self.get("write", "/api/cached/plain/write-1", times=3)
        self.assertEqual(self.requests(token), 3 + 1 + 2)

    def test_the_bound_is_kept(self):
        # Would break: the disk.
        token = self.add("bound")
        before = self.metric("berth_cache_bytes")
        for number in range(60):
            self.get("bound", f"/api/cached/plain/bound-1?n={number}&pad={'x' * 12000}")
        self.assertLessEqual(self.metric("berth_cache_bytes") - before, 1 << 20)
        self.assertEqual(self.requests(token), 60)
        self.get("bound", f"/api/cached/plain/bound-1?n=59&pad={'x' * 12000}")
        self.assertEqual(self.requests(token), 60, "the last one is kept")
        self.get("bound", f"/api/cached/plain/bound-1?n=0&pad={'x' * 12000}")
        self.assertEqual(self.requests(token), 61, "the first one had to go")


if __name__ == "__main__":
    unittest.main(verbosity=2)
