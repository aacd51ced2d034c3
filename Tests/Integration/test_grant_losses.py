"""No grant is lost: an authorization server that ends a grant when a spent refresh token comes again, and the moments at which one could."""

import contextlib
import http.client
import json
import os
import pathlib
import shutil
import signal
import sqlite3
import subprocess
import tempfile
import threading
import time
import unittest
import urllib.parse

from hostile import Hostile
from oauth_probe import SOURCE, browse, probe
from rig import Berthd, needs_kill_points, wait_for

CLIENT = {"client_id": "mock-client", "client_secret": "mock-client-secret"}
MANIFEST = (SOURCE / "plugin.toml").read_text()
KIND = "oauth2_authorization_code"


class Provider:
    """Rotates refresh tokens. `gate` holds answers to renewals, `revoking` those to revocations."""

    def __init__(self):
        self.lock = threading.Lock()
        self.gate, self.revoking = threading.Event(), threading.Event()
        self.gate.set()
        self.revoking.set()
        self.given, self.asked, self.revoked, self.paths, self.seen = 0, [], [], [], []
        self.valid, self.reused, self.short, self.revoke_status = {"given", "given-2"}, 0, 1, 200
        self.server = Hostile(self.serve)

    def serve(self, peer, method, path, head, body):
        fields = dict(urllib.parse.parse_qsl(body.decode())) if not body.startswith(b"{") else json.loads(body)
        if "revoke" in path:
            with self.lock:
                self.revoked.append((fields["token"], fields["token"] in self.valid))
                if self.revoke_status == 200:
                    self.valid.discard(fields["token"])
            self.revoking.wait(30)
            return peer.answer(self.revoke_status)
        if "/o/" in path or "token" in path:
            return self.token(peer, path, fields)
        token = next((line.split()[-1].decode() for line in head.split(b"\r\n") if line.lower().startswith(b"authorization")), "")
        self.seen.append(token)
        return peer.json('{"account":"A"}')

    def token(self, peer, path, fields):
        kind, refresh = fields["grant_type"], fields.get("refresh_token")
        with self.lock:
            self.paths.append(path)
            self.asked.append((kind, refresh or fields.get("code")))
            if kind == "authorization_code" and fields["code"] != "good":
                return peer.json('{"error":"invalid_grant"}', 400)
            if kind == "refresh_token":
                if refresh not in self.valid:
                    self.reused += 1
                    self.valid.clear()
                    return peer.json('{"error":"invalid_grant","error_description":"used before"}', 400)
                self.valid.discard(refresh)
            self.given += 1
            number = self.given
            self.valid.add(f"refresh-{number}")
        if kind == "refresh_token":
            self.gate.wait(30)
        return peer.json(json.dumps({
            "access_token": f"access-{number}", "token_type": "Bearer", "refresh_token": f"refresh-{number}",
            "expires_in": self.short if number == 1 else 3600, **({"account_id": "A"} if kind == "authorization_code" else {})}))

    def renewals(self):
        return [asked for asked in self.asked if asked[0] == "refresh_token"]


