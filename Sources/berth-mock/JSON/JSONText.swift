// Writes JSON straight into bytes: key order and number forms are the provider's, which a Codable encoder would not keep.
// It does not check that keys are unique.

/// A JSON document being written.
struct JSONText: Sendable {
    /// What was written so far.
    private(set) var bytes: [UInt8] = []
    /// Keys of the innermost object to keep, the rest is dropped; nil keeps all. Providers' `columns` parameters use it.
    var only: Set<String>?
    private var needsComma = false

    init(reserving capacityBytes: Int = 256) { bytes.reserveCapacity(capacityBytes) }

    /// An object; with a key when inside another object.
    mutating func object(_ key: String? = nil, _ body: (inout JSONText) -> Void) {
        guard begin(key) else { return }
        enclose(UInt8(ascii: "{"), UInt8(ascii: "}"), body)
    }

    /// An array; with a key when inside an object.
    mutating func array(_ key: String? = nil, _ body: (inout JSONText) -> Void) {
        guard begin(key) else { return }
        enclose(UInt8(ascii: "["), UInt8(ascii: "]"), body)
    }

    /// An array of texts.
    mutating func array(_ key: String? = nil, texts: [String]) { array(key) { json in for text in texts { json.put(nil, text) } } }

    /// A text; nil is written as null.
    mutating func put(_ key: String?, _ value: String?) {
        guard begin(key) else { return }
        if let value { quote(value) } else { bytes += Self.null }
    }

    /// A whole number; nil is written as null.
    mutating func put(_ key: String?, _ value: Int?) {
        guard begin(key) else { return }
        if let value { append(digitsOf: value) } else { bytes += Self.null }
    }

    /// A whole number of milliseconds.
    mutating func put(_ key: String?, milliseconds value: Milliseconds) { put(key, Int(value)) }

    /// A boolean; nil is written as null.
    mutating func put(_ key: String?, _ value: Bool?) {
        guard begin(key) else { return }
        bytes += value.map { Array(($0 ? "true" : "false").utf8) } ?? Self.null
    }

    /// Characters that already are JSON: a decimal, or a document.
    mutating func put(_ key: String?, verbatim value: String) {
        guard begin(key) else { return }
        bytes += value.utf8
    }

    /// A value that was read: members in alphabetical order, whole numbers without fraction.
    mutating func put(_ key: String?, _ value: JSONDocument) {
        switch value {
        case .null: put(key, verbatim: "null")
        case .bool(let bool): put(key, bool)
        case .number(let number):
            put(key, verbatim: number == number.rounded() && abs(number) < 1e15 ? String(Int(number)) : String(number))
        case .text(let text): put(key, text)
        case .array(let elements): array(key) { json in for element in elements { json.put(nil, element) } }
        case .object(let members):
            object(key) { json in for (name, member) in members.sorted(by: { $0.key < $1.key }) { json.put(name, member) } }
        }
    }

    private static let null = Array("null".utf8)

    private mutating func begin(_ key: String?) -> Bool {
        if let key {
            if let only, !only.contains(key) { return false }
            if needsComma { bytes.append(UInt8(ascii: ",")) }
            quote(key)
            bytes.append(UInt8(ascii: ":"))
        } else if needsComma {
            bytes.append(UInt8(ascii: ","))
        }
        needsComma = true
        return true
    }

    private mutating func enclose(_ open: UInt8, _ close: UInt8, _ body: (inout JSONText) -> Void) {
        let outer = only
        only = nil
        bytes.append(open)
        needsComma = false
        body(&self)
        bytes.append(close)
        needsComma = true
        only = outer
    }

    private mutating func append(digitsOf value: Int) { bytes += String(value).utf8 }

    private mutating func quote(_ text: String) {
        bytes.append(UInt8(ascii: "\""))
        var text = text
        text.withUTF8 { utf8 in
            if utf8.allSatisfy({ $0 >= 32 && $0 != 34 && $0 != 92 }) {
                bytes.append(contentsOf: utf8)
                return
            }
            for byte in utf8 {
                switch byte {
                case 34: bytes += [92, 34]
                case 92: bytes += [92, 92]
                case 10: bytes += [92, UInt8(ascii: "n")]
                case 0..<32: bytes += Array("\\u00".utf8) + Self.hex(byte)
                default: bytes.append(byte)
                }
            }
        }
        bytes.append(UInt8(ascii: "\""))
    }

    private static func hex(_ byte: UInt8) -> [UInt8] {
        let digits = Array("0123456789abcdef".utf8)
        return [digits[Int(byte >> 4)], digits[Int(byte & 15)]]
    }
}
