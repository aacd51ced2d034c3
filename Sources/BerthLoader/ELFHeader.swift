// A look at a library's header before the dynamic linker sees it: its errors name neither platform nor truncation.

/// The part of an ELF file that says whether it can be loaded here.
enum ELFHeader {
    #if arch(x86_64)
        static let machine: UInt16 = 62
        static let machineName = "x86_64"
    #elseif arch(arm64)
        static let machine: UInt16 = 183
        static let machineName = "aarch64"
    #endif

    /// Refuses what is no complete shared library for this machine.
    static func check(_ bytes: UnsafeRawBufferPointer, at place: String) throws(LoadRefusal) {
        let hint = "build it as a shared library on linux-\(machineName)"
        guard bytes.count >= 4, bytes[0] == 0x7F, bytes[1] == 0x45, bytes[2] == 0x4C, bytes[3] == 0x46 else {
            throw LoadRefusal(.notELF, at: place, pluginValue: "the file is no ELF library", hint: hint)
        }
        guard bytes.count >= 64 else {
            throw LoadRefusal(.truncated, at: place, pluginValue: "\(bytes.count) bytes, less than an ELF header", hint: hint)
        }
        let found = bytes.loadUnaligned(fromByteOffset: 18, as: UInt16.self)
        guard bytes[4] == 2, bytes[5] == 1, found == machine else {
            let names: [UInt16: String] = [3: "i386", 40: "arm", 62: "x86_64", 183: "aarch64", 243: "riscv"]
            let width = bytes[4] == 1 ? ", 32-bit" : ""
            let order = bytes[5] == 2 ? ", big-endian" : ""
            let name = bytes[5] == 2 ? "another machine" : names[found] ?? "machine \(found)"
            throw LoadRefusal(
                .wrongPlatform, at: place, pluginValue: "built for \(name)\(width)\(order)", hostValue: "linux-\(machineName)", hint: hint)
        }
        guard bytes.loadUnaligned(fromByteOffset: 16, as: UInt16.self) == 3 else {
            throw LoadRefusal(.notELF, at: place, pluginValue: "an ELF file that is no shared library", hint: "link it with -shared")
        }
        let headers = Int(clamping: bytes.loadUnaligned(fromByteOffset: 32, as: UInt64.self))
        let size = Int(bytes.loadUnaligned(fromByteOffset: 54, as: UInt16.self))
        let count = Int(bytes.loadUnaligned(fromByteOffset: 56, as: UInt16.self))
        guard size >= 56, headers <= bytes.count, headers + size * count <= bytes.count else {
            throw LoadRefusal(
                .truncated, at: place, pluginValue: "\(bytes.count) bytes, its program headers end beyond", hint: "copy the file again")
        }
        for index in 0..<count {
            let at = headers + index * size
            guard bytes.loadUnaligned(fromByteOffset: at, as: UInt32.self) == 1 else { continue }
            let end = bytes.loadUnaligned(fromByteOffset: at + 8, as: UInt64.self).addingReportingOverflow(
                bytes.loadUnaligned(fromByteOffset: at + 32, as: UInt64.self))
            guard !end.overflow, end.partialValue <= UInt64(bytes.count) else {
                throw LoadRefusal(
                    .truncated, at: place, pluginValue: "\(bytes.count) bytes, a segment ends at \(end.partialValue)",
                    hint: "copy the file again")
            }
        }
    }
}
