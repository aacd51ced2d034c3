// A bundle copied into the managed folder: beside its place and then put there, so that no half bundle is ever found, and
// taken back when the copy does not load, so that a failed installation leaves what was there before.

import BerthModel
import Foundation

/// One installation's files.
struct BundleCopy {
    private let target: String
    private let next: String
    private let previous: String

    init(to target: String) {
        self.target = target
        let folder = (target as NSString).deletingLastPathComponent
        let name = (target as NSString).lastPathComponent
        next = "\(folder)/.\(name).next"
        previous = "\(folder)/.\(name).previous"
    }

    /// Refuses what can't be copied: a pipe would hold the copying for ever, a device would never end.
    static func check(_ source: String) throws(BerthError) {
        let names: [String]
        do { names = try FileManager.default.subpathsOfDirectory(atPath: source) } catch {
            throw BerthError(
                .plugin, "the bundle \(source) can't be read: \(error.localizedDescription)",
                hint: "the daemon's user must be able to read it")
        }
        for name in names {
            var info = stat()
            guard lstat("\(source)/\(name)", &info) == 0 else { continue }
            guard [S_IFREG, S_IFDIR, S_IFLNK].contains(info.st_mode & S_IFMT) else {
                throw BerthError(
                    "bundle_invalid", "\(source)/\(name) is neither a file nor a folder",
                    hint: "a bundle holds files and folders only; remove it")
            }
        }
    }

    /// Puts a copy of `source` in place; what was there stays beside it, to go back to.
    func put(from source: String) throws(BerthError) {
        let files = FileManager.default
        do {
            try files.createDirectory(
                atPath: (target as NSString).deletingLastPathComponent, withIntermediateDirectories: true,
                attributes: [.posixPermissions: 0o750])
            for left in [next, previous] where files.fileExists(atPath: left) { try files.removeItem(atPath: left) }
            try files.copyItem(atPath: source, toPath: next)
            if files.fileExists(atPath: target) { try files.moveItem(atPath: target, toPath: previous) }
            try files.moveItem(atPath: next, toPath: target)
        } catch {
            throw BerthError(
                .plugin, "the bundle \(source) can't be copied to \(target): \(error.localizedDescription)",
                hint: "the daemon's user must be able to read the one and write the other")
        }
    }

    /// Whether a version before this one is kept.
    var hasPrevious: Bool { FileManager.default.fileExists(atPath: previous) }

    /// Changes places with the version before, so that the next start finds that one; without one the copy only leaves its
    /// place, and a bundle of the package below another folder is found again.
    func swapBack() throws(BerthError) {
        let files = FileManager.default
        do {
            if files.fileExists(atPath: next) { try files.removeItem(atPath: next) }
            try files.moveItem(atPath: target, toPath: next)
            if files.fileExists(atPath: previous) { try files.moveItem(atPath: previous, toPath: target) }
            try files.moveItem(atPath: next, toPath: previous)
        } catch {
            throw BerthError(
                .plugin, "\(target) and the version before it can't change places: \(error.localizedDescription)",
                hint: "the rollback holds until the next start; install the wanted version again")
        }
    }

    /// Removes every version.
    func discard() throws(BerthError) {
        let files = FileManager.default
        do {
            for path in [target, next, previous] where files.fileExists(atPath: path) { try files.removeItem(atPath: path) }
        } catch {
            throw BerthError(
                .plugin, "\(target) can't be removed: \(error.localizedDescription)",
                hint: "remove it by hand, or it is back at the next start")
        }
    }

    // MARK: Removal that outlives a restart

    /// Whether somebody removed the plugin; its bundle may still stand in a folder of the package manager's.
    var isRemoved: Bool { FileManager.default.fileExists(atPath: marker) }

    /// Notes the removal, or takes the note back.
    func markRemoved(_ isRemoved: Bool) throws(BerthError) {
        let files = FileManager.default
        do {
            guard isRemoved else {
                if files.fileExists(atPath: marker) { try files.removeItem(atPath: marker) }
                return
            }
            try files.createDirectory(
                atPath: (target as NSString).deletingLastPathComponent, withIntermediateDirectories: true,
                attributes: [.posixPermissions: 0o750])
            try Data().write(to: URL(fileURLWithPath: marker))
        } catch {
            throw BerthError(
                .plugin, "\(marker) can't be changed: \(error.localizedDescription)", hint: "the daemon's user must be able to write there")
        }
    }

    private var marker: String {
        (target as NSString).deletingLastPathComponent + "/." + (target as NSString).lastPathComponent + ".removed"
    }

    /// The copy is no good: what was there before comes back. Nothing better can be done when that fails too.
    func takeBack() {
        try? FileManager.default.removeItem(atPath: target)
        try? FileManager.default.moveItem(atPath: previous, toPath: target)
    }
}
