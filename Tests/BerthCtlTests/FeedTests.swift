// The feed follows a daemon over its restarts.

import Foundation
import Synchronization
import Testing

extension Ctl {
    @Suite struct FeedTests {
        private static let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"

        private static func chunk(_ text: String) -> String { String(text.utf8.count, radix: 16) + "\r\n" + text + "\r\n" }

        private static func event(_ id: Int) -> String {
            "id: \(id)\nevent: record.created\ndata: {\"at\":\"t\",\"external_id\":\"x\(id)\"}\n\n"
        }

        @Test func itGoesOnAfterTheLastIdWhereTheConnectionBreaks() async throws {
            // Would break: gaps and doubles over a restart, also before the first event.
            let turn = Mutex(0)
            let daemon = try ScriptedDaemon { _ in
                let number = turn.withLock { turn -> Int in
                    turn += 1
                    return turn
                }
                switch number {
                case 1: return Self.head + Self.chunk(": berth\n\n") + Self.chunk("id: 40\n\n")
                case 2: return Self.head + Self.chunk(Self.event(41) + "id: 42\neve")
                case 3:
                    return Self.head + Self.chunk(": \n\n" + Self.event(42)) + Self.chunk(String(Self.event(43).prefix(9))) + "0\r\n\r\n"
                default: return Self.head + Self.chunk(Self.event(43)) + "0\r\n\r\n"
                }
            }
            let result = try await Berthctl.run(["feed", "--count", "3", "--output", "json"], socket: daemon.path)
            #expect(result.status == 0, "\(result.errors)")
            let ids = try result.lines.dropLast().map {
                try #require((JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any])?["feed_id"] as? Int)
            }
            #expect(ids == [41, 42, 43])
            #expect(daemon.requests.map { $0.headers["last-event-id"] } == [nil, "40", "41", "42"])
        }

        @Test func aGapIsShownAndIsNoNotice() async throws {
            // Would break: a script that takes the gap for the notice it waits for, or never hears of it.
            let gap = "id: 20\nevent: feed.gap\ndata: {\"asked\":5,\"missed\":15,\"position\":20}\n\n"
            let daemon = try ScriptedDaemon { _ in Self.head + Self.chunk("id: 5\n\n" + gap + Self.event(21)) + "0\r\n\r\n" }
            let result = try await Berthctl.run(["feed", "--after", "5", "--count", "1"], socket: daemon.path)
            #expect(result.lines.count == 3 && result.lines[0].contains("feed.gap  asked=5 missed=15"), "\(result)")
            #expect(result.lines[1].contains("external_id=x21"))
        }

        @Test func aRefusalEndsIt() async throws {
            // Would break: reconnecting for ever to a daemon that says no.
            let daemon = try ScriptedDaemon { _ in ScriptedDaemon.problem(400, "topic is unknown") }
            let result = try await Berthctl.run(["feed", "--topic", "x"], socket: daemon.path)
            #expect(result.status == 65 && result.errors.contains("topic is unknown"))
            #expect(daemon.requests.count == 1)
        }

        @Test func linesForPeopleHoldNothingHarmful() async throws {
            // Would break: a provider's text that steers the terminal.
            let daemon = try ScriptedDaemon { _ in
                Self.head + Self.chunk("id: 1\nevent: a\\u001b\ndata: {\"at\":\"t\",\"name\":\"\\u001b[2J\\u009bx\"}\n\n") + "0\r\n\r\n"
            }
            let result = try await Berthctl.run(["feed", "--count", "1"], socket: daemon.path)
            #expect(result.output.contains("name=") && !result.output.contains("\u{1B}") && !result.output.contains("\u{9B}"))
        }
    }
}
