// What running operations need of the daemon: requests, keyed hashes, the log, limits. One value, shared by all of them.

import BerthModel
import BerthSeams
import Logging

/// Figures that hold for every operation.
struct OperationLimits: Sendable {
    /// Between a deadline and the end by force.
    var graceNanoseconds: UInt64 = 2_000_000_000
    /// Payload and raw of one record.
    var recordBytesMax = 4 << 20
    /// Emitted and not yet behind a checkpoint, of one operation.
    var pageBytesMax = 64 << 20
}

/// What operations share.
struct OperationServices: Sendable {
    let outbound: any Outbound
    let hashes: HashJudge
    let watch: DeadlineWatch
    let limits: OperationLimits
    let logger: Logger

    /// One line of a plugin's log: one line stays one line, whatever the plugin puts in it.
    func log(_ level: UInt32, _ text: String, _ instance: PluginInstance, operation: UInt64) {
        let level: Logger.Level =
            switch level {
            case 0: .debug
            case 1: .info
            case 2: .warning
            default: .error
            }
        logger.log(
            level: level, "\(LogLine.clean(text))",
            metadata: ["plugin": "\(instance.provider)", "connection": "\(instance.connection)", "operation": "\(operation)"])
    }
}

/// Text from outside in a log line.
enum LogLine {
    /// Control characters and direction overrides as `?`, cut to 4,096 bytes.
    static func clean(_ text: String) -> String {
        var out = String.UnicodeScalarView()
        var bytes = 0
        for scalar in text.unicodeScalars {
            let isHarmful =
                scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value) || (0x202A...0x202E).contains(scalar.value)
                || (0x2066...0x2069).contains(scalar.value) || scalar.value == 0x2028 || scalar.value == 0x2029
            out.append(isHarmful ? "?" : scalar)
            bytes += 1
            if bytes >= 4096 { break }
        }
        return String(out)
    }
}
