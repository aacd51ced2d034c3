"""What service managers and the habits of operators do to a daemon: sockets handed over under any name, SIGHUP."""

import http.client
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

from rig import BIN, Berthd, UnixConnection, wait_for

# Takes the descriptors to 3 and up, as a service manager does, and becomes the daemon.
HANDOVER = """
import os, sys
numbers = [int(n) for n in sys.argv[1].split(',')]
for i, n in enumerate(numbers):
    os.dup2(n, 100 + i)
for i in range(len(numbers)):
    os.dup2(100 + i, 3 + i)
os.closerange(3 + len(numbers), 200)
os.environ['LISTEN_PID'] = str(os.getpid())
os.environ['LISTEN_FDS'] = str(len(numbers))
os.execv(sys.argv[2], sys.argv[2:])
"""


class Activation(unittest.TestCase):
    def setUp(self):
        self.berthd = Berthd()
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="berth-sockets-"))
        self.sockets = []

    def tearDown(self):
        for one in self.sockets:
            one.close()
        shutil.rmtree(self.folder, ignore_errors=True)
        shutil.rmtree(self.berthd.folder, ignore_errors=True)

    def listener(self, family, kind=socket.SOCK_STREAM):
        one = socket.socket(family, kind)
        one.bind(str(self.folder / f"s{len(self.sockets)}") if family == socket.AF_UNIX else ("127.0.0.1", 0))
        if kind == socket.SOCK_STREAM:
            one.listen(16)
        self.sockets.append(one)
        return one

    def start(self, sockets, names):
        environment = {key: value for key, value in os.environ.items() if not key.startswith(("LISTEN_", "BERTH_"))}
        if names is not None:
            environment["LISTEN_FDNAMES"] = names
        return subprocess.Popen(
            [sys.executable, "-c", HANDOVER, ",".join(str(s.fileno()) for s in sockets), str(BIN / "berthd"), "--config", str(self.berthd.config)],
            env=dict(environment, SWIFT_BACKTRACE="enable=no"), pass_fds=[s.fileno() for s in sockets], stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True)

    def test_whatever_the_sockets_are_called(self):
        # Would break: "ready" on a port of the daemon's own, while the clients of the activated socket wait for ever.
        for names in (None, "berthd.socket:berthd.socket", "control:public"):
            with self.subTest(names):
                control, public = self.listener(socket.AF_UNIX), self.listener(socket.AF_INET)
                process = self.start([control, public], names)
                try:
                    first = UnixConnection(control.getsockname(), timeout=20)
                    first.request("GET", "/v1/status")
                    self.assertEqual(first.getresponse().status, 200)
                    second = http.client.HTTPConnection(*public.getsockname(), timeout=20)
                    second.request("GET", "/healthz")
                    self.assertEqual(second.getresponse().status, 200)
                finally:
                    process.terminate()
                    process.communicate(timeout=20)

    def test_what_nobody_would_answer_at_is_refused(self):
        # Would break: the same, for a socket that the daemon has no use for.
        unix, tcp = socket.AF_UNIX, socket.AF_INET
        for sockets, names, needle in (
            ([self.listener(tcp), self.listener(tcp)], None, "second one for 'public'"),
            ([self.listener(tcp, socket.SOCK_DGRAM)], "public", "no listening stream socket"),
            ([self.listener(tcp)], "control", "no listening stream socket"),
            ([self.listener(unix), self.listener(unix)], "control:other", "second one for 'control'"),
        ):
            with self.subTest(needle):
                process = self.start(sockets, names)
                try:
                    text = process.communicate(timeout=20)[0]
                finally:
                    process.kill()
                self.assertEqual(process.returncode, 70, text)
                self.assertIn(needle, text)
                self.assertIn("hint:", text)


class Hangup(unittest.TestCase):
    def test_sighup_ends_nothing_and_says_what_it_does(self):
        # Would break: an operator's `kill -HUP` after a change of settings, or a log rotation, ends the daemon without a line.
        berthd = Berthd().start()
        try:
            for _ in range(3):
                berthd.process.send_signal(signal.SIGHUP)
                time.sleep(0.05)
            wait_for(lambda: "SIGHUP" in berthd.log(), 20, "the line in the log")
            self.assertEqual(berthd.control("GET", "/v1/status").status, 200)
            self.assertEqual(berthd.stop(), 0)
        finally:
            berthd.stop()
            shutil.rmtree(berthd.folder, ignore_errors=True)


if __name__ == "__main__":
    unittest.main(verbosity=2)
