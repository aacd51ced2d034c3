// Yes and no in the words providers and the people who template their webhooks use.

/// Reads booleans leniently.
public enum Truth {
    /// true, yes, y, on, 1, converted; false, no, n, off, 0, in any case. nil for everything else.
    public static func value(_ node: JSONNode) -> Bool? {
        switch node.kind {
        case .bool: node.bool
        case .number: node.int64.map { $0 != 0 }
        case .string: node.string.flatMap(value)
        default: nil
        }
    }

    /// As for nodes.
    public static func value(_ text: String) -> Bool? {
        switch text.lowercased() {
        case "true", "yes", "y", "on", "1", "converted": true
        case "false", "no", "n", "off", "0", "not converted": false
        default: nil
        }
    }
}
