// Errors with sysexits.h codes and what to do next.

import BerthModel
import Glibc

/// Why a command ends.
struct Exit: Error {
    let code: Int32
    let message: String
    var hint: String?
    /// Of the answer that it comes from.
    var status: Int?

    static func usage(_ message: String, hint: String? = nil) -> Exit { Exit(code: 64, message: message, hint: hint) }
    static func system(_ message: String) -> Exit { Exit(code: 71, message: message) }
    static func protocolError(_ what: String) -> Exit {
        Exit(
            code: 76, message: "the daemon's answer can't be read: \(what)", hint: "is it a berthd of the same version? berthctl --version")
    }

    static func unavailable(_ path: String, _ reason: Int32) -> Exit {
        let hint =
            switch reason {
            case EACCES: "become root or a member of the group 'berth'"
            case ENOENT, ECONNREFUSED: "is berthd running? systemctl status berthd; another socket: --socket PATH or BERTH_CONTROL_SOCKET"
            default: "check the socket's path"
            }
        return Exit(
            code: reason == EACCES ? 77 : 69, message: "berthd can't be reached at \(path): \(String(cString: strerror(reason)))",
            hint: hint)
    }

    /// From an error answer.
    static func refused(_ status: Int, _ body: [UInt8]) -> Exit {
        let problem = JSONValue(text: body)
        let code: Int32 =
            switch status {
            case 400, 413, 422: 65
            case 401, 403: 77
            case 404: 66
            // Most conflicts last: only what the daemon says will pass is worth a script's second try.
            case 409: problem?["retryable"] == .bool(true) ? 75 : 65
            case 500: 70
            case 502: 76
            case 503: 75
            default: 70
            }
        return Exit(
            code: code, message: problem?["detail"]?.stringValue ?? "the daemon answered \(status)", hint: problem?["hint"]?.stringValue,
            status: status)
    }
}
