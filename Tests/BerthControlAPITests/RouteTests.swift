// The route table: matching, strict queries, and that documents and request bodies are what the table names.

import BerthControlAPI
import BerthModel
import Testing

@Suite struct RouteTests {
    @Test func everyOperationHasOneRow() {
        // Would break: a route that is served but not in the document, or the other way round.
        #expect(Route.all.map(\.operation.rawValue).sorted() == Route.Operation.allCases.map(\.rawValue).sorted())
        #expect(Set(Route.all).count == Route.all.count)
    }

    @Test func whatChangesSomethingNeedsMoreThanReading() {
        // Would break: a reader that changes things.
        for route in Route.all where route.method != "GET" { #expect(route.permission >= .operate, "\(route.path)") }
        for route in Route.all where route.path.hasPrefix("/v1/records") || route.path.hasPrefix("/v1/events") {
            #expect(route.permission >= .operate, "\(route.path) shows customer data")
        }
    }

    @Test func matching() {
        // Would break: escapes that select another route, or parameters that arrive escaped.
        #expect(Route.match("GET", "/v1/status").route?.operation == .status)
        #expect(Route.match("DELETE", "/v1/status").methods == ["GET"])
        #expect(Route.match("GET", "/v1/connections/a%20b").parameters == ["id": "a b"])
        #expect(Route.match("GET", "/v1/connections/ringba%2Fmain").parameters == ["id": "ringba/main"])
        for path in [
            "/v1/connections/", "/v1/connections/%zz", "/v1/connections/%ff", "/v1/connections/%", "/v1//status", "/v1/status/",
            "v1/status", "",
        ] {
            let match = Route.match("GET", path)
            #expect(match.route == nil && match.methods.isEmpty, "\(path)")
        }
        // By filter and by id share their beginning.
        #expect(Route.match("POST", "/v1/events/replay").route?.operation == .replayEvents)
        #expect(Route.match("POST", "/v1/events/evt_1/replay").route?.operation == .replayEvent)
    }

    @Test func queriesAreReadStrictly() throws {
        // Would break: a filter with a typing error that answers everything.
        let events = try #require(Route.all.first { $0.operation == .listEvents })
        let query = try events.query(from: "kind=a%20b+c&limit=5&state=")
        #expect(query["kind"] == "a b c")
        #expect(query["state"] == nil)
        for (text, words) in [
            ("kin=x", "did you mean 'kind'?"), ("kind=%zz", "percent"), ("%ff=x", "percent"), ("limit=1&limit=2", "twice"),
            ("=x", "no query field"),
        ] {
            let error = try #require(throws: BerthError.self) { try events.query(from: text) }
            #expect(error.message.contains(words), "\(error.message)")
            #expect(error.hint != nil)
        }
        let records = try #require(Route.all.first { $0.operation == .listRecords })
        #expect(try records.query(from: "a[gte]=1&a[lt]=2&a[lt]=3").fields.count == 3)
        #expect(throws: BerthError.self) { try records.query(from: "limit=1&limit=2") }
    }
}
