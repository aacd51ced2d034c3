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
    private let files: ExchangeFiles
    private let program: String
    private let egress: @Sendable (ConnectionID) -> ExchangeEgress?
    private let userAgent: String
    /// Each exchange holds a thread while its process runs. More than a few at one endpoint wait, so that a token endpoint that
    /// does not answer keeps nobody waiting but its own; nor does a proxy, which is one workspace's: each way there has its queue.
    private let queues = Mutex<[String: OperationQueue]>([:])
    private static let exchangesPerEndpoint = 16
    /// Waits for exchanges of a former life whose connection is gone.
    private let sweeps = OperationQueue()
    /// How many exchanges of a connection began in this life.
    private let exchanges = Mutex<[ConnectionID: Int]>([:])
    /// An exchange ends by its own time. One that has not so many seconds later is stuck: stopped, or the disk is.
    private static let spareSeconds = 10
    /// Longer than all that.
    private static let exchangeSecondsMax = 75
    /// When nobody waits any more, since the daemon stops.
    private let stopsAt = Mutex<ContinuousClock.Instant?>(nil)
    private static let stopSeconds = 3

    /// A desk that keeps locks and answers in `folder` (made with mode 0700) and runs `program exchange-token`. `egress` tells the
    /// rules of a connection's workspace; nil: there is no such connection, and nothing is sent for it.
    public init(
        folder: String, program: String, egress: @escaping @Sendable (ConnectionID) -> ExchangeEgress?, userAgent: String
    ) throws(BerthError) {
        self.folder = folder
        files = ExchangeFiles(folder: folder)
        self.program = program
        self.egress = egress
        self.userAgent = userAgent
        sweeps.maxConcurrentOperationCount = 4
        guard mkdir(folder, 0o700) == 0 || errno == EEXIST else {
            throw BerthError(
                .store, "the folder \(folder) can't be made: \(String(cString: strerror(errno)))",
                hint: "the daemon's user must be able to write there")
        }
    }

    /// Sends `request`. The answer stays on disk until `settled(_:)`, and while one is there no other request is sent: it is taken first,
    /// by `interrupted`. A `revocation` is told what came of it and leaves nothing behind.
    func exchange(
        _ request: TokenRequest, of connection: ConnectionID, key: Secret, basis: [UInt8], isOwnAddress: Bool, timeoutSeconds: Int = 60,
        revocation: Bool = false
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
            replyPath: revocation ? files.path(connection, .revocation) : files.path(connection, .reply), key: keyBytes, basis: basis)
        return await onThread(of: request.url, egress) {
            let result = self.run(job, connection, keyBytes, refuses: !revocation)
            if revocation { unlink(job.replyPath) }
            return result
        }
    }

    /// What an exchange left that nobody took yet.
    enum Left {
        case nothing
        case answer(ExchangeReply)
        /// It was not sealed for this connection with this key.
        case unreadable
    }

    /// What is left of an exchange whose answer nobody took, waiting for one that still runs. Its file stays until `settled(_:)`.
    func interrupted(_ connection: ConnectionID, key: Secret, url: String) async -> Result<Left, GrantFailure> {
        // The usual case costs no turn in a queue.
        if let lock = files.lock(connection, seconds: 0) {
            defer { close(lock) }
            if files.isAbsent(connection) { return .success(.nothing) }
        }
        let keyBytes = key.withBytes { Array($0) }
        return await onThread(of: url, egress(connection)) {
            func failed(_ what: String) -> Result<Left, GrantFailure> {
                .failure(
                    GrantFailure(
                        message: "a token request of before may have an answer, and \(what)",
                        hint: "none is sent until then; see the daemon's log"))
            }
            guard let lock = self.files.lock(connection, seconds: Self.exchangeSecondsMax, unless: self.isOver) else {
                if self.isOver() { return failed("the daemon stops") }
                return failed("its lock can't be had: \(String(cString: strerror(errno)))")
            }
            defer { close(lock) }
            switch self.files.read(self.files.path(connection, .reply)) {
            case .failure(let cause): return cause.number == ENOENT ? .success(.nothing) : failed("it can't be read: \(cause)")
            case .success(let bytes):
                let reply = ExchangeReply(sealed: bytes, key: keyBytes, connection: connection.description)
                return .success(reply.map { .answer($0) } ?? .unreadable)
            }
        }
    }

    /// The answer's effect is durable, or it has none: the file goes.
    func settled(_ connection: ConnectionID) { unlink(files.path(connection, .reply)) }

    /// Whether there is no answer whose effect is still to come.
    func isSettled(_ connection: ConnectionID) -> Bool { files.isAbsent(connection) }

    /// A grant has ended, and nothing is asked for it: its files go. Those of an exchange that still runs, of a former life, when it ends.
    func cleared(_ connection: ConnectionID) {
        guard !files.sweep(connection, seconds: 0) else { return }
        let before = began(connection)
        sweeps.addOperation {
            // A newer exchange: the files are its own, and what was there before was looked at.
            _ = self.files.sweep(connection, seconds: Self.exchangeSecondsMax, ifStill: { self.began(connection) == before })
        }
    }

    /// At a start: the files of connections that have no grant go, and what an exchange that ended too early left of its answer.
    public func sweep(keeping isKept: (ConnectionID) -> Bool) {
        for (connection, hasLeftovers) in files.connections() {
            if !isKept(connection) { cleared(connection) } else if hasLeftovers { files.dropLeftovers(connection) }
        }
    }

    /// The daemon stops: exchanges have three seconds more, and then whoever waits for one is told that it is not done. Those under way
    /// go on without the daemon, and the next one takes their answers.
    public func stop() { stopsAt.withLock { $0 = $0 ?? .now + .seconds(Self.stopSeconds) } }

    private func isOver() -> Bool { stopsAt.withLock { $0 }.map { .now >= $0 } ?? false }

    private func began(_ connection: ConnectionID) -> Int { exchanges.withLock { $0[connection] ?? 0 } }

    // MARK: On a thread

    private func onThread<T: Sendable>(of url: String, _ egress: ExchangeEgress?, _ body: @escaping @Sendable () -> T) async -> T {
        let way = "\(url.prefix { $0 != "?" }) \(egress?.proxy?.url ?? "")"
        let queue = queues.withLock { queues in
            if let queue = queues[way] { return queue }
            let queue = OperationQueue()
            queue.maxConcurrentOperationCount = Self.exchangesPerEndpoint
            queues[way] = queue
            return queue
        }
        return await withCheckedContinuation { continuation in queue.addOperation { continuation.resume(returning: body()) } }
    }

    private func run(_ job: ExchangeJob, _ connection: ConnectionID, _ key: [UInt8], refuses: Bool) -> Result<ExchangeReply, GrantFailure> {
        func failed(_ what: String, _ hint: String = "see the daemon's log; it is tried again") -> Result<ExchangeReply, GrantFailure> {
            .failure(GrantFailure(message: "the token request could not be made: \(what)", hint: hint))
        }
        func stopped() -> Result<ExchangeReply, GrantFailure> { failed("the daemon stops", "it is asked again after its next start") }
        guard !isOver() else { return stopped() }
        guard let lock = files.lock(connection, seconds: Self.exchangeSecondsMax, unless: isOver) else {
            if isOver() { return stopped() }
            return failed("no lock: \(String(cString: strerror(errno)))")
        }
        defer { close(lock) }
        exchanges.withLock { $0[connection, default: 0] += 1 }
        guard !refuses || files.isAbsent(connection) else { return failed("the answer of the one before is not stored yet") }
        unlink(files.path(connection, .revocation))
        // Before anything is spent: an answer that finds no room is a grant that is lost.
        if let error = files.reserve(job.replyPath) {
            return failed(
                "there is no room on the disk for its answer (\(folder): \(error))", "free some space; it is asked again by and by")
        }
        // Not the room of a process that may still write into it.
        var needsRoom = false
        defer { if !needsRoom { files.dropPart(of: job.replyPath) } }
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
        let isTimely = hasEnded(pidfd, within: job.timeoutSeconds + Self.spareSeconds)
        if !isTimely, isOver() {
            needsRoom = true
            return failed("the daemon stops, and there is no answer yet", "what comes is taken at the next start")
        }
        if !isTimely {
            // As if it had crashed: whether the provider acted on it is not known.
            _ = berth_pidfd_signal(pidfd, SIGKILL)
            guard hasEnded(pidfd, within: 1) else {
                needsRoom = true
                return failed("the process for it is stuck and can't be ended", "see what process \(process) waits for; it is tried again")
            }
        }
        var code: Int32 = 0
        var signal: Int32 = 0
        _ = berth_pidfd_reap(pidfd, &code, &signal)
        func answer(_ path: String) -> ExchangeReply? {
            guard case .success(let sealed) = files.read(path) else { return nil }
            return ExchangeReply(sealed: sealed, key: key, connection: connection.description)
        }
        if let reply = answer(job.replyPath) {
            KillPoint.reach("grant.after-exchange")
            return .success(reply)
        }
        // What a slow disk kept from its name is an answer: whole, or its seal would not fit.
        if let reply = answer(job.replyPath + ".part"), files.name(partOf: job.replyPath) { return .success(reply) }
        guard isTimely else {
            return failed("the process for it did not end in \(job.timeoutSeconds + Self.spareSeconds) s and was killed")
        }
        return failed("the process for it ended with \(signal == 0 ? "code \(code)" : "signal \(signal)") and no answer")
    }

    /// Whether the process ended in time, and before nobody waits any more.
    private func hasEnded(_ pidfd: CInt, within seconds: Int) -> Bool {
        let end = ContinuousClock.now + .seconds(seconds)
        var poller = pollfd(fd: pidfd, events: Int16(POLLIN), revents: 0)
        while true {
            // In pieces: when the daemon stops is not known before.
            if poll(&poller, 1, 250) > 0 { return true }
            if .now >= end || isOver() { return false }
        }
    }
}
