"""Token endpoints, consents and TLS that go wrong: each is told clearly, in bounded time, and no other connection is affected."""

import concurrent.futures
import contextlib
import email.utils
import json
import pathlib
import re
import shutil
import subprocess
import tempfile
import threading
import time
import unittest
import urllib.parse

from cplugin import bundle
from hostile import Certificates, Hostile, bomb, drip, undisturbed
from oauth_probe import SOURCE, OAuthMock, browse, call_api, probe
from rig import BIN, Berthd, wait_for

CLIENT = {"client_id": "mock-client", "client_secret": "mock-client-secret"}
MANIFEST = (SOURCE / "plugin.toml").read_text().replace("max_concurrent = 16", "max_concurrent = 16\ntimeout_seconds = 4")
GOOD = json.dumps({"access_token": "good-token", "token_type": "Bearer", "expires_in": 3600})


def date(offset=0):
    return email.utils.formatdate(time.time() + offset, usegmt=True)


def endless(peer, piece):
    with contextlib.suppress(OSError):
        while True:
            peer.send(piece)


def chunk(data):
    return b"%x\r\n%s\r\n" % (len(data), data)


# What the token endpoint does, and what must stand in the connection's last_error.
TOKEN = {
    "html-200": (lambda p, t: p.answer(200, "<html>Please sign in</html>", Content_Type="text/html"), "not JSON"),
    "html-502": (lambda p, t: p.answer(502, "<html>Bad gateway</html>", Content_Type="text/html"), "answered 502"),
    "500": (lambda p, t: p.answer(500), "answered 500 without a body"),
    "500-json": (lambda p, t: p.json('{"error":"server_error","error_description":"try later"}', 500), "server_error: try later"),
    "404": (lambda p, t: p.answer(404, "no such page"), "answered 404"),
    "nothing": (lambda p, t: False, "no answer of the token endpoint"),
    "reset": (lambda p, t: p.reset(), "no answer of the token endpoint"),
    "garbage": (lambda p, t: p.send("SSH-2.0-OpenSSH_9.2\r\n\r\n") or False, "not readable HTTP"),
    "half": (lambda p, t: p.json(GOOD[:30]), "not JSON"),
    "cut": (lambda p, t: p.send(f"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n{GOOD}") or False, "no answer of the token endpoint"),
    "list": (lambda p, t: p.json("[1]"), "no JSON object"),
    "null": (lambda p, t: p.json("null"), "no JSON object"),
    "deep": (lambda p, t: p.json('{"a":' * 50_000), "not JSON"),
    "not-utf8": (lambda p, t: p.json(b'{"access_token":"\xff\xfe"}'), "no header can carry"),
    "no-token": (lambda p, t: p.json("{}"), "without an access_token"),
    "number": (lambda p, t: p.json('{"access_token":5}'), "without an access_token"),
    "empty-token": (lambda p, t: p.json('{"access_token":""}'), "without an access_token"),
    "mac": (lambda p, t: p.json('{"access_token":"x","token_type":"mac"}'), "token_type 'mac'"),
    "smuggling": (lambda p, t: p.json('{"access_token":"x\\r\\nX-Evil: 1"}'), "no header can carry"),
    "long-token": (lambda p, t: p.json(json.dumps({"access_token": "x" * 500_000})), "500000 bytes"),
    "less-scope": (lambda p, t: p.json('{"access_token":"x","scope":"other"}'), "calls.read is missing"),
    "huge": (lambda p, t: p.send("HTTP/1.1 200 OK\r\nContent-Length: 32212254720\r\n\r\n") or endless(p, b"x" * 65536), "larger than"),
    "endless": (lambda p, t: p.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n") or endless(p, chunk(b" " * 65536)), "larger than"),
    "bomb": (lambda p, t: p.answer(200, t.bomb, Content_Encoding="gzip"), "larger than"),
    "hints": (lambda p, t: endless(p, b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"), "headers are larger"),
    "redirect": (lambda p, t: p.answer(302, Location=t.trap.url + "/oauth/token"), "answered 302"),
    "redirect-307": (lambda p, t: p.answer(307, Location=t.trap.url + "/oauth/token"), "answered 307"),
    "clock": (lambda p, t: p.json('{"error":"invalid_grant"}', 400, Date=date(3630)), "clock is 60 minutes ahead"),
    "clock-behind": (lambda p, t: p.json('{"error":"invalid_request"}', 400, Date=date(-10_830)), "clock is 3 hours behind"),
}
# Odd but usable.
USABLE = ('1e300', '-5', '0', '"soon"', '9223372036854775807', '-9223372036854775808', '1e999', "null", "[]", '"3600"')


class TokenEndpoints(unittest.TestCase):
    """The token endpoint is the test's, byte by byte."""

    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="berth-bad-grants-"))
        scoped = MANIFEST.replace('client_authentication = "basic" }', 'client_authentication = "basic", scopes = ["calls.read"] }')
        probe(cls.folder / "bundles", scoped)
        cls.bomb = bomb()
        cls.cases, cls.held = {}, {}
        cls.trap = Hostile(lambda p, *_: p.json(GOOD))
        cls.server = Hostile(cls.serve)
        cls.berthd = Berthd(folder=cls.folder / "state", bundles=cls.folder / "bundles").start()
        cls.add("healthy", lambda p, t: p.json(GOOD))
        assert call_api(cls.berthd, "healthy", "/api/me")["status"] == 200

    @classmethod
    def tearDownClass(cls):
        cls.berthd.stop()
        cls.server.stop()
        cls.trap.stop()
        shutil.rmtree(cls.folder, ignore_errors=True)

    @classmethod
    def serve(cls, peer, method, path, head, body):
        """`/CASE/oauth/token` does what the case says; anything else below it is the API."""
        name = path.split("/")[1]
        if path.endswith("/oauth/token"):
            return cls.cases[name](peer, cls)
        return peer.json('{"account":"a"}' if b"x-evil" not in head.lower() else '{"account":"evil"}')

    @classmethod
    def add(cls, name, script, kind="oauth2_client_credentials", **fields):
        cls.cases[name] = script
        return cls.berthd.post("/v1/connections", {
            "provider": "oauthprobe", "name": name, "base_url": f"{cls.server.url}/{name}", "credentials": {"kind": kind, **CLIENT, **fields}})

    def call(self, name, timeout=60):
        begun = time.monotonic()
        answer = self.berthd.control("POST", f"/v1/connections/{name}/actions/call_api", {"path": "/api/me"}, timeout=timeout)
        return answer, time.monotonic() - begun

    def worker(self):
        return next(p["workers"] for p in self.berthd.get("/v1/plugins")["items"] if p["id"] == "oauthprobe")

    def healthy(self, within=3.0):
        return undisturbed(self, lambda: self.call("healthy"), lambda answer: answer.json["output"]["status"] == 200, self.worker, within)

    def test_bad_answers(self):
        # Would break: errors without a cause, a daemon that fills its memory or follows a redirect with the client's secret.
        for name, (script, _) in TOKEN.items():
            self.add(name, script)
        memory = self.memory()
        with self.healthy(), concurrent.futures.ThreadPoolExecutor(4) as pool:
            results = dict(zip(TOKEN, pool.map(self.call, TOKEN)))
        for name, (answer, seconds) in results.items():
            with self.subTest(name):
                shown = self.berthd.get(f"/v1/connections/{name}")
                error = shown.get("last_error") or ""
                self.assertGreaterEqual(answer.status, 400, answer)
                self.assertLess(seconds, 6, "not bounded by the request's own time")
                self.assertIn(TOKEN[name][1], error)
                self.assertRegex(error, r"\(.{10,}\)$", "no hint of what to do")
                self.assertIn(error[:40], answer.json["detail"])
                self.assertNotRegex(error + answer.body.decode(), CLIENT["client_secret"] + "|good-token|X-Evil")
        self.assertEqual(self.trap.connections, 0, "a redirect was followed")
        self.assertLess(self.memory() - memory, 64 << 10, "KiB")
        # A failing endpoint that recovers is asked again by itself.
        for name in ("500", "html-502", "half", "reset", "nothing"):
            self.cases[name] = lambda p, t: p.json(GOOD)
        for name in ("500", "html-502", "half", "reset", "nothing"):
            wait_for(lambda: self.call(name)[0].status == 200, 10, f"recovery from {name}")
            self.assertIsNone(self.berthd.get(f"/v1/connections/{name}").get("last_error"), name)

    def memory(self):
        text = pathlib.Path(f"/proc/{self.berthd.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", text)[1])

    def test_odd_but_usable(self):
        # Would break: a crash of the daemon by a number, or a token thrown away for its lifetime's form.
        for number, lifetime in enumerate(USABLE):
            self.add(f"odd-{number}", lambda p, t, text=lifetime: p.json('{"access_token":"good-token","expires_in":%s}' % text))
            answer, _ = self.call(f"odd-{number}")
            self.assertEqual(answer.status, 200, (lifetime, answer))
        self.add("twice", lambda p, t: p.json('{"access_token":"a","access_token":"b"}'))
        self.assertIn(self.call("twice")[0].status, (200, 502))

    def test_silence_and_trickles(self):
        # Would break: a token endpoint that never answers takes the plugin's worker with it, and so all connections of the provider.
        freed = threading.Event()
        self.add("silent", lambda p, t: freed.wait(60) and False)
        self.add("trickle", lambda p, t: drip(p, "HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n" + " " * 900, 1))
        with self.healthy():
            with concurrent.futures.ThreadPoolExecutor(8) as pool:
                results = list(pool.map(self.call, ["silent"] * 2 + ["trickle"]))
        for answer, seconds in results:
            self.assertIn("the token endpoint has not answered", answer.json["detail"])
            self.assertLess(seconds, 10)   # one after the other: operations of a connection wait for each other
        asked = [path for _, path, _, _ in self.server.asked if "/silent/" in path]
        self.assertEqual(len(asked), 1, "each caller asked anew")
        freed.set()
        shown = wait_for(lambda: self.berthd.get("/v1/connections/silent").get("last_error"), 10, "what came of it")
        self.assertIn("token endpoint", shown)
        # While a token request is under way the daemon still stops, and the next life knows what came of it.
        begun = time.monotonic()
        self.assertEqual(self.berthd.stop(), 0)
        self.assertLess(time.monotonic() - begun, 8)
        self.berthd.start()
        self.assertEqual(self.call("healthy")[0].status, 200)


