"""An orderly end under load: exit status 0, soon, and nothing acknowledged lost."""

import time
import unittest
import urllib.parse

from rig import Berthd, Mock, wait_for
from test_exhaustion import Sender
from wire import Wire


class Shutdown(unittest.TestCase):
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
