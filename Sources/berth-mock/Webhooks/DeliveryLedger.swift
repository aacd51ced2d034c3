// What was sent and what was acknowledged: the witness against a receiver that loses or doubles. A line is on disk before its request
// leaves, and again after the answer. Lines of many deliveries share an fsync.

import Glibc
import NIOPosix

/// Where a delivery stands.
enum DeliveryState: String, Sendable {
    /// On its way.
    case sent
    /// The receiver said 2xx: from here on it must never lose it.
    case acked
    /// The receiver said no, or was never reached.
    case refused
    /// The connection broke after the request may have arrived.
    case unknown
}

/// One line.
struct LedgerEntry: Sendable {
    var id: String
    var provider: ProviderName
    var event: String, externalID: String, dedupKey: String
    var state: DeliveryState
    /// HTTP status; nil when there was none.
    var status: Int?
    /// From 1; above 1 the delivery was repeated.
    var attempt: Int

    /// Writes the members.
    func write(to json: inout JSONText) {
        json.put("id", id)
        json.put("provider", provider.rawValue)
        json.put("event", event)
        json.put("external_id", externalID)
        json.put("dedup_key", dedupKey)
        json.put("state", state.rawValue)
        json.put("status", status)
        json.put("attempt", attempt)
    }
}

/// The append-only ledger.
actor DeliveryLedger {
    private let descriptor: Int32?
    private var buffer: [UInt8] = []
    private var waiters: [CheckedContinuation<Void, Never>] = []
    private var isFlushing = false
    private(set) var totals: [ProviderName: LedgerTotals] = [:]
    private var open: [String: LedgerEntry] = [:]

    /// - Parameter path: nil keeps the ledger in memory only.
    init(path: String?) throws {
        guard let path else {
            descriptor = nil
            return
        }
        let descriptor = Glibc.open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else {
            throw MockProblem("ledger \(path): \(String(cString: strerror(errno))); name a file in a writable folder")
        }
        self.descriptor = descriptor
    }

    /// Notes an entry. When this returns, the line is on disk.
    func note(_ entry: LedgerEntry) async {
        totals[entry.provider, default: LedgerTotals()].count(entry)
        open[entry.id] = entry.state == .sent ? entry : nil
        guard descriptor != nil else { return }
        var json = JSONText()
        json.object { entry.write(to: &$0) }
        buffer += json.bytes + [10]
        await withCheckedContinuation { continuation in
            waiters.append(continuation)
            if !isFlushing {
                isFlushing = true
                Task { await flush() }
            }
        }
    }

    /// Notes every delivery still on its way as unknown: the end of the program.
    func settleOpen() async {
        for entry in open.values.sorted(by: { $0.id < $1.id }) {
            var entry = entry
            entry.state = .unknown
            await note(entry)
        }
    }

    private func flush() async {
        guard let descriptor else { return }
        while !waiters.isEmpty {
            let (chunk, served) = (buffer, waiters)
            (buffer, waiters) = ([], [])
            do {
                try await NIOThreadPool.singleton.runIfActive { try Self.write(chunk, to: descriptor) }
            } catch {
                // A ledger that lies is worse than no run.
                complain("ledger: \(error)")
                exit(74)
            }
            for waiter in served { waiter.resume() }
        }
        isFlushing = false
    }

    private static func write(_ bytes: [UInt8], to descriptor: Int32) throws {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw MockProblem("write failed: \(String(cString: strerror(errno)))") }
            rest = rest.dropFirst(count)
        }
        guard fsync(descriptor) == 0 else { throw MockProblem("fsync failed: \(String(cString: strerror(errno)))") }
    }
}

/// Counts of one provider's deliveries, each delivery by its latest state.
struct LedgerTotals: Sendable {
    private(set) var states: [String: DeliveryState] = [:]
    /// Tries in all, repeats included.
    private(set) var attempts = 0
    /// Calls of which at least one webhook was acknowledged.
    private(set) var ackedCalls: Set<String> = []
    /// Deliveries by their last state.
    private(set) var acked = 0, refused = 0, unknown = 0, inFlight = 0
    /// Distinct deliveries.
    var sent: Int { states.count }

    mutating func count(_ entry: LedgerEntry) {
        if entry.state == .sent { attempts += 1 }
        if entry.state == .acked { ackedCalls.insert(entry.externalID) }
        let before = states[entry.id]
        // A repeat of an acknowledged delivery changes nothing: it stays acknowledged.
        if before == .acked { return }
        if let before { add(before, -1) }
        states[entry.id] = entry.state
        add(entry.state, 1)
    }

    private mutating func add(_ state: DeliveryState, _ change: Int) {
        switch state {
        case .sent: inFlight += change
        case .acked: acked += change
        case .refused: refused += change
        case .unknown: unknown += change
        }
    }

    /// Writes the counts.
    func write(to json: inout JSONText, withIDs: Bool) {
        json.put("sent", sent)
        json.put("acked", acked)
        json.put("refused", refused)
        json.put("unknown", unknown)
        json.put("in_flight", inFlight)
        json.put("attempts", attempts)
        json.put("acked_calls", ackedCalls.count)
        if withIDs { json.array("acked_external_ids", texts: ackedCalls.sorted()) }
    }
}
