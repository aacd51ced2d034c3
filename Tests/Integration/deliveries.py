"""A daemon beside a mock, connections on it, and deliveries to them: what tests of the listener begin with."""

import hashlib
import hmac
import unittest
import urllib.parse
import uuid

from rig import BUNDLES, Berthd, Mock, wait_for

SECRET = "a-shared-secret-of-the-test"
CALL = {"event": "completed", "caller": "+12025550143", "revenue": "10.00"}


class Daemon(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.mock = Mock()
        cls.berthd = Berthd(bundles=cls.bundles()).start()

    @classmethod
    def bundles(cls):
        return BUNDLES

    @classmethod
    def tearDownClass(cls):
        cls.berthd.stop()
        cls.mock.stop()

    def add(self, provider="ringba", expect=(201,), **changes):
        body = self.mock.connection(provider, **{"name": f"t{uuid.uuid4().hex[:10]}", "streams": {}, **changes})
        return self.berthd.post("/v1/connections", body, expect=expect)

    def path(self, connection):
        return urllib.parse.urlsplit(connection["webhook"]["url"]).path

    def signed(self, connection, body, query="", method="POST", text=None):
        signature = hmac.new(SECRET.encode(), body if text is None else text, hashlib.sha256).hexdigest()
        return self.berthd.webhook(self.path(connection) + query, body, {connection["webhook"]["header"]: signature}, method=method)

    def settled(self, event):
        def look():
            shown = self.berthd.event(event)
            return shown if shown["state"] in ("completed", "discarded") else None
        return wait_for(look, what=f"event {event} to settle")

    def record(self, connection, call):
        items = self.berthd.get(f"/v1/records/call?connection={connection['id']}&external_id={call}")["items"]
        return items[0] if items else None
