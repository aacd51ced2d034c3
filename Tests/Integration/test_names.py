"""Whose a delivery or a command is, ids say before names."""

import json
import sqlite3
import unittest

import deliveries
from deliveries import CALL
from rig import wait_for


class Names(deliveries.Daemon):
    def test_ids_come_before_names(self):
        # Would break: a connection named like another's id, which took that one's deliveries and its commands.
        mine = self.add(workspace="one")
        for answer in (self.berthd.control("POST", "/v1/connections", self.mock.connection("ringba", name=mine["id"], workspace="two")),
                       self.berthd.control("PATCH", f"/v1/connections/{self.add()['id']}", {"name": mine["id"]})):
            self.assertEqual(answer.status, 400)
            self.assertIn("form of a connection's id", answer.json["detail"])
        # One of before.
        other = self.add(workspace="two")
        self.berthd.stop()
        with sqlite3.connect(self.berthd.folder / "berth.db") as database:
            database.execute("UPDATE connection SET name = ? WHERE id = ?", (mine["id"], other["id"]))
        database.close()
        self.berthd.start()
        self.assertEqual(self.berthd.get(f"/v1/connections/{other['id']}")["name"], mine["id"])
        self.assertEqual(self.berthd.webhook(self.path(mine), json.dumps({**CALL, "call_id": "mine"}).encode()).status, 202)
        wait_for(lambda: self.record(mine, "mine"), what="the record of the first")
        self.assertEqual(self.berthd.get(f"/v1/connections/{mine['id']}")["id"], mine["id"])
        self.assertEqual(self.berthd.control("DELETE", f"/v1/connections/{mine['id']}").status // 100, 2)
        self.assertEqual(self.berthd.control("DELETE", f"/v1/connections/{mine['id']}").status, 404)
        self.assertEqual(self.berthd.webhook(self.path(mine), b"{}").status, 404)
        self.assertEqual(self.berthd.webhook(self.path(other), json.dumps({**CALL, "call_id": "other"}).encode()).status, 202)


if __name__ == "__main__":
    unittest.main(verbosity=2)
