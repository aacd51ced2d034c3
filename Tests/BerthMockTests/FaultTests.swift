// Each fault does what its name says.

import Foundation
import Testing

@Suite struct FaultTests {
    // Without this, tests that ask for a fault could pass because it never came.
    @Test func answersAreReplaced() throws {
        let mock = try MockProcess(["trackdrive", "--calls", "60"])
        func call(_ fault: String, _ query: String = "page=1") throws -> MockProcess.Answer {
            #expect(try mock.json("PUT", "/_mock/faults", ["faults": [fault]]).status == 200)
            return try mock.request("GET", "/api/v1/calls?\(query)", headers: MockProcess.trackDriveHeaders)
        }
        #expect(try call("http-500").status == 500)
        #expect(try call("http-503").headers["retry-after"] == "1")
        #expect(try call("rate-limit").status == 429)
        #expect(try call("auth-expired:0").status == 401)
        #expect(try call("html").headers["content-type"]?.hasPrefix("text/html") == true)
        #expect(try call("redirect-loopback").headers["location"]?.hasSuffix("/_mock/trap") == true)
        let half = try call("truncated-json")
        #expect(half.status == 200 && half.json == nil && !half.body.isEmpty)
        let first = try call("loop-paging", "cursor=-1").object["calls"] as? [[String: Any]]
        let second = try call("loop-paging", "cursor=1").object
        #expect(first?.first?["id"] as? Int == (second["calls"] as? [[String: Any]])?.first?["id"] as? Int)
        #expect((second["metadata"] as? [String: Any])?["next_cursor"] as? Int == 1)
        #expect(try mock.json("PUT", "/_mock/faults", ["faults": ["no-such"]]).status == 400)
    }

    // Without this, the reset fault could be an orderly close that clients take for a short body.
    @Test func resetBreaksTheConnection() throws {
        let mock = try MockProcess(["trackdrive", "--calls", "60", "--fault", "reset"])
        #expect(throws: (any Error).self) {
            let answer = try mock.request("GET", "/api/v1/calls?page=1", headers: MockProcess.trackDriveHeaders)
            // A reset that overtakes the data shows as an error; one that does not leaves the body short.
            if answer.body.count < Int(answer.headers["content-length"] ?? "0") ?? 0 {
                throw SocketFailure(operation: "short body", number: 0)
            }
        }
    }

    // Without this, the bomb could be a dud: a decompressor must get all of it and find the checksum right.
    @Test func gzipBombIsRealGzip() throws {
        let mock = try MockProcess(["trackdrive", "--calls", "5", "--fault", "gzip-bomb"])
        let answer = try mock.request("GET", "/api/v1/calls", headers: MockProcess.trackDriveHeaders)
        #expect(answer.headers["content-encoding"] == "gzip" && answer.body.count < 8 << 20)
        let file = FileManager.default.temporaryDirectory.appending(path: "bomb-\(UUID().uuidString).gz")
        try answer.body.write(to: file)
        defer { try? FileManager.default.removeItem(at: file) }  // Left behind at worst.
        let gzip = Process()
        gzip.executableURL = URL(filePath: "/bin/gzip")
        gzip.arguments = ["-t", file.path]
        try gzip.run()
        gzip.waitUntilExit()
        #expect(gzip.terminationStatus == 0)
    }
}
