// Deletes what is past its retention, a little after start and then every hour.

import BerthModel
import BerthSeams
import BerthStoreSQLite
import Logging

struct Housekeeping: Sendable {
    let store: any Store
    let answers: SQLiteResponseCache?
    let retention: Retention
    let clock: any WallClock
    let logger: Logger

    func run() async {
        var wait: Duration = .seconds(60)
        while true {
            do { try await Task.sleep(for: wait) } catch { return }
            wait = .seconds(3600)
            // The longest lifetime that a manifest can give.
            await answers?.prune(before: clock.now().adding(seconds: -604_800))
            do {
                let gone = try await store.prune(retention, now: clock.now())
                if gone > 0 { logger.info("past retention, deleted", metadata: ["rows": "\(gone)"]) }
            } catch {
                logger.error("retention not kept", metadata: ["error": "\(error)"])
            }
        }
    }
}
