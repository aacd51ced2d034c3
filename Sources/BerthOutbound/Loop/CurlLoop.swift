// The one thread that all requests run on: an epoll loop around a libcurl multi handle. It is also the executor of
// the CurlOutbound actor, so that everything the actor owns is touched by this thread only, and a request crosses
// threads twice: in, and out. It knows nothing of providers, limits or credentials.

import CCurl
import Glibc
import Synchronization

/// A thread running Swift jobs, libcurl transfers and timers.
///
/// `@unchecked Sendable`: `inbox` is guarded by its mutex; everything else is touched only on the thread, which
/// `checkIsolated()` asserts where it is entered.
/// The mutex is the hand-over between the thread and all others; it is held for an append or a swap.
final class CurlLoop: SerialExecutor, @unchecked Sendable {
    private struct Inbox {
        var jobs: [UnownedJob] = []
        var isRunning = false
        var isAsleep = false
        var isClosing = false
        var thread: pthread_t?
        var atEnd: [CheckedContinuation<Void, Never>] = []
    }
    private let inbox = Mutex(Inbox())
    private let wakeDescriptor: Int32
    private let epollDescriptor: Int32

    // Of the thread only.
    private var pools: [Int: Pool] = [:]
    private var owners: [curl_socket_t: Pool] = [:]
    private var timers = TimerQueue()
    private var transfers: [UnsafeMutableRawPointer: Transfer] = [:]
    private var idleHandles: [UnsafeMutableRawPointer] = []
    private var slowSweepDue = Monotonic(nanoseconds: 0)
    private let connectionLimits: (shared: Int, perRoute: Int, perHost: Int)
    private let slowLimit: (bytes: Int, nanoseconds: Int64)

    /// libcurl's handle of one route, with the connections it keeps. One for all would share connections by libcurl's rules,
    /// and those once forgot a proxy's credentials (CVE-2026-3784).
    private final class Pool {
        unowned let loop: CurlLoop
        let multi: UnsafeMutableRawPointer
        var due: Monotonic?

        init(_ loop: CurlLoop, _ multi: UnsafeMutableRawPointer) {
            self.loop = loop
            self.multi = multi
        }
    }

    /// nil when the system gives no descriptors.
    init?(connectionLimits: (shared: Int, perRoute: Int, perHost: Int), slowLimit: (bytes: Int, nanoseconds: Int64)) {
        guard curl_global_init(Int(CURL_GLOBAL_DEFAULT)) == CURLE_OK else { return nil }
        self.connectionLimits = connectionLimits
        self.slowLimit = slowLimit
        epollDescriptor = epoll_create1(Int32(EPOLL_CLOEXEC))
        wakeDescriptor = eventfd(0, Int32(EFD_CLOEXEC | EFD_NONBLOCK))
        guard epollDescriptor >= 0, wakeDescriptor >= 0 else { return nil }
        var event = epoll_event(events: EPOLLIN.rawValue, data: epoll_data_t(fd: wakeDescriptor))
        guard epoll_ctl(epollDescriptor, EPOLL_CTL_ADD, wakeDescriptor, &event) == 0 else { return nil }
    }

    deinit {
        Glibc.close(epollDescriptor)
        Glibc.close(wakeDescriptor)
    }

