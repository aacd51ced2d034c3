// The repository as text, for tests that read it.

import Foundation

enum Repository {
    struct File {
        let path: String
        let text: String
    }

    static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    static func folders(_ path: String) throws -> [String] {
        try FileManager.default.contentsOfDirectory(at: root.appending(path: path), includingPropertiesForKeys: [.isDirectoryKey])
            .filter { try $0.resourceValues(forKeys: [.isDirectoryKey]).isDirectory == true }.map(\.lastPathComponent)
    }

    static func files(under path: String, suffix: String) throws -> [File] {
        guard let all = FileManager.default.enumerator(atPath: root.appending(path: path).path) else { return [] }
        var files: [File] = []
        for case let name as String in all where name.hasSuffix(suffix) && !name.contains(".build") {
            let full = "\(path)/\(name)"
            files.append(File(path: full, text: try String(contentsOf: root.appending(path: full), encoding: .utf8)))
        }
        return files
    }

    /// Modules a Swift file imports, in order.
    static func imports(of text: String) -> [String] {
        text.split(separator: "\n").compactMap { line in
            var words = line.split(separator: " ")[...]
            while let first = words.first,
                first.hasPrefix("@") || ["public", "package", "internal", "private", "fileprivate"].contains(first)
            {
                words.removeFirst()
            }
            guard words.first == "import" else { return nil }
            words.removeFirst()
            if let kind = words.first, ["struct", "class", "enum", "protocol", "func", "typealias", "let", "var"].contains(kind) {
                words.removeFirst()
            }
            return words.first?.split(separator: ".").first.map(String.init)
        }
    }
}
