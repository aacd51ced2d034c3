// Zones by name, read once each. Where the bytes come from is the caller's: a folder in the daemon, fixtures in tests.

import Synchronization

/// Time zones by their names in the tz database.
public final class ZoneCatalog: Sendable {
    private let read: @Sendable (String) -> [UInt8]?
    private let known = Mutex<[String: TZifZone]>([:])

    /// A catalog over `read`, which gives the bytes of the zone file of a name such as `Europe/Berlin`, or nil. It is
    /// called with checked names only (see ``isName(_:)``), from any thread.
    public init(read: @escaping @Sendable (String) -> [UInt8]?) { self.read = read }

    /// The zone of that name; `UTC` needs no file. Throws `zone_unknown` or `zone_invalid`.
    public func zone(_ name: String?) throws(BerthError) -> any TimeZoneRules {
        guard let name, name != "UTC" else { return FixedZone.utc }
        if let zone = known.withLock({ $0[name] }) { return zone }
        guard Self.isName(name), let bytes = read(name) else {
            throw BerthError(
                "zone_unknown", "there is no time zone '\(name)'",
                hint: "use a name of the tz database such as tz=Europe/Berlin, and make sure the package tzdata is installed")
        }
        let zone = try TZifZone(bytes)
        known.withLock { $0[name] = zone }
        return zone
    }

    /// Whether a text can be a zone's name: relative, without `..`, letters, digits and `_ + - /` only.
    public static func isName(_ text: String) -> Bool {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        return text.utf8.count <= 64
            && parts.allSatisfy { part in
                !part.isEmpty
                    && part.utf8.allSatisfy {
                        (65...90).contains($0) || (97...122).contains($0) || (48...57).contains($0) || [43, 45, 95].contains($0)
                    }
            }
    }
}
