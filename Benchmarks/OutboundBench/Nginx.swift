// An nginx of our own on a loopback port, answering 1 KiB from memory.

import Foundation

/// Runs until `stop()`.
final class Nginx {
    private let process = Process()
    private let folder: String
    let url: String

    struct Missing: Error, CustomStringConvertible {
        var description: String { "/usr/sbin/nginx did not start; apt-get install nginx-light" }
    }

    init() throws {
        folder = NSTemporaryDirectory() + "/outbound-bench-\(getpid())"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let port = Self.freePort()
        url = "http://127.0.0.1:\(port)"
        let body = String(repeating: "x", count: 1024)
        try """
        daemon off; master_process off; pid \(folder)/pid; error_log \(folder)/error.log;
        events { worker_connections 1024; }
        http {
            access_log off; keepalive_requests 100000000; client_body_temp_path \(folder)/body;
            proxy_temp_path \(folder)/proxy; fastcgi_temp_path \(folder)/fastcgi; uwsgi_temp_path \(folder)/uwsgi;
            scgi_temp_path \(folder)/scgi; default_type application/json;
            server { listen 127.0.0.1:\(port) backlog=1024; location / { return 200 '\(body)'; } }
        }
        """.write(toFile: folder + "/nginx.conf", atomically: true, encoding: .utf8)
        process.executableURL = URL(fileURLWithPath: "/usr/sbin/nginx")
        process.arguments = ["-c", folder + "/nginx.conf", "-p", folder, "-e", folder + "/error.log"]
        process.standardError = FileHandle.nullDevice
        try process.run()
        for _ in 0..<200 {
            if Self.connects(port) { return }
            usleep(10_000)
        }
        stop()
        throw Missing()
    }

    func stop() {
        process.terminate()
        process.waitUntilExit()
        // Left-overs in the temporary folder do no harm.
        try? FileManager.default.removeItem(atPath: folder)
    }

    private static func address(_ port: UInt16) -> sockaddr_in {
        var name = sockaddr_in()
        name.sin_family = sa_family_t(AF_INET)
        name.sin_port = port.bigEndian
        name.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        return name
    }

    private static func freePort() -> UInt16 {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        var name = address(0)
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        withUnsafeMutablePointer(to: &name) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                _ = bind(descriptor, $0, size)
                _ = getsockname(descriptor, $0, &size)
            }
        }
        return UInt16(bigEndian: name.sin_port)
    }

    private static func connects(_ port: UInt16) -> Bool {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        var name = address(port)
        return withUnsafePointer(to: &name) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0 }
        }
    }
}
