// SIGHUP: sent by habit after a change of settings, by log rotation, and by a terminal that closes. Nothing is read again, and its
// default would end the daemon, so it is ignored from the first moment and told in the log.

import Glibc
import Logging
import UnixSignals

enum Hangup {
    /// From here on it ends nothing, also before anything listens.
    static func ignore() { signal(SIGHUP, SIG_IGN) }

    /// Tells of each one until cancelled.
    static func tell(_ logger: Logger) async {
        for await _ in await UnixSignalsSequence(trapping: .sighup) {
            logger.notice(
                "SIGHUP: settings and certificates are read at the next start only, the log is written to standard error",
                metadata: ["hint": "berthd --check looks at new settings; systemctl restart berthd takes them, and loses nothing"])
        }
    }
}
