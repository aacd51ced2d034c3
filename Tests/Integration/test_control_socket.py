"""The control socket: who may, from its first instant; stale and foreign files; the feed over restarts; and the OpenAPI document as
the truth about every answer."""

import contextlib
import http.client
import json
import os
import pathlib
import pwd
import shutil
import socket
import sqlite3
import stat
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import urllib.parse
import uuid

import schema
from rig import Berthd, Mock, UnixConnection, wait_for
from wire import Wire

NOBODY = pwd.getpwnam("nobody").pw_uid


def as_user(uid, gid, groups, function):
    """Runs a function in a child process of another user; what it answers must be JSON."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(reading)
            os.setgroups(groups)
            os.setgid(gid)
            os.setuid(uid)
            result = function()
        except BaseException as error:  # the child must end here whatever happens
            result = {"error": f"{type(error).__name__}: {error}"}
        os.write(writing, json.dumps(result).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        text = pipe.read()
    os.waitpid(child, 0)
    return json.loads(text)


def post_call(berthd, path, **changes):
    body = {"event": "completed", "call_id": str(uuid.uuid4()), "caller": "+12025550143", **changes}
    answer = berthd.webhook(path, json.dumps(body).encode())
    assert answer.status == 202, answer
    return body["call_id"]


class Feed:
    """Reads the feed in a thread: [(id, topic, data)]."""

    def __init__(self, berthd, last=None, query=""):
        self.items, self.position, self.is_ended = [], last, False
        self.http = UnixConnection(berthd.socket, 60)
        self.http.request("GET", "/v1/feed" + query, headers={"Last-Event-ID": str(last)} if last is not None else {})
        self.response = self.http.getresponse()
        assert self.response.status == 200, self.response.status
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        event = {}
        try:
            while line := self.response.readline():
                line = line.decode().rstrip("\r\n")
                if line:
                    name, _, value = line.partition(":")
                    event[name] = value.lstrip()
                    continue
                if "id" in event:
                    self.position = int(event["id"])
                if "data" in event:
                    self.items.append((int(event["id"]), event["event"], json.loads(event["data"])))
                event = {}
        except (OSError, http.client.HTTPException, ValueError):
            pass
        self.is_ended = True

    def close(self):
        if self.http.sock:
            self.http.sock.shutdown(socket.SHUT_RDWR)
        self.thread.join(10)
        self.http.close()


@unittest.skipUnless(os.geteuid() == 0, "other users need root")
class Permissions(unittest.TestCase):
    GROUP = "nogroup"

    def start(self, role):
        folder = pathlib.Path(tempfile.mkdtemp(prefix="berth-roles-"))
        folder.chmod(0o755)
        self.addCleanup(shutil.rmtree, folder, True)
        berthd = Berthd(folder, environment={"BERTH_CONTROL_GROUP": self.GROUP, "BERTH_CONTROL_GROUP_ROLE": role}).start()
        self.addCleanup(berthd.stop)
        return berthd

    def test_every_route_by_every_role(self):
        # Would break: S11, P10: a route that asks for less than its row says.
        import grp
        group = grp.getgrnam(self.GROUP).gr_gid
        order = {"read": 0, "operate": 1, "admin": 2}
        for role in order:
            berthd = self.start(role)
            document = berthd.get("/v1/openapi.json")
            routes = [(method.upper(), path, operation["x-permission"]) for path, methods in document["paths"].items()
                      for method, operation in methods.items()]
            self.assertGreater(len(routes), 30)

            def ask():
                answers = {}
                for method, path, _ in routes:
                    connection = UnixConnection(berthd.socket, 10)
                    connection.request(method, path.replace("{", "").replace("}", ""), body=b"{}" if method in ("POST", "PUT", "PATCH") else None)
                    answers[f"{method} {path}"] = connection.getresponse().status
                    connection.close()
                return answers

            answers = as_user(NOBODY, group, [], ask)
            for method, path, permission in routes:
                allowed = order[role] >= order[permission]
                status = answers[f"{method} {path}"]
                self.assertEqual(status != 403, allowed, f"{role}: {method} {path} needs {permission}, answered {status}")
            # By a supplementary group's gid alone the kernel lets nobody in; by none at all neither.
            outsider = as_user(65533, 65533, [], ask)
            self.assertIn("PermissionError", outsider.get("error", ""), outsider)
            berthd.stop()

    def test_one_without_a_role_is_told_what_would_help(self):
        # Would break: an open socket (mode 0770 by mistake, or an inherited one) that asks nobody.
        berthd = self.start("admin")
        berthd.socket.chmod(0o666)

        def ask():
            connection = UnixConnection(berthd.socket, 10)
            connection.request("GET", "/v1/status")
            response = connection.getresponse()
            return {"status": response.status, "body": json.loads(response.read())}

        answer = as_user(65533, 65533, [], ask)
        self.assertEqual(answer["status"], 403, answer)
        self.assertIn("uid 65533", answer["body"]["detail"])
        self.assertIn(self.GROUP, answer["body"]["hint"])

    def test_never_open_wider_at_any_instant(self):
        # Would break: bind, then chmod: an instant in which anybody connects.
        folder = pathlib.Path(tempfile.mkdtemp(prefix="berth-race-"))
        folder.chmod(0o755)
        self.addCleanup(shutil.rmtree, folder, True)
        berthd = Berthd(folder, environment={"BERTH_CONTROL_GROUP": self.GROUP})
        program = (
            "import os, socket, stat, sys, time\n"
            "folder, seen, got, looks = sys.argv[1], set(), 0, 0\n"
            "end = time.monotonic() + float(sys.argv[2])\n"
            "while time.monotonic() < end:\n"
            "    for name in os.listdir(folder):\n"
            "        if 'control.sock' not in name: continue\n"
            "        path = os.path.join(folder, name)\n"
            "        try:\n"
            "            seen.add(stat.S_IMODE(os.lstat(path).st_mode)); looks += 1\n"
            "            s = socket.socket(socket.AF_UNIX); s.setblocking(False); s.connect(path); got += 1\n"
            "        except OSError: pass\n"
            "        finally: s.close() if 's' in dir() else None\n"
            "print(max((m & 0o007 for m in seen), default=0), got, looks)\n")
        watcher = subprocess.Popen(["setpriv", "--reuid=65533", "--regid=65533", "--clear-groups", sys.executable, "-c", program, str(folder), "6"],
                                   stdout=subprocess.PIPE, text=True)
        for _ in range(8):
            berthd.start()
            self.assertEqual(stat.S_IMODE(berthd.socket.stat().st_mode), 0o660)
            berthd.kill()
        others, connected, looks = watcher.communicate(timeout=30)[0].split()
        self.assertEqual((others, connected), ("0", "0"))
        self.assertGreater(int(looks), 100)


class Crowd(unittest.TestCase):
    """One caller that leaks what it opens."""

    def setUp(self):
        folder = pathlib.Path(tempfile.mkdtemp(prefix="berth-crowd-"))
        folder.chmod(0o755)
        self.addCleanup(shutil.rmtree, folder, True)
        self.berthd = Berthd(folder, environment={"BERTH_CONTROL_GROUP": "nogroup"} if os.geteuid() == 0 else {}).start()
        self.addCleanup(self.berthd.stop)

    def test_feeds_leave_room_for_everything_else(self):
        # Would break: 256 feeds that nobody reads lock everybody out of the control socket, root included, without a word.
        opened = [Wire(self.berthd.socket) for _ in range(80)]
        statuses = []
        for wire in opened:
            wire.send("GET /v1/feed HTTP/1.1", "Host: b")
            while b"\r\n" not in wire.buffer and wire._fill():
                pass
            statuses.append(int(wire.buffer.split(b" ")[1]))
            refused = wire if statuses[-1] == 503 else None
        self.assertEqual((statuses.count(200), statuses.count(503)), (64, 16))
        while b"}" not in refused.buffer and refused._fill():
            pass
        self.assertIn(b"the most of one user", refused.buffer)
        self.assertIn(b"hint", refused.buffer)
        self.assertEqual(self.berthd.control("GET", "/v1/status").status, 200)
        self.assertIn('berth_connections_refused_total{listener="control",limit="feeds"} 16', self.berthd.control("GET", "/metrics").body.decode())
        self.assertEqual(self.berthd.log().count("the control socket refuses a feed"), 1, "once in ten seconds")
        for wire in opened:
            wire.socket.close()

        def again():
            with Wire(self.berthd.socket) as wire:
                wire.send("GET /v1/feed HTTP/1.1", "Host: b")
                while b"\r\n" not in wire.buffer and wire._fill():
                    pass
                return b" 200 " in wire.buffer
        wait_for(again, 20, "a place to be free again")

    @unittest.skipUnless(os.geteuid() == 0, "other users need root")
    def test_half_requests_of_others_do_not_keep_root_out(self):
        # Would break: the same with connections that never finish a request.
        path = str(self.berthd.socket)
        ready, done = os.pipe(), os.pipe()

        def crowd():
            os.close(done[1])
            sockets, text = [], b""
            try:
                for _ in range(150):
                    one = socket.socket(socket.AF_UNIX)
                    one.settimeout(5)
                    while one.connect_ex(path) != 0:
                        time.sleep(0.01)
                    sockets.append(one)
                    with contextlib.suppress(OSError):
                        one.send(b"GET /v1/st")
                # The last one was refused, and was told why.
                with contextlib.suppress(ConnectionResetError):  # its half request is unread when it is closed
                    while piece := sockets[-1].recv(65536):
                        text += piece
            finally:
                os.write(ready[1], b"x")
            os.read(done[0], 1)
            return {"text": text.decode()}

        answers = []
        thread = threading.Thread(target=lambda: answers.append(as_user(NOBODY, pwd.getpwnam("nobody").pw_gid, [], crowd)))
        thread.start()
        try:
            os.read(ready[0], 1)
            for _ in range(5):
                self.assertEqual(self.berthd.control("GET", "/v1/health", timeout=5).status, 200)
        finally:
            os.close(done[1])
            thread.join(20)
        self.assertIn("503 Service Unavailable", answers[0].get("text", str(answers)))
        self.assertIn("uid 65534 finds no place", answers[0]["text"])
        self.assertIn("the control socket refuses a connection", self.berthd.log())

    def test_head_has_no_body(self):
        # Would break: what comes after it on the same connection is read as its body.
        with Wire(self.berthd.socket) as wire:
            wire.send("HEAD /v1/status HTTP/1.1", "Host: b")
            wire.send("GET /v1/status HTTP/1.1", "Host: b", "Connection: close")
            while wire._fill():
                pass
        heads = [part for part in wire.buffer.split(b"\r\n\r\n")]
        self.assertTrue(heads[1].startswith(b"HTTP/1.1 200"), wire.buffer[:600])


class SocketFile(unittest.TestCase):
    def setUp(self):
        self.berthd = Berthd()

    def tearDown(self):
        if self.berthd.process and self.berthd.process.poll() is None:
            self.berthd.stop()

    def second(self, **changes):
        """Runs another daemon in a folder of its own with the first one's socket."""
        other = Berthd(environment={"BERTH_CONTROL_SOCKET": str(self.berthd.socket), **changes})
        other.start(wait=False)
        try:
            other.process.wait(15)
        finally:
            if other.process.poll() is None:
                other.kill()
        return other

    def test_a_dead_daemons_socket_is_replaced(self):
        # Would break: a start that fails after every crash.
        self.berthd.start()
        self.berthd.kill()
        self.assertTrue(stat.S_ISSOCK(self.berthd.socket.stat().st_mode))
        self.berthd.start()
        self.assertEqual(self.berthd.stop(), 0)
        self.assertFalse(self.berthd.socket.exists(), "the socket stays after an orderly end")

    def test_a_second_daemon_is_refused(self):
        # Would break: S12: two daemons on one socket or one store.
        self.berthd.start()
        other = self.second()
        self.assertGreater(other.process.returncode, 0)
        self.assertIn("another berthd answers", other.log())
        self.assertIn("hint:", other.log())
        self.assertEqual(self.berthd.get("/v1/status")["pid"], self.berthd.process.pid)
        same_store = Berthd(environment={"BERTH_STORE_URL": f"sqlite://{self.berthd.folder}/berth.db"})
        same_store.start(wait=False)
        same_store.process.wait(15)
        self.assertIn("berth.db", same_store.log())
        self.assertIn("hint:", same_store.log())
        self.assertEqual(self.berthd.get("/v1/status")["pid"], self.berthd.process.pid)

    def test_a_daemon_that_is_too_busy_to_accept_is_not_pushed_aside(self):
        # Would break: a live socket with a full queue taken for a dead one.
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(str(self.berthd.socket))
        listener.listen(0)
        waiting = []
        try:
            for _ in range(10):
                one = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
                one.setblocking(False)
                waiting.append(one)
                if one.connect_ex(str(self.berthd.socket)) != 0:
                    break
            inode = self.berthd.socket.stat().st_ino
            self.berthd.start(wait=False)
            self.assertGreater(self.berthd.process.wait(15), 0)
            self.assertEqual(self.berthd.socket.stat().st_ino, inode)
            self.assertIn("another berthd answers", self.berthd.log())
        finally:
            for one in waiting:
                one.close()
            listener.close()

    def test_another_daemons_socket_is_not_removed_at_the_end(self):
        # Would break: stopping an old daemon whose path was taken over takes the new one off the air.
        self.berthd.start()
        self.berthd.socket.unlink()
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(str(self.berthd.socket))
        listener.listen(1)
        self.assertEqual(self.berthd.stop(), 0)
        self.assertTrue(self.berthd.socket.exists())
        listener.close()

    def test_links_and_files_are_left_alone(self):
        # Would break: a symlink at the path that makes root's daemon remove or replace something else.
        target = self.berthd.folder / "precious"
        target.write_text("x")
        self.berthd.socket.symlink_to(target)
        self.berthd.start(wait=False)
        self.assertGreater(self.berthd.process.wait(15), 0)
        self.assertEqual(target.read_text(), "x")
        self.assertTrue(self.berthd.socket.is_symlink())
        self.assertIn("is no socket", self.berthd.log())


