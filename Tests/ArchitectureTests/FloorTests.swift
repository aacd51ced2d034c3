// The floors of ARCHITECTURE.md, read from the imports: a target imports only what stands below it.

import Foundation
import Testing

@Suite struct FloorTests {
    /// Own modules and outside modules each target may import. A target that is missing here fails too.
    static let allowed: [String: (own: Set<String>, outside: Set<String>)] = {
        let system: Set<String> = ["Glibc", "Synchronization", "Foundation", "FoundationEssentials", "Dispatch"]
        let bare: Set<String> = ["Glibc", "Synchronization"]
        let seams: Set<String> = ["BerthModel", "BerthSeams"]
        return [
            "BerthModel": ([], ["Synchronization", "Glibc"]),
            "BerthWire": (["BerthModel"], bare),
            "BerthControlAPI": (["BerthModel"], ["FoundationEssentials", "Foundation"]),
            "BerthSeams": (["BerthModel"], bare),
            "BerthLoader": (["BerthModel", "CBerth", "CBerthLinux"], bare),
            "BerthStoreSQLite": (seams, system.union(["GRDB", "GRDBSQLite", "Logging", "Crypto"])),
            "BerthVault": (seams, system.union(["Crypto", "Logging"])),
            "BerthGrants": (seams.union(["CBerthLinux"]), system.union(["Crypto", "CryptoExtras", "Logging"])),
            "BerthOutbound": (seams.union(["CCurl"]), system.union(["Logging"])),
            "BerthPlugins": (
                seams.union(["BerthWire", "BerthLoader", "CBerth", "CBerthLinux"]), system.union(["TOMLKit", "Crypto", "Logging"])
            ),
            "BerthEngine": (seams.union(["BerthControlAPI"]), system.union(["Crypto", "Logging"])),
            "BerthServer": (
                seams.union(["BerthEngine", "BerthControlAPI", "CBerthPeer"]),
                system.union([
                    "Hummingbird", "HummingbirdCore", "NIOCore", "NIOPosix", "NIOHTTP1", "NIOHTTPTypes", "NIOHTTPTypesHTTP1", "HTTPTypes",
                    "Logging", "ServiceLifecycle", "NIOConcurrencyHelpers", "NIOExtras",
                ])
            ),
            "berth-worker": (["BerthModel", "BerthWire", "BerthLoader", "CBerth", "CBerthLinux"], bare),
            "berthctl": (["BerthControlAPI", "BerthModel"], system.union(["ArgumentParser"])),
            "berth-plugin-check": (
                ["BerthModel", "BerthLoader", "BerthPlugins", "CBerthHostileHost"], system.union(["ArgumentParser", "Crypto"])
            ),
            "berth-mock": (
                [],
                system.union([
                    "Hummingbird", "HummingbirdCore", "NIOCore", "NIOPosix", "NIOHTTP1", "HTTPTypes", "ArgumentParser", "Crypto",
                    "CryptoExtras", "Logging",
                    "ServiceLifecycle", "NIOConcurrencyHelpers",
                ])
            ),
        ]
    }()

    // Without this test a store could be called from a handler, or a plugin's worker grow a database.
    @Test func everyTargetImportsOnlyLowerFloors() throws {
        let own = try Set(Repository.folders("Sources"))
        var violations: [String] = []
        for target in own.sorted() where target != "berthd" && !target.hasPrefix("C") {
            guard let rule = Self.allowed[target] else {
                violations.append("\(target) has no row in the table of floors")
                continue
            }
            for file in try Repository.files(under: "Sources/\(target)", suffix: ".swift") {
                for module in Repository.imports(of: file.text) where !rule.own.contains(module) && !rule.outside.contains(module) {
                    violations.append("\(file.path) imports \(module)")
                }
            }
        }
        #expect(violations.isEmpty, "\(violations.joined(separator: "\n"))")
    }

    // Without this test a plugin could come to share a Swift module with the daemon, and break on the next build of it.
    @Test func pluginsImportOnlyTheSDK() throws {
        var violations: [String] = []
        for file in try Repository.files(under: "Plugins", suffix: ".swift") where !file.path.contains("/Tests/") {
            // An entry imports its own adapter beside the SDK.
            for module in Repository.imports(of: file.text)
            where !["BerthPluginSDK", "FoundationEssentials"].contains(module) && !module.hasSuffix("Adapter") {
                violations.append("\(file.path) imports \(module)")
            }
        }
        #expect(violations.isEmpty, "\(violations.joined(separator: "\n"))")
    }

    // The check itself must be able to fail: a made-up import on the wrong floor is found.
    @Test func aForbiddenImportIsFound() {
        let text = "import BerthModel\n@preconcurrency public import GRDB\nimport struct NIOCore.ByteBuffer\n"
        #expect(Repository.imports(of: text) == ["BerthModel", "GRDB", "NIOCore"])
        let rule = Self.allowed["BerthEngine"]
        #expect(rule?.outside.contains("GRDB") == false && rule?.own.contains("BerthStoreSQLite") == false)
    }
}
