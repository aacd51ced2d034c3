// A look at a PEM file before libcurl gets it: libcurl says of a wrong one only that a request failed. Whether its
// certificates are good for anything the handshake decides.

import Foundation

enum CertificateFile {
    /// What is wrong with a bundle of certificates; nil when nothing is.
    static func problem(_ path: String) -> String? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { return "can't be read: \(String(cString: strerror(errno)))" }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return "is not a regular file" }
        guard status.st_size > 0 else { return "is empty" }
        guard status.st_size <= 16 << 20 else { return "has \(status.st_size) bytes, more than the 16 MiB that a bundle may have" }
        let text: String
        do {
            text = String(decoding: try FileHandle(fileDescriptor: descriptor, closeOnDealloc: false).readToEnd() ?? Data(), as: UTF8.self)
        } catch { return "can't be read: \(error.localizedDescription)" }
        let pieces = text.components(separatedBy: "-----BEGIN CERTIFICATE-----").dropFirst()
        guard !pieces.isEmpty else { return "holds no certificate in PEM form" }
        for (number, piece) in pieces.enumerated() {
            guard let end = piece.range(of: "-----END CERTIFICATE-----") else { return "breaks off in its certificate \(number + 1)" }
            // DER of a certificate is a sequence.
            guard let bytes = Data(base64Encoded: String(piece[..<end.lowerBound]), options: .ignoreUnknownCharacters), bytes.count > 64,
                bytes.first == 0x30
            else { return "holds no certificate where its certificate \(number + 1) should be" }
        }
        return nil
    }
}
