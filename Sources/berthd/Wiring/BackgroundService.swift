// An engine part as a service: it runs until graceful shutdown, which cancels it; then it ends in its own time.

import ServiceLifecycle

struct BackgroundService: Service {
    let name: String
    let body: @Sendable () async -> Void

    func run() async throws {
        await cancelWhenGracefulShutdown { await body() }
    }
}
