// The calls stream. Ringba has no "updated since": conversions, payouts and recordings arrive late, so an incremental
// read asks again for the calls of the last days (the manifest's overlap), sorted by the one column that never changes.

public import BerthPluginSDK

extension RingbaAdapter: StreamReader {
    /// `calls`, `numbers`, `campaigns`.
    public func read(_ request: ReadRequest, _ context: ReadContext) throws {
        switch request.stream {
        case "calls": try readCalls(request, context)
        case "numbers": try readNumbers(context)
        case "campaigns": try readCampaigns(context)
        default: throw ProviderError.unsupported("Ringba has no stream '\(request.stream)'")
        }
    }

    private func readCalls(_ request: ReadRequest, _ context: ReadContext) throws {
        var walk = CallLogWalk(request, historyDays: historyDays)
        var loops = LoopGuard()
        while walk.from < walk.until {
            try context.checkCancelled()
            let (root, answer) = try ask(page(walk), context)
            guard let report = root["report"], let records = report["records"], records.kind == .array else {
                throw ProviderError(.remoteDown, "Ringba's call log answer has no report.records", remoteStatus: answer.status)
            }
            if report["partialResult"]?.bool == true {
                guard walk.split() else {
                    throw ProviderError(
                        .retry, "Ringba gives only a partial result even for one minute of calls from \(walk.from.rfc3339)",
                        remoteStatus: answer.status, remoteCode: "partialResult")
                }
                context.log.info("Ringba gave a partial result; asking for the calls until \(walk.to.rfc3339) only")
                continue
            }
            // Bodies differ by their transactionId even when the rows come round again.
            let position = "\(walk.from.milliseconds) \(walk.to.milliseconds) \(walk.offset)"
            try loops.pass(position, body: records.count > 0 ? records.rawBytes : [])
            for row in records.elements { try emit(call: row, at: answer.askedAt, to: context) }
            walk.advance(rows: records.count, total: report["totalCount"]?.int64)
            try context.checkpoint(walk.save)
        }
    }

    private func page(_ walk: CallLogWalk) -> HTTPRequest {
        .json("POST", path("calllogs"), class: RequestClass.reports, isIdempotent: true) { json in
            json.key("reportStart")
            json.value(walk.from.rfc3339)
            json.key("reportEnd")
            json.value(walk.to.rfc3339)
            json.key("orderByColumns")
            json.value(json: #"[{"column":"callDt","direction":"asc"}]"#.utf8)
            json.key("size")
            json.value(Int64(pageSize))
            json.key("offset")
            json.value(Int64(walk.offset))
        }
    }
}

/// Where a read of call logs stands: a window of call starts, and records of it already read.
struct CallLogWalk {
    /// Start of the window.
    var from: ProviderTime
    /// End of the window.
    var to: ProviderTime
    /// Records of the window already read.
    var offset = 0
    /// End of the whole read.
    let until: ProviderTime

    private static let shortest: Int64 = 60_000

    init(_ request: ReadRequest, historyDays: Int) {
        until = request.until
        let earliest = request.until.adding(seconds: -Int64(historyDays) * 86_400)
        from = request.mode == .full ? earliest : request.since ?? earliest
        to = until
        guard let state = request.state, let from = state["from"]?.int64, let to = state["to"]?.int64, let offset = state["offset"]?.int64
        else { return }
        (self.from, self.to, self.offset) = (ProviderTime(milliseconds: from), ProviderTime(milliseconds: to), Int(offset))
    }

    /// Halves the window and begins it again; false when it is too short for that.
    mutating func split() -> Bool {
        let length = to.milliseconds - from.milliseconds
        guard length > Self.shortest else { return false }
        to = ProviderTime(milliseconds: from.milliseconds + max(Self.shortest, length / 2))
        offset = 0
        return true
    }

    /// Goes past a page. A window ends at its total or, where none is told, with an empty page: a page shorter than was asked
    /// for may come of a cap. At its end the next one is as long: what was too much once is too much again.
    mutating func advance(rows: Int, total: Int64?) {
        offset += rows
        guard rows == 0 || total.map({ $0 > 0 && Int64(offset) >= $0 }) == true else { return }
        let length = to.milliseconds - from.milliseconds
        from = to
        to = min(until, ProviderTime(milliseconds: to.milliseconds + max(length, Self.shortest)))
        offset = 0
    }

    /// The checkpoint's members.
    func save(_ json: inout JSONWriter) {
        json.key("from")
        json.value(from.milliseconds)
        json.key("to")
        json.value(to.milliseconds)
        json.key("offset")
        json.value(Int64(offset))
    }
}