class Consents(unittest.TestCase):
    """Against the real authorization server."""

    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="berth-consents-"))
        probe(cls.folder / "bundles", MANIFEST)
        bundle(cls.folder / "bundles", "nameless", SOURCE / "oauthprobe.c",
               MANIFEST.replace('id = "oauthprobe"', 'id = "nameless"').replace(', account = "/account_id"', ""))
        cls.key = cls.folder / "jwt.pem"
        subprocess.run(["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", str(cls.key)], check=True,
                       stderr=subprocess.DEVNULL)
        public = subprocess.run(["openssl", "pkey", "-in", str(cls.key), "-pubout"], check=True, capture_output=True, text=True).stdout
        cls.mock = OAuthMock(scopes="calls.read", default_scope="calls.read", extra={"account_id": "acct-1"}, jwt_key=public)
        cls.berthd = Berthd(folder=cls.folder / "state", bundles=cls.folder / "bundles").start()

    @classmethod
    def tearDownClass(cls):
        cls.berthd.stop()
        cls.mock.stop()
        shutil.rmtree(cls.folder, ignore_errors=True)

    def setUp(self):
        self.mock.fault()
        self.mock.set(extra='{"account_id": "acct-1"}', account="acct-1", clock_skew_seconds=0, deny=False)

    def add(self, name, kind="oauth2_authorization_code", provider="oauthprobe", **fields):
        return self.berthd.post("/v1/connections", {
            "provider": provider, "name": name, "base_url": self.mock.url, "credentials": {"kind": kind, **(fields or CLIENT)}})

    def begin(self, name):
        url = self.berthd.post(f"/v1/connections/{name}/connect")["url"]
        return url, dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(url).query))

    def connect(self, name):
        answer, seen = browse(self.begin(name)[0])
        return answer, seen[-1]

    def callback(self, **query):
        return self.berthd.webhook("/oauth/callback?" + urllib.parse.urlencode(query), method="GET")

    def me(self, name):
        return self.berthd.control("POST", f"/v1/connections/{name}/actions/call_api", {"path": "/api/me"})

    def works(self, name):
        answer = self.me(name)
        self.assertEqual((answer.status, answer.json.get("output", {}).get("status")), (200, 200), (name, answer))

    def fails(self, name):
        answer = self.me(name)
        self.assertTrue(answer.status >= 400 or answer.json["output"]["status"] == 401, answer)

    def stranger(self, url, **changes):
        """A code of the same server that was given for another request."""
        parts = urllib.parse.urlsplit(url)
        query = {**dict(urllib.parse.parse_qsl(parts.query)), "redirect_uri": self.mock.url + "/_mock/trap", **changes}
        _, seen = browse(parts._replace(query=urllib.parse.urlencode(query)).geturl())
        return dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(seen[-1]).query))["code"]

    def test_states_that_are_none(self):
        # Would break: anybody could have their own account connected in the victim's place (login CSRF).
        self.add("states")
        _, query = self.begin("states")
        code = self.stranger(self.begin("states")[0])
        for fields in ({"code": code}, {"code": code, "state": ""}, {"code": code, "state": query["state"][:-1]}, {"code": code, "state": "x" * 5000},
                       {"code": code, "state": query["state"] + "\0"}, {}):
            answer = self.callback(**fields)
            self.assertEqual(answer.status, 400, (fields, answer))
            self.assertIn(b"berthctl connection connect", answer.body)
        exchanged = [e for e in self.mock.ledger()["entries"] if e["grant_type"] == "authorization_code"]
        shown = self.berthd.get("/v1/connections/states")
        self.assertFalse(shown["credentials"]["connected"], shown)
        # What a provider says is not repeated to a browser as a page.
        answer = self.callback(state=query["state"], error="<script>alert(1)</script>")
        self.assertTrue(answer.headers["content-type"].startswith("text/plain"), answer.headers)
        self.assertEqual(answer.headers.get("x-content-type-options"), "nosniff", answer.headers)
        # The state is spent by any answer.
        self.assertEqual(self.callback(state=query["state"], code=code).status, 400)
        self.assertEqual([e for e in self.mock.ledger()["entries"] if e["grant_type"] == "authorization_code"], exchanged)

    def test_a_code_for_another_verifier(self):
        # Would break: PKCE: a stolen code put into one's own consent would connect another's account.
        self.add("verifier")
        url, query = self.begin("verifier")
        answer = self.callback(state=query["state"], code=self.injected(url))
        self.assertEqual(answer.status, 502, answer)
        self.assertIn(b"code_verifier", answer.body)
        self.assertFalse(self.berthd.get("/v1/connections/verifier")["credentials"]["connected"])
        self.assertEqual(self.connect("verifier")[0].status, 200)
        self.works("verifier")

    def injected(self, url):
        """A code for the same redirect with another challenge; the browser does not go back with it."""
        parts = urllib.parse.urlsplit(url)
        query = {**dict(urllib.parse.parse_qsl(parts.query)), "code_challenge": "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"}
        _, seen = browse(parts._replace(query=urllib.parse.urlencode(query)).geturl(), redirects=0)
        answer, _ = browse(seen[0], redirects=0)
        return dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(answer.headers["location"]).query))["code"]

    def test_a_failed_consent_leaves_what_works(self):
        # Would break: one bad click in a second consent cuts a working connection off.
        self.add("kept")
        self.assertEqual(self.connect("kept")[0].status, 200)
        for what in ("wrong verifier", "less scope", "html", "denied"):
            with self.subTest(what):
                url, query = self.begin("kept")
                if what == "wrong verifier":
                    answer = self.callback(state=query["state"], code=self.injected(url))
                else:
                    self.mock.set(deny=what == "denied")
                    self.mock.fault(*{"less scope": ["token-wrong-scope"], "html": ["token-html"]}.get(what, []))
                    answer, _ = browse(url)
                    self.mock.fault()
                    self.mock.set(deny=False)
                self.assertEqual(answer.status, 502, answer)
                self.works("kept")
        self.berthd.stop()
        self.berthd.start()
        self.works("kept")
        self.mock.expire()
        self.works("kept")

    def test_a_code_used_twice(self):
        # Would break: the provider ends the grant (RFC 6749, 4.1.2), and nobody is told why nothing works.
        self.add("twice")
        answer, seen = self.connect("twice")
        used = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(seen).query))
        self.works("twice")
        replay = self.callback(state=used["state"], code=used["code"])
        self.assertEqual(replay.status, 400, replay)
        self.works("twice")
        again = self.callback(state=self.begin("twice")[1]["state"], code=used["code"])
        self.assertEqual(again.status, 502, again)
        self.assertIn(b"used before", again.body)
        self.fails("twice")
        shown = self.berthd.get("/v1/connections/twice")
        self.assertEqual(shown["status"], "error")
        self.assertIn("berthctl connection connect", shown["last_error"])

    def test_another_account(self):
        # Would break: records of two customers in one connection.
        self.add("account")
        self.assertEqual(self.connect("account")[0].status, 200)
        self.mock.set(account="acct-2", extra='{"account_id": "acct-2"}')
        answer, _ = self.connect("account")
        self.assertEqual(answer.status, 502, answer)
        self.assertIn(b"for account 'acct-2', the connection is for 'acct-1'", answer.body)
        self.works("account")
        self.assertEqual(self.berthd.get("/v1/connections/account")["credentials"]["account"], "acct-1")
        # A token of another account that comes by renewal ends it, over restarts too, and the spent refresh token is not tried again.
        self.mock.expire()
        self.fails("account")
        count = len(self.mock.ledger()["entries"])
        self.berthd.stop()
        self.berthd.start()
        self.fails("account")
        self.assertEqual(len(self.mock.ledger()["entries"]), count)
        shown = self.berthd.get("/v1/connections/account")
        self.assertEqual(shown["status"], "error")
        self.assertIn("acct-2", shown["last_error"])
        self.mock.set(account="acct-1", extra='{"account_id": "acct-1"}')
        self.assertEqual(self.connect("account")[0].status, 200)
        self.works("account")

    def test_another_account_that_only_the_api_tells(self):
        # Would break: as above, where token replies name nobody and the plugin's check does.
        self.add("nameless", provider="nameless")
        self.assertEqual(self.connect("nameless")[0].status, 200)
        self.assertEqual(self.berthd.get("/v1/connections/nameless")["credentials"]["account"], "acct-1")
        self.mock.set(account="acct-2")
        answer, _ = self.connect("nameless")
        self.assertIn(b"for account 'acct-2', the connection is for 'acct-1'", answer.body)
        self.assertNotIn(b"You may close", answer.body)
        for _ in range(2):
            shown = self.berthd.get("/v1/connections/nameless")
            self.assertEqual((shown["status"], shown["credentials"]["connected"]), ("error", False), shown)
            self.fails("nameless")
            self.berthd.stop()
            self.berthd.start()
        self.mock.set(account="acct-1")
        self.assertEqual(self.connect("nameless")[0].status, 200)
        self.works("nameless")
        self.assertTrue(self.berthd.post("/v1/connections/nameless/check")["ok"])

    def test_clocks_an_hour_apart(self):
        # Would break: an assertion refused for its times, told as "consent again", and not tried any more when the clock is right.
        self.add("jwt", "oauth2_jwt_bearer", client_id="mock-public", subject="mock-user", private_key=self.key.read_text())
        for skew, said in ((3600, "expired"), (-3600, "ahead")):
            self.mock.set(clock_skew_seconds=skew)
            self.berthd.stop()
            self.berthd.start()
            answer = self.me("jwt")
            self.assertGreaterEqual(answer.status, 400)
            error = self.berthd.get("/v1/connections/jwt")["last_error"]
            self.assertIn(said, error)
            self.assertIn("clock", error)
            self.assertNotIn("connection connect", error)
        self.mock.set(clock_skew_seconds=0)
        self.berthd.stop()
        self.berthd.start()
        self.works("jwt")
        # Lifetimes are told as durations: a server's clock does not matter to them.
        self.add("skewed")
        self.mock.set(clock_skew_seconds=3600)
        self.assertEqual(self.connect("skewed")[0].status, 200)
        self.works("skewed")

    def test_credentials_that_are_mended(self):
        # Would break: a connection that stays dead though the operator gave the right password or a new refresh token.
        self.add("password", "oauth2_password", **CLIENT, username="mock-user", password="wrong")
        self.fails("password")
        error = self.berthd.get("/v1/connections/password")["last_error"]
        self.assertIn("check username and password", error)
        self.berthd.stop()
        self.berthd.start()
        self.patch("password", kind="oauth2_password", username="mock-user", password="mock-password")
        self.works("password")
        issued = self.mock.issue()
        self.add("refresh", "oauth2_refresh_token", **CLIENT, refresh_token=issued["refresh_token"])
        self.works("refresh")
        self.mock.revoke(issued["grant"])
        self.fails("refresh")
        self.assertIn("give the connection a new refresh_token", self.berthd.get("/v1/connections/refresh")["last_error"])
        self.patch("refresh", kind="oauth2_refresh_token", refresh_token=self.mock.issue()["refresh_token"])
        self.works("refresh")
        self.berthd.kill()
        self.berthd.start()
        self.mock.expire()
        self.works("refresh")

    def patch(self, name, **credentials):
        answer = self.berthd.control("PATCH", f"/v1/connections/{name}", {"credentials": {**CLIENT, **credentials}})
        self.assertEqual(answer.status, 200, answer)


