"""A plugin that misbehaves in every way of plugin-sdk/validator, beside one that works: the daemon stays up, the other
plugin's events flow, the bad event is tried again and then parked with the right reason."""

import json
import pathlib
import shutil
import tempfile
import unittest
import urllib.parse
import uuid

from cplugin import SDK, bundle, manifest
from rig import BUNDLES, ROOT, Berthd, Mock, wait_for

EVIL = ROOT / "plugin-sdk" / "validator" / "evil.c"
MANIFEST = manifest("evil", """
[runtime]
event_deadline_seconds = 1
event_batch = 8
memory_mib = 64

[webhook]
methods = ["POST"]
schemes = ["token"]
default_scheme = "token"
event_kind = "json:/mode"
dedup_key = ["json:/id"]

[[streams]]
name = "calls"
entity = "call"
readable = false
""")


class Misbehaviour(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="berth-evil-"))
        bundles = self.folder / "bundles"
        shutil.copytree(BUNDLES / "ringba", bundles / "ringba")
        bundle(bundles, "evil", EVIL, MANIFEST)
        for name, define in (("refuses", "EVIL_REFUSES"), ("otherabi", "EVIL_ABI"), ("nosize", "EVIL_SIZE")):
            bundle(bundles, name, EVIL, manifest(name), [define])
        truncated = bundle(bundles, "truncated", EVIL, manifest("truncated"))
        library = truncated / "libtruncated.so"
        text = (truncated / "plugin.toml").read_text()
        library.write_bytes(library.read_bytes()[:3000])
        digest = text.index('sha256 = "') + 10
        (truncated / "plugin.toml").write_text(text[:digest] + text[digest + 64:])
        (bundles / "garbage").mkdir()
        (bundles / "garbage" / "plugin.toml").write_text("manifest_version = 1\nidd = \"garbage\"\n")
        self.mock = Mock(("ringba",), ["--calls", "5"])
        self.berthd = Berthd(bundles=bundles).start()

    def tearDown(self):
        self.berthd.stop()
        self.mock.stop()
        shutil.rmtree(self.folder)

    def post(self, connection, body):
        path = urllib.parse.urlsplit(connection["webhook"]["url"]).path
        answer = self.berthd.webhook(path, json.dumps(body).encode())
        self.assertEqual(answer.status, 202, answer)
        return answer.json["id"]

    def event(self, event):
        return self.berthd.get(f"/v1/events/{event}")

    def test_every_mode(self):
        # Would break: isolation, supervision, the daemon's doubt about every byte of a worker, refusals at load.
        refused = {p["id"]: p["problem"] for p in self.berthd.get("/v1/plugins")["items"] if p["state"] == "refused"}
        self.assertEqual(set(refused), {"refuses", "otherabi", "nosize", "truncated", "garbage"})
        for name, code in (("refuses", "plugin_entry_failed"), ("otherabi", "abi_mismatch"), ("nosize", "plugin_table_invalid"),
                           ("truncated", "library_truncated"), ("garbage", "manifest_invalid")):
            self.assertEqual(refused[name]["code"], code, refused[name])
            self.assertTrue(refused[name]["hint"], refused[name])
        self.assertIn("plugin.toml:2", refused["garbage"]["detail"])
        self.assertIn("did you mean id", refused["garbage"]["hint"])

        good = self.berthd.post("/v1/connections", self.mock.connection("ringba", streams={}))
        pid = self.berthd.process.pid
        failures = []
        for line in (EVIL.parent / "expected.txt").read_text().splitlines():
            if not line or line.startswith("#"):
                continue
            mode, *expected = line.split()
            # A connection of its own per mode: a parked event leaves nothing behind for the next one.
            evil = self.berthd.post("/v1/connections", {"provider": "evil", "name": f"evil-{mode}"})
            bad = self.post(evil, {"id": str(uuid.uuid4()), "mode": mode})
            neighbour = self.post(good, {"event": "completed", "call_id": f"beside-{mode}", "caller": "+12025550143"})
            wait_for(lambda: self.event(neighbour)["state"] == "completed", 10, f"ringba's event beside mode {mode}")
            # The first attempt's outcome is enough here: what is retried shows its reason.
            seen = wait_for(lambda: (lambda e: e if e["state"] in ("completed", "discarded", "retryable") else None)(self.event(bad)), 20, mode)
            outcome = seen["failure"]["status"] if seen.get("failure") else seen["state"]
            if seen["state"] == "retryable" and seen["failure"]["status"] == "retry":
                outcome = "retry: " + seen["failure"]["message"]
            if outcome not in expected:
                failures.append(f"{mode}: {outcome}, expected {expected}: {seen.get('failure')}")
            self.assertIsNone(self.berthd.process.poll(), f"berthd died of mode {mode}:\n{self.berthd.log()[-2000:]}")
            # A fresh generation for the next mode: quarantine is tried elsewhere.
            self.berthd.post("/v1/plugins/evil/reload")
        self.assertEqual(failures, [])
        self.assertEqual(self.berthd.process.pid, pid)
        fine = self.berthd.all_items("/v1/records/call?connection=evil-fine")
        self.assertEqual([r["external_id"] for r in fine], ["fine"])
        for mode in ("bad-utf8", "nan", "stale", "late", "size-zero"):
            self.assertEqual(self.berthd.all_items(f"/v1/records/call?connection=evil-{mode}"), [], mode)

    def test_an_event_that_kills_is_parked_after_three_attempts(self):
        # Would break: a poison event kept alive for ever, or its batch parked with it.
        evil = self.berthd.post("/v1/connections", {"provider": "evil", "name": "evil"})
        bad = self.post(evil, {"id": "poison", "mode": "segv"})
        beside = [self.post(evil, {"id": f"good-{n}", "mode": "fine"}) for n in range(5)]
        for event in beside:
            wait_for(lambda: self.event(event)["state"] == "completed", 30, "events in the same batch as the poison")
        # Waits between attempts are seconds by design: replay stands in for the passing of time.
        for attempt in range(2, 4):
            wait_for(lambda: self.event(bad)["state"] in ("retryable", "discarded"), 30, "the attempt to end")
            if self.event(bad)["state"] == "discarded":
                break
            wait_for(lambda: self.event(bad)["attempt"] >= attempt or self.event(bad)["state"] == "discarded", 90, f"attempt {attempt}")
        parked = wait_for(lambda: (lambda e: e if e["state"] == "discarded" else None)(self.event(bad)), 90, "the poison to be parked")
        self.assertEqual((parked["failure"]["status"], parked["attempt"]), ("crashed", 3), parked)
        self.assertIn(bad, [e["id"] for e in self.berthd.get("/v1/dead-letters")["items"]])


if __name__ == "__main__":
    unittest.main(verbosity=2)
