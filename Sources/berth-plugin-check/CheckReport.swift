// All results of a check, as text, JSON and JUnit.

import BerthModel
import Foundation

/// What was found about a bundle.
struct CheckReport {
    let bundle: String
    let seed: UInt64
    var manifest: PluginManifest?
    private(set) var results: [CaseResult] = []

    init(bundle: String, seed: UInt64) {
        self.bundle = bundle
        self.seed = seed
    }

    mutating func add(_ result: CaseResult) { results.append(result) }

    /// A bundle that can't be read at all.
    mutating func refuse(_ refusal: BundleRefusal) {
        var result = CaseResult(name: "bundle", purpose: "is a bundle for this machine", outcome: .refused)
        result.refusalExitCode = refusal.exitCode
        result.messages = [refusal.error.message] + (refusal.error.hint.map { ["hint: \($0)"] } ?? [])
        results.append(result)
    }

    /// Why nothing more was tried.
    var refusal: CaseResult? { results.first { $0.outcome == .refused } }

    /// The worst.
    var worst: CaseResult? {
        let order = CaseResult.Outcome.allCases
        return results.max { (order.firstIndex(of: $0.outcome) ?? 0) < (order.firstIndex(of: $1.outcome) ?? 0) }
    }
    var exitCode: Int32 { worst?.exitCode ?? 0 }

    private static func milliseconds(_ seconds: Double) -> String { "\(Int(seconds * 1000)) ms" }

    private func text(_ result: CaseResult) -> String {
        let mark = result.outcome.isGood ? (result.outcome == .skipped ? "skip" : "ok  ") : "FAIL"
        let word = result.outcome.isGood ? "" : " - \(result.outcome.rawValue)"
        var lines = ["\(mark)  \(result.name): \(result.purpose)\(word) (\(Self.milliseconds(result.seconds)))"]
        lines += result.messages.prefix(result.outcome.isGood ? 3 : 12).map { "        \(Self.printable($0))" }
        if !result.outcome.isGood, !result.reproduce.isEmpty { lines.append("        again: \(result.reproduce)") }
        return lines.joined(separator: "\n")
    }

    func printHeading() {
        if let manifest { print("\(manifest.id) \(manifest.version), seed \(seed)") }
        for result in results { print(text(result)) }
    }

    func printLast() { if let last = results.last { print(text(last)) } }

    /// The last lines of the text form.
    var summary: String {
        let bad = results.filter { !$0.outcome.isGood }
        let refused = refusal.map { text($0) + "\n" } ?? ""
        return refused + (bad.isEmpty ? "sound: " : "not sound: ") + "\(results.count - bad.count) passed or skipped, \(bad.count) failed"
    }

    var json: JSONValue {
        .object([
            "bundle": .string(bundle), "id": manifest.map { .string($0.id.text) } ?? .null,
            "version": manifest.map { .string($0.version) } ?? .null,
            "seed": .integer(Int64(seed)), "outcome": .string(worst?.outcome.rawValue ?? "passed"),
            "exit_status": .integer(Int64(exitCode)),
            "cases": .array(results.map(\.json)),
        ])
    }

    var junit: String {
        let failed = results.filter { !$0.outcome.isGood }.count
        let seconds = results.reduce(0) { $0 + $1.seconds }
        let skipped = results.filter { $0.outcome == .skipped }.count
        let name = "plugin check \(manifest?.id.text ?? bundle)"
        var out = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuite name=\"\(Self.xml(name))\" tests=\"\(results.count)\" "
        out += "failures=\"\(failed)\" skipped=\"\(skipped)\" time=\"\(seconds)\">\n"
        out += "  <properties><property name=\"seed\" value=\"\(seed)\"/></properties>\n"
        for result in results {
            out += "  <testcase classname=\"plugin.check\" name=\"\(Self.xml(result.name))\" time=\"\(result.seconds)\">"
            let detail = Self.xml(result.messages.joined(separator: "\n"))
            if !result.outcome.isGood {
                let first = Self.xml(result.messages.first ?? "")
                out +=
                    "<failure type=\"\(result.outcome.rawValue)\" message=\"\(first)\">\(detail)\n\(Self.xml(result.reproduce))</failure>"
            } else if result.outcome == .skipped {
                out += "<skipped message=\"\(Self.xml(result.messages.first ?? ""))\"/>"
            } else if !detail.isEmpty {
                out += "<system-out>\(detail)</system-out>"
            }
            out += "</testcase>\n"
        }
        return out + "</testsuite>\n"
    }

    /// Without control characters: what a plugin says may hold any.
    private static func printable(_ text: String) -> String {
        String(String.UnicodeScalarView(text.unicodeScalars.map { $0.properties.generalCategory == .control ? "?" : $0 }))
    }

    private static func xml(_ text: String) -> String {
        let clean = text.unicodeScalars.map { $0.value < 32 && $0 != "\n" && $0 != "\t" ? "?" : String($0) }.joined()
        return clean.replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing(">", with: "&gt;").replacing("\"", with: "&quot;")
    }
}
