"""The plugin that misbehaves in every way of plugin-sdk/validator, as a bundle."""

from cplugin import bundle, manifest
from rig import ROOT

SOURCE = ROOT / "plugin-sdk" / "validator" / "evil.c"
EXPECTED = SOURCE.parent / "expected.txt"
MANIFEST = manifest("evil", """
[runtime]
event_deadline_seconds = 1
event_batch = 8
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


def evil(folder, event_batch=8):
    """Its bundle below `folder`: an event's `mode` says what it does, its `id` is the dedup key."""
    return bundle(folder, "evil", SOURCE, MANIFEST.replace("event_batch = 8", f"event_batch = {event_batch}"))
