"""An orderly end under load: exit status 0, soon, and nothing acknowledged lost."""

import time
import unittest
import urllib.parse

from rig import Berthd, Mock, wait_for
from test_exhaustion import Sender
from wire import Wire


class Shutdown(unittest.TestCase):
    def test_a_held_daemon_takes_in_and_does_nothing_else(self):
        # Would break: what ends each daemon within a second of its start leaves nobody the time to pause it.
        mock = Mock(("ringba",), ["--calls", "50"])
        berthd = Berthd().start(arguments=("--hold",))
        try:
            connection = berthd.post("/v1/connections", mock.connection("ringba", streams={"calls": {"schedule": "every 1s"}}))
            event = berthd.deliver(connection, {"event": "completed", "call_id": "held"})
            run = berthd.post(f"/v1/connections/{connection['id']}/streams/calls/sync")
            time.sleep(2.5)
            self.assertEqual((berthd.event(event)["state"], berthd.get(f"/v1/runs/{run['id']}")["status"]), ("available", "queued"))
            health = berthd.get("/v1/health")
            self.assertEqual((health["status"], [p["status"] for p in health["parts"] if p["name"] == "work"]), ("degraded", ["degraded"]))
            berthd.stop()
            berthd.start()
            wait_for(lambda: berthd.event(event)["state"] == "completed", 20, "the event")
            wait_for(lambda: berthd.get(f"/v1/runs/{run['id']}")["status"] == "success", 20, "the run")
            self.assertEqual([p for p in berthd.get("/v1/health")["parts"] if p["name"] == "work"], [])
        finally:
            berthd.stop()
            mock.stop()

    def test_stopping_under_load_loses_nothing_and_ends_soon(self):
        # Would break: R12: connections that come while the listener ends, open feeds and half requests holding up the end.
        mock = Mock(("ringba",), ["--calls", "5"])
        berthd = Berthd().start()
        try:
            connection = berthd.post("/v1/connections", mock.connection("ringba", streams={}))
            path = urllib.parse.urlsplit(connection["webhook"]["url"]).path
            acknowledged = []
            for _ in range(4):
                senders = [Sender(berthd, path) for _ in range(4)]
                feed = Wire(berthd.socket)
                feed.send("GET /v1/feed HTTP/1.1", "Host: b")
                idle, half = Wire(berthd.url), Wire(berthd.url)
                half.send(f"POST {path} HTTP/1.1", "Host: b", "Content-Length: 10", body=b"abc")
                wait_for(lambda: all(len(sender.acknowledged) > 3 for sender in senders), 20, "deliveries")
                began = time.monotonic()
                self.assertEqual(berthd.stop(), 0, berthd.log()[-2000:])
                self.assertLess(time.monotonic() - began, 8)
                self.assertNotIn("Fatal error", berthd.log())
                for sender in senders:
                    sender.stop()
                    acknowledged += sender.acknowledged
                for wire in (feed, idle, half):
                    wire.socket.close()
                berthd.start()
            stored = {event["id"] for event in berthd.all_items("/v1/events")}
            self.assertEqual(set(acknowledged) - stored, set())
        finally:
            berthd.stop()
            mock.stop()


if __name__ == "__main__":
    unittest.main(verbosity=2)
