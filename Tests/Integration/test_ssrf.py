"""Where the real daemon connects to, seen by listeners on every address there is: in a network namespace in which all addresses,
public ones too, are this machine's own, so that nothing can leave it and every connection is counted at the address it was for."""

import contextlib
import ctypes
import json
import os
import pathlib
import re
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import urllib.parse

from cplugin import bundle
from hostile import Hostile
from oauth_probe import SOURCE
from rig import Berthd

INNER = [
    (127, 0, 0, 1), (127, 255, 255, 254), (10, 0, 0, 1), (10, 255, 0, 7), (172, 16, 0, 1), (172, 31, 255, 254), (192, 168, 0, 1), (192, 168, 255, 1),
    (169, 254, 169, 254), (169, 254, 0, 1), (169, 254, 170, 2), (100, 64, 0, 1), (100, 100, 100, 200), (0, 0, 0, 0), (0, 1, 2, 3), (192, 0, 0, 192),
    (192, 0, 2, 1), (198, 18, 0, 1), (203, 0, 113, 1), (224, 0, 0, 1), (240, 0, 0, 1), (255, 255, 255, 255),
]
CLIENT = {"client_id": "mock-client", "client_secret": "mock-client-secret"}


def spellings(a):
    """An IPv4 address in the ways in which somebody reads it."""
    dotted, number, hexa = ".".join(map(str, a)), int.from_bytes(bytes(a), "big"), bytes(a).hex()
    yield from (dotted, str(number), "0x" + hexa, f"0{number:o}", ".".join(map(hex, a)), ".".join(f"0{n:o}" for n in a), dotted + ".",
                f"{a[0]}.{number & 0xFFFFFF}", f"{a[0]}.{a[1]}.{number & 0xFFFF}", "%" + "%".join(f"{ord(c):02x}" for c in dotted),
                f"[::ffff:{dotted}]", f"[::ffff:{hexa[:4]}:{hexa[4:]}]", f"[::{dotted}]", f"[64:ff9b::{dotted}]", f"[2002:{hexa[:4]}:{hexa[4:]}::1]",
                f"to-{dotted.replace('.', '-')}.example")


def hosts():
    for address in INNER:
        yield from spellings(address)
    yield from ("localhost", "LOCALHOST", "localhost.", "0", "127.1", "[::]", "[::1]", "[::1%25lo]", "[fe80::1%25lo]", "[fc00::1]", "[fd00:ec2::254]", "[ff02::1]",
                "[100::1]", "[2001:db8::1]", "metadata.google.internal", "instance-data", "mixed.example", "localtest.me")


def urls(port):
    for host in hosts():
        for scheme, number in (("http", 80), ("https", 443), ("http", port)):
            yield f"{scheme}://{host}:{number}/x" if number == port else f"{scheme}://{host}/x"
    for place in ("127.0.0.1", "169.254.169.254", "10.0.0.1"):
        yield from (
            f"http://user:pass@{place}/", f"http://api.acme.example@{place}/", f"http://{place}#@api.acme.example/", f"http://{place}\\@api.acme.example/",
            f"//{place}/", f"http:/{place}/", f"http:///{place}/", f"http:{place}/", f"@{place}/", f".{place}/", f":80@{place}/", f"gopher://{place}:80/_x",
            f"ftp://{place}:80/", f"dict://{place}:80/x", f"file://{place}/etc/passwd", f"ws://{place}/", f"ldap://{place}:80/", f"smb://{place}:80/",
            f"HtTp://{place}/", f"http://{place}:80:80/", f"http://{place} /", f"/../../@{place}/", f"http://{place}%00.api.acme.example/",
            f"http://{place}%2f.api.acme.example/", f"http://api.acme.example%40{place}/", f"http://{place}。example/", f"http://[{place}]/")


