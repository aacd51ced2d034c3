"""The plugin that misbehaves in every way of plugin-sdk/validator, as a bundle."""

from cplugin import bundle, manifest
from rig import ROOT

SOURCE = ROOT / "plugin-sdk" / "validator" / "evil.c"
EXPECTED = SOURCE.parent / "expected.txt"


def evil(folder, event_batch=8, version="1.0.0", defines=()):
    """Its bundle below `folder`: an event's `mode` says what it does, its `id` is the dedup key."""
    text = manifest("evil", f"""
[runtime]
event_deadline_seconds = 1
event_batch = {event_batch}
memory_mib = 64

[webhook]
methods = ["POST"]
schemes = ["token"]
default_scheme = "token"
event_kind = "json:/mode"
dedup_key = ["json:/id"]

[[streams]]
name = "calls"
entity = "call"
readable = false
""")
    return bundle(folder, "evil", SOURCE, text.replace('version = "1.0.0"', f'version = "{version}"'), defines)
