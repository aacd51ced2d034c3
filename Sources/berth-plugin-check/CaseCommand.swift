// case NAME BUNDLE: one case in this process, as the runner starts it and as a debugger may.

import ArgumentParser
import BerthLoader
import BerthModel
import Foundation
import Glibc

struct CaseCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "case", abstract: "Run one case in this process; lines FAIL, LEAK, SKIP, NOTE, STEP, DONE tell what happens.",
        shouldDisplay: false)

    @Argument(help: "A case of check --list, or load.") var name: String
    @Argument(help: "Bundle folder.") var bundle: String
    @Option(help: "Seed.") var seed: UInt64 = 1
    @Option(help: "Settings, a JSON object.") var settings: String?

    func run() throws {
        // No core of a plugin that is made to crash; and a descriptor of our own, since standard output is watched.
        var limit = rlimit(rlim_cur: 0, rlim_max: 0)
        setrlimit(__rlimit_resource_t(4), &limit)  // RLIMIT_CORE
        let report = fcntl(1, F_DUPFD_CLOEXEC, 100)
        let checked: CheckedBundle
        do { checked = try CheckedBundle(path: bundle) } catch { throw refuse(error) }
        var failed = false
        if name == "load" {
            do throws(LoadRefusal) { _ = try LoadedPlugin.load(SealedImage(path: checked.library), named: checked.library) } catch {
                throw refuse(BundleRefusal(error.error))
            }
        } else {
            guard HostileCases.names.contains(name) else { throw ValidationError("no case '\(name)'") }
            failed = HostileCases.run(name, checked, settings: settings ?? checked.plausibleSettings, seed: seed, report: report) != 0
        }
        let line = Array("DONE\n".utf8)
        _ = line.withUnsafeBytes { write(report, $0.baseAddress, $0.count) }
        // Without running the plugin's destructors: the daemon never does either.
        _exit(failed ? 1 : 0)
    }

    private func refuse(_ refusal: BundleRefusal) -> ExitCode {
        let hint = refusal.error.hint.map { "\nhint: \($0)" } ?? ""
        FileHandle.standardError.write(Data("\(refusal.error.message)\(hint)\n".utf8))
        return ExitCode(refusal.exitCode)
    }
}
