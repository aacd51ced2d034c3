// What is not loaded, and what the refusal says.

import BerthLoader
import Foundation
import Testing

@Suite struct RefusalTests {
    private func refusal(_ path: String) throws -> LoadRefusal {
        try #require(throws: LoadRefusal.self) { try LoadedPlugin.load(path) }
    }

    // Without this a library without the entry would be called at a random address, or not at all.
    @Test func aLibraryWithAnotherEntryIsRefused() throws {
        let refusal = try refusal(try Variant.library("ENTRY=berth_plugin_entry"))
        #expect(refusal.cause == .noEntry && refusal.pluginValue.contains("berth_plugin_entry_v1"))
    }

    // Without RTLD_NOW the missing function would be found in the middle of a call, and end the process.
    @Test func aMissingFunctionIsFoundAtLoad() throws {
        let refusal = try refusal(try Variant.library("MISSING"))
        #expect(refusal.cause == .unresolved)
        #expect(refusal.pluginValue.contains("a_function_that_exists_nowhere") && !refusal.pluginValue.contains("/proc/self"))
    }

    // Without this a half-copied library would be mapped and end the process with SIGBUS at its first missing page.
    @Test func everyTruncationIsRefusedOrHarmless() throws {
        let whole = try Variant.bytes()
        var refused = 0
        for length in Array(stride(from: 0, to: whole.count, by: 509)) + [1, 3, 4, 16, 63, 64, 65] {
            do throws(LoadRefusal) { _ = try LoadedPlugin.load(try! Variant.file("cut", whole.prefix(length))) } catch {
                refused += 1
                #expect([.truncated, .notELF].contains(error.cause), "\(length) bytes: \(error)")
            }
        }
        // Only the section headers at the end are not needed to run.
        #expect(refused > 16)
    }

    // Without this the operator would read the dynamic linker's "invalid ELF header" for a text file, or hang on a pipe.
    @Test func whatIsNoLibraryIsRefused() throws {
        #expect(try refusal(try Variant.file("text", Data("#!/bin/sh\necho hello, this is no library\n".utf8))).cause == .notELF)
        #expect(try refusal("\(Variant.folder)/absent.so").cause == .libraryMissing)
        #expect(try refusal(Variant.folder).cause == .libraryMissing)
        #expect(try refusal("/dev/zero").cause == .libraryMissing)
        let pipe = "\(Variant.folder)/pipe-\(UUID().uuidString)"
        try #require(mkfifo(pipe, 0o600) == 0)
        #expect(try refusal(pipe).cause == .libraryMissing)
        #expect(try refusal("/proc/self/exe").cause == .notELF || refusal("/proc/self/exe").cause == .unresolved)
    }

    // Without this a library for another machine would be refused as "no such file", as the dynamic linker puts it.
    @Test func anotherMachinesLibraryIsNamed() throws {
        #if arch(arm64)
            let other: (number: UInt8, name: String) = (62, "x86_64")
        #else
            let other: (number: UInt8, name: String) = (183, "aarch64")
        #endif
        var bytes = try Variant.bytes()
        bytes[18] = other.number
        let machine = try refusal(try Variant.file("machine", bytes))
        #expect(
            machine.cause == .wrongPlatform && machine.pluginValue == "built for \(other.name)" && machine.hostValue.hasPrefix("linux-"))
        bytes = try Variant.bytes()
        bytes[4] = 1
        #expect(try refusal(try Variant.file("narrow", bytes)).pluginValue.hasSuffix(", 32-bit"))
        bytes = try Variant.bytes()
        bytes[5] = 2
        #expect(try refusal(try Variant.file("order", bytes)).pluginValue.hasSuffix(", big-endian"))
    }

    // Without this a plugin of another ABI would be called with the wrong table.
    @Test(arguments: ["ABI=0", "ABI=2", "ABI=4294967295u"]) func anotherABIIsRefused(_ define: String) throws {
        let refusal = try refusal(try Variant.library(define))
        #expect(refusal.cause == .abiMismatch && refusal.hostValue == "ABI 1" && refusal.pluginValue != refusal.hostValue)
    }

    // Without this a table too short for create, or of a nonsensical length, would be used.
    @Test(arguments: ["0", "4", "16", "20", "23", "4097", "4294967295u"]) func aTableWithoutCreateIsRefused(_ size: String) throws {
        #expect(try refusal(try Variant.library("TABLE_SIZE=\(size)")).cause == .badTable)
    }

    // Without this a plugin that could not start would be given work.
    @Test(arguments: ["7", "-1", "12"]) func anEntryThatFailsIsRefused(_ answer: String) throws {
        let refusal = try refusal(try Variant.library("ANSWER=\(answer)"))
        #expect(refusal.cause == .entryFailed && refusal.pluginValue.contains(answer))
    }

    // Without this two causes would end with the same exit code, and a script could not tell them apart.
    @Test func everyCauseHasItsOwnCode() {
        #expect(Set(LoadRefusal.Cause.allCases.map(\.code)).count == LoadRefusal.Cause.allCases.count)
        #expect(LoadRefusal.Cause.allCases.allSatisfy { (20...39).contains($0.rawValue) })
    }
}
