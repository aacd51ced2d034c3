// The C host's cases by name, and its plan made from a manifest.

import BerthModel
import CBerthHostileHost
import Foundation

/// What `CBerthHostileHost` offers.
enum HostileCases {
    /// All cases, in order.
    static let names: [String] = (0...).lazy.map { hostile_case_name($0) }.prefix { $0 != nil }.compactMap {
        $0.map { String(cString: $0) }
    }

    /// What a case looks for; `load` is not the C host's.
    static func purpose(_ name: String) -> String {
        name == "load" ? "loads as the daemon loads it" : hostile_case_purpose(name).map { String(cString: $0) } ?? ""
    }

    /// Runs a case in this process; lines go to `report`. Answers 0 when nothing failed.
    static func run(_ name: String, _ bundle: CheckedBundle, settings: String, seed: UInt64, report: Int32) -> Int32 {
        let manifest = bundle.manifest
        // The process ends with the case: what C borrows is never given back.
        func lasting(_ text: String) -> UnsafePointer<CChar>? { UnsafePointer(strdup(text)) }
        func lasting(_ texts: [String]) -> UnsafePointer<UnsafePointer<CChar>?>? {
            let list = UnsafeMutablePointer<UnsafePointer<CChar>?>.allocate(capacity: texts.count + 1)
            for (index, text) in texts.enumerated() { (list + index).initialize(to: lasting(text)) }
            (list + texts.count).initialize(to: nil)
            return UnsafePointer(list)
        }
        let events = UnsafeMutableBufferPointer<hostile_event>.allocate(capacity: bundle.fixtures.count)
        for (index, fixture) in bundle.fixtures.enumerated() {
            let body = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: max(1, fixture.body.count))
            _ = body.initialize(from: fixture.body)
            events.initializeElement(
                at: index,
                to: hostile_event(
                    name: lasting(fixture.name), kind: lasting(fixture.kind), body: UnsafePointer(body.baseAddress),
                    body_length: fixture.body.count))
        }
        var declares: UInt32 = 0
        if manifest.webhook != nil { declares |= HOSTILE_EVENTS }
        if manifest.streams.contains(where: \.isReadable) { declares |= HOSTILE_READS }
        if manifest.streams.contains(where: \.isWritable) { declares |= HOSTILE_WRITES }
        if !manifest.actions.isEmpty { declares |= HOSTILE_ACTIONS }
        if manifest.webhook?.schemes.contains(.plugin) == true { declares |= HOSTILE_VERIFIES }
        var plan = hostile_plan(
            library: lasting(bundle.library), settings: lasting(settings), base_url: lasting(bundle.baseURL),
            streams: lasting(manifest.streams.map(\.name.text)), actions: lasting(manifest.actions.map(\.name)),
            hosts: lasting(bundle.hosts),
            events: UnsafePointer(events.baseAddress), event_count: events.count, seed: seed,
            concurrency: UInt32(manifest.runtime.maxConcurrency), declares: declares)
        return hostile_run(&plan, name, report)
    }
}
