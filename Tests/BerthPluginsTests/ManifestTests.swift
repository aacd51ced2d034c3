// plugin.toml: what is read, and that every mistake is refused with its place, its value and what would be right.

import BerthModel
import BerthPlugins
import Foundation
import Testing

@Suite struct ManifestTests {
    static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    static let minimal = """
        manifest_version = 1
        id = "acme"
        version = "1.0.0"
        abi = 1
        [library]
        linux-x86_64 = { file = "libacme.so", sha256 = "" }

        """

    static let success = "[webhook]\nschemes = [\"token\"]\n[webhook.success]\n"

    private func refusal(_ text: String) -> BerthError? {
        do throws(BerthError) {
            _ = try ManifestReader().read(text: text)
            return nil
        } catch { return error }
    }

    // Without this the document that authors follow would describe a manifest the daemon refuses.
    @Test func theDocumentedExampleIsRead() throws {
        let page = try String(contentsOf: Self.root.appending(path: "docs/manifest.md"), encoding: .utf8)
        let start = try #require(page.range(of: "```toml\n"))
        let end = try #require(page.range(of: "\n```", range: start.upperBound..<page.endIndex))
        let text = String(page[start.upperBound..<end.lowerBound]).replacing("sha256 = \"...\"", with: "sha256 = \"\"")
        let manifest: PluginManifest = try ManifestReader().read(text: text)
        #expect(manifest.id.text == "ringba" && manifest.version == "1.0.0" && manifest.abi == 1)
        #expect(manifest.runtime.maxConcurrency == 2 && manifest.runtime.isolation == .worker)
        #expect(manifest.http.rateLimits.map(\.windowSeconds) == [1, 60, 3600] && manifest.http.rateLimits[0].requestClass == "reports")
        #expect(manifest.http.rateLimits.map(\.scope) == [.connection, .connection, .provider])
        #expect(
            manifest.http.throttles
                == [.init(status: 200, bodyPointer: "/isRateLimited", equals: .bool(true), wait: .init(boundarySeconds: 60))])
        #expect(manifest.http.cache == .init(secondsByClass: ["prospects": 3600, "accounts": 86_400], maxMiB: 16))
        #expect(manifest.credentials.map(\.kind) == [.apiKey, .basic, .authorizationCode])
        #expect(manifest.credentials[0].placements == [.init(field: "token", place: .authorization(scheme: "Token"))])
        let account = manifest.settings["account_id"]
        #expect(account?.isRequired == true && account?.identifies == true && account?.bounds == .init(minLength: 3, maxLength: 20))
        let webhook = try #require(manifest.webhook)
        #expect(webhook.defaultScheme == .token && webhook.methods == ["POST", "GET", "PUT", "PATCH"])
        #expect(webhook.eventKind == [.query("event"), .json("/event"), .constant("unknown")])
        #expect(webhook.dedupKey == [[.json("/call_id")], [.query("event"), .json("/event")]])
        #expect(webhook.hmac.signed == [.timestamp, .literal("."), .body] && webhook.hmac.header == "x-signature")
        #expect(webhook.success.status == 204 && webhook.handshake == .echo(.query("challenge")))
        #expect(manifest.streams[0].overlapSeconds == 72 * 3600 && manifest.streams[0].defaultSchedule == "every 5m")
        #expect(manifest.entities[0].fields.count == 3 && manifest.entities[0].fields[1].values == ["open", "won"])
    }

    // Without this a provider in this repository could carry a manifest the daemon refuses.
    @Test func theProvidersManifestsAreRead() throws {
        let plugins = Self.root.appending(path: "Plugins")
        for name in try FileManager.default.contentsOfDirectory(atPath: plugins.path) where !name.hasPrefix(".") {
            let manifest = try ManifestReader().read(path: plugins.appending(path: "\(name)/plugin.toml").path)
            #expect(manifest.id.text == name)
        }
    }

    // Without this a misspelt key would be ignored and its author would wonder why nothing happens.
    @Test func anUnknownKeyNamesItsLineAndTheNearestRightOne() {
        let error = refusal(Self.minimal + "[runtime]\nmax_concurency = 2\n")
        #expect(error?.code == "manifest_invalid")
        #expect(error?.message == "plugin.toml:8: runtime.max_concurency: there is no such key")
        #expect(error?.hint == "did you mean max_concurrency?")
        #expect(
            refusal(Self.minimal + "[[streams]]\nname = \"a\"\nentity = \"call\"\n[[streams]]\nname = \"b\"\nentty = \"call\"\n")?.message
                == "plugin.toml:12: streams[1].entty: there is no such key")
    }

    // Without this an author would have to guess which of many rules a manifest broke.
    @Test(
        arguments: [
            ("id = \"acme\"", "id = \"Acme!\"", "plugin.toml:2: id: \"Acme!\" is not a name"),
            ("manifest_version = 1", "", "manifest_version: is required and missing"),
            ("manifest_version = 1", "manifest_version = 2", "2 is unknown"),
            ("version = \"1.0.0\"", "version = \"1.0\"", "\"1.0\" is not a semantic version"),
            ("version = \"1.0.0\"", "version = 1", "1 stands where a text belongs"),
            ("sha256 = \"\"", "sha256 = \"XYZ\"", "\"XYZ\" is not a SHA-256"),
            ("file = \"libacme.so\"", "file = \"../x.so\"", "\"../x.so\" is not a plain file name"),
            ("[library]", "[runtime]\nmemory_mib = 1\n[library]", "runtime.memory_mib: 1 is outside 16 to 65536"),
            ("[library]", "[runtime]\nisolation = \"wroker\"\n[library]", "\"wroker\" is not one of worker, in-process"),
            ("[library]", "[http]\nbase_url = \"ftp://x\"\n[library]", "\"ftp://x\" is not an address"),
            ("[library]", "[http]\nbase_url = \"https://{tenant}.x\"\n[library]", "{tenant} is not one of the plugin's settings"),
            ("[library]", "[http]\nallowed_hosts = [\"https://x\"]\n[library]", "\"https://x\" is not a host name"),
            (
                "[library]", "[http]\nrate_limits = [{ requests = 5, per = \"week\" }]\n[library]",
                "\"week\" is not one of second, minute, hour, day"
            ),
            ("[library]", "[http.cache]\nmax_mib = 5\n[library]", "http.cache.classes: names no request class"),
            ("[library]", "[http.cache]\nclasses = [{ class = \"a\" }]\n[library]", "classes[0].seconds: is required and missing"),
            ("[library]", "[http.cache]\nclasses = [{ class = \"a\", seconds = 0 }]\n[library]", "0 is outside 1 to 604800"),
            (
                "[library]", "[http.cache]\nclasses = [{ class = \"a\", seconds = 1 }, { class = \"a\", seconds = 2 }]\n[library]",
                "\"a\" stands here twice"
            ),
            (
                "[library]", "[http]\nrate_limits = [{ requests = 5, per = \"9 days\" }]\n[library]", "is no length of 1 second to 7 days"
            ),
            (
                "[library]", "[http]\nrate_limits = [{ requests = 5, per = \"day\", scope = \"all\" }]\n[library]",
                "\"all\" is not one of connection, provider"
            ),
            ("[library]", "[http]\nthrottle = [{ status = 200 }]\n[library]", "nothing here tells a refusal from a good answer"),
            ("[library]", "[http]\nthrottle = [{ body = \"a\" }]\n[library]", "\"a\" is not a JSON pointer"),
            ("[library]", "[http]\nthrottle = [{ status = 420, equals = 1 }]\n[library]", "there is no body to compare it with"),
            ("[library]", "[[credentials]]\nkind = \"api_key\"\n[library]", "says not where the key goes"),
            (
                "[library]", "[[streams]]\nname = \"a\"\nentity = \"cal\"\n[library]",
                "\"cal\" is not one of call, tracking_number, campaign"
            ),
            ("[library]", "[[streams]]\nname = \"a\"\nentity = \"call\"\nschedule = \"sometimes\"\n[library]", "\"sometimes\": "),
            (
                "[library]", "[[streams]]\nname = \"a\"\nentity = \"call\"\noverlap = \"3 days\"\n[library]",
                "\"3 days\" is not a length of time"
            ),
            (
                "[library]",
                "[[streams]]\nname = \"a\"\nentity = \"call\"\ndeletes_unseen = true\n[[streams]]\nname = \"b\"\nentity = \"call\"\n[library]",
                "call is read by a and b, of which one has deletes_unseen"
            ),
            ("[library]", "[webhook]\nschemes = []\n[library]", "names no scheme"),
            ("[library]", "[webhook]\nschemes = [\"token\"]\ndedup_key = [\"jsn:/a\"]\n[library]", "\"jsn:/a\" is not a selector"),
            (
                "[library]", "[webhook]\nschemes = [\"hmac\"]\n[webhook.hmac]\nsigned = [\"timestamp\"]\n[library]",
                "signs neither body nor query"
            ),
            (
                "[library]", "[webhook]\nschemes = [\"hmac\", \"standard-webhooks\"]\nevent_kind = \"query:event|constant:x\"\n[library]",
                "event_kind: reads what none of its schemes signs"
            ),
            (
                "[library]",
                "[webhook]\nschemes = [\"plugin\"]\nplugin_signed = [\"body\"]\nevent_kind = \"query:event\"\n[library]",
                "event_kind: reads what none of its schemes signs"
            ),
            (
                "[library]",
                "[webhook]\nschemes = [\"hmac\"]\ndedup_key = [\"header:x\", \"json:/id\"]\n[webhook.hmac]\nsigned = [\"query\"]\n[library]",
                "dedup_key: reads what none of its schemes signs"
            ),
            ("[library]", "[settings.a]\ntype = \"string\"\ndefault = 5\n[library]", "5 is not of type string"),
            ("[library]", "[settings.a]\ntype = \"number\"\ndefault = nan\n[library]", "is no number that JSON can tell"),
            ("[library]", "[settings.a]\ntype = \"number\"\ndefault = -inf\n[library]", "is no number that JSON can tell"),
            ("[library]", "[settings.a]\ntype = \"string\"\nsecret = true\n[library]", "a setting is never secret"),
            ("[library]", "[settings.a]\ntype = \"string\"\nminimum = 1\n[library]", "settings.a.minimum: bounds nothing of type string"),
            ("[library]", "[settings.a]\ntype = \"integer\"\nmax_length = 1\n[library]", "max_length: bounds nothing of type integer"),
            ("[library]", "[settings.a]\ntype = \"integer\"\nmaximum = \"9\"\n[library]", "stands where a number belongs"),
            ("[library]", "[settings.a]\ntype = \"integer\"\nminimum = 2\nmaximum = 1\n[library]", "maximum: is less than minimum"),
            ("[library]", "[settings.a]\ntype = \"string\"\nmin_length = 2\nmax_length = 1\n[library]", "is less than min_length"),
            (
                "[library]", "[settings.a]\ntype = \"integer\"\nminimum = 1\ndefault = 0\n[library]",
                "settings.a.default: must be at least 1"
            ),
            ("[library]", "name = \"\\u001b[31mAcme\"\n[library]", "name: the control character U+001B stands in the text"),
            ("[library]", success + "status = 204\nbody = \"ok\"\n[library]", "an answer of status 204 has none"),
            ("[library]", success + "content_type = \"a\\r\\nX-Evil: y\"\n[library]", "the control character U+000D stands in the text"),
            ("[library]", "[webhook]\nschemes = [\"hmac\"]\n[webhook.hmac]\nheader = \"x sig:\"\n[library]", "is not a header's name"),
            ("[library]", "[[streams]]\nname = \"a\"\nentity = \"call\"\nschedule = \"every potato\"\n[library]", "\"every potato\": "),
            ("[library]", "[[actions]]\nname = \"a\"\ninput_schema = \"{\"\n[library]", "is not JSON"),
            (
                "[library]", "[[actions]]\nname = \"a\"\ninput_schema = '{\"type\":\"strin\"}'\n[library]",
                "input_schema: type: \"strin\" is none of"
            ),
            ("[library]", "[[entities]]\nname = \"call\"\nfields = []\n[library]", "entity call exists already"),
            ("abi = 1", "abi = \"one\"", "stands where a whole number belongs"),
        ])
    func mistakesAreNamed(_ from: String, _ to: String, _ message: String) {
        let error = refusal(Self.minimal.replacing(from, with: to))
        #expect(error?.code == "manifest_invalid")
        #expect(error?.message.contains(message) == true, "\(error.map { "\($0)" } ?? "was read")")
        #expect(error?.hint != nil)
    }

    // Without this "update Berth" and "build the plugin again" would be told apart by nobody.
    @Test func anotherABIIsItsOwnRefusal() {
        let newer = refusal(Self.minimal.replacing("abi = 1", with: "abi = 9"))
        #expect(newer?.code == "abi_mismatch" && newer?.message.contains("built against ABI 9, this daemon offers 1") == true)
        #expect(newer?.hint == "update Berth")
        #expect(refusal(Self.minimal.replacing("abi = 1", with: "abi = 0"))?.hint == "build the plugin again with the SDK of this release")
    }

    // Without this a file that is no TOML would be refused without its line.
    @Test func wrongTOMLNamesItsLine() {
        #expect(refusal(Self.minimal + "[[[x\n")?.message.hasPrefix("plugin.toml:7: ") == true)
    }

    // Without this a text that the TOML parser answers with abort() would end the daemon (found by mutation).
    @Test(arguments: ["[[[x\n", "[!]\n", "x = [}\n", "x = 2020-01-01TT0:00:00Z\n", "x = 07:00:0\n", "x = {]\n"])
    func whatTheParserCannotBearIsRefusedBeforeIt(_ line: String) {
        #expect(refusal(Self.minimal + line)?.message.hasPrefix("plugin.toml:7: ") == true)
        #expect(
            TOMLGuard.problem(in: "a = \"12:30 [ } \" # [!\nb = '''\n[!]\n'''\n[ c ]\nd = [\n  [1, 2],\n  [{ e = 1 }],\n]\n[\"f\"]\n")
                == nil)
    }

    // Without this the schema that editors use and the reader would drift apart.
    @Test(
        arguments: [
            ("", []), ("[runtime]\n", ["runtime"]), ("[http]\n", ["http"]), ("[[http.rate_limits]]\n", ["http", "rate_limits", "items"]),
            ("[[http.throttle]]\n", ["http", "throttle", "items"]),
            ("[http.cache]\n", ["http", "cache"]), ("[[http.cache.classes]]\n", ["http", "cache", "classes", "items"]),
            ("[webhook]\n", ["webhook"]),
            ("[webhook]\nschemes = [\"hmac\"]\n[webhook.hmac]\n", ["webhook", "hmac"]), ("[[streams]]\n", ["streams", "items"]),
            ("[[credentials]]\n", ["credentials", "items"]),
            ("[[credentials]]\nkind = \"oauth2_password\"\n[credentials.oauth]\n", ["credentials", "items", "oauth"]),
            ("[[actions]]\n", ["actions", "items"]), ("[[entities]]\n", ["entities", "items"]),
        ] as [(String, [String])])
    func theSchemaKnowsTheSameKeys(_ table: String, _ path: [String]) throws {
        let data = try Data(contentsOf: Self.root.appending(path: "plugin-sdk/schema/plugin.schema.json"))
        var node = try #require(JSONValue(text: Array(data)))
        for step in path { node = try #require(node["properties"]?[step] ?? node[step]) }
        let known = try #require(node["properties"]?.objectValue).keys
        let text =
            table.isEmpty
            ? "zzzzzzzzzzzzzzzzzzzzzzzzzzzz = 1\n" + Self.minimal : Self.minimal + table + "zzzzzzzzzzzzzzzzzzzzzzzzzzzz = 1\n"
        let hint = try #require(refusal(text)?.hint)
        #expect(Set(hint.dropFirst("known keys here: ".count).split(separator: ", ").map(String.init)) == Set(known))
    }

    // Without this any bytes in a plugin folder could crash the daemon at its start. The same mutations in every run.
    @Test func mutatedManifestsNeverCrash() {
        var bits = SystemBits(state: 7)
        let seeds = [
            Self.minimal
                + "[webhook]\nschemes = [\"token\"]\nevent_kind = \"query:a|json:/b\"\n[[streams]]\nname = \"a\"\nentity = \"call\"\n"
        ]
        for _ in 0..<2_000 {
            var bytes = Array(seeds[0].utf8)
            for _ in 0..<Int.random(in: 1...5, using: &bits) {
                let index = Int.random(in: 0..<bytes.count, using: &bits)
                switch Int.random(in: 0...2, using: &bits) {
                case 0: bytes[index] = UInt8.random(in: 9...126, using: &bits)
                case 1: bytes.remove(at: index)
                default: bytes.insert(UInt8.random(in: 32...126, using: &bits), at: index)
                }
            }
            _ = refusal(String(decoding: bytes, as: UTF8.self))
        }
    }

    struct SystemBits: RandomNumberGenerator {
        var state: UInt64
        mutating func next() -> UInt64 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return state ^ (state >> 29)
        }
    }
}
