// check BUNDLE: the manifest, the library's table, and every hostile case in a process of its own.

import ArgumentParser
import BerthModel
import Foundation
import Glibc

struct CheckCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check", abstract: "Treat a bundle's plugin as badly as a host and a provider may.",
        discussion: """
            Each case runs in a process of its own with a time limit and a seed, so that a failure is repeated by the command it prints, under \
            a debugger too. The plugin runs unconfined: check only what you would run.

            Exit status, the worst that was found:
              0   sound
              20  refused: the library is missing
              21  refused: no ELF library
              22  refused: truncated
              23  refused: built for another platform
              24  refused: a symbol is missing
              25  refused: no entry
              26  refused: another ABI
              27  refused: its entry fails
              28  refused: its table is invalid
              29  refused: SHA-256 differs from plugin.toml's
              30  refused by the system
              40  a case failed: a rule of the ABI is broken
              41  crashed
              42  hung
              43  leaks memory
              44  exports other symbols than the entry
              64  usage
              65  plugin.toml is invalid
              66  no bundle there
              73  the JUnit file can't be written
            """)

    @Argument(help: "Bundle folder: plugin.toml, the library, Fixtures.") var bundle: String?
    @Option(name: [.short, .long], help: "table or json.") var output: OutputForm = .table
    @Option(help: "Also write a JUnit report to this file.") var junit: String?
    @Option(help: "Seed of all random choices; a report says which it was.") var seed: UInt64?
    @Option(name: .customLong("timeout"), help: "Longest time for one case, in seconds.") var timeoutSeconds: Int = 30
    @Option(help: "Settings for the plugin's instances, a JSON object; absent: from the manifest.") var settings: String?
    @Option(name: .customLong("case"), help: "Run only this case; may be repeated. --list names all.") var cases: [String] = []
    @Flag(help: "List the cases and what each looks for.") var list = false

    enum OutputForm: String, ExpressibleByArgument, CaseIterable { case table, json }

    func run() throws {
        if list {
            for name in HostileCases.names { print("\(name)  \(HostileCases.purpose(name))") }
            return
        }
        guard let bundle else { throw ValidationError("name a bundle folder") }
        if let unknown = cases.first(where: { !HostileCases.names.contains($0) }) {
            throw ValidationError("no case '\(unknown)'; --list names all")
        }
        guard (1...3600).contains(timeoutSeconds) else { throw ValidationError("--timeout is 1 to 3600 seconds") }
        var report = CheckReport(bundle: bundle, seed: seed ?? UInt64.random(in: 1...0xFFFF_FFFF))
        do throws(BundleRefusal) {
            let checked = try CheckedBundle(path: bundle)
            report.manifest = checked.manifest
            report.add(checked.exports)
            if output == .table { report.printHeading() }
            let runner = CaseRunner(bundle: bundle, seed: report.seed, timeoutSeconds: timeoutSeconds, settings: settings)
            report.add(runner.run("load"))
            if output == .table, report.refusal == nil { report.printLast() }
            // What is not loaded can't be treated badly.
            if report.refusal == nil {
                for name in HostileCases.names where cases.isEmpty || cases.contains(name) {
                    report.add(runner.run(name))
                    if output == .table { report.printLast() }
                }
            }
        } catch { report.refuse(error) }
        if let junit {
            do { try Data(report.junit.utf8).write(to: URL(filePath: junit)) } catch {
                FileHandle.standardError.write(Data("berth-plugin-check: \(junit) can't be written: \(error.localizedDescription)\n".utf8))
                throw ExitCode(73)
            }
        }
        print(output == .json ? report.json.text : report.summary)
        throw ExitCode(report.exitCode)
    }
}
