// The words of an egress policy, one by one: patterns of hosts, proxies' URLs, and what each lets through.

import BerthModel
import Testing

@testable import BerthOutbound

@Suite struct EgressRuleTests {
    private func origin(_ host: String, _ port: UInt16 = 443, scheme: String = "https") -> Origin {
        Origin(scheme: scheme, host: host, port: port)
    }

    @Test(arguments: [
        ("api.example", "api.example", UInt16(443), true), ("API.Example", "api.example", 443, true),
        ("api.example", "api.example", 8443, false),
        ("api.example:8443", "api.example", 8443, true), ("api.example:8443", "api.example", 443, false),
        ("*.example", "a.example", 443, true),
        ("*.example", "a.b.example", 443, true), ("*.example", "example", 443, false), ("*.example", "notexample", 443, false),
        ("*", "anything", 8443, true), ("*:443", "anything", 8443, false), ("*:443", "anything", 443, true), ("::1", "::1", 443, true),
        ("example", "a.example", 443, false), ("10.0.0.1", "10.0.0.1", 443, true),
    ]) func allowing(_ pattern: String, _ host: String, _ port: UInt16, _ isAllowed: Bool) throws {
        // Without this a list that names one host lets another through.
        #expect(try #require(HostPattern(pattern)).matches(origin(host, port)) == isAllowed)
    }

    @Test func denyingMeansEveryPort() throws {
        // Without this a denied host is reached on any other port.
        let pattern = try #require(HostPattern("api.example"))
        #expect(pattern.covers(origin("api.example", 8443)) && !pattern.covers(origin("b.example")))
        #expect(try !#require(HostPattern("api.example:1")).covers(origin("api.example", 2)))
    }

    @Test(arguments: [
        "", "*.", "a*.example", "*example", "https://a", "a/b", "a b", "a:0", "a:70000", "a:x", ".a", "a.", "[::1]", "[::1]:443", "a@b",
        "a,b", "ä.example", "::g", "*.*",
    ]) func notPatterns(_ text: String) {
        // Without this a mistake in a list is a rule that never fits.
        #expect(HostPattern(text) == nil)
    }

    @Test func proxiesAreReadAndNeverRepeatAPassword() throws {
        // Without this a password in a URL reaches the log by way of the error about it.
        let proxy = try ProxyServer("HTTP://Proxy.Example:3128/")
        #expect(proxy.url == "http://proxy.example:3128" && proxy.address == nil)
        let literal = try ProxyServer("socks5h://[::1]:1080")
        #expect(literal.url == "socks5h://[::1]:1080" && literal.address == PeerAddress("::1"))
        for text in [
            "http://user:hunter2@p:1", "user:hunter2@p:1", "ftp://hunter2:1", "http://p:1/hunter2", "http://p:1?hunter2", "http://hunter2",
            "http:// hunter2:1",
        ] {
            let refusal = #expect(throws: ProxyServer.Refusal.self) { _ = try ProxyServer(text) }
            #expect(refusal?.reason.contains("hunter2") == false)
        }
    }

    @Test func onlyTheProxysSocketIsOpened() throws {
        // Without this a policy with a proxy could still open a way around it, or one that allows the proxy allows its neighbours.
        var policy = EgressPolicy()
        policy.proxy = try ProxyServer("http://10.0.0.5:3128")
        func mayOpen(_ address: String, _ port: UInt16) throws -> Bool {
            policy.refusal(ofPeer: try #require(PeerAddress(address)), port: port, approval: .name) == nil
        }
        #expect(try mayOpen("10.0.0.5", 3128))
        #expect(try !mayOpen("10.0.0.5", 443) && !mayOpen("10.0.0.6", 3128) && !mayOpen("93.184.216.34", 3128))
        policy.proxy = try ProxyServer("http://proxy.example:3128")
        #expect(try mayOpen("10.0.0.6", 3128) && mayOpen("93.184.216.34", 3128))
        #expect(try !mayOpen("169.254.169.254", 3128) && !mayOpen("10.0.0.6", 3129))
        policy.proxy = nil
        #expect(try !mayOpen("169.254.169.254", 80))
    }
}
