// Campaigns, publishers, buyers, targets and numbers of one account. Calls point into it by index; nothing is ever removed, only
// marked, so that an index stays valid.

/// What calls refer to.
struct Catalog: Sendable {
    /// A campaign (TrackDrive: offer).
    struct Campaign: Sendable { var code: String, numericID: Int, name: String, isRecorded: Bool, isEnabled = true, isDeleted = false }
    /// Who brings the calls (TrackDrive: traffic source; Retreaver: affiliate).
    struct Publisher: Sendable { var code: String, numericID: Int, name: String }
    /// Who pays for the calls.
    struct Buyer: Sendable { var code: String, numericID: Int, name: String }
    /// Where a buyer takes calls.
    struct Target: Sendable { var code: String, numericID: Int, name: String, number: String, buyer: Int }
    /// A tracking number.
    struct Number: Sendable {
        var code: String, numericID: Int, e164: String, isTollFree: Bool, campaign: Int?, publisher: Int?
        var allocatedAt: Milliseconds, isDeleted = false
    }

    var campaigns: [Campaign]
    var publishers: [Publisher]
    var buyers: [Buyer]
    var targets: [Target]
    var numbers: [Number] { didSet { callable = Self.callable(numbers) } }
    /// Indices of the numbers that consumers dial.
    private(set) var callable: [Int]

    private static let verticals = ["Auto Insurance", "Home Solar", "Medicare Advantage", "Debt Relief", "Roofing", "Legal Injury"]
    private static let houses = ["Nine", "Orchard", "Lighthouse", "Keystone", "Juniper", "Harbor", "Granite", "Fable"]
    private static let coasts = ["East", "West", "Central", "Lakes", "Gulf", "Rockies", "Sound"]

    /// The catalog of `provider` for a seed. - Parameter createdAt: when the account's oldest numbers were allocated.
    init(provider: ProviderName, seed: UInt64, createdAt: Milliseconds) {
        var random = SeededGenerator(seed: seed, "\(provider.rawValue) catalog")
        func code(_ prefix: String, _ index: Int, _ random: inout SeededGenerator) -> String {
            switch provider {
            case .ringba: prefix + random.characters(32, of: "0123456789abcdef")
            case .retreaver: prefix == "CA" ? String(7000 + index) : "\(prefix.lowercased())-\(100 + index)"
            case .trackdrive: prefix + String(index)
            }
        }
        campaigns = Self.verticals.enumerated().map { index, name in
            Campaign(code: code("CA", index, &random), numericID: 10_002_145 + index * 17, name: "\(name) US", isRecorded: index != 3)
        }
        publishers = Self.houses.enumerated().map { index, name in
            Publisher(code: code("AF", index, &random), numericID: 1007 + index * 3, name: "Publisher \(name)")
        }
        buyers = Self.houses.prefix(5).enumerated().map { index, name in
            Buyer(code: code("BY", index, &random), numericID: 312 + index, name: "Buyer \(name)")
        }
        targets = Self.coasts.enumerated().map { index, name in
            Target(
                code: code("TA", index, &random), numericID: 5520 + index * 7, name: "Buyer \(name)",
                number: "+1202555\((110 + index).padded(4))", buyer: index % 5)
        }
        var numbers: [Number] = []
        for index in 0..<40 {
            let isTollFree = index % 4 != 0
            let e164 = isTollFree ? "+188855501\(index.padded(2))" : "+131255502\(index.padded(2))"
            let numericID = 4400 + index * 11
            // Ringba's ids of numbers come in three forms; the others count.
            let id =
                switch index % 10 {
                case 8: random.characters(8, of: "ABCDEFGHJKLMNPQRSTUVWXYZ")
                case 9: "1" + random.characters(18, of: "0123456789")
                default: "PV" + e164.dropFirst()
                }
            // Two numbers are spare: no campaign, no publisher, never called.
            let isSpare = index == 38 || index == 39
            numbers.append(
                Number(
                    code: provider == .ringba ? id : String(numericID), numericID: numericID, e164: e164, isTollFree: isTollFree,
                    campaign: isSpare ? nil : index % campaigns.count, publisher: isSpare ? nil : index % publishers.count,
                    allocatedAt: createdAt + Milliseconds(index) * 3_600_000))
        }
        self.numbers = numbers
        callable = Self.callable(numbers)
    }

    /// Notes a call, which does not change who may be called.
    mutating func note(callAt time: Milliseconds, number: Int) { lastCalls[number] = time }
    /// When each number was last called.
    private(set) var lastCalls: [Int: Milliseconds] = [:]

    private static func callable(_ numbers: [Number]) -> [Int] {
        numbers.indices.filter { numbers[$0].campaign != nil && !numbers[$0].isDeleted }
    }
}
