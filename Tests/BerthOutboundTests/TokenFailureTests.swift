// Who has no token is known to those who ask how the daemon is.

import BerthModel
import BerthSeams
import Logging
import Synchronization
import Testing

@testable import BerthOutbound

/// Gives a token, or says why there is none.
private final class ScriptedTokens: AccessTokenSource {
    let trouble = Mutex<String?>(nil)
    func token(of connection: ConnectionID, _ spec: CredentialSpec) async -> Result<AccessToken, AttemptFailure> {
        if let reason = trouble.withLock({ $0 }) { return .failure(AttemptFailure(.remoteDown, reason)) }
        return .success(AccessToken(secret: Secret(copying: Array("s3cret-token".utf8)), type: "Bearer", serial: 1))
    }
    func refused(_ token: AccessToken, of connection: ConnectionID) async {}
    func accepted(_ token: AccessToken, of connection: ConnectionID) async {}
    func forget(_ connection: ConnectionID) async {}
}

@Suite struct TokenFailureTests {
    @Test func aConnectionWithoutATokenIsNamedUntilItHasOne() async throws {
        // Without it health is well and the connection active while its token endpoint refuses every connection.
        let server = try ScriptedServer { peer, _, _ in peer.answer(200) }
        let tokens = ScriptedTokens()
        let broker = try CurlOutbound(
            secrets: MemorySecrets([:]), clock: SystemTime(), entropy: SystemBits(), logger: Logger(label: "test"), tokens: tokens)
        let spec = CredentialSpec(kind: .refreshToken, placements: [], oauth: OAuthSpec(tokenURL: "https://a.example/token"))
        let target = target(server.url, credential: spec)
        tokens.trouble.withLock { $0 = "the token endpoint refuses connections" }
        #expect(await broker.send(get("/x"), for: target).failure?.status == .remoteDown)
        #expect(await broker.tokenFailures() == [target.connection: "the token endpoint refuses connections"])
        tokens.trouble.withLock { $0 = nil }
        #expect(await broker.send(get("/x"), for: target).response?.status == 200)
        #expect(await broker.tokenFailures().isEmpty)
        await broker.close()
        server.stop()
    }
}
