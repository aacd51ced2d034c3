// The one pass over the text. Iterative, so that nesting costs no stack.

struct JSONParser {
    let limits: JSONDocument.Limits
    var tape: [JSONEntry] = []
    private var open: [Int] = []

    init(limits: JSONDocument.Limits, expecting count: Int) {
        self.limits = limits
        tape.reserveCapacity(count / 12 + 4)
    }

    mutating func parse(_ text: UnsafeBufferPointer<UInt8>) throws(JSONError) {
        guard text.count < UInt32.max else { throw error(text, 0, "the text is longer than 4 GiB") }
        var at = 0
        var expectsValue = true
        skipBlanks(text, &at)
        while true {
            if expectsValue {
                guard at < text.count else { throw error(text, at, "the text ends where a value is expected") }
                switch text[at] {
                case UInt8(ascii: "{"), UInt8(ascii: "["):
                    let isObject = text[at] == UInt8(ascii: "{")
                    guard open.count < limits.depth else { throw error(text, at, "nested deeper than \(limits.depth) levels") }
                    open.append(tape.count)
                    tape.append(
                        JSONEntry(start: UInt32(at), end: 0, next: 0, count: 0, kind: isObject ? .object : .array, isEscaped: false))
                    at += 1
                    skipBlanks(text, &at)
                    if at < text.count, text[at] == (isObject ? UInt8(ascii: "}") : UInt8(ascii: "]")) {
                        expectsValue = false
                        continue
                    }
                    if isObject { try parseKey(text, &at) }
                    continue
                case UInt8(ascii: "\""):
                    try parseString(text, &at)
                case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"):
                    try parseNumber(text, &at)
                case UInt8(ascii: "t"): try parseLiteral("true", .bool, text, &at)
                case UInt8(ascii: "f"): try parseLiteral("false", .bool, text, &at)
                case UInt8(ascii: "n"): try parseLiteral("null", .null, text, &at)
                default: throw error(text, at, "a value can't begin with \(Self.show(text[at]))")
                }
                if let parent = open.last { tape[parent].count += 1 }
                expectsValue = false
            }
            skipBlanks(text, &at)
            guard let parent = open.last else {
                guard at == text.count else { throw error(text, at, "more text after the value") }
                return
            }
            guard at < text.count else { throw error(text, at, "the text ends inside an \(tape[parent].kind)") }
            let isObject = tape[parent].kind == .object
            switch text[at] {
            case UInt8(ascii: ","):
                at += 1
                skipBlanks(text, &at)
                if isObject { try parseKey(text, &at) }
                expectsValue = true
            case isObject ? UInt8(ascii: "}") : UInt8(ascii: "]"):
                at += 1
                tape[parent].end = UInt32(at)
                tape[parent].next = UInt32(tape.count)
                if isObject, !limits.allowsDuplicateKeys { try refuseDuplicates(text, parent) }
                open.removeLast()
                if let grandparent = open.last { tape[grandparent].count += 1 }
            default:
                throw error(text, at, "expected ',' or '\(isObject ? "}" : "]")', found \(Self.show(text[at]))")
            }
        }
    }

    private mutating func parseKey(_ text: UnsafeBufferPointer<UInt8>, _ at: inout Int) throws(JSONError) {
        guard at < text.count, text[at] == UInt8(ascii: "\"") else {
            throw error(
                text, at,
                at < text.count ? "expected a member name in quotes, found \(Self.show(text[at]))" : "the text ends inside an object")
        }
        try parseString(text, &at)
        skipBlanks(text, &at)
        guard at < text.count, text[at] == UInt8(ascii: ":") else { throw error(text, at, "expected ':' after a member name") }
        at += 1
        skipBlanks(text, &at)
    }

    private mutating func parseString(_ text: UnsafeBufferPointer<UInt8>, _ at: inout Int) throws(JSONError) {
        at += 1
        let start = at
        var isEscaped = false
        while at < text.count {
            let byte = text[at]
            if byte == UInt8(ascii: "\"") {
                tape.append(
                    JSONEntry(
                        start: UInt32(start), end: UInt32(at), next: UInt32(tape.count + 1), count: 0, kind: .string, isEscaped: isEscaped))
                at += 1
                return
            }
            if byte == UInt8(ascii: "\\") {
                isEscaped = true
                at = try skipEscape(text, at)
            } else if byte < 0x20 {
                throw error(text, at, "a control character must be escaped inside text")
            } else if byte < 0x80 {
                at += 1
            } else {
                let length = Self.utf8Length(text, at)
                guard length > 0 else { throw error(text, at, "invalid UTF-8") }
                at += length
            }
        }
        throw error(text, at, "the text ends inside quotes")
    }

    /// Answers the offset after the escape. Surrogates must come in pairs.
    private func skipEscape(_ text: UnsafeBufferPointer<UInt8>, _ at: Int) throws(JSONError) -> Int {
        guard at + 1 < text.count else { throw error(text, at, "the text ends inside quotes") }
        switch text[at + 1] {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"), UInt8(ascii: "b"), UInt8(ascii: "f"), UInt8(ascii: "n"),
            UInt8(ascii: "r"), UInt8(ascii: "t"):
            return at + 2
        case UInt8(ascii: "u"):
            guard let unit = Self.hexUnit(text, at + 2) else { throw error(text, at, "\\u needs four hexadecimal digits") }
            if unit & 0xFC00 == 0xDC00 { throw error(text, at, "a low surrogate without its high one") }
            guard unit & 0xFC00 == 0xD800 else { return at + 6 }
            guard at + 7 < text.count, text[at + 6] == UInt8(ascii: "\\"), text[at + 7] == UInt8(ascii: "u"),
                let low = Self.hexUnit(text, at + 8), low & 0xFC00 == 0xDC00
            else { throw error(text, at, "a high surrogate without its low one") }
            return at + 12
        default: throw error(text, at, "unknown escape")
        }
    }

    private mutating func parseNumber(_ text: UnsafeBufferPointer<UInt8>, _ at: inout Int) throws(JSONError) {
        let start = at
        func digits() -> Int {
            let from = at
            while at < text.count, text[at] &- 48 < 10 { at += 1 }
            return at - from
        }
        if text[at] == UInt8(ascii: "-") { at += 1 }
        let leadsWithZero = at < text.count && text[at] == UInt8(ascii: "0")
        let whole = digits()
        guard whole > 0 else { throw error(text, at, "a number needs digits") }
        guard !leadsWithZero || whole == 1 else { throw error(text, start, "a number can't begin with 0") }
        if at < text.count, text[at] == UInt8(ascii: ".") {
            at += 1
            guard digits() > 0 else { throw error(text, at, "a number needs digits after its point") }
        }
        if at < text.count, text[at] | 0x20 == UInt8(ascii: "e") {
            at += 1
            if at < text.count, text[at] == UInt8(ascii: "+") || text[at] == UInt8(ascii: "-") { at += 1 }
            guard digits() > 0 else { throw error(text, at, "a number needs digits in its exponent") }
        }
        tape.append(
            JSONEntry(start: UInt32(start), end: UInt32(at), next: UInt32(tape.count + 1), count: 0, kind: .number, isEscaped: false))
    }

    private mutating func parseLiteral(
        _ word: StaticString, _ kind: JSONEntry.Kind, _ text: UnsafeBufferPointer<UInt8>, _ at: inout Int
    ) throws(JSONError) {
        let length = word.utf8CodeUnitCount
        for index in 0..<length where at + index >= text.count || text[at + index] != word.utf8Start[index] {
            throw error(text, at, "expected '\(word)'")
        }
        tape.append(
            JSONEntry(start: UInt32(at), end: UInt32(at + length), next: UInt32(tape.count + 1), count: 0, kind: kind, isEscaped: false))
        at += length
    }

    private func refuseDuplicates(_ text: UnsafeBufferPointer<UInt8>, _ object: Int) throws(JSONError) {
        var seen: Set<String> = []
        var index = object + 1
        while index < tape.count {
            let key = tape[index]
            let name = JSONText.string(text, key)
            guard seen.insert(name).inserted else { throw error(text, Int(key.start), "the member '\(name)' stands there twice") }
            index = Int(tape[index + 1].next)
        }
    }

    private func skipBlanks(_ text: UnsafeBufferPointer<UInt8>, _ at: inout Int) {
        while at < text.count, text[at] == 0x20 || text[at] == 0x0A || text[at] == 0x0D || text[at] == 0x09 { at += 1 }
    }

    private func error(_ text: UnsafeBufferPointer<UInt8>, _ at: Int, _ reason: String) -> JSONError {
        var line = 1
        for index in 0..<min(at, text.count) where text[index] == 0x0A { line += 1 }
        return JSONError(offset: at, line: line, reason: reason)
    }

    private static func show(_ byte: UInt8) -> String {
        (0x21...0x7E).contains(byte) ? "'\(Character(UnicodeScalar(byte)))'" : "byte \(byte)"
    }

    static func hexUnit(_ text: UnsafeBufferPointer<UInt8>, _ at: Int) -> UInt32? {
        guard at + 4 <= text.count else { return nil }
        var unit: UInt32 = 0
        for index in at..<at + 4 {
            switch text[index] {
            case let digit where digit &- 48 < 10: unit = unit << 4 | UInt32(digit - 48)
            case let letter where (letter | 0x20) &- 97 < 6: unit = unit << 4 | UInt32((letter | 0x20) - 87)
            default: return nil
            }
        }
        return unit
    }

    /// Length of the well-formed sequence at `at` (Unicode table 3-7); 0 when it is not.
    static func utf8Length(_ text: UnsafeBufferPointer<UInt8>, _ at: Int) -> Int {
        func follows(_ offset: Int, _ range: ClosedRange<UInt8> = 0x80...0xBF) -> Bool {
            at + offset < text.count && range.contains(text[at + offset])
        }
        switch text[at] {
        case 0xC2...0xDF: return follows(1) ? 2 : 0
        case 0xE0: return follows(1, 0xA0...0xBF) && follows(2) ? 3 : 0
        case 0xED: return follows(1, 0x80...0x9F) && follows(2) ? 3 : 0
        case 0xE1...0xEF: return follows(1) && follows(2) ? 3 : 0
        case 0xF0: return follows(1, 0x90...0xBF) && follows(2) && follows(3) ? 4 : 0
        case 0xF1...0xF3: return follows(1) && follows(2) && follows(3) ? 4 : 0
        case 0xF4: return follows(1, 0x80...0x8F) && follows(2) && follows(3) ? 4 : 0
        default: return 0
        }
    }
}