class Losses(unittest.TestCase):
    manifest = MANIFEST

    def setUp(self):
        self.bundles = pathlib.Path(tempfile.mkdtemp(prefix="berth-losses-"))
        self.folder = self.place()
        probe(self.bundles, self.manifest)
        self.provider = Provider()
        self.berthd = Berthd(folder=self.folder / "state", bundles=self.bundles)
        self.berthd.log_path = self.bundles / "berthd.log"
        self.berthd.start()

    def place(self):
        return self.bundles

    def tearDown(self):
        self.provider.gate.set()
        self.provider.revoking.set()
        self.berthd.stop()
        self.provider.server.stop()
        shutil.rmtree(self.bundles, ignore_errors=True)

    def add(self, kind=KIND, **fields):
        return self.berthd.post("/v1/connections", {
            "provider": "oauthprobe", "name": "x", "base_url": self.provider.server.url, "credentials": {"kind": kind, **CLIENT, **fields}})

    def consent(self, code="good"):
        url = self.berthd.post("/v1/connections/x/connect")["url"]
        query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(url).query))
        return browse(query["redirect_uri"] + "?" + urllib.parse.urlencode({"code": code, "state": query["state"]}))[0]

    def connected(self):
        """A connection whose access token has just expired."""
        self.add()
        self.assertEqual(self.consent().status, 200)
        begun = time.monotonic()
        wait_for(lambda: time.monotonic() - begun > 1.1, 5, "the token's end")

    def call(self):
        return self.berthd.control("POST", "/v1/connections/x/actions/call_api", {"path": "/api/me"}, timeout=90)

    def works(self):
        answer = wait_for(lambda: (lambda a: a if a.status == 200 else None)(self.call()), 20, "a call that works")
        self.assertEqual(answer.json["output"]["status"], 200, answer)
        self.assertEqual(self.provider.reused, 0, self.provider.asked)
        self.assertEqual(self.berthd.get("/v1/connections/x")["status"], "active")

    def ask(self, until="a renewal"):
        """A call in the background whose renewal the provider has seen and not answered. Its end: what to join, and the answer."""
        self.provider.gate.clear()
        count, told = len(self.provider.renewals()), []

        def go():
            # The daemon may be killed meanwhile.
            with contextlib.suppress(OSError, http.client.HTTPException):
                told.append(self.call())
        thread = threading.Thread(target=go)
        thread.start()
        wait_for(lambda: len(self.provider.renewals()) > count, 20, until)
        return thread, told

    def files(self, pattern="*"):
        return sorted(path.name for path in (self.folder / "state/grants").glob(pattern))

    def killed(self):
        """The daemon dies in a renewal; its answer is on the disk when the next life begins."""
        thread, _ = self.ask()
        self.berthd.kill()
        thread.join()
        self.provider.gate.set()
        wait_for(lambda: self.files("*.reply"), 20, "the answer's file")
        self.berthd.start()


