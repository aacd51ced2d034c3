// The ABI's status numbers where they meet the daemon's words.

import BerthModel

/// Status numbers of `berth/plugin.h` that the host itself uses.
enum ABIStatus {
    static let ok: Int32 = 0
    static let authDenied: Int32 = 4
    static let cancelled: Int32 = 10
    static let unsupported: Int32 = 11
    static let `internal`: Int32 = 12
    static let denied: Int32 = 15
    /// `BERTH_HTTP_IDEMPOTENT`
    static let httpIdempotent: UInt32 = 1
    /// `BERTH_HTTP_NO_AUTH`
    static let httpNoAuth: UInt32 = 2
}

extension AttemptStatus {
    /// The number a plugin sees; host verdicts are `BERTH_INTERNAL` to it.
    var abi: Int32 {
        switch self {
        case .ok: 0
        case .retry: 1
        case .throttled: 2
        case .authExpired: 3
        case .authDenied: 4
        case .invalidEvent: 5
        case .notFound: 6
        case .conflict: 7
        case .remoteDown: 8
        case .timeout: 9
        case .cancelled: 10
        case .unsupported: 11
        case .internal, .crashed, .hung, .contractViolation: 12
        case .denied: 15
        }
    }
}
