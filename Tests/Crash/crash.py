#!/usr/bin/env python3
"""Kills the daemon at bad moments under load and compares what was acknowledged with what is there.

Three parts: random kill -9; every labelled kill point once; power cuts by a loop image whose unsynced pages are left
behind (with a control that must fail: the same cuts with synchronous=NORMAL). Every random choice comes from the
printed seed. The load behaves as a provider does: what had no answer is sent again. Checks after each: every delivery that
was sent is stored exactly once and has one record made exactly once, the database passes its integrity check, and the queue
drains. Where power cuts can't be played the suite fails, unless BERTH_NO_POWER_CUTS=1 says that the machine is known for that.
"""

import argparse
import collections
import http.client
import json
import os
import pathlib
import random
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "Tests" / "Integration"))
from rig import Berthd, Mock, wait_for  # noqa: E402


class Load:
    """Posts calls with unique ids over several connections, as a provider does: what was not answered, or refused for now, is sent
    again until it is. Remembers what was sent and what was acknowledged."""

    def __init__(self, threads=3):
        self.sent, self.acked, self.refused = set(), set(), {}
        # Those that went again because nobody knew what had become of them, and how many of them the daemon knew.
        self.unanswered, self.duplicates = set(), 0
        self.number, self.lock = 0, threading.Lock()
        self.url, self.running, self.deadline = None, True, None
        self.threads = [threading.Thread(target=self.send, daemon=True) for _ in range(threads)]

    def start(self):
        for thread in self.threads:
            thread.start()
        return self

    def stop(self, seconds=20):
        """Ends when the deliveries in hand are settled, or never will be."""
        self.deadline = time.monotonic() + seconds
        self.running = False
        for thread in self.threads:
            if thread.ident is not None:
                thread.join(seconds + 10)

    @property
    def unsettled(self):
        return self.sent - self.acked - set(self.refused)

    def next(self):
        with self.lock:
            self.number += 1
            return f"crash-{self.number}"

    def send(self):
        connection, to, call = None, None, None
        while self.running or (call and time.monotonic() < self.deadline):
            url = self.url
            if url is None:
                time.sleep(0.005)
                continue
            call = call or self.next()
            body = json.dumps({"event": "finalized", "call_id": call, "caller": "+12025550143", "duration": "20", "revenue": "1.5"})
            try:
                parts = urllib.parse.urlsplit(url)
                if connection is None or to != parts.netloc:
                    connection, to = http.client.HTTPConnection(parts.hostname, parts.port, timeout=5), parts.netloc
                    connection.connect()
                self.sent.add(call)
                connection.request("POST", parts.path, body, {"Content-Type": "application/json"})
                response = connection.getresponse()
                answer = response.read()
                if 200 <= response.status < 300:
                    self.acked.add(call)
                    with self.lock:
                        self.duplicates += json.loads(answer)["duplicate"]
                    call = None
                elif response.status >= 500 or response.status == 429:
                    time.sleep(0.02)
                else:
                    self.refused[call] = response.status
                    call = None
            except (OSError, http.client.HTTPException):
                if call in self.sent:
                    self.unanswered.add(call)
                connection.close()
                connection = None
                time.sleep(0.01)


def add_connection(berthd, mock, **changes):
    return berthd.post("/v1/connections", mock.connection("ringba", **changes), expect=(201,))


def target(berthd, connection):
    """The webhook URL at the daemon's present port."""
    return berthd.url + urllib.parse.urlsplit(connection["webhook"]["url"]).path


def drained(berthd):
    events = berthd.get("/v1/status")["events"]
    return not any(events.get(state) for state in ("available", "running", "retryable", "scheduled"))


