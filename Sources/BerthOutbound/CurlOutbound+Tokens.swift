// Waiting for an access token no longer than the request itself may last. A token request has more time than a request: it must not
// be cut short, because the provider may have spent the refresh token. It goes on for those who come later; who waits for it does not.

import BerthModel
import BerthSeams

extension CurlOutbound {
    /// A token, or why there is none by `deadline`. Ends early when the task is cancelled or the broker closes.
    func token(
        of connection: ConnectionID, _ spec: CredentialSpec, from tokens: any AccessTokenSource, by deadline: Monotonic
    ) async -> Result<AccessToken, AttemptFailure> {
        let id = takeID()
        let begun = Monotonic.now()
        let timer = loop.schedule(at: deadline) {
            let seconds = (Double(Monotonic.now() - begun) / 1e8).rounded() / 10
            self.endTokenWait(
                id,
                .failure(
                    AttemptFailure(
                        .timeout,
                        "no token for \(connection): the token endpoint has not answered for \(seconds) s (it is still waited for; what came of it "
                            + "will stand in berthctl connection show)")))
        }
        defer { loop.unschedule(timer) }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                tokenWaits[id] = continuation
                if isClosed { return endTokenWait(id, .failure(Self.closing)) }
                if Task.isCancelled { return endTokenWait(id, .failure(Self.tokenCancelled)) }
                Task { self.endTokenWait(id, await tokens.token(of: connection, spec)) }
            }
        } onCancel: {
            Task { await self.endTokenWait(id, .failure(Self.tokenCancelled)) }
        }
    }

    /// Tells the keeper of tokens what an answer says of one; whether it was refused.
    func tell(
        _ ending: RetryPolicy.Ending, of token: AccessToken, _ spec: CredentialSpec, _ connection: ConnectionID
    ) async -> Bool {
        guard case .answered(let status, _) = ending else { return false }
        if status == 401 {
            await tokens?.refused(token, of: connection)
            return true
        }
        // Once per token; what else is refused says nothing of it.
        guard status < 400, let opened = connections[connection]?.credentials[spec], opened.token?.serial == token.serial, !opened.isProven
        else { return false }
        connections[connection]?.credentials[spec]?.isProven = true
        await tokens?.accepted(token, of: connection)
        return false
    }

    private static let tokenCancelled = AttemptFailure(.cancelled, "cancelled while waiting for a token")

    func endTokenWait(_ id: UInt64, _ result: Result<AccessToken, AttemptFailure>) {
        tokenWaits.removeValue(forKey: id)?.resume(returning: result)
    }
}
