// What readers find of connections while several commits become known in another order than they were made.

import BerthModel
import BerthSeams
import Synchronization
import Testing

@testable import BerthEngine

@Suite struct ConnectionDirectoryTests {
    private static let rules = ConnectionWebhook(scheme: .token)

    // Without the order of commits the end of a sync could make a disconnected connection active again, in memory alone.
    @Test func aLateVersionIsNotTaken() throws {
        let directory = ConnectionDirectory()
        var connection = try IntakeBed.connection(Self.rules, number: 1)
        directory.insert(connection, revision: 1)
        connection.status = .disconnected
        directory.take(ConnectionVersion(connection, revision: 3))
        connection.status = .active
        directory.take(ConnectionVersion(connection, revision: 2))
        #expect(directory.connection(connection.id)?.status == .disconnected)
        directory.take(ConnectionVersion(connection, revision: 4))
        #expect(directory.connection(connection.id)?.status == .active)
        directory.remove(connection.id)
        directory.take(ConnectionVersion(connection, revision: 5))
        #expect(directory.connection(connection.id) == nil)
    }

    // Without a new entry deliveries would go on being judged by keys that the late change has replaced.
    @Test func alsoALateVersionHasKeysReadAnew() throws {
        let directory = ConnectionDirectory()
        let connection = try IntakeBed.connection(Self.rules, number: 1)
        directory.insert(connection, revision: 2)
        let before = try #require(directory.entry(provider: "ringba", connection: connection.name))
        before.policy.withLock { $0 = WebhookPolicy(keys: [], allowIPs: []) }
        directory.take(ConnectionVersion(connection, revision: 1))
        let after = try #require(directory.entry(provider: "ringba", connection: connection.name))
        #expect(after.policy.withLock { $0 == nil } && after.revision == 2)
    }

    // Without all of a name's connections a delivery could not be told to be one's by its key.
    @Test func aNameOfTwoWorkspacesHasTwo() throws {
        let directory = ConnectionDirectory()
        let one = try IntakeBed.connection(Self.rules, number: 1)
        let other = try IntakeBed.connection(Self.rules, number: 2, workspace: "other")
        directory.insert(one)
        directory.insert(other)
        #expect(directory.entry(provider: "ringba", connection: one.name) == nil)
        #expect(Set(directory.entries(provider: "ringba", connection: one.name).map(\.connection.id)) == [one.id, other.id])
        #expect(directory.entry(provider: "ringba", connection: other.id.description)?.connection.workspace == other.workspace)
        #expect(directory.entries(provider: "ringba", connection: nil).isEmpty)
    }
}
