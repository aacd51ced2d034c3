"""Signed bundles: with [plugins] require_signature only what a trusted key signed is loaded; keys and signatures made by openssl."""

import base64
import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

from cplugin import SDK, bundle, manifest
from rig import BIN, BUNDLES, Berthd, Mock

TEMPLATE = SDK / "template" / "phonebox.c"


def openssl(*arguments):
    return subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True).stdout


class SignedPlugins(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="berth-signed-"))
        self.bundles = self.folder / "bundles"
        self.bundles.mkdir()
        for name in ("acme", "stranger"):
            openssl("genpkey", "-algorithm", "ed25519", "-out", self.folder / f"{name}.key")
            os.chmod(self.folder / f"{name}.key", 0o600)
            openssl("pkey", "-in", self.folder / f"{name}.key", "-pubout", "-out", self.folder / f"{name}.pem")
        self.berthd = None

    def tearDown(self):
        if self.berthd:
            self.berthd.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def daemon(self, keys=("acme",), required=True):
        # In the table [plugins] of the rig's file.
        berthd = Berthd(self.folder / "state", bundles=self.bundles)
        text = berthd.config.read_text()
        keys = ", ".join(f'"{self.folder}/{key}.pem"' for key in keys)
        berthd.config.write_text(text.replace("[plugins]\n", f"[plugins]\ntrusted_keys = [{keys}]\nrequire_signature = {str(required).lower()}\n"))
        self.berthd = berthd
        return berthd

    def make(self, name, folder=None):
        return bundle(folder or self.bundles, name, TEMPLATE, manifest(name))

    def sign(self, target, key="acme", *arguments):
        return subprocess.run(
            [BIN / "berth-plugin-check", "sign", target, "--key", self.folder / f"{key}.key", *arguments], capture_output=True, text=True)

    def test_only_what_a_trusted_key_signed_is_loaded(self):
        # Would break: a bundle from anywhere, or one changed after signing, runs where the company signs its plugins.
        good = self.make("good")
        self.assertEqual(self.sign(good).returncode, 0)
        by_hand = self.make("by-hand")
        signature = openssl("pkeyutl", "-sign", "-rawin", "-inkey", self.folder / "acme.key", "-in", by_hand / "plugin.toml")
        (by_hand / "plugin.toml.sig").write_text(base64.b64encode(signature).decode())
        both = self.make("both")
        self.sign(both, "stranger")
        self.sign(both, "acme", "--add")
        self.make("unsigned")
        self.sign(self.make("foreign"), "stranger")
        changed = self.make("changed")
        self.sign(changed)
        (changed / "plugin.toml").write_text((changed / "plugin.toml").read_text() + "\n# one more line\n")
        swapped = self.make("swapped")
        self.sign(swapped)
        library = swapped / "libswapped.so"
        library.write_bytes(library.read_bytes() + b"\0")
        unsealed = self.make("unsealed")
        text = (unsealed / "plugin.toml").read_text()
        start = text.index('sha256 = "') + 10
        (unsealed / "plugin.toml").write_text(text[:start] + text[start + 64:])
        self.assertNotEqual(self.sign(unsealed).returncode, 0)
        signature = openssl("pkeyutl", "-sign", "-rawin", "-inkey", self.folder / "acme.key", "-in", unsealed / "plugin.toml")
        (unsealed / "plugin.toml.sig").write_text(base64.b64encode(signature).decode())
        garbage = self.make("garbage")
        (garbage / "plugin.toml.sig").write_bytes(os.urandom(100))
        berthd = self.daemon().start()
        wanted = {
            "good": None, "by-hand": None, "both": None, "unsigned": "signature_missing", "foreign": "signature_unknown",
            "changed": "signature_unknown", "swapped": "library_digest_mismatch", "unsealed": "library_unsealed", "garbage": "signature_invalid",
        }
        plugins = {plugin["id"]: plugin for plugin in berthd.get("/v1/plugins")["items"]}
        self.assertEqual({name: (plugin.get("problem") or {}).get("code") for name, plugin in plugins.items()}, wanted)
        for name, plugin in plugins.items():
            self.assertEqual(plugin.get("signed_by"), "acme" if wanted[name] is None else None, name)
            if wanted[name]:
                self.assertIn(str(self.bundles / name), plugin["problem"]["detail"])
                self.assertTrue(plugin["problem"]["hint"], name)
        # Installing and reloading ask the same, and what was in service stays there.
        install = lambda path: berthd.control("POST", "/v1/plugins", {"path": str(path)})
        answer = install(self.make("good", self.folder / "next"))
        self.assertEqual((answer.status, answer.json["code"]), (422, "signature_missing"), answer)
        self.assertEqual(berthd.get("/v1/plugins/good")["state"], "ready")
        self.sign(self.folder / "next" / "good")
        self.assertEqual(install(self.folder / "next" / "good").json["signed_by"], "acme")
        (self.bundles / "by-hand" / "plugin.toml.sig").unlink()
        answer = berthd.control("POST", "/v1/plugins/by-hand/reload", {})
        self.assertEqual((answer.status, answer.json["code"]), (422, "signature_missing"), answer)
        self.assertEqual(berthd.get("/v1/plugins/by-hand")["state"], "ready")

    def test_without_the_rule_signatures_are_shown_and_nothing_is_refused(self):
        # Would break: an upgrade that begins to trust keys stops every unsigned plugin.
        self.sign(self.make("good"))
        self.make("unsigned")
        self.sign(self.make("foreign"), "stranger")
        berthd = self.daemon(required=False).start()
        plugins = berthd.get("/v1/plugins")["items"]
        self.assertEqual({p["id"]: (p["state"], p.get("signed_by")) for p in plugins},
                         {"good": ("ready", "acme"), "unsigned": ("ready", None), "foreign": ("ready", None)})

    def test_wrong_keys_are_told_at_start(self):
        # Would break: a key file that is missing or of another kind lets everything in, or nothing, and nobody knows why.
        openssl("genpkey", "-algorithm", "ed25519", "-out", self.folder / "private.pem")
        openssl("genpkey", "-algorithm", "rsa", "-out", self.folder / "rsa.key")
        openssl("pkey", "-in", self.folder / "rsa.key", "-pubout", "-out", self.folder / "rsa.pem")
        for keys, word in ((("nowhere",), "can't be read"), (("rsa",), "no PEM file with an Ed25519 public key"),
                           (("private",), "no PEM file with an Ed25519 public key"), ((), "no key is trusted")):
            berthd = self.daemon(keys)
            berthd.start(wait=False)
            self.assertEqual(berthd.process.wait(15), 78, (keys, berthd.log()))
            self.assertIn(word, berthd.log())
            self.assertIn(str(berthd.config), berthd.log())
            self.assertNotIn("PRIVATE KEY-----", berthd.log())
            shutil.rmtree(berthd.folder, ignore_errors=True)

    def test_a_private_key_others_may_read_signs_nothing(self):
        # Would break: the company's signing key lies open and nobody notices.
        os.chmod(self.folder / "acme.key", 0o644)
        done = self.sign(self.make("good"))
        self.assertEqual(done.returncode, 65)
        self.assertIn("chmod 600", done.stderr)


class Removal(unittest.TestCase):
    def test_a_plugin_in_use_is_not_removed_by_the_way(self):
        # Would break: one command in the wrong terminal stops every webhook of a provider.
        mock = Mock(("ringba",), ["--calls", "5"])
        berthd = Berthd(bundles=BUNDLES).start()
        try:
            connection = berthd.post("/v1/connections", mock.connection("ringba"))
            answer = berthd.control("DELETE", "/v1/plugins/ringba")
            self.assertEqual(answer.status, 409, answer)
            self.assertIn(connection["name"], answer.json["detail"])
            self.assertIn("--force", answer.json["hint"])
            self.assertEqual(berthd.control("DELETE", "/v1/plugins/ringba?force=perhaps").status, 400)
            self.assertEqual(berthd.get("/v1/plugins/ringba")["state"], "ready")
            self.assertEqual(berthd.control("DELETE", "/v1/plugins/ringba?force=true").status, 204)
            self.assertEqual(berthd.control("GET", "/v1/plugins/ringba").status, 404)
        finally:
            berthd.stop()
            mock.stop()
            shutil.rmtree(berthd.folder, ignore_errors=True)


if __name__ == "__main__":
    unittest.main(verbosity=2)
