// Lines to the terminal without C's stream variables, which strict concurrency rightly mistrusts.

import Glibc

/// Writes a line to standard output at once, unbuffered: a test that reads it must not wait.
func say(_ line: String) { writeLine(line, to: STDOUT_FILENO) }

/// Writes a line to standard error.
func complain(_ line: String) { writeLine("berth-mock: " + line, to: STDERR_FILENO) }

private func writeLine(_ line: String, to descriptor: Int32) {
    var rest = Array((line + "\n").utf8)[...]
    while !rest.isEmpty {
        let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
        if count < 0, errno == EINTR { continue }
        // A reader that went away is no reason to stop playing.
        guard count > 0 else { return }
        rest = rest.dropFirst(count)
    }
}
