// What the text of a setting must look like, so that a wrong one is refused where it stands, by --check too, and not by
// the part that would have used it. Whether a path exists is that part's to say.

import BerthModel
import BerthOutbound

/// A form of text.
enum SettingForm: Sendable {
    /// `host:port`
    case address
    /// `http://...` or `https://...`; empty: none.
    case webAddress
    /// `/a/b`; empty: a default.
    case absolutePath
    /// An octal mode without rights for others.
    case mode
    /// `sqlite:///a/b`; empty: a default.
    case database
    /// A CIDR range.
    case network

    /// What is wrong with a text; nil when nothing is.
    func problem(of text: String) -> SettingProblem? {
        switch self {
        case .address:
            do { _ = try ListenAddress(text, setting: "") } catch { return .init("'\(text)' is not host:port; for example 127.0.0.1:8700 or [::]:8700") }
        case .webAddress:
            guard !text.isEmpty else { return nil }
            let host = ["https://", "http://"].first { text.hasPrefix($0) }.map { text.dropFirst($0.count) }
            guard let host, let first = host.first, first != "/", !host.contains(where: \.isWhitespace), !host.contains("?"), !host.contains("#")
            else { return .init("'\(text)' is not a web address; for example https://hooks.example.com") }
        case .absolutePath:
            guard text.isEmpty || text.hasPrefix("/") else { return .init("'\(text)' is not an absolute path") }
            guard !text.utf8.contains(0) else { return .init("a path can't hold a NUL byte") }
        case .mode:
            guard let mode = UInt32(text, radix: 8), mode <= 0o777, mode & 0o007 == 0 else {
                return .init("'\(text)' is not an octal mode without rights for others; for example 0660")
            }
        case .database:
            guard text.isEmpty || text.hasPrefix("sqlite:///") && text.count > 10 && !text.hasSuffix("/") else {
                return .init("'\(text)' is not sqlite:///absolute/path; for example sqlite:///var/lib/berth/berth.db")
            }
        case .network:
            guard NetworkPrefix(text) != nil else { return .init("'\(text)' is not a CIDR range; for example 10.0.0.0/8") }
        }
        return nil
    }
}
