"""A record's original is told as it came, whatever numbers a provider writes."""

import json
import subprocess
import sys
import unittest
import urllib.parse

from rig import BIN, Berthd, Mock, wait_for

sys.set_int_max_str_digits(0)
NUMBERS = ["1e400", "-1e999", "1" * 5000, "12345678901234567890", "0.10000000000000000001", "25.00", "-0", "1E5", "9007199254740993"]


class Originals(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.mock = Mock()
        cls.berthd = Berthd().start()
        cls.connection = cls.berthd.post("/v1/connections", cls.mock.connection("ringba", streams={}), expect=(201,))

    @classmethod
    def tearDownClass(cls):
        cls.berthd.stop()
        cls.mock.stop()

    def ctl(self, *arguments):
        done = subprocess.run([str(BIN / "berthctl"), *arguments, "--socket", str(self.berthd.socket)], capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def test_numbers_are_told_as_they_were_written(self):
        # Would break: one 1e400 in one delivery, and no list of its connection's records can be read any more; money rounded.
        path = urllib.parse.urlsplit(self.connection["webhook"]["url"]).path
        originals = {}
        for index, number in enumerate(NUMBERS):
            # Order, blanks and a repeated member are part of an original too.
            originals[f"n{index}"] = '{"z": %s, "call_id":"n%d","event":"completed","revenue":"1","a":[%s]}' % (number, index, number)
            self.assertEqual(self.berthd.webhook(path, originals[f"n{index}"].encode()).status, 202)
        deep = "[" * 126 + "]" * 126
        originals["deep"] = '{"call_id":"deep","event":"completed","v":%s}' % deep
        self.berthd.webhook(path, originals["deep"].encode())
        listed = wait_for(
            lambda: (lambda answer: answer if answer.status != 200 or len(answer.json["items"]) == len(originals) else None)(
                self.berthd.control("GET", "/v1/records/call")), what="all records")
        self.assertEqual(listed.status, 200, listed)
        table = self.ctl("record", "list", "call")
        records = self.ctl("record", "list", "call", "--output", "json")
        for name, original in originals.items():
            self.assertIn('"raw":' + original, listed.body.decode(), name)
            self.assertIn('"raw":' + original, records, name)
            self.assertIn(name, table)
        for item in listed.json["items"]:
            one = self.berthd.control("GET", f"/v1/records/call/{item['id']}")
            self.assertEqual(one.status, 200)
            self.assertIn('"raw":' + originals[item["external_id"]], one.body.decode())
            self.assertIn(originals[item["external_id"]], self.ctl("record", "show", "call", item["id"], "--output", "json"))
        exact = next(item["id"] for item in listed.json["items"] if item["external_id"] == "n3")
        self.assertIn("z: 12345678901234567890", self.ctl("record", "show", "call", exact))

    def test_events_and_lists_of_another_kind_stay_json(self):
        # Would break: an answer that is put together by hand and is no JSON.
        for path in ("/v1/records/call?limit=1", "/v1/events?limit=1", "/v1/connections"):
            self.assertIsInstance(json.loads(self.berthd.control("GET", path).body)["items"], list)


if __name__ == "__main__":
    unittest.main(verbosity=2)
