// Addresses and ranges, strictly read.

import BerthModel
import Testing

@Suite struct IPAddressTests {
    // Without one normal form an allow-list entry would not match the same address written otherwise.
    @Test(arguments: [
        ("192.0.2.1", "192.0.2.1"), ("0.0.0.0", "0.0.0.0"), ("255.255.255.255", "255.255.255.255"), ("::", "::"), ("::1", "::1"),
        ("2001:DB8:0:0:0:0:0:1", "2001:db8::1"), ("2001:db8::", "2001:db8::"), ("1:0:0:2:0:0:0:3", "1:0:0:2::3"),
        ("::ffff:192.0.2.1", "192.0.2.1"), ("::FFFF:c000:201", "192.0.2.1"), ("64:ff9b::192.0.2.33", "64:ff9b::c000:221"),
        ("1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"), ("::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8"), ("1:0:2:3:4:5:6:7", "1:0:2:3:4:5:6:7"),
        ("0:0:0:0:0:0:13.1.68.3", "::d01:4403"), ("fe80::1", "fe80::1"),
    ]) func reads(text: String, normal: String) throws {
        let address = try #require(IPAddress(text))
        #expect(address.description == normal)
        #expect(IPAddress(normal) == address)
    }

    // Without strictness octal, short or zoned forms could slip past a list.
    @Test(arguments: [
        "", "1", "1.2.3", "1.2.3.4.5", "01.2.3.4", "1.2.3.256", "0x7f.0.0.1", "1.2.3.4 ", " 1.2.3.4", "1.2.3.4:80", "[::1]", "::1%lo",
        ":::",
        "1::2::3", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", ":1:2:3:4:5:6:7", "1:2:3:4:5:6:7:", "12345::", "g::", "::1.2.3", "1.2.3.4::",
        "+1.2.3.4",
        "::+1", "1.2.3.٤", "1:2:3:4:5:6:7:1.2.3.4", "::ffff:1.2.3.4.5", "1:2:3:4:5:6:7:8::", "localhost",
    ]) func refuses(text: String) {
        #expect(IPAddress(text) == nil)
        #expect(IPRange(text) == nil)
    }

    // Without right masks a list would let strangers in or keep the provider out.
    @Test(arguments: [
        ("203.0.113.0/24", "203.0.113.255", true), ("203.0.113.0/24", "203.0.114.0", false), ("203.0.113.77/24", "203.0.113.1", true),
        ("10.0.0.0/8", "10.255.255.255", true), ("0.0.0.0/0", "8.8.8.8", true), ("0.0.0.0/0", "::1", false), ("::/0", "8.8.8.8", false),
        ("::/0", "2001:db8::1", true), ("127.0.0.1", "127.0.0.1", true), ("127.0.0.1", "127.0.0.2", false),
        ("127.0.0.1/32", "127.0.0.1", true),
        ("2001:db8::/32", "2001:db8:ffff::1", true), ("2001:db8::/33", "2001:db8:ffff::1", false), ("::1/128", "::1", true),
        ("127.0.0.0/8", "::ffff:127.1.2.3", true), ("::ffff:10.0.0.0/104", "10.9.8.7", true), ("::ffff:10.0.0.0/104", "11.0.0.0", false),
        ("203.0.113.128/25", "203.0.113.127", false), ("203.0.113.128/25", "203.0.113.128", true),
    ]) func contains(range: String, address: String, expected: Bool) throws {
        #expect(try #require(IPRange(range)).contains(#require(IPAddress(address))) == expected)
    }

    @Test(arguments: [
        "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/-1", "10.0.0.0/08", "10.0.0.0/8/8", "::/129", "::ffff:10.0.0.0/95", "/8", "10.0.0.0/ 8",
    ])
    // Without this refusal a mistyped range would silently allow something else.
    func refusesRanges(text: String) { #expect(IPRange(text) == nil) }
}