class Names(threading.Thread):
    """A name server on 127.0.0.1:53: `to-10-0-0-1.example` is 10.0.0.1, and `both` is public and private."""

    def __init__(self):
        super().__init__(daemon=True)
        self.asked = []
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 53))
        self.start()

    def addresses(self, name):
        found = re.fullmatch(r"to-(\d+)-(\d+)-(\d+)-(\d+)\.example", name)
        if found:
            return [".".join(found.groups())]
        return {"mixed.example": ["169.254.169.254", "10.0.0.1", "127.0.0.1"], "public.example": ["93.184.216.34"],
                "both.example": ["169.254.169.254", "10.0.0.1", "93.184.216.34"], "localtest.me": ["127.0.0.1"],
                "metadata.google.internal": ["169.254.169.254"], "instance-data": ["169.254.169.254"], "api.acme.example": ["93.184.216.34"]}.get(name, [])

    def run(self):
        while True:
            query, peer = self.socket.recvfrom(4096)
            labels, at = [], 12
            while query[at]:
                labels.append(query[at + 1:at + 1 + query[at]].decode(errors="replace"))
                at += 1 + query[at]
            kind, name = query[at + 2], ".".join(labels).lower()
            found = self.addresses(name) if kind == 1 else []
            if kind == 1:
                self.asked.append(name)
            answers = b"".join(b"\xc0\x0c\0\1\0\1\0\0\0\0\0\4" + socket.inet_aton(a) for a in found)
            self.socket.sendto(query[:2] + b"\x81\x80\0\1" + struct.pack(">H", len(found)) + b"\0\0\0\0" + query[12:at + 5] + answers, peer)


class Everywhere:
    """Listens on all addresses at one port and counts by the address that was connected to."""

    def __init__(self, port=0):
        self.counts = {}
        self.listener = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
        self.listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind(("::", port))
        self.listener.listen(512)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            sock, _ = self.listener.accept()
            place = sock.getsockname()[0].removeprefix("::ffff:")
            self.counts[place] = self.counts.get(place, 0) + 1
            with contextlib.suppress(OSError), contextlib.closing(sock):
                sock.settimeout(1)
                sock.recv(4096)
                sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")


