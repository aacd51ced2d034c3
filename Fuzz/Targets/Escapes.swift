// Texts of providers that are searched for secrets.

import BerthModel

/// F10: escapes, layer by layer. Each layer is shorter, what stands in it was written in the text, in the same order; and a word is found
/// where comparing at each place finds it.
@Sendable func escapes(_ data: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let input = bytes(data, count)
    var length = input.count
    var layer = input.withUnsafeBytes { EscapedText($0) }
    while let current = layer {
        precondition(current.bytes.count < length, "a layer grew")
        length = current.bytes.count
        var last = 0..<0
        for index in current.bytes.indices {
            let place = current.origin(of: index..<index + 1)
            precondition(!place.isEmpty && place.lowerBound >= last.lowerBound && place.upperBound <= input.count, "\(place) after \(last)")
            last = place
        }
        layer = current.next()
    }
    let word = Array(input.prefix(Int(input.first ?? 0) % 48 + 1))
    var found: [Int] = []
    word.withUnsafeBytes { word in
        input.withUnsafeBytes { text in
            _ = ByteSearch.places(of: word, in: text) {
                found.append($0)
                return true
            }
        }
    }
    precondition(found == input.indices.filter { input[$0...].starts(with: word) }, "other places")
    return 0
}
