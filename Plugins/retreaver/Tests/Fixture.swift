// Fixtures stand beside the plugin so that other tools can use them too; they are composed from the provider's documents.

import Foundation

enum Fixture {
    /// The text of a file in the plugin's Fixtures folder.
    static func text(_ name: String, file: String = #filePath) throws -> String {
        let folder = URL(fileURLWithPath: file).deletingLastPathComponent().deletingLastPathComponent()
        return try String(contentsOf: folder.appendingPathComponent("Fixtures/\(name)"), encoding: .utf8)
    }
}
