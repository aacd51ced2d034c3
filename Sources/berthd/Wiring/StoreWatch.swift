// Looks after the store: its free space, the times in it when the clock is set back, and that it writes. Ends the daemon when
// it can't write any more: the service manager starts it again, and the new start recovers what is on the disk. Going on
// would only refuse everything and hide the disk's failure.

import BerthModel
import BerthStoreSQLite
import Logging
import ServiceLifecycle

struct StoreWatch: Service {
    let store: SQLiteStore
    let clock: SystemClock
    let logger: Logger
    /// Called when waiting work became due at once.
    let onChange: @Sendable () -> Void

    func run() async throws {
        let reason = await cancelWhenGracefulShutdown {
            await withTaskGroup(of: Void.self) { group in
                group.addTask {
                    let start = clock.now()
                    do throws(BerthError) { if try await store.wasAhead(of: start) { await repair(start) } } catch {
                        if Task.isCancelled { return }
                        logger.error("times in the store can't be checked", metadata: ["error": "\(error)"])
                    }
                    while !Task.isCancelled {
                        store.lookAtSpace()
                        tell(store.lookAtFile())
                        if clock.takeStepBack() > 60_000 { await repair(clock.now()) }
                        do { try await Task.sleep(for: .seconds(2)) } catch { return }
                    }
                }
                defer { group.cancelAll() }
                return await store.untilBroken()
            }
        }
        guard let reason else { return }
        logger.critical("the store can't write any more: berthd ends", metadata: ["error": "\(reason)"])
        throw reason
    }

    private func tell(_ look: (hasChanged: Bool, problem: BerthError?)) {
        guard look.hasChanged else { return }
        guard let problem = look.problem else { return logger.notice("the database file is back in its place: deliveries are accepted") }
        logger.critical("\(problem.message): deliveries are refused", metadata: ["hint": "\(problem.hint ?? "")"])
    }

    private func repair(_ now: Timestamp) async {
        do throws(BerthError) {
            let (events, streams) = try await store.clockWasSetBack(to: now)
            logger.warning(
                "the clock was set back: what waited for later moments is due now",
                metadata: ["events": "\(events)", "streams": "\(streams)", "hint": "timedatectl shows whether the clock is synchronized"])
            onChange()
        } catch {
            logger.error("times in the store can't be brought back", metadata: ["error": "\(error)"])
        }
    }
}
