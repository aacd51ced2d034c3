// One spelling for each path, so that a write by another one ends the answers that it changed.

/// A path as kept answers know it. Requests go out as they were spelled.
struct CachePath {
    /// What stands for itself is decoded, the rest is encoded in capitals (RFC 3986 6.2.2): `/p/%32%2f` is `/p/2%2F`.
    var text: String
    /// It holds empty or dot segments: what a server makes of them is its own affair, so that answers under it are not kept.
    var isAmbiguous: Bool

    /// Where a write under this path ends answers: with empty segments left out, and everywhere when it holds dots.
    var ended: String {
        let segments = text.split(separator: "/")
        guard !segments.contains(where: { $0 == "." || $0 == ".." }) else { return "/" }
        return "/" + segments.joined(separator: "/") + (text.hasSuffix("/") && !segments.isEmpty ? "/" : "")
    }

    init(_ path: String) {
        var bytes: [UInt8] = []
        let given = Array(path.utf8)
        var index = 0
        while index < given.count {
            if given[index] == UInt8(ascii: "%"), index + 2 < given.count,
                let byte = UInt8(String(decoding: given[index + 1...index + 2], as: UTF8.self), radix: 16)
            {
                if Self.isUnreserved(byte) {
                    bytes.append(byte)
                } else {
                    bytes += given[index...index + 2].map { (97...102).contains($0) ? $0 - 32 : $0 }
                }
                index += 3
            } else {
                bytes.append(given[index])
                index += 1
            }
        }
        text = String(decoding: bytes, as: UTF8.self)
        let inner = text.split(separator: "/", omittingEmptySubsequences: false).dropFirst().dropLast()
        isAmbiguous = inner.contains { $0.isEmpty } || text.split(separator: "/").contains { $0 == "." || $0 == ".." }
    }

    private static func isUnreserved(_ byte: UInt8) -> Bool {
        switch byte {
        case 48...57, 65...90, 97...122: true
        default: "-._~".utf8.contains(byte)
        }
    }
}
