// One token request for the process that performs it, and the sealed answer it leaves behind.

public import BerthModel
public import BerthSeams
import Crypto
import FoundationEssentials

/// What the exchange process is told, once, over a pipe.
public struct ExchangeJob: Codable, Sendable {
    /// Whose grant.
    public var connection: String
    /// The token endpoint.
    public var url: String
    /// Name, value, name, value...
    public var headers: [String]
    /// The request's body.
    public var body: [UInt8]
    /// For the whole exchange.
    public var timeoutSeconds: Int
    /// The operator gave this address himself, so that it may be a private one.
    public var isOwnAddress: Bool
    /// Networks the operator allowed.
    public var privateNetworks: [String]
    /// PEM file of certificate authorities; nil: the system's.
    public var caFile: String?
    /// `User-Agent`
    public var userAgent: String
    /// Where the answer goes.
    public var replyPath: String
    /// What it is sealed with.
    public var key: [UInt8]
    /// SHA-256 of the credential that the request spends.
    public var basis: [UInt8]
}

/// The answer, or why there is none.
public struct ExchangeReply: Codable, Sendable {
    /// 0: no answer was had.
    public var status: Int
    /// Name, value, name, value...
    public var headers: [String]
    /// The answer's body.
    public var body: [UInt8]
    /// Without an answer: why.
    public var failure: String?
    /// Of the job.
    public var basis: [UInt8]

    /// From what was had.
    public init(_ result: Result<ProviderResponse, AttemptFailure>, basis: [UInt8]) {
        self.basis = basis
        switch result {
        case .success(let response):
            status = response.status
            headers = response.headers.flatMap { [$0.name, $0.value] }
            body = response.body
        case .failure(let reason):
            status = 0
            headers = []
            body = []
            failure = reason.message
        }
    }

    var response: ProviderResponse {
        let pairs = stride(from: 0, to: headers.count - 1, by: 2).map { (name: headers[$0], value: headers[$0 + 1]) }
        return ProviderResponse(status: status, headers: pairs, body: body)
    }

    /// Sealed for the time between the exchange and the database.
    public func sealed(with key: [UInt8], connection: String) throws -> [UInt8] {
        let box = try AES.GCM.seal(
            Array(try JSONEncoder().encode(self)), using: SymmetricKey(data: key), authenticating: Array("exchange/\(connection)".utf8))
        guard let combined = box.combined else { throw BerthError(.internal, "an answer could not be sealed") }
        return Array(combined)
    }

    /// Nil when it is not what `key` sealed for this connection.
    init?(sealed bytes: [UInt8], key: [UInt8], connection: String) {
        guard let box = try? AES.GCM.SealedBox(combined: bytes),  // any defect means the same: not our answer
            let plain = try? AES.GCM.open(box, using: SymmetricKey(data: key), authenticating: Array("exchange/\(connection)".utf8)),
            let reply = try? JSONDecoder().decode(ExchangeReply.self, from: plain)
        else { return nil }
        self = reply
    }
}
