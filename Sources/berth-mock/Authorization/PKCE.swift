// RFC 7636, S256 only.

import Crypto
import FoundationEssentials

/// Proof key for code exchange.
enum PKCE {
    /// BASE64URL(SHA256(verifier)) without padding.
    static func challenge(of verifier: String) -> String {
        base64(Array(SHA256.hash(data: Data(verifier.utf8)))).replacing("+", with: "-").replacing("/", with: "_").replacing("=", with: "")
    }

    /// 43 to 128 unreserved characters; verifiers and challenges alike.
    static func isWellFormed(_ text: String) -> Bool {
        (43...128).contains(text.utf8.count) && percentEncoded(text) == text
    }
}
