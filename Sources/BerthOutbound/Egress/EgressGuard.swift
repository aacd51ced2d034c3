// Decides whether a request may go where the plugin wants it to go. It looks at the URL only; the address behind
// the host is checked again when the socket is made, and once more before each sending on a kept connection.

import BerthModel
import BerthSeams
import CCurl

/// What the guard knows of a connection's base URL; kept per connection, parsed once.
struct EgressGuard {
    /// Without trailing slash.
    let base: String
    let origin: Origin
    let approval: EgressPolicy.Approval
    let allowedHosts: [String]
    /// The workspace's, by which sockets are judged as well.
    let policy: EgressPolicy

    /// Reads a target's addresses. Fails when the base URL is not usable.
    static func make(for target: OutboundTarget, policy: EgressPolicy) -> Result<EgressGuard, AttemptFailure> {
        let base = target.baseURL.hasSuffix("/") ? String(target.baseURL.dropLast()) : target.baseURL
        func refused(_ reason: String) -> Result<EgressGuard, AttemptFailure> {
            .failure(AttemptFailure(.denied, "base_url '\(base)' of \(target.connection) cannot be used: \(reason)"))
        }
        if let problem = BaseURL.problem(base) { return refused("it \(problem)") }
        let url: ParsedURL
        switch ParsedURL.parse(base) {
        case .success(let parsed): url = parsed
        case .failure(let problem): return refused(problem.reason)
        }
        switch Origin.of(url) {
        case .failure(let refusal): return refused(refusal.reason)
        case .success(let origin):
            var approval = EgressPolicy.Approval.none
            switch BaseURLTemplate.compare(base, with: target.http.baseURL) {
            case .filled: break
            case .tampered: return refused("a setting put into the manifest's base_url holds characters that host names do not have")
            case .own:
                if policy.allowsPrivateBaseURL { approval = PeerAddress(origin.host).map { .literal($0) } ?? .name }
            }
            return .success(
                EgressGuard(base: base, origin: origin, approval: approval, allowedHosts: target.http.allowedHosts, policy: policy))
        }
    }

    /// The checked URL of a request and what was approved for its host.
    func resolve(_ text: String) -> Result<(url: ParsedURL, origin: Origin, approval: EgressPolicy.Approval), AttemptFailure> {
        func refused(_ reason: String) -> AttemptFailure { AttemptFailure(.denied, "request URL refused: \(reason)") }
        guard !text.utf8.contains(where: { $0 <= 32 || $0 == 127 || $0 == UInt8(ascii: "\\") }) else {
            return .failure(refused("it holds a space, a control character or a backslash; encode them"))
        }
        guard text.utf8.count <= 16_384 else { return .failure(refused("it is longer than 16 KiB")) }
        let isRelative = text.hasPrefix("/") || text.hasPrefix("?") || text.isEmpty
        let url: ParsedURL
        switch ParsedURL.parse(isRelative ? base + text : text) {
        case .success(let parsed): url = parsed
        case .failure(let problem):
            return .failure(refused(isRelative ? problem.reason : "\(problem.reason); give '/path' below base_url or an absolute URL"))
        }
        switch Origin.of(url) {
        case .failure(let refusal): return .failure(refused(refusal.reason))
        case .success(let found):
            let isBase = found == origin
            if let reason = policy.refusal(of: found, approval: isBase ? approval : .none) { return .failure(refused(reason)) }
            if isBase { return .success((url, found, approval)) }
            guard found.scheme == "https" || origin.scheme == "http" else {
                return .failure(refused("http is allowed only where base_url is http"))
            }
            guard allowedHosts.contains(where: found.matches) else {
                return .failure(
                    refused("\(found.host):\(found.port) is neither the connection's base_url nor in the manifest's allowed_hosts"))
            }
            return .success((url, found, .none))
        }
    }
}

/// Tells a base URL that fills in the manifest's from one that the operator gave himself.
enum BaseURLTemplate {
    enum Match { case filled, tampered, own }

    /// `template` as in `https://{subdomain}.trackdrive.com`; values may be letters, digits, `-`, `_` and `.`.
    static func compare(_ base: String, with template: String?) -> Match {
        guard let template else { return .own }
        if base == template || base + "/" == template { return .filled }
        var pieces: [Substring] = []
        var rest = template[...]
        while let open = rest.firstIndex(of: "{"), let close = rest[open...].firstIndex(of: "}") {
            pieces.append(rest[..<open])
            rest = rest[rest.index(after: close)...]
        }
        guard let head = pieces.first else { return .own }
        pieces.append(rest.hasSuffix("/") ? rest.dropLast() : rest)
        // A text that begins and ends like the template was meant as the template: then each value must be harmless.
        guard base.hasPrefix(head), base.hasSuffix(pieces[pieces.count - 1]) else { return .own }
        return fills(base.dropFirst(head.count), pieces.dropFirst()) ? .filled : .tampered
    }

    private static func fills(_ text: Substring, _ pieces: ArraySlice<Substring>) -> Bool {
        guard let piece = pieces.first else { return text.isEmpty }
        var value = 0
        for byte in text.utf8 {
            guard isHarmless(byte) else { break }
            value += 1
            let after = text.dropFirst(value)
            if after.hasPrefix(piece), fills(after.dropFirst(piece.count), pieces.dropFirst()) { return true }
        }
        return false
    }

    private static func isHarmless(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"): true
        case UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."): true
        default: false
        }
    }
}
