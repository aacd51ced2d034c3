// The library's one exported function.

import BerthPluginSDK
import CallboxAdapter

/// `berth_plugin_entry_v1` of the Callbox plugin.
@c(berth_plugin_entry_v1)
public func entry(host: UnsafeRawPointer, out: UnsafeMutableRawPointer) -> Int32 {
    BerthPlugin.export(CallboxAdapter.self, host: host, out: out)
}
