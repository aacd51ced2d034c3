// Why a library is not loaded: what, the plugin's value, the host's value, where it was read, what mends it.

public import BerthModel

/// A refusal. One cause, one exit code.
public struct LoadRefusal: Error, Sendable, Hashable {
    /// Causes, by exit code of `berthctl plugin check`.
    public enum Cause: Int32, Sendable, Codable, CaseIterable {
        case libraryMissing = 20
        case notELF = 21
        case truncated = 22
        case wrongPlatform = 23
        case unresolved = 24
        case noEntry = 25
        case abiMismatch = 26
        case entryFailed = 27
        case badTable = 28
        case digestMismatch = 29
        case system = 30

        /// The stable text of the cause.
        public var code: String {
            switch self {
            case .libraryMissing: "library_missing"
            case .notELF: "library_not_elf"
            case .truncated: "library_truncated"
            case .wrongPlatform: "library_wrong_platform"
            case .unresolved: "library_unresolved_symbol"
            case .noEntry: "library_no_entry"
            case .abiMismatch: "abi_mismatch"
            case .entryFailed: "plugin_entry_failed"
            case .badTable: "plugin_table_invalid"
            case .digestMismatch: "library_digest_mismatch"
            case .system: "system"
            }
        }
    }

    /// What.
    public let cause: Cause
    /// Where it was read.
    public let place: String
    /// What the plugin has.
    public let pluginValue: String
    /// What the host wants; empty where that says nothing.
    public let hostValue: String
    /// What mends it.
    public let hint: String

    /// A refusal.
    public init(_ cause: Cause, at place: String, pluginValue: String, hostValue: String = "", hint: String) {
        self.cause = cause
        self.place = place
        self.pluginValue = pluginValue
        self.hostValue = hostValue
        self.hint = hint
    }

    /// As the operator reads it.
    public var error: BerthError {
        let wanted = hostValue.isEmpty ? "" : ", the host wants \(hostValue)"
        return BerthError(.init(rawValue: cause.code), "\(place): \(pluginValue)\(wanted)", hint: hint)
    }
}
