// Events, records and runs over the control API.

public import BerthControlAPI
public import BerthModel
import BerthSeams

extension ControlPlane {
    public func listRuns(_ query: ListQuery) async throws(BerthError) -> List<RunView> {
        try refuseUnknown(query, known: ["connection", "stream", "status", "limit", "cursor"])
        var stream: StreamName?
        if let text = query["stream"] {
            stream = StreamName(text)
            if stream == nil { throw BerthError(.invalid, "stream: '\(text)' is no stream name") }
        }
        let status: RunStatus? = try choice(query, "status")
        let page = try await store.runs(connection: try connection(query), stream: stream, status: status, page: try page(query))
        return List(items: page.items.map(view), next: page.next)
    }

    public func showRun(_ id: String) async throws(BerthError) -> RunView {
        guard let runID = RunID(id), let run = try await store.run(runID) else { throw Self.noRun(id) }
        return view(run)
    }

    /// With what keeps a queued run from its turn.
    func view(_ run: SyncRun) -> RunView {
        var view = RunView(run, now: clock.now())
        guard run.status == .queued, let connection = connections.directory.connection(run.connection) else { return view }
        if connection.status == .paused {
            view.waits_for = "connection '\(connection.name)' is paused; berthctl connection resume \(connection.name)"
        } else if host.manifest(of: run.provider) == nil {
            view.waits_for = "plugin '\(run.provider)' is not loaded; berthctl plugin list, then install or reload it"
        }
        return view
    }

    public func cancelRun(_ id: String, _ caller: Caller) async throws(BerthError) -> RunView {
        guard let runID = RunID(id), let run = try await store.run(runID) else { throw Self.noRun(id) }
        guard try await syncs.cancel(runID) else {
            throw BerthError(.conflict, "run \(id) has ended", hint: "berthctl sync show \(id)")
        }
        try await audit("sync.cancelled", caller, run.connection, id)
        return view(try await store.run(runID) ?? run)
    }

    private static func noRun(_ id: String) -> BerthError { BerthError(.notFound, "there is no run '\(id)'", hint: "berthctl sync list") }

    public func listEvents(_ query: ListQuery, deadLetters: Bool, _ caller: Caller) async throws(BerthError) -> List<EventView> {
        try refuseUnknown(query, known: ["connection", "provider", "state", "kind", "since", "until", "limit", "cursor"])
        var filter = EventFilter(
            connection: try connection(query), kind: query["kind"], since: try time(query, "since"), until: try time(query, "until"))
        if let text = query["provider"] {
            filter.provider = ProviderName(text)
            if filter.provider == nil { throw BerthError(.invalid, "provider: '\(text)' is no provider's name") }
        }
        if deadLetters {
            filter.states = [.discarded]
        } else if let text = query["state"] {
            filter.states = try text.split(separator: ",").map { part throws(BerthError) in
                guard let state = EventState(rawValue: String(part)) else {
                    throw Self.noChoice("state", String(part), EventState.allCases)
                }
                return state
            }
        }
        let page = try await store.events(filter, page: try page(query))
        await auditRead("events.read", caller, filter.connection, "\(page.items.count) events")
        return List(items: page.items.map { EventView($0, withContents: false) }, next: page.next)
    }

    public func showEvent(_ id: String, _ caller: Caller) async throws(BerthError) -> EventView {
        guard let eventID = EventID(id), let event = try await store.event(eventID) else {
            throw BerthError(.notFound, "there is no event '\(id)'", hint: "berthctl event list")
        }
        await auditRead("event.read", caller, event.connection, event.id.description)
        return EventView(event, withContents: true)
    }

    public func cancelEvent(_ id: String, _ caller: Caller) async throws(BerthError) -> EventView {
        guard let eventID = EventID(id), let event = try await store.event(eventID) else {
            throw BerthError(.notFound, "there is no event '\(id)'", hint: "berthctl event list")
        }
        let isCancelled = try await store.cancelEvent(eventID, now: clock.now())
        let now = try await store.event(eventID) ?? event
        guard isCancelled else {
            throw BerthError(
                .conflict, "event \(id) is \(now.state.rawValue): only events that wait are cancelled",
                hint: now.state == .running ? "try again when its attempt has ended" : "berthctl event show \(id)")
        }
        try await audit("event.cancelled", caller, event.connection, id)
        // What waited behind it is due now.
        dispatchSignal.raise(event.connection)
        return EventView(now, withContents: false)
    }

