// Replaces secrets in texts that leave this module: response headers, errors, log lines. A provider's Link header
// may echo the whole query with the key in it.

import BerthSeams
import Glibc

/// Finds secrets, however they are encoded in a URL or in JSON, and writes `***` in their place.
struct SecretMask {
    private let secrets: [Secret]
    private let inBodies: [Secret]

    /// Secrets under 4 bytes are left alone: masking them would destroy the text and hide nothing worth hiding. `inBodies`: those that
    /// are hidden in bodies as well, from 8 bytes on; a user name stands there by right.
    init(_ secrets: [Secret], inBodies: [Secret] = []) {
        self.secrets = secrets.filter { $0.count >= 4 }.sorted { $0.count > $1.count }
        self.inBodies = inBodies.filter { $0.count >= 8 }
    }

    /// Writes asterisks over secrets that a provider repeats in a body, as many as there were bytes; whether there was one.
    func cover(_ body: inout [UInt8]) -> Bool {
        var isFound = false
        for secret in inBodies {
            secret.withBytes { needle in
                body.withUnsafeMutableBytes { hay in
                    Self.search(UnsafeRawBufferPointer(hay), needle) { range in
                        isFound = true
                        for index in range { hay[index] = UInt8(ascii: "*") }
                        return true
                    }
                }
            }
        }
        return isFound
    }

    /// The text without secrets.
    func mask(_ text: String) -> String {
        guard !secrets.isEmpty else { return text }
        var bytes = Array(text.utf8)
        var isChanged = false
        for secret in secrets {
            secret.withBytes { needle in
                var index = 0
                while index < bytes.count {
                    if let end = bytes.withUnsafeBytes({ Self.match(needle, $0, at: index) }) {
                        bytes.replaceSubrange(index..<end, with: "***".utf8)
                        isChanged = true
                        index += 3
                    } else {
                        index += 1
                    }
                }
            }
        }
        return isChanged ? String(decoding: bytes, as: UTF8.self) : text
    }

    /// Whether a secret stands in the bytes, plainly or encoded.
    func occurs(in bytes: [UInt8]) -> Bool {
        bytes.withUnsafeBytes { hay in
            secrets.contains { secret in
                var isFound = false
                secret.withBytes { needle in
                    Self.search(hay, needle) { _ in
                        isFound = true
                        return false
                    }
                }
                return isFound
            }
        }
    }

    /// Every place where `needle` stands, until `take` answers false. Looks only where it can begin: at its first byte, plain or escaped;
    /// memchr reads many bytes at a time, and bodies have megabytes.
    private static func search(_ hay: UnsafeRawBufferPointer, _ needle: UnsafeRawBufferPointer, _ take: (Range<Int>) -> Bool) {
        guard let base = hay.baseAddress, let first = needle.first else { return }
        for start in Set([first, UInt8(ascii: "%"), UInt8(ascii: "\\")]) {
            var offset = 0
            while offset < hay.count, let found = memchr(base + offset, Int32(start), hay.count - offset) {
                let index = base.distance(to: UnsafeRawPointer(found))
                guard let end = match(needle, hay, at: index) else {
                    offset = index + 1
                    continue
                }
                guard take(index..<end) else { return }
                offset = end
            }
        }
    }

    /// The end of `needle` in `bytes` at `start`, each byte plain, as `%XX`, as JSON escapes it, or a space as `+`; nil: not there.
    private static func match(_ needle: UnsafeRawBufferPointer, _ bytes: UnsafeRawBufferPointer, at start: Int) -> Int? {
        var index = start
        for wanted in needle {
            guard index < bytes.count else { return nil }
            if let length = escape(of: wanted, bytes, at: index) {
                index += length
            } else if bytes[index] == wanted || (wanted == 32 && bytes[index] == UInt8(ascii: "+")) {
                index += 1
            } else {
                return nil
            }
        }
        return index
    }

    /// How long the escape at `index` is, if it is one of `wanted`.
    private static func escape(of wanted: UInt8, _ bytes: UnsafeRawBufferPointer, at index: Int) -> Int? {
        switch bytes[index] {
        case UInt8(ascii: "%"):
            guard index + 2 < bytes.count, let high = digit(bytes[index + 1]), let low = digit(bytes[index + 2]) else { return nil }
            return high << 4 | low == wanted ? 3 : nil
        case UInt8(ascii: "\\"):
            guard index + 1 < bytes.count else { return nil }
            let next = bytes[index + 1]
            guard next == UInt8(ascii: "u") else { return simpleEscapes[next] == wanted ? 2 : nil }
            guard index + 5 < bytes.count else { return nil }
            let value = bytes[(index + 2)...(index + 5)].reduce(UInt32?(0)) { value, byte in
                guard let value, let digit = digit(byte) else { return nil }
                return value << 4 | UInt32(digit)
            }
            return value == UInt32(wanted) && wanted < 128 ? 6 : nil
        default: return nil
        }
    }

    /// What stands for what behind a backslash (RFC 8259, 7).
    private static let simpleEscapes: [UInt8: UInt8] = [
        UInt8(ascii: "\\"): UInt8(ascii: "\\"), UInt8(ascii: "/"): UInt8(ascii: "/"), UInt8(ascii: "\""): UInt8(ascii: "\""),
        UInt8(ascii: "n"): 10, UInt8(ascii: "r"): 13, UInt8(ascii: "t"): 9,
    ]

    private static func digit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case 48...57: byte - 48
        case 65...70: byte - 55
        case 97...102: byte - 87
        default: nil
        }
    }
}