class TLS(unittest.TestCase):
    """Token endpoint and API behind certificates that are wrong."""

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="berth-tls-"))
        probe(self.folder / "bundles", MANIFEST)
        self.certificates = Certificates(self.folder / "certificates")
        known = subprocess.run([str(BIN / "berthd"), "--help-config"], capture_output=True, text=True).stdout
        self.has_authority = "egress.ca_file" in known
        settings = f'[egress]\nca_file = "{self.certificates.authority}"\n' if self.has_authority else ""
        self.servers = []
        self.berthd = Berthd(folder=self.folder / "state", bundles=self.folder / "bundles", settings=settings).start()

    def tearDown(self):
        self.berthd.stop()
        for server in self.servers:
            server.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def server(self, certificate):
        def script(peer, method, path, head, body):
            peer.json(GOOD if path == "/oauth/token" else "{}")
        server = Hostile(script, self.certificates.server(certificate) if certificate else None)
        self.servers.append(server)
        return server

    def test_nothing_is_told_to_a_server_that_cannot_prove_itself(self):
        # Would break: whoever sits on the way gets the client's secret, the refresh token, the API key.
        cases = {"self": "self-signed", "plain": "TLS", "expired": "expired", "early": "not yet valid", "elsewhere": "127.0.0.1"}
        for name, word in cases.items():
            server = self.server(None if name == "plain" else name)
            url = f"https://127.0.0.1:{server.port}"
            for kind, fields in (("oauth2_client_credentials", CLIENT), ("api_key", {"token": "secret-key"})):
                with self.subTest(name, kind=kind):
                    connection = f"{name}-{kind.replace('_', '-')}"
                    self.berthd.post("/v1/connections", {
                        "provider": "oauthprobe", "name": connection, "base_url": url, "credentials": {"kind": kind, **fields}})
                    begun = time.monotonic()
                    answer = self.berthd.control("POST", f"/v1/connections/{connection}/actions/call_api", {"path": "/api/me"})
                    self.assertLess(time.monotonic() - begun, 6)
                    self.assertGreaterEqual(answer.status, 400, answer)
                    if name == "plain":
                        self.assertRegex(answer.json["detail"], "TLS|SSL|wrong version")
                    else:
                        self.assertIn("certificate is not trusted", answer.json["detail"])
                        # Only who trusts the authority learns what else is wrong.
                        if self.has_authority or name == "self":
                            self.assertIn(word, answer.json["detail"])
            told = b"".join(head + body for _, _, head, body in server.asked)
            self.assertEqual(told, b"", "something was sent")
        if self.has_authority:
            good = self.server("good")
            self.berthd.post("/v1/connections", {
                "provider": "oauthprobe", "name": "good", "base_url": good.url, "credentials": {"kind": "oauth2_client_credentials", **CLIENT}})
            self.assertEqual(call_api(self.berthd, "good", "/api/me")["status"], 200)


if __name__ == "__main__":
    unittest.main(verbosity=2)
