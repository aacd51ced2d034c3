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
    /// The rules of the connection's workspace.
    public var egress: ExchangeEgress
    /// `User-Agent`
    public var userAgent: String
    /// Where the answer goes.
    public var replyPath: String
    /// What it is sealed with.
    public var key: [UInt8]
    /// SHA-256 of the credential that the request spends; of a consent: that it is one.
    public var basis: [UInt8]
}

/// The egress policy of a connection's workspace, in a form that goes over the pipe.
public struct ExchangeEgress: Codable, Sendable {
    /// Where an operator changes it.
    public var place: String
    /// Only these; nil: what manifest and base_url allow.
    public var allowedHosts: [String]?
    /// None of these.
    public var deniedHosts: [String]
    /// Networks the operator allowed.
    public var privateNetworks: [String]
    /// PEM file of certificate authorities; nil: the system's.
    public var caFile: String?
    /// The only way out; nil: straight.
    public var proxy: Proxy?

    /// A proxy with what it is told.
    public struct Proxy: Codable, Sendable {
        /// Without credentials.
        public var url: String
        /// Where it is set.
        public var setting: String
        /// Nil: none.
        public var user: [UInt8]?
        /// Nil: none.
        public var password: [UInt8]?
        /// A proxy.
        public init(url: String, setting: String, user: [UInt8]?, password: [UInt8]?) {
            self.url = url
            self.setting = setting
            self.user = user
            self.password = password
        }
    }

    /// A policy.
    public init(
        place: String = "[egress]", allowedHosts: [String]? = nil, deniedHosts: [String] = [], privateNetworks: [String] = [],
        caFile: String? = nil,
        proxy: Proxy? = nil
    ) {
        self.place = place
        self.allowedHosts = allowedHosts
        self.deniedHosts = deniedHosts
        self.privateNetworks = privateNetworks
        self.caFile = caFile
        self.proxy = proxy
    }
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

    private enum CodingKeys: String, CodingKey { case status, headers, body, failure, basis }

    /// Also as versions before wrote it: the body as a list of numbers.
    public init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        status = try values.decode(Int.self, forKey: .status)
        headers = try values.decode([String].self, forKey: .headers)
        failure = try values.decodeIfPresent(String.self, forKey: .failure)
        basis = try values.decode([UInt8].self, forKey: .basis)
        if let data = try? values.decode(Data.self, forKey: .body) {  // not base64: the older form
            body = Array(data)
        } else {
            body = try values.decode([UInt8].self, forKey: .body)
        }
    }

    /// The body in base64: room is made for the largest answer before it is asked for.
    public func encode(to encoder: any Encoder) throws {
        var values = encoder.container(keyedBy: CodingKeys.self)
        try values.encode(status, forKey: .status)
        try values.encode(headers, forKey: .headers)
        try values.encodeIfPresent(failure, forKey: .failure)
        try values.encode(basis, forKey: .basis)
        try values.encode(Data(body), forKey: .body)
    }

    var response: ProviderResponse {
        let pairs = stride(from: 0, to: headers.count - 1, by: 2).map { (name: headers[$0], value: headers[$0 + 1]) }
        return ProviderResponse(status: status, headers: pairs, body: body)
    }

    /// Sealed for the time between the exchange and the database.
    public func sealed(with key: [UInt8], connection: String) throws -> [UInt8] {
        let encoder = JSONEncoder()
        // Or base64 would double at worst.
        encoder.outputFormatting = .withoutEscapingSlashes
        let box = try AES.GCM.seal(
            Array(try encoder.encode(self)), using: SymmetricKey(data: key), authenticating: Array("exchange/\(connection)".utf8))
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
