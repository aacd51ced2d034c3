// What a text says when its escapes are read: servers repeat what they were sent as it stood in a form, in a URL, in JSON or in HTML, and
// in those within each other. Texts are of providers and have megabytes: reading takes time and memory in proportion to the text alone.

import Glibc

/// A text with one layer of escapes read, or several, that knows where each of its bytes came from.
public struct EscapedText {
    /// Ways of writing that are read.
    public struct Ways: OptionSet, Sendable {
        public let rawValue: UInt8
        /// See `OptionSet`.
        public init(rawValue: UInt8) { self.rawValue = rawValue }
        /// `%2F`
        public static let url = Ways(rawValue: 1)
        /// `\/`, `\u002f`, pairs of surrogates.
        public static let json = Ways(rawValue: 2)
        /// `&amp;`, `&#47;`, `&#x2f;`
        public static let html = Ways(rawValue: 4)
        /// Each wherever it stands.
        public static let all: Ways = [.url, .json, .html]

        fileprivate var marks: [UInt8] {
            [(Ways.url, "%"), (.json, "\\"), (.html, "&")].compactMap { contains($0.0) ? UInt8(ascii: $0.1) : nil }
        }
    }

    /// What it says.
    public private(set) var bytes: [UInt8] = []
    /// By layer, the first one first: where its escapes end. Between them nothing moves, so that a text of few escapes has a short list.
    private var joints: [[Joint]]

    /// The end of an escape: in what it says, and in what it is written with.
    private struct Joint {
        var said: UInt32
        var written: UInt32
    }

    /// One layer of `text`; nil when it has no escape. At most 4 GiB.
    public init?(_ text: UnsafeRawBufferPointer, _ ways: Ways = .all) { self.init(text, ways, []) }

    /// Another layer: the escapes that were escaped; nil when there is none.
    public func next(_ ways: Ways = .all) -> EscapedText? { bytes.withUnsafeBytes { EscapedText($0, ways, joints) } }

    private init?(_ text: UnsafeRawBufferPointer, _ ways: Ways, _ before: [[Joint]]) {
        guard let base = text.baseAddress, text.count <= UInt32.max else { return nil }
        joints = before
        var own: [Joint] = []
        var marks = ways.marks.map { (byte: $0, next: -1) }
        var index = 0
        var copied = 0
        while index < text.count {
            // memchr reads many bytes at a time; each mark is looked for only behind where it was found last.
            var start = text.count
            for at in marks.indices {
                if marks[at].next < index {
                    let found = memchr(base + index, Int32(marks[at].byte), text.count - index)
                    marks[at].next = found.map { base.distance(to: UnsafeRawPointer($0)) } ?? text.count
                }
                start = min(start, marks[at].next)
            }
            guard start < text.count else { break }
            guard let escape = Escape(text, at: start, ways) else {
                index = start + 1
                continue
            }
            bytes.append(contentsOf: text[copied..<start])
            switch escape.meaning {
            case .byte(let byte): bytes.append(byte)
            case .scalar(let scalar): if let units = UTF8.encode(scalar) { bytes.append(contentsOf: units) }
            }
            index = start + escape.length
            copied = index
            own.append(Joint(said: UInt32(bytes.count), written: UInt32(index)))
        }
        guard !own.isEmpty else { return nil }
        bytes.append(contentsOf: text[copied...])
        joints.append(own)
    }

    /// What part of the first text says `place`.
    public func origin(of place: Range<Int>) -> Range<Int> {
        var place = place
        for layer in joints.reversed() { place = Self.written(place.lowerBound, layer)..<Self.written(place.upperBound, layer) }
        return place
    }

    private static func written(_ position: Int, _ joints: [Joint]) -> Int {
        var low = 0
        var high = joints.count
        while low < high {
            let middle = (low + high) / 2
            if joints[middle].said <= position { low = middle + 1 } else { high = middle }
        }
        guard low > 0 else { return position }
        return Int(joints[low - 1].written) + position - Int(joints[low - 1].said)
    }
}
