// Answers of token requests that are on the disk and not in the store: the daemon died, or the store failed for a moment. What such a
// request spent may not be sent again, or the provider ends the grant: whoever is about to ask for tokens looks here first.

import BerthModel
import BerthSeams
import Logging

/// What became of an answer nobody had taken.
enum InterruptedAnswer {
    case nothing
    /// Stored.
    case taken(StoredGrant)
    /// The provider's no; its file is gone.
    case refused(GrantFailure)
}

extension GrantKeeper {
    /// In a turn: takes the answer that is on the disk, waiting for a request that still runs. Throws when it is there and can't be taken
    /// now: then no token may be asked for.
    func interrupted(
        _ connection: ConnectionID, _ spec: CredentialSpec, _ oauth: OAuthSpec, _ key: Secret
    ) async throws(GrantFailure) -> InterruptedAnswer {
        guard let left = try await left(connection, spec, oauth, key) else { return .nothing }
        let old = left.isConsent ? try await replaceable(connection) : nil
        let grant: StoredGrant
        do throws(GrantFailure) {
            grant = try await take(left.reply, over: left.before, connection, spec, isConsent: left.isConsent)
        } catch {
            guard desk.isSettled(connection) else { throw error }
            // What was refused to somebody who consented ends nothing that was there before.
            return left.isConsent ? .nothing : .refused(error)
        }
        if left.isConsent { await consented(over: old, grant, connection, spec) }
        logger.notice("took the answer of an interrupted token request", metadata: ["connection": "\(connection)"])
        await announce(left.isConsent ? .connected(connection, account: grant.account) : .renewed(connection))
        return .taken(grant)
    }

    /// What a consent's exchange is known by: its code is worth nothing afterwards, and its answer is the newest there is.
    static let consentBasis = Array("consent".utf8)

    /// The answer and the grant whose token its request spent, or which a consent takes the place of. One that belongs to neither the
    /// stored grant nor the given refresh token is deleted: it was stored before.
    func left(
        _ connection: ConnectionID, _ spec: CredentialSpec, _ oauth: OAuthSpec, _ key: Secret
    ) async throws(GrantFailure) -> (reply: ExchangeReply, before: StoredGrant, isConsent: Bool)? {
        let reply: ExchangeReply
        switch try await desk.interrupted(connection, key: key, url: oauth.tokenURL).get() {
        case .nothing: return nil
        case .answer(let found): reply = found
        case .unreadable:
            logger.warning("an answer that nobody can read is deleted", metadata: ["connection": "\(connection)"])
            desk.settled(connection)
            return nil
        }
        if reply.status > 0 {
            if reply.basis == Self.consentBasis, spec.kind == .authorizationCode {
                return (reply, beforeConsent(try await replaceable(connection)), true)
            }
            if let stored = try await load(connection), reply.basis == Self.basis(stored.refreshToken ?? stored.accessToken) {
                return (reply, stored, false)
            }
            if let first = try await optional(.credential(field: "refresh_token"), connection), reply.basis == Self.basis(first) {
                let empty = Secret(copying: [UInt8]())
                return (
                    reply, StoredGrant(accessToken: empty, refreshToken: first, given: Self.given(first), obtainedAt: clock.now()), false
                )
            }
        }
        desk.settled(connection)
        return nil
    }

    /// Nothing of the old grant is kept but whose it was: what is stored of one account may not be mixed with another's.
    func beforeConsent(_ old: StoredGrant?) -> StoredGrant {
        StoredGrant(accessToken: Secret(copying: [UInt8]()), account: old?.account, obtainedAt: clock.now())
    }
}
