// One thread that ends what runs too long. It sleeps until the nearest deadline it knows of and looks again then, so that
// starting an operation costs it no wake-up: later deadlines are found when the sooner one has passed. Idle, it sleeps.

import CBerthLinux
import Glibc
import Synchronization

/// Watches running operations.
final class DeadlineWatch: Sendable {
    /// What a look at an operation found.
    enum Look: Sendable {
        /// Nothing to do before then.
        case later(UInt64)
        /// Nothing to do until it says so.
        case never
    }

    private struct State {
        var sessions: [ObjectIdentifier: OperationSession] = [:]
        var wakeAt: UInt64 = .max
        var isRunning = false
    }
    private let state = Mutex(State())
    private let wakeUp: WakeUp

    init() { wakeUp = WakeUp() }

    func add(_ session: OperationSession, deadline: UInt64) {
        let (starts, pokes) = state.withLock { state in
            state.sessions[ObjectIdentifier(session)] = session
            let starts = !state.isRunning
            state.isRunning = true
            let pokes = deadline < state.wakeAt
            if pokes { state.wakeAt = deadline }
            return (starts, pokes)
        }
        if starts { start() } else if pokes { wakeUp.poke() }
    }

    func remove(_ session: OperationSession) {
        _ = state.withLock { $0.sessions.removeValue(forKey: ObjectIdentifier(session)) }
    }

    /// Looks again soon: a deadline came nearer.
    func hurry() {
        state.withLock { $0.wakeAt = 0 }
        wakeUp.poke()
    }

    private func start() {
        let context = Unmanaged.passRetained(self).toOpaque()
        let failed = berth_thread_start(
            "berth-deadline", 256 << 10,
            { context in
                guard let context else { return }
                Unmanaged<DeadlineWatch>.fromOpaque(context).takeRetainedValue().run()
            }, context)
        precondition(failed == 0, "no thread could be made: errno \(failed)")
    }

    private func run() {
        while true {
            let wakeAt = state.withLock { $0.wakeAt }
            wakeUp.wait(until: wakeAt)
            let now = MonotonicTime.now()
            let due: [OperationSession]? = state.withLock { state in
                guard state.wakeAt <= now else { return nil }
                state.wakeAt = .max
                return Array(state.sessions.values)
            }
            guard let due else { continue }
            var next = UInt64.max
            for session in due {
                if case .later(let at) = session.look(now: now) { next = min(next, at) }
            }
            state.withLock { $0.wakeAt = min($0.wakeAt, next) }
        }
    }
}

/// A thread's alarm clock: an eventfd waited for with a timeout.
final class WakeUp: Sendable {
    let descriptor: Int32

    init() {
        descriptor = berth_event_descriptor()
        precondition(descriptor >= 0, "no eventfd could be made: errno \(errno)")
    }

    deinit { close(descriptor) }

    /// Ends the wait, or the next one.
    func poke() {
        var one: UInt64 = 1
        _ = write(descriptor, &one, 8)
    }

    /// Takes what was poked.
    func clear() {
        var count: UInt64 = 0
        _ = read(descriptor, &count, 8)
    }

    /// Returns at the time given, or sooner when poked; `.max`: only when poked.
    func wait(until time: UInt64) {
        let now = MonotonicTime.now()
        guard time > now else { return }
        var poll = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        let milliseconds = time == .max ? -1 : Int32(min((time - now) / 1_000_000 + 1, 3_600_000))
        if Glibc.poll(&poll, 1, milliseconds) > 0 { clear() }
    }
}
