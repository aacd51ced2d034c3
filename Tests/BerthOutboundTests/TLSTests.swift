// TLS and HTTP/2 against a real nginx with a certificate of its own; left out where nginx or openssl is missing.

import BerthModel
import BerthSeams
import Foundation
import Testing

@testable import BerthOutbound

@Suite(.enabled(if: SecureServer.isPossible)) struct TLSTests {
    @Test func trustedServersAreReachedOverOneHTTP2Connection() async throws {
        // Without multiplexing each of a connection's requests at once would need a TLS connection of its own.
        let server = try SecureServer()
        let broker = try outbound { $0.egress.caFile = server.certificate }
        let target = target(server.url)
        let bodies = await withTaskGroup(of: String.self) { group in
            for _ in 0..<16 {
                group.addTask { String(decoding: await broker.send(get("/x"), for: target).response?.body ?? [], as: UTF8.self) }
            }
            return await group.reduce(into: Set<String>()) { $0.insert($1) }
        }
        #expect(bodies.count == 1)
        #expect(bodies.first?.hasPrefix("HTTP/2.0 ") == true, "\(bodies)")
        await broker.close()
        server.stop()
    }

    @Test func anUntrustedServerGetsNothing() async throws {
        // Without verification whoever sits on the way would get the credential.
        let server = try SecureServer()
        let observer = Observations()
        let broker = try outbound(["token": "t"], observer: observer)
        let failure = await broker.send(get("/x"), for: target(server.url)).failure
        #expect(failure?.status == .remoteDown)
        #expect(failure?.message.contains("certificate is not trusted") == true, "\(failure?.message ?? "")")
        #expect(observer.exchanges.map(\.tries) == [1])
        await broker.close()
        let wrongName = try outbound { $0.egress.caFile = server.certificate }
        let other = await wrongName.send(get("/x"), for: target(server.url.replacing("127.0.0.1", with: "localhost"))).failure
        #expect(other?.message.contains("certificate is not trusted") == true, "\(other?.message ?? "")")
        await wrongName.close()
        server.stop()
    }

    @Test func plainTextBehindHTTPSIsAFailure() async throws {
        // Without this a broken endpoint could make the daemon speak in the clear.
        let server = try ScriptedServer { peer, _, _ in peer.answer(200) }
        let broker = try outbound()
        #expect(await broker.send(get("/x"), for: target("https://127.0.0.1:\(server.port)") { $0.timeoutSeconds = 1 }).failure != nil)
        #expect(server.seen.allSatisfy { $0.method != "GET" })
        await broker.close()
        server.stop()
    }
}

/// nginx on a loopback port; its certificate names 127.0.0.1 only.
final class SecureServer {
    static var isPossible: Bool {
        ["/usr/sbin/nginx", "/usr/bin/openssl"].allSatisfy { FileManager.default.isExecutableFile(atPath: $0) }
    }
    let url: String
    let certificate: String
    private let folder = NSTemporaryDirectory() + "/berth-tls-\(UInt64.random(in: 0 ... .max))"
    private let process = Process()

    init() throws {
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        certificate = folder + "/cert.pem"
        // A port that was just free: the listener is closed again before nginx opens it.
        let probe = try ScriptedServer { _, _, _ in false }
        probe.stop()
        url = "https://127.0.0.1:\(probe.port)"
        let openssl = Process()
        openssl.executableURL = URL(fileURLWithPath: "/usr/bin/openssl")
        openssl.arguments = [
            "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2000", "-keyout",
            folder + "/key.pem",
            "-out", certificate, "-subj", "/CN=test", "-addext", "subjectAltName=IP:127.0.0.1",
        ]
        openssl.standardError = FileHandle.nullDevice
        try openssl.run()
        openssl.waitUntilExit()
        try """
        daemon off; master_process off; pid \(folder)/pid; error_log \(folder)/error.log;
        events {}
        http {
            access_log off; client_body_temp_path \(folder)/a; proxy_temp_path \(folder)/b; fastcgi_temp_path \(folder)/c;
            uwsgi_temp_path \(folder)/d; scgi_temp_path \(folder)/e;
            server {
                listen 127.0.0.1:\(probe.port) ssl http2; ssl_certificate \(certificate); ssl_certificate_key \(folder)/key.pem;
                location / { return 200 "$server_protocol $connection"; }
            }
        }
        """.write(toFile: folder + "/nginx.conf", atomically: true, encoding: .utf8)
        process.executableURL = URL(fileURLWithPath: "/usr/sbin/nginx")
        process.arguments = ["-c", folder + "/nginx.conf", "-p", folder, "-e", folder + "/error.log"]
        process.standardError = FileHandle.nullDevice
        try process.run()
        // nginx writes its pid once it listens.
        for _ in 0..<1000 where !FileManager.default.fileExists(atPath: folder + "/pid") { usleep(5_000) }
    }

    func stop() {
        // Not SIGTERM: a pool thread blocks it, and what it starts inherits that.
        kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
        // Left-overs in the temporary folder do no harm.
        try? FileManager.default.removeItem(atPath: folder)
    }
}
