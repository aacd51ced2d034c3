// berth-plugin-check, which berthctl becomes for commands that look into bundles: it loads plugins, which berthctl never does.

import Foundation
import Glibc

/// The program beside berthctl.
enum CheckProgram {
    /// Replaces this process; returns only when there is no such program.
    static func become(_ arguments: [String]) throws -> Never {
        let places = Installation.folders.flatMap { ["\($0)/berth-plugin-check", "\($0)/../lib/berth/berth-plugin-check"] }
        guard let program = places.first(where: { access($0, X_OK) == 0 }) else {
            throw Exit(
                code: 69, message: "berth-plugin-check is not beside berthctl",
                hint: "install Berth again, or: swift build --product berth-plugin-check")
        }
        var words: [UnsafeMutablePointer<CChar>?] = ([program] + arguments).map { strdup($0) }
        words.append(nil)
        execv(program, words)
        throw Exit.system("\(program) can't be started: \(String(cString: strerror(errno)))")
    }
}

/// Where this berthctl was installed or built.
enum Installation {
    /// The folder of the running program, as called and with links followed.
    static let folders: [String] = {
        let called = URL(filePath: CommandLine.arguments[0]).deletingLastPathComponent().path
        guard let real = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe") else { return [called] }  // no /proc: as called
        return [URL(filePath: real).deletingLastPathComponent().path]
    }()

    /// The folder that holds the SDKs: installed, or of the source tree that berthctl was built in.
    static func sdk(_ given: String?) throws -> String {
        func isSDK(_ path: String) -> Bool { FileManager.default.fileExists(atPath: "\(path)/c/include/berth/plugin.h") }
        if let given = given ?? ProcessInfo.processInfo.environment["BERTH_SDK"] {
            let path = URL(filePath: given).standardizedFileURL.path
            guard isSDK(path) else {
                throw Exit(
                    code: 66, message: "\(path) holds no SDK", hint: "it is the folder plugin-sdk, with c/include/berth/plugin.h in it")
            }
            return path
        }
        for folder in folders {
            let installed = URL(filePath: "\(folder)/../share/berth/plugin-sdk").standardizedFileURL.path
            if isSDK(installed) { return installed }
            var place = URL(filePath: folder)
            while place.path != "/" {
                if isSDK("\(place.path)/plugin-sdk") { return "\(place.path)/plugin-sdk" }
                place.deleteLastPathComponent()
            }
        }
        throw Exit(code: 66, message: "the plugin SDK is not found", hint: "give its folder: --sdk /path/to/plugin-sdk, or BERTH_SDK")
    }
}
