// One life of a worker: its process, its socket, its standard error, its end. A thread of its own waits for all four; whoever
// has something to say writes to the socket at once and leaves to that thread only what the socket would not take. Knows frames
// and signals; what the messages mean is WorkerGeneration's part.

import BerthModel
import BerthWire
import CBerthLinux
import Glibc
import Logging
import Synchronization

/// How a worker ended.
enum WorkerDeath: Sendable, Hashable {
    /// Left on its own.
    case exited(Int32)
    /// By a signal nobody here sent.
    case signalled(Int32)
    /// Killed for what it said.
    case violation(String)
    /// Killed past a deadline.
    case hung
    /// Ended because it was no longer needed.
    case stopped

    /// For operators.
    var text: String {
        switch self {
        case .exited(let code): "exited with code \(code)"
        case .signalled(let number): "was ended by signal \(number) (\(Self.name(number)))"
        case .violation(let rule): "broke the contract: \(rule)"
        case .hung: "hung and was killed"
        case .stopped: "was stopped"
        }
    }

    private static func name(_ number: Int32) -> String { strsignal(number).map { String(cString: $0) } ?? "unknown" }
}

/// What a worker's owner hears, on the worker's thread.
protocol WorkerListener: AnyObject, Sendable {
    func worker(_ worker: WorkerProcess, said message: WorkerMessage, operation: UInt64)
    /// The last call: nothing comes after it.
    func worker(_ worker: WorkerProcess, ended death: WorkerDeath)
}

/// A running worker.
final class WorkerProcess: Sendable {
    private struct State {
        var outgoing = OutgoingQueue()
        /// Set before a kill, so that the end is called by its cause.
        var cause: WorkerDeath?
        /// Whose fault the kill is.
        var culprit: UInt64?
        var isClosed = false
    }

    /// For people; never used to signal.
    let pid: Int32
    /// Shared page with the item each slot is at.
    let progress: WorkerProgress
    private let pidfd: Int32
    private let socket: Int32
    private let errors: Int32
    private let wakeUp = WakeUp()
    private let state = Mutex(State())
    private let listener: any WorkerListener
    private let logger: Logger

    /// Answers waiting for a worker that asks and does not read; more is a broken worker. Work it is given does not count: how much of
    /// that there is the daemon decides.
    private static let answerBytesMax = 256 << 20

    /// Starts `executable` with the library behind `image` as its descriptor 4.
    init(executable: String, name: String, image: Int32, listener: any WorkerListener, logger: Logger) throws(BerthError) {
        func failure(_ what: String, _ code: Int32) -> BerthError {
            BerthError(
                "worker_not_started", "\(what) for plugin \(name) failed: \(String(cString: strerror(code)))",
                hint: code == ENOENT ? "is \(executable) there? [plugins].worker names it" : "check limits on processes and open files",
                isRetryable: true)
        }
        var pair: [Int32] = [-1, -1]
        let paired = berth_socketpair(&pair)
        guard paired == 0 else { throw failure("a socket", paired) }
        var pipe: [Int32] = [-1, -1]
        let piped = berth_pipe(&pipe)
        guard piped == 0 else {
            pair.forEach { close($0) }
            throw failure("a pipe", piped)
        }
        let progress: WorkerProgress
        do { progress = try WorkerProgress() } catch {
            let code = errno
            (pair + pipe).forEach { close($0) }
            throw failure("a shared page", code)
        }
        var pid: pid_t = 0
        var pidfd: Int32 = -1
        let given: [Int32] = [pipe[1], pair[1], image, progress.descriptor]
        let spawned = berth_spawn(executable, name, given, UInt32(given.count), &pid, &pidfd)
        close(pair[1])
        close(pipe[1])
        progress.closeDescriptor()
        guard spawned == 0 else {
            close(pair[0])
            close(pipe[0])
            throw failure("starting \(executable)", spawned)
        }
        self.pid = pid
        self.pidfd = pidfd
        socket = pair[0]
        errors = pipe[0]
        self.progress = progress
        self.listener = listener
        self.logger = logger
    }

    deinit {
        close(socket)
        close(errors)
        close(pidfd)
    }

    /// Begins to listen. Once.
    func start() throws(BerthError) {
        let context = Unmanaged.passRetained(self).toOpaque()
        let failed = berth_thread_start(
            "berth-worker-io", 512 << 10,
            { context in
                guard let context else { return }
                Unmanaged<WorkerProcess>.fromOpaque(context).takeRetainedValue().run()
            }, context)
        guard failed != 0 else { return }
        Unmanaged<WorkerProcess>.fromOpaque(context).release()
        _ = berth_pidfd_signal(pidfd, SIGKILL)
        var (code, signal): (Int32, Int32) = (0, 0)
        _ = berth_pidfd_reap(pidfd, &code, &signal)
        throw BerthError(
            "worker_not_started", "no thread could be made: \(String(cString: strerror(failed)))", hint: "check limits on threads",
            isRetryable: true)
    }

    /// Says something. Never blocks; after the end nothing happens.
    func send(_ message: HostMessage, operation: UInt64) { send(message.frames(operation: operation), isAnswer: message.isAnswer) }

    /// Says something already encoded; `isAnswer`: because the worker asked.
    func send(_ bytes: [UInt8], isAnswer: Bool) {
        let pokes = state.withLock { state -> Bool in
            guard !state.isClosed else { return false }
            var sent = 0
            if state.outgoing.isEmpty {
                while sent < bytes.count {
                    let count = bytes.withUnsafeBytes { berth_send(socket, $0.baseAddress! + sent, $0.count - sent) }
                    if count <= 0 { break }  // full, or gone: the thread finds out which
                    sent += count
                }
                guard sent < bytes.count else { return false }
            }
            guard !isAnswer || state.outgoing.answerBytes + bytes.count <= Self.answerBytesMax else {
                if state.cause == nil { state.cause = .violation("does not read what it is sent") }
                _ = berth_pidfd_signal(pidfd, SIGKILL)
                return true
            }
            state.outgoing.append(bytes, sent: sent, isAnswer: isAnswer)
            return true
        }
        if pokes { wakeUp.poke() }
    }

