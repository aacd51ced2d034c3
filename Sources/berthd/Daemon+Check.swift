// `berthd --check`: what a start would look at, looked at beforehand. Nothing is made, opened for writing or listened on.

import BerthModel
import Foundation

extension Daemon {
    /// Throws what would stop a start; answers what would not, and is worth knowing.
    func check() throws(BerthError) -> [String] {
        var notices: [String] = []
        _ = try ListenAddress(configuration.text("server.listen"), setting: "server.listen")
        _ = try controlConfiguration(try InheritedSockets(environment: environment))
        let path = try storePath()
        _ = try pluginConfiguration(statePath: path)
        notices += try look(atStore: path)
        if let notice = try VaultOpening.check(configuration, environment, storePath: path) { notices.append(notice) }
        for directory in configuration.list("plugins.directories") where !isReadableFolder(directory) {
            // The default may be absent; a folder that somebody names is meant.
            guard let origin = configuration.origin("plugins.directories") else { continue }
            notices.append("plugins.directories: no plugin comes from \(directory), which can't be read (set by \(origin))")
        }
        let socketFolder = (configuration.text("control.socket") as NSString).deletingLastPathComponent
        if access(socketFolder, W_OK | X_OK) != 0 {
            notices.append(
                "control.socket: \(socketFolder) is not there or can't be written by this user; systemd makes it for the service")
        }
        return notices
    }

    private func look(atStore path: String) throws(BerthError) -> [String] {
        let folder = (path as NSString).deletingLastPathComponent
        var isFolder: ObjCBool = false
        func unfit(_ what: String) -> BerthError {
            configuration.blamed(
                "store.url",
                BerthError("configuration_invalid", "store.url: \(what)", hint: "the daemon's user must be able to write there"))
        }
        guard FileManager.default.fileExists(atPath: folder, isDirectory: &isFolder) else {
            var above = (folder as NSString).deletingLastPathComponent
            while above != "/", !FileManager.default.fileExists(atPath: above, isDirectory: &isFolder) {
                above = (above as NSString).deletingLastPathComponent
            }
            guard above == "/" || isFolder.boolValue else { throw unfit("\(folder) can't be made: \(above) is no folder") }
            return ["store.url: \(folder) is not there yet; systemd makes it for the service"]
        }
        guard isFolder.boolValue else { throw unfit("\(folder) is no folder") }
        guard access(folder, W_OK | X_OK) == 0 else { throw unfit("\(folder) can't be written by this user") }
        if FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) {
            guard !isFolder.boolValue else { throw unfit("\(path) is a folder") }
            guard access(path, R_OK | W_OK) == 0 else { throw unfit("\(path) can't be written by this user") }
        }
        return []
    }

    private func isReadableFolder(_ path: String) -> Bool {
        var isFolder: ObjCBool = false
        return FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) && isFolder.boolValue && access(path, R_OK | X_OK) == 0
    }
}
