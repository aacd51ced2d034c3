"""Builds plugins in C with nothing but cc and plugin-sdk/c, outside the tree."""

import hashlib
import pathlib
import platform
import subprocess

from rig import ROOT

SDK = ROOT / "plugin-sdk" / "c"


def bundle(folder, plugin_id, source, manifest, defines=()):
    """A bundle folder `folder/plugin_id`; the library is compiled, its digest stands in the manifest."""
    target = pathlib.Path(folder) / plugin_id
    target.mkdir(parents=True, exist_ok=True)
    library = target / f"lib{plugin_id}.so"
    subprocess.run(
        ["cc", "-std=c11", "-O1", "-w", "-fPIC", "-fvisibility=hidden", f"-I{SDK}/include", "-shared", f"-Wl,--version-script={SDK}/berth.map",
         *[f"-D{name}" for name in defines], "-o", str(library), str(source)], check=True)
    digest = hashlib.sha256(library.read_bytes()).hexdigest()
    (target / "plugin.toml").write_text(manifest + f"""
[library]
linux-{platform.machine()} = {{ file = "lib{plugin_id}.so", sha256 = "{digest}" }}
""")
    return target


def manifest(plugin_id, extra=""):
    return f"""manifest_version = 1
id = "{plugin_id}"
name = "{plugin_id}"
version = "1.0.0"
publisher = "test"
license = "Apache-2.0"
abi = 1
state_schema = 1
{extra}"""
