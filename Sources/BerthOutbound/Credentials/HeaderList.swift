// Request headers in libcurl's form, checked so that no value can begin another header, and wiped after use.

import BerthModel
import BerthSeams
import CCurl
import Glibc

/// Owns a `curl_slist`. Must outlive the transfer that uses it.
final class HeaderList {
    private(set) var list: UnsafeMutablePointer<curl_slist>?

    deinit {
        var item = list
        while let current = item {
            if let data = current.pointee.data { ccurl_wipe(data, strlen(data)) }
            item = current.pointee.next
        }
        curl_slist_free_all(list)
    }

    /// Adds `name: value`; false when either holds what headers may not hold.
    func add(name: String, value: String) -> Bool {
        guard Self.isToken(name), value.utf8.allSatisfy({ HeaderBytes.allows($0) }) else { return false }
        // libcurl's form for a header with an empty value; with a colon it would remove the header instead.
        return append(value.isEmpty ? "\(name);" : "\(name): \(value)")
    }

    /// Adds a header line whose value ends in a secret; false when the secret holds a control byte.
    func add(_ prefix: String, _ secret: Secret) -> Bool {
        withUnsafeTemporaryAllocation(byteCount: prefix.utf8.count + secret.count + 1, alignment: 1) { buffer in
            defer { wipe(buffer) }
            buffer.copyBytes(from: prefix.utf8)
            buffer[buffer.count - 1] = 0
            let isValid = secret.withBytes { bytes in
                for (index, byte) in bytes.enumerated() {
                    guard HeaderBytes.allows(byte) else { return false }
                    buffer[prefix.utf8.count + index] = byte
                }
                return true
            }
            guard isValid, let base = buffer.assumingMemoryBound(to: CChar.self).baseAddress else { return false }
            return append(base)
        }
    }

    /// Makes libcurl leave out a header that it would add by itself.
    func suppress(_ name: String) { _ = append("\(name):") }

    private func append(_ line: UnsafePointer<CChar>) -> Bool {
        guard let longer = curl_slist_append(list, line) else { return false }
        list = longer
        return true
    }

    /// Header names and methods (RFC 9110 5.6.2).
    static func isToken(_ text: String) -> Bool {
        !text.isEmpty && text.utf8.count <= 128
            && text.utf8.allSatisfy {
                switch $0 {
                case 48...57, 65...90, 97...122: true
                default: "!#$%&'*+-.^_`|~".utf8.contains($0)
                }
            }
    }

    /// Headers that libcurl or the host sets; a plugin's are refused because they could change where a message ends
    /// or how a connection is used. Lower case.
    static let forbidden: Set<String> = [
        "host", "content-length", "transfer-encoding", "connection", "keep-alive", "upgrade", "te", "trailer", "expect", "http2-settings",
        "proxy-authorization", "proxy-connection",
    ]
    /// Left out silently: the host negotiates what it can decode.
    static let ignored: Set<String> = ["accept-encoding"]
}