    public func replay(_ request: ReplayFilter, deadLettersOnly: Bool, _ caller: Caller) async throws(BerthError) -> Replay {
        for (name, isEmpty) in [("ids", request.ids?.isEmpty), ("states", request.states?.isEmpty)] where isEmpty == true {
            throw BerthError(.invalid, "\(name): names none", hint: "leave it out")
        }
        let isDry = request.dry_run ?? false
        let limit = request.limit ?? 10_000
        guard (1...1_000_000).contains(limit) else { throw BerthError(.invalid, "limit: \(limit) is not 1 to 1000000") }
        guard deadLettersOnly || isDry || request.choosesSome else {
            throw BerthError(
                .invalid, "a replay of everything that was ever delivered is not meant: name at least one filter",
                hint: "ids, connection, provider, kind, states, since or until; \"dry_run\": true says which there are")
        }
        // What a person gave up, and what waits for its next attempt anyway, comes back only by its id or its state.
        let states = deadLettersOnly ? [.discarded] : request.states ?? (request.ids == nil ? [.completed, .discarded] : nil)
        var filter = EventFilter(
            ids: request.ids, provider: request.provider, kind: request.kind, states: states, since: request.since, until: request.until)
        if let text = request.connection { filter.connection = try connections.find(text).id }
        let events = try await store.replay(filter, limit: limit, dryRun: isDry, now: clock.now())
        if let id = request.ids?.first, request.ids?.count == 1, events.isEmpty {
            guard let event = try await store.event(id) else {
                throw BerthError(.notFound, "there is no event '\(id)'", hint: "berthctl event list")
            }
            guard connections.directory.connection(event.connection) != nil else {
                throw BerthError(
                    .conflict, "event \(id) can't be replayed: its connection was removed",
                    hint: "berthctl event show \(id) has what was delivered")
            }
            throw BerthError(
                .conflict, "event \(id) is \(event.state.rawValue): only settled events are replayed", hint: "berthctl event show \(id)")
        }
        if !isDry, !events.isEmpty {
            try await audit(
                deadLettersOnly ? "dead-letters.redriven" : "events.replayed", caller, filter.connection, "\(events.count) events")
            dispatchSignal.raiseAll()
        }
        return Replay(dry_run: isDry, events: events)
    }

    public func listRecords(_ entity: String, _ query: ListQuery, _ caller: Caller) async throws(BerthError) -> List<JSONValue> {
        let name = try entityName(entity)
        if let text = query["deleted"], !["true", "false"].contains(text) {
            throw BerthError(.invalid, "deleted: '\(text)' is neither true nor false")
        }
        var wish = RecordQuery(includesDeleted: query["deleted"] == "true")
        if let sort = query["sort"] {
            wish.isDescending = sort.hasPrefix("-")
            wish.sort = wish.isDescending ? String(sort.dropFirst()) : sort
        }
        for field in query.fields where !["sort", "deleted", "limit", "cursor"].contains(field.name) {
            wish.conditions.append(try condition(field))
        }
        let page = try await store.records(name, wish, page: try page(query))
        // Names of fields only: a value may be somebody's phone number.
        let fields = query.fields.map(\.name).joined(separator: " ")
        await auditRead(
            "records.read", caller, nil, "\(page.items.count) of \(entity)" + (fields.isEmpty ? "" : " by \(fields.prefix(200))"))
        return List(items: page.items.map(Self.json), next: page.next)
    }

    public func showRecord(_ entity: String, _ id: String, _ caller: Caller) async throws(BerthError) -> JSONValue {
        let name = try entityName(entity)
        guard let recordID = RecordID(id), let record = try await store.record(name, recordID) else {
            throw BerthError(.notFound, "there is no \(entity) '\(id)'", hint: "berthctl record list \(entity)")
        }
        await auditRead("record.read", caller, record.connection, "\(entity) \(record.id)")
        return Self.json(record)
    }

    private func entityName(_ text: String) throws(BerthError) -> EntityName {
        guard let name = EntityName(text) else { throw BerthError(.notFound, "there is no entity '\(text)'") }
        return name
    }

    /// `status=completed`, `started_at[gte]=2026-01-01`; a connection may be named.
    private func condition(_ field: (name: String, value: String)) throws(BerthError) -> RecordQuery.Condition {
        guard let bracket = field.name.firstIndex(of: "["), field.name.hasSuffix("]") else {
            let isName = field.name == "connection" && ConnectionID(field.value) == nil
            return .init(field: field.name, value: isName ? try connections.find(field.value).id.description : field.value)
        }
        let word = String(field.name[field.name.index(after: bracket)...].dropLast())
        guard let comparison = RecordQuery.Condition.Operator(rawValue: word) else {
            throw Self.noChoice(field.name, word, RecordQuery.Condition.Operator.allCases)
        }
        return .init(field: String(field.name[..<bracket]), comparison: comparison, value: field.value)
    }

    private func choice<Value: RawRepresentable<String> & CaseIterable>(_ query: ListQuery, _ name: String) throws(BerthError) -> Value? {
        guard let text = query[name] else { return nil }
        guard let value = Value(rawValue: text) else { throw Self.noChoice(name, text, Array(Value.allCases)) }
        return value
    }

    static func noChoice<Value: RawRepresentable<String>>(_ name: String, _ text: String, _ all: [Value]) -> BerthError {
        let names = all.map(\.rawValue)
        let nearest = NearestName.of(text, among: names).map { "; did you mean '\($0)'?" } ?? ""
        return BerthError(.invalid, "\(name): '\(text)' is not known\(nearest)", hint: "one of \(names.joined(separator: ", "))")
    }

    /// A record as a flat object, the original under `raw`.
    static func json(_ record: Record) -> JSONValue {
        var members = record.fields
        members["id"] = .string(record.id.description)
        members["workspace"] = .string(record.workspace.text)
        members["provider"] = .string(record.provider.text)
        members["connection"] = .string(record.connection.description)
        members["external_id"] = .string(record.externalID)
        members["created_at"] = .string(record.createdAt.description)
        members["updated_at"] = .string(record.updatedAt.description)
        members["deleted_at"] = record.deletedAt.map { .string($0.description) } ?? .null
        members["raw"] = JSONValue(verbatim: record.raw) ?? .string(record.raw)
        return .object(members)
    }
}
