// Standard output, and whether what was printed arrived there: a full disk or a file's limit must not look like a success.

import ArgumentParser
@preconcurrency import Glibc  // `stdout` is a variable, which nobody here sets
import Synchronization

/// Standard output. In place of Swift's `print`, which drops errors.
enum Output {
    /// Why something was not written; kept from where it happened, because a later flush can succeed.
    private static let failure = Mutex<Int32?>(nil)

    /// Prints, buffered.
    static func print(_ text: String, terminator: String = "\n") {
        if fputs(text + terminator, stdout) < 0 { note(errno) }
    }

    /// Writes out what was printed so far. Throws where any of it was lost: without a word where nobody reads any more, as SIGPIPE
    /// would end it, else with the reason.
    static func flush() throws {
        if fflush(stdout) != 0 { note(errno) }
        guard let reason = failure.withLock({ $0 }) else { return }
        if reason == EPIPE { throw ExitCode(128 + SIGPIPE) }
        throw Exit(
            code: 74, message: "the output can't be written: \(String(cString: strerror(reason)))",
            hint: "what has arrived of it is not whole")
    }

    private static func note(_ reason: Int32) { failure.withLock { $0 = $0 ?? reason } }
}