def check(berthd, connection, load):
    """What is wrong, as text; empty when all holds."""
    problems = []
    try:
        wait_for(lambda: drained(berthd), 60, "the queue to drain")
    except AssertionError as error:
        problems.append(str(error))
    stored = berthd.all_items(f"/v1/events?connection={connection['id']}")
    counts = collections.Counter(match[0] for match in (re.search(r"crash-\d+", event["dedup_key"]) for event in stored) if match)
    calls = set(counts)
    for text, found in (
        ("stored twice", {call for call, count in counts.items() if count > 1}), ("acknowledged and lost", load.acked - calls),
        ("sent until they were answered and not there", load.sent - load.acked - calls), ("stored that were never sent", calls - load.sent),
        ("never answered", load.unsettled), ("refused", set(load.refused)),
    ):
        if found:
            problems.append(f"{len(found)} deliveries {text}, such as {sorted(found)[:3]}")
    unfinished = [event["id"] for event in stored if event["state"] != "completed"]
    if unfinished:
        problems.append(f"{len(unfinished)} events not completed, such as {unfinished[:3]}")
    database = sqlite3.connect(f"file:{berthd.folder}/berth.db?mode=ro", uri=True)
    made = {}
    for topic, data in database.execute("SELECT topic, data FROM notice WHERE topic LIKE 'record.%'"):
        external = json.loads(data)["external_id"]
        if external.startswith("crash-"):
            made.setdefault(external, []).append(topic)
    doubled = [key for key, topics in made.items() if topics != ["record.created"]]
    if doubled:
        problems.append(f"{len(doubled)} calls took effect more than once, such as {[(k, made[k]) for k in doubled[:3]]}")
    without = [call for call in calls if call not in made]
    if without:
        problems.append(f"{len(without)} stored calls without a record")
    verdict = database.execute("PRAGMA integrity_check").fetchall()
    database.close()
    if verdict != [("ok",)]:
        problems.append(f"integrity check: {verdict[:2]}")
    return problems


def check_sync(berthd, connection):
    """What is wrong with the fifty calls of the mock; a sync of them runs every second."""
    runs = lambda: berthd.get(f"/v1/runs?connection={connection['id']}")["items"]
    try:
        # Each kill counts a few requests against the provider's 80 in a minute that were never sent: that minute may have to pass.
        wait_for(lambda: any(run["status"] == "success" for run in runs()), 100, "a sync to succeed")
    except AssertionError as error:
        return [str(error)]
    calls = [record["external_id"] for record in berthd.all_items(f"/v1/records/call?connection={connection['id']}")]
    calls = [call for call in calls if call.startswith("v2mock")]
    if len(calls) != 50 or len(set(calls)) != 50:
        return [f"{len(calls)} synced calls, {len(set(calls))} different, 50 expected"]
    return []


def random_kills(count, rng):
    mock = Mock(("ringba",), ["--calls", "50"])
    berthd = Berthd().start()
    connection = add_connection(berthd, mock, streams={"calls": {"schedule": "every 1s"}})
    load = Load().start()
    try:
        for _ in range(count):
            load.url = target(berthd, connection)
            time.sleep(rng.uniform(0.1, 0.6))
            berthd.kill()
            load.url = None
            berthd.start()
        load.url = target(berthd, connection)
        time.sleep(0.3)
        load.stop()
        problems = check(berthd, connection, load) + check_sync(berthd, connection)
        if not load.unanswered:
            problems.append("no kill struck a delivery on its way: nothing was sent again")
        print(f"random kills: {count} kills, {len(load.sent)} sent, {len(load.acked)} acknowledged, {len(load.unanswered)} sent again of which "
              f"{load.duplicates} were known: {problems or 'all held'}", flush=True)
        return problems
    finally:
        load.stop()
        berthd.stop()
        mock.stop()
        shutil.rmtree(berthd.folder, ignore_errors=True)


# Points that stand on the way of a delivery: the one that dies there has no answer, and is known, or not, when it comes again.
ON_THE_WAY = {"intake.after-verify": False, "store.before-commit": False, "store.after-commit": True, "intake.after-accept": True}


