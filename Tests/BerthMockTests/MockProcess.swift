// A real berth-mock process on a free port, and a plain HTTP/1.1 client for it. One connection per request.

import Foundation
import Testing

final class MockProcess: Sendable {
    struct Answer: Sendable {
        var status: Int
        var headers: [String: String]
        var body: Data
        var json: Any? { try? JSONSerialization.jsonObject(with: body) }
        var object: [String: Any] { json as? [String: Any] ?? [:] }
    }

    let port: UInt16
    private let process: Process
    private let output: FileHandle

    init(_ arguments: [String]) throws {
        let executable = try URL(filePath: FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe"))
        let process = Process()
        process.executableURL = executable.deletingLastPathComponent().appending(path: "berth-mock")
        process.arguments = arguments + ["--listen", "127.0.0.1:0"]
        let pipe = Pipe()
        process.standardOutput = pipe
        process.standardInput = FileHandle.nullDevice
        try process.run()
        var line = Data()
        while let byte = try pipe.fileHandleForReading.read(upToCount: 1), !byte.isEmpty, byte != Data([10]) { line += byte }
        let text = String(decoding: line, as: UTF8.self)
        port = try #require(text.split(separator: ":").last.flatMap { UInt16($0) }, "berth-mock said: \(text)")
        self.process = process
        output = pipe.fileHandleForReading
    }

    // Surely, since a test program that leaves one behind is waited for without end.
    deinit { if process.isRunning { kill(process.processIdentifier, SIGKILL) } }

    /// SIGTERM; the exit status and the summary line.
    func stop() throws -> (status: Int32, summary: [String: Any]) {
        process.terminate()
        process.waitUntilExit()
        let text = try output.readToEnd() ?? Data()
        return (process.terminationStatus, try JSONSerialization.jsonObject(with: text) as? [String: Any] ?? [:])
    }

    func request(_ method: String, _ path: String, headers: [String: String] = [:], body: String? = nil) throws -> Answer {
        let raw = try LoopbackSocket(port: port).exchange(
            "\(method) \(path) HTTP/1.1\r\nHost: 127.0.0.1:\(port)\r\nConnection: close\r\n"
                + headers.map { "\($0.key): \($0.value)\r\n" }.joined() + "Content-Length: \((body ?? "").utf8.count)\r\n\r\n"
                + (body ?? ""))
        let split = try #require(raw.firstRange(of: Data("\r\n\r\n".utf8)), "no answer: \(String(decoding: raw.prefix(80), as: UTF8.self))")
        let lines = String(decoding: raw[..<split.lowerBound], as: UTF8.self).components(separatedBy: "\r\n")
        var fields: [String: String] = [:]
        for line in lines.dropFirst() {
            let parts = line.split(separator: ":", maxSplits: 1).map(String.init)
            fields[parts[0].lowercased()] = parts[1].trimmingCharacters(in: .whitespaces)
        }
        let status = try #require(Int(lines[0].split(separator: " ")[1]))
        return Answer(status: status, headers: fields, body: Data(raw[split.upperBound...]))
    }

    func json(_ method: String, _ path: String, headers: [String: String] = [:], _ body: [String: Any]) throws -> Answer {
        try request(method, path, headers: headers, body: String(decoding: JSONSerialization.data(withJSONObject: body), as: UTF8.self))
    }

    /// The calls as the mock knows them, by external id.
    func truth(_ provider: String) throws -> [String: [String: Any]] {
        let lines = try request("GET", "/_mock/calls/\(provider)").body.split(separator: 10)
        let calls = try lines.map { try JSONSerialization.jsonObject(with: $0) as? [String: Any] ?? [:] }
        return Dictionary(calls.map { ($0["external_id"] as? String ?? "", $0) }, uniquingKeysWith: { first, _ in first })
    }

    // MARK: As each provider's client

    static let account = "/v2/RAMOCK0000000000000000000000000001"
    static let ringbaHeaders = ["Authorization": "Token mock-ringba-token"]
    static let trackDriveHeaders = ["Authorization": "Basic " + Data("tdpubMOCK:tdprvMOCK".utf8).base64EncodedString()]
    static let retreaverKeys = "api_key=mock-retreaver-key&company_id=4242"

    func ringbaLog(_ changes: [String: Any] = [:]) throws -> Answer {
        let body: [String: Any] = [
            "reportStart": "2000-01-01T00:00:00Z", "reportEnd": "2100-01-01T00:00:00Z",
            "orderByColumns": [["column": "callDt", "direction": "asc"]],
        ]
        return try json("POST", Self.account + "/calllogs", headers: Self.ringbaHeaders, body.merging(changes) { $1 })
    }

    static func records(_ answer: Answer) -> [[String: Any]] {
        (answer.object["report"] as? [String: Any])?["records"] as? [[String: Any]] ?? []
    }
}
