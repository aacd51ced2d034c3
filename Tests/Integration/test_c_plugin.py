"""A third party's plugin: the C template, built outside the tree by its own Makefile, installed, serving events and a sync."""

import http.server
import json
import pathlib
import shutil
import subprocess
import tempfile
import threading
import unittest
import urllib.parse

from cplugin import SDK
from rig import Berthd, wait_for

CALLS = [{"id": f"pb-{n}", "from": "+12025550143", "to": "+18885550199", "seconds": n} for n in range(45)]


class Phonebox(http.server.BaseHTTPRequestHandler):
    """The invented provider: bearer token, twenty calls a page."""

    def do_GET(self):
        if self.headers.get("Authorization") != "Bearer phonebox-secret":
            return self.answer(401, {"error": "who are you"})
        page = int(urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query).get("page", ["1"])[0])
        part = CALLS[(page - 1) * 20:page * 20]
        self.answer(200, {"calls": part, "next": page + 1 if page * 20 < len(CALLS) else None})

    def answer(self, status, body):
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        pass


class CPlugin(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="berth-third-party-"))
        shutil.copytree(SDK / "template", cls.folder / "src")
        subprocess.run(["make", "-s", "-C", str(cls.folder / "src"), f"SDK={SDK}"], check=True)
        cls.provider = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Phonebox)
        threading.Thread(target=cls.provider.serve_forever, daemon=True).start()
        cls.berthd = Berthd().start()

    @classmethod
    def tearDownClass(cls):
        cls.berthd.stop()
        cls.provider.shutdown()
        shutil.rmtree(cls.folder, ignore_errors=True)

    def test_the_template_serves_events_and_a_sync(self):
        # Would break: an SDK that needs the daemon's source, installation, the C side of the ABI in a sealed worker.
        plugin = self.berthd.post("/v1/plugins", {"path": str(self.folder / "src" / "phonebox")})
        self.assertEqual(plugin["state"], "ready")
        body = {"provider": "phonebox", "name": "pb", "base_url": f"http://127.0.0.1:{self.provider.server_port}",
                "credentials": {"kind": "api_key", "token": "phonebox-secret"}}
        connection = self.berthd.post("/v1/connections", body)
        self.assertTrue(self.berthd.post(f"/v1/connections/{connection['id']}/check")["ok"])
        run = self.berthd.post("/v1/connections/pb/streams/calls/sync")
        done = wait_for(lambda: (lambda r: r if r["status"] not in ("queued", "running") else None)(self.berthd.get(f"/v1/runs/{run['id']}")))
        self.assertEqual((done["status"], done["counts"]["created"], done["pages"]), ("success", 45, 3), done)
        path = urllib.parse.urlsplit(connection["webhook"]["url"]).path
        for kind, state in (("call.done", "completed"), ("call.other", "completed")):
            event = {"type": kind, "id": f"pb-hook-{kind}", "from": "+12025550143", "to": "+18885550199", "seconds": 12}
            answer = self.berthd.webhook(path, json.dumps(event).encode())
            self.assertEqual(answer.status, 202, answer)
            settled = wait_for(lambda: (lambda e: e if e["state"] == state else None)(self.berthd.get(f"/v1/events/{answer.json['id']}")))
            self.assertEqual(settled["unsupported"], kind == "call.other")
        ids = {r["external_id"] for r in self.berthd.all_items("/v1/records/call?connection=pb")}
        self.assertEqual(ids, {c["id"] for c in CALLS} | {"pb-hook-call.done"})
        broken = self.berthd.webhook(path, b"not json")
        parked = wait_for(lambda: (lambda e: e if e["state"] == "discarded" else None)(self.berthd.get(f"/v1/events/{broken.json['id']}")))
        self.assertIn("no JSON object", parked["failure"]["message"])

    def test_a_reload_takes_the_new_code_and_a_rollback_the_old(self):
        # Would break: reloading the same path, which a plain dlopen answers with the old code.
        if "phonebox" not in [p["id"] for p in self.berthd.get("/v1/plugins")["items"]]:
            self.berthd.post("/v1/plugins", {"path": str(self.folder / "src" / "phonebox")})
        before = self.berthd.get("/v1/plugins/phonebox")
        shutil.copytree(self.folder / "src", self.folder / "second", ignore=shutil.ignore_patterns("phonebox"))
        source = self.folder / "second" / "phonebox.c"
        source.write_text(source.read_text().replace("the body is no JSON object", "version two says no"))
        subprocess.run(["make", "-s", "-C", str(self.folder / "second"), f"SDK={SDK}"], check=True)
        after = self.berthd.post("/v1/plugins", {"path": str(self.folder / "second" / "phonebox")})
        self.assertEqual(after["generation"], before["generation"] + 1)
        self.assertNotEqual(after["digest"], before["digest"])
        back = self.berthd.post("/v1/plugins/phonebox/rollback")
        self.assertEqual(back["digest"], before["digest"])


if __name__ == "__main__":
    unittest.main(verbosity=2)
