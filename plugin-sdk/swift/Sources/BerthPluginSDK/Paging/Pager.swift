// The three ways providers page, each with its end, its checkpoint and its guard against going round in circles.
// The adapter says how to ask for a page and how to map one; the pager does the walk.

/// Walks pages. Each function asks with `fetch`, hands the page to `map`, and checkpoints after it.
public struct Pager {
    private let context: ReadContext
    private var loops = LoopGuard()

    /// A walk within this read.
    public init(_ context: ReadContext) { self.context = context }

    /// By offset: `map` answers how many rows the page had and how many there are in all (nil: unknown; an empty page is
    /// then the end: one shorter than was asked for may come of a cap on pages that the provider does not tell of).
    /// `save` adds the adapter's own members beside `offset` to the checkpoint.
    public mutating func offset(
        from start: Int, fetch: (_ offset: Int) throws -> HTTPResponse,
        map: (_ page: HTTPResponse) throws -> (rows: Int, total: Int?), save: (inout JSONWriter) -> Void = { _ in }
    ) throws {
        var offset = start
        while true {
            try context.checkCancelled()
            let page = try fetch(offset)
            let (rows, total) = try map(page)
            if rows > 0 { try loops.pass("offset \(offset)", body: page.body[...]) }
            offset += rows
            try context.checkpoint { json in
                json.key("offset")
                json.value(Int64(offset))
                save(&json)
            }
            if rows == 0 || total.map({ offset >= $0 }) ?? false { return }
        }
    }

    /// By page number: `map` answers the next page's number, nil at the end.
    public mutating func pages(
        from start: Int, fetch: (_ page: Int) throws -> HTTPResponse, map: (_ page: HTTPResponse) throws -> Int?,
        save: (inout JSONWriter) -> Void = { _ in }
    ) throws {
        var number: Int? = start
        while let current = number {
            try context.checkCancelled()
            try loops.pass("page \(current)")
            let page = try fetch(current)
            number = try map(page)
            if number != nil { try loops.pass("body of \(current)", body: page.body[...]) }
            try context.checkpoint { json in
                json.key("page")
                json.value(Int64(number ?? current))
                save(&json)
            }
        }
    }

    /// By cursor: `map` answers the next cursor, nil at the end.
    public mutating func cursors(
        from start: String, fetch: (_ cursor: String) throws -> HTTPResponse, map: (_ page: HTTPResponse) throws -> String?,
        save: (inout JSONWriter) -> Void = { _ in }
    ) throws {
        var cursor: String? = start
        while let current = cursor {
            try context.checkCancelled()
            try loops.pass(current)
            let page = try fetch(current)
            cursor = try map(page)
            try context.checkpoint { json in
                json.key("cursor")
                json.value(cursor ?? current)
                save(&json)
            }
        }
    }
}
