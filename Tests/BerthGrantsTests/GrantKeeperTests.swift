// Against the mock's authorization server and the real exchange process: how many token requests there are, whoever asks.

import BerthGrants
import BerthModel
import BerthSeams
import Foundation
import Logging
import Synchronization
import Testing

@Suite(.serialized) struct GrantKeeperTests {
    // Without single flight every caller that finds an expired token would spend the refresh token once more, and the
    // provider would end the grant.
    @Test func tenThousandCallersMakeOneRequest() async throws {
        let bed = try await GrantBed.start()
        let grant = try await bed.mock.issue()
        let connection = try await bed.connection(refreshToken: grant)
        let tokens = await withTaskGroup(of: AccessToken?.self) { group in
            for _ in 0..<10_000 { group.addTask { try? await bed.keeper.token(of: connection, bed.spec).get() } }  // nil: counted below
            return await group.reduce(into: [AccessToken?]()) { $0.append($1) }
        }
        #expect(tokens.count == 10_000 && tokens.allSatisfy { $0 != nil })
        #expect(Set(tokens.compactMap { $0?.serial }).count == 1)
        #expect(try await bed.mock.tokenRequests() == 1)
        await bed.stop()
    }

    // Without this a cancelled caller would take the renewal of all others with it.
    @Test func aCancelledCallerCancelsNobodyElse() async throws {
        let bed = try await GrantBed.start()
        let connection = try await bed.connection(refreshToken: try await bed.mock.issue())
        let first = Task { await bed.keeper.token(of: connection, bed.spec) }
        let second = Task { await bed.keeper.token(of: connection, bed.spec) }
        first.cancel()
        let result = await second.value
        #expect(throws: Never.self) { _ = try result.get() }
        #expect(try await bed.mock.tokenRequests() == 1)
        await bed.stop()
    }

    // Without this a provider that refuses every token would be asked for a new one by every request.
    @Test func refusalsDoNotHammerTheTokenEndpoint() async throws {
        let bed = try await GrantBed.start()
        let connection = try await bed.connection(refreshToken: try await bed.mock.issue())
        for _ in 0..<50 {
            let token = try await bed.keeper.token(of: connection, bed.spec).get()
            await bed.keeper.refused(token, of: connection)
        }
        #expect(try await bed.mock.tokenRequests() == 2)
        await bed.stop()
    }

    // Without this a failing token endpoint would be asked as often as requests are made.
    @Test func failuresAreHeldBack() async throws {
        let bed = try await GrantBed.start()
        let connection = try await bed.connection(refreshToken: try await bed.mock.issue())
        try await bed.mock.fault("token-500")
        for _ in 0..<200 {
            guard case .failure(let failure) = await bed.keeper.token(of: connection, bed.spec) else {
                Issue.record("a token from an endpoint that fails")
                return
            }
            #expect(failure.status == .authExpired && (failure.retryAfterMilliseconds ?? 0) > 0)
        }
        #expect(try await bed.mock.tokenRequests() <= 2)
        await bed.stop()
    }

    // Without this tokens would be readable by whoever reads the database, or lost when the process ends.
    @Test func tokensLeaveMemoryOnlySealedAndComeBack() async throws {
        let bed = try await GrantBed.start()
        let connection = try await bed.connection(refreshToken: try await bed.mock.issue())
        let before = try await bed.keeper.token(of: connection, bed.spec).get()
        let again = bed.anotherKeeper()
        let after = try await again.token(of: connection, bed.spec).get()
        #expect(before.secret.withBytes { Array($0) } == after.secret.withBytes { Array($0) })
        #expect(try await bed.mock.tokenRequests() == 1)
        let left = try FileManager.default.contentsOfDirectory(atPath: bed.folder + "/grants").filter { !$0.hasSuffix(".lock") }
        #expect(left.isEmpty, "an answer stayed on disk: \(left)")
        await bed.stop()
    }

    // Without this a connection that is being removed, or was disconnected, gets tokens that nobody will ever give back.
    @Test func aClosedGrantGivesNothingUntilItIsOpened() async throws {
        let bed = try await GrantBed.start()
        let connection = try await bed.connection(refreshToken: try await bed.mock.issue())
        _ = try await bed.keeper.token(of: connection, bed.spec).get()
        let fresh = try await bed.connection(refreshToken: try await bed.mock.issue())
        // Two ways to an end; one has a token in memory, one has never asked.
        await bed.keeper.close(fresh)
        #expect(await bed.keeper.end(connection, bed.spec) == nil)
        for ended in [connection, fresh] {
            let answers = await [bed.keeper.token(of: ended, bed.spec), bed.keeper.token(of: ended, bed.spec)]
            for case .success in answers { Issue.record("a token of a grant that has ended") }
        }
        #expect(try await bed.mock.tokenRequests() == 1)
        await bed.keeper.open(fresh)
        _ = try await bed.keeper.token(of: fresh, bed.spec).get()
        #expect(try await bed.mock.tokenRequests() == 2)
        await bed.stop()
    }
}
