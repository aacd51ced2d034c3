// One line per thing that happens, as JSON or readable text, on standard error. Every text that may come from a
// provider is escaped, so that a line stays one line and valid JSON.

import BerthModel
import Foundation
import Logging
import Synchronization

/// Writes log entries to standard error.
struct LineLogHandler: LogHandler {
    enum Format: String, Sendable { case json, text }

    /// The level that all loggers obey; changed at run time by `berthctl log level`.
    static let level = Mutex<Logger.Level>(.info)

    /// Changes the level; false for an unknown name.
    static func setLevel(_ name: String) -> Bool {
        guard let level = Logger.Level(rawValue: name) else { return false }
        Self.level.withLock { $0 = level }
        return true
    }

    let label: String
    let format: Format
    var metadata: Logger.Metadata = [:]

    init(label: String, format: Format) {
        self.label = label
        self.format = format
    }

    var logLevel: Logger.Level {
        get { Self.level.withLock { $0 } }
        set {}  // One level for the whole daemon: a logger's own would escape the operator's command.
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        let all = event.metadata.map { metadata.merging($0, uniquingKeysWith: { _, new in new }) } ?? metadata
        let milliseconds = Int64((Date().timeIntervalSince1970 * 1000).rounded(.down))
        let time = Timestamp(milliseconds: milliseconds).description
        var line: String
        switch format {
        case .json:
            var object: [String: JSONValue] = all.mapValues { .string("\($0)") }
            object["time"] = .string(time)
            object["level"] = .string(event.level.rawValue)
            object["part"] = .string(label)
            object["message"] = .string("\(event.message)")
            line = JSONValue.object(object).text
        case .text:
            line = "\(time) \(event.level.rawValue.uppercased()) \(label): \(Self.escaped("\(event.message)"))"
            for (key, value) in all.sorted(by: { $0.key < $1.key }) { line += " \(key)=\(JSONValue.string("\(value)").text)" }
        }
        line += "\n"
        line.withUTF8 { bytes in
            // One write call: lines of several threads don't mix. A full or closed stderr must not stop the daemon.
            _ = write(2, bytes.baseAddress, bytes.count)
        }
    }

    private static func escaped(_ text: String) -> String {
        String(JSONValue.string(text).text.dropFirst().dropLast())
    }
}
