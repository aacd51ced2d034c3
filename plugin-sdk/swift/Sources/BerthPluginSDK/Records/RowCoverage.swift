// How much of its record a row tells: what a field without a value means depends on it. The store takes a null in a
// record's fields for "take the value back" and leaves alone what is not named.

/// How much of a record a row tells, and so what a field without a value does to the stored one.
///
/// "Without a value" is null, empty text, an unresolved `[token]`, and what cannot be read as the field's kind (it stays
/// in `raw`).
public enum RowCoverage: Sendable, Hashable {
    /// Some facts: fields without a value leave the stored ones alone. For webhooks and pixels.
    case facts
    /// The members it has: one that is there without a value clears the field, one that is missing leaves it alone. For
    /// rows of an API whose columns are not all known, or depend on what was asked for.
    case members
    /// All of it: what has no value, or is missing, clears the field. For rows of an API that leaves empty members out.
    case whole
}
