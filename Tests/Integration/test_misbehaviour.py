"""A plugin that misbehaves in every way of plugin-sdk/validator, beside one that works: the daemon stays up, the other
plugin's events flow, the bad event is tried again with the right reason. What becomes of it in the end: test_poison.py."""

import pathlib
import shutil
import tempfile
import unittest
import uuid

from cplugin import bundle, manifest
from evil import EXPECTED, SOURCE, evil
from rig import BUNDLES, Berthd, Mock, wait_for


class Misbehaviour(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="berth-evil-"))
        bundles = self.folder / "bundles"
        shutil.copytree(BUNDLES / "ringba", bundles / "ringba")
        evil(bundles)
        for name, define in (("refuses", "EVIL_REFUSES"), ("otherabi", "EVIL_ABI"), ("nosize", "EVIL_SIZE")):
            bundle(bundles, name, SOURCE, manifest(name), [define])
        truncated = bundle(bundles, "truncated", SOURCE, manifest("truncated"))
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
        shutil.rmtree(self.folder, ignore_errors=True)

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
        for line in EXPECTED.read_text().splitlines():
            if not line or line.startswith("#"):
                continue
            mode, *expected = line.split()
            # A connection of its own per mode: a parked event leaves nothing behind for the next one.
            evil = self.berthd.post("/v1/connections", {"provider": "evil", "name": f"evil-{mode}"})
            bad = self.berthd.deliver(evil, {"id": str(uuid.uuid4()), "mode": mode})
            neighbour = self.berthd.deliver(good, {"event": "completed", "call_id": f"beside-{mode}", "caller": "+12025550143"})
            wait_for(lambda: self.berthd.event(neighbour)["state"] == "completed", 10, f"ringba's event beside mode {mode}")
            # The first attempt's outcome is enough here: what is retried shows its reason.
            seen = wait_for(lambda: (lambda e: e if e["state"] in ("completed", "discarded", "retryable") else None)(self.berthd.event(bad)), 20, mode)
            outcome = seen["failure"]["status"] if seen.get("failure") else seen["state"]
            if seen["state"] == "retryable" and seen["failure"]["status"] == "retry":
                outcome = "retry: " + seen["failure"]["message"]
            if outcome not in expected:
                failures.append(f"{mode}: {outcome}, expected {expected}: {seen.get('failure')}")
            self.assertIsNone(self.berthd.process.poll(), f"berthd died of mode {mode}:\n{self.berthd.log()[-2000:]}")
            # Its retries stay away from the worker that the next mode is tried in.
            self.berthd.post(f"/v1/connections/evil-{mode}/pause")
            # A fresh generation for the next mode: quarantine is tried elsewhere.
            self.berthd.post("/v1/plugins/evil/reload")
        self.assertEqual(failures, [])
        self.assertEqual(self.berthd.process.pid, pid)
        fine = self.berthd.all_items("/v1/records/call?connection=evil-fine")
        self.assertEqual([r["external_id"] for r in fine], ["fine"])
        for mode in ("bad-utf8", "nan", "stale", "late", "size-zero"):
            self.assertEqual(self.berthd.all_items(f"/v1/records/call?connection=evil-{mode}"), [], mode)


if __name__ == "__main__":
    unittest.main(verbosity=2)
