// How commands end: sysexits codes, and messages that say what to do.

import Foundation
import Glibc
import Testing

extension Ctl {
    @Suite struct ExitTests {
        @Test(arguments: [
            (400, 65), (401, 77), (403, 77), (404, 66), (405, 70), (409, 65), (413, 65), (422, 65), (500, 70), (502, 76), (503, 75),
        ])
        func statusBecomesExitCode(_ status: Int, _ code: Int32) async throws {
            // Would break: scripts that decide by the exit status.
            let daemon = try ScriptedDaemon { _ in ScriptedDaemon.problem(status, "it is so\\u001b[2J", hint: "do this") }
            let result = try await Berthctl.run(["connection", "show", "x"], socket: daemon.path)
            #expect(result.status == code)
            #expect(result.errors.contains("berthctl: it is so?[2J\n") && result.errors.contains("hint: do this\n"))
            #expect(result.output.isEmpty)
        }

        @Test func aConflictThatPassesIsToBeTriedAgain() async throws {
            // Would break: scripts that try a lasting conflict again for ever, or give a passing one up.
            let daemon = try ScriptedDaemon { _ in
                ScriptedDaemon.json(
                    #"{"code":"conflict","detail":"busy","retryable":true}"#, status: "409 X", type: "application/problem+json")
            }
            #expect(try await Berthctl.run(["sync", "run", "main", "calls"], socket: daemon.path).status == 75)
        }

        @Test(arguments: ["", "null", "[1,2]", "{}", "{\"items\":[]}", "{\"status\":\"fine\",\"parts\":[]}", "{\"status\":\"ok\"}"])
        func whatIsNoHealthIsNotWell(_ body: String) async throws {
            // Would break: a monitor that is told for ever that all is well, by whatever listens there.
            let daemon = try ScriptedDaemon { _ in ScriptedDaemon.json(body) }
            for output in ["table", "json"] {
                let result = try await Berthctl.run(["health", "--output", output], socket: daemon.path)
                #expect(result.status == 76 && result.errors.hasPrefix("berthctl: ") && result.output.isEmpty, "\(result)")
            }
        }

        @Test(arguments: ["204 No Content", "302 Found", "100 Continue", "999 What"])
        func otherStatusesAreNotWell(_ status: String) async throws {
            // Would break: the same, for an answer whose status says that it is none.
            let daemon = try ScriptedDaemon { _ in ScriptedDaemon.json("{\"status\":\"ok\",\"parts\":[]}", status: status) }
            let result = try await Berthctl.run(["health"], socket: daemon.path)
            #expect(result.status != 0 && result.errors.hasPrefix("berthctl: ") && result.output.isEmpty, "\(result)")
        }

        @Test func aListWithoutItemsIsNone() async throws {
            // Would break: "nothing there", said of an answer that is none.
            let daemon = try ScriptedDaemon { _ in ScriptedDaemon.json("{\"items\":null,\"next\":null}") }
            #expect(try await Berthctl.run(["event", "list"], socket: daemon.path).status == 76)
        }

        @Test func aValueGivenTwiceIsAMistake() async throws {
            // Would break: the first of two settings, silently.
            let arguments = ["connection", "add", "ringba", "--setting", "a=1", "--setting", "a=2"]
            let result = try await Berthctl.run(arguments, socket: "/tmp/berth-nowhere-\(getpid()).sock")
            #expect(result.status == 64 && result.errors.contains("--setting a is given twice"), "\(result)")
        }

        @Test func noDaemon() async throws {
            // Would break: "connection refused", and nobody knows of what.
            let nowhere = try await Berthctl.run(["status"], socket: "/tmp/berth-nowhere-\(getpid()).sock")
            #expect(nowhere.status == 69)
            #expect(nowhere.errors.contains("/tmp/berth-nowhere-") && nowhere.errors.contains("is berthd running?"))
            let viaEnvironment = try await Berthctl.run(
                ["status"], socket: nil, environment: ["BERTH_CONTROL_SOCKET": "/tmp/berth-elsewhere.sock"])
            #expect(viaEnvironment.errors.contains("/tmp/berth-elsewhere.sock"))
            let long = try await Berthctl.run(["status"], socket: "/tmp/" + String(repeating: "x", count: 200))
            #expect(long.status == 64)
            // A socket file that nobody listens on.
            let path = try ScriptedDaemon { _ in "" }.path
            let dead = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
            var address = sockaddr_un()
            address.sun_family = sa_family_t(AF_UNIX)
            withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
            _ = withUnsafePointer(to: &address) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(dead, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) }
            }
            close(dead)
            #expect(try await Berthctl.run(["status"], socket: path).status == 69)
            unlink(path)
        }

