"""Secrets are planted in every slot; nothing the daemon writes, answers or shows may hold one, and a planted leak is found."""

import base64
import os
import pathlib
import re
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import unittest

from oauth_probe import SOURCE, OAuthMock, browse, probe
from rig import BIN, BUNDLES, Berthd, Mock, needs_kill_points, wait_for


def forms(secret):
    """A secret as it stands, and as a careless writer would put it."""
    raw = secret.encode() if isinstance(secret, str) else secret
    return {raw, base64.b64encode(raw).rstrip(b"="), base64.urlsafe_b64encode(raw).rstrip(b"="), raw.hex().encode(), raw.hex().upper().encode(), raw[::-1]}


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


class Planted(unittest.TestCase):
    """A daemon with secrets in every slot, and what to do with them."""
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="berth-canary-"))
        bundles = cls.folder / "bundles"
        shutil.copytree(BUNDLES, bundles)
        probe(bundles, (SOURCE / "plugin.toml").read_text())
        cls.canaries = {name: f"canary-{name}-{secrets.token_hex(12)}" for name in
                        ("token", "password", "hmac", "oldhmac", "webhooktoken", "clientsecret", "apikey", "wrong", "userpassword", "pin")}
        canaries = cls.canaries
        key = cls.folder / "jwt.pem"
        subprocess.run(["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", str(key)], check=True,
                       stderr=subprocess.DEVNULL)
        public = subprocess.run(["openssl", "pkey", "-in", str(key), "-pubout"], check=True, capture_output=True, text=True).stdout
        cls.mock = OAuthMock(
            clients=f"canary-client:{canaries['clientsecret']},public", items=30, user=f"mock-user:{canaries['userpassword']}", jwt_key=public)
        cls.providers = Mock(("ringba", "retreaver", "trackdrive"), ["--calls", "60"])
        cls.state = cls.folder / "state"
        cls.berthd = Berthd(folder=cls.state, bundles=bundles, settings="").start()
        cls.heard, cls.found_early = [], []
        client = {"client_id": "canary-client", "client_secret": canaries["clientsecret"]}
        given = cls.mock.issue(client="canary-client")["refresh_token"]
        # Shown this once, by design; from then on a secret like the others.
        cls.add("ringba", "generated", {"kind": "api_key", "token": canaries["apikey"]}, cls.providers.url + "/ringba",
                settings={"account_id": "RA1"}, webhook={"scheme": "hmac"}, generated="generatedhmac")
        cls.add("trackdrive", "generatedtoken", {"kind": "basic", "username": "u", "password": canaries["password"]}, cls.providers.url + "/trackdrive",
                settings={"subdomain": "mock"}, webhook={"scheme": "token"}, generated="generatedtoken")
        canaries["given"] = given
        canaries["jwtkey"] = key.read_text().splitlines()[1]
        canaries["jwtkeybytes"] = base64.b64decode("".join(key.read_text().splitlines()[1:-1]))
        for name, kind, fields in (
                ("key", "api_key", {"token": canaries["token"]}), ("oauth", "oauth2_authorization_code", client),
                ("machine", "oauth2_client_credentials", client), ("given", "oauth2_refresh_token", {**client, "refresh_token": given}),
                ("user", "oauth2_password", {**client, "username": "mock-user", "password": canaries["userpassword"]}),
                ("jwt", "oauth2_jwt_bearer", {"client_id": "public", "subject": "mock-user", "private_key": key.read_text()})):
            cls.add("oauthprobe", name, {"kind": kind, **fields}, cls.mock.url)
        browse(cls.ask("POST", "/v1/connections/oauth/connect", {}).json["url"])
        cls.hmac = cls.add("ringba", "ringba", {"kind": "api_key", "token": canaries["apikey"]}, cls.providers.url + "/ringba",
                           settings={"account_id": "RA1"}, webhook={"scheme": "hmac", "secret": canaries["oldhmac"]})
        cls.ask("PATCH", f"/v1/connections/{cls.hmac['id']}", {"webhook": {"secret": canaries["hmac"]}})
        cls.track = cls.add("trackdrive", "track", {"kind": "basic", "username": "u", "password": canaries["password"]}, cls.providers.url + "/trackdrive",
                            settings={"subdomain": "mock"}, webhook={"scheme": "token", "secret": canaries["webhooktoken"]})
        canaries["vaultkey"] = (cls.state / "vault.key").read_bytes().strip()

    @classmethod
    def tearDownClass(cls):
        cls.berthd.stop()
        cls.mock.stop()
        cls.providers.stop()
        shutil.rmtree(cls.folder, ignore_errors=True)

    @classmethod
    def ask(cls, method, path, body=None):
        """Every answer of the control socket is kept, to be searched in the end."""
        answer = cls.berthd.control(method, path, body)
        cls.heard.append((f"{method} {path}", answer.body + repr(answer.headers).encode()))
        return answer

    @classmethod
    def add(cls, provider, name, credentials, base_url, generated=None, **more):
        answer = cls.ask("POST", "/v1/connections", {"provider": provider, "name": name, "base_url": base_url, "credentials": credentials, **more})
        assert answer.status in (200, 201), answer
        if generated:
            webhook = answer.json["webhook"]
            cls.canaries[generated] = webhook.get("token") or webhook.get("secret")
            cls.heard.pop()
        return answer.json

    def call(self, name, path="/api/me"):
        return self.ask("POST", f"/v1/connections/{name}/actions/call_api", {"path": path})

    def sync(self, connection, stream):
        run = wait_for(lambda: self.ask("POST", f"/v1/connections/{connection}/streams/{stream}/sync", {}).json.get("id"), 60, "run")
        wait_for(lambda: self.ask("GET", f"/v1/runs/{run}").json["status"] not in ("queued", "running"), 60, "run")

    def work(self):
        """Everything that touches a secret, well and badly."""
        for name in ("oauth", "key", "machine", "given", "user", "jwt"):
            self.ask("POST", f"/v1/connections/{name}/check", {})
            self.assertEqual(self.call(name).status, 200, name)
            self.call(name, "/api/echo?token=" + "x" * 10)
        for name in ("oauth", "key"):
            self.sync(name, "items")
        for connection in (self.hmac, self.track):
            self.ask("POST", f"/v1/connections/{connection['id']}/check", {})
            self.sync(connection["id"], "calls")
        # Renewals go wrong and right; one is slow enough to be looked at. In a life of their own: a refusal renews once in two minutes.
        self.berthd.stop()
        self.berthd.start()
        self.mock.expire()
        self.mock.fault("token-500")
        self.call("oauth")
        self.mock.fault("token-slow:1")
        thread = threading.Thread(target=self.call, args=("given",))
        thread.start()
        self.look_at_exchange()
        thread.join()
        self.mock.fault()
        wait_for(lambda: self.call("oauth").json.get("output", {}).get("status") == 200, 15, "renewal")
        browse(self.ask("POST", "/v1/connections/oauth/connect", {}).json["url"])
        self.berthd.webhook("/oauth/callback?state=" + self.canaries["wrong"] + "&code=" + self.canaries["wrong"], method="GET")
        self.ask("POST", "/v1/connections/oauth/connect/complete", {"code": self.canaries["wrong"], "state": "x"})
        path = f"/webhooks/trackdrive/{self.track['id']}/"
        self.assertEqual(self.berthd.webhook(path + self.canaries["webhooktoken"], b'{"call":{"id":1}}').status // 100, 2)
        self.berthd.webhook(path + self.canaries["wrong"], b"{}")
        self.berthd.webhook(path[:-1] + "?token=" + self.canaries["wrong"], b"{}", {"Authorization": "Bearer " + self.canaries["wrong"]})
        self.berthd.webhook(f"/webhooks/ringba/{self.hmac['id']}", b"{}", {"X-Signature": self.canaries["wrong"]})
        self.ask("POST", "/v1/connections", {"provider": "ringba", "name": "bad", "credentials": {"kind": "api_key", "tokn": self.canaries["wrong"]}})
        self.ask("POST", "/v1/connections", b'{"provider":"ringba","credentials":{"token":"' + self.canaries["wrong"].encode() + b'"},}')
        self.ask("PATCH", "/v1/connections/key", {"settings": {"pin": self.canaries["pin"]}})
        self.ask("POST", "/v1/vault/rotate", {"new_key": True})
        self.canaries["newvaultkey"] = (self.state / "vault.key").read_bytes().strip()
        self.ask("POST", "/v1/backup", {"path": str(self.state / "backup.db")})
        self.assertTrue((self.state / "backup.db").exists())

    def look_at_exchange(self):
        """The process of a token request, while it waits for its answer: what others may see of it."""
        def exchanges():
            for pid in filter(str.isdigit, os.listdir("/proc")):
                try:
                    if b"exchange-token" in pathlib.Path(f"/proc/{pid}/cmdline").read_bytes() and int(pathlib.Path(f"/proc/{pid}/stat").read_text().split()[3]) \
                            == self.berthd.process.pid:
                        return pid
                except OSError:
                    continue
        pid = wait_for(exchanges, 5, "the process of a token request")
        self.exchange = [(f"exchange/{name}", pathlib.Path(f"/proc/{pid}/{name}").read_bytes()) for name in ("cmdline", "environ", "limits")]

    def needles(self):
        found = dict(self.canaries)
        for kind, texts in self.mock.told("tokens").items():
            found |= {f"{kind}-{number}": text for number, text in enumerate(texts)}
        return {name: forms(text) for name, text in found.items() if len(text) > 12}

    def hits(self, place, data):
        return [f"{name} in {place}" for name, texts in self.secrets.items() for text in texts if text in data]

    def files(self):
        keys = ("vault.key", "vault.key.old")
        return [hit for path in self.state.rglob("*") if path.is_file() and path.name not in keys for hit in self.hits(path, path.read_bytes())]

    def feed(self):
        """What subscribers were told since the beginning."""
        with socket.socket(socket.AF_UNIX) as stream:
            stream.settimeout(1)
            stream.connect(str(self.berthd.socket))
            stream.sendall(b"GET /v1/feed HTTP/1.1\r\nHost: berth\r\nLast-Event-ID: 0\r\n\r\n")
            data = b""
            try:
                while more := stream.recv(1 << 20):
                    data += more
            except TimeoutError:
                return data


class Canary(Planted):
    def test_nothing_holds_a_secret(self):
        # Would break: the one promise that cannot be mended afterwards.
        self.work()
        berthd = self.berthd
        self.secrets = self.needles()
        for kind in ("access_tokens-8", "refresh_tokens-4", "codes-1", "vaultkey", "newvaultkey", "generatedhmac", "generatedtoken", "jwtkey", "given", "pin"):
            self.assertIn(kind, self.secrets)
        found = self.files()
        for route in ("status", "health", "connections", "plugins", "runs", "events", "dead-letters", "audit?limit=500", "requests?limit=500", "records/call",
                      "records/item", "openapi.json", "plugins/oauthprobe"):
            self.ask("GET", "/v1/" + route)
        for connection in berthd.get("/v1/connections")["items"]:
            self.ask("GET", "/v1/connections/" + connection["id"])
        for event in berthd.get("/v1/events")["items"]:
            self.ask("GET", "/v1/events/" + event["id"])
        self.ask("GET", "/metrics")
        feed = self.feed()
        self.assertIn(b"id:", feed)
        for place, data in [*self.heard, *self.exchange, ("feed", feed)]:
            # A consent's address holds its state and challenge, and no secret.
            found += self.hits(place, data)
        workers = [pid for plugin in berthd.get("/v1/plugins")["items"] for pid in plugin["workers"]]
        self.assertGreaterEqual(len(workers), 4)
        for pid in [*workers, berthd.process.pid]:
            for name in ("cmdline", "environ"):
                found += self.hits(f"{pid}/{name}", pathlib.Path(f"/proc/{pid}/{name}").read_bytes())
            limits = pathlib.Path(f"/proc/{pid}/limits").read_text()
            self.assertRegex(limits, r"Max core file size\s+0\s+0", pid)
        self.assertRegex(dict(self.exchange)["exchange/limits"].decode(), r"Max core file size\s+0\s+0")
        for pid in workers:
            for piece in readable_memory(pid):
                found += self.hits(f"memory of worker {pid}", piece)
        self.assertEqual(sorted(set(found)), [])
        # The search itself: the daemon's own memory does hold what it works with.
        own = {hit.split("-")[0] for piece in readable_memory(berthd.process.pid) for hit in self.hits("memory", piece)}
        self.assertTrue(own, "not even the daemon's memory shows a secret: the search looks wrongly")
        print(f"\n  {len(self.secrets)} secrets in {6 * len(self.secrets)} forms, {len(self.heard)} control answers, {len(workers)} workers: 0 hits", flush=True)

    @needs_kill_points
    def test_an_answer_left_behind_is_sealed(self):
        # Would break: tokens in plain text on disk, between the exchange and the database.
        self.berthd.stop()
        self.mock.expire()
        self.berthd.environment = {"BERTH_KILLPOINT": "grant.after-exchange"}
        self.berthd.start()
        try:
            self.call("machine")
        except Exception:  # it dies of it
            pass
        self.berthd.process.wait(20)
        self.berthd.environment = {}
        self.assertEqual(len(list((self.state / "grants").glob("*.reply"))), 1)
        self.secrets = self.needles()
        self.assertEqual(self.files(), [])
        self.berthd.start()
        self.assertEqual(self.call("machine").status, 200)

    def test_no_core_is_left(self):
        # Would break: a crash writes every secret to a file.
        def died(process):
            process.send_signal(signal.SIGABRT)
            how = os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
            process.wait()
            return how.si_code
        daemon = Berthd(bundles=self.berthd.folder / "none", environment={}).start()
        self.assertEqual(died(daemon.process), os.CLD_KILLED, "a core was dumped")
        self.assertEqual([p for p in daemon.folder.rglob("*core*")], [])
        shutil.rmtree(daemon.folder, ignore_errors=True)

    @unittest.skipUnless(os.getuid() == 0, "starts the daemon as another user")
    def test_nobody_of_the_same_user_may_look(self):
        # Would break: any program that the daemon's user runs reads its memory, or /proc/PID/environ.
        nobody = 65534
        folder = pathlib.Path(tempfile.mkdtemp(prefix="berth-nobody-"))
        os.chmod(folder, 0o755)
        daemon = Berthd(folder=folder / "state", bundles=folder)
        for path in (folder, folder / "state", daemon.config):
            os.chown(path, nobody, nobody)
        look = lambda path: subprocess.run(["head", "-c1", path], user=nobody, group=nobody, extra_groups=[], capture_output=True).returncode
        if look(str(BIN / "berthd")) != 0:
            raise unittest.SkipTest("the build folder is not readable for others")
        process = subprocess.Popen([str(BIN / "berthd"), "--config", str(daemon.config)], user=nobody, group=nobody, extra_groups=[],
                                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        control = subprocess.Popen(["sleep", "60"], user=nobody, group=nobody, extra_groups=[])
        try:
            wait_for(daemon.socket.exists, 20, "the socket")
            self.assertEqual([look(f"/proc/{control.pid}/{name}") for name in ("environ", "maps")], [0, 0])
            self.assertEqual([look(f"/proc/{process.pid}/{name}") for name in ("environ", "maps", "mem")], [1, 1, 1])
            self.assertEqual(os.stat(f"/proc/{process.pid}/environ").st_uid, 0, "it is dumpable")
        finally:
            for one in (process, control):
                one.terminate()
                one.wait(15)
            shutil.rmtree(folder, ignore_errors=True)

    def test_planted_leaks_are_found(self):
        # Would break: a search that finds nothing because it looks wrongly.
        self.secrets = {"planted": forms("canary-planted-0123456789")}
        body = b'{"call":{"id":77,"note":"canary-planted-0123456789"}}'
        self.assertEqual(self.berthd.webhook(f"/webhooks/trackdrive/{self.track['id']}/{self.canaries['webhooktoken']}", body).status // 100, 2)
        done = lambda: all(e["state"] not in ("available", "running") for e in self.berthd.get("/v1/events")["items"])
        wait_for(done, 20, "dispatch")
        self.ask("PUT", "/v1/log/level", {"level": "canary-planted-0123456789"})
        self.assertTrue(any("berth.db" in hit for hit in self.files()), self.files())
        pid = next(p for p in self.berthd.get("/v1/plugins")["items"] if p["id"] == "trackdrive")["workers"][0]
        self.assertTrue(any(self.hits("", piece) for piece in readable_memory(pid)), "the worker saw it, its memory does not show it")
        event = self.berthd.get("/v1/events")["items"][0]
        self.assertTrue(self.hits("", self.ask("GET", f"/v1/events/{event['id']}").body))
        # A careless child process, and a careless log, in other forms.
        child = subprocess.Popen(["sleep", "60"], env={"TOKEN": base64.b64encode(b"canary-planted-0123456789").decode()})
        try:
            # Until it is the program that was asked for.
            wait_for(lambda: b"sleep" in pathlib.Path(f"/proc/{child.pid}/cmdline").read_bytes(), 5, "the child")
            self.assertTrue(self.hits("environ", pathlib.Path(f"/proc/{child.pid}/environ").read_bytes()))
        finally:
            child.kill()
            child.wait()
        with open(self.berthd.log_path, "ab") as log:
            log.write(b'{"message":"token ' + b"canary-planted-0123456789".hex().encode() + b'"}\n')
        self.assertTrue(any("berthd.log" in hit for hit in self.files()))


class Removed(Planted):
    def test_memory_forgets(self):
        # Would break: a token that was revoked weeks ago still lies in the daemon's memory, for whoever comes to read it.
        self.work()
        self.secrets = {name: texts for name, texts in self.needles().items() if "vaultkey" not in name}
        pid = self.berthd.process.pid
        held = lambda: sorted({hit for piece in readable_memory(pid) for hit in self.hits("memory", piece)})
        self.assertGreater(len(held()), 3, "the search finds nothing even while the secrets are in use")
        for connection in self.berthd.get("/v1/connections")["items"]:
            self.assertIn(self.berthd.control("DELETE", f"/v1/connections/{connection['id']}").status, (200, 204))
        try:
            wait_for(lambda: not held(), 20, "memory without secrets")
        except AssertionError:
            self.fail(f"still in memory: {held()}")
        self.assertEqual([path.name for path in (self.state / "grants").iterdir()], [], "files of grants that are gone")
        self.assertEqual(self.berthd.get("/v1/health")["status"], "ok")


if __name__ == "__main__":
    unittest.main(verbosity=2)
