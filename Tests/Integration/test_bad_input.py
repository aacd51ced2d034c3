"""Wrong configuration, wrong requests to the control socket, wrong schedules: each refused with what, where and what to do,
and the daemon goes on."""

import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest
import urllib.parse

from rig import BIN, BUNDLES, Berthd, Mock, wait_for
from wire import Wire


class BadConfiguration(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="berth-config-"))
        self.file = self.folder / "berth.toml"

    def tearDown(self):
        shutil.rmtree(self.folder, ignore_errors=True)

    def run_berthd(self, text, *arguments, environment=None, file=None):
        """Exit status and standard error of a start that must not succeed."""
        if text is not None:
            self.file.write_bytes(text if isinstance(text, bytes) else text.encode())
        environment = dict(os.environ, SWIFT_BACKTRACE="enable=no", **(environment or {}))
        done = subprocess.run([str(BIN / "berthd"), "--config", str(file or self.file), *arguments], env=environment,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=8, cwd=self.folder)
        return done.returncode, done.stderr

    def refused(self, text, *needles, arguments=("--check",), environment=None, file=None, code=78):
        status, message = self.run_berthd(text, *arguments, environment=environment, file=file)
        self.assertEqual(status, code, message)
        for needle in needles:
            self.assertIn(needle, message)
        self.assertIn("hint:", message)
        return message

    def test_wrong_keys_and_sections_name_the_line_and_the_nearest_name(self):
        # Would break: a mistyped setting that is silently its default.
        place = f"{self.file}:"
        self.refused('[server]\nlistne = "127.0.0.1:0"\n', place + "2", "did you mean 'server.listen'")
        self.refused('# x\n[sever]\nlisten = "127.0.0.1:0"\n', place + "3", "server.listen")
        self.refused('[sever]\n', place + "1", "did you mean [server]")
        self.refused('listen = "127.0.0.1:0"\n', place + "1", "below [server]")
        self.refused('server.listne = "127.0.0.1:0"\n', place + "1", "server.listen")
        self.refused('[server]\n"listne" = "127.0.0.1:0"\n', place + "2", "server.listen")
        self.refused('server = { listne = "x" }\n', place + "1", "server.listen")
        self.refused('[[server]]\nlisten = "127.0.0.1:0"\n', place + "1")
        self.refused('[server.listen]\nhost = "x"\n', place + "1", "server.listen")
        both = self.refused('[server]\nlistne = "a"\nmax_body_bytes = 3\n', place + "2", place + "3")
        self.assertIn("1024", both)

    def test_wrong_types_and_values_name_the_line(self):
        # Would break: a value found wrong only by the part that uses it, or not by --check.
        place = f"{self.file}:2"
        for line, needle in (
            ('max_body_bytes = "10"', "whole number"), ("max_body_bytes = 1.5", "max_body_bytes"), ("max_body_bytes = -1", "1024"),
            ("max_body_bytes = 99999999999999999999", "2"), ("listen = 8700", "text"), ("listen = true", "text"),
            ('listen = ["a"]', "text"), ('listen = "8700"', "host:port"), ('listen = "127.0.0.1:99999"', "host:port"),
            ('listen = ":8700"', "0.0.0.0:8700"), ('public_url = "https://u:p@x"', "https://"), ("listen = 2026-01-01", "date"), ('public_url = "hooks.example.com"', "https://"),
        ):
            self.refused(f"[server]\n{line}\n", place, needle)
        self.refused('[control]\nmode = "0666"\n', place, "without rights for others")
        self.refused('[control]\nmode = "rw"\n', place, "0660")
        self.refused('[control]\nsocket = "control.sock"\n', place, "absolute")
        self.refused('[control]\ngroup_role = "amdin"\n', place, "did you mean 'admin'")
        self.refused('[store]\nurl = "postgres://x/y"\n', place, "sqlite:///")
        self.refused('[store]\nurl = "sqlite://relative.db"\n', place, "sqlite:///")
        self.refused('[store]\nurl = "sqlite:///a/b.db?mode=memory"\n', place, "parameters")
        self.refused('[plugins]\ndirectories = "/a"\n', place, "list")
        self.refused('[plugins]\ndirectories = [1]\n', place, "text")
        self.refused('[plugins]\ndirectories = ["plugins"]\n', place, "absolute")
        self.refused('[egress]\nprivate_networks = ["10.0.0.0/99"]\n', place, "10.0.0.0/8")
        self.refused('[vault]\ncreate_key = "yes"\n', place, "true or false")
        self.refused('[log]\nlevel = "inof"\n', place, "did you mean 'info'")

    def test_files_that_are_no_configuration(self):
        # Would break: a crash of the reader, or an error without the file's name.
        self.refused(None, str(self.folder / "absent.toml"), file=self.folder / "absent.toml")
        self.refused(None, str(self.folder), file=self.folder)
        os.mkfifo(self.folder / "pipe.toml")
        self.refused(None, "pipe.toml", file=self.folder / "pipe.toml")
        self.refused(None, "/dev/zero", file="/dev/zero")
        for text, line in ((b"[server\n", 1), (b"[server]\nlisten = \n", 2), (b"[log]\nlevel = 'info'\nlevel = 'info'\n", 3),
                           (b"[log]\nlevel = 'info'\n[log]\n", 3), (b"\x00\n", 1)):
            self.refused(text, f"{self.file}:{line}")
        for text in (b"\xff\xfe[server]\n", b"[server]\nlisten = '\xff'\n", b"a = " + b"[" * 100_000, b"{" * 100_000, b"a." * 100_000 + b"b = 1", b"[" + b"a." * 100_000 + b"b]\n",
                     b"a = " + b"{b=" * 50_000):
            self.refused(text, str(self.file))

    def test_environment_and_flags_are_checked_alike(self):
        # Would break: a mistyped variable that changes nothing without a word.
        self.refused("", "BERTH_SERVER_LISTEN", "host:port", environment={"BERTH_SERVER_LISTEN": "nowhere"})
        self.refused("", "BERTH_SERVER_LISTNE", "did you mean 'BERTH_SERVER_LISTEN'", environment={"BERTH_SERVER_LISTNE": "127.0.0.1:0"})
        self.refused("", "--set", "server.max_body_bytes", arguments=("--check", "--set", "server.max_body_bytes=x"))
        self.refused("", "did you mean 'log.level'", arguments=("--check", "--set", "log.levle=info"))
        self.refused("", "SECTION.KEY=VALUE", arguments=("--check", "--set", "log.level"))
        status, message = self.run_berthd("", "--check", environment={"BERTH_LOG_LEVEL": "debug", "BERTH_RUN_SECONDS": "1"})
        self.assertEqual(status, 0, message)

    def test_paths_that_do_not_work_are_named_with_the_line_that_sets_them(self):
        # Would break: "unable to open database file", and nobody knows which and why.
        def text(store="{0}/berth.db", socket="{0}/control.sock", key="{0}/vault.key", worker=None):
            worker = f'worker = "{worker}"\n' if worker else "\n"
            return (f'[store]\nurl = "sqlite://{store}"\n[control]\nsocket = "{socket}"\n[vault]\nkey_file = "{key}"\n[plugins]\n'
                    f'directories = ["{BUNDLES}"]\n{worker}[server]\nlisten = "127.0.0.1:0"\n').replace("{0}", str(self.folder))

        nowhere = self.folder / "file" / "folder"
        (self.folder / "file").write_text("x")
        (self.folder / "garbage.db").write_bytes(b"this is no database" * 400)
        (self.folder / "short.key").write_bytes(b"short")
        (self.folder / "short.key").chmod(0o600)
        (self.folder / "open.key").write_bytes(os.urandom(32))
        (self.folder / "open.key").chmod(0o644)
        status, message = self.run_berthd(text(), "--check")
        self.assertEqual(status, 0, message)
        self.assertIn("the first start makes it", message)
        self.assertEqual(sorted(path.name for path in self.folder.iterdir() if "db" in path.name), ["garbage.db"], "--check made something")
        (self.folder / "store").mkdir()
        for wrong in (text(store=f"{nowhere}/berth.db"), text(store="{0}/store"), text(key="{0}/short.key"), text(key="{0}/open.key"),
                      text(worker=f"{nowhere}/berth-worker")):
            self.refused(wrong, str(self.file))
        for wrong, code, *needles in (
            (text(store=f"{nowhere}/berth.db"), None, str(nowhere), f"{self.file}:2"),
            (text(store="{0}/garbage.db"), None, "garbage.db", f"{self.file}:2"),
            (text(socket=f"{nowhere}/c.sock"), None, f"{nowhere}/c.sock", f"{self.file}:4"),
            (text(socket="{0}/file"), None, "file exists and is no socket", f"{self.file}:4"),
            (text(socket="/tmp/" + "x" * 120), None, "too long", f"{self.file}:4"),
            (text(key=f"{nowhere}/vault.key"), None, f"{nowhere}/vault.key", f"{self.file}:6"),
            (text(key="{0}/short.key"), None, "short.key", f"{self.file}:6"),
            (text(key="{0}/open.key"), None, "open.key", f"{self.file}:6"),
            (text(worker=f"{nowhere}/berth-worker"), 78, "berth-worker", "worker"),
        ):
            with self.subTest(needles[0]):
                for left in self.folder.glob("berth.db*"):
                    left.unlink()
                status, message = self.run_berthd(wrong)
                self.assertNotIn(status, (0, -11, -6, -4, 132, 133, 134, 139), message)
                if code:
                    self.assertEqual(status, code, message)
                for needle in needles:
                    self.assertIn(needle, message)
                self.assertIn("hint:", message)
                for left in self.folder.glob("berth.db*"):
                    left.unlink()
                before = sorted((path.name, path.stat().st_mtime_ns, path.stat().st_size) for path in self.folder.iterdir())
                status, message = self.run_berthd(wrong, "--check")
                self.assertEqual(status, 78, f"--check says yes to what does not start: {message}")
                for needle in needles:
                    self.assertIn(needle, message)
                after = sorted((path.name, path.stat().st_mtime_ns, path.stat().st_size) for path in self.folder.iterdir())
                self.assertEqual([x for x in after if x[0] != self.file.name], [x for x in before if x[0] != self.file.name])
        for listen in ("192.0.2.1:0", "no-such-host.invalid:8700"):
            foreign = text().replace('listen = "127.0.0.1:0"', f'listen = "{listen}"')
            self.refused(foreign, "can't be listened on", f"{self.file}:", "hint:")
        self.assertEqual((self.folder / "file").read_text(), "x", "a foreign file was touched")


