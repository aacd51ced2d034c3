// Deletes what is past its retention, a little after start and then every hour.

import BerthModel
import BerthSeams
import Logging

struct Housekeeping: Sendable {
    let store: any Store
    let retention: Retention
    let clock: any WallClock
    let logger: Logger

    func run() async {
        var wait: Duration = .seconds(60)
        while true {
            do { try await Task.sleep(for: wait) } catch { return }
            wait = .seconds(3600)
            do {
                let gone = try await store.prune(retention, now: clock.now())
                if gone > 0 { logger.info("past retention, deleted", metadata: ["rows": "\(gone)"]) }
            } catch {
                logger.error("retention not kept", metadata: ["error": "\(error)"])
            }
        }
    }
}