def own_all_addresses():
    """Brings lo up and makes every address of IPv4 and IPv6 local."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        import fcntl
        request = struct.pack("16sH14x", b"lo", 0x1 | 0x40)  # IFF_UP | IFF_RUNNING
        fcntl.ioctl(control, 0x8914, request)  # SIOCSIFFLAGS
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as netlink:
        for family in (socket.AF_INET, socket.AF_INET6):
            # RTM_NEWROUTE: default, in the table of local addresses, of type local, by lo.
            body = struct.pack("BBBBBBBBI", family, 0, 0, 0, 255, 3, 254 if family == socket.AF_INET else 0, 2, 0) + struct.pack("HHI", 8, 4, 1)
            netlink.send(struct.pack("IHHII", 16 + len(body), 24, 0x1 | 0x4 | 0x400, 1, 0) + body)
            error = struct.unpack_from("i", netlink.recv(4096), 16)[0]
            if error:
                raise OSError(-error, "the route to all addresses can't be added")


def count(listeners, public=False):
    """Connections to addresses that are not public; or all of them."""
    private = [place for place in set().union(*[l.counts for l in listeners]) if public or place != "93.184.216.34"]
    return {place: sum(l.counts.get(place, 0) for l in listeners) for place in private}


def inside(folder):
    """Runs in the namespace; prints one JSON document."""
    own_all_addresses()
    names = Names()
    listeners = [Everywhere(80), Everywhere(443), Everywhere()]
    for address in ("127.0.0.1", "10.0.0.1", "169.254.169.254", "192.168.0.1", "93.184.216.34", "fd00::1", "fc00::7"):
        for listener in listeners:
            socket.create_connection((address, listener.port), 2).close()
    told = {"seen_by_listeners": wait_counts(listeners, 21)}
    for listener in listeners:
        listener.counts.clear()

    def plugin(name, base, allowed):
        text = (SOURCE / "plugin.toml").read_text().replace('id = "oauthprobe"', f'id = "{name}"')
        text = text.replace('base_url = "https://oauthprobe.example"', f'base_url = "{base}"')
        text = text.replace('allowed_hosts = ["oauthprobe.example"]', f"allowed_hosts = {json.dumps(allowed)}\ntimeout_seconds = 2")
        bundle(folder / "bundles", name, SOURCE / "oauthprobe.c", text)
    # Manifests that name every host that one can name, sixty each.
    names_allowed = sorted({h for h in hosts() if re.fullmatch(r"[A-Za-z0-9.-]+", h) and not h.endswith(".example")})
    groups = [names_allowed[at:at + 60] for at in range(0, len(names_allowed), 60)]
    for number, group in enumerate(groups):
        plugin(f"hostile{number}", "http://api.acme.example", ["*.example", *group])
    plugin("tokens", "http://api.acme.example", ["*.example"])
    manifest = folder / "bundles/tokens/plugin.toml"
    manifest.write_text(manifest.read_text().replace('token_url = "/oauth/token"', 'token_url = "http://to-169-254-169-254.example/oauth/token"'))
    berthd = Berthd(folder / "state", bundles=folder / "bundles").start()
    try:
        told.update(drive(berthd, names, listeners, groups))
    finally:
        berthd.stop()
    # The same daemon with all networks allowed: the way is open, and the listeners would have counted.
    berthd = Berthd(folder / "open", bundles=folder / "bundles", settings='[egress]\nprivate_networks = ["0.0.0.0/0", "::/0"]\n').start()
    try:
        for listener in listeners:
            listener.counts.clear()
        add(berthd, "hostile0", "open", None, {"kind": "api_key", "token": "t"})
        for host in ("to-169-254-169-254.example", "to-10-0-0-1.example", "to-192-168-0-1.example"):
            call(berthd, "open", f"http://{host}/x")
        told["control"] = count(listeners)
    finally:
        berthd.stop()
    print(json.dumps(told))


def wait_counts(listeners, number):
    deadline = time.monotonic() + 10
    while sum(count(listeners, True).values()) < number and time.monotonic() < deadline:
        time.sleep(0.01)
    return count(listeners, True)


def add(berthd, provider, name, base, credentials):
    body = {"provider": provider, "name": name, "credentials": credentials}
    return berthd.post("/v1/connections", {**body, "base_url": base} if base else body)


def call(berthd, name, path, method="POST"):
    body = json.dumps({"path": path, "method": method}, ensure_ascii=False).encode()
    answer = berthd.control("POST", f"/v1/connections/{name}/actions/call_api", body)
    return answer.json.get("detail") or answer.json["output"]


def drive(berthd, names, listeners, groups):
    told = {"answers": {}, "redirects": []}
    for number in range(len(groups)):
        add(berthd, f"hostile{number}", f"main{number}", None, {"kind": "api_key", "token": "t"})
    allowed = {host: f"main{number}" for number, group in enumerate(groups) for host in group}
    for url in dict.fromkeys(urls(listeners[2].port)):
        host = re.sub(r"^\w+://|[:/].*", "", url)
        told["answers"][url] = call(berthd, allowed.get(host, "main0"), url)
    told["connects"], told["names_asked"] = count(listeners), len(names.asked)
    told["both"] = [call(berthd, "main0", "http://both.example/") for _ in range(2)]
    told["after_both"] = count(listeners)
    told["public"] = call(berthd, "main0", "http://public.example/x")
    told["public_connects"] = count(listeners, True).get("93.184.216.34", 0)
    # Redirects of API and token endpoint, and a token_url of the manifest's that leads there.
    for status in (301, 302, 303, 307, 308):
        for place in ("http://169.254.169.254/latest/meta-data/iam/", "http://10.0.0.1/", "http://[fd00:ec2::254]/", "http://127.0.0.1/"):
            server = Hostile(lambda p, *_: p.answer(status, Location=place))
            name = f"r{status}-{len(told['redirects'])}"
            add(berthd, "hostile0", name, server.url, {"kind": "api_key", "token": "t"})
            add(berthd, "hostile0", name + "t", server.url, {"kind": "oauth2_client_credentials", **CLIENT})
            told["redirects"] += [call(berthd, name, "/api/me", "GET"), call(berthd, name + "t", "/api/me", "GET")]
            server.stop()
    add(berthd, "tokens", "tokens", None, {"kind": "oauth2_client_credentials", **CLIENT})
    told["token_url"] = call(berthd, "tokens", "/x")
    # An operator's own base_url may be loopback or private, but never where clouds keep their metadata.
    add(berthd, "hostile0", "metadata", "http://169.254.169.254", {"kind": "api_key", "token": "t"})
    told["own_metadata"] = call(berthd, "metadata", "/latest/meta-data/")
    told["connects_after_all"] = count(listeners)
    return told


class SSRF(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="berth-ssrf-"))
        (cls.folder / "resolv.conf").write_text("nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")
        (cls.folder / "hosts").write_text("127.0.0.1 localhost\n::1 localhost\n")
        (cls.folder / "nsswitch.conf").write_text("hosts: files dns\n")
        script = f"""set -e
