// [egress] and [workspaces.NAME.egress] as policies, with the files they name read and checked: at start and by --check, so
// that a wrong one is told with its place and not by the first request at night.

import BerthModel
import BerthOutbound
import BerthSeams
import BerthVault
import Foundation

/// The egress policies of this daemon.
struct EgressSettings: Sendable {
    /// Of workspaces without settings of their own.
    let shared: EgressPolicy
    private let own: [WorkspaceName: EgressPolicy]

    /// Workspaces with settings, and so connections, of their own.
    var routeCount: Int { own.count }

    /// A workspace's. One without settings of its own shares the route of [egress].
    func policy(of workspace: WorkspaceName) -> EgressPolicy {
        if let policy = own[workspace] { return policy }
        var policy = shared
        policy.place = "[egress] or [workspaces.\(workspace).egress]"
        return policy
    }

    /// Reads and checks everything; throws one error that lists all that is wrong.
    static func load(_ configuration: Configuration, _ environment: [String: String]) throws(BerthError) -> EgressSettings {
        var reader = Reader(configuration: configuration, credentials: environment["CREDENTIALS_DIRECTORY"])
        let shared = reader.policy("egress", over: nil, route: 0)
        var own: [WorkspaceName: EgressPolicy] = [:]
        for (index, workspace) in configuration.workspaces.enumerated() {
            own[workspace] = reader.policy("workspaces.\(workspace).egress", over: shared, route: index + 1)
        }
        guard reader.problems.isEmpty else {
            throw BerthError("configuration_invalid", reader.problems.joined(separator: "\n"), hint: reader.hint)
        }
        return EgressSettings(shared: shared, own: own)
    }
}

/// Collects what is wrong while it reads.
private struct Reader {
    let configuration: Configuration
    /// The service manager's folder of credentials.
    let credentials: String?
    var problems: [String] = []
    var hint = "berthd --help-config lists every setting; berthd --config FILE --check tests a file"

    /// The policy of a section; what it does not give is as in `base`.
    mutating func policy(_ section: String, over base: EgressPolicy?, route: Int) -> EgressPolicy {
        var policy = base ?? EgressPolicy()
        policy.route = route
        policy.place = "[\(section)]"
        if let texts = list("\(section).allowed_hosts") {
            policy.allowedHosts = texts.compactMap { HostPattern($0) }
            if texts.isEmpty {
                blame(
                    "\(section).allowed_hosts", "names no host, so that no request could be made", "name hosts, * for any, or leave it out")
            }
        }
        if let texts = list("\(section).denied_hosts") { policy.deniedHosts = texts.compactMap { HostPattern($0) } }
        if let texts = list("\(section).private_networks") { policy.privateNetworks = texts.compactMap { NetworkPrefix($0) } }
        if let path = text("\(section).ca_file") {
            policy.caFile = path.isEmpty ? nil : path
            if !path.isEmpty, let problem = CertificateFile.problem(path) {
                blame(
                    "\(section).ca_file", "'\(path)' \(problem)", "name a PEM file of certificate authorities that berthd's user may read")
            }
        }
        // A proxy comes with its own credentials: another's must not be told to it.
        if let url = text("\(section).proxy") {
            policy.proxy = try? ProxyServer(url)  // its form was checked before
            policy.proxy?.setting = "[\(section)] proxy"
        }
        if let file = text("\(section).proxy_credentials_file") {
            if file.isEmpty {
                policy.proxy?.credentials = nil
            } else if policy.proxy == nil {
                blame(
                    "\(section).proxy_credentials_file", "is given, but no proxy", "name the proxy in [\(section)] proxy, or leave it out")
            } else {
                do throws(BerthError) { policy.proxy?.credentials = try proxyCredentials(file) } catch {
                    blame("\(section).proxy_credentials_file", error.message, error.hint)
                }
            }
        }
        return policy
    }

    private func text(_ name: String) -> String? { if case .text(let text)? = configuration.given(name) { text } else { nil } }
    private func list(_ name: String) -> [String]? { if case .list(let list)? = configuration.given(name) { list } else { nil } }

    private mutating func blame(_ name: String, _ what: String, _ remedy: String?) {
        problems.append("\(configuration.origin(name) ?? "default"): \(name): \(what)")
        if let remedy { hint = remedy }
    }

    /// `user:password` from a 0600 file, or a credential of the service manager's.
    private func proxyCredentials(_ file: String) throws(BerthError) -> ProxyServer.Credentials {
        let what = "file with the proxy's credentials"
        var path = file
        if !file.hasPrefix("/") {
            guard let credentials else {
                throw BerthError(
                    .invalid, "'\(file)' is the name of a systemd credential, but the service manager gave none",
                    hint: "LoadCredential=\(file):/path in the unit, or give the absolute path of a file with mode 0600")
            }
            path = "\(credentials)/\(file)"
        }
        let isCredential = credentials.map { path.hasPrefix($0 + "/") } ?? false
        let descriptor = try ProtectedFile.open(
            path, what: what, code: .invalid, isCredential: isCredential,
            missing: "make it: (umask 077; cat > \(path)), then USER:PASSWORD and Ctrl-D")
        defer { close(descriptor) }
        let (buffer, count) = try ProtectedFile.contents(of: descriptor, path: path, what: what, code: .invalid, bytesMax: 1025)
        defer { ProtectedFile.wipe(buffer) }
        var bytes = UnsafeRawBufferPointer(rebasing: buffer[..<count])
        while let last = bytes.last, last == 10 || last == 13 { bytes = UnsafeRawBufferPointer(rebasing: bytes.dropLast()) }
        guard count <= 1024, let colon = bytes.firstIndex(of: UInt8(ascii: ":")), colon > 0,
            !bytes.contains(where: { $0 < 32 || $0 == 127 })
        else {
            throw BerthError(
                .invalid, "the \(what) \(path) does not hold one line USER:PASSWORD of at most 1024 bytes",
                hint: "write USER:PASSWORD into it")
        }
        return ProxyServer.Credentials(user: Secret(copying: bytes[..<colon]), password: Secret(copying: bytes[(colon + 1)...]))
    }
}
