"""Where requests of a workspace may go, by which proxy and trusting whom: a real daemon, real proxies, TLS by authorities of our own."""

import base64
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import threading
import unittest

from oauth_probe import SOURCE, call_api, probe
from rig import BIN, Berthd, wait_for
from wayout import Authority, Provider, Proxy

MANIFEST = (SOURCE / "plugin.toml").read_text()


class Case(unittest.TestCase):
    """A daemon per test, with what [workspaces] says."""

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="berth-egress-"))
        self.addCleanup(shutil.rmtree, self.folder, True)
        self.berthd = None

    def authority(self, name="ours"):
        return Authority(self.folder, name)

    def provider(self, context=None):
        return self.stopped(Provider(context))

    def proxy(self, *arguments, **more):
        return self.stopped(Proxy(*arguments, **more))

    def stopped(self, server):
        self.addCleanup(server.stop)
        return server

    def secret(self, text, name="credentials", mode=0o600):
        path = self.folder / name
        path.write_text(text)
        path.chmod(mode)
        return path

    def start(self, settings, allowed=(), environment=None):
        """Settings by workspace: {"a": 'proxy = "..."'}; the empty name is [egress]."""
        hosts = "".join(f', "{host}"' for host in allowed)
        probe(self.folder / "bundles", MANIFEST.replace('allowed_hosts = ["oauthprobe.example"', 'allowed_hosts = ["oauthprobe.example"' + hosts))
        text = "\n".join(f"[{f'workspaces.{name}.' if name else ''}egress]\n{lines}" for name, lines in settings.items())
        self.berthd = Berthd(self.folder / "state", bundles=self.folder / "bundles", settings=text, environment=environment).start()
        self.addCleanup(lambda: self.berthd.stop())
        return self.berthd

    def add(self, workspace, url, name=None, kind="api_key", **fields):
        fields = fields or {"token": f"provider-token-of-{workspace}"}
        return self.berthd.post("/v1/connections", {
            "provider": "oauthprobe", "workspace": workspace, "name": name or workspace, "base_url": url, "credentials": {"kind": kind, **fields}})

    def works(self, name, path="/api/me"):
        self.assertEqual(call_api(self.berthd, name, path)["status"], 200)

    def fails(self, name, *needles, path="/api/me"):
        """Why a request fails, which must hold `needles`."""
        answer = self.berthd.control("POST", f"/v1/connections/{name}/actions/call_api", {"path": path})
        self.assertGreaterEqual(answer.status, 400, answer)
        for needle in needles:
            self.assertIn(needle, answer.json["detail"])
        return answer.json["detail"]


