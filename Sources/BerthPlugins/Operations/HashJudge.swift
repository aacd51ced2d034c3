// berth.signature/1: keyed hashes with a connection's webhook keys, which never leave the daemon.

import BerthModel
import BerthSeams
import Crypto
import Logging

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// Judges keyed hashes.
struct HashJudge: Sendable {
    let secrets: any SecretStore
    let logger: Logger

    /// ABI status: ok when `expected` is the hash of `message` under the current key or the one before; compared in constant time.
    func judge(algorithm: UInt32, message: [UInt8], expected: [UInt8], of connection: ConnectionID) async -> Int32 {
        var matches = false
        for index in 0...1 {
            do {
                guard let secret = try await secrets.secret(.webhook(index: index), of: connection) else { continue }
                let key = secret.withBytes { SymmetricKey(data: $0) }
                if Self.matches(algorithm, message, expected, key) { matches = true }
            } catch {
                logger.error("webhook key not readable", metadata: ["connection": "\(connection)", "error": "\(error)"])
                return ABIStatus.internal
            }
        }
        return matches ? ABIStatus.ok : ABIStatus.authDenied
    }

    private static func matches(_ algorithm: UInt32, _ message: [UInt8], _ expected: [UInt8], _ key: SymmetricKey) -> Bool {
        switch algorithm {
        case 1: HMAC<Insecure.SHA1>.isValidAuthenticationCode(expected, authenticating: message, using: key)
        case 2: HMAC<SHA256>.isValidAuthenticationCode(expected, authenticating: message, using: key)
        case 3: HMAC<SHA512>.isValidAuthenticationCode(expected, authenticating: message, using: key)
        default: false
        }
    }
}
