// The library's one exported function. It stands in a target of its own so that tests of several adapters fit into one
// program.

import BerthPluginSDK
import TrackDriveAdapter

/// `berth_plugin_entry_v1` of the TrackDrive plugin.
@c(berth_plugin_entry_v1)
public func entry(host: UnsafeRawPointer, out: UnsafeMutableRawPointer) -> Int32 {
    BerthPlugin.export(TrackDriveAdapter.self, host: host, out: out)
}
