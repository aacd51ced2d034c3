// What may be the name of an HTTP header, for those who take one from a person.

/// Names of headers.
public enum HeaderName {
    /// Whether a text is a token of RFC 9110 (5.6.2), 1 to 128 bytes.
    public static func isName(_ text: String) -> Bool {
        (1...128).contains(text.utf8.count)
            && text.utf8.allSatisfy { byte in
                (48...57).contains(byte) || (65...90).contains(byte) || (97...122).contains(byte) || "!#$%&'*+-.^_`|~".utf8.contains(byte)
            }
    }
}
