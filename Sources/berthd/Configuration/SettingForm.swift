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
    /// `host`, `*.domain`, `*`, with `:port` or without.
    case hosts
    /// `http://host:port`, `https://...`, `socks5h://...`; empty: none.
    case proxy
    /// An absolute path, or the name of a credential of the service manager's; empty: none.
    case credentialFile

    /// What is wrong with a text; nil when nothing is.
    func problem(of text: String) -> SettingProblem? {
        switch self {
        case .address:
            do { _ = try ListenAddress(text, setting: "") } catch {
                return .init("'\(text)' is not host:port; for example 127.0.0.1:8700, or 0.0.0.0:8700 for every address of this machine")
            }
        case .webAddress:
            guard !text.isEmpty else { return nil }
            let host = ["https://", "http://"].first { text.hasPrefix($0) }.map { text.dropFirst($0.count) }
            guard let host, let first = host.first, first != "/", !host.contains(where: \.isWhitespace), !host.contains("?"),
                !host.contains("#"), !host.prefix(while: { $0 != "/" }).contains("@")
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
            guard !text.contains("?") else { return .init("'\(text)' has parameters, which none are known of; the path is taken as it is") }
        case .hosts:
            guard HostPattern(text) != nil else {
                return .init(
                    "'\(text)' is no host: write api.example.com, *.example.com or *, with :PORT or without, and no scheme or path")
            }
        case .proxy:
            guard !text.isEmpty else { return nil }
            // What was written is not repeated: it may hold a password.
            do throws(ProxyServer.Refusal) { _ = try ProxyServer(text) } catch { return .init(error.reason) }
        case .credentialFile:
            let isName =
                !text.isEmpty && text != "." && text != ".."
                && text.utf8.allSatisfy { $0 > 32 && $0 < 127 && $0 != UInt8(ascii: "/") && $0 != UInt8(ascii: ":") }
            guard text.isEmpty || isName || (text.hasPrefix("/") && !text.utf8.contains(0)) else {
                return .init("is neither an absolute path nor the name of a systemd credential; it never holds the credentials themselves")
            }
        case .network:
            guard NetworkPrefix(text) != nil else { return .init("'\(text)' is not a CIDR range; for example 10.0.0.0/8") }
        }
        return nil
    }
}