        @Test(arguments: [
            "", "garbage\r\n\r\n", "HTTP/1.1\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{}",
            "HTTP/1.1 200 OK\r\nContent-Type: a\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7fffffffffffffff\r\nab",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\nab",
            "HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n{}", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nnot json!",
        ])
        func answersThatAreNone(_ text: String) async throws {
            // Would break: a crash or a success out of half an answer.
            let daemon = try ScriptedDaemon { _ in text }
            let result = try await Berthctl.run(["status"], socket: daemon.path)
            #expect([70, 71, 76].contains(result.status), "\(result.status) \(result.errors)")
            #expect(result.errors.hasPrefix("berthctl: "))
            #expect(result.output.isEmpty)
        }

        @Test func wrongUseIsSaidWithTheRightUse() async throws {
            // Would break: usage errors that look like failures of the daemon.
            for arguments in [
                ["conection", "list"], ["connection", "add"], ["event", "replay"], ["record", "list"], ["status", "--output", "xml"],
                ["connection", "add", "ringba", "--setting", "novalue"], ["record", "list", "call", "--where", "novalue"],
                ["action", "run", "a", "b", "--input", "{"],
            ] {
                let result = try await Berthctl.run(arguments, socket: "/tmp/berth-nowhere.sock")
                #expect(result.status == 64, "\(arguments): \(result.status) \(result.errors)")
                #expect(!result.errors.isEmpty)
            }
            let file = try await Berthctl.run(
                ["connection", "add", "ringba", "--credential", "token=@/nowhere"], socket: "/tmp/berth-nowhere.sock")
            #expect(file.status == 66 && file.errors.contains("/nowhere"))
        }

        @Test func aRunThatGoesOnAlreadyIsFollowed() async throws {
            // Would break: right after a schedule was given, the README's own next command fails with "already has a run".
            let daemon = try ScriptedDaemon { request in
                switch (request.method, request.target) {
                case ("POST", _):
                    ScriptedDaemon.json(
                        #"{"code":"conflict","detail":"stream 'calls' already has a queued run: run_1","retryable":true}"#, status: "409 X",
                        type: "application/problem+json")
                case (_, let target) where target.contains("status=running"): ScriptedDaemon.json(#"{"items":[]}"#)
                case (_, let target) where target.contains("status=queued"):
                    ScriptedDaemon.json(#"{"items":[{"id":"run_1","status":"queued"}]}"#)
                default: ScriptedDaemon.json(#"{"id":"run_1","status":"success"}"#)
                }
            }
            let sync = try await Berthctl.run(["sync", "run", "main", "calls"], socket: daemon.path)
            #expect(sync.status == 0 && sync.output.contains("success") && sync.errors.contains("run_1"))
            #expect(try await Berthctl.run(["sync", "run", "main", "calls", "--mode", "full"], socket: daemon.path).status == 75)
        }

        @Test func healthAndSyncSpeakThroughTheirStatus() async throws {
            // Would break: monitoring by `berthctl health`, scripts that wait for a sync.
            let failing = try ScriptedDaemon { _ in
                ScriptedDaemon.json(
                    #"{"status":"failing","parts":[{"name":"store","status":"failing","detail":"d","hint":"free space"}]}"#, status: "503 X"
                )
            }
            let health = try await Berthctl.run(["health"], socket: failing.path)
            #expect(health.status == 69 && health.output.contains("free space"))
            let daemon = try ScriptedDaemon { request in
                request.method == "POST"
                    ? ScriptedDaemon.json(#"{"id":"run_1","status":"queued"}"#, status: "202 X")
                    : ScriptedDaemon.json(#"{"id":"run_1","status":"failed","error":{"status":"retry","message":"HTML came"}}"#)
            }
            let sync = try await Berthctl.run(["sync", "run", "main", "calls"], socket: daemon.path)
            #expect(sync.status == 75 && sync.output.contains("HTML came") && !sync.output.contains("\u{1B}"))
            #expect(try await Berthctl.run(["sync", "run", "main", "calls", "--no-wait"], socket: daemon.path).status == 0)
        }
    }
}