mount --bind {cls.folder}/resolv.conf /etc/resolv.conf
mount --bind {cls.folder}/hosts /etc/hosts
[ ! -e /etc/nsswitch.conf ] || mount --bind {cls.folder}/nsswitch.conf /etc/nsswitch.conf
exec {sys.executable} -W ignore {__file__} --inside {cls.folder}"""
        if subprocess.run(["unshare", "-rnm", "true"], capture_output=True).returncode != 0:
            raise unittest.SkipTest("this kernel gives no network namespaces to users")
        done = subprocess.run(["unshare", "-rnm", "sh", "-c", script], capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr[-4000:] + done.stdout[-2000:]
        cls.told = json.loads(done.stdout.splitlines()[-1])

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.folder, ignore_errors=True)

    def test_the_listeners_listen(self):
        # Would break: zero connects, because nobody would have heard them.
        self.assertEqual(self.told["seen_by_listeners"], {a: 3 for a in (
            "127.0.0.1", "10.0.0.1", "169.254.169.254", "192.168.0.1", "93.184.216.34", "fd00::1", "fc00::7")})
        self.assertEqual(self.told["control"], {"169.254.169.254": 1, "10.0.0.1": 1, "192.168.0.1": 1})

    def test_no_address_that_is_not_public_is_reached(self):
        # Would break: a plugin, its manifest, or a name server reaches what only this machine can reach.
        answers = self.told["answers"]
        self.assertGreaterEqual(len(answers), 400)
        self.assertEqual(self.told["connects"], {})
        wrong = {url: answer for url, answer in answers.items() if not isinstance(answer, str)}
        # A path below the base_url is one, however it looks.
        self.assertEqual({url for url in wrong if not url.startswith("/")}, set(), wrong)
        by_address = sum("the host leads to" in answer for answer in answers.values() if isinstance(answer, str))
        self.assertGreater(by_address, 150, "too few got past the names for this to test the check of addresses")
        print(f"\n  {len(answers)} URLs, {by_address} refused by their address, {self.told['names_asked']} names resolved, 0 connects", flush=True)

    def test_a_name_with_addresses_of_both_kinds(self):
        # Would break: one of a name's addresses is checked and another one connected to, as in DNS rebinding.
        self.assertEqual(self.told["after_both"], {})
        self.assertTrue(all(isinstance(answer, dict) for answer in self.told["both"]), self.told["both"])
        # And a public one is reached: the guard does not just refuse all.
        self.assertEqual(self.told["public"]["status"], 200, self.told["public"])
        self.assertGreaterEqual(self.told["public_connects"], 1)

    def test_redirects_and_token_addresses(self):
        # Would break: a provider's redirect, or a manifest's token_url, fetches a machine's credentials.
        self.assertEqual(len(self.told["redirects"]), 40)
        for answer in self.told["redirects"]:
            self.assertTrue(isinstance(answer, dict) and answer["status"] in (301, 302, 303, 307, 308) or "the token endpoint answered 30" in answer, answer)
        self.assertIn("a link-local address", self.told["token_url"])
        self.assertIn("a link-local address", self.told["own_metadata"])
        left = {place: number for place, number in self.told["connects_after_all"].items() if place != "127.0.0.1"}
        self.assertEqual(left, {})


if __name__ == "__main__":
    if sys.argv[1:2] == ["--inside"]:
        inside(pathlib.Path(sys.argv[2]))
    else:
        unittest.main(verbosity=2)
