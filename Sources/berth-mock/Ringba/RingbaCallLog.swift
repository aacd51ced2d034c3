// The call log report: window, columns, order, filters, paging by record offset.

/// A `calllogs` request that was understood.
struct RingbaCallLog: Sendable {
    private var from: Milliseconds, to: Milliseconds
    private var columns: Set<String>?
    private var order: (column: String, isDescending: Bool) = ("callDt", true)
    private var offset = 0
    /// Rows per page.
    var size = 100
    private var filters: [[Condition]] = []
    private var key = ""

    private struct Condition: Sendable {
        var column: String, value: String, comparison: String, isNegative: Bool

        func holds(for call: MockCall, _ catalog: Catalog) -> Bool {
            let found = RingbaRecord.value(column, of: call, catalog: catalog)
            let matches =
                switch comparison {
                case "CONTAINS": found.lowercased().contains(value.lowercased())
                case "BEGINS_WITH": found.lowercased().hasPrefix(value.lowercased())
                case "GREATER_THAN": (Double(found) ?? -.infinity) > (Double(value) ?? .infinity)
                case "LESS_THAN": (Double(found) ?? .infinity) < (Double(value) ?? -.infinity)
                default: found.lowercased() == value.lowercased()
                }
            return matches != isNegative
        }
    }

    /// Reads a request body. - Throws: what Ringba says in a 400, which carries only a message.
    init(_ body: JSONDocument?) throws(RingbaRefusal) {
        guard let from = body?["reportStart"]?.text.flatMap({ Milliseconds(dateText: $0) }),
            let to = body?["reportEnd"]?.text.flatMap({ Milliseconds(dateText: $0) })
        else { throw RingbaRefusal(message: "reportStart and reportEnd are required") }
        guard from <= to else { throw RingbaRefusal(message: "reportStart must be before reportEnd") }
        (self.from, self.to) = (from, to)
        if let wanted = body?["valueColumns"]?.elements, !wanted.isEmpty { columns = Set(wanted.compactMap { $0["column"]?.text }) }
        if let first = body?["orderByColumns"]?.elements.first, let column = first["column"]?.text {
            order = (column, first["direction"]?.text?.lowercased() != "asc")
        }
        size = body?["size"]?.integer ?? 100
        guard (1...1000).contains(size) else { throw RingbaRefusal(message: "size must be between 1 and 1000") }
        offset = max(0, body?["offset"]?.integer ?? 0)
        for group in body?["filters"]?.elements ?? [] {
            var conditions: [Condition] = []
            for item in group["anyConditionToMatch"]?.elements ?? [] {
                let column = item["column"]?.text ?? ""
                if column.hasSuffix("Dt") { throw RingbaRefusal(message: "Column \(column) does not support filtering") }
                conditions.append(
                    Condition(
                        column: column, value: item["value"]?.text ?? "", comparison: item["comparisonType"]?.text ?? "EQUALS",
                        isNegative: item["isNegativeMatch"]?.boolean ?? false))
            }
            if !conditions.isEmpty { filters.append(conditions) }
        }
        key = "\(from) \(to) \(order) \(filters)"
    }

    /// The report. - Parameter shrunk: rows that a fault took from the front.
    func reply(book: CallBook, cache: inout CallRowsCache, transaction: String, fault: PagingFault?, shrunk: Int) -> Reply {
        let rows = rows(of: book, cache: &cache)
        let start = fault == .loop ? 0 : offset + shrunk
        let page = rows.page(offset: start, limit: size, of: book)
        let total = fault == .loop ? max(rows.count, offset + 2 * size) : rows.count - min(rows.count, shrunk)
        return .json { json in
            json.object { json in
                json.put("isSuccessful", true)
                json.put("transactionId", transaction)
                json.object("report") { json in
                    json.put("partialResult", false)
                    json.array("records") { json in
                        for call in page {
                            json.object { json in
                                json.only = columns
                                RingbaRecord.write(call, catalog: book.catalog, to: &json)
                            }
                        }
                    }
                    json.put("totalCount", total)
                }
            }
        }
    }

    private func rows(of book: CallBook, cache: inout CallRowsCache) -> CallRows {
        let window = CallRows.starts(book.started(from: from, to: to), descending: order.column == "callDt" && order.isDescending)
        guard !filters.isEmpty || order.column != "callDt" else { return window }
        return cache.rows(for: key, of: book) {
            let rows = window.filtered(of: book) { call in
                filters.allSatisfy { group in group.contains { $0.holds(for: call, book.catalog) } }
            }
            guard order.column != "callDt" else { return rows }
            let keyed = rows.page(offset: 0, limit: rows.count, of: book).map { call in
                (call.serial, RingbaRecord.value(order.column, of: call, catalog: book.catalog))
            }
            let sorted = keyed.sorted { left, right in
                guard left.1 != right.1 else { return left.0 < right.0 }
                if let first = Double(left.1), let second = Double(right.1) { return order.isDescending ? first > second : first < second }
                return order.isDescending ? left.1 > right.1 : left.1 < right.1
            }
            return .list(sorted.map { Int32($0.0) })
        }
    }
}

/// A request Ringba refuses with 400 and `{message}`.
struct RingbaRefusal: Error {
    var message: String
}
