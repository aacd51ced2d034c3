// How credentials get into requests, and that they get out nowhere else.

import BerthModel
import BerthSeams
import Foundation
import Logging
import Testing

@testable import BerthOutbound

@Suite struct CredentialTests {
    private func seen(_ spec: CredentialSpec, _ secrets: [String: String], _ request: ProviderRequest) async throws -> SeenRequest? {
        let server = try ScriptedServer { peer, _, _ in peer.answer(200) }
        let broker = try outbound(secrets)
        #expect(await broker.send(request, for: target(server.url, credential: spec)).response?.status == 200)
        await broker.close()
        server.stop()
        return server.seen.first
    }

    private func apiKey(_ place: CredentialSpec.Placement.Place) -> CredentialSpec {
        CredentialSpec(kind: .apiKey, placements: [.init(field: "token", place: place)])
    }

    @Test func eachPlaceGetsItsValue() async throws {
        // Without this the provider would refuse every request.
        let token = ["token": "tök en&+%=/?#"]
        #expect(try await seen(apiKey(.authorization(scheme: "Token")), token, get("/"))?.headers["authorization"] == "Token tök en&+%=/?#")
        #expect(try await seen(apiKey(.authorization(scheme: "")), ["token": "abc"], get("/"))?.headers["authorization"] == "abc")
        #expect(try await seen(apiKey(.header("X-Api-Key")), ["token": "k-1"], get("/"))?.headers["x-api-key"] == "k-1")
        #expect(
            try await seen(apiKey(.query("api key")), token, get("/v?a=1"))?.target
                == "/v?a=1&api%20key=t%c3%b6k%20en%26%2b%25%3d%2f%3f%23")
        #expect(try await seen(apiKey(.query("api_key")), ["token": "k"], get("/v"))?.target == "/v?api_key=k")
    }

    @Test(arguments: ["a", "ab", "abc", "abcd", "päss:wörd"]) func basicIsBase64(password: String) async throws {
        // Without correct padding one length in three would fail.
        let spec = CredentialSpec(kind: .basic, placements: [])
        let header = try await seen(spec, ["username": "user", "password": password], get("/"))?.headers["authorization"]
        #expect(header == "Basic " + Data("user:\(password)".utf8).base64EncodedString())
    }

    @Test func severalPlacesAndFieldsTogether() async throws {
        // Without this a provider that wants a key and a company id could not be used.
        let spec = CredentialSpec(
            kind: .apiKey,
            placements: [
                .init(field: "api_key", place: .query("api_key")), .init(field: "company", place: .query("company_id")),
                .init(field: "api_key", place: .header("X-Key")),
            ])
        let request = try await seen(spec, ["api_key": "K", "company": "C"], get("/v?z=1"))
        #expect(request?.target == "/v?z=1&api_key=K&company_id=C")
        #expect(request?.headers["x-key"] == "K")
    }

    @Test func thePluginsOwnValueNeverWins() async throws {
        // Without this a plugin could send a credential of its own choice, or keep the masked one of a link.
        var request = get("/v?api_key=mine&a=1&%61pi_key=mine2&b")
        request.headers = [("AUTHORIZATION", "Bearer mine")]
        let spec = CredentialSpec(
            kind: .apiKey,
            placements: [.init(field: "token", place: .query("api_key")), .init(field: "token", place: .authorization(scheme: "Bearer"))])
        let seen = try await seen(spec, ["token": "real"], request)
        #expect(seen?.target == "/v?a=1&b&api_key=real")
        #expect(seen?.headers["authorization"] == "Bearer real")
    }

    @Test func aLinkThatEchoesTheKeyIsMaskedAndStillFollowed() async throws {
        // Without the mask the plugin would see the key; without the replacement it could not read the second page.
        let secret = "s3cr t/key+1"
        let server = try ScriptedServer { peer, request, number in
            let link = "<http://\(request.headers["host"] ?? "")\(request.target)&page=\(number + 1)>; rel=\"next\""
            return peer.answer(200, ["Link": link, "X-Echo": secret, "X-Plus": "s3cr+t%2fkey%2B1"], [])
        }
        let broker = try outbound(["token": secret])
        let target = target(server.url, credential: apiKey(.query("api_key")))
        let first = try #require(await broker.send(get("/calls?x=1"), for: target).response)
        let link = try #require(first.headers.first { $0.name == "link" }?.value)
        #expect(link.contains("api_key=***&page=2"))
        for header in first.headers { #expect(!header.value.contains("s3cr")) }
        let next = String(link.dropFirst().prefix { $0 != ">" })
        #expect(await broker.send(get(next), for: target).response?.status == 200)
        #expect(server.seen.last?.target == "/calls?x=1&page=2&api_key=s3cr%20t%2fkey%2b1")
        await broker.close()
        server.stop()
    }

    @Test func aBodyThatEchoesTheKeyIsCovered() async throws {
        // Without this a provider that repeats the Authorization header hands the key to the plugin, and to whoever called its action.
        let server = try ScriptedServer { peer, request, _ in
            peer.answer(
                200, [:], Array(#"{"you":"\#(request.headers["authorization"] ?? "")","again":"long-api-key-1","user":"ann"}"#.utf8))
        }
        let broker = try outbound(["token": "long-api-key-1"])
        let target = target(server.url, credential: apiKey(.authorization(scheme: "Bearer")))
        let answer = try #require(await broker.send(get("/me"), for: target).response)
        #expect(String(decoding: answer.body, as: UTF8.self) == #"{"you":"Bearer **************","again":"**************","user":"ann"}"#)
        #expect(answer.headers.contains { $0.name == "berth-masked" })
        await broker.close()
        server.stop()
    }

    @Test func withoutCredentialNothingIsAdded() async throws {
        // Without this the token would go to an address that the plugin asked to call unauthenticated.
        let server = try ScriptedServer { peer, _, _ in peer.answer(200) }
        let broker = try outbound(["token": "real"])
        var request = get("/x?api_key=mine")
        request.isAuthenticated = false
        #expect(await broker.send(request, for: target(server.url, credential: apiKey(.query("api_key")))).response?.status == 200)
        #expect(server.seen.first?.target == "/x?api_key=mine")
        await broker.close()
        server.stop()
    }

    @Test func aMissingSecretIsSaid() async throws {
        // Without this the request would go out bare and the provider's 401 would mislead.
        let server = try ScriptedServer { peer, _, _ in peer.answer(200) }
        let broker = try outbound()
        let failure = await broker.send(get("/x"), for: target(server.url, credential: apiKey(.header("X-Key")))).failure
        #expect(failure?.status == .authDenied)
        #expect(failure?.message.contains("token") == true)
        #expect(server.connectionCount == 0)
        await broker.close()
        server.stop()
    }

    @Test func aSecretCannotBreakTheMessage() async throws {
        // Without this a stored token with a line break would add a header.
        let server = try ScriptedServer { peer, _, _ in peer.answer(200) }
        let broker = try outbound(["token": "a\r\nX-Evil: 1"])
        #expect(await broker.send(get("/x"), for: target(server.url, credential: apiKey(.header("X-Key")))).failure?.status == .authDenied)
        #expect(server.connectionCount == 0)
        await broker.close()
        server.stop()
    }

    @Test func secretsAreReadOnceUntilForgotten() async throws {
        // Without the memory each request would ask the vault; without forgetting an old token would be used on.
        let server = try ScriptedServer { peer, _, _ in peer.answer(200) }
        let secrets = MemorySecrets(["token": "old"])
        let broker = try CurlOutbound(secrets: secrets, clock: SystemTime(), entropy: SystemBits(), logger: Logger(label: "test"))
        let target = target(server.url, credential: apiKey(.header("X-Key")))
        for _ in 0..<5 { _ = await broker.send(get("/x"), for: target) }
        #expect(secrets.readCount == 1)
        try await secrets.set(Secret(copying: Array("new".utf8)), .credential(field: "token"), of: target.connection)
        await broker.forget(target.connection)
        _ = await broker.send(get("/x"), for: target)
        #expect(server.seen.map { $0.headers["x-key"] ?? "" } == ["old", "old", "old", "old", "old", "new"])
        await broker.close()
        server.stop()
    }

    @Test func theLogAndTheErrorsHoldNoSecret() async throws {
        // Without masking the journal would be a list of keys.
        let lines = LogLines()
        let secrets = MemorySecrets(["token": "canary-5f2a91"])
        let broker = try CurlOutbound(
            secrets: secrets, clock: SystemTime(), entropy: SystemBits(),
            logger: {
                var logger = Logger(label: "test") { _ in lines }
                logger.logLevel = .trace
                return logger
            }())
        let server = try ScriptedServer { peer, _, _ in peer.answer(500) }
        let gone = try ScriptedServer { _, _, _ in false }
        gone.stop()
        var texts: [String] = []
        for url in [server.url, gone.url] {
            for path in ["/x?phone=%2B4912345&api_key=canary-5f2a91", "/canary-5f2a91", "/x\u{7f}canary-5f2a91"] {
                for place: CredentialSpec.Placement.Place in [.query("api_key"), .header("X-Key"), .authorization(scheme: "Bearer")] {
                    let result = await broker.send(get(path), for: target(url, credential: apiKey(place)))
                    texts.append("\(result.failure.map { "\($0)" } ?? "")")
                }
            }
        }
        texts += lines.all
        #expect(lines.all.count >= 18)
        for text in texts { #expect(!text.contains("5f2a91") && !text.contains("4912345"), "\(text)") }
        #expect(lines.all.contains { $0.contains("phone=***") })
        await broker.close()
        server.stop()
    }

    @Test(arguments: [
        "key+with/of=9d2f", "key%2Bwith%2Fof%3D9d2f", "key%2bwith%2fof%3d9d2f", #"key+with\/of=9d2f"#, #"key\u002bwith\u002Fof\u003d9d2f"#,
        #"\u006b\u0065\u0079+with/of=9d2f"#,
    ]) func aSecretIsCoveredHoweverItIsEncoded(form: String) {
        // Without it a provider's "next" link, or PHP's way to write JSON, hands the key to the plugin and to the cache's file.
        let mask = SecretMask([Secret(copying: "key+with/of=9d2f".utf8)])
        let text = #"{"next":"https://x/?page=2&key="# + form + #"&a=100%","path":"C:\\temp"}"#
        var body = Array(text.utf8)
        #expect(mask.cover(&body))
        let stars = String(repeating: "*", count: form.utf8.count)
        #expect(String(decoding: body, as: UTF8.self) == text.replacing(form, with: stars))
        var other = Array(text.replacing(form, with: "kez" + form.dropFirst(3)).utf8)
        #expect(form.hasPrefix("\\") || !mask.cover(&other))
        #expect(mask.mask(text) == text.replacing(form, with: "***"))
    }
}
