// `berthd --check`: what a start would look at, looked at beforehand. Nothing is made, opened for writing or listened on.

import BerthModel
import BerthServer
import BerthStoreSQLite
import Foundation

extension Daemon {
    /// Throws what would stop a start; answers what would not, and is worth knowing.
    func check() throws(BerthError) -> [String] {
        var notices: [String] = []
        let address = try ListenAddress(configuration.text("server.listen"), setting: "server.listen")
        let inherited = try InheritedSockets(environment: environment)
        if inherited.descriptor("public") == nil { try lookForAddress(address) }
        let control = try controlConfiguration(inherited)
        if control.descriptor == nil {
            do throws(BerthError) { try ControlServer.check(socket: control.socket) } catch {
                throw configuration.blamed("control.socket", error)
            }
        }
        let path = try storePath()
        _ = try pluginConfiguration(statePath: path)
        notices += try look(atStore: path)
        let sealed: [String: Int]?
        do throws(BerthError) { sealed = try StoreInspection.sealedSecrets(at: path) } catch {
            throw configuration.blamed("store.url", error)
        }
        if let notice = try VaultOpening.check(configuration, environment, storePath: path, sealed: sealed ?? [:]) {
            notices.append(notice)
        }
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

    /// Whether this machine has the address. Its port may be in use by the very daemon that this is to replace, so another is tried.
    private func lookForAddress(_ address: ListenAddress) throws(BerthError) {
        func unfit(_ what: String) -> BerthError {
            configuration.blamed(
                "server.listen",
                BerthError(
                    "listen_failed", "\(address.host):\(address.port) can't be listened on: \(what)",
                    hint: "name an address of this machine: ip address; 0.0.0.0 or [::] is every one"))
        }
        var wish = addrinfo()
        wish.ai_socktype = Int32(SOCK_STREAM.rawValue)
        wish.ai_flags = AI_PASSIVE
        var found: UnsafeMutablePointer<addrinfo>?
        let failure = getaddrinfo(address.host, "0", &wish, &found)
        guard failure == 0, let first = found else { throw unfit(String(cString: gai_strerror(failure))) }
        defer { freeaddrinfo(found) }
        let probe = socket(first.pointee.ai_family, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard probe >= 0 else { throw unfit(String(cString: strerror(errno))) }
        defer { close(probe) }
        guard bind(probe, first.pointee.ai_addr, first.pointee.ai_addrlen) == 0 else { throw unfit(String(cString: strerror(errno))) }
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
