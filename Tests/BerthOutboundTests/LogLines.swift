// Keeps what is logged, for tests that look for secrets in it.

import Logging
import Synchronization

final class LogLines: LogHandler {
    private let kept = Mutex<[String]>([])
    var all: [String] { kept.withLock { $0 } }

    func log(event: LogEvent) {
        let metadata = event.metadata ?? [:]
        kept.withLock {
            $0.append("\(event.level) \(event.message) \(metadata.map { "\($0.key)=\($0.value)" }.sorted().joined(separator: " "))")
        }
    }
    subscript(metadataKey _: String) -> Logger.Metadata.Value? {
        get { nil }
        set {}
    }
    var metadata: Logger.Metadata {
        get { [:] }
        set {}
    }
    var logLevel: Logger.Level {
        get { .trace }
        set {}
    }
}
