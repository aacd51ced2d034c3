// Finding bytes in bytes where a stranger may have chosen both: the time grows with the text and with the word, never with their product.

import Glibc

/// A search for one word.
public enum ByteSearch {
    /// Calls `take` with where `word` begins in `text`, in order, those that overlap as well, until it answers false; false: it did so.
    /// Looks for the word's beginning with memchr, which is as fast as memory, and goes on from there as Knuth, Morris and Pratt do.
    public static func places(of word: UnsafeRawBufferPointer, in text: UnsafeRawBufferPointer, _ take: (Int) -> Bool) -> Bool {
        guard let base = text.baseAddress, let wordBase = word.baseAddress, !word.isEmpty, word.count <= text.count else { return true }
        // Bounds what is compared at a place where the first byte stands.
        let beginning = min(word.count, 32)
        var borders: [Int32] = []
        var index = 0
        var matched = 0
        while true {
            if matched == 0 {
                let last = text.count - beginning
                while true {
                    guard index <= last, let found = memchr(base + index, Int32(word[0]), last + 1 - index) else { return true }
                    index = base.distance(to: UnsafeRawPointer(found))
                    if memcmp(found, wordBase, beginning) == 0 { break }
                    index += 1
                }
                index += beginning
                matched = beginning
            } else {
                guard index < text.count else { return true }
                if borders.isEmpty { borders = self.borders(of: word) }
                while matched > 0, word[matched] != text[index] { matched = Int(borders[matched - 1]) }
                guard matched > 0 else { continue }
                index += 1
                matched += 1
            }
            if matched == word.count {
                guard take(index - matched) else { return false }
                if borders.isEmpty { borders = self.borders(of: word) }
                matched = Int(borders[matched - 1])
            }
        }
    }

    /// Of each beginning of the word: how long its longest own beginning is that is its end as well.
    private static func borders(of word: UnsafeRawBufferPointer) -> [Int32] {
        var borders = [Int32](repeating: 0, count: word.count)
        var length = 0
        for index in word.indices.dropFirst() {
            while length > 0, word[index] != word[length] { length = Int(borders[length - 1]) }
            if word[index] == word[length] { length += 1 }
            borders[index] = Int32(length)
        }
        return borders
    }
}
