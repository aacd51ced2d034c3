// A keeper over secrets in memory, the built berthd as exchange process, and a mock process.

import BerthGrants
import BerthModel
import BerthSeams
import Foundation
import Logging
import Synchronization

final class MemorySecrets: SecretStore {
    private struct Key: Hashable {
        var connection: ConnectionID
        var slot: SecretSlot
    }
    private let secrets = Mutex<[Key: Secret]>([:])

    func secret(_ slot: SecretSlot, of connection: ConnectionID) async throws(BerthError) -> Secret? {
        secrets.withLock { $0[Key(connection: connection, slot: slot)] }
    }
    func set(_ secret: Secret, _ slot: SecretSlot, of connection: ConnectionID) async throws(BerthError) {
        secrets.withLock { $0[Key(connection: connection, slot: slot)] = secret }
    }
    func removeAll(of connection: ConnectionID) async throws(BerthError) {
        secrets.withLock { secrets in secrets = secrets.filter { $0.key.connection != connection } }
    }
}

struct TrueClock: WallClock {
    func now() -> Timestamp { Timestamp(milliseconds: Int64(Date().timeIntervalSince1970 * 1000)) }
}

struct TrueEntropy: Entropy {
    func next() -> UInt64 { .random(in: .min ... .max) }
}

/// berth-mock's authorization server as a process.
final class MockServer: Sendable {
    let url: String
    private let process: Mutex<Process>

    init(program: String) throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: program)
        process.arguments = ["oauth", "--listen", "127.0.0.1:0"]
        let output = Pipe()
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        try process.run()
        var text = ""
        while !text.contains("listening on "), case let data = output.fileHandleForReading.availableData, !data.isEmpty {
            text += String(decoding: data, as: UTF8.self)
        }
        guard let start = text.firstRange(of: "listening on ") else { throw BerthError(.internal, "the mock did not start: \(text)") }
        url = String(text[start.upperBound...].prefix { !$0.isWhitespace })
        self.process = Mutex(process)
    }

    func stop() { process.withLock { _ = kill($0.processIdentifier, SIGKILL) } }

    private func ask(_ method: String, _ path: String, _ body: String? = nil) throws -> JSONValue {
        let curl = Process()
        curl.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        curl.arguments =
            ["curl", "-sS", "-X", method, url + "/_mock/" + path] + (body.map { ["-H", "content-type: application/json", "-d", $0] } ?? [])
        let output = Pipe()
        curl.standardOutput = output
        try curl.run()
        let data = output.fileHandleForReading.readDataToEndOfFile()
        curl.waitUntilExit()
        guard let value = JSONValue(text: Array(data)) else {
            throw BerthError(.internal, "\(path): \(String(decoding: data, as: UTF8.self))")
        }
        return value
    }

    /// A refresh token of a new grant.
    func issue() async throws -> String {
        guard case .object(let grant) = try ask("POST", "oauth/grants", "{}"), case .string(let token)? = grant["refresh_token"] else {
            throw BerthError(.internal, "no grant")
        }
        return token
    }

    func tokenRequests() async throws -> Int {
        guard case .object(let ledger) = try ask("GET", "oauth/ledger"), case .array(let entries)? = ledger["entries"] else { return -1 }
        return entries.count
    }

    func fault(_ name: String) async throws { _ = try ask("PUT", "faults", #"{"faults":["\#(name)"]}"#) }
}

struct GrantBed {
    let folder: String
    let mock: MockServer
    let secrets = MemorySecrets()
    let keeper: GrantKeeper
    let spec: CredentialSpec
    private let desk: ExchangeDesk

    /// Beside the test bundle stand the built programs.
    private static let products = URL(fileURLWithPath: CommandLine.arguments[0]).resolvingSymlinksInPath().deletingLastPathComponent().path
    static let daemon = products + "/berthd"

    static func start() async throws -> GrantBed {
        let folder = NSTemporaryDirectory() + "berth-grants-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        return try GrantBed(folder: folder, mock: MockServer(program: products + "/berth-mock"), daemon: daemon)
    }

    private init(folder: String, mock: MockServer, daemon: String) throws {
        self.folder = folder
        self.mock = mock
        desk = try ExchangeDesk(
            folder: folder + "/grants", program: daemon, egress: { _ in ExchangeEgress(privateNetworks: ["127.0.0.0/8"]) },
            userAgent: "test")
        keeper = Self.keeper(secrets, desk)
        var oauth = OAuthSpec(tokenURL: mock.url + "/oauth/token")
        oauth.isOwnAddress = true
        spec = CredentialSpec(
            kind: .refreshToken, placements: [.init(field: "access_token", place: .authorization(scheme: "Bearer"))], oauth: oauth)
    }

    private static func keeper(_ secrets: MemorySecrets, _ desk: ExchangeDesk) -> GrantKeeper {
        var logger = Logger(label: "grants")
        logger.logLevel = .critical
        return GrantKeeper(secrets: secrets, desk: desk, clock: TrueClock(), entropy: TrueEntropy(), logger: logger, tell: { _ in })
    }

    /// The next life of the daemon: nothing in memory.
    func anotherKeeper() -> GrantKeeper { Self.keeper(secrets, desk) }

    func connection(refreshToken: String) async throws -> ConnectionID {
        let id = ConnectionID(TrueClock(), TrueEntropy())
        for (name, value) in ["client_id": "mock-client", "client_secret": "mock-client-secret", "refresh_token": refreshToken] {
            try await secrets.set(Secret(copying: value.utf8), .credential(field: name), of: id)
        }
        return id
    }

    func stop() async {
        mock.stop()
        try? FileManager.default.removeItem(atPath: folder)  // a temporary folder
    }
}
