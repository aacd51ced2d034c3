// Replaces secrets in texts that leave this module: answers, errors, log lines. A provider's Link header may echo the whole query with the
// key in it.

import BerthSeams

/// Hides the secrets of one credential, however they are written (``SecretSearch``).
struct SecretMask: Sendable {
    /// For headers, errors and log lines.
    private let words: SecretSearch
    /// For bodies, which are data: what is covered there by mistake is lost.
    private let data: SecretSearch

    /// `names` are hidden in words only: a user name stands in bodies by right.
    init(_ secrets: [Secret], names: [Secret] = []) {
        let forms = secrets.compactMap(SecretForms.init)
        words = SecretSearch(forms + names.compactMap(SecretForms.init), short: .anywhere)
        data = SecretSearch(forms, short: .words)
    }

    /// Hides what an answer repeats. A header `berth-masked` tells of a body, so that such an answer is not kept either.
    func hide(in response: inout ProviderResponse) {
        // One search for all headers: each has a few bytes.
        if occurs(inAny: response.headers.map(\.value)) {
            for index in response.headers.indices { response.headers[index].value = mask(response.headers[index].value) }
        }
        if cover(&response.body) { response.headers.append(("berth-masked", "***")) }
    }

    /// Writes asterisks over secrets that a provider repeats in a body, as many as there were bytes; whether there was one.
    func cover(_ body: inout [UInt8]) -> Bool {
        // Beside the body, which is still read.
        var covered: [UInt8]?
        body.withUnsafeBytes { text in
            data.find(in: text) { place in
                if covered == nil { covered = Array(text) }
                covered?.withUnsafeMutableBytes {
                    _ = UnsafeMutableRawBufferPointer(rebasing: $0[place]).initializeMemory(as: UInt8.self, repeating: UInt8(ascii: "*"))
                }
                return true
            }
        }
        guard let covered else { return false }
        body = covered
        return true
    }

    /// The text with `***` for secrets.
    func mask(_ text: String) -> String {
        let bytes = Array(text.utf8)
        let places = words.places(in: bytes)
        guard !places.isEmpty else { return text }
        var out: [UInt8] = []
        var end = 0
        for place in places {
            out += bytes[end..<place.lowerBound]
            out += Array("***".utf8)
            end = place.upperBound
        }
        out += bytes[end...]
        return String(decoding: out, as: UTF8.self)
    }

    private func occurs(inAny texts: [String]) -> Bool {
        var isFound = false
        Array(texts.joined(separator: "\n").utf8).withUnsafeBytes {
            words.find(in: $0) { _ in
                isFound = true
                return false
            }
        }
        return isFound
    }
}