def labelled_kill(label, mock):
    """One daemon that dies at one point; what is wrong, as text."""
    berthd = Berthd().start()
    connection = add_connection(berthd, mock, streams={"calls": {"schedule": "every 1s"}})
    berthd.stop()
    load, problems = Load(1), []
    # The thread that got there stands still for a moment before the end: who answers before it should is heard.
    berthd.environment = {"BERTH_KILLPOINT": label, "BERTH_KILLPOINT_DELAY_MS": "200"}
    berthd.start(wait=False)
    try:
        try:
            berthd.wait_ready(20)
            load.url = target(berthd, connection)
        except AssertionError:
            pass  # died while starting: a point on that way
        load.start()
        try:
            berthd.process.wait(20)
        except subprocess.TimeoutExpired:
            problems.append("not reached within 20 s")
        load.url = None
        if berthd.process.poll() is None:
            berthd.kill()
        elif berthd.process.returncode != -9:
            problems.append(f"ended with {berthd.process.returncode} instead of SIGKILL")
        before = len(load.acked)
        berthd.environment = {}
        berthd.start()
        load.url = target(berthd, connection)
        wait_for(lambda: len(load.acked) > before + 20, 20, "deliveries after the restart")
        load.stop()
        if label in ON_THE_WAY:
            if not load.unanswered:
                problems.append("it died, and no delivery was on its way: each had its answer")
            if load.duplicates != ON_THE_WAY[label]:
                problems.append(f"{load.duplicates} deliveries were known when they came again, expected {int(ON_THE_WAY[label])}")
        return problems + check(berthd, connection, load) + check_sync(berthd, connection)
    finally:
        load.stop(0)
        berthd.stop()
        shutil.rmtree(berthd.folder, ignore_errors=True)


def labelled_kills(only=None):
    source = (ROOT / "Sources/BerthModel/KillPoint.swift").read_text()
    labels = re.findall(r'"([a-z]+\.[a-z-]+)"', source)
    reached = set()
    for path in (ROOT / "Sources").rglob("*.swift"):
        if path.name != "KillPoint.swift":
            reached |= set(re.findall(r'KillPoint\.reach\("([^"]+)"', path.read_text()))
    problems = []
    if set(labels) != reached:
        problems.append(f"KillPoint.all and the sources differ: {set(labels) ^ reached}")
    # Those of a token's renewal need an authorization server: Tests/Integration/test_grants.py dies at each of them.
    labels = [label for label in labels if not label.startswith("grant.") and (only is None or label in only)]
    mock = Mock(("ringba",), ["--calls", "50"])
    passed = 0
    try:
        for label in labels:
            found = labelled_kill(label, mock)
            problems += [f"{label}: {problem}" for problem in found]
            passed += not found
    finally:
        mock.stop()
    print(f"kill points: {passed} of {len(labels)} held {problems or ''}", flush=True)
    return passed, problems


