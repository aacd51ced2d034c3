"""What a signature does not cover is kept and not believed; what a token proves is believed whole."""

import base64
import hashlib
import hmac
import json
import pathlib
import shutil
import tempfile
import time
import unittest

import deliveries
from deliveries import CALL, SECRET
from rig import BUNDLES, wait_for


class Signed(deliveries.Daemon):
    def test_a_captured_request_is_no_new_one_with_another_query(self):
        # Would break: a signature over the body as the proof of whatever somebody writes into the query.
        for provider, name in (("ringba", "call_id"), ("retreaver", "call_uuid"), ("trackdrive", "uuid")):
            connection = self.add(provider, webhook={"scheme": "hmac", "secret": SECRET})
            body = json.dumps({**CALL, name: "genuine"}).encode()
            first = self.signed(connection, body)
            self.settled(first.json["id"] if first.body else self.berthd.get(f"/v1/events?connection={connection['id']}")["items"][0]["id"])
            before = self.record(connection, "genuine")
            for query in ("?event=adjusted&payout=5000&revenue=9999.99", f"?{name}=forged", "?x=1"):
                self.assertEqual(self.signed(connection, body, query).status, first.status)
            self.assertEqual(self.signed(connection, body, method="PUT").status, first.status)
            self.assertEqual(len(self.berthd.get(f"/v1/events?connection={connection['id']}")["items"]), 1, provider)
            self.assertEqual((self.record(connection, "genuine"), self.record(connection, "forged")), (before, None))

    def test_a_signature_over_nothing_proves_nothing(self):
        # Would break: one signature over an empty body, good for every pixel that somebody thinks up.
        connection = self.add(webhook={"scheme": "hmac", "secret": SECRET})
        refused = self.signed(connection, b"", "?call_id=forged&event=completed&revenue=7777", method="GET")
        self.assertEqual((refused.status, refused.headers["content-type"].split(";")[0]), (401, "application/problem+json"))
        said = wait_for(lambda: self.berthd.get(f"/v1/audit?kind=webhook.refused&connection={connection['id']}")["items"], what="the refusal")
        self.assertIn("content_unsigned", said[0]["detail"])
        self.assertEqual(self.berthd.get(f"/v1/events?connection={connection['id']}")["items"], [])

    def test_a_query_beside_a_signed_body_is_kept_for_people_also_over_replay_and_restart(self):
        # Would break: the rule at the first attempt only; or evidence thrown away.
        connection = self.add(webhook={"scheme": "hmac", "secret": SECRET})
        body = json.dumps({**CALL, "call_id": "beside"}).encode()
        event = self.signed(connection, body, "?event=adjusted&payout=5000&call_id=other").json["id"]
        for again in (False, True):
            if again:
                self.berthd.stop()
                self.berthd.start()
                self.berthd.post(f"/v1/events/{event}/replay")
            shown = self.settled(event)
            self.assertEqual((shown["state"], shown["kind"], shown["query"]), ("completed", "completed", "event=adjusted&payout=5000&call_id=other"))
            self.assertIn("query", shown["unproven"])
            record = self.record(connection, "beside")
            self.assertEqual((record["revenue"], record.get("payout"), self.record(connection, "other")), ("10.00", None, None))

    def test_standard_webhooks(self):
        # Would break: the same for the other scheme that signs.
        key = b"k" * 24
        connection = self.add(webhook={"scheme": "standard-webhooks", "secret": "whsec_" + base64.b64encode(key).decode()})
        moment = str(int(time.time()))

        def send(body, query="", method="POST"):
            code = hmac.new(key, f"m1.{moment}.".encode() + body, hashlib.sha256).digest()
            headers = {"webhook-id": "m1", "webhook-timestamp": moment, "webhook-signature": "v1," + base64.b64encode(code).decode()}
            return self.berthd.webhook(self.path(connection) + query, body, headers, method=method)

        body = json.dumps({**CALL, "call_id": "standard"}).encode()
        self.settled(send(body).json["id"])
        self.assertTrue(send(body, "?event=x2&payout=5000&converted=1").json["duplicate"])
        self.assertEqual(send(b"", "?call_id=forged&event=x", method="GET").status, 401)

    def test_a_token_proves_the_whole(self):
        # Would break: the pixels of all three providers.
        for provider, name in (("ringba", "call_id"), ("retreaver", "call_uuid"), ("trackdrive", "uuid")):
            connection = self.add(provider)
            self.assertEqual(self.berthd.webhook(f"{self.path(connection)}?{name}=pixel&event=call_end&revenue=7", method="GET").status // 100, 2)
            record = wait_for(lambda: self.record(connection, "pixel"), what=f"the pixel of {provider}")
            event = self.berthd.event(self.berthd.get(f"/v1/events?connection={connection['id']}")["items"][0]["id"])
            self.assertNotIn("unproven", event)
            self.assertEqual(event["kind"], "call_end", record)


class SignedQuery(deliveries.Daemon):
    @classmethod
    def bundles(cls):
        folder = pathlib.Path(tempfile.mkdtemp(prefix="berth-bundles-"))
        shutil.copytree(BUNDLES / "ringba", folder / "ringba")
        manifest = folder / "ringba" / "plugin.toml"
        text = manifest.read_text()
        assert 'signed = ["body"]' in text
        manifest.write_text(text.replace('signed = ["body"]', 'signed = ["query", "body"]'))
        return folder

    def test_a_query_that_is_signed_is_believed(self):
        # Would break: providers that sign their address.
        connection = self.add(webhook={"scheme": "hmac", "secret": SECRET})
        query = b"call_id=signed&event=completed&revenue=7"
        event = self.signed(connection, b"", "?" + query.decode(), method="GET", text=query).json["id"]
        self.assertEqual(self.settled(event)["kind"], "completed")
        self.assertEqual(self.record(connection, "signed")["revenue"], "7")
        self.assertEqual(self.signed(connection, b"", "?" + query.decode() + "&payout=5", method="GET", text=query).status, 401)


if __name__ == "__main__":
    unittest.main(verbosity=2)
