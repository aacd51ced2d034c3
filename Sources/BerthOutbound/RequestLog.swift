// Collects finished requests for the log of requests and hands them on in batches: the request's path never waits for a disk.

import BerthModel
public import BerthSeams
public import Logging
import Synchronization

/// The way to the log of requests. What does not fit is dropped and counted: a slow disk must not hold requests back.
public final class RequestLog: Sendable {
    private struct Waiting {
        var entries: [RequestLogEntry] = []
        var dropped = 0
    }
    private let store: any RequestLogStore
    private let logger: Logger
    private let waiting = Mutex(Waiting())
    private let entriesMax: Int

    /// A way that holds `entriesMax` at most.
    public init(store: any RequestLogStore, logger: Logger, entriesMax: Int = 8192) {
        self.store = store
        self.logger = logger
        self.entriesMax = entriesMax
    }

    /// Takes one; never blocks for long. Isolation: any thread.
    public func append(_ entry: RequestLogEntry) {
        waiting.withLock { waiting in
            guard waiting.entries.count < entriesMax else {
                waiting.dropped += 1
                return
            }
            waiting.entries.append(entry)
        }
    }

    /// Writes what is there; durable when it returns.
    public func flush() async {
        let (entries, dropped) = waiting.withLock { waiting in
            defer { waiting = Waiting() }
            return (waiting.entries, waiting.dropped)
        }
        if dropped > 0 { logger.warning("requests left out of the log", metadata: ["count": "\(dropped)"]) }
        guard !entries.isEmpty else { return }
        do { try await store.logRequests(entries) } catch {
            logger.warning("requests not logged", metadata: ["count": "\(entries.count)", "error": "\(error.message)"])
        }
    }

    /// Writes every second until the task is cancelled, and then once more.
    public func run() async {
        while !Task.isCancelled {
            // Cancelled is the end of the loop.
            try? await Task.sleep(for: .seconds(1))
            await flush()
        }
    }
}