class Ways(Case):
    def test_each_workspace_goes_its_own_way(self):
        # Would break: traffic of one customer leaves by another's proxy, or by none, and the proxy sees the provider's credential.
        ours = self.authority()
        provider, proxy = self.provider(ours.context()), self.proxy("us:er-s3cret")
        self.start({"": f'ca_file = "{ours.file}"', "a": f'proxy = "{proxy.url}"\nproxy_credentials_file = "{self.secret("us:er-s3cret")}"'})
        # A name that only the proxy knows: nobody else resolves it.
        self.add("a", provider.url("api.provider.test"))
        self.add("b", provider.url("localhost"))
        for _ in range(3):
            self.works("a")
        self.assertEqual(proxy.targets, [f"api.provider.test:{provider.port}"])
        self.assertEqual(set(proxy.seen[0].headers) - {"host", "proxy-authorization", "proxy-connection", "user-agent"}, set(), proxy.seen)
        self.assertEqual([s.headers["authorization"] for s in provider.seen], ["Bearer provider-token-of-a"] * 3)
        self.assertNotIn("proxy-authorization", provider.seen[0].headers)
        accepted = proxy.accepted
        self.works("b")
        self.assertEqual((proxy.accepted, len(provider.seen)), (accepted, 4))
        self.assertTrue(self.berthd.post("/v1/connections/a/check")["ok"])
        self.assertEqual(proxy.accepted, accepted)
        # What an operator sees.
        shown = self.berthd.get("/v1/connections/a")["egress"]
        self.assertEqual((shown["proxy"], shown["proxy_has_credentials"], shown["ca_file"], shown["set_in"]),
                         (proxy.url, True, str(ours.file), "[workspaces.a.egress]"), shown)
        self.assertNotIn("proxy", self.berthd.get("/v1/connections/b")["egress"])
        self.assertNotIn("er-s3cret", str(shown))

    def test_a_proxy_that_fails_is_never_gone_around(self):
        # Would break: traffic that leaves past the proxy on the day it is down, and errors that name nothing to look at.
        ours = self.authority()
        provider, proxy = self.provider(ours.context()), self.proxy()
        self.start({"a": f'proxy = "{proxy.url}"\nca_file = "{ours.file}"'})
        self.add("a", provider.url("localhost"))
        expected = {"hangs up": "did not answer as a proxy does", "speaks nonsense": "did not answer as a proxy does", "502": "it answered 502",
                    "403": "it answered 403", "407": "asks for credentials (407): name them in proxy_credentials_file"}
        for mode, text in expected.items():
            with self.subTest(mode):
                proxy.mode = mode
                self.berthd.post("/v1/connections/a/reset-circuit")
                self.assertIn("the proxy ([workspaces.a.egress] proxy)", self.fails("a", text))
        proxy.credentials, proxy.mode = "u:p", "works"
        self.berthd.post("/v1/connections/a/reset-circuit")
        self.fails("a", "asks for credentials (407)")
        self.assertEqual(provider.accepted, 0)
        proxy.credentials = None
        self.berthd.post("/v1/connections/a/reset-circuit")
        self.works("a")
        # Down: nobody listens there.
        proxy.stop()
        dead = Proxy()
        dead.stop()
        self.berthd.stop()
        self.start({"a": f'proxy = "{dead.url}"\nca_file = "{ours.file}"'})
        before = provider.accepted
        self.fails("a", "the proxy ([workspaces.a.egress] proxy) can't be reached")
        self.assertEqual(provider.accepted, before)

    def test_wrong_credentials_are_told_apart_from_missing_ones(self):
        # Would break: an operator who renews the provider's token because the proxy's password changed.
        ours = self.authority()
        provider, proxy = self.provider(ours.context()), self.proxy("user:new-password")
        self.start({"a": f'proxy = "{proxy.url}"\nca_file = "{ours.file}"\nproxy_credentials_file = "{self.secret("user:old-password")}"'})
        self.add("a", provider.url("localhost"))
        text = self.fails("a", "refuses the credentials (407): check proxy_credentials_file")
        self.assertNotIn("old-password", text)
        self.assertEqual((len(proxy.seen), provider.accepted), (1, 0), "a refused password was tried again: accounts get locked so")

    def test_requests_in_the_clear_and_socks_and_tls_to_the_proxy(self):
        # Would break: the kinds of proxies beside CONNECT; a 407 of a plain proxy taken for the provider's answer.
        ours = self.authority()
        plain, secure = self.provider(), self.provider(ours.context())
        file = self.secret("u:p")
        clear, socks, tls = self.proxy("u:p"), self.proxy("u:p"), self.proxy("u:p", context=ours.context())
        with_file = f'ca_file = "{ours.file}"\nproxy_credentials_file = "{file}"'
        self.start({"clear": f'proxy = "{clear.url}"\n{with_file}', "none": f'proxy = "{clear.url}"',
                    "socks": f'proxy = "socks5h://127.0.0.1:{socks.port}"\n{with_file}', "wrong": f'proxy = "socks5h://127.0.0.1:{socks.port}"',
                    "tls": f'proxy = "{tls.url}"\n{with_file}', "untrusted": f'proxy = "{tls.url}"\nproxy_credentials_file = "{file}"'})
        self.add("clear", plain.url("api.provider.test"))
        self.works("clear")
        self.assertEqual(clear.targets, [f"http://api.provider.test:{plain.port}/api/me"])
        self.assertNotIn("proxy-authorization", plain.seen[0].headers)
        self.add("none", plain.url("api.provider.test"))
        self.fails("none", "asks for credentials (407)")
        self.add("socks", secure.url("api.provider.test"))
        self.works("socks")
        self.assertEqual([(s.target, s.headers["user"]) for s in socks.seen], [(f"api.provider.test:{secure.port}", "u:p")])
        self.add("wrong", secure.url("api.provider.test"))
        self.fails("wrong", "the proxy ([workspaces.wrong.egress] proxy)")
        self.add("tls", secure.url("api.provider.test"))
        self.works("tls")
        self.assertEqual(tls.targets, [f"api.provider.test:{secure.port}"])
        self.add("untrusted", secure.url("api.provider.test"))
        self.fails("untrusted", "has a certificate that is not trusted", "ca_file of [workspaces.untrusted.egress]")
        self.assertEqual(len(tls.seen), 1)

    def test_the_environment_has_no_say(self):
        # Would break: a proxy from a shell's leftovers, or a no_proxy that opens a way past the operator's.
        provider, proxy, stray = self.provider(), self.proxy(), self.proxy()
        names = {name: stray.url for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")}
        for number, environment in enumerate((names, {"no_proxy": "*", "NO_PROXY": "*"})):
            self.start({"a": f'proxy = "{proxy.url}"'}, environment=environment)
            self.add("a", provider.url("api.provider.test"), name=f"a{number}")
            self.add("b", provider.url(), name=f"b{number}")
            self.works(f"a{number}")
            self.works(f"b{number}")
            self.assertEqual((len(proxy.seen), stray.accepted), (number + 1, 0))
            self.berthd.stop()

    def test_token_requests_go_by_the_proxy_too(self):
        # Would break: the client secret, of all things, leaves by another way, from the process that exchanges it.
        ours = self.authority()
        provider, proxy = self.provider(ours.context()), self.proxy("u:p")
        self.start({"a": f'proxy = "{proxy.url}"\nca_file = "{ours.file}"\nproxy_credentials_file = "{self.secret("u:p")}"',
                    "strict": f'proxy = "{proxy.url}"\nca_file = "{ours.file}"\nproxy_credentials_file = "{self.secret("u:p")}"\ndenied_hosts = ["*.test"]'})
        client = {"client_id": "id", "client_secret": "client-secret-1"}
        self.add("a", provider.url("api.provider.test"), kind="oauth2_client_credentials", **client)
        self.works("a")
        self.assertEqual([s.target for s in provider.seen], ["/oauth/token", "/api/me"])
        self.assertEqual(proxy.targets, [f"api.provider.test:{provider.port}"] * 2, "one by the exchange, one by the daemon")
        self.assertEqual(provider.seen[1].headers["authorization"], "Bearer token-of-basic")
        self.add("b", provider.url("localhost"), kind="oauth2_client_credentials", **client)
        self.fails("b", "certificate is not trusted", "ca_file of [egress] or [workspaces.b.egress]")
        self.add("strict", provider.url("api.provider.test"), kind="oauth2_client_credentials", **client)
        self.fails("strict", "is denied by '*.test' in denied_hosts of [workspaces.strict.egress]")
        self.assertEqual((len(provider.seen), len(proxy.seen)), (2, 2))
        # A proxy that is down: the exchange says so, and goes no other way.
        proxy.mode = "502"
        self.add("a", provider.url("api.provider.test"), name="a2", kind="oauth2_client_credentials", **client)
        self.fails("a2", "the proxy ([workspaces.a.egress] proxy) refuses to connect")
        self.assertEqual(len(provider.seen), 2)


class Sharing(Case):
    def test_authorities_that_vanish_are_told_apart_from_a_wrong_certificate(self):
        # Would break: an operator who asks the provider about its certificate because a file of his own is gone.
        ours = self.authority()
        provider = self.provider(ours.context())
        copy = self.folder / "copy.pem"
        shutil.copy(ours.file, copy)
        self.start({"a": f'ca_file = "{copy}"'})
        self.add("a", provider.url("localhost"))
        copy.unlink()
        self.fails("a", "authorities can't be read any more", "ca_file of [workspaces.a.egress]")

    def test_an_authority_of_one_is_none_of_anothers(self):
        # Would break: whoever holds one customer's authority reads everybody's traffic; or a kept connection hides that.
        ours, theirs = self.authority("ours"), self.authority("theirs")
        provider = self.provider(ours.context())
        self.start({"a": f'ca_file = "{ours.file}"', "b": f'ca_file = "{theirs.file}"'})
        for name in ("a", "b", "c"):
            self.add(name, provider.url("localhost"))
        self.works("a")
        self.fails("b", "certificate is not trusted", "ca_file of [workspaces.b.egress]")
        self.fails("c", "certificate is not trusted", "ca_file of [egress] or [workspaces.c.egress]")
        accepted = provider.accepted
        self.works("a")
        self.assertEqual(provider.accepted, accepted, "the trusted connection was not kept")
        self.assertEqual(len(provider.seen), 2)

    @unittest.skipUnless(os.geteuid() == 0 and shutil.which("unshare"), "only root may give the daemon another /etc/ssl")
    def test_an_authority_stands_in_place_of_the_systems(self):
        # Would break: a ca_file that only adds, so that any public authority still vouches for a private provider.
        inner = "import test_egress, unittest; unittest.main(test_egress, argv=['x', 'OtherSystem'])"
        done = subprocess.run(["unshare", "-m", sys.executable, "-W", "ignore", "-c", inner], cwd=pathlib.Path(__file__).parent, capture_output=True,
                              text=True, env=dict(os.environ, BERTH_OWN_MOUNTS="1"))
        self.assertIn("OK", done.stderr.splitlines()[-1], done.stderr)
        self.assertIn("Ran 1 test", done.stderr)

    def test_workspaces_share_no_connection_even_by_the_same_proxy(self):
        # Would break: what keeps tunnels apart wherever libcurl does not (CVE-2026-3784, and what is not yet known).
        ours = self.authority()
        provider, proxy = self.provider(ours.context()), self.proxy()
        same = f'proxy = "{proxy.url}"\nca_file = "{ours.file}"'
        self.start({"one": same, "other": same})
        for name in ("one", "other"):
            self.add(name, provider.url("api.provider.test"))
        for name in ("one", "other", "one", "other"):
            self.works(name)
        self.assertEqual((len(proxy.seen), len(provider.seen)), (2, 4))

    def test_proxies_told_apart_by_credentials_alone_share_no_connection(self):
        # Would break: one customer's requests run, and are accounted, in the tunnel that another's password opened.
        ours = self.authority()
        provider, proxy = self.provider(ours.context()), self.proxy()
        one = f'proxy = "{proxy.url}"\nca_file = "{ours.file}"\nproxy_credentials_file = "{self.secret("alice:a", "one")}"'
        other = f'proxy = "{proxy.url}"\nca_file = "{ours.file}"\nproxy_credentials_file = "{self.secret("bob:b", "other")}"'
        self.start({"one": one, "other": other})
        for _ in range(2):
            for name in ("one", "other"):
                if not provider.seen[1:]:
                    self.add(name, provider.url("api.provider.test"))
                self.works(name)
        sent = [s.headers["proxy-authorization"] for s in proxy.seen]
        self.assertEqual((len(sent), len(set(sent))), (2, 2), sent)
        self.assertEqual(len(provider.seen), 4)


@unittest.skipUnless(os.environ.get("BERTH_OWN_MOUNTS"), "started by the test above, in a mount namespace of its own")
class OtherSystem(Case):
    def test_an_authority_of_the_systems(self):
        # Would break: as the test above says.
        system, ours = self.authority("system"), self.authority("ours")
        folder = self.folder / "certs"
        folder.mkdir()
        # As a bundle and as a folder: libcurl looks at both.
        for name in ("ca-certificates.crt", "system.pem"):
            shutil.copy(system.file, folder / name)
        subprocess.run(["openssl", "rehash", str(folder)], check=True, stderr=subprocess.DEVNULL)
        subprocess.run(["mount", "--bind", str(folder), "/etc/ssl/certs"], check=True)
        provider = self.provider(system.context())
        self.start({"a": f'ca_file = "{ours.file}"'})
        for name in ("a", "b"):
            self.add(name, provider.url("localhost"))
        self.works("b")
        self.fails("a", "certificate is not trusted")


class Hosts(Case):
    def test_hosts_by_workspace(self):
        # Would break: a manifest, or who writes connections, widening what an operator allowed to a workspace.
        provider = self.provider()
        port = provider.port
        self.start({"": 'denied_hosts = ["*.denied.example"]', "any": "", "only": f'allowed_hosts = ["localhost:{port}", "other.example"]',
                    "not": 'denied_hosts = ["LOCALHOST"]', "port": 'denied_hosts = ["localhost:1"]', "base": 'allowed_hosts = ["api.example"]',
                    "star": 'allowed_hosts = ["*"]'},
                   allowed=("x.denied.example", "other.example", "third.example"))
        for name in ("any", "only", "not", "port", "base", "star"):
            self.add(name, provider.url("localhost"))
        for name in ("any", "only", "port", "star"):
            self.works(name)
        self.fails("not", "localhost is denied by 'LOCALHOST' in denied_hosts of [workspaces.not.egress]")
        self.fails("base", f"localhost:{port} is not in allowed_hosts of [workspaces.base.egress]")
        # Both must allow it: the list widens nothing that the manifest does not.
        self.fails("only", "third.example:80 is not in allowed_hosts", path="http://third.example/")
        self.fails("star", "neither the connection's base_url nor in the manifest's allowed_hosts", path="http://fourth.example/")
        # [egress] holds where a workspace says nothing, and not where it says something else.
        self.fails("any", "is denied by '*.denied.example'", path="http://x.denied.example/")
        self.assertNotIn("denied by", self.fails("not", path="http://x.denied.example/"))
        self.assertEqual(len(provider.seen), 4)

    def test_behind_a_proxy_written_out_addresses_are_judged_by_name(self):
        # Would break: the proxy as the way to a cloud's metadata, or to what listens on the proxy's own machine.
        provider, proxy = self.provider(), self.proxy()
        hosts = ("169.254.169.254", "10.0.0.1", "127.0.0.1", "localhost", "sub.localhost", "192.168.1.1", "0.0.0.0")
        self.start({"a": f'proxy = "{proxy.url}"', "open": f'proxy = "{proxy.url}"\nprivate_networks = ["127.0.0.0/8"]'}, allowed=hosts)
        for name in ("a", "open"):
            self.add(name, provider.url("api.provider.test"))
        for host in (*hosts, "127.1", "0x7f.1", "2130706433"):
            with self.subTest(host):
                self.fails("a", "which is not allowed", path=f"http://{host}/latest/meta-data")
        self.assertEqual((proxy.seen, provider.seen), ([], []))
        self.works("a")
        # What the operator listed is asked of the proxy, which fails to reach it here.
        self.berthd.control("POST", "/v1/connections/open/actions/call_api", {"path": "http://127.0.0.1/"})
        self.assertIn("http://127.0.0.1/", proxy.targets)

    def test_private_networks_by_workspace(self):
        # Would break: one workspace's way into the company network open to all.
        provider = self.provider()
        self.start({"in": 'private_networks = ["127.0.0.0/8"]'}, allowed=("localhost",))
        for name in ("in", "out"):
            self.add(name, "http://oauthprobe.example")
        self.assertIn("connect", self.fails("in", path="http://localhost/").lower())
        self.fails("out", "leads to a loopback address", "private_networks of [egress] or [workspaces.out.egress]", path="http://localhost/")
        self.assertEqual(provider.accepted, 0)


class Secrets(Case):
    PASSWORD = "pr0xy-canary-9f8e7d6c5b4a"

    def places(self):
        """Everything that outlives a request or that others can look at: name and bytes."""
        for path in (self.folder / "state").rglob("*"):
            if path.is_file():
                yield str(path), path.read_bytes()
        for route in ("status", "health", "connections", "connections/a", "connections/o", "audit?limit=500", "requests", "plugins", "runs"):
            yield route, self.berthd.control("GET", "/v1/" + route).body
        for number, answer in enumerate(self.answers):
            yield f"answer {number}", answer.body
        yield "metrics", self.berthd.control("GET", "/metrics").body
        for process in pathlib.Path("/proc").iterdir():
            for name in ("cmdline", "environ"):
                try:
                    yield f"{process}/{name}", (process / name).read_bytes()
                except OSError:
                    continue

    def hits(self):
        forms = {self.PASSWORD.encode(), base64.b64encode(f"user:{self.PASSWORD}".encode())}
        return [place for place, data in self.places() if any(form in data for form in forms)]

    def test_the_proxys_password_is_nowhere(self):
        # Would break: a password in arguments, logs or answers, for everybody on the machine to read.
        ours = self.authority()
        provider, proxy = self.provider(ours.context()), self.proxy(f"user:{self.PASSWORD}")
        file = self.secret(f"user:{self.PASSWORD}\n")
        self.start({"a": f'proxy = "{proxy.url}"\nca_file = "{ours.file}"\nproxy_credentials_file = "{file}"'})
        self.answers = []
        self.berthd.control("PUT", "/v1/log/level", {"level": "trace"})
        self.add("a", provider.url("api.provider.test"))
        self.add("a", provider.url("api.provider.test"), name="o", kind="oauth2_client_credentials", client_id="id", client_secret="s")
        self.works("a")
        provider.may_answer.clear()
        caller = threading.Thread(target=lambda: self.works("o"))
        caller.start()

        def exchanging():
            return [p for p in pathlib.Path("/proc").glob("[0-9]*/cmdline") if b"exchange-token" in p.read_bytes()]
        wait_for(lambda: any(s.target == "/oauth/token" for s in provider.seen) and exchanging(), 20, "an exchange under way")
        self.assertEqual(self.hits(), [])
        provider.may_answer.set()
        caller.join()
        for number, mode in enumerate(("hangs up", "speaks nonsense", "502", "407", "works")):
            proxy.mode = mode
            # Of a host each: a tunnel that is kept would spare the proxy the question. The last leads nowhere behind the proxy.
            self.add("a", provider.url(f"m{number}.provider.test") if mode != "works" else "https://api.provider.test:1", name=f"m{number}")
            for route, body in (("actions/call_api", {"path": "/api/me"}), ("check", {}), ("streams/items/sync", {})):
                self.answers.append(self.berthd.control("POST", f"/v1/connections/m{number}/{route}", body))
            self.assertGreaterEqual(self.answers[-3].status, 400, mode)
            self.answers.append(self.berthd.control("GET", f"/v1/connections/m{number}"))
        self.assertEqual(self.hits(), [])
        # The search itself finds what is there.
        planted = subprocess.Popen(["sleep", "60"], env={"X": self.PASSWORD})
        try:
            wait_for(lambda: b"X=" in pathlib.Path(f"/proc/{planted.pid}/environ").read_bytes(), 5, "the planted leak")
            self.assertEqual(self.hits(), [f"/proc/{planted.pid}/environ"])
        finally:
            planted.kill()
            planted.wait()


class Settings(Case):
    def run_berthd(self, text, *arguments, environment=None):
        path = self.folder / "berth.toml"
        path.write_text(text)
        done = subprocess.run([str(BIN / "berthd"), "--config", str(path), *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=20, env=dict(os.environ, SWIFT_BACKTRACE="enable=no", **(environment or {})))
        return done.returncode, done.stderr

    def refused(self, text, line, *needles, arguments=("--check",), environment=None):
        status, message = self.run_berthd(text, *arguments, environment=environment)
        self.assertEqual(status, 78, message)
        for needle in (f"{self.folder}/berth.toml:{line}: " if line else "", *needles, "hint: "):
            self.assertIn(needle, message)
        return message

    def test_wrong_names_are_refused_where_they_stand(self):
        # Would break: a proxy that is mistyped and therefore not used, without a word.
        section = "[log]\n[workspaces.acme.egress]\n"
        self.refused(section + 'prxy = "http://p:1"\n', 3, "there is no setting 'workspaces.acme.egress.prxy'", "did you mean 'workspaces.acme.egress.proxy'")
        self.refused('[workspaces.acme]\nproxy = "http://p:1"\n', 2, "workspaces.acme.proxy", "did you mean 'workspaces.acme.egress.proxy'")
        self.refused('[workspaces.acme.egres]\nproxy = "http://p:1"\n', 1, "did you mean [workspaces.acme.egress]")
        self.refused('[workspaces]\nacme = 3\n', 2, "[workspaces.acme.egress]")
        self.refused('[workspaces."Acme Inc".egress]\nproxy = "http://p:1"\n', 0, "is no workspace's name")
        self.refused('[workspace.acme.egress]\nproxy = "http://p:1"\n', 1, "did you mean [workspaces.acme.egress]")
        self.refused('[[workspaces]]\nname = "acme"\n', 1, "workspaces")
        self.refused('[workspaces.acme.egress.proxy]\nurl = "http://p:1"\n', 1, "a table where one value is expected")
        self.refused(section + "proxy = 3128\n", 3, "a whole number where text is expected")
        self.refused(section + 'allowed_hosts = "api.example"\n', 3, "text where a list of texts is expected")
        self.refused("", 0, "BERTH_WORKSPACES_ACME_EGRESS_PROXY is no setting", environment={"BERTH_WORKSPACES_ACME_EGRESS_PROXY": "http://p:1"})
        self.refused("", 0, "--set", "did you mean 'workspaces.acme.egress.proxy'", arguments=("--check", "--set", "workspaces.acme.egress.prox=http://p:1"))

    def test_wrong_values_are_refused_where_they_stand(self):
        # Would break: a policy that means something else than it says.
        for section in ("[egress]\n", "[workspaces.acme.egress]\n"):
            for url, text in {"proxy.example": "is no proxy's URL", "http://proxy.example": "has no port", "socks4://p:1": "none of http, https, socks5h",
                              "http://p:1/path": "more than scheme, host and port", "http://p:0": "", "socks5://p:1": "none of http, https, socks5h"}.items():
                self.refused(section + f'proxy = "{url}"\n', 2, text)
            for url in ("http://user:hunter2@p:1", "http://user:hunter2@p", "user:hunter2@p:1", "http://user@p:1"):
                self.assertNotIn("hunter2", self.refused(section + f'proxy = "{url}"\n', 2))
            self.refused(section + 'proxy = "http://user:hunter2@p:1"\n', 2, "put user:password into proxy_credentials_file")
            for host in ("https://api.example", "api.example/x", "*", "a*.example", "api.example:0", "", ".example", "[::1]:80", "api.example:x"):
                if host != "*":
                    self.refused(section + f'allowed_hosts = ["{host}"]\n', 2, "is no host")
                    self.refused(section + f'denied_hosts = ["{host}"]\n', 2, "is no host")
            self.refused(section + "allowed_hosts = []\n", 2, "names no host")
            self.refused(section + 'private_networks = ["10.0.0.0/99"]\n', 2, "is not a CIDR range")
            self.refused(section + 'ca_file = "ca.pem"\n', 2, "is not an absolute path")
            self.assertNotIn("hunter2", self.refused(section + 'proxy = "http://p:1"\nproxy_credentials_file = "user:hunter2"\n', 3))
        status, message = self.run_berthd('[workspaces.acme.egress]\nproxy = "http://[::1]:3128"\nallowed_hosts = ["::1", "*.a.example:8443", "*"]\n', "--check")
        self.assertEqual(status, 0, message)

    def test_files_are_looked_at_before_the_start(self):
        # Would break: a daemon that starts well and fails at the first request at night.
        empty, text, good = self.folder / "empty.pem", self.folder / "text.pem", self.authority().file
        empty.write_text("")
        text.write_text("not a certificate\n")
        cut = self.folder / "cut.pem"
        cut.write_text(good.read_text()[:200])
        for path, why in {empty: "is empty", text: "holds no certificate", cut: "breaks off", self.folder / "none.pem": "No such file",
                          self.folder: "is not a regular file"}.items():
            for arguments in (("--check",), ()):
                self.refused(f'[workspaces.acme.egress]\nca_file = "{path}"\n', 2, "workspaces.acme.egress.ca_file", why, "PEM file", arguments=arguments)
        fifo = self.folder / "fifo"
        os.mkfifo(fifo)
        self.refused(f'[egress]\nca_file = "{fifo}"\n', 2, "is not a regular file")
        section = '[workspaces.acme.egress]\nproxy = "http://p:1"\nproxy_credentials_file = '
        for name, (content, mode, why) in {
            "open": ("u:hunter2", 0o644, "has mode 0644"), "one": ("hunter2", 0o600, "USER:PASSWORD"), "none": ("", 0o600, "USER:PASSWORD"),
            "two": ("u:hunter2\nv:hunter2", 0o600, "USER:PASSWORD"), "long": ("u:hunter2" + "x" * 2000, 0o600, "USER:PASSWORD"), "nobody": (":hunter2", 0o600, "USER:PASSWORD"),
        }.items():
            message = self.refused(f'{section}"{self.secret(content, name, mode)}"\n', 3, "workspaces.acme.egress.proxy_credentials_file", why)
            self.assertNotIn("hunter2", message)
        self.refused(f'{section}"{self.folder}/missing"\n', 3, "No such file")
        link = self.folder / "link"
        link.symlink_to(self.secret("u:p", "real"))
        self.refused(f'{section}"{link}"\n', 3, "symbolic link")
        self.refused(f'{section}"proxy-login"\n', 3, "the service manager gave none", "LoadCredential=proxy-login:")
        self.refused(f'[egress]\nproxy_credentials_file = "{self.secret("u:p", "idle")}"\n', 2, "no proxy")
        credentials = self.folder / "credentials.d"
        credentials.mkdir()
        (credentials / "proxy-login").write_text("u:p")
        (credentials / "proxy-login").chmod(0o440)
        status, message = self.run_berthd(f'{section}"proxy-login"\n', "--check", environment={"CREDENTIALS_DIRECTORY": str(credentials)})
        self.assertEqual(status, 0, message)

    def test_a_proxy_of_its_own_is_not_told_the_others_password(self):
        # Would break: [egress]'s password sent to whatever proxy a workspace names.
        provider, shared, own = self.provider(), self.proxy(), self.proxy()
        self.start({"": f'proxy = "{shared.url}"\nproxy_credentials_file = "{self.secret("u:p")}"', "own": f'proxy = "{own.url}"',
                    "login": f'proxy_credentials_file = "{self.secret("v:q", "login")}"', "direct": 'proxy = ""'})
        for name in ("own", "login", "rest"):
            self.add(name, provider.url("api.provider.test"))
            self.works(name)
        self.add("direct", provider.url())
        self.works("direct")
        self.assertNotIn("proxy-authorization", own.seen[0].headers)
        self.assertEqual(len({s.headers["proxy-authorization"] for s in shared.seen}), 2)
        self.assertEqual((len(shared.seen), len(own.seen)), (2, 1))


if __name__ == "__main__":
    unittest.main(verbosity=2)
