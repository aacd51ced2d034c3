// What one case came to.

import BerthModel

/// A case's result.
struct CaseResult {
    /// From best to worst.
    enum Outcome: String, CaseIterable {
        case passed, skipped, leaked, failed, exports, hung, crashed, refused

        /// See `CheckCommand`; a refusal brings its own.
        var exitCode: Int32 {
            switch self {
            case .passed, .skipped: 0
            case .leaked: 43
            case .failed: 40
            case .exports: 44
            case .hung: 42
            case .crashed: 41
            case .refused: 30
            }
        }
        var isGood: Bool { exitCode == 0 }
    }

    let name: String
    let purpose: String
    var outcome: Outcome
    var seconds: Double = 0
    /// What was found, worst first; notes begin with "note: ".
    var messages: [String] = []
    /// The command that runs it again.
    var reproduce = ""
    /// Of a refusal.
    var refusalExitCode: Int32?

    var exitCode: Int32 { refusalExitCode ?? outcome.exitCode }

    var json: JSONValue {
        .object([
            "name": .string(name), "purpose": .string(purpose), "result": .string(outcome.rawValue),
            "milliseconds": .integer(Int64(seconds * 1000)), "messages": .array(messages.map(JSONValue.string)),
            "reproduce": .string(reproduce),
        ])
    }
}
