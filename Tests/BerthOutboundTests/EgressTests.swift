// Where requests may go: a table of hostile URLs against listeners that count, and the rules one by one.

import BerthModel
import BerthSeams
import Foundation
import Testing

@testable import BerthOutbound

@Suite struct EgressTests {
    /// Hosts that are, contain or pretend to be non-public addresses.
    static let hosts: [String] = {
        var hosts = [
            "localhost", "LOCALHOST", "LocalHost", "localhost.", "localhost.localdomain", "127.0.0.1.", "0", "0.0.0.0", "127.1", "127.0.1",
        ]
        let inner: [[UInt8]] = [
            [127, 0, 0, 1], [127, 255, 255, 254], [10, 0, 0, 1], [10, 255, 0, 7], [172, 16, 0, 1], [172, 31, 255, 254], [192, 168, 0, 1],
            [192, 168, 255, 1], [169, 254, 169, 254], [169, 254, 0, 1], [100, 64, 0, 1], [100, 127, 255, 254], [0, 0, 0, 0], [0, 1, 2, 3],
            [192, 0, 0, 1], [192, 0, 2, 1], [198, 18, 0, 1], [198, 51, 100, 1], [203, 0, 113, 1], [224, 0, 0, 1], [239, 255, 255, 255],
            [240, 0, 0, 1], [255, 255, 255, 255],
        ]
        for a in inner {
            let number = a.reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
            let hex = a.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }
            hosts += [
                a.map(String.init).joined(separator: "."), String(number), "0x" + hex.joined(), "0" + String(number, radix: 8),
                a.map { "0x" + String($0, radix: 16) }.joined(separator: "."), a.map { "0" + String($0, radix: 8) }.joined(separator: "."),
                "\(a[0]).\(number & 0xFF_FFFF)", "\(a[0]).\(a[1]).\(number & 0xFFFF)",
                "0x\(hex[0]).\(a[1]).0\(String(a[2], radix: 8)).\(a[3])",
                a.map(String.init).joined(separator: ".") + ".", "[::ffff:\(a.map(String.init).joined(separator: "."))]",
                "[::ffff:\(hex[0])\(hex[1]):\(hex[2])\(hex[3])]", "[::\(a.map(String.init).joined(separator: "."))]",
                "[64:ff9b::\(a.map(String.init).joined(separator: "."))]", "[64:ff9b:1::\(hex[0])\(hex[1]):\(hex[2])\(hex[3])]",
                "[2002:\(hex[0])\(hex[1]):\(hex[2])\(hex[3])::1]", "[2001:0:\(hex[0])\(hex[1]):\(hex[2])\(hex[3])::1]",
                "%31%32%37.0.0.1", a.map { "%3" + String($0).map { String($0) }.joined(separator: "%3") }.joined(separator: "%2e"),
            ]
        }
        hosts += [
            "[::]", "[::1]", "[0:0:0:0:0:0:0:1]", "[0000::0001]", "[::1%25lo]", "[fe80::1]", "[fe80::1%25eth0]", "[fe80::1%eth0]",
            "[febf::1]",
            "[fec0::1]", "[fc00::1]", "[fd12:3456::1]", "[ff02::1]", "[100::1]", "[2001:db8::1]", "[3fff::1]", "[5f00::1]", "[4000::1]",
        ]
        return hosts
    }()

    @Test func noHostileURLConnectsAnywhere() async throws {
        // Without the guard a plugin, or a provider through a link, could reach what only the daemon can reach.
        let listener = try ScriptedServer { peer, _, _ in peer.answer(200) }
        let broker = try outbound {
            $0.connectTimeout = .milliseconds(500)
            $0.circuitThreshold = 1_000_000
            $0.retry.maxTries = 1
        }
        var urls: Set<String> = []
        for host in Self.hosts {
            for scheme in ["http", "https"] { urls.insert("\(scheme)://\(host):\(listener.port)/x") }
            urls.insert("HtTp://\(host):\(listener.port)/")
        }
        let port = listener.port
        urls.formUnion([
            "http://user@127.0.0.1:\(port)/", "http://user:pass@127.0.0.1:\(port)/", "http://api.acme.example@127.0.0.1:\(port)/",
            "http://127.0.0.1:\(port)@api.acme.example/", "http://api.acme.example#@127.0.0.1:\(port)/", "http://@127.0.0.1:\(port)/",
            "http://127.0.0.1:\(port)\\@api.acme.example/", "http:\\\\127.0.0.1:\(port)/",
            "http:127.0.0.1:\(port)/",
            "http:/127.0.0.1:\(port)/",
            "http:///127.0.0.1:\(port)/", "http:////127.0.0.1:\(port)/", "//127.0.0.1:\(port)/", "127.0.0.1:\(port)/", "localhost:\(port)",
            "file:///etc/passwd", "file://127.0.0.1/etc/passwd", "gopher://127.0.0.1:\(port)/_x", "dict://127.0.0.1:\(port)/x",
            "ftp://127.0.0.1:\(port)/", "tftp://127.0.0.1:\(port)/", "ldap://127.0.0.1:\(port)/", "smtp://127.0.0.1:\(port)/",
            "telnet://127.0.0.1:\(port)/", "scp://127.0.0.1:\(port)/", "smb://127.0.0.1:\(port)/", "rtsp://127.0.0.1:\(port)/",
            "imap://127.0.0.1:\(port)/", "ws://127.0.0.1:\(port)/", "unix:///run/x.sock", "javascript:alert(1)", "data:text/plain,x",
            "http://127.0.0.1:\(port)\r\nX: y/", "http://127.0.0.1\t:\(port)/", " http://127.0.0.1:\(port)/", "http://127.0.0.1 :\(port)/",
            "http://127。0。0。1:\(port)/", "http://①②⑦.0.0.1:\(port)/", "http://ⓛocalhost:\(port)/", "http://127.0.0.1:\(port)\u{0}/",
            "http://127.0.0.1:0\(port)/", "http://127.0.0.1:+\(port)/", "http://127.0.0.1:\(65536 + Int(port))/", "http://[::1:\(port)/",
            "http://::1:\(port)/", "http://0x7f000001.:\(port)/", "http://127.0.0.1:\(port)?@api.acme.example", "@127.0.0.1:\(port)/",
            ":@127.0.0.1:\(port)/", ".127.0.0.1:\(port)/", "http://.127.0.0.1:\(port)/", "http://127.0.0.1;api.acme.example:\(port)/",
        ])
        #expect(urls.count >= 400)

        // A manifest that allows each of these hosts by name, as a hostile manifest would.
        let allowed = urls.flatMap { url -> [String] in
            guard case .success(let parsed) = ParsedURL.parse(url), case .success(let origin) = Origin.of(parsed), Self.isLocal(origin.host)
            else { return [] }
            return ["\(origin.host):\(origin.port)", origin.host]
        }
        var denials = 0
        var byAddress = 0
        // Base URLs on names of RFC 6761's invalid top level: never resolved, because no request may reach them.
        for (base, hosts) in [("http://api.acme.invalid", allowed), ("https://api.acme.invalid", []), ("http://api.acme.invalid", [])] {
            let target = target(base) {
                $0.baseURL = base
                $0.allowedHosts = hosts
                $0.maxConcurrent = 64
                $0.timeoutSeconds = 2
            }
            let joined = urls.filter { !$0.hasPrefix("//") }
            for url in joined {
                let failure = await broker.send(get(url), for: target).failure
                #expect(failure?.status == .denied, "\(url): \(failure.map { "\($0)" } ?? "answered")")
                denials += failure?.status == .denied ? 1 : 0
                byAddress += failure?.message.contains("the host leads to") == true ? 1 : 0
            }
        }
        #expect(listener.connectionCount == 0)
        // Many of them must get past the names, or the check of addresses is not tested here.
        #expect(byAddress >= 400)
        print("egress: \(urls.count) URLs, \(denials) denials, \(byAddress) by address, \(listener.connectionCount) connects")
        await broker.close()
        listener.stop()
    }

    /// Only what cannot leave this machine even if the guard failed: other names would be looked up, other addresses reached.
    private static func isLocal(_ host: String) -> Bool {
        host == "localhost" || PeerAddress(host).map { AddressKind($0) != nil } == true
    }

    @Test func aBaseURLOfTheOperatorMayBePrivateAndNothingElse() async throws {
        // Without the first half no on-premise system could be connected; without the second its neighbours could.
        let mine = try ScriptedServer { peer, _, _ in peer.answer(200) }
        let neighbour = try ScriptedServer { peer, _, _ in peer.answer(200) }
        let broker = try outbound()
        for host in ["127.0.0.1", "localhost"] {
            let target = target("http://\(host):\(mine.port)") {
                $0.allowedHosts = ["127.0.0.1:\(neighbour.port)", "localhost:\(neighbour.port)"]
            }
            #expect(await broker.send(get("/x"), for: target).response?.status == 200)
            #expect(await broker.send(get("http://\(host):\(mine.port)/y"), for: target).response?.status == 200)
            #expect(await broker.send(get("http://\(host):\(neighbour.port)/y"), for: target).failure?.status == .denied)
        }
        #expect(neighbour.connectionCount == 0)
        await broker.close()
        let strict = try outbound { $0.egress.allowsPrivateBaseURL = false }
        #expect(await strict.send(get("/x"), for: target(mine.url)).failure?.status == .denied)
        await strict.close()
        let listed = try outbound {
            $0.egress = EgressPolicy(privateNetworks: [NetworkPrefix("127.0.0.0/8")!], allowsPrivateBaseURL: false)
        }
        #expect(await listed.send(get("/x"), for: target(mine.url)).response?.status == 200)
        await listed.close()
        mine.stop()
        neighbour.stop()
    }

    @Test func aKeptConnectionGivesNoRights() async throws {
        // Without the check before each sending, a connection opened for one that may would be used by one that may not.
        let server = try ScriptedServer { peer, _, _ in peer.answer(200) }
        let broker = try outbound()
        #expect(await broker.send(get("/x"), for: target(server.url)).response?.status == 200)
        let other = target(server.url, connection: connectionID(2)) { $0.baseURL = server.url }
        #expect(await broker.send(get("/y"), for: other).failure?.status == .denied)
        #expect(server.seen.map(\.target) == ["/x"])
        await broker.close()
        server.stop()
    }

    @Test func theManifestsHostsAreMatchedExactly() {
        // Without exact matching `evil-acme.example` or another port would pass for the provider.
        func origin(_ url: String) -> Origin? {
            guard case .success(let parsed) = ParsedURL.parse(url), case .success(let origin) = Origin.of(parsed) else { return nil }
            return origin
        }
        let cases: [(url: String, allowed: String, matches: Bool)] = [
            ("https://api.acme.example/", "api.acme.example", true), ("https://API.Acme.Example/", "api.acme.example", true),
            ("https://api.acme.example:443/", "API.acme.example", true), ("https://api.acme.example:8443/", "api.acme.example", false),
            ("https://api.acme.example:8443/", "api.acme.example:8443", true),
            ("https://evil-api.acme.example/", "api.acme.example", false),
            ("https://a.b.acme.example/", "*.acme.example", true), ("https://acme.example/", "*.acme.example", false),
            ("https://evilacme.example/", "*.acme.example", false), ("https://x.acme.example.evil.example/", "*.acme.example", false),
            ("http://api.acme.example/", "api.acme.example", true), ("http://api.acme.example:443/", "api.acme.example", false),
        ]
        for (url, allowed, matches) in cases { #expect(origin(url)?.matches(allowed) == matches, "\(url) \(allowed)") }
    }

    @Test func aSettingCannotTurnTheBaseURLElsewhere() {
        // Without this a subdomain of `127.0.0.1/#` would pass for an address the operator gave.
        let cases: [(base: String, template: String?, match: BaseURLTemplate.Match)] = [
            ("https://shop.trackdrive.example", "https://{subdomain}.trackdrive.example", .filled),
            ("https://127.0.0.1/.trackdrive.example", "https://{subdomain}.trackdrive.example", .tampered),
            ("https://a@b.trackdrive.example", "https://{subdomain}.trackdrive.example", .tampered),
            ("https://127.0.0.1:80/x.trackdrive.example", "https://{subdomain}.trackdrive.example", .tampered),
            ("http://127.0.0.1:9090", "https://{subdomain}.trackdrive.example", .own),
            ("https://api.x.example", "https://api.x.example", .filled),
            ("https://api.x.example", "https://api.x.example/", .filled), ("https://other.example", "https://api.x.example", .own),
            ("https://api.x.example", nil, .own), ("https://a.x.example/b", "https://{one}.x.example/{two}", .filled),
            ("https://10.0.0.1", "https://{host}", .filled),
        ]
        for (base, template, match) in cases { #expect(BaseURLTemplate.compare(base, with: template) == match, "\(base)") }
    }

    @Test func addressesAreSortedByTheRegistries() {
        // Without this a forgotten special network would count as public.
        let isPublic: (String) -> Bool = { text in PeerAddress(text).map { AddressKind($0) == nil } ?? false }
        for text in [
            "8.8.8.8", "1.1.1.1", "172.15.255.255", "172.32.0.0", "100.63.255.255", "100.128.0.0", "169.253.0.1", "2606:4700::1111",
        ] {
            #expect(isPublic(text), "\(text)")
        }
        for text in [
            "::ffff:8.8.8.8", "64:ff9b::8.8.8.8", "2002:808:808::1", "2001::1", "::8.8.8.8", "100.64.0.0", "192.0.0.8", "::1", "::",
        ] {
            #expect(!isPublic(text), "\(text)")
        }
        for text in ["10.0.0.0/33", "10.0.0.1/8", "x", "", "10.0.0.0/", "10.0.0.0/-1", "10/8", "::1/129", "::/0/0"] {
            #expect(NetworkPrefix(text) == nil, "\(text)")
        }
        for text in ["0.0.0.0/0", "::/0", "10.0.0.0/8", "127.0.0.1", "fd00::/8"] { #expect(NetworkPrefix(text)?.description == text) }
    }
}
