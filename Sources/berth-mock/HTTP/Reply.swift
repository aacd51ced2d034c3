// An answer before it meets the HTTP server: faults bend it on the way.

/// Status, headers, whole body.
struct Reply: Sendable {
    var status: Int
    var headers: [(name: String, value: String)] = []
    var body: [UInt8] = []

    /// A JSON document.
    static func json(_ status: Int = 200, headers: [(name: String, value: String)] = [], _ write: (inout JSONText) -> Void) -> Reply {
        var text = JSONText(reserving: 4096)
        write(&text)
        return Reply(status: status, headers: [("Content-Type", "application/json; charset=utf-8")] + headers, body: text.bytes)
    }

    /// A text.
    static func text(_ status: Int, _ text: String, type: String = "text/plain; charset=utf-8") -> Reply {
        Reply(status: status, headers: text.isEmpty ? [] : [("Content-Type", type)], body: Array(text.utf8))
    }

    /// No body.
    static func empty(_ status: Int) -> Reply { Reply(status: status) }
}
