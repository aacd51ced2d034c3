// Answers that say "too many requests" in a provider's own way, found by what its manifest declares.

import BerthModel

/// Reads answers by ``ThrottleSpec``.
enum ThrottleNotice {
    /// A notice is short. Longer bodies are data, and parsing each page of a long read twice would be waste.
    static let bodyBytesMax = 64 << 10

    /// Milliseconds to wait when the answer is a notice; nil: it is none.
    static func milliseconds(
        _ specs: [ThrottleSpec], status: Int, headers: [(name: String, value: String)], body: [UInt8], now: Timestamp
    ) -> Int64? {
        guard !specs.isEmpty else { return nil }
        var parsed: JSONNode??
        func root() -> JSONNode? {
            if let parsed { return parsed }
            // What is no JSON is no notice.
            let node = body.count <= bodyBytesMax ? (try? JSONDocument(body))?.root : nil
            parsed = .some(node)
            return node
        }
        for spec in specs {
            if let wanted = spec.status, wanted != status { continue }
            if let name = spec.header, !headers.contains(where: { $0.name == name }) { continue }
            if let pointer = spec.bodyPointer {
                guard mentions(body, pointer), let node = root()?.at(pointer), fits(node, spec.equals) else { continue }
            }
            return wait(spec.wait, headers, root, now)
        }
        return nil
    }

    private static func fits(_ node: JSONNode, _ wanted: JSONValue?) -> Bool {
        switch wanted {
        case nil: !node.isNull && node.bool != false
        case .bool(let flag)?: node.bool == flag
        case .integer(let number)?: node.int64 == number
        case .string(let text)?: node.string == text
        default: false
        }
    }

    private static func wait(
        _ wait: ThrottleSpec.Wait, _ headers: [(name: String, value: String)], _ root: () -> JSONNode?, _ now: Timestamp
    ) -> Int64 {
        if let told = RateLimitSignals.retryAfterMilliseconds(headers, now: now) { return told }
        if let name = wait.header, let value = headers.first(where: { $0.name == name })?.value,
            let told = RateLimitSignals.retryAfterMilliseconds([("retry-after", value)], now: now)
        {
            return told
        }
        if let pointer = wait.bodyPointer, let text = root()?.at(pointer)?.scalarText,
            let told = RateLimitSignals.retryAfterMilliseconds([("retry-after", text)], now: now)
        {
            return told
        }
        if let boundary = wait.boundarySeconds {
            let length = Int64(boundary) * 1000
            // A little later: the provider's clock is not ours.
            return length - now.milliseconds % length + 50
        }
        return Int64(wait.seconds) * 1000
    }

    /// Whether the body holds the pointer's last name at all: spares parsing of nearly every answer.
    private static func mentions(_ body: [UInt8], _ pointer: String) -> Bool {
        let name = Array(pointer.utf8.suffix(while: { $0 != UInt8(ascii: "/") }))
        guard !name.isEmpty, !name.contains(UInt8(ascii: "~")), body.count <= bodyBytesMax else { return body.count <= bodyBytesMax }
        guard body.count >= name.count else { return false }
        return body.withUnsafeBytes { bytes in
            name.withUnsafeBytes { needle in
                guard let first = needle.first else { return true }
                for start in 0...(bytes.count - needle.count) where bytes[start] == first {
                    if (1..<needle.count).allSatisfy({ bytes[start + $0] == needle[$0] }) { return true }
                }
                return false
            }
        }
    }
}

extension BidirectionalCollection {
    /// The longest end whose elements all satisfy the condition.
    fileprivate func suffix(while condition: (Element) -> Bool) -> SubSequence {
        var start = endIndex
        while start > startIndex, condition(self[index(before: start)]) { start = index(before: start) }
        return self[start...]
    }
}