    // MARK: Any thread

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        let (start, wake) = inbox.withLock { inbox -> (Bool, Bool) in
            inbox.jobs.append(job)
            defer {
                inbox.isRunning = true
                inbox.isAsleep = false
            }
            return (!inbox.isRunning, inbox.isAsleep)
        }
        if start { startThread() } else if wake { signal() }
    }

    func asUnownedSerialExecutor() -> UnownedSerialExecutor { UnownedSerialExecutor(ordinary: self) }

    func checkIsolated() {
        let thread = inbox.withLock { $0.thread }
        precondition(thread.map { pthread_equal($0, pthread_self()) != 0 } == true, "not on the outbound thread")
    }

    /// Ends the thread once no transfer, timer or job is left. A job that comes later starts it again for itself.
    func close() {
        let wake = inbox.withLock { inbox -> Bool in
            inbox.isClosing = true
            defer { inbox.isAsleep = false }
            return inbox.isAsleep
        }
        if wake { signal() }
    }

    /// Returns when the thread has ended after `close()`.
    func ended() async {
        await withCheckedContinuation { continuation in
            let resumeNow = inbox.withLock { inbox -> Bool in
                if inbox.isRunning { inbox.atEnd.append(continuation) }
                return !inbox.isRunning
            }
            if resumeNow { continuation.resume() }
        }
    }

    private func signal() {
        var one: UInt64 = 1
        // Fails only when the counter is full, and then the loop is going to wake anyway.
        _ = write(wakeDescriptor, &one, 8)
    }

    private func startThread() {
        var thread = pthread_t()
        let context = Unmanaged.passRetained(self).toOpaque()
        let code = pthread_create(
            &thread, nil,
            { context in
                guard let context else { return nil }
                Unmanaged<CurlLoop>.fromOpaque(context).takeRetainedValue().run()
                return nil
            }, context)
        precondition(code == 0, "cannot start the outbound thread: \(code)")
        pthread_detach(thread)
    }

    // MARK: The thread

    private func run() {
        // Signals belong to the main thread; SIGPIPE of a broken TLS connection must not end the process.
        var all = sigset_t()
        sigfillset(&all)
        pthread_sigmask(SIG_SETMASK, &all, nil)
        ccurl_name_thread("berth-outbound")
        inbox.withLock { $0.thread = pthread_self() }
        var events = [epoll_event](repeating: epoll_event(), count: 256)
        var jobs: [UnownedJob] = []

        while true {
            inbox.withLock { swap(&jobs, &$0.jobs) }
            let executor = asUnownedSerialExecutor()
            for job in jobs { job.runSynchronously(on: executor) }
            jobs.removeAll(keepingCapacity: true)

            let now = Monotonic.now()
            while let action = timers.popDue(now) { action() }
            for pool in pools.values {
                if let due = pool.due, due <= now {
                    pool.due = nil
                    act(pool, on: CURL_SOCKET_BAD, mask: 0)
                }
            }
            sweepSlow(now)
            for pool in pools.values { finishDone(pool) }

            let next = inbox.withLock { inbox -> (sleep: Bool, end: Bool) in
                guard inbox.jobs.isEmpty else { return (false, false) }
                if inbox.isClosing, transfers.isEmpty, timers.isEmpty { return (false, true) }
                inbox.isAsleep = true
                return (true, false)
            }
            if next.end {
                releaseHandles()
                if end() { return }
                continue
            }
            guard next.sleep else { continue }
            let count = epoll_wait(epollDescriptor, &events, Int32(events.count), sleepMilliseconds())
            inbox.withLock { $0.isAsleep = false }
            for index in 0..<max(0, Int(count)) {
                let event = events[index]
                if event.data.fd == wakeDescriptor {
                    var value: UInt64 = 0
                    _ = read(wakeDescriptor, &value, 8)
                } else {
                    if let owner = owners[event.data.fd] { act(owner, on: event.data.fd, mask: Self.readiness(event.events)) }
                }
            }
        }
    }

    /// Leaves the thread; false when a job came in meanwhile.
    private func end() -> Bool {
        let waiting = inbox.withLock { inbox -> [CheckedContinuation<Void, Never>]? in
            guard inbox.jobs.isEmpty else { return nil }
            inbox.isRunning = false
            inbox.thread = nil
            defer { inbox.atEnd = [] }
            return inbox.atEnd
        }
        guard let waiting else { return false }
        for continuation in waiting { continuation.resume() }
        return true
    }

    private func sleepMilliseconds() -> Int32 {
        var due = timers.earliest ?? .never
        for pool in pools.values { if let next = pool.due { due = min(due, next) } }
        if !transfers.isEmpty { due = min(due, slowSweepDue) }
        guard due != .never else { return -1 }
        let left = due - Monotonic.now()
        // Rounded up: waking early would only turn the loop once more for nothing.
        return left <= 0 ? 0 : Int32(clamping: (left + 999_999) / 1_000_000)
    }

    /// What libcurl is told of a socket's events. Of an error it is told nothing, and then looks itself: a reset can show as an error
    /// before the kernel calls the socket readable (in 483 of 100,000 tries on loopback), and libcurl, told of an error alone, gives up without
    /// reading what came and says only "select/poll returned error".
    static func readiness(_ events: UInt32) -> Int32 {
        guard events & (EPOLLERR.rawValue | EPOLLHUP.rawValue) == 0 else { return 0 }
        var mask: Int32 = 0
        if events & EPOLLIN.rawValue != 0 { mask |= CURL_CSELECT_IN }
        if events & EPOLLOUT.rawValue != 0 { mask |= CURL_CSELECT_OUT }
        return mask
    }

    private func act(_ pool: Pool, on socket: curl_socket_t, mask: Int32) {
        var running: Int32 = 0
        _ = curl_multi_socket_action(pool.multi, socket, mask, &running)
    }

    private func finishDone(_ pool: Pool) {
        var code = CURLE_OK
        while let easy = ccurl_multi_next_done(pool.multi, &code) {
            guard let transfer = transfers.removeValue(forKey: easy) else { continue }
            curl_multi_remove_handle(pool.multi, easy)
            transfer.finish(code)
            recycle(easy)
        }
    }

    private func sweepSlow(_ now: Monotonic) {
        guard now >= slowSweepDue else { return }
        slowSweepDue = now + 1_000_000_000
        for (easy, transfer) in transfers where transfer.isTooSlow(now, limit: slowLimit) {
            abandon(easy, CURLE_OPERATION_TIMEDOUT)
        }
    }

    private func recycle(_ easy: UnsafeMutableRawPointer) {
        if idleHandles.count < 64 {
            curl_easy_reset(easy)
            idleHandles.append(easy)
        } else {
            curl_easy_cleanup(easy)
        }
    }

    private func releaseHandles() {
        for easy in idleHandles { curl_easy_cleanup(easy) }
        idleHandles.removeAll()
        for pool in pools.values { curl_multi_cleanup(pool.multi) }
        pools.removeAll()
        owners.removeAll()
    }

    // MARK: Called on the thread by the actor

    /// A fresh easy handle, or nil when memory is short.
    func takeHandle() -> UnsafeMutableRawPointer? { idleHandles.popLast() ?? curl_easy_init() }

    /// Runs a transfer; its `finish` is called once, later.
    func start(_ transfer: Transfer) {
        guard let pool = pool(transfer.policy.route), curl_multi_add_handle(pool.multi, transfer.easy) == CURLM_OK else {
            transfer.finish(CURLE_FAILED_INIT)
            recycle(transfer.easy)
            return
        }
        transfers[transfer.easy] = transfer
    }

    /// Ends a transfer now, with the given outcome; nothing happens when it is done already.
    func abandon(_ easy: UnsafeMutableRawPointer, _ code: CURLcode) {
        guard let transfer = transfers.removeValue(forKey: easy), let pool = pools[transfer.policy.route] else { return }
        curl_multi_remove_handle(pool.multi, easy)
        transfer.finish(code)
        recycle(easy)
    }

    /// Ends all transfers.
    func abandonAll(_ code: CURLcode) { for easy in Array(transfers.keys) { abandon(easy, code) } }

    /// Transfers under way.
    var transferCount: Int { transfers.count }

    /// Calls `action` on the thread after `time`.
    func schedule(at time: Monotonic, _ action: @escaping () -> Void) -> UInt64 { timers.add(time, action) }

    /// Forgets a scheduled action.
    func unschedule(_ id: UInt64) { timers.cancel(id) }

    private func pool(_ route: Int) -> Pool? {
        if let known = pools[route] { return known }
        guard let made = curl_multi_init() else { return nil }
        let pool = Pool(self, made)
        let context = Unmanaged.passUnretained(pool).toOpaque()
        ccurl_multi_set_watch_socket_fn(made) { _, socket, what, context, _ in
            guard let context else { return 0 }
            let pool = Unmanaged<Pool>.fromOpaque(context).takeUnretainedValue()
            pool.loop.watch(socket, what, for: pool)
            return 0
        }
        ccurl_multi_set_watch_timer_fn(made) { _, milliseconds, context in
            guard let context else { return 0 }
            let pool = Unmanaged<Pool>.fromOpaque(context).takeUnretainedValue()
            pool.due = milliseconds < 0 ? nil : Monotonic.now() + Int64(milliseconds) * 1_000_000
            return 0
        }
        ccurl_multi_set_pointer(made, CURLMOPT_SOCKETDATA, context)
        ccurl_multi_set_pointer(made, CURLMOPT_TIMERDATA, context)
        ccurl_multi_set_long(made, CURLMOPT_PIPELINING, Int(CURLPIPE_MULTIPLEX))
        let connections = route == 0 ? connectionLimits.shared : connectionLimits.perRoute
        ccurl_multi_set_long(made, CURLMOPT_MAXCONNECTS, connections)
        ccurl_multi_set_long(made, CURLMOPT_MAX_TOTAL_CONNECTIONS, connections)
        ccurl_multi_set_long(made, CURLMOPT_MAX_HOST_CONNECTIONS, connectionLimits.perHost)
        pools[route] = pool
        return pool
    }

    private func watch(_ socket: curl_socket_t, _ what: Int32, for pool: Pool) {
        if what == CURL_POLL_REMOVE {
            owners[socket] = nil
            // Fails when libcurl closed the socket first, which removed it as well.
            _ = epoll_ctl(epollDescriptor, EPOLL_CTL_DEL, socket, nil)
            return
        }
        owners[socket] = pool
        var event = epoll_event(events: 0, data: epoll_data_t(fd: socket))
        if what & CURL_POLL_IN != 0 { event.events |= EPOLLIN.rawValue }
        if what & CURL_POLL_OUT != 0 { event.events |= EPOLLOUT.rawValue }
        if epoll_ctl(epollDescriptor, EPOLL_CTL_MOD, socket, &event) != 0, errno == ENOENT {
            _ = epoll_ctl(epollDescriptor, EPOLL_CTL_ADD, socket, &event)
        }
    }
}
