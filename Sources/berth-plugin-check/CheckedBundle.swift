// A bundle as far as it can be judged without running it: manifest, digest, exported symbols; and its fixtures as events.

import BerthLoader
import BerthModel
import BerthPlugins
import CBerthHostileHost
import Crypto
import Foundation

/// Why a bundle is not checked further.
struct BundleRefusal: Error {
    /// See `CheckCommand`.
    let exitCode: Int32
    /// As the daemon would say it.
    let error: BerthError

    init(_ error: BerthError) {
        let codes: [String: Int32] = ["manifest_missing": 66, "manifest_invalid": 65]
        let cause = LoadRefusal.Cause.allCases.first { $0.code == error.code.rawValue }
        exitCode = codes[error.code.rawValue] ?? cause?.rawValue ?? 65
        self.error = error
    }
}

/// A readable bundle.
struct CheckedBundle {
    let manifest: PluginManifest
    /// The library's path.
    let library: String
    /// Lower-case hex.
    let digest: String
    /// Whether exactly the entry is exported.
    let exports: CaseResult
    /// Files of the Fixtures folder, by name.
    let fixtures: [Fixture]

    struct Fixture {
        let name: String
        let kind: String
        let body: [UInt8]
    }

    init(path: String) throws(BundleRefusal) {
        do throws(BerthError) {
            // The folder's own name counts, not "." or a symbolic link's.
            let bundle = try PluginBundle(path: URL(filePath: path).standardizedFileURL.path)
            manifest = bundle.manifest
            library = try bundle.libraryPath()
        } catch { throw BundleRefusal(error) }
        let bytes: Data
        do { bytes = try Data(contentsOf: URL(filePath: library)) } catch {
            throw BundleRefusal(
                BerthError("library_missing", "\(library): \(error.localizedDescription)", hint: "build the plugin, or correct [library]"))
        }
        digest = Self.digest(of: bytes)
        let wanted = manifest.libraries[PluginBundle.platform]?.sha256 ?? ""
        guard wanted.isEmpty || wanted == digest else {
            throw BundleRefusal(
                BerthError(
                    "library_digest_mismatch", "\(library): SHA-256 is \(digest), the manifest says \(wanted)",
                    hint: "berthctl plugin seal \(path)"))
        }
        exports = Self.exports(of: bytes, isSealed: !wanted.isEmpty, path: path)
        fixtures = Self.fixtures(in: path, manifest)
    }

    static func digest(of bytes: Data) -> String {
        SHA256.hash(data: bytes).reduce(into: "") { text, byte in
            let hex = String(byte, radix: 16)
            text += hex.count == 1 ? "0" + hex : hex
        }
    }

    private static func exports(of bytes: Data, isSealed: Bool, path: String) -> CaseResult {
        final class Names { var found: [String] = [] }
        let names = Names()
        let problem = bytes.withUnsafeBytes { buffer in
            hostile_exports(buffer.bindMemory(to: UInt8.self).baseAddress, buffer.count, Unmanaged.passUnretained(names).toOpaque()) {
                context, name in
                guard let context, let name else { return }
                Unmanaged<Names>.fromOpaque(context).takeUnretainedValue().found.append(String(cString: name))
            }
        }
        var result = CaseResult(name: "exports", purpose: "exports exactly berth_plugin_entry_v1", outcome: .passed)
        if !isSealed { result.messages.append("note: the manifest has no sha256 for this library: berthctl plugin seal \(path)") }
        if let problem {
            result.outcome = .exports
            result.messages.append(String(cString: problem))
        } else if names.found != ["berth_plugin_entry_v1"] {
            result.outcome = .exports
            let others = names.found.filter { $0 != "berth_plugin_entry_v1" }
            let shown = others.prefix(5).joined(separator: ", ") + (others.count > 5 ? " and \(others.count - 5) more" : "")
            result.messages.append(
                others.isEmpty
                    ? "it does not export berth_plugin_entry_v1" : "it exports \(shown): link it with plugin-sdk's version script")
        }
        return result
    }

    /// Every file of `Fixtures` or `fixtures` up to 1 MiB: as an event's body, with the kind that the manifest finds in it.
    private static func fixtures(in path: String, _ manifest: PluginManifest) -> [Fixture] {
        let folders = ["Fixtures", "fixtures"].map { "\(path)/\($0)" }
        guard let folder = folders.first(where: { FileManager.default.fileExists(atPath: $0) }),
            let names = try? FileManager.default.contentsOfDirectory(atPath: folder).sorted()  // unreadable: no fixtures, which is allowed
        else { return [] }
        return names.filter { !$0.hasPrefix(".") }.compactMap { name in
            guard let body = FileManager.default.contents(atPath: "\(folder)/\(name)"), body.count <= 1 << 20 else { return nil }
            return Fixture(name: name, kind: kind(of: Array(body), manifest.webhook?.eventKind ?? []), body: Array(body))
        }
    }

    /// By the manifest's selectors; a query or form field is looked for as a member, since a fixture is only a body.
    private static func kind(of body: [UInt8], _ selectors: [ValueSelector]) -> String {
        let root = JSONValue(text: body)
        for selector in selectors {
            switch selector {
            case .constant(let text): return text
            case .json(let pointer):
                let found = pointer.split(separator: "/").reduce(root) { $0?[String($1)] }
                if let text = found?.scalarText { return text }
            case .query(let name), .form(let name):
                if let text = root?[name]?.scalarText { return text }
            case .header: continue
            }
        }
        return ""
    }

    /// Where the plugin is told its requests go: names of settings in the manifest's address replaced.
    var baseURL: String {
        var url = manifest.http.baseURL ?? "https://provider.example"
        for name in manifest.settings.keys { url = url.replacing("{\(name)}", with: "check1") }
        return url
    }

    /// Where the manifest lets requests go.
    var hosts: [String] {
        let own = baseURL.split(separator: "/", maxSplits: 2).dropFirst().first?.prefix { $0 != ":" && $0 != "/" }
        return manifest.http.allowedHosts + (own.map { [String($0)] } ?? [])
    }

    /// Settings that the manifest's own rules allow: defaults, and a value of the right type where one is required or stands in the
    /// provider's address.
    var plausibleSettings: String {
        var members: [String: JSONValue] = [:]
        for (name, setting) in manifest.settings {
            if let value = setting.defaultValue { members[name] = value }
            guard members[name] == nil, setting.isRequired || manifest.http.baseURL?.contains("{\(name)}") == true else { continue }
            members[name] = Self.plausible(setting)
        }
        return JSONValue.object(members).text
    }

    private static func plausible(_ setting: SettingSpec) -> JSONValue {
        let bounds = setting.bounds
        func near(_ number: Double) -> Double { max(bounds.minimum ?? number, min(bounds.maximum ?? number, number)) }
        switch setting.type {
        case .string:
            let text = "check1" + String(repeating: "1", count: max(0, (bounds.minLength ?? 0) - 6))
            return .string(String(text.prefix(bounds.maxLength ?? .max)))
        case .integer: return .integer(Int64(exactly: near(1).rounded(.up)) ?? 1)
        case .number: return .number(near(1.5))
        case .boolean: return .bool(true)
        }
    }
}
