// The nearest right name for a wrong one, so that an error can say what was probably meant.

/// Finds near names by edit distance.
public enum NearestName {
    /// The candidate with the smallest edit distance (insert, delete, replace, swap of neighbours), if that is at
    /// most a third of the longer name, rounded up; nil otherwise.
    public static func of(_ name: String, among candidates: some Sequence<String>) -> String? {
        var best: (name: String, distance: Int)?
        for candidate in candidates {
            let distance = distance(Array(name.utf8), Array(candidate.utf8))
            guard distance <= (max(name.utf8.count, candidate.utf8.count) + 2) / 3, distance < best?.distance ?? .max else { continue }
            best = (candidate, distance)
        }
        return best?.name
    }

    private static func distance(_ a: [UInt8], _ b: [UInt8]) -> Int {
        guard !a.isEmpty, !b.isEmpty else { return max(a.count, b.count) }
        var beforeLast = [Int](repeating: 0, count: b.count + 1)
        var last = Array(0...b.count)
        for i in 1...a.count {
            var row = [i]
            row.reserveCapacity(b.count + 1)
            for j in 1...b.count {
                var value = min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1))
                if i > 1, j > 1, a[i - 1] == b[j - 2], a[i - 2] == b[j - 1] { value = min(value, beforeLast[j - 2] + 1) }
                row.append(value)
            }
            beforeLast = last
            last = row
        }
        return last[b.count]
    }
}