def sh(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def power_cut(rng, unsafe):
    """One cut; answers how many acknowledged deliveries the copy of the disk has lost, and other problems."""
    work = pathlib.Path(tempfile.mkdtemp(prefix="berth-power-"))
    mount, copy = work / "disk", work / "copy"
    mount.mkdir()
    copy.mkdir()
    image = work / "disk.img"
    mock = Mock(("ringba",), ["--calls", "10"])
    load, daemons = Load(), []
    try:
        sh("truncate", "-s", "256M", str(image))
        sh("mkfs.ext4", "-q", "-F", str(image))
        sh("mount", "-o", "loop,commit=600", str(image), str(mount))
        berthd = Berthd(folder=mount / "berth", environment={"BERTH_UNSAFE_SYNCHRONOUS": "NORMAL"} if unsafe else {})
        daemons.append(berthd)
        berthd.start()
        connection = add_connection(berthd, mock, streams={})
        # The set-up is old news when the cut comes: only the load's own commits are in question.
        os.sync()
        load.start().url = target(berthd, connection)
        time.sleep(rng.uniform(0.4, 1.2))
        berthd.kill()
        load.url = None
        shutil.copyfile(image, work / "cut.img")  # what reached the disk; dirty pages of the mount are not in it
        sh("umount", str(mount))
        sh("mount", "-o", "loop", str(work / "cut.img"), str(copy))
        after = Berthd(folder=copy / "berth")
        daemons.append(after)
        after.start()
        stored = {re.search(r"crash-\d+", e["dedup_key"])[0] for e in after.all_items(f"/v1/events?connection={connection['id']}")}
        acked = len(load.acked)
        lost = load.acked - stored
        load.url = target(after, connection)  # what had no answer before the cut comes again
        load.stop()
        problems = [] if unsafe else check(after, connection, load)
        return acked, len(lost), problems
    finally:
        load.stop(0)
        for berthd in daemons:
            if berthd.process and berthd.process.poll() is None:
                berthd.kill()
        mock.stop()
        for folder in (mount, copy):
            subprocess.run(["umount", "-l", str(folder)], capture_output=True)
        shutil.rmtree(work, ignore_errors=True)


def power_cuts_impossible():
    """Why this machine can't play them; None when it can."""
    probe = pathlib.Path(tempfile.mkdtemp(prefix="berth-power-probe-"))
    try:
        (probe / "disk").mkdir()
        sh("truncate", "-s", "16M", str(probe / "image"))
        sh("mkfs.ext4", "-q", "-F", str(probe / "image"))
        sh("mount", "-o", "loop", str(probe / "image"), str(probe / "disk"))
        sh("umount", str(probe / "disk"))
        return None
    except subprocess.CalledProcessError as error:
        return f"{' '.join(error.cmd[:3])} failed: {(error.stderr or '').strip()[-200:]}"
    except OSError as error:
        return str(error)
    finally:
        subprocess.run(["umount", "-l", str(probe / "disk")], capture_output=True)
        shutil.rmtree(probe, ignore_errors=True)


def power_cuts(count, rng):
    """What held, what did not, and what was not tried."""
    reason = power_cuts_impossible()
    if reason:
        print(f"power cuts: NOT RUN, {count} cuts and their control skipped: {reason}", flush=True)
        if os.environ.get("BERTH_NO_POWER_CUTS") == "1":
            return 0, [], count + 1
        return 0, ["power cuts were not run: they need root, mkfs.ext4 and loop devices (BERTH_NO_POWER_CUTS=1 says that this machine "
                   "has none, and that they are tried on another one)"], count + 1
    problems, passed, total = [], 0, 0
    for number in range(count):
        acked, lost, found = power_cut(rng, unsafe=False)
        total += acked
        if acked == 0:
            found = found + ["nothing was acknowledged before the cut"]
        problems += [f"cut {number}: {problem}" for problem in found]
        passed += not found
    lost_in_control, acked_in_control = 0, 0
    for _ in range(4):
        acked, lost, _ = power_cut(rng, unsafe=True)
        acked_in_control += acked
        lost_in_control += lost
        if lost_in_control:
            break
    if acked_in_control == 0:
        problems.append("the control acknowledged nothing")
    elif lost_in_control == 0:
        problems.append("the control with synchronous=NORMAL lost nothing: these cuts prove nothing")
    else:
        passed += 1
    print(f"power cuts: {count} cuts, {total} acknowledged, control lost {lost_in_control} of {acked_in_control}: "
          f"{problems or 'all held'}", flush=True)
    return passed, problems, 0


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=25)
    parser.add_argument("--power-cuts", type=int, default=10)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--skip-labels", action="store_true")
    parser.add_argument("--label", action="append", help="only this kill point; repeatable")
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    rng = random.Random(options.seed)
    passed, skipped, problems = 0, 0, []
    if options.kills:
        found = random_kills(options.kills, rng)
        passed += not found
        problems += found
    if not options.skip_labels:
        good, found = labelled_kills(options.label)
        passed += good
        problems += found
    if options.power_cuts:
        good, found, skipped = power_cuts(options.power_cuts, rng)
        passed += good
        problems += found
    for problem in problems:
        print("FAIL", problem)
    if skipped:
        print(f"{skipped} skipped")
    print(f"{passed} passed, {len(problems)} failed")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
