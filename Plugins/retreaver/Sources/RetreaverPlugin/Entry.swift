// The library's one exported function. It stands in a target of its own so that tests of several adapters fit into one
// program.

import BerthPluginSDK
import RetreaverAdapter

/// `berth_plugin_entry_v1` of the Retreaver plugin.
@c(berth_plugin_entry_v1)
public func entry(host: UnsafeRawPointer, out: UnsafeMutableRawPointer) -> Int32 {
    BerthPlugin.export(RetreaverAdapter.self, host: host, out: out)
}
