// How many descriptors the process may open: as many as its settings promise, when the system allows it. Raised at start,
// because service managers set a low soft limit for programs that use select(2), which Berth does not.

import BerthModel
import Glibc
import Logging

enum Descriptors {
    /// Below this the daemon can't even start its loops and workers.
    private static let least: rlim_t = 128
    /// For the store, workers, requests to providers and the control socket.
    private static let own: rlim_t = 512

    /// Raises the soft limit to what `connections` at once need. Throws when the hard limit leaves too little to start.
    static func reserve(connections: Int, logger: Logger) throws(BerthError) {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return }
        guard limit.rlim_max >= least else {
            throw BerthError(
                "descriptor_limit", "only \(limit.rlim_max) descriptors may be open, Berth needs at least \(least)",
                hint: "raise the limit: LimitNOFILE= in the unit, or ulimit -Hn")
        }
        let wanted = rlim_t(connections) + own
        guard limit.rlim_cur < wanted else { return }
        let given = min(wanted, limit.rlim_max)
        if given < wanted {
            logger.warning(
                "fewer descriptors than [server] max_connections and [workspaces] need",
                metadata: ["limit": "\(given)", "needed": "\(wanted)", "hint": "LimitNOFILE=\(wanted) in the unit"])
        }
        limit.rlim_cur = given
        guard setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else {
            logger.warning("the descriptor limit can't be raised", metadata: ["error": "\(String(cString: strerror(errno)))"])
            return
        }
    }
}
