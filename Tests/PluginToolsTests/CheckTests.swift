// berthctl plugin check: finds the fault a plugin has, and none where there is none.

import Foundation
import Testing

@Suite struct CheckTests {
    /// A fault, the case that must find it, and the exit status.
    struct Fault: Sendable, CustomTestStringConvertible {
        let define: String
        let found: String
        let status: Int32
        var testDescription: String { define }
        init(_ define: String, by found: String, _ status: Int32) {
            self.define = "FAULT_" + define
            self.found = found
            self.status = status
        }
    }

    static let faults: [Fault] = [
        .init("SECOND_EXPORT", by: "exports", 44), .init("OTHER_ABI", by: "load", 26), .init("REFUSES", by: "load", 27),
        .init("OFFERS_NO_READ", by: "manifest-matches", 40), .init("READS_PAST_ID", by: "interface-ids", 41),
        .init("ANSWERS_PREFIXES", by: "interface-ids", 40), .init("READS_PAST_HOST", by: "older-host", 41),
        .init("CALLS_BEYOND", by: "newer-host", 40), .init("NEEDS_HTTP", by: "without-http", 41),
        .init("NEEDS_HTTP", by: "without-anything", 41),
        .init("TRUSTS_SETTINGS", by: "settings", 41), .init("UNDECLARED_STREAM", by: "events", 40), .init("EMPTY_KEY", by: "events", 40),
        .init("OTHER_ITEM", by: "events", 40), .init("NO_STATUS", by: "events", 40), .init("STDOUT", by: "events", 40),
        .init("HANDLER", by: "events", 40), .init("READS_PAST_BODY", by: "events", 41), .init("TRUSTS_JSON", by: "malformed-events", 41),
        .init("DEPENDS_ON_PLACE", by: "repeated-events", 40), .init("RECURSES", by: "huge-events", 41),
        .init("TAKES_ANY_ANSWER", by: "provider-answers", 40), .init("KEEPS_RESPONSE", by: "provider-answers", 41),
        .init("TRUSTS_STATE", by: "foreign-state", 41), .init("IGNORES_CANCEL", by: "cancel", 42),
        .init("OTHER_HOST", by: "provider-answers", 40),
        .init("CHECKPOINTS_FIRST", by: "resume", 40), .init("NO_LAST_CHECKPOINT", by: "provider-answers", 40),
        .init("CALLS_LATE", by: "stale", 40),
        .init("HIDES_REFUSAL", by: "failing-calls", 40), .init("VERIFIES_ALL", by: "tampered-signatures", 40),
        .init("NOT_PARALLEL", by: "parallel", 40), .init("LEAKS", by: "leak", 43),
    ]

    // Without this a case could look for something and never see it.
    @Test(arguments: faults) func aFaultIsFoundByItsCase(_ fault: Fault) throws {
        let bundle = try Tools.bundle(fault.define)
        let cases = ["exports", "load"].contains(fault.found) ? ["--case", "manifest-matches"] : ["--case", fault.found]
        let ended = try Tools.run(
            "\(Tools.products)/berthctl", ["plugin", "check", bundle, "--seed", "1", "--timeout", "3", "--output", "json"] + cases)
        #expect(ended.status == fault.status, "\(ended.output)")
        let report = try #require(try JSONSerialization.jsonObject(with: Data(ended.output.utf8)) as? [String: Any])
        let bad = (report["cases"] as? [[String: Any]] ?? []).filter { !["passed", "skipped"].contains($0["result"] as? String) }
        #expect(bad.contains { $0["name"] as? String == fault.found }, "\(ended.output)")
        #expect(report["exit_status"] as? Int == Int(fault.status) && report["seed"] as? Int == 1)
        // What it tells is enough to see it again.
        if let again = bad.first?["reproduce"] as? String, !again.isEmpty, fault.status != 42 {
            #expect(try Tools.run("/bin/sh", ["-c", again]).status != 0)
        }
    }

    // Without this a sound plugin could be called faulty by chance.
    @Test(arguments: 1...4) func aSoundPluginIsSoundWithEverySeed(_ seed: Int) throws {
        let bundle = try Tools.bundle()
        let ended = try Tools.berthctl("plugin", "check", bundle, "--seed", String(seed))
        #expect(ended.status == 0, "\(ended.output)")
        #expect(ended.output.contains("sound: ") && !ended.output.contains("FAIL"))
    }

    // Without this our own plugins could break the rules we hold others to.
    @Test(arguments: ["ringba", "retreaver", "trackdrive"]) func theShippedPluginsAreSound(_ id: String) throws {
        let bundle = try Tools.folder() + "/\(id)"
        try FileManager.default.copyItem(atPath: "\(Tools.root)/Plugins/\(id)", toPath: bundle)
        try FileManager.default.copyItem(atPath: "\(Tools.products)/lib\(id).so", toPath: "\(bundle)/lib\(id).so")
        #expect(try Tools.berthctl("plugin", "seal", bundle).status == 0)
        let ended = try Tools.berthctl("plugin", "check", bundle)
        #expect(ended.status == 0, "\(ended.output)")
    }

    // Without this CI would have to read tables, and a broken report would go unnoticed.
    @Test func theJUnitFileIsXMLWithEveryCase() throws {
        let bundle = try Tools.bundle("FAULT_EMPTY_KEY")
        let path = try Tools.folder() + "/junit.xml"
        let ended = try Tools.berthctl(
            "plugin", "check", bundle, "--junit", path, "--seed", "1", "--case", "events", "--case", "interface-ids", "--case", "actions")
        #expect(ended.status == 40)
        let read = try Tools.run(
            "/usr/bin/env",
            [
                "python3", "-c",
                "import sys,xml.etree.ElementTree as t; r=t.parse(sys.argv[1]).getroot(); "
                    + "print(r.get('tests'), r.get('failures'), r.get('skipped'), len(r.findall('testcase')), r.find('testcase/failure').get('type'))",
                path,
            ])
        #expect(read.output == "5 1 1 5 failed\n", "\(read.output) \(read.errors)")
    }

    // Without this a mistake in the bundle itself would look like a fault of the plugin.
    @Test func aBundleThatIsNoneHasAStatusOfItsOwn() throws {
        #expect(try Tools.berthctl("plugin", "check", "/nonexistent/bundle").status == 66)
        #expect(try Tools.berthctl("plugin", "check", try Tools.bundle(manifest: "id = 7\n")).status == 65)
        let bundle = try Tools.bundle()
        try FileManager.default.removeItem(atPath: "\(bundle)/libfaulty.so")
        #expect(try Tools.berthctl("plugin", "check", bundle).status == 20)
        try Data("text".utf8).write(to: URL(filePath: "\(bundle)/libfaulty.so"))
        #expect(try Tools.berthctl("plugin", "check", bundle).status == 21)
        #expect(try Tools.berthctl("plugin", "check", try Tools.bundle(), "--case", "no-such-case").status == 64)
        #expect(try Tools.berthctl("plugin", "check", "--list").output.contains("malformed-events"))
    }
}
