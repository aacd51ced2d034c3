// Replaces secrets in texts that leave this module: response headers, errors, log lines. A provider's Link header
// may echo the whole query with the key in it.

import BerthSeams
import Glibc

/// Finds secrets however they are percent-encoded and writes `***` in their place.
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
                    var start = 0
                    while let at = Self.find(UnsafeRawBufferPointer(rebasing: hay[start...]), needle) {
                        isFound = true
                        for index in (start + at)..<(start + at + needle.count) { hay[index] = UInt8(ascii: "*") }
                        start += at + needle.count
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
                    if let end = Self.match(needle, bytes, at: index) {
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

    /// Whether a secret stands plainly in the bytes.
    func occurs(in bytes: [UInt8]) -> Bool {
        bytes.withUnsafeBytes { hay in secrets.contains { secret in secret.withBytes { Self.find(hay, $0) != nil } } }
    }

    private static func find(_ hay: UnsafeRawBufferPointer, _ needle: UnsafeRawBufferPointer) -> Int? {
        guard let base = hay.baseAddress, let wanted = needle.baseAddress, let first = needle.first else { return nil }
        var offset = 0
        // memchr reads many bytes at a time; bodies have megabytes.
        while offset + needle.count <= hay.count, let found = memchr(base + offset, Int32(first), hay.count - needle.count - offset + 1) {
            if memcmp(found, wanted, needle.count) == 0 { return base.distance(to: UnsafeRawPointer(found)) }
            offset = base.distance(to: UnsafeRawPointer(found)) + 1
        }
        return nil
    }

    /// The end of `needle` in `bytes` at `start`, each byte plain, as `%XX`, or a space as `+`; nil: not there.
    private static func match(_ needle: UnsafeRawBufferPointer, _ bytes: [UInt8], at start: Int) -> Int? {
        var index = start
        for wanted in needle {
            guard index < bytes.count else { return nil }
            if bytes[index] == wanted {
                index += 1
            } else if bytes[index] == UInt8(ascii: "%"), index + 2 < bytes.count, let high = digit(bytes[index + 1]),
                let low = digit(bytes[index + 2]), high << 4 | low == wanted
            {
                index += 3
            } else if wanted == 32, bytes[index] == UInt8(ascii: "+") {
                index += 1
            } else {
                return nil
            }
        }
        return index
    }

    private static func digit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case 48...57: byte - 48
        case 65...70: byte - 55
        case 97...102: byte - 87
        default: nil
        }
    }
}
