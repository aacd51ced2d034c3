// Tells the service manager that the daemon lives: only while the store answers, so that a hung writer is noticed.

import BerthSeams

struct Watchdog: Sendable {
    let notifier: Notifier
    let store: any Store

    func run() async {
        guard let interval = notifier.watchdogInterval else {
            // Nobody watches: sleep until shutdown.
            do { try await Task.sleep(for: .seconds(365 * 86_400)) } catch { return }
            return
        }
        while true {
            _ = await store.health()
            notifier.watchdog()
            do { try await Task.sleep(for: interval) } catch { return }
        }
    }
}
