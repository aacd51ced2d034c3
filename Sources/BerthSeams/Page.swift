// Lists in parts.

/// A page asked for.
public struct PageRequest: Sendable {
    /// 1 to 1,000.
    public var limit: Int
    /// `next` of the page before; nil: the first.
    public var cursor: String?
    /// A request.
    public init(limit: Int = 50, cursor: String? = nil) {
        self.limit = limit
        self.cursor = cursor
    }
}

/// A page.
public struct Page<Item: Sendable>: Sendable {
    /// In order.
    public var items: [Item]
    /// nil: the last page.
    public var next: String?
    /// A page.
    public init(items: [Item], next: String?) {
        self.items = items
        self.next = next
    }
}
