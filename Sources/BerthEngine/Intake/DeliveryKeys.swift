// The keys of a delivery: what it is, what makes it the same delivery again, and what it must not overtake.

import BerthModel
import Crypto

/// Kind, dedup key and ordering key by the manifest.
struct DeliveryKeys: Equatable {
    /// Longer keys are replaced by their hash, so that a sender cannot grow the index.
    private static let keyBytesMax = 512
    private static let kindBytesMax = 128
    private static let separator: Character = "\u{1F}"

    /// By the manifest; empty when not found.
    var kind: String
    /// Never empty.
    var dedup: String
    /// Nil when the manifest declares none or a part is missing.
    var ordering: String?

    init(of delivery: RawDelivery, by spec: WebhookSpec) {
        var selectors = DeliverySelectors(delivery)
        kind = Self.bounded(selectors.value(spec.eventKind) ?? "")
        dedup = Self.key(spec.dedupKey, &selectors) ?? Self.fallback(delivery)
        ordering = Self.key(spec.orderingKey, &selectors)
    }

    /// The parts joined so that different parts never give the same key; nil when none are declared or one is missing.
    private static func key(_ parts: [[ValueSelector]], _ selectors: inout DeliverySelectors) -> String? {
        guard !parts.isEmpty else { return nil }
        var values: [String] = []
        values.reserveCapacity(parts.count)
        for part in parts {
            guard let value = selectors.value(part) else { return nil }
            values.append(value)
        }
        return join(values)
    }

    static func join(_ values: [String]) -> String {
        var key: String
        if values.contains(where: { $0.utf8.contains(0x1F) || $0.hasPrefix("sha256:") }) {
            // No part is empty, so no other form begins with the separator.
            key = values.reduce(into: "\(separator)") { $0 += "\($1.utf8.count):\($1)" }
        } else {
            key = values.count == 1 ? values[0] : values.joined(separator: "\(separator)")
        }
        guard key.utf8.count > keyBytesMax else { return key }
        var hash = SHA256()
        key.withUTF8 { hash.update(bufferPointer: UnsafeRawBufferPointer($0)) }
        return "sha256:k:" + SignatureText.hex(hash.finalize())
    }

    /// SHA-256 over method, query and body, each with its length before it.
    private static func fallback(_ delivery: RawDelivery) -> String {
        var hash = SHA256()
        func add(_ bytes: UnsafeRawBufferPointer) {
            withUnsafeBytes(of: UInt64(bytes.count).littleEndian) { hash.update(bufferPointer: $0) }
            hash.update(bufferPointer: bytes)
        }
        var method = delivery.method
        method.withUTF8 { add(UnsafeRawBufferPointer($0)) }
        var query = delivery.query
        query.withUTF8 { add(UnsafeRawBufferPointer($0)) }
        delivery.body.withUnsafeBytes { add($0) }
        return "sha256:" + SignatureText.hex(hash.finalize())
    }

    private static func bounded(_ kind: String) -> String {
        guard kind.utf8.count > kindBytesMax else { return kind }
        return String(decoding: kind.utf8.prefix(kindBytesMax), as: UTF8.self)
    }
}
