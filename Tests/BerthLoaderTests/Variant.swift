// Libraries of one C source in many variants, built by the C compiler when a test asks for them.

import Foundation
import Synchronization
import Testing

/// Builds Plugins/variant.c.
enum Variant {
    private static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        .path
    private static let built = Mutex<[[String]: String]>([:])

    /// A folder of this run.
    static let folder: String = {
        let path = NSTemporaryDirectory() + "berth-loader-\(getpid())"
        atexit { try? FileManager.default.removeItem(atPath: NSTemporaryDirectory() + "berth-loader-\(getpid())") }  // nobody left to tell
        try? FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)  // a failure shows at the first use
        return path
    }()

    /// Path of the library with these macros, such as `VALUE=2`.
    static func library(_ defines: String...) throws -> String {
        try built.withLock { built in
            if let path = built[defines] { return path }
            let path = "\(folder)/variant-\(built.count).so"
            let compiler = Process()
            compiler.executableURL = URL(filePath: "/usr/bin/env")
            compiler.arguments =
                ["cc", "-std=gnu11", "-O1", "-w", "-shared", "-fPIC", "-fvisibility=hidden", "-I\(root)/plugin-sdk/c/include", "-o", path]
                + defines.map { "-D\($0)" } + ["\(root)/Tests/BerthLoaderTests/Plugins/variant.c"]
            try compiler.run()
            compiler.waitUntilExit()
            try #require(compiler.terminationStatus == 0, "variant.c does not compile with \(defines)")
            built[defines] = path
            return path
        }
    }

    /// A file of these bytes.
    static func file(_ name: String, _ bytes: Data) throws -> String {
        let path = "\(folder)/\(name)-\(UUID().uuidString).so"
        try bytes.write(to: URL(filePath: path))
        return path
    }

    /// The bytes of the plain variant.
    static func bytes() throws -> Data { try Data(contentsOf: URL(filePath: library())) }
}
