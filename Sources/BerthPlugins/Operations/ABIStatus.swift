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
