// Every call of one provider, in order of start and in order of last change, so that a page costs its own length and not the book's.
// Calls only begin at the end and change at "now", which keeps both orders without sorting again.

/// The calls of one account.
struct CallBook: Sendable {
    /// The account's other objects.
    var catalog: Catalog
    /// In order of `startedAt`; a call's index is its serial.
    private(set) var calls: [MockCall] = []
    /// Serials in order of `updatedAt`.
    private(set) var byUpdate: [Int32] = []
    /// Moves with every change; cached row lists carry it.
    private(set) var version = 0
    /// Late conversions of live calls: when, which call, its script. In order of time.
    private var pending: [(due: Milliseconds, serial: Int, script: CallScript)] = []
    private var serialByID: [String: Int] = [:]
    private let provider: ProviderName
    private let liveSeed: UInt64

    /// `count` calls spread over the 30 days before `now`, the last 15 minutes left out so that all have ended.
    /// - Parameter liveSeed: draws the calls that begin later; another one each run, or their ids would come back after a restart.
    init(provider: ProviderName, seed: UInt64, liveSeed: UInt64, count: Int, now: Milliseconds) {
        self.provider = provider
        self.liveSeed = liveSeed
        let span: Milliseconds = 30 * 86_400_000 - 15 * 60_000
        let first = now - 30 * 86_400_000
        catalog = Catalog(provider: provider, seed: seed, createdAt: first - 20 * 86_400_000)
        calls.reserveCapacity(count)
        var spread = SeededGenerator(seed: seed, "\(provider.rawValue) spread")
        for serial in 0..<count {
            let start = first + (Milliseconds(serial) * span + Milliseconds(spread.below(1000)) * span / 1000) / Milliseconds(count)
            let script = CallScript(provider: provider, seed: seed, serial: serial, catalog: catalog)
            let call = script.history(serial: serial, startedAt: start, now: now)
            serialByID[call.externalID] = serial
            catalog.note(callAt: start, number: call.number)
            calls.append(call)
        }
        byUpdate = calls.indices.sorted { (calls[$0].updatedAt, $0) < (calls[$1].updatedAt, $1) }.map(Int32.init)
    }

    /// The call with this id of the provider; the numeric one is understood too.
    func call(id: String) -> MockCall? {
        if let serial = serialByID[id] { return calls[serial] }
        guard let number = Int(id), calls.indices.contains(number - 9_100_000) else { return nil }
        return calls[number - 9_100_000]
    }

    /// Begins a live call now and answers its script.
    mutating func begin(at now: Milliseconds) -> (serial: Int, script: CallScript) {
        let script = CallScript(provider: provider, seed: liveSeed, serial: calls.count, catalog: catalog)
        var call = script.beginning(serial: calls.count, at: max(now, calls.last?.startedAt ?? now))
        call.updatedAt = max(call.startedAt, byUpdate.last.map { calls[Int($0)].updatedAt } ?? now)
        serialByID[call.externalID] = call.serial
        calls.append(call)
        byUpdate.append(Int32(call.serial))
        catalog.note(callAt: call.startedAt, number: call.number)
        version += 1
        return (call.serial, script)
    }

    /// Changes one call and moves it to the end of the order of changes.
    @discardableResult
    mutating func change(_ serial: Int, at now: Milliseconds, _ body: (inout MockCall) -> Void) -> MockCall {
        let place = position(of: serial)
        let latest = byUpdate.last.map { calls[Int($0)].updatedAt } ?? now
        body(&calls[serial])
        calls[serial].updatedAt = max(now, latest)
        byUpdate.remove(at: place)
        byUpdate.append(Int32(serial))
        version += 1
        return calls[serial]
    }

    /// Plans a late conversion.
    mutating func plan(_ script: CallScript, serial: Int, due: Milliseconds) {
        let place = pending.firstIndex { $0.due > due } ?? pending.endIndex
        pending.insert((due, serial, script), at: place)
    }

    /// Lets what was planned until `now` happen. - Returns: the serials that changed.
    mutating func applyDue(_ now: Milliseconds) -> [Int] {
        guard let first = pending.first, first.due <= now else { return [] }
        let ready = pending.prefix { $0.due <= now }
        pending.removeFirst(ready.count)
        for item in ready { change(item.serial, at: now) { item.script.apply(.changed, to: &$0, at: now) } }
        return ready.map(\.serial)
    }

    /// Ended calls that change when asked: `count` of them, newest first, earn a conversion or a correction of 1.25.
    mutating func changeLate(count: Int, at now: Milliseconds) -> [Int] {
        let chosen = calls.indices.reversed().lazy.filter { [calls] in !calls[$0].isLive && calls[$0].isConnected }.prefix(count)
        let serials = Array(chosen)
        for serial in serials {
            change(serial, at: now) { call in
                call.isConverted = true
                call.revenue = (call.revenue ?? Money(cents: 2000)) + Money(cents: 125)
                call.payout = (call.payout ?? Money(cents: 1400)) + Money(cents: 75)
            }
        }
        return serials
    }

    /// Rows started within [from, to], both ends included; nil is open.
    func started(from: Milliseconds?, to: Milliseconds?) -> Range<Int> {
        let low = from.map { bound in calls.partition { $0.startedAt >= bound } } ?? 0
        let high = to.map { bound in calls.partition { $0.startedAt > bound } } ?? calls.count
        return low..<max(low, high)
    }

    /// Rows of `byUpdate` changed within [from, to], both ends included; nil is open.
    func updated(from: Milliseconds?, to: Milliseconds?) -> Range<Int> {
        let low = from.map { bound in byUpdate.partition { calls[Int($0)].updatedAt >= bound } } ?? 0
        let high = to.map { bound in byUpdate.partition { calls[Int($0)].updatedAt > bound } } ?? byUpdate.count
        return low..<max(low, high)
    }

    private func position(of serial: Int) -> Int {
        let time = calls[serial].updatedAt
        var place = byUpdate.partition { calls[Int($0)].updatedAt >= time }
        while byUpdate[place] != Int32(serial) { place += 1 }
        return place
    }
}

extension RandomAccessCollection where Index == Int {
    /// First index whose element satisfies `predicate`, in a collection where all such come last.
    fileprivate func partition(_ predicate: (Element) -> Bool) -> Int {
        var (low, high) = (startIndex, endIndex)
        while low < high {
            let middle = low + (high - low) / 2
            if predicate(self[middle]) { high = middle } else { low = middle + 1 }
        }
        return low
    }
}