class FeedOverRestarts(unittest.TestCase):
    def setUp(self):
        self.mock = Mock(("ringba",), ["--calls", "5"])
        self.berthd = Berthd(environment={"BERTH_CONTROL_STALL_SECONDS": "2"}).start()
        connection = self.berthd.post("/v1/connections", self.mock.connection("ringba", streams={}))
        self.path = urllib.parse.urlsplit(connection["webhook"]["url"]).path

    def tearDown(self):
        self.berthd.stop()
        self.mock.stop()

    def test_an_id_of_another_life_begins_now(self):
        # Would break: after a backup was put back, subscribers are told nothing until its count has caught up.
        post_call(self.berthd, self.path)
        wait_for(lambda: self.berthd.get("/v1/records/call")["items"], 10, "a first record")
        feed = Feed(self.berthd, last=99_999_999)
        wait_for(lambda: feed.items, 10, "word that the id is unknown")
        newest = feed.position
        self.assertLess(newest, 100, "an id that will not come for long was given as the position")
        self.assertEqual(feed.items, [(newest, "feed.gap", {"asked": 99_999_999, "position": newest, "missed": None})])
        self.assertEqual(self.berthd.webhook(self.path, json.dumps({"event": "completed", "call_id": "later"}).encode()).status, 202)
        wait_for(lambda: self.created(feed.items) == ["later"], 10, "the record on the feed")
        feed.close()
        post_call(self.berthd, self.path)
        feed = Feed(self.berthd, last=newest)
        wait_for(lambda: len(self.created(feed.items)) == 2, 10, "what came after the position that was told")
        feed.close()
        for text in ("abc", "-1", "1.5"):
            answer = self.berthd.control("GET", "/v1/feed", headers={"Last-Event-ID": text})
            self.assertEqual((answer.status, answer.json["code"]), (400, "invalid_request"), text)

    def created(self, items):
        return [data["external_id"] for _, topic, data in items if topic == "record.created"]

    def test_what_retention_took_is_said(self):
        # Would break: a consumer that was away too long, and believes that it has seen everything.
        for _ in range(12):
            post_call(self.berthd, self.path)
        wait_for(lambda: len(self.berthd.get("/v1/records/call")["items"]) == 12, 10, "the records")

        def forget(condition):
            self.berthd.stop()
            with contextlib.closing(sqlite3.connect(self.berthd.folder / "berth.db")) as database, database:
                ends = database.execute(f"SELECT min(sequence), max(sequence) FROM notice WHERE {condition}").fetchone()
                database.execute(f"DELETE FROM notice WHERE {condition}")
            self.berthd.start()
            return ends

        _, lost = forget("sequence <= 8")
        feed = Feed(self.berthd, last=3, query="?topic=run.finished,record.created")
        wait_for(lambda: len(feed.items) == 5, 10, "the gap and what is kept")
        self.assertEqual(feed.items[0], (lost, "feed.gap", {"asked": 3, "position": 8, "missed": 5}))
        self.assertEqual([item[0] for item in feed.items[1:]], [9, 10, 11, 12])
        feed.close()
        feed = Feed(self.berthd, last=8)
        wait_for(lambda: len(feed.items) == 4, 10, "what is kept")
        feed.close()

        _, newest = forget("sequence > 0")
        feed = Feed(self.berthd, last=9)
        wait_for(lambda: feed.items, 10, "the gap, with nothing behind it")
        self.assertEqual(feed.items, [(newest, "feed.gap", {"asked": 9, "position": newest, "missed": newest - 9})])
        call = post_call(self.berthd, self.path)
        wait_for(lambda: self.created(feed.items) == [call], 10, "the next record")
        feed.close()
        feed = Feed(self.berthd, last=newest)
        wait_for(lambda: self.created(feed.items) == [call], 10, "the same for one that has missed nothing")
        self.assertEqual(len(feed.items), 1)
        feed.close()
        self.assertIn(f"after {newest}", [e["detail"] for e in self.berthd.get("/v1/audit?kind=feed.read")["items"]])

    def test_no_gap_and_no_double_over_stop_and_kill(self):
        # Would break: a consumer that must not miss a record.
        sent, seen, ids = [], [], []
        feed = Feed(self.berthd)
        wait_for(lambda: feed.position is not None, 5, "the feed to say where it begins")
        for ending in ("stop", "kill", "stop"):
            for _ in range(5):
                sent.append(post_call(self.berthd, self.path))
            if ending == "kill":
                wait_for(lambda: len(self.created(feed.items)) >= 2, 10, "some items")
                self.berthd.kill()
            else:
                self.berthd.stop()
            feed.thread.join(10)
            self.assertTrue(feed.is_ended)
            seen += self.created(feed.items)
            ids += [item[0] for item in feed.items]
            position = feed.position
            feed.close()
            self.berthd.start()
            sent.append(post_call(self.berthd, self.path))
            feed = Feed(self.berthd, last=position)
        wait_for(lambda: len(set(seen) | set(self.created(feed.items))) == len(sent), 20, "all records on the feed")
        seen += self.created(feed.items)
        ids += [item[0] for item in feed.items]
        feed.close()
        self.assertEqual(sorted(seen), sorted(sent))
        self.assertEqual(ids, sorted(set(ids)))

    def test_a_subscriber_that_saw_nothing_yet_has_no_gap_either(self):
        # Would break: "from now on" settled only when the first event comes: what happens during a restart is lost.
        feed = Feed(self.berthd)
        wait_for(lambda: feed.position is not None, 5, "the feed to say where it begins")
        position = feed.position
        feed.close()
        call = post_call(self.berthd, self.path)
        self.berthd.stop()
        self.berthd.start()
        feed = Feed(self.berthd, last=position)
        wait_for(lambda: self.created(feed.items) == [call], 10, "the record")
        feed.close()

    def test_a_reader_that_does_not_read_is_dropped_and_costs_no_memory(self):
        # Would break: memory by subscriber; items left out for a slow one.
        memory = lambda: next(float(line.split()[1]) for line in self.berthd.control("GET", "/metrics").body.decode().splitlines()
                              if line.startswith("process_resident_memory_bytes"))
        sent = [post_call(self.berthd, self.path, tag="t" * 500) for _ in range(300)]
        wait_for(lambda: len(self.berthd.all_items("/v1/records/call")) == 300, 30, "records")
        before = memory()
        sleepers = []
        for _ in range(20):
            wire = Wire(self.berthd.socket)
            wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            wire.send("GET /v1/feed HTTP/1.1", "Host: b", "Last-Event-ID: 0")
            sleepers.append(wire)
        # Enough after that to fill the kernel's buffers for readers that sleep.
        def more():
            sent.extend(post_call(self.berthd, self.path) for _ in range(100))
            return self.connections() < 10

        wait_for(more, 40, "sleeping readers to be dropped")
        self.assertLess(memory() - before, 64 << 20)
        for wire in sleepers:
            wire.socket.close()
        reader = Feed(self.berthd, last=0)
        wait_for(lambda: len(self.created(reader.items)) >= len(sent), 40, "everything for a reader that reads")
        reader.close()
        self.assertEqual(sorted(self.created(reader.items)), sorted(sent))

    def connections(self):
        """Accepted connections on the control socket, by the kernel."""
        lines = pathlib.Path("/proc/net/unix").read_text().splitlines()
        return sum(1 for line in lines if line.endswith(str(self.berthd.socket)) and line.split()[5] == "03")


