"""What interfaces.md promises, tried by a stranger: no source, no CLI, only sockets and JSON."""

import hashlib
import hmac
import json
import sqlite3
import stat
import threading
import unittest
import urllib.parse
import uuid

from rig import Berthd, Mock, UnixConnection, wait_for

CALL = {
    "event": "finalized", "call_id": "v2demo_1", "caller": "+12025550143", "campaign": "Auto Insurance US", "publisher": "Publisher Nine",
    "target": "Buyer East", "duration": "209", "revenue": "25", "payout": "18", "dup": "False", "recording": "", "click_id": "abc-771",
}


class Interfaces(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.mock = Mock(arguments=["--calls", "120"])
        cls.berthd = Berthd().start()

    @classmethod
    def tearDownClass(cls):
        cls.berthd.stop()
        cls.mock.stop()

    def add(self, provider, **changes):
        body = self.mock.connection(provider, name=f"t{uuid.uuid4().hex[:10]}", streams={}, **changes)
        return self.berthd.post("/v1/connections", body, expect=(201,))

    def path(self, connection):
        return urllib.parse.urlsplit(connection["webhook"]["url"]).path

    def settled(self, event):
        return wait_for(
            lambda: (lambda e: e if e["state"] in ("completed", "discarded") else None)(self.berthd.get(f"/v1/events/{event}")),
            what=f"event {event} to settle")

    def test_signed_webhook_becomes_a_record(self):
        # Would break: verification, durability, dispatch, mapping, listing - the whole straight line.
        secret = "a-shared-secret-of-the-test"
        connection = self.add("ringba", webhook={"scheme": "hmac", "secret": secret, "allow_ips": ["127.0.0.0/8"]})
        body = json.dumps(dict(CALL, call_id="signed-1")).encode()
        signature = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
        header = connection["webhook"]["header"]
        refused = self.berthd.webhook(self.path(connection), body, {header: signature[:-1] + ("0" if signature[-1] != "0" else "1")})
        self.assertEqual(refused.status, 401)
        self.assertEqual(refused.headers["content-type"].split(";")[0], "application/problem+json")
        self.assertIn("code", refused.json)
        accepted = self.berthd.webhook(self.path(connection), body, {header: signature, "Content-Type": "application/json"})
        self.assertEqual(accepted.status, 202, accepted)
        self.assertFalse(accepted.json["duplicate"])
        again = self.berthd.webhook(self.path(connection), body, {header: signature})
        self.assertTrue(again.json["duplicate"])
        self.assertEqual(again.json["id"], accepted.json["id"])
        self.assertEqual(self.settled(accepted.json["id"])["state"], "completed")
        records = self.berthd.get(f"/v1/records/call?connection={connection['id']}")["items"]
        self.assertEqual([r["external_id"] for r in records], ["signed-1"])
        self.assertEqual(records[0]["caller_number"], "+12025550143")
        self.assertEqual(records[0]["duration_seconds"], 209)
        self.assertTrue(records[0]["id"].startswith("rec_"))
        self.assertEqual(records[0]["raw"]["click_id"], "abc-771")
        one = self.berthd.get(f"/v1/records/call/{records[0]['id']}")
        self.assertEqual(one["external_id"], "signed-1")

    def test_pixel_by_get_gets_the_answer_its_provider_wants(self):
        # Would break: query-borne pixels, the manifest's success answer, the token scheme.
        connection = self.add("retreaver")
        call = str(uuid.uuid4())
        query = f"?event=call_end&call_uuid={call}&caller=%2B12025550143&tracking=%2B18885550199&zip=20001"
        self.assertEqual(self.berthd.webhook(self.path(connection) + "x" + query, method="GET").status, 401)
        answer = self.berthd.webhook(self.path(connection) + query, method="GET")
        self.assertEqual((answer.status, answer.body), (204, b""))
        record = wait_for(lambda: self.berthd.get(f"/v1/records/call?connection={connection['id']}")["items"])[0]
        self.assertEqual((record["external_id"], record["tracking_number"]), (call, "+18885550199"))

    def test_replay_changes_nothing_twice(self):
        # Would break: replay, and exactly-once effects under it.
        connection = self.add("trackdrive")
        body = {"id": 1, "uuid": str(uuid.uuid4()), "created_at": "2026-03-04 10:21:07 -0500", "caller_number": "+12025550143",
                "number": "+18885550199", "revenue": "25.0", "buyer_converted": True}
        answer = self.berthd.webhook(self.path(connection) + "?event=call_ended", json.dumps(body).encode())
        self.assertLess(answer.status, 300, answer)
        events = wait_for(lambda: [e for e in self.berthd.get(f"/v1/events?connection={connection['id']}")["items"]
                                   if e["state"] == "completed"])
        first = self.berthd.get(f"/v1/events/{events[0]['id']}")
        records = lambda: self.berthd.get(f"/v1/records/call?connection={connection['id']}")["items"]
        before, batches = records(), self.handled("trackdrive")
        self.assertEqual((len(before), first["attempt"]), (1, 1))
        answer = self.berthd.post(f"/v1/events/{first['id']}/replay")
        self.assertEqual((answer["count"], answer["events"], answer["dry_run"]), (1, [first["id"]], False))
        # Handled once more by the plugin, and settled at a later time than before.
        again = wait_for(lambda: (lambda e: e if e["state"] == "completed" and e["settled_at"] != first["settled_at"] else None)(
            self.berthd.get(f"/v1/events/{first['id']}")), 20, "the replayed event to settle again")
        self.assertGreater(again["settled_at"], first["settled_at"])
        self.assertEqual((again["attempt"], again["received_at"], again["dedup_key"]), (1, first["received_at"], first["dedup_key"]))
        wait_for(lambda: self.handled("trackdrive") == batches + 1, 10, "the plugin to have had it once more")
        # And nothing came of it twice: the record is the same to the last field, and subscribers were told once.
        self.assertEqual(before, records())
        database = sqlite3.connect(f"file:{self.berthd.folder}/berth.db?mode=ro", uri=True)
        told = [topic for topic, data in database.execute("SELECT topic, data FROM notice WHERE topic LIKE 'record.%' ORDER BY sequence")
                if json.loads(data).get("external_id") == before[0]["external_id"]]
        database.close()
        self.assertEqual(told, ["record.created"])
        self.assertIn("events.replayed", [e["kind"] for e in self.berthd.get("/v1/audit?limit=50")["items"]])

    def test_replay_by_filter_brings_back_what_it_names(self):
        # Would break: repairing what a defective plugin made of a day's events; and a dry run that is none.
        connection = self.add("ringba")
        other = self.add("ringba")
        events = {}
        for owner in (connection, other):
            for number in range(3):
                answer = self.berthd.webhook(self.path(owner), json.dumps(dict(CALL, call_id=f"again-{number}")).encode())
                events[answer.json["id"]] = self.settled(answer.json["id"])["settled_at"]
        wanted = {e["id"] for e in self.berthd.get(f"/v1/events?connection={connection['id']}")["items"]}
        batches = self.handled("ringba")
        dry = self.berthd.post("/v1/events/replay", {"connection": connection["id"], "dry_run": True})
        self.assertEqual((dry["dry_run"], dry["count"], set(dry["events"])), (True, 3, wanted))
        self.assertEqual({e: self.berthd.get(f"/v1/events/{e}")["settled_at"] for e in events}, events)
        done = self.berthd.post("/v1/events/replay", {"connection": connection["id"], "states": ["completed"]})
        self.assertEqual((done["count"], set(done["events"])), (3, wanted))
        settled = lambda e: self.berthd.get(f"/v1/events/{e}").get("settled_at")
        wait_for(lambda: all(settled(e) and settled(e) > events[e] for e in wanted), 20, "all three to settle again")
        wait_for(lambda: self.handled("ringba") == batches + 3, 10, "the plugin to have had them once more")
        self.assertEqual({e: settled(e) for e in events if e not in wanted}, {e: at for e, at in events.items() if e not in wanted})
        self.assertEqual(len(self.berthd.get(f"/v1/records/call?connection={connection['id']}")["items"]), 3)

    def test_replay_by_filter_leaves_what_a_person_gave_up(self):
        # Would break: a repair of a day's events that brings back what somebody ended on purpose.
        connection = self.add("ringba")
        self.berthd.post(f"/v1/connections/{connection['id']}/pause")
        events = [self.berthd.webhook(self.path(connection), json.dumps(dict(CALL, call_id=f"given-up-{n}")).encode()).json["id"] for n in range(2)]
        self.berthd.post(f"/v1/events/{events[0]}/cancel")
        self.berthd.post(f"/v1/connections/{connection['id']}/resume")
        self.settled(events[1])
        chosen = {"connection": connection["id"]}
        self.assertEqual(self.berthd.post("/v1/events/replay", {**chosen, "dry_run": True})["events"], [events[1]])
        self.assertEqual(self.berthd.post("/v1/events/replay", chosen)["events"], [events[1]])
        self.settled(events[1])
        self.assertEqual(self.berthd.get(f"/v1/events/{events[0]}")["state"], "cancelled")
        self.assertEqual(self.berthd.post("/v1/events/replay", {**chosen, "states": ["cancelled"], "dry_run": True})["events"], [events[0]])
        self.assertEqual(self.berthd.post("/v1/events/replay", {"ids": [events[0]]})["events"], [events[0]])
        self.settled(events[0])

    def handled(self, provider):
        """Events that the provider's plugin has completed, by the daemon's own count."""
        lines = self.berthd.control("GET", "/metrics").body.decode().splitlines()
        return sum(int(float(line.split()[-1])) for line in lines
                   if line.startswith("berth_webhooks_processed_total{") and f'provider="{provider}"' in line and 'outcome="completed"' in line)

    def test_feed_tells_after_commit_and_resumes(self):
        # Would break: notices, Last-Event-ID.
        connection = self.add("ringba")

        def read(last, wanted, found):
            http = UnixConnection(self.berthd.socket, 20)
            http.request("GET", f"/v1/feed?connection={connection['id']}", headers={"Last-Event-ID": last} if last else {})
            response = http.getresponse()
            event = {}
            while len(found) < wanted:
                line = response.readline().decode().rstrip("\n").rstrip("\r")
                if not line:
                    if "data" in event and "id" in event:
                        found.append(event)
                    event = {}
                elif not line.startswith(":"):
                    name, _, value = line.partition(":")
                    event[name] = value.lstrip()
            http.close()

        first = []
        reader = threading.Thread(target=read, args=("0", 2, first), daemon=True)
        reader.start()
        for number in range(4):
            self.berthd.webhook(self.path(connection), json.dumps(dict(CALL, call_id=f"feed-{number}")).encode())
        reader.join(20)
        self.assertEqual(len(first), 2)
        rest = []
        read(first[-1]["id"], 2, rest)
        ids = [int(e["id"]) for e in first + rest]
        self.assertEqual(ids, sorted(set(ids)))
        self.assertIn("external_id", first[0]["data"])

    def test_sync_of_each_provider_brings_every_call(self):
        # Would break: paging, authentication, mapping, checkpoints of any of the three.
        for provider in ("ringba", "retreaver", "trackdrive"):
            with self.subTest(provider):
                connection = self.add(provider)
                for stream in ("calls", "numbers", "campaigns"):
                    run = self.berthd.post(f"/v1/connections/{connection['id']}/streams/{stream}/sync")
                    done = wait_for(lambda: (lambda r: r if r["status"] not in ("queued", "running") else None)(
                        self.berthd.get(f"/v1/runs/{run['id']}")), 60, "the run to end")
                    self.assertEqual(done["status"], "success", done)
                stored = {r["external_id"]: r for r in self.berthd.all_items(f"/v1/records/call?connection={connection['id']}")}
                truth = self.mock.truth(provider)
                self.assertEqual(set(stored), {call["external_id"] for call in truth})
                for call in truth:
                    if call.get("revenue") is not None and stored[call["external_id"]].get("revenue") is not None:
                        self.assertAlmostEqual(float(stored[call["external_id"]]["revenue"]), float(call["revenue"]), places=4)

    def test_secrets_are_never_shown_again(self):
        # Would break: the vault, or a reply that echoes a credential.
        connection = self.add("ringba", webhook={"scheme": "hmac", "secret": "canary-webhook-secret"})
        shown = json.dumps(self.berthd.get(f"/v1/connections/{connection['id']}"))
        for canary in ("canary-webhook-secret", "mock-ringba-token"):
            self.assertNotIn(canary, shown)
            self.assertNotIn(canary, self.berthd.log())
            for suffix in ("", "-wal"):
                database = self.berthd.folder / ("berth.db" + suffix)
                if database.exists():
                    self.assertNotIn(canary.encode(), database.read_bytes())

    def test_control_socket_refuses_browsers_and_is_closed_to_others(self):
        # Would break: S11, S13.
        self.assertEqual(self.berthd.control("GET", "/v1/status", headers={"Origin": "http://evil.example"}).status, 403)
        self.assertEqual(stat.S_IMODE(self.berthd.socket.stat().st_mode), 0o660)
        self.assertEqual(self.berthd.control("GET", "/v1/nothing").status, 404)

    def test_unknown_things_are_refused_with_code_and_hint(self):
        # Would break: errors an operator can act on.
        answer = self.berthd.control("POST", "/v1/connections", {"provider": "rinba", "name": "x"})
        self.assertEqual(answer.status, 404, answer)
        self.assertIn("hint", answer.json)
        answer = self.berthd.control("POST", "/v1/connections", self.mock.connection("ringba", name="bad", streams={"callz": {"schedule": "every 5m"}}))
        self.assertEqual(answer.status, 400, answer)
        self.assertIn("calls", answer.body.decode())
        answer = self.berthd.control("POST", "/v1/connections", b'{"provider":"ringba","provider":"ringba"}')
        self.assertEqual(answer.status, 400, answer)
        self.assertEqual(self.berthd.webhook("/webhooks/nobody/none", b"{}").status, 404)

    def test_shown_addresses_can_be_called(self):
        # Would break: an address that is pasted into a provider's form and answers 404, or is no URL at all.
        for setting, begin in (('listen = "[::1]:0"', "http://[::1]:"), ('public_url = "https://x.example/base//"', "https://x.example/base/webhooks/")):
            berthd = Berthd()
            old = berthd.config.read_text()
            berthd.config.write_text(old.replace('listen = "127.0.0.1:0"', setting if setting.startswith("listen") else f'listen = "127.0.0.1:0"\n{setting}'))
            try:
                berthd.start()
                url = berthd.post("/v1/connections", self.mock.connection("ringba", streams={}))["webhook"]["url"]
                self.assertTrue(url.startswith(begin), url)
                path = urllib.parse.urlsplit(url).path.removeprefix("/base")  # as the proxy that the URL is of does
                self.assertEqual(berthd.webhook(path, b'{"event":"e","call_id":"1"}').status, 202)
            finally:
                berthd.stop()

    def test_health_metrics_and_openapi(self):
        # Would break: the operator's first three looks.
        self.assertEqual(self.berthd.webhook("/healthz", method="GET").status, 200)
        self.assertEqual(self.berthd.webhook("/readyz", method="GET").status, 200)
        health = self.berthd.get("/v1/health")
        self.assertIn("parts", health)
        metrics = self.berthd.control("GET", "/metrics").body.decode()
        for name in ("berth_webhooks_received_total", "berth_queue_depth", "process_resident_memory_bytes"):
            self.assertIn(name, metrics)
        document = self.berthd.get("/v1/openapi.json")
        self.assertIn("/v1/connections", document["paths"])

    def test_store_is_fully_synchronous(self):
        # Would break: power loss after a 2xx.
        health = self.berthd.get("/v1/health")
        self.assertIn("FULL", json.dumps(health).upper())
        rows = sqlite3.connect(f"file:{self.berthd.folder}/berth.db?mode=ro", uri=True).execute("PRAGMA integrity_check").fetchall()
        self.assertEqual(rows, [("ok",)])


if __name__ == "__main__":
    unittest.main(verbosity=2)
