// Decoding a word that is one of a few: the standard library's message names a Swift type and not what is right.

/// A word out of a closed set; a wrong one is refused with all that are right.
public protocol NamedChoice: RawRepresentable, CaseIterable, Codable where RawValue == String {}

extension NamedChoice {
    /// Decodes one of the words.
    public init(from decoder: any Decoder) throws {
        let text = try decoder.singleValueContainer().decode(String.self)
        guard let choice = Self(rawValue: text) else {
            let nearest = NearestName.of(text, among: Self.allCases.map(\.rawValue)).map { "; did you mean '\($0)'?" } ?? ""
            throw DecodingError.dataCorrupted(
                .init(
                    codingPath: decoder.codingPath,
                    debugDescription: "'\(text)' is not one of \(Self.allCases.map(\.rawValue).joined(separator: ", "))\(nearest)"))
        }
        self = choice
    }
}