class Answers(Losses):
    def test_a_store_that_fails_for_a_moment(self):
        # Would break: the answer is thrown away by the next request, which sends the spent token.
        self.connected()
        thread, told = self.ask()
        with contextlib.closing(sqlite3.connect(self.folder / "state/berth.db", timeout=5, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            self.provider.gate.set()
            wait_for(lambda: "can't be stored" in self.berthd.log(), 40, "a store that gives up")
            self.assertEqual(len(self.files("*.reply")), 1)
            other.execute("ROLLBACK")
        thread.join()
        self.works()
        self.assertEqual(len(self.provider.renewals()), 1)
        self.assertEqual(self.files("*.reply*"), [])

    def test_a_folder_that_is_gone_is_made_again(self):
        # Would break: no connection gets a token until somebody restarts the daemon.
        self.connected()
        shutil.rmtree(self.folder / "state/grants")
        self.works()
        self.assertEqual((self.folder / "state/grants").stat().st_mode & 0o777, 0o700)

    def test_a_kill_and_a_consent_that_fails(self):
        # Would break: the failed consent's exchange deletes the answer on which the connection lives.
        self.connected()
        self.killed()
        self.assertNotEqual(self.consent("bad").status, 200)
        self.works()
        self.assertEqual(len(self.provider.renewals()), 1)

    def test_a_kill_and_a_disconnect(self):
        # Would break: the spent token is given back, and the provider keeps the live one.
        self.connected()
        self.killed()
        done = self.berthd.post("/v1/connections/x/disconnect")
        self.assertEqual((done["status"], done.get("last_error")), ("disconnected", None))
        self.assertEqual(self.provider.revoked, [("refresh-2", True)])
        self.assertEqual(self.files(), [])

    def test_a_disconnect_while_the_exchange_of_a_former_life_runs(self):
        # Would break: as above, and the new tokens come to a disk where nobody looks for them.
        self.connected()
        thread, _ = self.ask()
        self.berthd.kill()
        thread.join()
        self.berthd.start()
        answers = []
        end = threading.Thread(target=lambda: answers.append(self.berthd.control("POST", "/v1/connections/x/disconnect", {}, timeout=90)))
        end.start()
        end.join(1)
        self.assertEqual(answers, [])
        self.provider.gate.set()
        end.join()
        self.assertEqual((answers[0].status, answers[0].json.get("last_error")), (200, None))
        self.assertEqual(self.provider.revoked, [("refresh-2", True)])
        self.assertEqual(self.files(), [])
        # And it can be connected again.
        self.berthd.control("PATCH", "/v1/connections/x", {"credentials": {"kind": KIND, **CLIENT}})
        self.assertEqual(self.consent().status, 200)
        self.works()

    def test_a_stop_during_a_disconnect_that_waits_for_a_renewal(self):
        # Would break: the daemon does not end for as long as a token endpoint is silent, and is killed in the end.
        self.connected()
        thread, _ = self.ask()

        def disconnect():
            # Whether it hears the answer is a matter of when the server's connections end.
            with contextlib.suppress(OSError, http.client.HTTPException):
                self.berthd.control("POST", "/v1/connections/x/disconnect", {}, timeout=90)
        end = threading.Thread(target=disconnect)
        end.start()
        end.join(1)
        began = time.monotonic()
        self.assertEqual(self.berthd.stop(30), 0)
        self.assertLess(time.monotonic() - began, 12)
        thread.join()
        end.join()
        self.assertEqual(self.provider.revoked, [])
        # It is cut off, and what is not done is told.
        self.berthd.start()
        shown = self.berthd.get("/v1/connections/x")
        self.assertEqual(shown["status"], "disconnected")
        self.assertIn("may still hold the grant", shown["last_error"])
        self.assertEqual([e["kind"] for e in self.berthd.all_items("/v1/audit") if "disconnect" in e["kind"]], ["connection.disconnected"])
        self.provider.gate.set()
        wait_for(lambda: not self.files(), 20, "no files of a connection that has ended")

    def test_a_stop_during_a_renewal(self):
        # Would break: an orderly end takes the exchange with it, or the answer's room, and the spent token is sent again.
        self.connected()
        thread, _ = self.ask()
        self.assertEqual(self.berthd.stop(30), 0)
        thread.join()
        self.provider.gate.set()
        wait_for(lambda: self.files("*.reply"), 20, "the answer's file")
        self.berthd.start()
        self.works()
        self.assertEqual(len(self.provider.renewals()), 1)

    def test_an_exchange_that_is_frozen(self):
        # Would break: a disconnect waits for ever for a process that somebody stopped, or that is stuck.
        self.connected()
        self.provider.revoking.clear()
        answers = []
        end = threading.Thread(target=lambda: answers.append(self.berthd.control("POST", "/v1/connections/x/disconnect", {}, timeout=90)))
        end.start()
        wait_for(lambda: self.provider.revoked, 20, "a revocation")
        frozen = self.children("exchange-token")
        self.assertEqual(len(frozen), 1)
        os.kill(frozen[0], signal.SIGSTOP)
        end.join(60)
        self.assertFalse(os.path.exists(f"/proc/{frozen[0]}"))
        self.assertEqual((answers[0].status, answers[0].json["status"]), (200, "disconnected"))
        self.assertRegex(answers[0].json["last_error"], "may still hold the grant: .*did not end in 25 s and was killed")
        self.assertEqual(self.files(), [])

    def children(self, argument):
        found = []
        for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
            # Gone meanwhile.
            with contextlib.suppress(OSError):
                parent = int(stat.read_text().rsplit(")", 1)[1].split()[1])
                if parent == self.berthd.process.pid and argument.encode() in (stat.parent / "cmdline").read_bytes():
                    found.append(int(stat.parent.name))
        return found

    def test_a_kill_with_a_refresh_token_that_took_anothers_place(self):
        # Would break: the answer is not the stored grant's, is deleted, and the operator's new token is sent twice.
        self.add("oauth2_refresh_token", refresh_token="given")
        self.assertEqual(self.call().status, 200)
        credentials = {"kind": "oauth2_refresh_token", **CLIENT, "refresh_token": "given-2"}
        self.assertEqual(self.berthd.control("PATCH", "/v1/connections/x", {"credentials": credentials}).status, 200)
        self.killed()
        self.works()
        self.assertEqual(self.provider.renewals(), [("refresh_token", "given"), ("refresh_token", "given-2")])

    @needs_kill_points
    def test_a_consent_that_nobody_lived_to_store(self):
        # Would break: a person has consented, the old grant may have ended by that, and nothing has come of it.
        self.provider.short = 3600
        self.add()
        self.berthd.stop()
        for point in ("grant.after-exchange", "grant.before-store", "grant.after-store"):
            with self.subTest(point):
                self.berthd.environment = {"BERTH_KILLPOINT": point}
                self.berthd.start()
                with contextlib.suppress(OSError, http.client.HTTPException):
                    self.consent()
                self.berthd.process.wait(20)
                self.berthd.environment = {}
                self.berthd.start()
                self.assertEqual(self.call().status, 200)
                self.assertEqual(self.provider.seen[-1], f"access-{self.provider.given}")
                shown = self.berthd.get("/v1/connections/x")
                self.assertEqual((shown["status"], shown["credentials"]["connected"], shown["credentials"]["account"]), ("active", True, "A"))
                self.assertEqual(self.files("*.reply*"), [])
                self.berthd.stop()
        self.berthd.start()

    def test_what_a_dead_exchange_leaves(self):
        # Would break: room for answers that never came stays taken.
        self.connected()
        self.berthd.stop()
        connection = self.files("*.lock")[0][:-5]
        for name in ("reply.part", "revoked.part", "revoked"):
            (self.folder / f"state/grants/{connection}.{name}").write_bytes(bytes(4096))
        self.berthd.start()
        self.assertEqual(self.files(), [f"{connection}.lock"])

    def test_an_answer_that_nobody_can_read(self):
        # Would break: one file of somebody else's stops a connection for ever.
        self.connected()
        self.berthd.stop()
        connection = next(iter(self.files("*.lock")))[:-5]
        (self.folder / f"state/grants/{connection}.reply").write_bytes(b"none of ours" * 10)
        self.berthd.start()
        self.works()
        self.assertIn("nobody can read", self.berthd.log())


@unittest.skipUnless(os.geteuid() == 0, "mounting needs root")
class FullDisk(Losses):
    def place(self):
        folder = pathlib.Path(tempfile.mkdtemp(prefix="berth-losses-disk-"))
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "berth-test", str(folder)], check=True)
        self.addCleanup(subprocess.run, ["umount", "-l", str(folder)], check=True)
        return folder

    @contextlib.contextmanager
    def full(self, left):
        """All but so many bytes are taken. A reader stays, so that the log can't shrink."""
        with contextlib.closing(sqlite3.connect(self.folder / "state/berth.db", isolation_level=None)) as reader:
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM secret").fetchall()
            stat = os.statvfs(self.folder)
            filler = self.folder / "filler"
            with open(filler, "ab", buffering=0) as file:
                room = stat.f_bavail * stat.f_frsize - left
                with contextlib.suppress(OSError):
                    while room > 0:
                        room -= file.write(b"x" * min(room, 1 << 20))
            try:
                yield
            finally:
                filler.unlink()

    def test_a_disk_that_fills_up_during_a_renewal(self):
        # Would break: the tokens find no room, in the store or before, and the spent token is sent again.
        self.connected()
        thread, _ = self.ask()
        with self.full(0):
            self.provider.gate.set()
            thread.join()
        self.works()
        self.assertEqual((len(self.provider.renewals()), self.files("*.reply*")), (1, []))

    def test_a_full_disk_before_a_renewal(self):
        # Would break: the refresh token is spent though there is no room for what comes for it.
        self.connected()
        # The store itself still has room.
        with self.full(1 << 20):
            answer = self.call()
            self.assertNotEqual(answer.status, 200, answer)
            self.assertIn("no room on the disk", answer.json["detail"])
            self.assertEqual(self.provider.renewals(), [])
        self.works()
        self.assertEqual(self.files("*.reply*"), [])


