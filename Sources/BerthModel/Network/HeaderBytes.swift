// What a header's value is made of. Asked when a credential is stored and again when it is sent.

/// RFC 9110 5.5.
public enum HeaderBytes {
    /// Whether a value may hold the byte: no control character but the tab.
    public static func allows(_ byte: UInt8) -> Bool { byte == 9 || (byte >= 32 && byte != 127) }
}
