// The main of the exchange process: reads its job, has it sent, leaves the sealed answer. It ignores requests to stop:
// it lives for one exchange, and its answer must not be lost.

public import BerthModel
public import BerthSeams
import Foundation

/// The process that performs one token request.
public enum ExchangeProcess {
    /// Where the job is read.
    private static let jobDescriptor: CInt = 3

    /// Runs to the end; answers the exit code. `send` makes the request, by the same broker as all others.
    public static func run(_ send: (ExchangeJob) async -> Result<ProviderResponse, AttemptFailure>) async -> CInt {
        for number in [SIGTERM, SIGINT, SIGHUP] { signal(number, SIG_IGN) }
        setsid()
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = read(jobDescriptor, &chunk, chunk.count)
            if count <= 0 { break }
            bytes.append(contentsOf: chunk[..<count])
        }
        guard let job = try? JSONDecoder().decode(ExchangeJob.self, from: Data(bytes)) else { return 65 }  // not started by a daemon
        let reply = ExchangeReply(await send(job), basis: job.basis)
        do {
            try leave(try reply.sealed(with: job.key, connection: job.connection), at: job.replyPath)
            return 0
        } catch {
            FileHandle.standardError.write(Data("berthd exchange-token: the answer for \(job.connection) can't be kept: \(error)\n".utf8))
            return 74
        }
    }

    /// The whole file or none, on the disk when this returns. Into the room that the daemon made: nothing is given back before.
    private static func leave(_ bytes: [UInt8], at path: String) throws(BerthError) {
        let part = path + ".part"
        let file = open(part, O_WRONLY | O_CREAT | O_CLOEXEC, 0o600)
        func failed() -> BerthError { BerthError(.store, "\(part): \(String(cString: strerror(errno)))") }
        guard file >= 0 else { throw failed() }
        defer { close(file) }
        var sent = 0
        while sent < bytes.count {
            let count = bytes.withUnsafeBytes { write(file, $0.baseAddress! + sent, bytes.count - sent) }
            guard count > 0 else { throw failed() }
            sent += count
        }
        guard ftruncate(file, off_t(bytes.count)) == 0, fsync(file) == 0, rename(part, path) == 0 else { throw failed() }
        let folder = open((path as NSString).deletingLastPathComponent, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard folder >= 0 else { throw failed() }
        defer { close(folder) }
        guard fsync(folder) == 0 else { throw failed() }
    }
}
