// The authorization server on the wire: lets token faults strike before, during and after a token request. What a request does to
// grants is the server's part.

import HTTPTypes
import Hummingbird
import NIOCore

/// Answers everything below `/oauth` and `/.well-known`.
struct TokenEndpoint: Sendable {
    let server: AuthorizationServer
    let faults: FaultBoard

    func respond(to request: APIRequest, channel: any Channel) async throws -> Response {
        guard request.path == "/oauth/token" else { return FaultyResponse.plain(await server.answer(request)) }
        guard request.method == "POST" else { return FaultyResponse.plain(Reply(status: 405, headers: [("Allow", "POST")])) }
        let drawn = faults.drawForToken()
        let number = await server.tokenRequestBegan()
        if let response = try await instead(drawn, number, request, channel) {
            await server.tokenRequestEnded(number, isReset: false)
            return response
        }
        var twist = AuthorizationServer.TokenTwist()
        twist.hasWrongType = drawn[.tokenWrongType] != nil
        twist.hasWrongScope = drawn[.tokenWrongScope] != nil
        twist.isForOtherAccount = drawn[.tokenOtherAccount] != nil
        var reply = await server.token(request, number: number, twist: twist, faults: drawn.keys.map(\.rawValue).sorted())
        if drawn[.tokenTruncated] != nil { reply.body = Array(reply.body.prefix(reply.body.count / 2)) }
        if let seconds = drawn[.tokenSlow] {
            do {
                try await Task.sleep(for: .seconds(seconds))
            } catch {
                await server.tokenRequestEnded(number, isReset: true)
                throw error
            }
        }
        if drawn[.tokenResetAfter] != nil {
            await server.tokenRequestEnded(number, isReset: true)
            return try await reset(channel)
        }
        await server.tokenRequestEnded(number, isReset: false)
        guard let pause = drawn[.tokenDrip] else { return FaultyResponse.plain(reply) }
        return FaultyResponse.dripping(reply, pause: .seconds(pause))
    }

    // Faults that answer before anything is issued or spent.
    private func instead(
        _ drawn: [FaultKind: Double], _ number: Int, _ request: APIRequest, _ channel: any Channel
    ) async throws -> Response? {
        for (kind, parameter) in drawn.sorted(by: { $0.key.rawValue < $1.key.rawValue }) {
            let response: Response
            switch kind {
            case .tokenHTML:
                response = FaultyResponse.plain(
                    .text(200, "<!DOCTYPE html><html><body>Please sign in</body></html>", type: "text/html; charset=utf-8"))
            case .token500: response = FaultyResponse.plain(.empty(500))
            case .tokenEmpty: response = FaultyResponse.plain(.empty(200))
            case .token429: response = FaultyResponse.plain(Reply(status: 429, headers: [("Retry-After", String(Int(parameter)))]))
            case .tokenError200:
                var reply = OAuthFailure(code: "bad_refresh_token", text: "The refresh token passed is incorrect or expired.").reply
                reply.status = 200
                response = FaultyResponse.plain(reply)
            case .tokenInvalidGrant: response = FaultyResponse.plain(OAuthFailure.invalidGrant("Token has been expired or revoked.").reply)
            case .tokenInvalidClient:
                response = FaultyResponse.plain(OAuthFailure.invalidClient("client is disabled", usedBasic: false).reply)
            case .tokenHugeBody: response = FaultyResponse.instead([.hugeBody], host: request.host) ?? FaultyResponse.plain(.empty(500))
            case .tokenGzipBomb: response = FaultyResponse.instead([.gzipBomb], host: request.host) ?? FaultyResponse.plain(.empty(500))
            case .tokenRedirect:
                response = FaultyResponse.instead([.redirectLoopback], host: request.host) ?? FaultyResponse.plain(.empty(500))
            case .tokenReset:
                await server.note(number, fault: kind.rawValue, status: 0, request: request)
                return try await reset(channel)
            default: continue
            }
            await server.note(number, fault: kind.rawValue, status: Int(response.status.code), request: request)
            return response
        }
        return nil
    }

    // The response is never sent: its connection is gone.
    private func reset(_ channel: any Channel) async throws -> Response {
        try await FaultyResponse.reset(channel)
        return FaultyResponse.plain(.empty(500))
    }
}
