#!/usr/bin/env python3
"""Kills the daemon at bad moments under load and compares what was acknowledged with what is there.

Three parts: random kill -9; every labelled kill point once; power cuts by a loop image whose unsynced pages are left
behind (with a control that must fail: the same cuts with synchronous=NORMAL). Every random choice comes from the
printed seed. Checks after each: acked is a subset of stored, every acked call has exactly one record made exactly once,
the database passes its integrity check, and the queue drains.
"""

import argparse
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
    """Posts calls with unique ids over several connections and remembers what was acknowledged."""

    def __init__(self, threads=3):
        self.acked, self.unknown = set(), set()
        self.number, self.lock = 0, threading.Lock()
        self.url, self.running = None, True
        self.threads = [threading.Thread(target=self.send, daemon=True) for _ in range(threads)]

    def start(self):
        for thread in self.threads:
            thread.start()
        return self

    def stop(self):
        self.running = False
        for thread in self.threads:
            thread.join(10)

    def send(self):
        connection, to = None, None
        while self.running:
            url = self.url
            if url is None:
                time.sleep(0.005)
                continue
            with self.lock:
                self.number += 1
                call = f"crash-{self.number}"
            body = json.dumps({"event": "finalized", "call_id": call, "caller": "+12025550143", "duration": "20", "revenue": "1.5"})
            try:
                parts = urllib.parse.urlsplit(url)
                if connection is None or to != parts.netloc:
                    connection, to = http.client.HTTPConnection(parts.hostname, parts.port, timeout=5), parts.netloc
                connection.request("POST", parts.path, body, {"Content-Type": "application/json"})
                response = connection.getresponse()
                response.read()
                if 200 <= response.status < 300:
                    self.acked.add(call)
                elif response.status >= 500:
                    time.sleep(0.02)
            except (OSError, http.client.HTTPException):
                self.unknown.add(call)
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
    keys = [event["dedup_key"] for event in stored]
    if len(keys) != len(set(keys)):
        problems.append(f"{len(keys) - len(set(keys))} deliveries stored twice")
    calls = {re.search(r"crash-\d+", key)[0] for key in keys if re.search(r"crash-\d+", key)}
    lost = load.acked - calls
    if lost:
        problems.append(f"{len(lost)} acknowledged deliveries lost, such as {sorted(lost)[:3]}")
    invented = calls - load.acked - load.unknown
    if invented:
        problems.append(f"{len(invented)} stored that were never sent or were refused")
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
    without = [call for call in load.acked & calls if call not in made]
    if without:
        problems.append(f"{len(without)} acknowledged calls without a record")
    verdict = database.execute("PRAGMA integrity_check").fetchall()
    database.close()
    if verdict != [("ok",)]:
        problems.append(f"integrity check: {verdict[:2]}")
    return problems


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
        problems = check(berthd, connection, load)
        print(f"random kills: {count} kills, {len(load.acked)} acknowledged, {len(load.unknown)} unknown: {problems or 'all held'}", flush=True)
        return problems
    finally:
        load.stop()
        berthd.stop()
        mock.stop()
        shutil.rmtree(berthd.folder, ignore_errors=True)


