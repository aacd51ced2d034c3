// One try of one request on the wire: what libcurl's callbacks write into, with every limit that must hold while
// bytes arrive. It decides nothing about repeating.

import CCurl
import Glibc

/// Limits of one answer.
struct AnswerLimits: Sendable {
    /// Of the decompressed body.
    var bodyBytes: Int
    /// Of all header lines together.
    var headerBytes: Int
    /// Header lines.
    var headerCount: Int
}

/// Lives on the loop's thread only. The loop holds it while libcurl holds a pointer to it.
final class Transfer {
    let easy: UnsafeMutableRawPointer
    private let limits: AnswerLimits
    let policy: EgressPolicy
    private let approval: EgressPolicy.Approval
    /// Called when the request is about to be written to a ready connection, with the number of times it was before; answers whether it
    /// may be.
    private let onSending: (Int) -> Bool
    private var continuation: CheckedContinuation<CURLcode, Never>?
    private let errorText: UnsafeMutablePointer<CChar>

    private(set) var status = 0
    private(set) var headers: [(name: String, value: String)] = []
    private(set) var body: [UInt8] = []
    private(set) var sendingCount = 0
    /// Why this side ended it; nil: it did not.
    private(set) var breach: Breach?
    /// libcurl's own words, when it had any.
    private(set) var detail = ""
    /// What the proxy answered to CONNECT; 0: nothing, or it was not asked.
    private(set) var connectStatus = 0
    /// Whether it was the proxy's own certificate that is not trusted.
    private(set) var isProxyUntrusted = false
    private var headerBytes = 0
    private var isBodyBegun = false
    private var slowMark: (time: Monotonic, bytes: Int)?

    /// A rule of ours that the other side ran into.
    enum Breach {
        case address(String)
        case bodyTooLarge
        case headersTooLarge
        case twoLengths
        case wouldRepeat
        case abandoned
        /// Not the other side's: this host gave no socket, with `errno`.
        case noSocket(CInt)
    }

    init(
        easy: UnsafeMutableRawPointer, limits: AnswerLimits, policy: EgressPolicy, approval: EgressPolicy.Approval,
        onSending: @escaping (Int) -> Bool
    ) {
        self.easy = easy
        self.limits = limits
        self.policy = policy
        self.approval = approval
        self.onSending = onSending
        errorText = .allocate(capacity: Int(CURL_ERROR_SIZE))
        errorText.initialize(repeating: 0, count: Int(CURL_ERROR_SIZE))
        setCallbacks()
    }

    deinit { errorText.deallocate() }

    /// Who waits for the end.
    func await(with continuation: CheckedContinuation<CURLcode, Never>) { self.continuation = continuation }

    /// Called once by the loop.
    func finish(_ code: CURLcode) {
        detail = String(cString: errorText)
        var number = 0
        if ccurl_get_long(easy, CURLINFO_HTTP_CONNECTCODE, &number) == CURLE_OK { connectStatus = number }
        if ccurl_get_long(easy, CURLINFO_PROXY_SSL_VERIFYRESULT, &number) == CURLE_OK { isProxyUntrusted = number != 0 }
        continuation?.resume(returning: code)
        continuation = nil
    }

    /// Marks that this side gave it up, before the loop is told to end it.
    func markAbandoned() { breach = breach ?? .abandoned }

    /// Whether the body trickles: under `limit.bytes` in `limit.nanoseconds`. Time before the first byte of the body
    /// does not count, because a report may take the provider minutes; the deadline bounds that.
    func isTooSlow(_ now: Monotonic, limit: (bytes: Int, nanoseconds: Int64)) -> Bool {
        guard isBodyBegun else { return false }
        guard let mark = slowMark else {
            slowMark = (now, body.count)
            return false
        }
        guard now - mark.time >= limit.nanoseconds else { return false }
        slowMark = (now, body.count)
        return body.count - mark.bytes < limit.bytes
    }

    private func setCallbacks() {
        let context = Unmanaged.passUnretained(self).toOpaque()
        ccurl_set_bytes_fn(easy, CURLOPT_WRITEFUNCTION) { bytes, size, count, context in
            guard let bytes, let context else { return 0 }
            return Transfer.at(context).take(body: UnsafeRawBufferPointer(start: bytes, count: size * count))
        }
        ccurl_set_pointer(easy, CURLOPT_WRITEDATA, context)
        ccurl_set_bytes_fn(easy, CURLOPT_HEADERFUNCTION) { bytes, size, count, context in
            guard let bytes, let context else { return 0 }
            return Transfer.at(context).take(headerLine: UnsafeRawBufferPointer(start: bytes, count: size * count))
        }
        ccurl_set_pointer(easy, CURLOPT_HEADERDATA, context)
        ccurl_set_open_socket_fn(easy) { context, _, address in
            guard let context, let address else { return CURL_SOCKET_BAD }
            return Transfer.at(context).openSocket(address)
        }
        ccurl_set_pointer(easy, CURLOPT_OPENSOCKETDATA, context)
        ccurl_set_before_request_fn(easy) { context, peer, _, port, _ in
            guard let context else { return Int32(CURL_PREREQFUNC_ABORT) }
            return Transfer.at(context).beforeSending(peer: peer.map { String(cString: $0) } ?? "", port: UInt16(clamping: port))
        }
        ccurl_set_pointer(easy, CURLOPT_PREREQDATA, context)
        ccurl_set_pointer(easy, CURLOPT_ERRORBUFFER, errorText)
    }

