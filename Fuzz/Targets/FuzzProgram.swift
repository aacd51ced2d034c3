// The fuzz program: feeds a parser of untrusted bytes until it breaks a promise. BERTH_FUZZ_TARGET names the parser; arguments are
// libFuzzer's, which brings main. `Scripts/fuzz` builds it with coverage and address checks; it is no part of an ordinary build.

import Foundation

private let targets: [String: @Sendable (UnsafePointer<UInt8>?, Int) -> CInt] = [
    "frames": frames, "json": json, "control": control, "manifest": manifest, "url": url, "schedule": schedule, "zone": zone,
    "signature": signature, "selectors": selectors, "throttle": throttle, "headers": headers, "values": values, "escapes": escapes,
    "canary": canary,
]

private let target: @Sendable (UnsafePointer<UInt8>?, Int) -> CInt = {
    let name = ProcessInfo.processInfo.environment["BERTH_FUZZ_TARGET"] ?? ""
    if let target = targets[name] { return target }
    FileHandle.standardError.write(Data("BERTH_FUZZ_TARGET '\(name)' is none of \(targets.keys.sorted().joined(separator: " "))\n".utf8))
    exit(64)
}()

@c public func LLVMFuzzerTestOneInput(_ data: UnsafePointer<UInt8>?, _ count: Int) -> CInt { target(data, count) }

/// The input as bytes.
func bytes(_ data: UnsafePointer<UInt8>?, _ count: Int) -> [UInt8] { Array(UnsafeBufferPointer(start: data, count: count)) }
/// The input as text; what is not UTF-8 is repaired.
func text(_ data: UnsafePointer<UInt8>?, _ count: Int) -> String {
    String(decoding: UnsafeBufferPointer(start: data, count: count), as: UTF8.self)
}

/// Must crash, and soon: a fuzzer that finds nothing here would find nothing anywhere.
@Sendable func canary(_ data: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let input = bytes(data, count)
    if input.count == 6, input.starts(with: Array("ber".utf8)), input[3] ^ input[4] == 0x55, input[5] > 0xF0 {
        preconditionFailure("the canary")
    }
    return 0
}
