"""berthctl against a real daemon: the straight line of an operator, and what it looks like on a terminal and off it."""

import json
import os
import pathlib
import pty
import select
import signal
import subprocess
import unittest
import urllib.parse
import uuid

from rig import BIN, Berthd, Mock, wait_for


class Operator(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.mock = Mock(("ringba",), ["--calls", "20"])
        cls.berthd = Berthd().start()

    @classmethod
    def tearDownClass(cls):
        cls.berthd.stop()
        cls.mock.stop()

    def ctl(self, *arguments, code=0, text=None):
        done = subprocess.run([str(BIN / "berthctl"), *arguments, "--socket", str(self.berthd.socket)], input=text, capture_output=True, text=True,
                              timeout=60)
        self.assertEqual(done.returncode, code, f"{arguments}: {done.stdout}{done.stderr}")
        self.assertNotIn("\x1b", done.stdout + done.stderr)
        return done

    def test_an_operators_day(self):
        # Would break: any command against the daemon it belongs to.
        secret = self.berthd.folder / "token"
        secret.write_text("mock-ringba-token\n")
        name = f"main{uuid.uuid4().hex[:6]}"
        added = json.loads(self.ctl("connection", "add", "ringba", "--workspace", "acme", "--name", name, "--base-url", self.mock.url,
                                    "--credential", f"token=@{secret}", "--setting", "account_id=RAMOCK0000000000000000000000000001",
                                    "--schedule", "calls=cron 0 3 1 1 *", "--output", "json").stdout)
        self.assertIn(name, self.ctl("connection", "list").stdout)
        self.assertIn("ok: true", self.ctl("connection", "check", name).stdout)
        self.assertIn("success", self.ctl("sync", "run", name, "calls").stdout)
        records = json.loads(self.ctl("record", "list", "call", "--connection", name, "--output", "json").stdout)["items"]
        self.assertEqual(len(records), 20)
        self.assertIn(records[0]["external_id"], self.ctl("record", "show", "call", records[0]["id"]).stdout)
        path = urllib.parse.urlsplit(added["webhook"]["url"]).path
        answer = self.berthd.webhook(path, json.dumps({"event": "completed", "call_id": str(uuid.uuid4())}).encode())
        event = answer.json["id"]
        wait_for(lambda: "state: completed" in self.ctl("event", "show", event).stdout, 10)
        headers = self.ctl("event", "show", event).stdout.split("headers:\n")[1].splitlines()
        self.assertRegex(headers[0], r"^  \S+: \S")
        self.assertRegex(headers[1], r"^  \S+: \S")
        self.assertIn("count: 1", self.ctl("event", "replay", event).stdout)
        for arguments in (("status",), ("plugin", "list"), ("plugin", "show", "ringba"), ("sync", "list"), ("event", "list"), ("dead-letter", "list"),
                          ("audit",), ("metrics",), ("log", "level", "info"), ("connection", "pause", name), ("connection", "resume", name),
                          ("health",), ("dead-letter", "list", "--kind", "x", "--since", "2026-01-01"),
                          ("backup", str(self.berthd.folder / f"{name}.db"))):
            self.ctl(*arguments)
            if arguments[0] != "metrics":
                json.loads(self.ctl(*arguments, "--output", "json", code=65 if arguments[0] == "backup" else 0).stdout or "{}")
        self.ctl("connection", "remove", name)
        self.assertIn("hint:", self.ctl("connection", "show", name, code=66).stderr)
        self.assertIn("did you mean", self.ctl("connection", "add", "rinba", "--name", "x", code=66).stderr)
        self.ctl("connection", "add", "ringba", "--name", "bad name/", code=65)
        self.ctl("log", "level", "loud", code=65)

    def test_terminals_get_headings_in_bold_and_no_more_than_their_width(self):
        # Would break: tables on a terminal of 60 columns; NO_COLOR.
        def on_terminal(**environment):
            master, slave = pty.openpty()
            subprocess.run(["stty", "cols", "60"], stdin=slave, check=True)
            process = subprocess.Popen([str(BIN / "berthctl"), "plugin", "list", "--socket", str(self.berthd.socket)], stdout=slave, stderr=slave,
                                       stdin=slave, env={"PATH": "/usr/bin", "TERM": "xterm", **environment})
            os.close(slave)
            process.wait(20)
            text = b""
            while select.select([master], [], [], 0.2)[0]:
                try:
                    piece = os.read(master, 65536)
                except OSError:
                    break
                if not piece:
                    break
                text += piece
            os.close(master)
            return text.decode().replace("\r", "")

        shown = on_terminal()
        self.assertTrue(shown.startswith("\x1b[1mID"), repr(shown[:50]))
        for line in shown.replace("\x1b[1m", "").replace("\x1b[0m", "").splitlines():
            self.assertLessEqual(len(line), 60)
        self.assertNotIn("\x1b", on_terminal(NO_COLOR="1"))

    def shell(self, text):
        """A line of bash in which {ctl} is berthctl and {folder} the daemon's folder."""
        line = text.format(ctl=f"BERTH_CONTROL_SOCKET={self.berthd.socket} {BIN / 'berthctl'}", folder=self.berthd.folder)
        return subprocess.run(["bash", "-c", line], capture_output=True, text=True, timeout=30)

    def test_output_that_is_lost_is_no_success(self):
        # Would break: a nightly export onto a full disk: cut JSON, status 0, no word.
        made = self.berthd.post("/v1/connections", self.mock.connection("ringba", name="export", streams={}))
        self.addCleanup(self.berthd.control, "DELETE", "/v1/connections/" + made["id"])
        self.assertEqual(self.shell("{ctl} connection list >/dev/null").returncode, 0)
        for command in ("record list call -o json", "metrics", "event list", "audit", "health", "connection show export"):
            done = self.shell("{ctl} " + command + " >/dev/full")
            self.assertEqual(done.returncode, 74, command)
            self.assertIn("No space left on device", done.stderr)
        done = self.shell("trap '' XFSZ; ulimit -f 1; {ctl} metrics > {folder}/cut.txt")
        self.assertEqual(done.returncode, 74)
        self.assertIn("File too large", done.stderr)
        for trap in ("", "trap '' PIPE; "):
            done = self.shell(trap + "{ctl} metrics | true; echo ${{PIPESTATUS[0]}}")
            self.assertEqual((done.stdout.strip() in ("0", "141"), done.stderr), (True, ""), done.stdout)

    def test_the_feed_survives_a_restart_of_the_daemon(self):
        # Would break: `berthctl feed` that ends with the daemon, or before its first event.
        added = self.berthd.post("/v1/connections", self.mock.connection("ringba", name=f"feed{uuid.uuid4().hex[:6]}", streams={}))
        path = urllib.parse.urlsplit(added["webhook"]["url"]).path
        output = pathlib.Path(self.berthd.folder) / "feed.out"
        with open(output, "wb") as file:
            feed = subprocess.Popen([str(BIN / "berthctl"), "feed", "--topic", "record.created", "--connection", added["id"], "--output", "json",
                                     "--socket", str(self.berthd.socket)], stdout=file, stderr=subprocess.STDOUT,
                                    # Where the tests run in the background it is ignored, and what they start would ignore it too.
                                    preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
        try:
            wait_for(lambda: "berth_feed_subscribers 1" in self.berthd.control("GET", "/metrics").body.decode()
                     or self.subscribers() >= 1, 10, "the feed to be open")
            calls = []
            for ending in (self.berthd.stop, self.berthd.kill):
                ending()
                self.berthd.start()
                for _ in range(2):
                    calls.append(str(uuid.uuid4()))
                    self.assertEqual(self.berthd.webhook(path, json.dumps({"event": "completed", "call_id": calls[-1]}).encode()).status, 202)
                wait_for(lambda: len(output.read_text().splitlines()) == len(calls), 20, "events after the restart")
            self.assertEqual([json.loads(line)["external_id"] for line in output.read_text().splitlines()], calls)
            self.assertIsNone(feed.poll())
        finally:
            feed.send_signal(signal.SIGINT)
            feed.wait(10)

    def subscribers(self):
        lines = pathlib.Path("/proc/net/unix").read_text().splitlines()
        return sum(1 for line in lines if line.endswith(str(self.berthd.socket)) and line.split()[5] == "03")


if __name__ == "__main__":
    unittest.main(verbosity=2)
