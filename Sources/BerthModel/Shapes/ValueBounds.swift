// How large a number and how long a text may be: of a setting in a manifest, and of a value in a JSON Schema.

/// Bounds of a scalar; those that are nil bound nothing. Of other kinds of values than theirs they say nothing.
public struct ValueBounds: Sendable, Hashable {
    /// The least number.
    public var minimum: Double?
    /// The greatest number.
    public var maximum: Double?
    /// Characters that a text has at least.
    public var minLength: Int?
    /// Characters that a text has at most.
    public var maxLength: Int?

    /// Bounds.
    public init(minimum: Double? = nil, maximum: Double? = nil, minLength: Int? = nil, maxLength: Int? = nil) {
        self.minimum = minimum
        self.maximum = maximum
        self.minLength = minLength
        self.maxLength = maxLength
    }

    /// What a value must be and is not: `must be at least 1`; nil: it keeps the bounds. The value itself is not told.
    public func problem(with value: JSONValue) -> String? {
        switch value {
        case .integer(let number): problem(with: Double(number))
        case .number(let number): problem(with: number)
        case .verbatim(let text): Double(text).flatMap { problem(with: $0) }
        case .string(let text): problem(withLength: text.unicodeScalars.count)
        case .null, .bool, .array, .object: nil
        }
    }

    private func problem(with number: Double) -> String? {
        if let minimum, number < minimum { return "must be at least \(Self.text(minimum))" }
        if let maximum, number > maximum { return "must be at most \(Self.text(maximum))" }
        return nil
    }

    private func problem(withLength length: Int) -> String? {
        if let minLength, length < minLength { return minLength == 1 ? "must not be empty" : "must have at least \(minLength) characters" }
        if let maxLength, length > maxLength { return "must have at most \(maxLength) characters" }
        return nil
    }

    /// A bound as people write it: 1, not 1.0.
    static func text(_ bound: Double) -> String { Int64(exactly: bound).map(String.init) ?? "\(bound)" }
}