class Ends(Losses):
    def test_another_kind_is_another_grant(self):
        # Would break: the operator gives a refresh token, is told 200, and the consent of before is used on.
        self.provider.short = 3600
        self.add()
        self.assertEqual(self.consent().status, 200)
        self.works()
        credentials = {"kind": "oauth2_refresh_token", "client_id": "other", "client_secret": "other-secret", "refresh_token": "given"}
        self.assertEqual(self.berthd.control("PATCH", "/v1/connections/x", {"credentials": credentials}).status, 200)
        self.works()
        self.assertEqual(self.provider.renewals(), [("refresh_token", "given")])
        self.assertEqual(self.provider.seen[-1], "access-2")

    def test_who_waits_for_a_token_gets_none_after_a_disconnect(self):
        # Would break: a renewal that waited runs between the revocation and the end, and its tokens live on at the provider.
        self.connected()
        self.provider.revoking.clear()
        self.provider.revoke_status = 500
        answers = {}
        end = threading.Thread(target=lambda: answers.update(end=self.berthd.post("/v1/connections/x/disconnect")))
        end.start()
        wait_for(lambda: self.provider.revoked, 20, "the revocation")
        call = threading.Thread(target=lambda: answers.update(call=self.call()))
        call.start()
        call.join(0.5)
        self.provider.revoking.set()
        end.join()
        call.join()
        self.assertIn("may still hold the grant", answers["end"]["last_error"])
        self.assertNotEqual(answers["call"].status, 200, answers)
        self.assertEqual(self.provider.renewals(), [])

    def test_a_removal_leaves_no_files(self):
        # Would break: sealed tokens of connections that are gone stay on the disk for ever.
        for restarts in (False, True):
            with self.subTest(restarts=restarts):
                self.add("oauth2_refresh_token", refresh_token="given")
                thread, _ = self.ask()
                self.berthd.kill()
                thread.join()
                self.berthd.start()
                self.assertEqual(self.berthd.control("DELETE", "/v1/connections/x", timeout=90).status, 204)
                if restarts:
                    self.berthd.kill()
                    self.provider.gate.set()
                    wait_for(lambda: self.files("*.reply"), 20, "the answer's file")
                    self.berthd.start()
                self.provider.gate.set()
                wait_for(lambda: not self.files(), 20, f"the end of {self.files()}")
                self.provider.valid.add("given")


