// Token replies that are JSON but for a slip of who wrote them. Each was good for its sender's own clients, and to refuse it is to lose
// the refresh token in it: the one before is spent.

import BerthModel

enum LenientJSON {
    /// A document, also after a byte order mark, before NULs and semicolons, and in Latin-1. Nil: it is none.
    static func read(_ body: [UInt8]) -> JSONValue? {
        if let value = JSONValue(text: body) { return value }
        var text = body[...]
        if text.starts(with: [0xEF, 0xBB, 0xBF]) { text = text.dropFirst(3) }
        while let last = text.last, [0, 9, 10, 13, 32, UInt8(ascii: ";")].contains(last) { text.removeLast() }
        if let value = JSONValue(text: Array(text)) { return value }
        guard String(validating: text, as: UTF8.self) == nil else { return nil }
        // Each byte of Latin-1 is the scalar of its number.
        return JSONValue(text: text.flatMap { Array(String(Unicode.Scalar($0)).utf8) })
    }
}
