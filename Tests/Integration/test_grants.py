"""OAuth grants through a real daemon, a plugin in C and an authorization server that revokes on reuse."""

import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import unittest

import schema
from oauth_probe import OAuthMock, OAuthProbe, browse, call_api, probe  # noqa: F401: OAuthProbe is run here
from rig import ROOT, Berthd, needs_kill_points, wait_for

CLIENT = {"client_id": "mock-client", "client_secret": "mock-client-secret"}
# Random kills, and half as many at the labelled steps.
KILLS = int(os.environ.get("BERTH_GRANT_KILLS", "15"))
ACCOUNT = {"extra": {"account_id": "acct-1"}}


class Grants(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="berth-grants-"))
        cls.bundles = cls.folder / "bundles"
        probe(cls.bundles)
        cls.mock = OAuthMock(items=45, scopes="calls.read", default_scope="calls.read", **ACCOUNT)
        cls.berthd = Berthd(folder=cls.folder / "state", bundles=cls.bundles).start()

    @classmethod
    def tearDownClass(cls):
        cls.berthd.stop()
        cls.mock.stop()
        shutil.rmtree(cls.folder, ignore_errors=True)

    def setUp(self):
        self.mock.fault()
        self.mock.set(access_seconds=3600, extra=json.dumps(ACCOUNT["extra"]), grace="off", deny=False)

    def add(self, name, kind="oauth2_authorization_code", **fields):
        return self.berthd.post("/v1/connections", {
            "provider": "oauthprobe", "name": name, "base_url": self.mock.url, "credentials": {"kind": kind, **CLIENT, **fields}})

    def connect(self, name):
        answer, seen = browse(self.berthd.post(f"/v1/connections/{name}/connect")["url"])
        self.assertEqual(answer.status, 200, answer)
        self.assertIn(b"is connected", answer.body)
        return seen[-1]

    def refreshes(self):
        return [e for e in self.mock.ledger()["entries"] if e["grant_type"] == "refresh_token"]

    def show(self, name):
        return self.berthd.get(f"/v1/connections/{name}")

    def me(self, name):
        return call_api(self.berthd, name, "/api/me")["status"]

    def test_a_browser_connects(self):
        # Would break: the only way in for most providers.
        made = self.add("browser")
        self.assertEqual((made["status"], made["credentials"]["connected"]), ("error", False), made)
        self.assertIn("berthctl connection connect browser", made["last_error"])
        callback = self.connect("browser")
        shown = self.show("browser")
        self.assertEqual((shown["status"], shown["credentials"]["connected"], shown["credentials"]["account"], shown.get("last_error")),
                         ("active", True, "acct-1", None), shown)
        self.assertEqual(self.me("browser"), 200)
        # The state is spent: the same callback again is refused and changes nothing.
        again, _ = browse(callback)
        self.assertEqual(again.status, 400, again)
        self.assertIn(b"unknown, used or older", again.body)
        self.assertEqual(self.me("browser"), 200)
        kinds = [a["kind"] for a in self.berthd.all_items("/v1/audit?connection=browser")]
        self.assertIn("connection.connected", kinds)
        self.assertIn("connection.consent_begun", kinds)

    def test_a_pasted_address_connects(self):
        # Would break: daemons that no browser can reach.
        self.add("paste")
        url = self.berthd.post("/v1/connections/paste/connect", {"redirect_uri": self.mock.url + "/_mock/trap"})["url"]
        _, seen = browse(url)
        wrong = self.berthd.control("POST", "/v1/connections/paste/connect/complete", {"url": seen[-1].replace("state=", "state=x")})
        self.assertEqual(wrong.status, 400, wrong)
        done = self.berthd.post("/v1/connections/paste/connect/complete", {"url": seen[-1]})
        self.assertEqual((done["status"], done["credentials"]["connected"]), ("active", True), done)
        self.assertEqual(self.me("paste"), 200)

    def test_a_refused_consent_is_told(self):
        self.add("refused")
        self.mock.set(deny=True)
        answer, _ = browse(self.berthd.post("/v1/connections/refused/connect")["url"])
        self.assertEqual(answer.status, 502, answer)
        self.assertIn(b"access_denied", answer.body)
        self.assertFalse(self.show("refused")["credentials"]["connected"])

    def test_an_ended_token_is_renewed_once_and_unseen(self):
        # Would break: a token that the provider ends early fails requests, or each of them asks for a new one.
        self.add("renew")
        self.connect("renew")
        before = len(self.refreshes())
        self.mock.expire()
        answers = []
        threads = [threading.Thread(target=lambda: answers.append(self.me("renew"))) for _ in range(12)]
        [t.start() for t in threads]
        [t.join() for t in threads]
        self.assertEqual(answers, [200] * 12)
        self.assertEqual(len(self.refreshes()) - before, 1, self.refreshes()[before:])

    def test_a_short_token_is_renewed_before_its_end(self):
        self.mock.set(access_seconds=6)
        self.add("short")
        self.connect("short")
        began = time.monotonic()
        while time.monotonic() - began < 9:
            self.assertEqual(self.me("short"), 200)
            time.sleep(0.2)
        log = self.mock.told("requests")
        self.assertFalse([e for t in log["tokens"].values() for e in t.get("entries", []) if e.get("status") == 401 and e.get("grant") == "short"])

    def test_a_revoked_grant_asks_for_a_person(self):
        # Would break: a daemon that hammers the token endpoint with a dead grant, or hides why nothing works.
        self.add("revoked")
        self.connect("revoked")
        grant = self.mock.told("grants")["grants"][-1]["id"]
        self.mock.revoke(grant)
        answer = self.berthd.control("POST", "/v1/connections/revoked/actions/call_api", {"path": "/api/me"})
        shown = wait_for(lambda: (lambda s: s if s["status"] == "error" else None)(self.show("revoked")), what="error")
        self.assertIn("invalid_grant", shown["last_error"])
        self.assertIn("berthctl connection connect", shown["last_error"])
        count = len(self.refreshes())
        for _ in range(5):
            self.berthd.control("POST", "/v1/connections/revoked/actions/call_api", {"path": "/api/me"})
        self.assertEqual(len(self.refreshes()), count, answer)
        self.connect("revoked")
        self.assertEqual((self.me("revoked"), self.show("revoked")["status"]), (200, "active"))

    def test_bad_answers_of_the_token_endpoint(self):
        # Would break: errors without a cause, or a grant lost to an answer that was none.
        expected = {"token-html": "not JSON", "token-500": "500", "token-empty": "without a body", "token-429:1": "429",
                    "token-truncated": "not JSON", "token-invalid-client": "client_secret", "token-reset": "", "token-wrong-type": "token_type",
                    "token-wrong-scope": "is missing", "other-account": "is for 'acct-1'"}
        for number, (fault, text) in enumerate(expected.items()):
            with self.subTest(fault):
                name = f"bad-{number}"
                self.mock.set(grace="until-used")
                self.add(name)
                self.connect(name)
                self.mock.expire()
                if fault == "other-account":
                    self.mock.set(extra='{"account_id": "acct-9"}')
                else:
                    self.mock.fault(fault)
                answer = self.berthd.control("POST", f"/v1/connections/{name}/actions/call_api", {"path": "/api/me"})
                shown = self.show(name)
                self.assertIn(text, shown.get("last_error") or "", (fault, answer, shown))
                self.mock.fault()
                self.mock.set(extra=json.dumps(ACCOUNT["extra"]))
                # Others are not affected.
                self.add(f"other-{number}", kind="oauth2_client_credentials")
                self.assertEqual(self.me(f"other-{number}"), 200)
                if fault in ("token-html", "token-500", "token-empty", "token-429:1", "token-truncated", "token-reset"):
                    wait_for(lambda: self.berthd.control("POST", f"/v1/connections/{name}/actions/call_api", {"path": "/api/me"}).status == 200
                             and self.me(name) == 200, 15, f"recovery from {fault}")

    def test_kinds_without_a_person(self):
        for kind, fields in {"oauth2_client_credentials": {}, "oauth2_password": {"username": "mock-user", "password": "mock-password"},
                             "oauth2_refresh_token": {"refresh_token": self.mock.issue()["refresh_token"]}}.items():
            with self.subTest(kind):
                self.add(kind.replace("oauth2_", ""), kind, **fields)
                self.assertEqual(self.me(kind.replace("oauth2_", "")), 200)
                self.mock.expire()
                self.assertEqual(self.me(kind.replace("oauth2_", "")), 200)

    def test_what_the_answers_look_like(self):
        # Would break: clients generated from the OpenAPI document.
        document = self.berthd.get("/v1/openapi.json")
        self.add("shape")

        def check(method, template, body, path):
            answer = self.berthd.control(method, path, body)
            self.assertEqual(answer.status, 200, answer)
            content = document["paths"][template][method.lower()]["responses"]["200"]["content"]["application/json"]
            self.assertEqual(schema.problems(answer.json, content["schema"], document, closed=True), [], template)
            return answer.json
        begun = check("POST", "/v1/connections/{id}/connect", {"redirect_uri": self.mock.url + "/_mock/trap"}, "/v1/connections/shape/connect")
        _, seen = browse(begun["url"])
        check("POST", "/v1/connections/{id}/connect/complete", {"url": seen[-1]}, "/v1/connections/shape/connect/complete")
        check("POST", "/v1/connections/{id}/disconnect", {}, "/v1/connections/shape/disconnect")

    def test_a_signed_assertion(self):
        key = self.folder / "jwt.pem"
        subprocess.run(["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", str(key)], check=True,
                       stderr=subprocess.DEVNULL)
        public = subprocess.run(["openssl", "pkey", "-in", str(key), "-pubout"], check=True, capture_output=True, text=True).stdout
        self.mock.set(jwt_key=public)
        self.berthd.post("/v1/connections", {
            "provider": "oauthprobe", "name": "jwt", "base_url": self.mock.url,
            "credentials": {"kind": "oauth2_jwt_bearer", "client_id": "mock-public", "subject": "mock-user", "private_key": key.read_text()}})
        self.assertEqual(self.me("jwt"), 200)

    def test_disconnect_gives_back(self):
        self.add("gone")
        self.connect("gone")
        grant = self.mock.told("grants")["grants"][-1]
        done = self.berthd.post("/v1/connections/gone/disconnect")
        self.assertEqual((done["status"], done.get("last_error")), ("disconnected", None), done)
        after = next(g for g in self.mock.told("grants")["grants"] if g["id"] == grant["id"])
        self.assertFalse(after["alive"], after)
        self.assertEqual(self.berthd.webhook(f"/webhooks/oauthprobe/{done['id']}", b"{}").status in (404, 410), True)


