"""Man pages and completions are what the programs say of themselves, and what install puts where shells and man look."""

import filecmp
import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

from rig import BIN, ROOT

PAGES = ("berthd.8", "berthctl.1", "berth.toml.5")


def commands(command, words=()):
    """Every command's words, as its own dump tells them."""
    words = (*words, command["commandName"])
    yield words, command
    for inner in command.get("subcommands", []):
        if inner["commandName"] != "help":
            yield from commands(inner, words)


class Manual(unittest.TestCase):
    def test_pages_are_what_the_programs_say(self):
        # Would break: a new option or setting that the manual does not know. Scripts/man writes the pages again.
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run([str(ROOT / "Scripts" / "man"), str(BIN), folder], check=True)
            for name in PAGES:
                self.assertTrue(filecmp.cmp(pathlib.Path(folder) / name, ROOT / "docs" / "man" / name, shallow=False),
                                f"docs/man/{name} is not what the programs say: run Scripts/man")

    def test_every_setting_option_and_command_is_there(self):
        # Would break: the script itself, when the programs' dumps change their form.
        text = {name: (ROOT / "docs" / "man" / name).read_text().replace("\\-", "-") for name in PAGES}
        settings = re.findall(r"^(\S+)  \((BERTH_\w+)", subprocess.run([str(BIN / "berthd"), "--help-config"], capture_output=True, text=True).stdout, re.M)
        self.assertGreater(len(settings), 25)
        for name, environment in settings:
            self.assertIn(f".B {name.split('.')[1]}\n", text["berth.toml.5"])
            self.assertIn(environment, text["berth.toml.5"])
        for program, page in (("berthd", "berthd.8"), ("berthctl", "berthctl.1")):
            dump = json.loads(subprocess.run([str(BIN / program), "--experimental-dump-help"], capture_output=True, text=True).stdout)
            for words, command in commands(dump["command"]):
                if words[1:] and not command.get("subcommands"):
                    self.assertIn(".SS " + " ".join(words[1:]), text[page])
                for argument in command.get("arguments", []):
                    for name in argument.get("names", []):
                        self.assertIn("--" + name["name"] if name["kind"] == "long" else "-" + name["name"], text[page])

    @unittest.skipUnless(shutil.which("groff"), "groff is not installed")
    def test_pages_are_sound_roff(self):
        # Would break: a text with a dot at the start of a line, a lone backslash.
        for name in PAGES:
            done = subprocess.run(["groff", "-man", "-Tutf8", "-ww", "-z", str(ROOT / "docs" / "man" / name)], capture_output=True, text=True)
            self.assertEqual((done.returncode, done.stderr), (0, ""), name)


class Installed(unittest.TestCase):
    def test_manual_and_completions_are_installed(self):
        # Would break: pages and completions that exist and nobody finds.
        with tempfile.TemporaryDirectory() as folder:
            checkout, root = pathlib.Path(folder) / "checkout", pathlib.Path(folder) / "root"
            release = checkout / ".build" / "release"
            release.mkdir(parents=True)
            for name in ("berthd", "berthctl", "berth-worker"):
                os.symlink(BIN / name, release / name)
            bundle = checkout / ".build" / "bundles" / "none"
            bundle.mkdir(parents=True)
            shutil.copy(release / "berth-worker", bundle / "none.so")
            for name in ("Scripts", "docs", "etc"):
                shutil.copytree(ROOT / name, checkout / name)
            subprocess.run([str(checkout / "Scripts" / "install"), str(root), "/usr"], check=True, capture_output=True)
            share = root / "usr" / "share"
            for name in PAGES:
                self.assertTrue((share / "man" / f"man{name[-1]}" / name).read_text().count(".SH") > 4)
            bash = share / "bash-completion" / "completions" / "berthctl"
            subprocess.run(["bash", "-n", str(bash)], check=True)
            self.assertIn("#compdef berthctl", (share / "zsh" / "vendor-completions" / "_berthctl").read_text())
            self.assertIn("complete -c 'berthctl'", (share / "fish" / "vendor_completions.d" / "berthctl.fish").read_text())
            # The shell itself, asked what may follow.
            words = subprocess.run(
                ["bash", "-c", f"source {bash}; COMP_WORDS=(berthctl conn); COMP_CWORD=1; COMP_LINE='berthctl conn'; COMP_POINT=13; "
                 "_berthctl berthctl conn berthctl; echo ${COMPREPLY[@]}"], capture_output=True, text=True).stdout
            self.assertIn("connection", words)


if __name__ == "__main__":
    unittest.main(verbosity=2)
