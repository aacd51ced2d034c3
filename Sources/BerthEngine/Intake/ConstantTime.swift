// Comparison of secrets: takes the same time wherever the two differ.

/// Compares without telling where the difference is. Lengths are not secret.
enum ConstantTime {
    @inline(never)
    static func equal(_ a: UnsafeRawBufferPointer, _ b: UnsafeRawBufferPointer) -> Bool {
        guard a.count == b.count else { return false }
        var difference: UInt8 = 0
        for index in 0..<a.count { difference |= a[index] ^ b[index] }
        return difference == 0
    }
}
