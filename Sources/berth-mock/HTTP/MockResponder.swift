// Between the HTTP server and the dialects: turns requests into values, lets faults strike, writes answers.

import HTTPTypes
import Hummingbird
import NIOCore
import Synchronization

/// Gives handlers the connection, which the reset fault breaks.
struct MockContext: RequestContext {
    var coreContext: CoreRequestContextStorage
    let channel: any Channel

    init(source: Source) {
        coreContext = .init(source: source)
        channel = source.channel
    }
}

/// Answers every request of the listener.
struct MockResponder: HTTPResponder {
    typealias Context = MockContext

    let admin: AdminAPI
    let clock: @Sendable () -> Milliseconds
    /// Requests to Retreaver being answered: it discourages concurrency.
    private let retreaverInFlight = InFlightCount()
    /// More than this many at once, and Retreaver says 429 with an empty body (the mock's choice).
    private static let retreaverInFlightMax = 8
    private static let bodyBytesMax = 4 << 20

    init(admin: AdminAPI, clock: @escaping @Sendable () -> Milliseconds) {
        self.admin = admin
        self.clock = clock
    }

    func respond(to request: Request, context: MockContext) async throws -> Response {
        let target = request.head.path ?? "/"
        let parts = target.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        var headers: [String: String] = [:]
        for field in request.headers { headers[field.name.canonicalName] = field.value }
        headers["host"] = request.head.authority ?? headers["host"]
        let body = try await request.body.collect(upTo: Self.bodyBytesMax)
        var api = APIRequest(
            method: request.method.rawValue, path: parts[0], rawQuery: parts.count > 1 ? parts[1] : "",
            query: QueryString(parts.count > 1 ? parts[1][...] : ""), headers: headers, body: Array(body.readableBytesView), now: clock())
        if api.path.hasPrefix("/_mock") {
            let reply = await admin.answer(api)
            if api.path == "/_mock/trap" { admin.tally.note(provider: "other", method: api.method, path: api.path, status: reply.status) }
            return FaultyResponse.plain(reply)
        }
        if let authorization = admin.authorization, AuthorizationServer.isAuthorizationPath(api.path) {
            let response = try await TokenEndpoint(server: authorization, faults: admin.faults).respond(to: api, channel: context.channel)
            admin.tally.note(provider: "oauth", method: api.method, path: api.path, status: Int(response.status.code))
            return response
        }
        let pageRowsMax = admin.faults.parameter(of: .cappedPages)
        let faults = admin.faults.drawForRequest()
        if let authorization = admin.authorization, AuthorizationServer.isResourcePath(api.path) {
            return try await protected(api, faults, authorization, context.channel)
        }
        let name = owner(of: api)
        if faults.contains(.hang) {
            admin.tally.note(provider: name?.rawValue ?? "other", method: api.method, path: api.path, status: 0)
            try await Task.sleep(for: .seconds(3600))
        }
        if let response = FaultyResponse.instead(faults, host: api.host) {
            admin.tally.note(provider: name?.rawValue ?? "other", method: api.method, path: api.path, status: Int(response.status.code))
            return response
        }
        api.pagingFault = faults.contains(.loopPaging) ? .loop : faults.contains(.shrinkingList) ? .shrinking : nil
        if faults.contains(.cappedPages) { api.pageRowsMax = pageRowsMax.map { Int($0) } }
        if admin.faults.isActive(.throttle200) {
            api.throttleStatus = 200
            api.isThrottleForced = faults.contains(.throttle200) && !admin.faults.texts.contains("throttle-200:1.0")
        }
        let reply = await answer(api, name)
        admin.tally.note(provider: name?.rawValue ?? "other", method: api.method, path: api.path, status: reply.status)
        return FaultyResponse.bent(reply, faults, channel: context.channel)
    }

    private func protected(
        _ request: APIRequest, _ faults: Set<FaultKind>, _ authorization: AuthorizationServer, _ channel: any Channel
    ) async throws -> Response {
        if faults.contains(.hang) {
            await authorization.noteResource(request, status: 0)
            try await Task.sleep(for: .seconds(3600))
        }
        if let response = FaultyResponse.instead(faults, host: request.host) {
            await authorization.noteResource(request, status: Int(response.status.code))
            admin.tally.note(provider: "oauth", method: request.method, path: request.path, status: Int(response.status.code))
            return response
        }
        let reply = await authorization.resource(request)
        admin.tally.note(provider: "oauth", method: request.method, path: request.path, status: reply.status)
        return FaultyResponse.bent(reply, faults, channel: channel)
    }

    private func answer(_ request: APIRequest, _ name: ProviderName?) async -> Reply {
        guard let name, let provider = admin.providers[name] else {
            return .json(404) { $0.object { $0.put("error", "berth-mock: no provider played here has \(request.path)") } }
        }
        guard name == .retreaver else { return await provider.answer(request) ?? .empty(404) }
        let running = retreaverInFlight.enter()
        defer { retreaverInFlight.leave() }
        return running > Self.retreaverInFlightMax ? .empty(429) : await provider.answer(request) ?? .empty(404)
    }

    // Paths don't collide: Ringba lives below /v2, TrackDrive below /api/v1 except for the two names Retreaver has there.
    private func owner(of request: APIRequest) -> ProviderName? {
        let path = request.segments
        guard let first = path.first else { return nil }
        if first == "v2" { return .ringba }
        guard first == "api" else { return .retreaver }
        guard path.count > 2 else { return nil }
        let isRetreaver = path[2].contains(".json") || path.last?.contains(".json") == true || path[1] != "v1"
        return isRetreaver ? .retreaver : .trackdrive
    }
}

/// Counts what is going on.
final class InFlightCount: Sendable {
    private let count = Mutex(0)
    /// One more; the number there are now.
    func enter() -> Int {
        count.withLock {
            $0 += 1
            return $0
        }
    }
    /// One less.
    func leave() { count.withLock { $0 -= 1 } }
}