def labelled_kills():
    source = (ROOT / "Sources/BerthModel/KillPoint.swift").read_text()
    labels = re.findall(r'"([a-z]+\.[a-z-]+)"', source)
    reached = set()
    for path in (ROOT / "Sources").rglob("*.swift"):
        if path.name != "KillPoint.swift":
            reached |= set(re.findall(r'KillPoint\.reach\("([^"]+)"\)', path.read_text()))
    problems = []
    if set(labels) != reached:
        problems.append(f"KillPoint.all and the sources differ: {set(labels) ^ reached}")
    mock = Mock(("ringba",), ["--calls", "50"])
    passed = 0
    try:
        # Those of a token's renewal need an authorization server: Tests/Integration/test_grants.py dies at each of them.
        labels = [label for label in labels if not label.startswith("grant.")]
        for label in labels:
            berthd = Berthd().start()
            connection = add_connection(berthd, mock, streams={"calls": {"schedule": "every 1s"}})
            berthd.stop()
            load = Load(1)
            berthd.environment = {"BERTH_KILLPOINT": label}
            berthd.start(wait=False)
            try:
                berthd.wait_ready(20)
                load.start().url = target(berthd, connection)
            except AssertionError:
                load.start()  # died while starting: a point on that way
            try:
                berthd.process.wait(20)
            except subprocess.TimeoutExpired:
                problems.append(f"{label}: not reached within 20 s")
            load.url = None
            if berthd.process.poll() is None:
                berthd.kill()
            elif berthd.process.returncode != -9:
                problems.append(f"{label}: ended with {berthd.process.returncode} instead of SIGKILL")
            berthd.environment = {}
            berthd.start()
            load.url = target(berthd, connection)
            wait_for(lambda: len(load.acked) > 20, 20, "deliveries after the restart")
            load.stop()
            found = check(berthd, connection, load)
            run = berthd.all_items(f"/v1/runs?connection={connection['id']}")
            calls = [r for r in berthd.all_items(f"/v1/records/call?connection={connection['id']}") if r["external_id"].startswith("v2mock")]
            if not run:
                found.append("no sync run")
            wait_for(lambda: any(r["status"] == "success" for r in berthd.get(f"/v1/runs?connection={connection['id']}")["items"]), 30, "a sync")
            calls = [r["external_id"] for r in berthd.all_items(f"/v1/records/call?connection={connection['id']}")
                     if r["external_id"].startswith("v2mock")]
            if len(calls) != len(set(calls)) or len(calls) < 50:
                found.append(f"{len(calls)} synced calls, {len(set(calls))} different, 50 expected")
            problems += [f"{label}: {problem}" for problem in found]
            passed += not found
            berthd.stop()
            shutil.rmtree(berthd.folder, ignore_errors=True)
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
    try:
        sh("truncate", "-s", "256M", str(image))
        sh("mkfs.ext4", "-q", "-F", str(image))
        sh("mount", "-o", "loop,commit=600", str(image), str(mount))
        berthd = Berthd(folder=mount / "berth", environment={"BERTH_UNSAFE_SYNCHRONOUS": "NORMAL"} if unsafe else {}).start()
        connection = add_connection(berthd, mock, streams={})
        # The set-up is old news when the cut comes: only the load's own commits are in question.
        os.sync()
        load = Load().start()
        load.url = target(berthd, connection)
        time.sleep(rng.uniform(0.4, 1.2))
        berthd.kill()
        shutil.copyfile(image, work / "cut.img")  # what reached the disk; dirty pages of the mount are not in it
        load.stop()
        sh("umount", str(mount))
        sh("mount", "-o", "loop", str(work / "cut.img"), str(copy))
        after = Berthd(folder=copy / "berth")
        after.start()
        stored = {re.search(r"crash-\d+", e["dedup_key"])[0] for e in after.all_items(f"/v1/events?connection={connection['id']}")}
        lost = load.acked - stored
        problems = [] if unsafe else check(after, connection, load)
        after.stop()
        return len(load.acked), len(lost), problems
    finally:
        mock.stop()
        for folder in (mount, copy):
            subprocess.run(["umount", "-l", str(folder)], capture_output=True)
        shutil.rmtree(work, ignore_errors=True)


def power_cuts(count, rng):
    try:
        probe = pathlib.Path(tempfile.mkdtemp())
        sh("truncate", "-s", "16M", str(probe / "i"))
        sh("mkfs.ext4", "-q", "-F", str(probe / "i"))
        (probe / "m").mkdir()
        sh("mount", "-o", "loop", str(probe / "i"), str(probe / "m"))
        sh("umount", str(probe / "m"))
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"power cuts: not possible here (needs root and loop devices): {error}", flush=True)
        return 0, []
    problems, passed, total = [], 0, 0
    for number in range(count):
        acked, lost, found = power_cut(rng, unsafe=False)
        total += acked
        if acked == 0:
            found = found + ["nothing was acknowledged before the cut"]
        problems += [f"cut {number}: {problem}" for problem in found]
        passed += not found
    lost_in_control = 0
    for _ in range(4):
        lost_in_control += power_cut(rng, unsafe=True)[1]
        if lost_in_control:
            break
    if lost_in_control == 0:
        problems.append("the control with synchronous=NORMAL lost nothing: these cuts prove nothing")
    else:
        passed += 1
    print(f"power cuts: {count} cuts, {total} acknowledged, control lost {lost_in_control}: {problems or 'all held'}", flush=True)
    return passed, problems


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=25)
    parser.add_argument("--power-cuts", type=int, default=10)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--skip-labels", action="store_true")
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    rng = random.Random(options.seed)
    passed, problems = 0, []
    if options.kills:
        found = random_kills(options.kills, rng)
        passed += not found
        problems += found
    if not options.skip_labels:
        good, found = labelled_kills()
        passed += good
        problems += found
    if options.power_cuts:
        good, found = power_cuts(options.power_cuts, rng)
        passed += good
        problems += found
    for problem in problems:
        print("FAIL", problem)
    print(f"{passed} passed, {len(problems)} failed")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
