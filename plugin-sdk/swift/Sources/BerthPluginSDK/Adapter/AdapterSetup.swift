// What an adapter knows of its connection. No secrets: credentials are added to requests by the daemon.

/// A connection's settings and address.
public struct AdapterSetup: Sendable {
    /// `con_...`
    public let connection: String
    /// Where requests with a path go, without trailing slash.
    public let baseURL: String
    /// Settings by the manifest's schema, secret ones left out.
    public let settings: JSONNode

    /// A setup; `settings` is a JSON object.
    public init(connection: String, baseURL: String, settings: [UInt8]) throws {
        self.connection = connection
        self.baseURL = baseURL
        do {
            self.settings = try JSONDocument(settings.isEmpty ? Array("{}".utf8) : settings).root
        } catch {
            throw ProviderError(.invalidArgument, "the connection's settings are not JSON: \(error)")
        }
        guard self.settings.kind == .object else {
            throw ProviderError(.invalidArgument, "the connection's settings are not a JSON object")
        }
    }

    /// A text setting; a number is taken as its digits. nil when absent or empty.
    public func text(_ name: String) -> String? {
        guard let value = settings[member: name]?.scalarText, !value.isEmpty else { return nil }
        return value
    }

    /// A text setting that must be there.
    public func requiredText(_ name: String) throws -> String {
        guard let value = text(name) else {
            throw ProviderError(.invalidArgument, "the setting '\(name)' is missing; set it on the connection")
        }
        return value
    }

    /// A whole-number setting inside `range`, or `fallback` when absent.
    public func integer(_ name: String, default fallback: Int, in range: ClosedRange<Int>) throws -> Int {
        guard let node = settings[member: name], !node.isNull else { return fallback }
        guard let text = node.scalarText, let value = Int(text), range.contains(value) else {
            throw ProviderError(
                .invalidArgument, "the setting '\(name)' must be a whole number from \(range.lowerBound) to \(range.upperBound)")
        }
        return value
    }

    /// A yes-or-no setting.
    public func flag(_ name: String, default fallback: Bool) -> Bool { settings[member: name].flatMap(Truth.value) ?? fallback }
}
