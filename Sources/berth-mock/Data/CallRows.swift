// The rows a list request selects, without copying the book: a stretch of one of its two orders, or an explicit list when filters apply.

/// Serials of calls, in the order a client asked for.
struct CallRows: Sendable {
    private enum Source: Sendable { case starts, updates, list([Int32]) }
    private var source: Source
    private var range: Range<Int>
    private var isDescending: Bool
    /// How many rows there are.
    var count: Int { range.count }

    /// A stretch of the order of start.
    static func starts(_ range: Range<Int>, descending: Bool) -> CallRows {
        CallRows(source: .starts, range: range, isDescending: descending)
    }
    /// A stretch of the order of last change.
    static func updates(_ range: Range<Int>, descending: Bool) -> CallRows {
        CallRows(source: .updates, range: range, isDescending: descending)
    }
    /// These serials.
    static func list(_ serials: [Int32]) -> CallRows { CallRows(source: .list(serials), range: serials.indices, isDescending: false) }

    /// The rows at `offset` and after, at most `limit`.
    func page(offset: Int, limit: Int, of book: CallBook) -> [MockCall] {
        guard offset >= 0, offset < count, limit > 0 else { return [] }
        return (offset..<min(count, offset + limit)).map { row(at: $0, of: book) }
    }

    /// How many rows come before what follows `serial`, in rows ordered by start; the serial itself need not be among them.
    func offset(after serial: Int, descending: Bool, of book: CallBook) -> Int {
        var (low, high) = (0, count)
        while low < high {
            let middle = low + (high - low) / 2
            let other = row(at: middle, of: book).serial
            if descending ? other < serial : other > serial { high = middle } else { low = middle + 1 }
        }
        return low
    }

    /// Only rows that satisfy `isIncluded`.
    func filtered(of book: CallBook, _ isIncluded: (MockCall) -> Bool) -> CallRows {
        var kept: [Int32] = []
        for index in 0..<count {
            let call = row(at: index, of: book)
            if isIncluded(call) { kept.append(Int32(call.serial)) }
        }
        return .list(kept)
    }

    private func row(at index: Int, of book: CallBook) -> MockCall {
        let place = isDescending ? range.upperBound - 1 - index : range.lowerBound + index
        return switch source {
        case .starts: book.calls[place]
        case .updates: book.calls[Int(book.byUpdate[place])]
        case .list(let serials): book.calls[Int(serials[place])]
        }
    }
}

/// Remembers the rows of the last filtered request: the next page asks for the same ones.
struct CallRowsCache: Sendable {
    private var key = ""
    private var version = -1
    private var rows = CallRows.list([])

    /// The remembered rows, or those `make` selects.
    mutating func rows(for key: String, of book: CallBook, _ make: () -> CallRows) -> CallRows {
        if key != self.key || version != book.version {
            rows = make()
            self.key = key
            version = book.version
        }
        return rows
    }
}