class BadControlRequests(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.mock = Mock(("ringba",), ["--calls", "5"])
        cls.berthd = Berthd().start()

    @classmethod
    def tearDownClass(cls):
        cls.berthd.stop()
        cls.mock.stop()

    def tearDown(self):
        self.assertIsNone(self.berthd.process.poll(), self.berthd.log()[-2000:])

    def refused(self, method, path, body, status, *needles):
        answer = self.berthd.control(method, path, body)
        self.assertEqual(answer.status, status, f"{method} {path} {body[:100] if body else ''!r}: {answer}")
        self.assertEqual(answer.headers["content-type"], "application/problem+json")
        for member in ("type", "title", "status", "detail", "code"):
            self.assertIn(member, answer.json)
        self.assertEqual(answer.json["status"], status)
        for needle in needles:
            self.assertIn(needle, answer.body.decode())
        return answer

    def test_bodies_that_are_no_json(self):
        # Would break: S2: Foundation's decoder takes much of this.
        for body in (b"{", b"}", b"{]", b'{"path":}', b'{"path":"a",}', b"{'path':'a'}", b'{"path":"a"}x', b'{"path":"a"}{}', b"\xef\xbb\xbf{}",
                     b'{"path":"\xff"}', b'{"path":"\xed\xa0\x80"}', b'{"path":"\\ud800"}', b'{"path":"\\u12"}', b'{"path":"a\nb"}',
                     b'{"path":01}', b'{"path":NaN}', b'{"path":+1}', b'{"path":1e}', b"nul", b"\x00", b"{\x00}", b'{"path":"a"/**/}'):
            self.refused("POST", "/v1/plugins", body, 400, "JSON", "hint")
        for body in (b"[]", b'"x"', b"1", b"null", b"true"):
            self.refused("POST", "/v1/plugins", body, 400, "object")
        self.refused("POST", "/v1/plugins", b'{"path":"/a","path":"/b"}', 400, "path", "JSON")
        self.refused("POST", "/v1/connections", b'{"provider":"ringba","settings":{"a":1,"a":2}}', 400, "JSON")
        self.refused("POST", "/v1/connections", b'{"provider":"ringba","settings":{"a":1,"\\u0061":2}}', 400, "JSON")

    def test_deep_nesting_and_great_bodies(self):
        # Would break: a stack overflow, or memory by request.
        for deep in (b"[" * 10_000, b'{"a":' * 10_000, b'{"path":' + b"[" * 10_000 + b"]" * 10_000 + b"}",
                     b'{"provider":"ringba","settings":{"x":' + b"[" * 10_000 + b"]" * 10_000 + b"}}"):
            self.refused("POST", "/v1/connections", deep, 400, "deep")
        big = b'{"path":"' + b"a" * (25 << 20) + b'"}'
        answer = self.refused("POST", "/v1/plugins", big, 413, "65536")
        self.assertIn("hint", answer.json)
        self.refused("POST", "/v1/connections/x/actions/y", big, 413)

    def test_members_that_nobody_knows_and_wrong_types(self):
        # Would break: a mistyped member that is silently ignored.
        post = lambda body, status, *needles: self.refused("POST", "/v1/connections", json.dumps(body).encode(), status, *needles)
        post({"provider": "ringba", "nmae": "x"}, 400, "'nmae'", "did you mean 'name'", "known:")
        post({"provider": "ringba", "webhook": {"shceme": "hmac"}}, 400, "webhook.shceme", "did you mean 'scheme'")
        post({"provider": "ringba", "streams": {"calls": {"shedule": "every 5m"}}}, 400, "shedule", "did you mean 'schedule'")
        post({}, 400, "provider", "required")
        post({"provider": 7}, 400, "provider", "text")
        post({"provider": None}, 400, "provider")
        post({"provider": "ringba", "settings": []}, 400, "settings", "object")
        post({"provider": "ringba", "streams": {"calls": "every 5m"}}, 400, "calls")
        post({"provider": "ringba", "credentials": {"kind": "api_key", "token": 5}}, 400, "token", "text")
        post({"provider": "ringba", "webhook": {"allow_ips": "127.0.0.1"}}, 400, "allow_ips", "list")
        post({"provider": "ringba", "webhook": {"allow_ips": ["300.1.1.1"]}}, 400, "300.1.1.1")
        post({"provider": "ringba", "webhook": {"scheme": "hmca"}}, 400, "hmca", "hmac")
        post({"provider": "ringba", "webhook": {"scheme": "hmac", "tolerance_seconds": 1.5}}, 400, "tolerance_seconds", "whole number")
        post({"provider": "rinba"}, 404, "rinba", "ringba")
        post(self.mock.connection("ringba", name=""), 400, "name")
        post(self.mock.connection("ringba", name="a/b"), 400, "name")
        post(self.mock.connection("ringba", name="x" * 5000), 400, "name")
        post(self.mock.connection("ringba", base_url="ftp://x"), 400, "base_url")
        post(self.mock.connection("ringba", base_url="not a url"), 400, "base_url")
        post(self.mock.connection("ringba", settings={"acount_id": "x"}), 400, "acount_id", "account_id")
        post(self.mock.connection("ringba", credentials={"kind": "api_kye", "token": "x"}), 400, "api_kye", "api_key")
        self.refused("PUT", "/v1/log/level", b'{"level":"loud"}', 400, "loud", "debug")
        self.refused("POST", "/v1/events/replay", b'{"limit":0}', 400, "limit")
        self.refused("POST", "/v1/events/replay", b'{"states":["complete"]}', 400, "states")
        self.refused("POST", "/v1/events/replay", b'{"since":"yesterday"}', 400, "since")
        self.refused("POST", "/v1/events/replay", b'{"states":[]}', 400, "states")
        self.refused("POST", "/v1/events/replay", b'{"ids":[]}', 400, "ids")
        for body in (None, b"", b"{}", b'{"limit":5}', b'{"dry_run":false}'):
            self.refused("POST", "/v1/events/replay", body, 400, "name at least one filter", "connection")
        self.refused("POST", "/v1/backup", b'{"path":"relative.db"}', 400, "absolute")
        self.assertEqual(self.berthd.get("/v1/connections")["items"], [])

    def test_webhook_settings_that_can_never_verify(self):
        # Would break: a connection that answers 401 to every delivery for ever, while its health is ok.
        post = lambda webhook, *needles: self.refused(
            "POST", "/v1/connections", json.dumps(self.mock.connection("ringba", webhook=webhook)).encode(), 400, *needles)
        post({"scheme": "standard-webhooks", "secret": "not base64 at all!"}, "webhook.secret", "base64")
        post({"scheme": "basic", "secret": "nocolonhere"}, "webhook.secret", "USERNAME:PASSWORD")
        for secret in ("a/b/c/d/e", "a?b=12345", "with a blank", "abc%2Fdefg", "schl\u00fcssel"):
            post({"scheme": "token", "secret": secret}, "webhook.secret", "address")
        for header in ("x sig:\r\n", "x sig", "x:", "\u00fc"):
            post({"scheme": "hmac", "header": header}, "webhook.header")
        post({"scheme": "hmac", "prefix": "a\nb"}, "webhook.prefix")
        self.assertEqual(self.berthd.get("/v1/connections")["items"], [])

        made = self.berthd.post("/v1/connections", self.mock.connection("ringba", webhook={"scheme": "hmac", "header": "X-Own"}, streams={}))
        patch = lambda webhook: self.berthd.control("PATCH", "/v1/connections/" + made["id"], {"webhook": webhook})
        self.assertEqual(patch({"scheme": "basic", "secret": "nocolonhere"}).status, 400)
        self.assertEqual(patch({"header": "x sig"}).status, 400)
        self.assertEqual(patch({"secret": "any bytes: they are an HMAC's key"}).json["webhook"]["header"], "x-own")
        self.assertEqual(patch({"header": ""}).json["webhook"]["header"], "x-signature")
        for webhook in ({"scheme": "standard-webhooks", "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}, {"scheme": "basic", "secret": "u:p:wordlong"},
                        {"scheme": "token", "secret": "aZ09-._~=:@+"}):
            self.assertEqual(patch(webhook).status, 200, webhook)
        path = urllib.parse.urlsplit(made["webhook"]["url"]).path
        self.assertEqual(self.berthd.webhook(path + "/aZ09-._~=:@+", b'{"event":"e","call_id":"1"}').status, 202)
        self.berthd.control("DELETE", "/v1/connections/" + made["id"])

    def test_credentials_and_settings_that_cannot_be_sent(self):
        # Would break: a user name cut at its colon by the provider; a number that is stored and never told again, so that the list is a 500.
        body = self.mock.connection("trackdrive", credentials={"kind": "basic", "username": "u:v", "password": "p"})
        self.refused("POST", "/v1/connections", json.dumps(body).encode(), 400, "credentials.username", "colon")

    def test_settings_that_the_plugin_refuses(self):
        # Would break: a connection whose every run fails, and nobody says by which of its settings.
        for settings, needle in (({"account_id": ""}, "settings.account_id: is required, and must not be empty"),
                                 ({"page_size": 0}, "settings.page_size: must be at least 1 (Rows"), ({"page_size": "1001"}, "at most 1000"),
                                 ({"history_days": 10**12}, "settings.history_days: must be at most 3650"),
                                 ({"currency": "dollars"}, "settings.currency: must have at most 3 characters")):
            body = self.mock.connection("ringba", settings={"account_id": "RA1", **settings})
            self.refused("POST", "/v1/connections", json.dumps(body).encode(), 400, needle, "berthctl plugin show ringba")
        shown = self.berthd.get("/v1/plugins/ringba")["settings"]
        self.assertEqual((shown["page_size"]["minimum"], shown["page_size"]["maximum"], shown["currency"]["max_length"]), (1, 1000, 3))
        self.assertEqual((shown["account_id"]["identifies"], shown["currency"]["identifies"]), (True, False))

    def test_actions_take_what_their_schema_says(self):
        # Would break: a number is bought in no country, or a plugin is blamed for what somebody typed.
        made = self.berthd.post("/v1/connections", self.mock.connection("ringba", streams={}))
        self.addCleanup(self.berthd.control, "DELETE", "/v1/connections/" + made["id"])
        for action, body, needle in (("provision_number", {"country": 5}, "country: must be a string, not a number"),
                                     ("get_call", {}, "call_id: is required"), ("get_call", None, "call_id: is required"),
                                     ("get_call", {"call_id": None}, "call_id: must be a string, not null"),
                                     ("get_call", {"call_id": ""}, "call_id: must not be empty"), ("get_call", [], "must be an object")):
            body = None if body is None else json.dumps(body).encode()
            self.refused("POST", f"/v1/connections/{made['id']}/actions/{action}", body, 400, needle, "berthctl plugin show ringba")
        self.assertEqual([e for e in self.berthd.get("/v1/audit?limit=200")["items"] if e["kind"] == "action.performed"], [])

    def test_schedules_that_are_none(self):
        # Would break: a stream that never runs, and nobody is told.
        for schedule in ("every", "every 0m", "every 5x", "every -5m", "every 99999999999999999999m", "cron", "cron * * *", "cron 61 * * * *",
                         "cron * * * * * *", "cron 0 3 31 2 *", "cron 0 25 * * *", "cron a b c d e", "cron 5-1 * * * *", "cron */0 * * * *",
                         "cron 0 3 * * * Europe/Berln", "sometimes", "every 5m\u0000", "cron " + "*," * 5000 + "* * * * *"):
            with self.subTest(schedule[:40]):
                body = self.mock.connection("ringba", streams={"calls": {"schedule": schedule}})
                answer = self.refused("POST", "/v1/connections", json.dumps(body).encode(), 400, "calls")
                self.assertLess(len(answer.body), 4000)
                self.assertIn("hint", answer.json)
        self.assertEqual(self.berthd.get("/v1/connections")["items"], [])

    def test_a_backup_has_the_name_that_is_answered(self):
        # Would break: 200 for a path while the file has another name, and the copy is looked for in vain.
        for path in ("relative.db", f"{self.berthd.folder}/a\0b"):
            answer = self.refused("POST", "/v1/backup", json.dumps({"path": path}).encode(), 400)
            self.assertIn("path:", answer.json["detail"])
        self.assertFalse((self.berthd.folder / "a").exists())

    def test_queries_are_read_strictly(self):
        # Would break: a filter with a typing error that answers everything.
        for path, *needles in (
            ("/v1/events?stat=completed", "'stat'", "did you mean 'state'"), ("/v1/events?state=complete", "completed"),
            ("/v1/events?limit=0", "1 to 1000"), ("/v1/events?limit=x", "1 to 1000"), ("/v1/events?limit=1001", "1 to 1000"),
            ("/v1/events?since=yesterday", "since"), ("/v1/events?kind=%zz", "percent"), ("/v1/events?kind=%ff", "UTF-8"),
            ("/v1/events?limit=1&limit=2", "twice"), ("/v1/events?cursor=garbage", "cursor"), ("/v1/runs?status=done", "status"),
            ("/v1/runs?cursor=%00", "cursor"), ("/v1/status?verbose=1", "takes none"), ("/v1/records/call?nonsense=1", "nonsense"),
            ("/v1/records/call?status[like=1", "status"), ("/v1/records/call?status[lik]=1", "lik"), ("/v1/records/call?sort=nonsense", "nonsense"),
            ("/v1/records/call?deleted=maybe", "deleted"), ("/v1/feed?topics=x", "topic"), ("/v1/feed?topic=nonsense", "topic", "record.created"),
            ("/v1/feed?topic=record.created,record.updatd", "record.updatd", "did you mean 'record.updated'"), ("/v1/audit?since=1", "since"),
            ("/v1/records/call?duration_seconds=abc", "duration_seconds"), ("/v1/records/call?cursor=x", "cursor"),
            ("/v1/records/call?recording_url[null]=x", "recording_url[null]", "true or false"),
            ("/v1/records/call?started_at[like]=2026-11%25", "started_at[like]", "of type time"),
            ("/v1/records/call?converted[like]=t%25", "converted[like]"), ("/v1/records/call?duration_seconds[like]=1%25", "duration_seconds[like]"),
            ("/v1/records/call?status=complete", "status", "did you mean 'completed'"), ("/v1/records/call?status[in]=completed,foo", "foo"),
        ):
            with self.subTest(path):
                self.refused("GET", path, None, 400, *needles)
        for path in ("/v1/records/cal", "/v1/records/call/rec_x", "/v1/events/evt_x", "/v1/runs/%00", "/v1/connections/none", "/v1/plugins/none",
                     "/v1/nothing", "/", "/v1/status/", "/v1//status", "/v1/records/call%2Fx/y", "/v1/events/%zz", "/v1/events/%ff",
                     "/v1/events/" + "x" * 4000):
            with self.subTest(path[:40]):
                self.refused("GET", path, None, 404)
        answer = self.refused("DELETE", "/v1/status", None, 405, "GET")
        self.assertEqual(answer.headers["allow"], "GET")

    def test_a_cursor_belongs_to_its_list(self):
        # Would break: pages of rows that have nothing to do with those before, or an end that is none, each answered 200.
        made = self.berthd.post("/v1/connections", self.mock.connection("ringba", streams={}))
        for number in range(3):
            event = self.berthd.deliver(made, {"event": "finalized", "call_id": f"c{number}", "revenue": str(number)})
            wait_for(lambda: self.berthd.event(event)["state"] == "completed", 10, "the event")
        records, events = (self.berthd.get(f"/v1/{path}limit=1")["next"] for path in ("records/call?sort=-created_at&", "events?"))
        for path, cursor in (("records/call?sort=revenue", records), ("records/call?sort=created_at", records), ("records/call?", records),
                             ("records/campaign?sort=-created_at", records), ("records/call?", events), ("runs?", events), ("audit?", events),
                             ("requests?", events), ("events?", records)):
            self.refused("GET", f"/v1/{path}&cursor={cursor}", None, 400, "another list")
        self.assertEqual(len(self.berthd.all_items("/v1/records/call?sort=-created_at")), 3)
        self.assertEqual(len(self.berthd.get(f"/v1/events?cursor={events}&kind=finalized")["items"]), 2)
        self.berthd.control("DELETE", "/v1/connections/" + made["id"])

    def test_records_filters_do_not_reach_the_database_as_text(self):
        # Would break: injection through a field name or operator.
        for path in ("/v1/records/call?id%22%3Bdrop%20table=1", "/v1/records/call?sort=id%20desc%3B--", "/v1/records/call?(select%201)=1"):
            self.refused("GET", path, None, 400)
        self.assertEqual(self.berthd.control("GET", "/v1/records/call?campaign_id=x%27%20or%20%271%27=%271").json["items"], [])

    def test_http_that_is_none(self):
        # Would break: the parser's limits on the control socket.
        for text in (b"hello\r\n\r\n", b"GET /v1/status\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01", b"\x00" * 64,
                     b"GET /v1/status HTTP/1.1\r\nHost: b\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
                     b"GET /v1/status HTTP/1.1\r\nHost: b\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
                     b"GET /v1/status HTTP/1.1\r\n" + b"A: " + b"x" * 70_000 + b"\r\n\r\n",
                     b"GET /v1/status HTTP/1.1\r\n" + b"A: x\r\n" * 1001 + b"\r\n"):
            with Wire(self.berthd.socket) as wire:
                wire.raw(text)
                wire.end()
                answer = wire.answer()
                self.assertTrue(answer is None or answer.status in (400, 431), f"{text[:60]!r}: {answer}")
        with Wire(self.berthd.socket) as wire:
            wire.send("GET /v1/status HTTP/1.1", "Host: b", "Referer: http://x")
            self.assertEqual(wire.answer().status, 403)
        with Wire(self.berthd.socket) as wire:
            wire.raw(b"GET /v1/status HTTP/1.1\r\nHost: b\r\n\r\n" * 3)
            self.assertEqual([wire.answer().status for _ in range(3)], [200, 200, 200])


if __name__ == "__main__":
    unittest.main(verbosity=2)
