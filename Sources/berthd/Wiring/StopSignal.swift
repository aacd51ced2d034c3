// Tells a part that is no service of its own that the daemon stops.

import ServiceLifecycle

struct StopSignal: Service {
    let act: @Sendable () -> Void

    func run() async throws {
        try? await gracefulShutdown()  // cancelled: it stops as well
        act()
    }
}
