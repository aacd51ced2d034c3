// What is shown: tables, JSON, nothing harmful, no escape sequences outside a terminal.

import Foundation
import Testing

extension Ctl {
    @Suite struct OutputTests {
        private let list = """
            {"items":[{"id":"con_1","provider":"ringba","name":"main","workspace":"acme","status":"active","failures":0,"streams":{}},\
            {"id":"con_22","provider":"retreaver","name":"a\\u001b[31mred\\u202eb","workspace":"acme","status":"error","failures":3,\
            "last_error":"HTML\\nline","streams":{}}],"next":"c2"}
            """

        @Test func tablesLineUpAndHoldNothingHarmful() async throws {
            // Would break: columns, and a provider's text that steers the terminal.
            let list = list
            let daemon = try ScriptedDaemon { _ in ScriptedDaemon.json(list) }
            let result = try await Berthctl.run(["connection", "list"], socket: daemon.path)
            #expect(result.status == 0, "\(result.errors)")
            let lines = result.lines
            #expect(lines[0].hasPrefix("ID"))
            let column = try #require(lines[0].range(of: "PROVIDER")).lowerBound
            let offset = lines[0].distance(from: lines[0].startIndex, to: column)
            #expect(lines[1].dropFirst(offset).hasPrefix("ringba") && lines[2].dropFirst(offset).hasPrefix("retreaver"))
            #expect(!result.output.contains("\u{1B}") && !result.output.contains("\u{202E}"))
            #expect(result.output.contains("more: --cursor c2"))
            #expect(daemon.requests.map(\.target) == ["/v1/connections"])
        }

        @Test func aWebhookAddressThatNobodyCanCallIsToldOf() async throws {
            // Would break: http://0.0.0.0 pasted at a provider, whose webhooks then never come.
            for (url, isTold) in [("http://0.0.0.0:8700/w", true), ("http://[::]:8700/w", true), ("https://hooks.example.com/w", false)] {
                let daemon = try ScriptedDaemon { _ in ScriptedDaemon.json("{\"id\":\"con_1\",\"webhook\":{\"url\":\"\(url)\"}}") }
                let result = try await Berthctl.run(["connection", "add", "ringba", "--output", "json"], socket: daemon.path)
                #expect(result.status == 0 && result.errors.contains("[server] public_url") == isTold, "\(result)")
            }
        }

        @Test func optionsMayStandBeforeTheNoun() async throws {
            // Would break: scripts that say `berthctl --socket PATH NOUN VERB`.
            let list = list
            let daemon = try ScriptedDaemon { _ in ScriptedDaemon.json(list) }
            for arguments in [
                ["--socket", daemon.path, "--output", "json"], ["--output=json", "--socket=\(daemon.path)"],
                ["-o", "json", "--socket", daemon.path],
            ] {
                let result = try await Berthctl.run(arguments + ["connection", "list"], socket: nil)
                #expect(result.status == 0, "\(result.errors)")
                #expect(try JSONSerialization.jsonObject(with: Data(result.output.utf8)) is [String: Any])
            }
            #expect(try await Berthctl.run(["--socket"], socket: nil).status == 64)
        }

        @Test func jsonIsTheAnswerAndNothingElse() async throws {
            // Would break: scripts.
            let list = list
            let daemon = try ScriptedDaemon { _ in ScriptedDaemon.json(list) }
            let result = try await Berthctl.run(["connection", "list", "--output", "json"], socket: daemon.path)
            let value = try #require(JSONSerialization.jsonObject(with: Data(result.output.utf8)) as? [String: Any])
            #expect((value["items"] as? [Any])?.count == 2)
            #expect(value["next"] as? String == "c2")
            #expect(result.errors.isEmpty)
        }

        @Test func emptyListsSayNone() async throws {
            // Would break: nothing on the screen, and nobody knows whether it worked.
            let daemon = try ScriptedDaemon { _ in ScriptedDaemon.json(#"{"items":[],"next":null}"#) }
            for noun in [
                ["connection", "list"], ["event", "list"], ["record", "list", "call"], ["sync", "list"], ["plugin", "list"],
                ["dead-letter", "list"], ["audit"],
            ] {
                #expect(try await Berthctl.run(noun, socket: daemon.path).output == "none\n", "\(noun)")
            }
        }

        @Test func optionsBecomeQueriesAndBodies() async throws {
            // Would break: what is asked is not what was typed.
            let daemon = try ScriptedDaemon {
                $0.method == "GET" ? ScriptedDaemon.json(#"{"items":[],"next":null}"#) : ScriptedDaemon.json("{}")
            }
            _ = try await Berthctl.run(
                [
                    "record", "list", "call", "--where", "status=completed", "--where", "started_at[gte]=2026-01-01", "--sort=-started_at",
                    "--limit", "5",
                ],
                socket: daemon.path)
            _ = try await Berthctl.run(["event", "replay", "--kind", "a b&c", "--dry-run"], socket: daemon.path)
            _ = try await Berthctl.run(
                [
                    "connection", "add", "ringba", "--workspace", "acme", "--name", "main", "--credential", "token=@-", "--setting",
                    "account_id=RA1",
                    "--schedule", "calls=every 5m",
                ], socket: daemon.path, input: "secret-from-stdin\n")
            let requests = daemon.requests
            try #require(requests.count == 3)
            #expect(requests[0].target.contains("started_at%5Bgte%5D=2026-01-01") && requests[0].target.contains("sort=-started_at"))
            #expect(requests[1].body.contains("a b&c") && requests[1].body.contains("\"dry_run\":true"))
            #expect(requests[2].body.contains("\"token\":\"secret-from-stdin\""))
            #expect(requests[2].body.contains("\"schedule\":\"every 5m\""))
        }

        @Test func aSecretAmongTheArgumentsIsWarnedOf() async throws {
            // Would break: docs/guarantees.md P5, by a command that says nothing.
            let daemon = try ScriptedDaemon { _ in ScriptedDaemon.json("{}") }
            let literal = try await Berthctl.run(
                ["connection", "set-credentials", "main", "--credential", "token=s3cret-77"], socket: daemon.path)
            #expect(literal.status == 0 && literal.errors.contains("@FILE") && literal.errors.contains("@-"))
            #expect(!literal.errors.contains("s3cret-77"))
            let piped = try await Berthctl.run(
                ["connection", "set-credentials", "main", "--credential", "token=@-"], socket: daemon.path, input: "s3cret-78\n")
            #expect(piped.status == 0 && piped.errors.isEmpty)
            #expect(daemon.requests.map(\.body).joined().contains("s3cret-78"))
            let twice = try await Berthctl.run(
                ["connection", "set-credentials", "main", "--credential", "username=@-", "--credential", "password=@-"],
                socket: daemon.path,
                input: "a\n")
            #expect(twice.status == 64 && daemon.requests.count == 2)
        }

        @Test func completionScripts() async throws {
            // Would break: completion.
            for (shell, words) in [("bash", "complete -"), ("zsh", "#compdef berthctl"), ("fish", "complete -c 'berthctl'")] {
                let result = try await Berthctl.run(["--generate-completion-script", shell], socket: nil)
                #expect(result.status == 0 && result.output.contains(words), "\(shell): \(result.output.prefix(200))")
                for noun in ["connection", "record", "dead-letter", "feed"] { #expect(result.output.contains(noun)) }
            }
        }
    }
}
