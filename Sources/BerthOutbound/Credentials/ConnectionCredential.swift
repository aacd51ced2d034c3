// A connection's opened credential and how it gets into a request. Plugins never see it.

import BerthModel
import BerthSeams

/// Opened secrets of one connection, by where they go.
struct ConnectionCredential {
    private var placed: [(place: CredentialSpec.Placement.Place, secret: Secret)] = []
    private var basic: (username: Secret, password: Secret)?
    let mask: SecretMask

    /// Reads all fields; a failure names the missing one.
    static func load(
        _ spec: CredentialSpec, of connection: ConnectionID, from secrets: any SecretStore
    ) async -> Result<ConnectionCredential, AttemptFailure> {
        var found: [String: Secret] = [:]
        for field in spec.fields where found[field] == nil {
            do {
                guard let secret = try await secrets.secret(.credential(field: field), of: connection) else {
                    return .failure(
                        AttemptFailure(
                            .authDenied, "connection \(connection) has no secret '\(field)': set its \(spec.kind.rawValue) credential"))
                }
                found[field] = secret
            } catch {
                return .failure(AttemptFailure(.authDenied, "the secret '\(field)' of connection \(connection) cannot be opened: \(error)"))
            }
        }
        return .success(ConnectionCredential(spec, found))
    }

    /// Of an OAuth kind: the token goes wherever the placements say, whatever the field's name.
    init(_ spec: CredentialSpec, token: Secret) {
        self.init(spec, Dictionary(spec.placements.map { ($0.field, token) }, uniquingKeysWith: { first, _ in first }))
    }

    private init(_ spec: CredentialSpec, _ found: [String: Secret]) {
        if spec.kind == .basic, let username = found["username"], let password = found["password"] {
            basic = (username, password)
        }
        for placement in spec.placements {
            if let secret = found[placement.field] { placed.append((placement.place, secret)) }
        }
        var secrets = found.filter { $0.key != "username" }.map(\.value)
        // Of a short password there is no base64 but with its name.
        if let basic { secrets.append(Self.pair(basic)) }
        mask = SecretMask(secrets, names: [found["username"]].compactMap { $0 })
    }

    /// Lower-case names of the headers it sets; the plugin's own of that name are dropped.
    var headerNames: Set<String> {
        var names: Set<String> = basic == nil ? [] : ["authorization"]
        for (place, _) in placed {
            switch place {
            case .authorization: names.insert("authorization")
            case .header(let name): names.insert(name.lowercased())
            case .query: break
            }
        }
        return names
    }

    /// Adds its headers; false when a value holds a byte that would end the header line.
    func addHeaders(to list: HeaderList) -> Bool {
        if let basic, !list.add("Authorization: Basic ", Self.basicValue(basic)) { return false }
        for (place, secret) in placed {
            switch place {
            case .authorization(let scheme):
                guard list.add(scheme.isEmpty ? "Authorization: " : "Authorization: \(scheme) ", secret) else { return false }
            case .header(let name): guard list.add("\(name): ", secret) else { return false }
            case .query: break
            }
        }
        return true
    }

    /// Puts its query parameters into the URL. A parameter of the same name that is there already is replaced: a
    /// plugin that follows a link of the provider passes back the masked value. False when libcurl refuses.
    func addQuery(to url: ParsedURL) -> Bool {
        for (place, secret) in placed {
            guard case .query(let name) = place else { continue }
            guard QueryCredential.put(name, secret, into: url) else { return false }
        }
        return true
    }

    private static func pair(_ basic: (username: Secret, password: Secret)) -> Secret {
        basic.username.withBytes { username in
            basic.password.withBytes { Secret(copying: Array(username) + [UInt8(ascii: ":")] + Array($0)) }
        }
    }

    /// Base64 of `username:password`.
    private static func basicValue(_ basic: (username: Secret, password: Secret)) -> Secret {
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
        let length = basic.username.count + 1 + basic.password.count
        let encoded = (length + 2) / 3 * 4
        return withUnsafeTemporaryAllocation(byteCount: length + 2 + encoded, alignment: 1) { buffer in
            defer { wipe(buffer) }
            for index in buffer.indices { buffer[index] = 0 }
            basic.username.withBytes { for (index, byte) in $0.enumerated() { buffer[index] = byte } }
            buffer[basic.username.count] = UInt8(ascii: ":")
            basic.password.withBytes { for (index, byte) in $0.enumerated() { buffer[basic.username.count + 1 + index] = byte } }
            let out = UnsafeMutableRawBufferPointer(rebasing: buffer[(length + 2)...])
            for group in 0..<encoded / 4 {
                let three = UInt32(buffer[group * 3]) << 16 | UInt32(buffer[group * 3 + 1]) << 8 | UInt32(buffer[group * 3 + 2])
                for digit in 0..<4 {
                    let isPadding = group * 3 + digit > length
                    out[group * 4 + digit] = isPadding ? UInt8(ascii: "=") : alphabet[Int(three >> UInt32(18 - 6 * digit) & 63)]
                }
            }
            return Secret(copying: out)
        }
    }
}
