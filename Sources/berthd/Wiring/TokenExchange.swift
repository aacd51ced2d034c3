// The second life of this program: `berthd exchange-token`, started by the daemon for one token request.

import BerthGrants
import BerthModel
import BerthOutbound
import BerthSeams
import Logging

enum TokenExchange {
    /// Runs the exchange on standard input's neighbour, descriptor 3; answers the exit code.
    static func run() async -> Int32 {
        await ExchangeProcess.run { job in
            var configuration = OutboundConfiguration()
            do throws(ProxyServer.Refusal) { configuration.egress = try EgressPolicy(job.egress) } catch {
                return .failure(AttemptFailure(.internal, "the job's proxy \(error.reason)"))
            }
            configuration.userAgent = job.userAgent
            configuration.maxResponseBytes = 1 << 20
            // One try: the daemon decides about another, when it knows what became of this one.
            configuration.retry.maxTries = 1
            guard let connection = ConnectionID(job.connection), let provider = ProviderName("oauth") else {
                return .failure(AttemptFailure(.internal, "the job names no connection"))
            }
            let outbound: CurlOutbound
            do throws(BerthError) {
                outbound = try CurlOutbound(
                    secrets: NoSecrets(), configuration: configuration, clock: SystemClock(), entropy: SystemEntropy(),
                    logger: Logger(label: "exchange") { _ in SwiftLogNoOpLogHandler() })
            } catch { return .failure(AttemptFailure(.internal, error.message)) }
            var http = PluginManifest.HTTP()
            http.timeoutSeconds = job.timeoutSeconds
            // The same text twice: an address of the manifest's. Without it: one of the operator's own.
            let origin = origin(of: job.url)
            http.baseURL = job.isOwnAddress ? nil : origin
            let pairs = stride(from: 0, to: job.headers.count - 1, by: 2).map { (name: job.headers[$0], value: job.headers[$0 + 1]) }
            let target = OutboundTarget(connection: connection, provider: provider, baseURL: origin, http: http, credential: nil)
            let result = await outbound.send(
                ProviderRequest(method: "POST", url: job.url, headers: pairs, body: job.body, isAuthenticated: false), for: target)
            await outbound.close()
            return result
        }
    }

    /// Scheme, host and port. The address itself is the request's, letter by letter: some endpoints end with a slash or have a query.
    private static func origin(of url: String) -> String {
        guard let scheme = url.firstRange(of: "://") else { return url }
        return String(url[..<(url[scheme.upperBound...].firstIndex { "/?#".contains($0) } ?? url.endIndex)])
    }

    private struct NoSecrets: SecretStore {
        func secret(_ slot: SecretSlot, of connection: ConnectionID) async throws(BerthError) -> Secret? { nil }
        func set(_ secret: Secret, _ slot: SecretSlot, of connection: ConnectionID) async throws(BerthError) {}
        func removeAll(of connection: ConnectionID) async throws(BerthError) {}
    }
}

extension ExchangeEgress {
    /// For the pipe to the process; nothing else may hold it, because of the proxy's password.
    init(_ policy: EgressPolicy) {
        let credentials = policy.proxy?.credentials
        self.init(
            place: policy.place, allowedHosts: policy.allowedHosts.map { $0.map(\.description) },
            deniedHosts: policy.deniedHosts.map(\.description),
            privateNetworks: policy.privateNetworks.map(\.description), caFile: policy.caFile,
            proxy: policy.proxy.map { proxy in
                Proxy(
                    url: proxy.url, setting: proxy.setting, user: credentials?.user.withBytes { Array($0) },
                    password: credentials?.password.withBytes { Array($0) })
            })
    }
}

extension EgressPolicy {
    /// What the daemon made of its settings, in the process it started. All or nothing: half a policy would be another.
    init(_ job: ExchangeEgress) throws(ProxyServer.Refusal) {
        self.init(privateNetworks: job.privateNetworks.compactMap { NetworkPrefix($0) })
        allowedHosts = job.allowedHosts.map { $0.compactMap { HostPattern($0) } }
        deniedHosts = job.deniedHosts.compactMap { HostPattern($0) }
        caFile = job.caFile
        place = job.place
        guard let given = job.proxy else { return }
        var server = try ProxyServer(given.url)
        server.setting = given.setting
        if let user = given.user, let password = given.password {
            server.credentials = ProxyServer.Credentials(user: Secret(copying: user), password: Secret(copying: password))
        }
        proxy = server
    }
}
