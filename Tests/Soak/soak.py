"""The soak: one daemon under steady traffic for as long as it is given. What grows is a leak, what is missing was lost.

20 connections of three providers sync and take webhooks, one in twenty a second time, while a plugin beside them misbehaves
in a way of its own every few seconds. After the warm-up, memory is fitted by a line; the end compares what was acknowledged with what
is kept. Exit code 0: all held.

    python3 Tests/Soak/soak.py --seconds 7200 --rate 200
"""

import argparse
import http.client
import json
import os
import pathlib
import random
import shutil
import sys
import tempfile
import threading
import time
import urllib.parse

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
os.environ.setdefault("BERTH_BIN", str(ROOT / ".build" / "release"))
os.environ.setdefault("BERTH_BUNDLES", str(ROOT / ".build" / "bundles"))
sys.path.insert(0, str(ROOT / "Tests" / "Integration"))
from evil import evil  # noqa: E402
from rig import BUNDLES, Berthd, Mock, wait_for  # noqa: E402

KEYS = {"ringba": "call_id", "retreaver": "call_uuid", "trackdrive": "call_uuid"}
MODES = ("segv", "abort", "exit", "loop", "leak", "garbage", "half-frame", "huge-length", "bad-utf8", "many", "stale", "threads")


class Sender(threading.Thread):
    """Deliveries at a steady rate over one kept connection; what was acknowledged, by connection."""

    def __init__(self, berthd, connections, rate):
        super().__init__(daemon=True)
        self.connections, self.rate = connections, rate
        self.address = urllib.parse.urlsplit(berthd.url)
        self.acknowledged = {connection["id"]: set() for connection in connections}
        self.refused, self.stopping, self.slowest = 0, threading.Event(), 0.0

    def run(self):
        link = http.client.HTTPConnection(self.address.hostname, self.address.port, timeout=30)
        began, sent, number = time.monotonic(), 0, 0
        while not self.stopping.is_set():
            ahead = began + sent / self.rate - time.monotonic()
            if ahead > 0:
                time.sleep(ahead)
            if number == 0 or random.random() > 0.05:
                number += 1
                connection = random.choice(self.connections)
            key = f"{connection['id']}-{number}"
            body = {"event": "completed", KEYS[connection["provider"]]: key, "caller": "+12025550143", "revenue": "12.50", "duration": 61}
            asked = time.monotonic()
            link.request("POST", urllib.parse.urlsplit(connection["webhook"]["url"]).path, body=json.dumps(body))
            answer = link.getresponse()
            answer.read()
            self.slowest = max(self.slowest, time.monotonic() - asked)
            sent += 1
            if answer.status in (200, 202, 204):
                self.acknowledged[connection["id"]].add(key)
            else:
                self.refused += 1


def sample(berthd):
    """Kilobytes resident, descriptors, threads and kilobytes of the write-ahead log."""
    status = pathlib.Path(f"/proc/{berthd.process.pid}/status").read_text()
    field = lambda name: int(next(line for line in status.splitlines() if line.startswith(name + ":")).split()[1])
    wal = berthd.folder / "berth.db-wal"
    return (field("VmRSS"), len(os.listdir(f"/proc/{berthd.process.pid}/fd")), field("Threads"),
            wal.stat().st_size >> 10 if wal.exists() else 0)