/// From the bytes of a string entry to its text.
enum JSONText {
    static func string(_ text: UnsafeBufferPointer<UInt8>, _ entry: JSONEntry) -> String {
        let slice = UnsafeBufferPointer(rebasing: text[Int(entry.start)..<Int(entry.end)])
        guard entry.isEscaped else { return String(decoding: slice, as: UTF8.self) }
        return String(decoding: unescaped(slice), as: UTF8.self)
    }

    static func unescaped(_ text: UnsafeBufferPointer<UInt8>) -> [UInt8] {
        var out: [UInt8] = []
        out.reserveCapacity(text.count)
        var at = 0
        while at < text.count {
            guard text[at] == UInt8(ascii: "\\") else {
                out.append(text[at])
                at += 1
                continue
            }
            let code = text[at + 1]
            at += 2
            switch code {
            case UInt8(ascii: "b"): out.append(0x08)
            case UInt8(ascii: "f"): out.append(0x0C)
            case UInt8(ascii: "n"): out.append(0x0A)
            case UInt8(ascii: "r"): out.append(0x0D)
            case UInt8(ascii: "t"): out.append(0x09)
            case UInt8(ascii: "u"):
                var scalar = JSONParser.hexUnit(text, at) ?? 0xFFFD
                at += 4
                if scalar & 0xFC00 == 0xD800, let low = JSONParser.hexUnit(text, at + 2) {
                    scalar = 0x10000 + (scalar & 0x3FF) << 10 + (low & 0x3FF)
                    at += 6
                }
                out.append(contentsOf: Character(UnicodeScalar(scalar) ?? "\u{FFFD}").utf8)
            default: out.append(code)
            }
        }
        return out
    }
}
