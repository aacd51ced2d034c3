// Event kinds as metric labels. Senders choose kinds, so their number is bounded here.

import Synchronization

/// The kinds seen so far.
final class KindLabels: Sendable {
    private static let kindsMax = 512
    private let known = Mutex<Set<String>>([])

    /// The kind, or `other` once many are known or when it has characters no label needs.
    func label(_ kind: String) -> String {
        known.withLock { known in
            if kind.isEmpty || known.contains(kind) { return kind }
            let isPlain = kind.utf8.count <= 64 && kind.utf8.allSatisfy { (33...126).contains($0) && $0 != 34 && $0 != 92 }
            guard isPlain, known.count < Self.kindsMax else { return "other" }
            known.insert(kind)
            return kind
        }
    }
}
