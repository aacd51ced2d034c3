// The desk with processes that do not end as they should.

import BerthModel
import BerthSeams
import Foundation
import Testing

@testable import BerthGrants

@Suite struct ExchangeDeskTests {
    // Without it a disk that is slow for seconds costs the answer that has just come, and with it a rotated grant.
    @Test func whatAStuckProcessWroteIsTaken() async throws {
        let bed = try await GrantBed.start()
        let connection = try await bed.connection(refreshToken: "unused")
        let reply = bed.folder + "/late/\(connection).reply"
        let program = bed.folder + "/late-exchange"
        try Data("#!/bin/sh\n'\(GrantBed.daemon)' exchange-token\nmv '\(reply)' '\(reply).part'\nexec sleep 1000\n".utf8)
            .write(to: URL(fileURLWithPath: program))
        try FileManager.default.setAttributes([.posixPermissions: 0o700], ofItemAtPath: program)
        let desk = try ExchangeDesk(
            folder: bed.folder + "/late", program: program,
            egress: { _ in ExchangeEgress(privateNetworks: ["127.0.0.0/8"]) }, userAgent: "test")
        let oauth = try #require(bed.spec.oauth)
        let key = Secret(copying: [UInt8](repeating: 7, count: 32))
        let answer = try await desk.exchange(
            TokenRequest(oauth.tokenURL, [("grant_type", "unknown")], .init(id: "nobody"), oauth), of: connection, key: key,
            basis: [1], isOwnAddress: true, timeoutSeconds: 2
        ).get()
        #expect((400...401).contains(answer.status))
        guard case .answer(let kept) = try await desk.interrupted(connection, key: key, url: oauth.tokenURL).get() else {
            Issue.record("the answer has no name")
            return
        }
        #expect(kept.status == answer.status && kept.basis == [1])
        await bed.stop()
    }
}