    private static func at(_ context: UnsafeMutableRawPointer) -> Transfer {
        Unmanaged<Transfer>.fromOpaque(context).takeUnretainedValue()
    }

    private func take(body bytes: UnsafeRawBufferPointer) -> Int {
        isBodyBegun = true
        guard body.count + bytes.count <= limits.bodyBytes else {
            breach = .bodyTooLarge
            return 0
        }
        // Twice as much each time, as an array does it, but never more than allowed: copying would need both at once.
        if body.count + bytes.count > body.capacity {
            body.reserveCapacity(min(limits.bodyBytes, max(body.capacity * 2, body.count + bytes.count)))
        }
        body.append(contentsOf: bytes)
        return bytes.count
    }

    private func take(headerLine line: UnsafeRawBufferPointer) -> Int {
        headerBytes += line.count
        guard headerBytes <= limits.headerBytes, headers.count < limits.headerCount else {
            breach = .headersTooLarge
            return 0
        }
        // A status line begins a new set: what came before was 100 Continue or early hints.
        if line.count >= 5, line.starts(with: "HTTP/".utf8) {
            headers.removeAll(keepingCapacity: true)
            status = Self.status(in: line)
        } else if !isBodyBegun, let colon = line.firstIndex(of: UInt8(ascii: ":")) {
            let name = String(decoding: line[..<colon].lazy.map { (65...90).contains($0) ? $0 | 32 : $0 }, as: UTF8.self)
            let value = String(decoding: Self.trimmed(line[(colon + 1)...]), as: UTF8.self)
            // Where such an answer ends is a matter of opinion, and what stands behind it somebody else's (RFC 9112, 6.3).
            if name == "content-length" {
                let lengths = value.split(separator: ",").map { $0.filter { $0 != " " } } + headers.filter { $0.name == name }.map(\.value)
                guard Set(lengths).count <= 1 else {
                    breach = .twoLengths
                    return 0
                }
            }
            headers.append((name, value))
        }
        return line.count
    }

    private static func status(in line: UnsafeRawBufferPointer) -> Int {
        guard let space = line.firstIndex(of: 32) else { return 0 }
        return line[(space + 1)...].prefix(3).reduce(0) { (48...57).contains($1) ? $0 * 10 + Int($1 - 48) : $0 }
    }

    private static func trimmed(_ bytes: Slice<UnsafeRawBufferPointer>) -> Slice<UnsafeRawBufferPointer> {
        var bytes = bytes
        while let first = bytes.first, first == 32 || first == 9 { bytes = bytes.dropFirst() }
        while let last = bytes.last, last == 32 || last == 9 || last == 13 || last == 10 { bytes = bytes.dropLast() }
        return bytes
    }

    private func openSocket(_ address: UnsafeMutablePointer<curl_sockaddr>) -> curl_socket_t {
        // The declared field holds 16 bytes; libcurl's storage behind it is larger.
        let offset = MemoryLayout<curl_sockaddr>.offset(of: \.addr) ?? 16
        let raw = UnsafeRawPointer(address) + offset
        let length = Int(address.pointee.addrlen)
        guard let peer = PeerAddress(socketAddress: raw, length: length) else {
            breach = .address("an address of an unknown kind")
            return CURL_SOCKET_BAD
        }
        if let reason = policy.refusal(ofPeer: peer, port: PeerAddress.port(socketAddress: raw, length: length), approval: approval) {
            breach = .address(reason)
            return CURL_SOCKET_BAD
        }
        let opened = socket(address.pointee.family, address.pointee.socktype | Int32(SOCK_CLOEXEC.rawValue), address.pointee.protocol)
        // Another cause: a family that this host does not have, and another address may be of one it has.
        if opened < 0, [EMFILE, ENFILE, ENOBUFS, ENOMEM].contains(errno) { breach = .noSocket(errno) }
        return opened
    }

    /// Asked on kept connections too, where no socket is opened: another connection of Berth, with other rights, may
    /// have made it.
    private func beforeSending(peer: String, port: UInt16) -> Int32 {
        guard let address = PeerAddress(peer), policy.refusal(ofPeer: address, port: port, approval: approval) == nil else {
            breach = .address(PeerAddress(peer).flatMap { AddressKind($0)?.rawValue } ?? "an unknown address")
            return Int32(CURL_PREREQFUNC_ABORT)
        }
        // libcurl repeats a request by itself when a kept connection dies before the answer. The provider may have acted on the first
        // one, and no retry is free.
        guard onSending(sendingCount) else {
            breach = .wouldRepeat
            return Int32(CURL_PREREQFUNC_ABORT)
        }
        // An address refused earlier is forgiven: another address of the same name was allowed.
        breach = nil
        sendingCount += 1
        return Int32(CURL_PREREQFUNC_OK)
    }
}