    /// Whether it is being killed: what is sent to it now is lost.
    var isDoomed: Bool { state.withLock { $0.cause != nil || $0.isClosed } }

    /// The operation it was killed for, if one is to blame.
    var culprit: UInt64? { state.withLock { $0.culprit } }

    /// Ends it at once. The first cause counts.
    func kill(_ cause: WorkerDeath, for operation: UInt64? = nil) {
        state.withLock { state in
            guard state.cause == nil else { return }
            state.cause = cause
            state.culprit = operation
        }
        _ = berth_pidfd_signal(pidfd, SIGKILL)
    }

    /// Lets it end: its socket closes, and it leaves.
    func stop() {
        state.withLock { if $0.cause == nil { $0.cause = .stopped } }
        shutdown(socket, Int32(SHUT_WR))
        // One that does not leave by itself has no work left that could be lost.
        _ = berth_pidfd_signal(pidfd, SIGKILL)
    }

    // MARK: The thread

    private func run() {
        var assembler = FrameAssembler()
        var lines = ErrorLines()
        var isReading = true
        var hasErrors = true
        while true {
            let wantsWrite = state.withLock { !$0.outgoing.isEmpty }
            var descriptors = [
                pollfd(fd: isReading ? socket : -1, events: Int16(POLLIN) | (wantsWrite ? Int16(POLLOUT) : 0), revents: 0),
                pollfd(fd: wakeUp.descriptor, events: Int16(POLLIN), revents: 0),
                pollfd(fd: hasErrors ? errors : -1, events: Int16(POLLIN), revents: 0),
                pollfd(fd: pidfd, events: Int16(POLLIN), revents: 0),
            ]
            guard poll(&descriptors, 4, -1) >= 0 || errno == EINTR else { break }
            if descriptors[1].revents != 0 { wakeUp.clear() }
            if descriptors[2].revents != 0 { hasErrors = readErrors(&lines) }
            if descriptors[0].revents & Int16(POLLOUT) != 0 || (wantsWrite && descriptors[1].revents != 0) { flush() }
            if descriptors[0].revents & ~Int16(POLLOUT) != 0 { isReading = read(&assembler) != .over }
            if descriptors[3].revents != 0 {
                // What it said before it died still counts.
                while isReading { isReading = read(&assembler) == .more }
                if hasErrors { _ = readErrors(&lines) }
                break
            }
        }
        assembler.deallocate()
        end()
    }

    private enum Reading { case more, nothingNow, over }

    private func read(_ assembler: inout FrameAssembler) -> Reading {
        let count = assembler.receive { room in berth_receive(socket, room.baseAddress, room.count) }
        if count == -Int(EAGAIN) { return .nothingNow }
        guard count > 0 else {
            // A worker without its socket is of no use.
            _ = berth_pidfd_signal(pidfd, SIGKILL)
            return .over
        }
        do throws(WireError) {
            try assembler.drain { (kind, operation, payload) throws(WireError) in
                // What a condemned worker said after the breach counts no more, though it lay in the same read.
                guard state.withLock({ $0.cause == nil }) else { return }
                let message = try WorkerMessage(kind: kind, payload: payload)
                if case .violation(let rule) = message {
                    // Nothing that comes after it counts: an end would make a success of it.
                    kill(.violation(rule), for: operation)
                    throw WireError(.outOfStep, rule)
                }
                guard !isDoomed else { return }
                listener.worker(self, said: message, operation: operation)
            }
        } catch {
            kill(.violation("\(error)"))
            return .over
        }
        return .more
    }

    private func flush() {
        state.withLock { state in state.outgoing.flush { berth_send(socket, $0.baseAddress, $0.count) } }
    }

    private func readErrors(_ lines: inout ErrorLines) -> Bool {
        var room = [UInt8](repeating: 0, count: 4096)
        let count = Glibc.read(errors, &room, room.count)
        if count < 0 { return errno == EAGAIN || errno == EINTR }
        guard count > 0 else { return false }
        for line in lines.take(room[..<count]) {
            logger.warning("worker wrote to standard error", metadata: ["line": "\(line)", "pid": "\(pid)"])
        }
        return true
    }

    private func end() {
        var (code, signal): (Int32, Int32) = (0, 0)
        _ = berth_pidfd_reap(pidfd, &code, &signal)
        let death = state.withLock { state -> WorkerDeath in
            state.isClosed = true
            state.outgoing = OutgoingQueue()
            return state.cause ?? (signal != 0 ? .signalled(signal) : .exited(code))
        }
        listener.worker(self, ended: death)
    }
}

/// Standard error as lines, bounded in length and number.
private struct ErrorLines {
    private var rest: [UInt8] = []
    private var linesLeft = 200

    mutating func take(_ bytes: ArraySlice<UInt8>) -> [String] {
        rest += bytes
        var lines: [String] = []
        while let end = rest.firstIndex(of: 10) {
            lines.append(String(decoding: rest[..<end], as: UTF8.self))
            rest.removeSubrange(...end)
        }
        if rest.count > 4096 {
            lines.append(String(decoding: rest, as: UTF8.self))
            rest = []
        }
        let kept = lines.prefix(linesLeft)
        linesLeft -= kept.count
        return kept.map(LogLine.clean)
    }
}