class Addresses(Losses):
    manifest = MANIFEST.replace('authorize_url = "/oauth/authorize", token_url = "/oauth/token", revoke_url = "/oauth/revoke"',
                                'authorize_url = "/o/authorize/?tenant=7", token_url = "/o/get/?api-version=2", revoke_url = "/o/revoke/"')
    manifest = manifest.replace('"oauth2_refresh_token"\noauth = { token_url = "/oauth/token"', '"oauth2_refresh_token"\noauth = { token_url = "/o/get/"')

    def test_addresses_are_used_as_they_are_written(self):
        # Would break: endpoints that end with a slash (Django's do) or have a query.
        assert self.manifest.count("/o/get/") == 2
        self.add()
        url = self.berthd.post("/v1/connections/x/connect")["url"]
        self.assertTrue(url.startswith(f"{self.provider.server.url}/o/authorize/?tenant=7&response_type=code&"), url)
        self.assertEqual(self.consent().status, 200)
        self.assertEqual(self.provider.paths, ["/o/get/?api-version=2"])
        self.assertIsNone(self.berthd.post("/v1/connections/x/disconnect").get("last_error"))
        self.assertIn(("POST", "/o/revoke/"), [asked[:2] for asked in self.provider.server.asked])
        self.berthd.control("PATCH", "/v1/connections/x", {"credentials": {"kind": "oauth2_refresh_token", **CLIENT, "refresh_token": "given"}})
        self.assertEqual(self.call().status, 200)
        self.assertEqual(self.provider.paths[-1], "/o/get/")


if __name__ == "__main__":
    unittest.main(verbosity=2)
