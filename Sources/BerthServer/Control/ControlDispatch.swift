// From a route's operation to the method that performs it. The switch is complete: a new row of the route table does not
// compile until it is served.

import BerthControlAPI
import BerthModel
import BerthSeams
import HTTPTypes
import NIOCore

/// A permitted request.
struct ControlCall: Sendable {
    let route: Route
    let parameters: [String: String]
    let query: ListQuery
    let body: [UInt8]
    let caller: Caller

    func parameter(_ name: String) throws(BerthError) -> String {
        guard let value = parameters[name] else { throw BerthError(.internal, "route \(route.path) has no parameter '\(name)'") }
        return value
    }

    /// The body; an empty one stands for an object without members.
    func decode<Body: RequestBody>(_ type: Body.Type) throws(BerthError) -> Body {
        try StrictJSON.decode(type, from: body.isEmpty ? Array("{}".utf8) : body)
    }
}

/// Performs calls.
struct ControlDispatch: Sendable {
    let operations: any ControlOperations
    let version: String

    func perform(_ call: ControlCall) async throws(BerthError) -> Reply {
        try await traced(call.caller) { () async throws(BerthError) in try await dispatch(call) }
    }

    /// The feed, which is no single reply.
    func feed(after lastID: Int64?, _ query: ListQuery, _ caller: Caller) async throws(BerthError)
        -> AsyncThrowingStream<[FeedItem], any Error>
    {
        try await traced(caller) { () async throws(BerthError) in try await operations.feed(after: lastID, query, caller) }
    }

    /// Does something whose audit entries name the caller's process.
    private func traced<Value: Sendable>(
        _ caller: Caller, _ work: @Sendable () async throws(BerthError) -> Value
    ) async throws(BerthError) -> Value {
        let outcome: Result<Value, BerthError> = await AuditOrigin.$address.withValue("unix:pid=\(caller.pid)") {
            do throws(BerthError) { return .success(try await work()) } catch { return .failure(error) }
        }
        return try outcome.get()
    }

    private func dispatch(_ call: ControlCall) async throws(BerthError) -> Reply {
        let caller = call.caller
        switch call.route.operation {
        case .status: return .json(.ok, try await operations.status())
        case .health:
            let health = await operations.health()
            return .json(health.status == "failing" ? .serviceUnavailable : .ok, health)
        case .metrics:
            return Reply(.ok, contentType: "text/plain; version=0.0.4; charset=utf-8", body: ByteBuffer(string: await operations.metrics()))
        case .openapi: return .json(.ok, OpenAPIDocument.make(version: version))

        case .listPlugins: return .json(.ok, try await operations.listPlugins())
        case .showPlugin: return .json(.ok, try await operations.showPlugin(try call.parameter("id")))
        case .installPlugin: return .json(.created, try await operations.installPlugin(try call.decode(InstallPlugin.self), caller))
        case .reloadPlugin: return .json(.ok, try await operations.reloadPlugin(try call.parameter("id"), caller))
        case .rollbackPlugin: return .json(.ok, try await operations.rollbackPlugin(try call.parameter("id"), caller))
        case .removePlugin:
            try await operations.removePlugin(try call.parameter("id"), call.query, caller)
            return Reply(.noContent)

        case .listConnections: return .json(.ok, try await operations.listConnections())
        case .createConnection: return .json(.created, try await operations.createConnection(try call.decode(NewConnection.self), caller))
        case .showConnection: return .json(.ok, try await operations.showConnection(try call.parameter("id")))
        case .changeConnection:
            let change = try call.decode(ConnectionChange.self)
            return .json(.ok, try await operations.changeConnection(try call.parameter("id"), change, caller))
        case .removeConnection:
            return try await operations.removeConnection(try call.parameter("id"), caller).map { .json(.ok, $0) } ?? Reply(.noContent)
        case .checkConnection: return .json(.ok, try await operations.checkConnection(try call.parameter("id"), caller))
        case .connectConnection:
            return .json(
                .ok, try await operations.connectConnection(try call.parameter("id"), try call.decode(ConnectRequest.self), caller))
        case .completeConnection:
            return .json(
                .ok, try await operations.completeConnection(try call.parameter("id"), try call.decode(ConsentAnswer.self), caller))
        case .disconnectConnection: return .json(.ok, try await operations.disconnectConnection(try call.parameter("id"), caller))
        case .pauseConnection: return .json(.ok, try await operations.setPaused(true, try call.parameter("id"), caller))
        case .resumeConnection: return .json(.ok, try await operations.setPaused(false, try call.parameter("id"), caller))
        case .clearCache: return .json(.ok, try await operations.clearCache(try call.parameter("id"), call.query, caller))
        case .resetCircuit: return .json(.ok, try await operations.resetCircuit(try call.parameter("id"), caller))
        case .syncStream:
            let request = try call.decode(SyncRequest.self)
            return .json(
                .accepted, try await operations.syncStream(try call.parameter("id"), try call.parameter("stream"), request, caller))
        case .performAction:
            let input = call.body.isEmpty ? Array("{}".utf8) : call.body
            _ = try StrictJSON.parse(input)
            return .json(.ok, try await operations.performAction(try call.parameter("id"), try call.parameter("action"), input, caller))

        case .listRuns: return .json(.ok, try await operations.listRuns(call.query))
        case .showRun: return .json(.ok, try await operations.showRun(try call.parameter("id")))
        case .cancelRun: return .json(.ok, try await operations.cancelRun(try call.parameter("id"), caller))

        case .listEvents: return .json(.ok, try await operations.listEvents(call.query, deadLetters: false, caller))
        case .listDeadLetters: return .json(.ok, try await operations.listEvents(call.query, deadLetters: true, caller))
        case .showEvent: return .json(.ok, try await operations.showEvent(try call.parameter("id"), caller))
        case .replayEvent:
            guard let id = EventID(try call.parameter("id")) else {
                throw BerthError(.notFound, "there is no event '\(try call.parameter("id"))'", hint: "berthctl event list")
            }
            var filter = ReplayFilter()
            filter.ids = [id]
            return .json(.ok, try await operations.replay(filter, deadLettersOnly: false, caller))
        case .cancelEvent: return .json(.ok, try await operations.cancelEvent(try call.parameter("id"), caller))
        case .replayEvents:
            return .json(.ok, try await operations.replay(try call.decode(ReplayFilter.self), deadLettersOnly: false, caller))
        case .redriveDeadLetters:
            return .json(.ok, try await operations.replay(try call.decode(ReplayFilter.self), deadLettersOnly: true, caller))

        case .listRecords: return .json(.ok, try await operations.listRecords(try call.parameter("entity"), call.query, caller))
        case .showRecord: return .json(.ok, try await operations.showRecord(try call.parameter("entity"), try call.parameter("id"), caller))

        case .feed: throw BerthError(.internal, "the feed is a stream")
        case .listRequests: return .json(.ok, try await operations.listRequests(call.query))
        case .listAudit: return .json(.ok, try await operations.listAudit(call.query))
        case .setLogLevel: return .json(.ok, try await operations.setLogLevel(try call.decode(LogLevel.self), caller))
        case .rotateVault: return .json(.ok, try await operations.rotateVault(try call.decode(RotateVault.self), caller))
        case .backup: return .json(.ok, try await operations.backup(try call.decode(Backup.self), caller))
        }
    }
}
