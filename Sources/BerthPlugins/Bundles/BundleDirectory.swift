// The folders of [plugins].directories, each subfolder a bundle. A broken bundle is found and named; it stops no other.

public import BerthModel
import Foundation

/// Finds bundles.
public enum BundleDirectory {
    /// One subfolder: a bundle, or why it is none. `name` is the folder's.
    public struct Finding: Sendable {
        /// The folder's name.
        public let name: String
        /// The folder.
        public let path: String
        /// The bundle or what is wrong with it.
        public let result: Result<PluginBundle, BerthError>
    }

    /// Every subfolder that is not hidden, by directory in the order given, then by name. A directory that does not exist holds
    /// none. The second bundle with an id is refused as `duplicate_plugin`; below `directories` one with an id that `managed`
    /// holds as well is passed over: what was installed over the control socket stands for what a package brought.
    public static func scan(_ directories: [String], managed: String? = nil, policy: SignaturePolicy = .open) -> [Finding] {
        var findings: [Finding] = []
        var seen: [ProviderName: String] = [:]
        for directory in [managed].compactMap({ $0 }) + directories {
            let names: [String]
            do { names = try FileManager.default.contentsOfDirectory(atPath: directory).sorted() } catch { continue }  // absent or unreadable: no bundles
            for name in names where !name.hasPrefix(".") {
                let path = directory + (directory.hasSuffix("/") ? "" : "/") + name
                var isFolder: ObjCBool = false
                guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder), isFolder.boolValue else { continue }
                let result: Result<PluginBundle, BerthError>
                do throws(BerthError) {
                    let bundle = try PluginBundle(path: path, policy: policy)
                    if let first = seen[bundle.manifest.id] {
                        if let managed, first.hasPrefix(managed + "/"), directory != managed { continue }
                        throw BerthError(
                            "duplicate_plugin", "\(path): plugin \(bundle.manifest.id) was already found in \(first)",
                            hint: "remove one of the two folders")
                    }
                    seen[bundle.manifest.id] = path
                    result = .success(bundle)
                } catch { result = .failure(error) }
                findings.append(Finding(name: name, path: path, result: result))
            }
        }
        return findings
    }
}
