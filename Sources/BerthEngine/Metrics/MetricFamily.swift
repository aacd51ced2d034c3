// Counters, gauges and histograms with labels, cheap to change and rendered as Prometheus text 0.0.4.
// Own code and not a swift-metrics backend: none is among the packages Berth can depend on, and the families are
// few, fixed and documented by name.

import Synchronization

/// One metric family.
final class MetricFamily: Sendable {
    enum Kind: String, Sendable { case counter, gauge, histogram }

    let name: String
    let help: String
    let kind: Kind
    let labels: [String]
    /// Upper bounds of a histogram's buckets, in seconds, ascending.
    let bounds: [Double]
    private let series = Mutex<[[String]: Series]>([:])
    /// Label sets kept; further ones are added up under the label value "other", so that a provider cannot fill memory.
    private let seriesMax = 2000

    struct Series {
        var value: Double = 0
        var count: UInt64 = 0
        var buckets: [UInt64] = []
    }

    init(_ kind: Kind, _ name: String, _ help: String, labels: [String] = [], bounds: [Double] = []) {
        self.kind = kind
        self.name = name
        self.help = help
        self.labels = labels
        self.bounds = bounds
    }

    /// Adds to a counter or gauge.
    func add(_ amount: Double = 1, _ values: [String] = []) {
        change(values) { $0.value += amount }
    }

    /// Sets a gauge.
    func set(_ amount: Double, _ values: [String] = []) {
        change(values) { $0.value = amount }
    }

    /// Adds an observation to a histogram, `times` times.
    func observe(_ amount: Double, times: UInt64 = 1, _ values: [String] = []) {
        change(values) { series in
            if series.buckets.isEmpty { series.buckets = Array(repeating: 0, count: bounds.count) }
            for (index, bound) in bounds.enumerated() where amount <= bound { series.buckets[index] += times }
            series.value += amount * Double(times)
            series.count += times
        }
    }

    /// Forgets all series; for gauges that are set anew at each scrape.
    func reset() { series.withLock { $0.removeAll(keepingCapacity: true) } }

    /// Forgets the series whose labels' values are not kept.
    func keep(_ isKept: ([String]) -> Bool) { series.withLock { $0 = $0.filter { isKept($0.key) } } }

    private func change(_ values: [String], _ body: (inout Series) -> Void) {
        series.withLock { series in
            var key = values
            if series[key] == nil, series.count >= seriesMax { key = labels.map { _ in "other" } }
            body(&series[key, default: Series()])
        }
    }

    /// Appends the family in text form.
    func render(to out: inout String) {
        out += "# HELP \(name) \(help)\n# TYPE \(name) \(kind.rawValue)\n"
        let snapshot = series.withLock { $0 }
        if snapshot.isEmpty, labels.isEmpty, kind != .histogram { out += "\(name) 0\n" }
        for (values, series) in snapshot.sorted(by: { $0.key.lexicographicallyPrecedes($1.key) }) {
            switch kind {
            case .counter, .gauge:
                out += "\(name)\(labelText(values)) \(Self.text(series.value))\n"
            case .histogram:
                for (bound, count) in zip(bounds, series.buckets) {
                    out += "\(name)_bucket\(labelText(values, extra: ("le", Self.text(bound)))) \(count)\n"
                }
                out += "\(name)_bucket\(labelText(values, extra: ("le", "+Inf"))) \(series.count)\n"
                out += "\(name)_sum\(labelText(values)) \(Self.text(series.value))\n"
                out += "\(name)_count\(labelText(values)) \(series.count)\n"
            }
        }
    }

    private func labelText(_ values: [String], extra: (String, String)? = nil) -> String {
        var parts = zip(labels, values).map { "\($0)=\"\(Self.escaped($1))\"" }
        if let extra { parts.append("\(extra.0)=\"\(extra.1)\"") }
        return parts.isEmpty ? "" : "{" + parts.joined(separator: ",") + "}"
    }

    private static func text(_ value: Double) -> String {
        value == value.rounded() && abs(value) < 1e15 ? String(Int64(value)) : "\(value)"
    }

    private static func escaped(_ value: String) -> String {
        var out = ""
        for character in value {
            switch character {
            case "\\": out += "\\\\"
            case "\"": out += "\\\""
            case "\n", "\r\n": out += "\\n"
            default: out.append(character)
            }
        }
        return out
    }
}
