// Money in ten-thousandths, so that sums and differences are exact and every provider's text form can be made from it.

/// An amount in US dollars.
struct Money: Sendable, Hashable {
    /// Ten-thousandths of a dollar.
    var units: Int

    init(units: Int) { self.units = units }
    init(cents: Int) { units = cents * 100 }
    /// Rounds to the nearest ten-thousandth.
    init(_ dollars: Double) { units = Int((dollars * 10_000).rounded()) }

    static let zero = Money(units: 0)
    static func + (left: Money, right: Money) -> Money { Money(units: left.units + right.units) }
    static func - (left: Money, right: Money) -> Money { Money(units: left.units - right.units) }

    /// Shortest decimal: `25`, `6.92`.
    var shortText: String { text(fractionDigitsMin: 0) }
    /// At least one digit after the point, as Ruby prints floats and decimals: `25.0`.
    var floatText: String { text(fractionDigitsMin: 1) }

    private func text(fractionDigitsMin: Int) -> String {
        var fraction = (abs(units) % 10_000).padded(4)
        while fraction.utf8.count > fractionDigitsMin, fraction.utf8.last == UInt8(ascii: "0") { fraction.removeLast() }
        return (units < 0 ? "-" : "") + String(abs(units) / 10_000) + (fraction.isEmpty ? "" : "." + fraction)
    }
}
