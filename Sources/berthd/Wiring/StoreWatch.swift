// Looks after the store: its free space, and that it writes. Ends the daemon when it can't write any more: the service
// manager starts it again, and the new start recovers what is on the disk. Going on would only refuse everything and hide the
// disk's failure.

import BerthModel
import BerthStoreSQLite
import Logging
import ServiceLifecycle

struct StoreWatch: Service {
    let store: SQLiteStore
    let logger: Logger

    func run() async throws {
        let reason = await cancelWhenGracefulShutdown {
            await withTaskGroup(of: Void.self) { group in
                group.addTask {
                    while !Task.isCancelled {
                        store.lookAtSpace()
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
}
