// Where secrets stand in what a provider says, for those who hide them: in answers to plugins, and in the words of token endpoints. It
// finds the ways of writing that servers repeat things in, not what somebody thought up to get a secret past it.

import BerthModel

/// Looks for secrets in texts of others, in time that grows with the text alone, whatever secrets and text are.
public struct SecretSearch: Sendable {
    private let forms: [SecretForms]
    private let short: Short
    /// All escapes as they come. A secret that itself looks escaped would be read away in those: for it also each way by itself.
    private let readings: [EscapedText.Ways]

    /// What counts as a secret of 4 to 7 bytes.
    public enum Short: Sendable {
        /// Every place with its bytes.
        case anywhere
        /// Where neither letter nor digit stands beside it, if it holds both: a password `test` is also an innocent word of most texts.
        case words
    }

    /// Escapes in escapes: a form in a JSON text in a JSON text.
    private static let layersMax = 3

    /// A search for all of these.
    public init(_ forms: [SecretForms], short: Short) {
        self.forms = forms.filter { short == .anywhere || !$0.isShort || $0.isMixed }
        self.short = short
        readings = [.all] + (forms.contains(where: \.holdsEscapes) ? [.url, .json, .html] : [])
    }

    /// Calls `take` with parts of the text that tell a secret, until it answers false. In no order; they may overlap.
    public func find(in text: UnsafeRawBufferPointer, _ take: (Range<Int>) -> Bool) {
        guard !forms.isEmpty, look(in: text, isWritten: true, take) else { return }
        for ways in readings {
            var layer = EscapedText(text, ways)
            var depth = 1
            while let current = layer {
                guard current.bytes.withUnsafeBytes({ look(in: $0, isWritten: false) { take(current.origin(of: $0)) } }) else { return }
                layer = depth < Self.layersMax ? current.next(ways) : nil
                depth += 1
            }
        }
    }

    /// The parts of the text that tell a secret, in order; those that overlap are one.
    public func places(in text: [UInt8]) -> [Range<Int>] {
        var found: [Range<Int>] = []
        text.withUnsafeBytes {
            find(in: $0) {
                found.append($0)
                return true
            }
        }
        var joined: [Range<Int>] = []
        for place in found.sorted(by: { $0.lowerBound < $1.lowerBound }) {
            if let last = joined.last, place.lowerBound < last.upperBound {
                joined[joined.count - 1] = last.lowerBound..<max(last.upperBound, place.upperBound)
            } else {
                joined.append(place)
            }
        }
        return joined
    }

    /// One layer; false when `take` said so.
    private func look(in text: UnsafeRawBufferPointer, isWritten: Bool, _ take: (Range<Int>) -> Bool) -> Bool {
        for form in forms {
            for words in [form.escapable, isWritten ? form.others : []] {
                for word in words {
                    guard Self.look(for: word, in: text, asWord: form.isShort && short == .words, take) else { return false }
                }
            }
        }
        return true
    }

    /// Places of one word that overlap are one: a word `aaaaaaaa` would otherwise be told for each byte of a text of them.
    private static func look(
        for word: Secret, in text: UnsafeRawBufferPointer, asWord: Bool, _ take: (Range<Int>) -> Bool
    ) -> Bool {
        var run: Range<Int>?
        let isWhole = word.withBytes { word in
            ByteSearch.places(of: word, in: text) { start in
                let place = start..<start + word.count
                guard !asWord || isWord(place, text) else { return true }
                if let last = run, start < last.upperBound {
                    run = last.lowerBound..<place.upperBound
                    return true
                }
                defer { run = place }
                return run.map(take) ?? true
            }
        }
        return isWhole && run.map(take) ?? true
    }

    private static func isWord(_ place: Range<Int>, _ text: UnsafeRawBufferPointer) -> Bool {
        func isPart(_ byte: UInt8) -> Bool {
            switch byte {
            case 48...57, 65...90, 97...122, 128..., UInt8(ascii: "_"), UInt8(ascii: "-"): true
            default: false
            }
        }
        return (place.lowerBound == 0 || !isPart(text[place.lowerBound - 1]))
            && (place.upperBound == text.count || !isPart(text[place.upperBound]))
    }
}
