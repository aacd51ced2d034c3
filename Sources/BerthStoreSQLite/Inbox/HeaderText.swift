// Headers as text in one column: "name: value" lines, as on the wire, so that an operator can read them.

enum HeaderText {
    /// Header values hold no line breaks: HTTP forbids them and the listener refuses them.
    static func encode(_ headers: [(name: String, value: String)]) -> String {
        var text = ""
        text.reserveCapacity(headers.reduce(0) { $0 + $1.name.utf8.count + $1.value.utf8.count + 3 })
        for header in headers {
            text += header.name
            text += ": "
            text += header.value
            text += "\n"
        }
        return text
    }

    static func decode(_ text: String) -> [(name: String, value: String)] {
        text.split(separator: "\n").compactMap { line in
            guard let colon = line.utf8.firstIndex(of: UInt8(ascii: ":")) else { return nil }
            return (String(line[..<colon]), String(line[line.utf8.index(after: colon)...].drop { $0 == " " }))
        }
    }
}
