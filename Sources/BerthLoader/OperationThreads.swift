// Swift closures on threads of their own: plugin operations block, and so never run on threads of Swift's concurrency.

import CBerthLinux

/// Threads for operations, made on demand up to a limit and then kept.
///
/// `@unchecked Sendable`: the C pool locks for itself; the pointer is never changed.
package final class OperationThreads: @unchecked Sendable {
    private let threads: OpaquePointer?

    private final class Job {
        let body: @Sendable () -> Void
        init(_ body: @escaping @Sendable () -> Void) { self.body = body }
    }

    /// Stacks are virtual: only what is used costs memory.
    package init(limit: UInt32, stackBytes: Int, name: String) { threads = berth_threads_create(limit, stackBytes, name) }

    /// Runs `body` on the next free thread. False when no thread could be made.
    package func run(_ body: @escaping @Sendable () -> Void) -> Bool {
        guard let threads else { return false }
        let context = Unmanaged.passRetained(Job(body))
        let failed = berth_threads_run(
            threads,
            { context in
                guard let context else { return }
                Unmanaged<Job>.fromOpaque(context).takeRetainedValue().body()
            }, context.toOpaque())
        if failed != 0 { context.release() }
        return failed == 0
    }
}
