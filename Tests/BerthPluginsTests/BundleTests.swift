// Bundle folders: a broken one is found and named, and stops no other.

import BerthModel
import BerthPlugins
import BerthSeams
import Foundation
import Logging
import Testing

@Suite struct BundleTests {
    private struct Folder {
        let path = NSTemporaryDirectory() + "berth-bundles-\(UUID().uuidString)"
        func put(_ name: String, _ manifest: String, library: Data? = nil) throws {
            try FileManager.default.createDirectory(atPath: "\(path)/\(name)", withIntermediateDirectories: true)
            try manifest.write(toFile: "\(path)/\(name)/plugin.toml", atomically: true, encoding: .utf8)
            try library?.write(to: URL(filePath: "\(path)/\(name)/lib.so"))
        }
        func remove() throws { try FileManager.default.removeItem(atPath: path) }
    }

    private func manifest(_ id: String, platform: String = PluginBundle.platform, sha256: String = "") -> String {
        """
        manifest_version = 1
        id = "\(id)"
        version = "1.0.0"
        abi = 1
        [library]
        \(platform) = { file = "lib.so", sha256 = "\(sha256)" }
        """
    }

    // Without this one broken folder would keep all plugins from being found, or two would fight for one id.
    @Test func aBrokenBundleStopsNoOther() throws {
        let folder = Folder()
        try folder.put("good", manifest("good"))
        try folder.put("broken", "id = ")
        try folder.put("misnamed", manifest("other"))
        try FileManager.default.createDirectory(atPath: "\(folder.path)/empty", withIntermediateDirectories: true)
        try Data().write(to: URL(filePath: "\(folder.path)/a-file"))
        let second = Folder()
        try second.put("good", manifest("good"))
        let findings = BundleDirectory.scan([folder.path, second.path, "/nonexistent"])
        #expect(findings.map(\.name) == ["broken", "empty", "good", "misnamed", "good"])
        let codes: [String?] = findings.map { if case .failure(let error) = $0.result { error.code.rawValue } else { nil } }
        #expect(codes == ["manifest_invalid", "manifest_missing", nil, "manifest_invalid", "duplicate_plugin"])
        try folder.remove()
        try second.remove()
    }

    // Without this a library that is missing, cut, changed, for another machine or none at all would be told apart by nobody.
    @Test(
        arguments: [
            ("linux-riscv64", "", nil, "library_wrong_platform"), (PluginBundle.platform, "", nil, "library_missing"),
            (PluginBundle.platform, "", Data(), "library_truncated"),
            (PluginBundle.platform, "", Data("#!/bin/sh\n".utf8), "library_not_elf"),
            (PluginBundle.platform, String(repeating: "0", count: 64), Data("x".utf8), "library_digest_mismatch"),
        ] as [(String, String, Data?, String)])
    func wrongLibrariesAreToldApart(_ platform: String, _ digest: String, _ library: Data?, _ code: String) async throws {
        let folder = Folder()
        try folder.put("acme", manifest("acme", platform: platform, sha256: digest), library: library)
        let worker = URL(filePath: try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")).deletingLastPathComponent()
        var logger = Logger(label: "bundles")
        logger.logLevel = .critical
        let runtime = try await PluginRuntime.start(
            PluginRuntimeConfiguration(
                directories: [folder.path], managedDirectory: folder.path + "/managed", isolation: .worker,
                workerPath: worker.appending(path: "berth-worker").path, allowsWeakSandbox: false), outbound: NoOutbound(),
            secrets: NoSecrets(),
            logger: logger)
        let status = try #require(await runtime.plugins().first)
        #expect(status.state == .refused && status.problem?.code.rawValue == code, "\(status.problem.map { "\($0)" } ?? "")")
        #expect(status.manifest.id.text == "acme" && status.problem?.hint?.isEmpty == false)
        await runtime.stop()
        try folder.remove()
    }

    private struct NoOutbound: Outbound {
        func send(_ request: ProviderRequest, for target: OutboundTarget) async -> Result<ProviderResponse, AttemptFailure> {
            .failure(AttemptFailure(.denied, "no requests here"))
        }
        func forget(_ connection: ConnectionID) async {}
    }

    private struct NoSecrets: SecretStore {
        func secret(_ slot: SecretSlot, of connection: ConnectionID) async throws(BerthError) -> Secret? { nil }
        func set(_ secret: Secret, _ slot: SecretSlot, of connection: ConnectionID) async throws(BerthError) {}
        func removeAll(of connection: ConnectionID) async throws(BerthError) {}
    }
}
