// What is taken as a connection's address.

import BerthModel
import Testing

@Suite struct BaseURLTests {
    // Without strictness a connection looks active until its first request, days later.
    @Test(arguments: [
        "", "api.example.com", "ftp://a", "https://", "https:///v1", "http://127.0.0.1:99999", "http://127.0.0.1:0", "http://a:80:80",
        "http://a:", "http://a:+80", "http://a:8a", "http://[fe80::1%25eth0]", "http://[fe80::1%eth0]:80", "http://[::1", "http://[::1]80",
        "http://[1.2.3.4]", "http://::1", "http://bücher.example", "http://u@a", "http://a?x", "http://a#x", "http://a b", "http://.a",
        "http://a.", "http://a\\b", "http://a%2e",
    ]) func refuses(text: String) { #expect(BaseURL.problem(text) != nil) }

    // Without these private deployments could not be named.
    @Test(arguments: [
        "https://api.example.com", "http://127.0.0.1:8080", "https://[2001:db8::1]:8443/v1", "http://[::1]",
        "https://a_b.xn--bcher-kva.example/v1%20",
        "HTTPS://API.example", "http://a:65535", "https://host",
    ]) func takes(text: String) { #expect(BaseURL.problem(text) == nil) }
}