def slope(points):
    """Of a line through (hours, value), with its standard error."""
    count = len(points)
    middle = sum(x for x, _ in points) / count, sum(y for _, y in points) / count
    spread = sum((x - middle[0]) ** 2 for x, _ in points)
    rise = sum((x - middle[0]) * (y - middle[1]) for x, y in points) / spread
    rest = sum((y - middle[1] - rise * (x - middle[0])) ** 2 for x, y in points)
    return rise, (rest / max(1, count - 2) / spread) ** 0.5


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=7200)
    parser.add_argument("--rate", type=float, default=200, help="deliveries a second")
    parser.add_argument("--warm-up", type=int, default=600, help="seconds before memory is looked at")
    options = parser.parse_args()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="berth-soak-"))
    shutil.copytree(BUNDLES, folder / "bundles")
    evil(folder / "bundles")
    mock = Mock(tuple(KEYS), ["--calls", "300"])
    berthd = Berthd(folder / "state", bundles=folder / "bundles", settings="[dispatch]\nlanes = 8\n").start()
    problems = []
    try:
        providers = list(KEYS) * 7
        connections = [
            berthd.post("/v1/connections", mock.connection(provider, name=f"soak-{number}", streams={"calls": {"schedule": "every 30s"}}))
            for number, provider in enumerate(providers[:20])]
        bad = berthd.post("/v1/connections", {"provider": "evil", "name": "evil"})
        sender = Sender(berthd, connections, options.rate)
        sender.start()
        began, samples, events = time.monotonic(), [], 0
        print("minute  resident KiB  descriptors  threads  log KiB  acknowledged", flush=True)
        while (passed := time.monotonic() - began) < options.seconds and berthd.process.poll() is None and sender.is_alive():
            time.sleep(5)
            events += 1
            berthd.deliver(bad, {"id": f"bad-{events}", "mode": MODES[events % len(MODES)]})
            samples.append((passed, *sample(berthd)))
            if events % 12 == 0:
                total = sum(map(len, sender.acknowledged.values()))
                print(f"{passed / 60:6.0f}  {samples[-1][1]:12}  {samples[-1][2]:11}  {samples[-1][3]:7}  {samples[-1][4]:7}  {total:12}", flush=True)
        alive = sender.is_alive()
        sender.stopping.set()
        sender.join(60)
        if berthd.process.poll() is not None or not alive:
            problems.append(f"the daemon or the sender ended early: {berthd.log()[-1500:]}")
        else:
            problems += judge(berthd, connections, sender, samples, options)
    finally:
        berthd.stop()
        mock.stop()
        shutil.rmtree(folder, ignore_errors=True)
    print("\n".join(problems) or "all held")
    return 1 if problems else 0


def judge(berthd, connections, sender, samples, options):
    problems = []
    warm = [s for s in samples if s[0] > options.warm_up]
    if len(warm) > 60:
        rise, error = slope([(s[0] / 3600, s[1] / 1024) for s in warm])
        print(f"memory: {rise:+.2f} MiB an hour (standard error {error:.2f}), highest {max(s[1] for s in warm) / 1024:.1f} MiB")
        if rise - 2 * error > 1:
            problems.append("resident memory grows by more than 1 MiB an hour")
        for index, name in ((2, "descriptors"), (3, "threads")):
            half = len(warm) // 2
            first, last = max(s[index] for s in warm[:half]), max(s[index] for s in warm[half:])
            if last > first + 8:
                problems.append(f"{name} grew from {first} to {last}")
    if max(s[4] for s in samples) > 65 << 10:
        problems.append(f"the write-ahead log reached {max(s[4] for s in samples)} KiB")
    of = urllib.parse.urlencode
    for connection in connections:
        waiting = lambda c=connection: [
            state for state in ("available", "running", "retryable") if berthd.get("/v1/events?" + of({"connection": c["id"], "state": state, "limit": 1}))["items"]]
        try:
            wait_for(lambda: not waiting(), 120, f"the events of {connection['name']} to be processed")
        except AssertionError as failure:
            problems.append(str(failure))
        kept = [event["dedup_key"] for event in berthd.all_items(f"/v1/events?connection={connection['id']}")]
        wanted = sender.acknowledged[connection["id"]]
        calls = {record["external_id"] for record in berthd.all_items(f"/v1/records/call?connection={connection['id']}")}
        if len(kept) != len(set(kept)) or len(kept) != len(wanted):
            problems.append(f"{connection['name']}: {len(wanted)} acknowledged, {len(kept)} events, {len(set(kept))} different")
        if not wanted <= calls:
            problems.append(f"{connection['name']}: {len(wanted - calls)} acknowledged calls are no records")
    runs = berthd.all_items("/v1/runs")
    bad = [run for run in runs if run["status"] not in ("success", "queued", "running")]
    print(f"{sum(map(len, sender.acknowledged.values()))} acknowledged, {sender.refused} refused, slowest {sender.slowest:.2f} s; "
          f"{len(runs)} syncs, {len(bad)} not successful")
    if bad:
        problems.append(f"syncs failed: {bad[:2]}")
    if sender.refused:
        problems.append(f"{sender.refused} deliveries were refused")
    return problems


if __name__ == "__main__":
    sys.exit(main())
