// A lock with a condition, for operation threads that wait for an answer. The standard library's Mutex cannot be waited on.

import Glibc

/// Lock and condition.
///
/// `@unchecked Sendable`: both are made in `init`, are addressed only through the C functions that may be called from any
/// thread, and go in `deinit`.
package final class Monitor: @unchecked Sendable {
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)

    /// An unlocked one.
    package init() {
        pthread_mutex_init(mutex, nil)
        pthread_cond_init(condition, nil)
    }

    deinit {
        pthread_mutex_destroy(mutex)
        pthread_cond_destroy(condition)
        mutex.deallocate()
        condition.deallocate()
    }

    /// Runs `body` alone.
    package func withLock<R>(_ body: () -> R) -> R {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return body()
    }

    /// Waits within ``withLock(_:)``.
    package func wait() { pthread_cond_wait(condition, mutex) }

    /// Wakes those that wait.
    package func wake() { pthread_cond_broadcast(condition) }
}