class Kills(unittest.TestCase):
    """No kill of the daemon at any step of a renewal loses a grant, though the server revokes on reuse."""

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="berth-grant-kills-"))
        probe(self.folder / "bundles")
        self.mock = OAuthMock(scopes="calls.read", default_scope="calls.read", **ACCOUNT)
        self.berthd = Berthd(folder=self.folder / "state", bundles=self.folder / "bundles").start()
        self.berthd.post("/v1/connections", {
            "provider": "oauthprobe", "name": "main", "base_url": self.mock.url,
            "credentials": {"kind": "oauth2_authorization_code", **CLIENT}})
        browse(self.berthd.post("/v1/connections/main/connect")["url"])

    def tearDown(self):
        self.berthd.stop()
        self.mock.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def ask(self):
        """Asks for a call in the background: the daemon may die of it."""
        def call():
            try:
                self.berthd.control("POST", "/v1/connections/main/actions/call_api", {"path": "/api/me"})
            except OSError:
                pass
            except Exception:  # the daemon went away in the middle of its answer
                pass
        thread = threading.Thread(target=call)
        thread.start()
        return thread

    def assert_alive(self, what):
        status = wait_for(lambda: self.berthd.control("POST", "/v1/connections/main/actions/call_api", {"path": "/api/me"}), 20, what)
        self.assertEqual((status.status, status.json.get("output", {}).get("status")), (200, 200), (what, status, self.mock.ledger()["entries"][-3:]))

    @needs_kill_points
    def test_every_step(self):
        # Would break: a provider that rotates refresh tokens ends the grant when the daemon comes back with the spent one.
        source = (ROOT / "Sources/BerthModel/KillPoint.swift").read_text()
        points = re.findall(r'"(grant\.[a-z-]+)"', source)
        self.assertEqual(len(points), 5)
        for point in points * max(1, KILLS // 10):
            with self.subTest(point):
                self.berthd.stop()
                self.mock.expire()
                self.berthd.environment = {"BERTH_KILLPOINT": point}
                self.berthd.start()
                thread = self.ask()
                self.berthd.process.wait(20)
                self.assertEqual(self.berthd.process.returncode, -signal.SIGKILL, f"{point} was not reached")
                thread.join()
                self.berthd.environment = {}
                self.berthd.start()
                self.assert_alive(point)
        self.assertFalse([g for g in self.mock.told("grants")["grants"] if not g["alive"]], "a grant was lost")
        print(f"\n  {len(points) * max(1, KILLS // 10)} kills at {len(points)} labelled steps, no grant lost", flush=True)

    def where(self, before):
        """How far the renewal had come when the daemon died: `before` token requests had been made until then."""
        entries = self.mock.ledger()["entries"]
        if list((self.folder / "state/grants").glob("*.reply")):
            return "answer on disk"
        works = any(b"exchange-token" in self.command(pid) for pid in os.listdir("/proc") if pid.isdigit())
        if len(entries) <= before:
            return "request process starts" if works else "nothing begun"
        if entries[-1].get("finished_at") is None:
            return "rotated, not answered"
        return "answered, not on disk" if works else "stored"

    def command(self, pid):
        try:
            return pathlib.Path(f"/proc/{pid}/cmdline").read_bytes() if os.stat(f"/proc/{pid}").st_uid == os.getuid() else b""
        except OSError:
            return b""

    def another_life(self):
        """A refused token asks for a renewal once in two minutes only: without this the next kill would strike none."""
        self.berthd.kill()
        self.berthd.start()

    def test_random_moments(self):
        # Would break: as above, between the labels too.
        spans = []
        for _ in range(3):
            self.mock.expire()
            begun = time.monotonic()
            self.assert_alive("an undisturbed renewal")
            spans.append(time.monotonic() - begun)
            self.another_life()
        span, steps = sorted(spans)[1], {}
        for number in range(KILLS):
            self.mock.expire()
            # Every third answer waits after the rotation: the moment at which most can be lost would be too short to be hit.
            self.mock.fault(*(["token-slow:0.15"] if number % 3 == 0 else []))
            before = len(self.mock.ledger()["entries"])
            thread = self.ask()
            # Spread evenly over the time a renewal takes, and a little more.
            time.sleep((number * 0.618034) % 1 * (span * 1.2 + (0.15 if number % 3 == 0 else 0)))
            self.berthd.kill()
            step = self.where(before)
            steps[step] = steps.get(step, 0) + 1
            thread.join()
            self.mock.fault()
            self.berthd.start()
            self.assert_alive(f"kill {number} ({step})")
            self.another_life()
        self.assertFalse([g for g in self.mock.told("grants")["grants"] if not g["alive"]], "a grant was lost")
        told = ", ".join(f"{step}: {count}" for step, count in sorted(steps.items()))
        print(f"\n  {KILLS} kills over {span * 1000:.0f} ms of a renewal, no grant lost ({told})", flush=True)
        self.assertGreaterEqual(len(steps), 5 if KILLS >= 50 else 3, steps)


if __name__ == "__main__":
    unittest.main(verbosity=2)
