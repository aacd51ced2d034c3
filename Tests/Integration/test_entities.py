"""Entities that plugins bring: one that can't be kept refuses its plugin alone, at start, by install and by reload."""

import pathlib
import shutil
import tempfile
import unittest

from cplugin import SDK, bundle, manifest
from rig import Berthd


def entity(name, field='name = "amount", type = "decimal"'):
    return f'\n[[entities]]\nname = "{name}"\nfields = [ {{ {field} }} ]\n'


class Entities(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="berth-entities-"))
        cls.good = bundle(cls.folder / "good", "phonebox", SDK / "template" / "phonebox.c", manifest("phonebox"))

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.folder, ignore_errors=True)

    def setUp(self):
        self.bundles = pathlib.Path(tempfile.mkdtemp(prefix="bundles-", dir=self.folder))
        self.elsewhere = pathlib.Path(tempfile.mkdtemp(prefix="elsewhere-", dir=self.folder))
        self.berthd = None

    def tearDown(self):
        if self.berthd:
            self.berthd.stop()

    def make(self, folder, name, extra):
        target = folder / name
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir()
        library = self.good / "libphonebox.so"
        shutil.copy(library, target / f"lib{name}.so")
        text = (self.good / "plugin.toml").read_text().replace('id = "phonebox"', f'id = "{name}"').replace("libphonebox.so", f"lib{name}.so")
        (target / "plugin.toml").write_text(text + extra)
        return target

    def start(self):
        self.berthd = Berthd(bundles=self.bundles).start()

    def plugins(self):
        return {plugin["id"]: plugin for plugin in self.berthd.get("/v1/plugins")["items"]}

    def test_names_that_meet_in_the_database_are_all_kept(self):
        # Would break: a plugin whose table is called like another's, or like an index, and the daemon does not start.
        self.make(self.bundles, "one", entity("call_status"))
        self.make(self.bundles, "two", entity("bid-x", 'name = "y", type = "string", indexed = true'))
        self.make(self.bundles, "three", entity("bid_x", 'name = "y", type = "string", indexed = true'))
        self.make(self.bundles, "four", entity("bid", 'name = "x_y", type = "integer", indexed = true'))
        self.start()
        self.assertEqual({plugin["state"] for plugin in self.plugins().values()}, {"ready"}, self.plugins())
        for name in ("call_status", "bid-x", "bid_x", "bid"):
            self.assertEqual(self.berthd.get(f"/v1/records/{name}")["items"], [])

    def test_a_field_called_like_a_common_column_is_refused_with_its_place(self):
        # Would break: the daemon that does not start for `id`, and names no plugin.
        fields = ("id", "raw", "workspace", "source_time", "x" * 64)
        for number, field in enumerate(fields):
            self.make(self.bundles, f"bad{number}", entity("lead", f'name = "{field}", type = "string"'))
        self.make(self.bundles, "good", entity("lead"))
        self.start()
        plugins = self.plugins()
        for number, field in enumerate(fields):
            problem = plugins[f"bad{number}"]["problem"]
            self.assertIn(f'entities[0].fields[0].name: "{field}"', problem["detail"])
            self.assertTrue(problem["hint"])
        self.assertEqual(plugins["good"]["state"], "ready")

    def test_another_type_refuses_one_plugin_at_start_by_install_and_by_reload(self):
        # Would break: a refused install or reload that takes the daemon down at its next start.
        text = entity("lead", 'name = "amount", type = "string"')
        self.make(self.bundles, "first", entity("lead"))
        self.make(self.bundles, "second", text)
        self.start()
        plugins = self.plugins()
        self.assertEqual((plugins["first"]["state"], plugins["second"]["state"]), ("ready", "refused"))
        self.assertIn("plugin second: entity 'lead': field 'amount'", plugins["second"]["problem"]["detail"])
        self.assertIn("plugin first", plugins["second"]["problem"]["detail"])

        answer = self.berthd.control("POST", "/v1/plugins", {"path": str(self.make(self.elsewhere, "third", text))})
        self.assertEqual(answer.status, 409, answer)
        self.assertTrue(answer.json["hint"])
        self.assertNotIn("third", self.plugins())
        self.assertFalse((self.berthd.folder / "plugins" / "third").exists(), "a refused bundle was kept")

        self.make(self.bundles, "first", text)
        answer = self.berthd.control("POST", "/v1/plugins/first/reload")
        self.assertEqual(answer.status, 409, answer)
        first = self.plugins()["first"]
        self.assertEqual((first["state"], first["generation"]), ("ready", 1), first)

        # Whatever lies in the folders, the next start is one.
        self.berthd.stop()
        self.berthd.start()
        self.assertEqual({plugin["state"] for plugin in self.plugins().values()}, {"refused"})
        # With the type that is stored it is taken again, without a restart.
        self.make(self.bundles, "first", entity("lead"))
        answer = self.berthd.control("POST", "/v1/plugins/first/reload")
        self.assertEqual((answer.status, answer.json["state"]), (200, "ready"), answer)


if __name__ == "__main__":
    unittest.main(verbosity=2)
