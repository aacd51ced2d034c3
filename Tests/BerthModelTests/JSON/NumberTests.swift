// Numbers of JSON texts: what is read can be written again as what it was.

import BerthModel
import Testing

@Suite struct NumberTests {
    // Without this a provider's 1e999 was kept as null.
    @Test(
        arguments: [
            "1e999", "-2E501", "1" + String(repeating: "0", count: 400),
            "0", "-0", "1e308", "1.7976931348623157e308", "5e-324", "1e-999",
            "9223372036854775807", "12345678901234567890", "0.1", "25.00", "1E5", "0.10000000000000000001",
        ])
    func numbersAreWrittenAsNumbers(_ text: String) throws {
        let value = try #require(JSONValue(text: Array(text.utf8)))
        #expect(value.text == text && value.scalarText == text)
    }
}