class Document(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.mock = Mock(arguments=["--calls", "30"])
        cls.berthd = Berthd().start()
        cls.document = cls.berthd.get("/v1/openapi.json")
        cls.tried = set()

    @classmethod
    def tearDownClass(cls):
        cls.berthd.stop()
        cls.mock.stop()

    def ask(self, method, template, body=None, expect=None, **parameters):
        """Asks and checks status, content type and body against the document."""
        operation = self.document["paths"][template][method.lower()]
        path = template
        for name, value in parameters.items():
            path = path.replace("{" + name + "}", urllib.parse.quote(value, safe=""))
        answer = self.berthd.control(method, path, body)
        place = f"{method} {path}"
        declared = operation["responses"].get(str(answer.status)) or operation["responses"]["default"]
        if expect:
            self.assertEqual(answer.status, expect, f"{place}: {answer}")
            self.assertIn(str(expect), operation["responses"], f"{place}: {expect} is not declared")
        if "content" not in declared:
            self.assertEqual(answer.body, b"", place)
        else:
            ((kind, content),) = declared["content"].items()
            self.assertEqual(answer.headers["content-type"].split(";")[0], kind, place)
            if kind.endswith("json"):
                self.assertEqual(schema.problems(answer.json, content["schema"], self.document, closed="Record" not in str(content)), [], place)
        self.tried.add((method, template))
        return answer.json if answer.body and answer.headers["content-type"].startswith("application/json") else None

    def test_every_answer_is_what_the_document_says(self):
        # Would break: clients generated from the document.
        connections = {}
        for provider in ("ringba", "retreaver", "trackdrive"):
            body = self.mock.connection(provider, streams={"calls": {"schedule": "cron 0 3 1 1 *"}})
            if provider == "ringba":
                body["webhook"] = {"scheme": "hmac", "secret": "s" * 20, "allow_ips": ["127.0.0.0/8"], "tolerance_seconds": 300}
            connections[provider] = self.ask("POST", "/v1/connections", body, expect=201)
        one = connections["retreaver"]
        path = urllib.parse.urlsplit(one["webhook"]["url"]).path
        self.berthd.webhook(path + f"?event=call_end&call_uuid={uuid.uuid4()}&caller=%2B12025550143", method="GET")
        self.berthd.webhook(path + "?event=\xff&broken".encode("latin-1").decode("latin-1").replace("\xff", "%ff"), b"\xff\x00", method="POST")
        self.berthd.webhook(path + "x?event=call_end", method="GET")
        for connection in connections.values():
            for stream in ("calls", "numbers", "campaigns"):
                run = self.ask("POST", "/v1/connections/{id}/streams/{stream}/sync", {}, expect=202, id=connection["id"], stream=stream)
                ended = lambda: self.berthd.get(f"/v1/runs/{run['id']}")["status"] not in ("queued", "running")
                wait_for(ended, 60, "the run to end")
                self.ask("GET", "/v1/runs/{id}", expect=200, id=run["id"])
            self.ask("GET", "/v1/connections/{id}", expect=200, id=connection["id"])
            self.ask("POST", "/v1/connections/{id}/check", expect=200, id=connection["id"])
        wait_for(lambda: all(e["state"] in ("completed", "discarded") for e in self.berthd.get("/v1/events")["items"]), 20, "events")
        for template in ("/v1/status", "/v1/health", "/metrics", "/v1/openapi.json", "/v1/plugins", "/v1/connections", "/v1/runs", "/v1/events",
                         "/v1/dead-letters", "/v1/audit", "/v1/requests"):
            self.ask("GET", template, expect=200)
        self.ask("GET", "/v1/plugins/{id}", expect=200, id="ringba")
        for event in self.berthd.get("/v1/events")["items"]:
            self.ask("GET", "/v1/events/{id}", expect=200, id=event["id"])
        for entity in ("call", "tracking_number", "campaign"):
            items = self.ask("GET", "/v1/records/{entity}", expect=200, entity=entity)["items"]
            self.assertTrue(items)
            self.ask("GET", "/v1/records/{entity}/{id}", expect=200, entity=entity, id=items[0]["id"])
        done = next(e for e in self.berthd.get("/v1/events")["items"] if e["state"] in ("completed", "discarded"))
        self.ask("POST", "/v1/events/{id}/replay", {}, expect=200, id=done["id"])
        self.ask("POST", "/v1/events/replay", {"dry_run": True}, expect=200)
        self.ask("POST", "/v1/dead-letters/redrive", {"dry_run": True}, expect=200)
        self.ask("POST", "/v1/connections/{id}/pause", {}, expect=200, id=one["id"])
        self.berthd.webhook(path + f"?event=call_end&call_uuid={uuid.uuid4()}", method="GET")
        self.ask("POST", "/v1/events/{id}/cancel", {}, expect=200, id=self.berthd.get("/v1/events?state=available")["items"][0]["id"])
        self.ask("POST", "/v1/connections/{id}/resume", {}, expect=200, id=one["id"])
        self.ask("POST", "/v1/connections/{id}/reset-circuit", {}, expect=200, id=one["id"])
        self.ask("PATCH", "/v1/connections/{id}", {"streams": {"numbers": {"schedule": "every 2h"}}}, expect=200, id=one["id"])
        self.ask("POST", "/v1/connections/{id}/actions/{action}", {}, id=one["id"], action="nothing")
        self.ask("POST", "/v1/runs/{id}/cancel", {}, id=self.berthd.get("/v1/runs")["items"][0]["id"])
        self.ask("PUT", "/v1/log/level", {"level": "info"}, expect=200)
        self.ask("POST", "/v1/backup", {"path": str(self.berthd.folder / "copy.db")}, expect=200)
        self.ask("POST", "/v1/vault/rotate", {"new_key": True}, expect=200)
        self.ask("POST", "/v1/plugins/{id}/reload", {}, expect=200, id="trackdrive")
        self.ask("POST", "/v1/plugins/{id}/rollback", {}, id="trackdrive")
        self.ask("POST", "/v1/plugins", {"path": "/nowhere"})
        self.ask("POST", "/v1/connections/{id}/connect", {}, id=one["id"])
        self.ask("POST", "/v1/connections/{id}/connect/complete", {"code": "x"}, id=one["id"])
        self.ask("POST", "/v1/connections/{id}/disconnect", {}, expect=200, id=one["id"])
        self.ask("DELETE", "/v1/connections/{id}/cache", expect=200, id=one["id"])
        self.ask("DELETE", "/v1/connections/{id}", expect=204, id=connections["trackdrive"]["id"])
        self.ask("DELETE", "/v1/plugins/{id}", expect=204, id="trackdrive")
        self.ask("GET", "/v1/connections/{id}", id="nobody")
        feed = Feed(self.berthd, last=0)
        wait_for(lambda: feed.items, 10, "the feed")
        self.assertEqual(feed.response.headers["content-type"], "text/event-stream")
        feed.close()
        self.tried.add(("GET", "/v1/feed"))
        routes = {(method.upper(), path) for path, methods in self.document["paths"].items() for method in methods}
        self.assertEqual(routes - self.tried, set(), "routes that nobody tried")

    def test_documents_hold_together(self):
        # Would break: a reference to a schema that is not there, an operation listed twice.
        text = json.dumps(self.document)
        for reference in set(part.split('"')[0] for part in text.split("#/components/schemas/")[1:]):
            self.assertIn(reference, self.document["components"]["schemas"])
        names = [operation["operationId"] for methods in self.document["paths"].values() for operation in methods.values()]
        self.assertEqual(len(names), len(set(names)))
        for path, methods in self.document["paths"].items():
            for method, operation in methods.items():
                declared = {p["name"] for p in operation.get("parameters", []) if p["in"] == "path"}
                self.assertEqual(declared, {part[1:-1] for part in path.split("/") if part.startswith("{")}, path)
                self.assertIn(operation["x-permission"], ("read", "operate", "admin"))


if __name__ == "__main__":
    unittest.main(verbosity=2)
