// Writes a record's fields straight into the batch's buffer. What a field without a value does (one that is absent, null,
// empty, an unresolved token, or cannot be read as its kind) is said by the row's coverage: nothing, or a null, which
// clears the stored value.

/// The fields of one record.
public struct RecordWriter {
    var json: JSONWriter
    let coverage: RowCoverage

    /// Takes the stored value back, whatever the row's coverage.
    public mutating func clear<Kind>(_ field: Field<Kind>) { putNull(field.name) }

    /// Text; numbers as their digits.
    public mutating func set(_ field: Field<FieldKind.Text>, _ value: JSONNode?) {
        guard let value, value.isPresent else { return putEmpty(field.name, isThere: value != nil) }
        switch value.kind {
        case .string: put(field.name, json: value.jsonBytes)
        case .number, .bool: put(field.name, quoted: value.rawBytes)
        default: putEmpty(field.name, isThere: true)
        }
    }

    /// Text.
    public mutating func set(_ field: Field<FieldKind.Text>, _ value: String?) {
        guard let value, !value.isEmpty else { return putEmpty(field.name, isThere: value != nil) }
        json.key(field.name)
        json.value(value)
    }

    /// A phone number in any usual form; see `PhoneNumber`.
    public mutating func set(_ field: Field<FieldKind.Phone>, _ value: JSONNode?) {
        guard let value, value.isPresent else { return putEmpty(field.name, isThere: value != nil) }
        switch value.kind {
        case .string where !value.isEscaped && PhoneNumber.isE164(value.rawBytes): put(field.name, json: value.jsonBytes)
        case .string, .number: set(field, value.scalarText)
        default: putEmpty(field.name, isThere: true)
        }
    }

    /// A phone number in any usual form.
    public mutating func set(_ field: Field<FieldKind.Phone>, _ value: String?) {
        guard let value, !value.isEmpty else { return putEmpty(field.name, isThere: value != nil) }
        json.key(field.name)
        json.value(PhoneNumber.e164(value) ?? value)
    }

    /// A time as in `ProviderTime.init(_:)`.
    public mutating func set(_ field: Field<FieldKind.Time>, _ value: JSONNode?) {
        guard let time = ProviderTime(value) else { return putEmpty(field.name, isThere: value != nil) }
        set(field, time)
    }

    /// A time.
    public mutating func set(_ field: Field<FieldKind.Time>, _ value: ProviderTime?) {
        guard let value else { return putEmpty(field.name, isThere: false) }
        json.key(field.name)
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 24) { buffer in
            value.write(to: buffer)
            json.value(utf8: UnsafeBufferPointer(buffer))
        }
    }

    /// Money, a number or text; its digits stay as they are.
    public mutating func set(_ field: Field<FieldKind.Money>, _ value: JSONNode?) {
        guard let value, value.isPresent, value.kind == .number || value.kind == .string else {
            return putEmpty(field.name, isThere: value != nil)
        }
        if DecimalText.isPlain(value.rawBytes) {
            put(field.name, quoted: value.rawBytes)
        } else if let text = value.scalarText.flatMap(DecimalText.plain) {
            json.key(field.name)
            json.value(text)
        } else {
            putEmpty(field.name, isThere: true)
        }
    }

    /// Seconds: a number, its digits as text (fractions cut), or `h:mm:ss`.
    public mutating func set(_ field: Field<FieldKind.Seconds>, _ value: JSONNode?) {
        guard let value, let seconds = WholeSeconds.value(value) else { return putEmpty(field.name, isThere: value != nil) }
        json.key(field.name)
        json.value(seconds)
    }

    /// A whole number or its digits as text.
    public mutating func set(_ field: Field<FieldKind.Integer>, _ value: JSONNode?) {
        guard let value, let number = value.int64 ?? value.string.flatMap({ Int64($0) }) else {
            return putEmpty(field.name, isThere: value != nil)
        }
        json.key(field.name)
        json.value(number)
    }

    /// A whole number.
    public mutating func set(_ field: Field<FieldKind.Integer>, _ value: Int64?) {
        guard let value else { return putEmpty(field.name, isThere: false) }
        json.key(field.name)
        json.value(value)
    }

    /// A boolean or one of the words of `Truth`.
    public mutating func set(_ field: Field<FieldKind.Flag>, _ value: JSONNode?) {
        guard let flag = value.flatMap(Truth.value) else { return putEmpty(field.name, isThere: value != nil) }
        set(field, flag)
    }

    /// A boolean.
    public mutating func set(_ field: Field<FieldKind.Flag>, _ value: Bool?) {
        guard let value else { return putEmpty(field.name, isThere: false) }
        json.key(field.name)
        json.value(value)
    }

    /// One of a closed list.
    public mutating func set<Value: RawRepresentable<String>>(_ field: Field<FieldKind.Choice<Value>>, _ value: Value?) {
        guard let value else { return putEmpty(field.name, isThere: false) }
        json.key(field.name)
        json.value(value.rawValue)
    }

    /// Any JSON but null.
    public mutating func set(_ field: Field<FieldKind.JSON>, _ value: JSONNode?) {
        guard let value, !value.isNull else { return putEmpty(field.name, isThere: value != nil) }
        put(field.name, json: value.jsonBytes)
    }

    /// JSON of the adapter's own making: `write` adds exactly one value.
    public mutating func set(_ field: Field<FieldKind.JSON>, write: (inout JSONWriter) -> Void) {
        json.key(field.name)
        write(&json)
    }

    /// A field without a value. `isThere`: the row names it all the same.
    private mutating func putEmpty(_ name: StaticString, isThere: Bool) {
        if coverage == .whole || coverage == .members && isThere { putNull(name) }
    }

    private mutating func putNull(_ name: StaticString) {
        json.key(name)
        json.null()
    }

    private mutating func put(_ name: StaticString, json bytes: ArraySlice<UInt8>) {
        json.key(name)
        json.value(json: bytes)
    }

    /// Digits and words, which need no escapes.
    private mutating func put(_ name: StaticString, quoted bytes: ArraySlice<UInt8>) {
        json.key(name)
        bytes.withUnsafeBufferPointer { json.value(utf8: $0) }
    }
}
