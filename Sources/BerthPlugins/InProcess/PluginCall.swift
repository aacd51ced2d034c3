// One operation as a call on a loaded instance.

import BerthLoader
import BerthModel
import BerthWire

/// Calls into the plugin; blocks until it returns.
enum PluginCall {
    static func perform(_ work: HostMessage.Work, on instance: LoadedInstance, _ delegate: any OperationDelegate) -> OperationEnd {
        switch work {
        case .handle(let events): return .returned(status: ABIStatus.ok, statuses: instance.handle(events.map(event), delegate).map(\.abi))
        case .read(let stream, let mode, let since, let until, let schema, let state):
            let status = instance.read(
                stream: stream, mode: mode, since: since == WireLimits.noTime ? nil : since, until: until,
                checkpoint: state.isEmpty ? nil : Checkpoint(schema: schema, state: state), delegate)
            return .returned(status: status.abi, statuses: [])
        case .perform(let name, let input, let idempotencyKey):
            return .returned(status: instance.perform(name: name, input: input, idempotencyKey: idempotencyKey, delegate).abi, statuses: [])
        case .check: return .returned(status: instance.check(delegate).abi, statuses: [])
        case .verify(let event): return .returned(status: instance.verify(Self.event(event), delegate).abi, statuses: [])
        case .write(let stream, let records):
            let statuses = instance.write(
                stream: stream,
                records: records.map { (RecordChange.Kind(rawValue: $0.kind) ?? .upsert, $0.key, $0.idempotencyKey, $0.payload) },
                delegate)
            return .returned(status: ABIStatus.ok, statuses: statuses.map(\.abi))
        }
    }

    private static func event(_ event: WireEvent) -> PluginEvent {
        PluginEvent(
            id: event.id, attempt: event.attempt, receivedAt: event.receivedAt, kind: event.kind, method: event.method, query: event.query,
            headers: event.headers.map { ($0.name, $0.value) }, body: event.body)
    }
}
