// A new plugin's source, made from the SDK's own examples with their name replaced: what is tested there is what is given out.

import ArgumentParser
import Foundation

/// Makes a project.
struct PluginTemplate {
    enum Language: String, EnumerableFlag { case c, swift }

    /// The plugin's id: bundle folder and library name.
    let id: String
    let language: Language
    /// The folder plugin-sdk.
    let sdk: String

    /// 1 to 64 of a-z 0-9 - _, as the manifest wants it.
    static func isID(_ text: String) -> Bool {
        let allowed = Set("abcdefghijklmnopqrstuvwxyz0123456789-_")
        return (1...64).contains(text.count) && text.allSatisfy { allowed.contains($0) } && text.first != "-" && text.first != "_"
    }

    /// `call-box` gives `CallBox`; what begins with a digit gets a P.
    var typeName: String {
        let words = id.split { $0 == "-" || $0 == "_" }.map { $0.prefix(1).uppercased() + $0.dropFirst() }.joined()
        return words.first?.isNumber == true ? "P" + words : words
    }

    /// Writes the project to a folder that does not exist yet, or is empty. Answers the files, relative, in order.
    func write(to folder: String) throws -> [String] {
        if let present = try? FileManager.default.contentsOfDirectory(atPath: folder), !present.isEmpty {  // absent is as good as empty
            throw Exit(code: 73, message: "\(folder) is not empty", hint: "name a new folder")
        }
        var files = language == .c ? try filesC() : try filesSwift()
        files[".gitignore"] = "/\(id)/\n/.build/\n"
        do {
            for (name, content) in files {
                let path = URL(filePath: "\(folder)/\(name)")
                try FileManager.default.createDirectory(at: path.deletingLastPathComponent(), withIntermediateDirectories: true)
                try Data(content.utf8).write(to: path)
            }
        } catch { throw Exit(code: 73, message: "\(folder) can't be written: \(error.localizedDescription)") }
        return files.keys.sorted()
    }

    /// All text files below a folder of the SDK, by relative path.
    private func texts(_ path: String, where isWanted: (String) -> Bool = { _ in true }) throws -> [String: String] {
        var texts: [String: String] = [:]
        let root = "\(sdk)/\(path)"
        guard let names = FileManager.default.enumerator(atPath: root) else { throw Exit(code: 66, message: "\(root) can't be read") }
        for case let name as String in names where isWanted(name) {
            guard names.fileAttributes?[.type] as? FileAttributeType == .typeRegular,
                let data = FileManager.default.contents(atPath: "\(root)/\(name)")
            else { continue }
            texts[name] = String(decoding: data, as: UTF8.self)
        }
        guard !texts.isEmpty else { throw Exit(code: 66, message: "\(root) is empty", hint: "install Berth again, or give another --sdk") }
        return texts
    }

    /// The example's names in a text or file name replaced by the plugin's; longest first.
    private func renamed(_ text: String, from example: String) -> String {
        let capital = example.prefix(1).uppercased() + example.dropFirst()
        return text.replacing("\(capital) (template)", with: typeName)
            .replacing("api.\(example).example", with: "api.\(id.replacing("_", with: "-")).example")
            .replacing(capital, with: typeName).replacing(example, with: id)
    }

    /// With the headers inside: the project needs a C compiler and nothing else.
    private func filesC() throws -> [String: String] {
        var files: [String: String] = [:]
        for (name, text) in try texts("c/template", where: { !$0.hasPrefix("phonebox/") }) {
            files[renamed(name, from: "phonebox")] = renamed(text, from: "phonebox")
        }
        files["Makefile"] = files["Makefile"]?.replacing("SDK: where plugin-sdk/c is.", with: "SDK: the headers it is compiled with.")
            .replacing("SDK ?= ..", with: "SDK ?= sdk")
        for (name, text) in try texts("c/include") { files["sdk/include/\(name)"] = text }
        files["sdk/berth.map"] = try texts("c", where: { $0 == "berth.map" })["berth.map"]
        return files
    }

    /// With the SDK package by its path.
    private func filesSwift() throws -> [String: String] {
        var files: [String: String] = [:]
        for (name, text) in try texts("swift/Examples/callbox", where: { !$0.hasPrefix(".build") && $0 != "Package.resolved" }) {
            files[renamed(name, from: "callbox")] = renamed(text, from: "callbox")
        }
        files["Package.swift"] = files["Package.swift"]?
            .replacing("// Outside of Berth's tree: .package(path: \"/path/to/berth/plugin-sdk/swift\")\n", with: "")
            .replacing(".package(path: \"../..\")", with: ".package(path: \"\(sdk)/swift\")")
        files["Makefile"] = makefile
        return files
    }

    private var makefile: String {
        """
        # Builds the bundle in ./\(id).
        ID = \(id)
        PLATFORM = linux-$(shell uname -m)

        bundle:
        \tswift build -c release --product $(ID)
        \tmkdir -p $(ID)
        \tcp .build/release/lib$(ID).so $(ID)/
        \t[ ! -d Fixtures ] || cp -r Fixtures $(ID)/
        \tsed "s|^\\($(PLATFORM) = { file = \\"lib$(ID).so\\", sha256 = \\"\\)[^\\"]*|\\1$$(sha256sum $(ID)/lib$(ID).so | cut -d' ' -f1)|" \\
        \t    plugin.toml > $(ID)/plugin.toml

        test:
        \tswift test

        clean:
        \trm -rf $(ID) .build

        .PHONY: bundle test clean

        """
    }
}
