// Token requests run in a process of their own that outlives the daemon's death. Why: providers that rotate refresh
// tokens revoke the whole grant when an old one is used again. A daemon that dies between the provider's rotation and
// its own commit would know only the old one. The process holds a lock while it works and leaves the sealed answer in a
// file; the daemon, this one or the next, takes the answer from there and deletes the file after its commit.

public import BerthModel
import BerthSeams
import CBerthLinux
import Crypto
import Foundation
import Synchronization

/// Starts exchanges and finds those of a former life.
public final class ExchangeDesk: Sendable {
    private let folder: String
    private let program: String
    private let egress: @Sendable (ConnectionID) -> ExchangeEgress?
    private let userAgent: String
    /// Each exchange holds a thread while its process runs. More than a few at one endpoint wait, so that a token endpoint that
    /// does not answer keeps nobody waiting but its own.
    private let queues = Mutex<[String: OperationQueue]>([:])
    private static let exchangesPerEndpoint = 16

    /// A desk that keeps locks and answers in `folder` (made with mode 0700) and runs `program exchange-token`. `egress` tells the
    /// rules of a connection's workspace; nil: there is no such connection, and nothing is sent for it.
    public init(
        folder: String, program: String, egress: @escaping @Sendable (ConnectionID) -> ExchangeEgress?, userAgent: String
    ) throws(BerthError) {
        self.folder = folder
        self.program = program
        self.egress = egress
        self.userAgent = userAgent
        guard mkdir(folder, 0o700) == 0 || errno == EEXIST else {
            throw BerthError(
                .store, "the folder \(folder) can't be made: \(String(cString: strerror(errno)))",
                hint: "the daemon's user must be able to write there")
        }
    }

    /// Sends `request`. The answer stays on disk until `settled(_:)`.
    func exchange(
        _ request: TokenRequest, of connection: ConnectionID, key: Secret, basis: [UInt8], isOwnAddress: Bool, timeoutSeconds: Int = 60
    ) async -> Result<ExchangeReply, GrantFailure> {
        guard let egress = egress(connection) else {
            return .failure(
                GrantFailure(message: "there is no connection \(connection) any more", hint: "berthctl connection list", isFinal: true))
        }
        let keyBytes = key.withBytes { Array($0) }
        let job = ExchangeJob(
            connection: connection.description, url: request.url, headers: request.headers.flatMap { [$0.name, $0.value] },
            body: request.body,
            timeoutSeconds: timeoutSeconds, isOwnAddress: isOwnAddress, egress: egress, userAgent: userAgent,
            replyPath: replyPath(connection), key: keyBytes, basis: basis)
        return await onThread(of: request.url) { self.run(job, connection, keyBytes) }
    }

    /// The answer of an exchange that the daemon did not live to take, waiting for one that still runs.
    func interrupted(_ connection: ConnectionID, key: Secret, url: String) async -> ExchangeReply? {
        // The usual case costs no turn in a queue.
        if let lock = lock(connection, waits: false) {
            defer { close(lock) }
            guard access(replyPath(connection), F_OK) == 0 else { return nil }
        }
        let keyBytes = key.withBytes { Array($0) }
        return await onThread(of: url) {
            guard let lock = self.lock(connection, waits: true) else { return nil }
            defer { close(lock) }
            return self.reply(connection, keyBytes)
        }
    }

    /// The answer's effect is durable, or it has none: the file goes.
    func settled(_ connection: ConnectionID) { unlink(replyPath(connection)) }

    /// A grant has ended, and nothing is asked for it: its files go. Not the lock of an exchange that still runs, of a former life.
    func cleared(_ connection: ConnectionID) {
        guard let lock = lock(connection, waits: false) else { return }
        defer { close(lock) }
        unlink(replyPath(connection))
        unlink(lockPath(connection))
    }

    // MARK: On a thread

    private func onThread<T: Sendable>(of url: String, _ body: @escaping @Sendable () -> T) async -> T {
        let endpoint = String(url.prefix { $0 != "?" })
        let queue = queues.withLock { queues in
            if let queue = queues[endpoint] { return queue }
            let queue = OperationQueue()
            queue.maxConcurrentOperationCount = Self.exchangesPerEndpoint
            queues[endpoint] = queue
            return queue
        }
        return await withCheckedContinuation { continuation in queue.addOperation { continuation.resume(returning: body()) } }
    }

    private func replyPath(_ connection: ConnectionID) -> String { "\(folder)/\(connection).reply" }
    private func lockPath(_ connection: ConnectionID) -> String { "\(folder)/\(connection).lock" }

    /// Held by every process that has the descriptor; nil when it can't be had.
    private func lock(_ connection: ConnectionID, waits: Bool) -> CInt? {
        let file = open(lockPath(connection), O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard file >= 0 else { return nil }
        guard flock(file, waits ? LOCK_EX : LOCK_EX | LOCK_NB) == 0 else {
            close(file)
            return nil
        }
        return file
    }

    private func reply(_ connection: ConnectionID, _ key: [UInt8]) -> ExchangeReply? {
        guard let bytes = FileManager.default.contents(atPath: replyPath(connection)) else { return nil }
        return ExchangeReply(sealed: Array(bytes), key: key, connection: connection.description)
    }

    private func run(_ job: ExchangeJob, _ connection: ConnectionID, _ key: [UInt8]) -> Result<ExchangeReply, GrantFailure> {
        func failed(_ what: String) -> Result<ExchangeReply, GrantFailure> {
            .failure(GrantFailure(message: "the token request could not be made: \(what)", hint: "see the daemon's log; it is tried again"))
        }
        guard let lock = lock(connection, waits: true) else { return failed("no lock: \(String(cString: strerror(errno)))") }
        defer { close(lock) }
        unlink(replyPath(connection))
        var ends: [CInt] = [0, 0]
        guard berth_pipe(&ends) == 0 else { return failed("no pipe: \(String(cString: strerror(errno)))") }
        defer { close(ends[0]) }
        // A pipe's buffer holds it whole: nobody reads yet. Tokens of some providers are long.
        _ = berth_pipe_room(ends[1], 1 << 20)
        let bytes: Data
        do { bytes = try JSONEncoder().encode(job) } catch {
            close(ends[1])
            return failed("\(error)")
        }
        let written = bytes.withUnsafeBytes { write(ends[1], $0.baseAddress, $0.count) }
        close(ends[1])
        guard written == bytes.count else { return failed("the request is too large") }
        KillPoint.reach("grant.before-exchange")
        var process: pid_t = 0
        var pidfd: Int32 = -1
        let error = berth_spawn(program, "exchange-token", [STDERR_FILENO, ends[0], lock], 3, &process, &pidfd)
        guard error == 0 else { return failed("\(program): \(String(cString: strerror(error)))") }
        defer { close(pidfd) }
        KillPoint.reach("grant.after-spawn")
        var poller = pollfd(fd: pidfd, events: Int16(POLLIN), revents: 0)
        while poll(&poller, 1, -1) < 0, errno == EINTR {}
        var code: Int32 = 0
        var signal: Int32 = 0
        _ = berth_pidfd_reap(pidfd, &code, &signal)
        guard let reply = reply(connection, key) else {
            return failed("the process for it ended with \(signal == 0 ? "code \(code)" : "signal \(signal)") and no answer")
        }
        KillPoint.reach("grant.after-exchange")
        return .success(reply)
    }
}
