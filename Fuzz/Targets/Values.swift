// The Swift SDK's values. A file of its own: the SDK's JSON types have the names of the daemon's.

import BerthPluginSDK

/// What every adapter of the Swift SDK reads values with: any text and any number of a delivery or a row.
@Sendable func values(_ data: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let input = text(data, count)
    if let plain = DecimalText.plain(input) { precondition(DecimalText.isPlain(plain.utf8), "no plain number: \(plain)") }
    if let number = PhoneNumber.e164(input) { precondition(PhoneNumber.isE164(number.utf8), "no number: \(number)") }
    _ = Truth.value(input)
    _ = ProviderTime(input)?.rfc3339
    // The same as a value of a JSON document, as a number where it is one.
    var quoted = JSONWriter(capacity: count + 2)
    quoted.value(input)
    for json in [quoted.bytes, Array(input.utf8)] {
        guard let node = (try? JSONDocument(json))?.root else { continue }
        if let seconds = WholeSeconds.value(node) {
            precondition(seconds >= 0, "a duration of \(seconds) s")
            _ = ProviderTime.now.adding(seconds: seconds).rfc3339
        }
        if let time = ProviderTime(node) { precondition(time.rfc3339.utf8.count == 24) }
        _ = Truth.value(node)
        _ = node.scalarText.flatMap(DecimalText.plain)
        _ = node.int64
    }
    return 0
}
