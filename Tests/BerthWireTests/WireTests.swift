// The frames between daemon and worker: what is written is read back, and nothing that is not a message is taken for one.

import BerthWire
import Testing

/// A small deterministic generator: a failing seed is run again as it was.
struct SeededBits: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}

enum Samples {
    static func text(_ bits: inout SeededBits, max: Int = 24) -> String {
        String((0..<Int.random(in: 0...max, using: &bits)).map { _ in "abcXYZ0189/-_é😀\n".randomElement(using: &bits)! })
    }
    static func bytes(_ bits: inout SeededBits, max: Int = 300) -> [UInt8] {
        (0..<Int.random(in: 0...max, using: &bits)).map { _ in UInt8.random(in: 0...255, using: &bits) }
    }
    static func headers(_ bits: inout SeededBits) -> [WireHeader] {
        (0..<Int.random(in: 0...6, using: &bits)).map { _ in WireHeader(text(&bits), text(&bits)) }
    }
    static func event(_ bits: inout SeededBits) -> WireEvent {
        WireEvent(
            id: text(&bits), kind: text(&bits), method: "POST", query: text(&bits), headers: headers(&bits), body: bytes(&bits),
            attempt: .random(in: 0...9, using: &bits), receivedAt: .random(in: Int64.min...Int64.max, using: &bits))
    }
    static func record(_ bits: inout SeededBits) -> WireRecord {
        WireRecord(
            kind: .random(in: 1...2, using: &bits), item: .random(in: 0...UInt32.max, using: &bits), sourceTime: WireLimits.noTime,
            stream: ["calls", "numbers"].randomElement(using: &bits)!, key: text(&bits), payload: bytes(&bits), raw: bytes(&bits))
    }

    static func host(_ bits: inout SeededBits) -> HostMessage {
        let start = HostMessage.Start(instance: bits.next(), deadlineMilliseconds: 10_000, slot: 3)
        switch Int.random(in: 0...12, using: &bits) {
        case 0: return .hello(.init(provider: text(&bits), memoryMiB: 256, isBestEffort: true, readPaths: [text(&bits)]))
        case 1: return .createInstance(connection: text(&bits), settings: bytes(&bits), baseURL: text(&bits))
        case 2: return .destroyInstance
        case 3: return .begin(start, .handle((0..<Int.random(in: 0...5, using: &bits)).map { _ in event(&bits) }))
        case 4: return .begin(start, .read(stream: "calls", mode: 2, since: 1, until: 2, schema: 3, state: bytes(&bits)))
        case 5: return .begin(start, .perform(name: text(&bits), input: bytes(&bits), idempotencyKey: text(&bits)))
        case 6: return .begin(start, .check)
        case 7: return .begin(start, .verify(event(&bits)))
        case 8:
            return .begin(
                start,
                .write(stream: "calls", records: [.init(kind: 1, key: text(&bits), idempotencyKey: text(&bits), payload: bytes(&bits))]))
        case 9: return .cancel
        case 10: return .checkpointed(status: 10)
        case 11: return .answer(.init(status: 0, remoteStatus: 200, headers: headers(&bits), body: bytes(&bits)))
        default: return .hmacVerdict(status: 4)
        }
    }

    static func worker(_ bits: inout SeededBits) -> WorkerMessage {
        switch Int.random(in: 0...11, using: &bits) {
        case 0: return .ready(landlockABI: 7, hasSeccomp: true, interfaces: ["berth.events/1"])
        case 1: return .refused(code: text(&bits), message: text(&bits), hint: text(&bits))
        case 2: return .instance(status: 4, message: text(&bits))
        case 3: return .log(level: 2, text: text(&bits))
        case 4:
            return .failed(
                .init(
                    status: 5, item: 3, remoteStatus: 500, retryAfterMilliseconds: 9, message: text(&bits), remoteCode: text(&bits),
                    fields: bytes(&bits)))
        case 5: return .emitted((0..<Int.random(in: 0...8, using: &bits)).map { _ in record(&bits) })
        case 6: return .checkpoint(schema: 1, state: bytes(&bits))
        case 7: return .reply(bytes(&bits))
        case 8:
            return .request(
                .init(
                    flags: 1, timeoutMilliseconds: 5, method: "GET", url: text(&bits), requestClass: text(&bits), headers: headers(&bits),
                    body: bytes(&bits)))
        case 9: return .hmac(algorithm: 2, message: bytes(&bits), expected: bytes(&bits, max: 64))
        case 10: return .done(status: 0, statuses: [0, 12, -5])
        default: return .violation(text(&bits))
        }
    }
}

/// Feeds bytes in pieces of the sizes given and gathers the messages.
func assemble(_ bytes: [UInt8], pieces: () -> Int) throws(WireError) -> [(UInt8, UInt64, [UInt8])] {
    var assembler = FrameAssembler()
    defer { assembler.deallocate() }
    var offset = 0
    var messages: [(UInt8, UInt64, [UInt8])] = []
    while offset < bytes.count {
        offset += assembler.receive { room in
            let count = min(room.count, min(pieces(), bytes.count - offset))
            room.copyBytes(from: bytes[offset..<(offset + count)])
            return count
        }
        try assembler.drain { (kind, operation, payload) throws(WireError) in messages.append((kind, operation, [UInt8](payload))) }
    }
    return messages
}

@Suite struct WireTests {
    // Without this a message could change on its way, or depend on how the socket cuts it.
    @Test func everyMessageComesBackAsItWasSent() throws {
        var bits = SeededBits(state: 1)
        for round in 0..<2_000 {
            let host = Samples.host(&bits)
            let worker = Samples.worker(&bits)
            let stream = host.frames(operation: UInt64(round)) + worker.frames(operation: ~UInt64(round))
            let messages = try assemble(stream) { Int.random(in: 1...97, using: &bits) }
            try #require(messages.count == 2)
            #expect(messages[0].1 == UInt64(round) && messages[1].1 == ~UInt64(round))
            #expect(try messages[0].2.withUnsafeBytes { try HostMessage(kind: messages[0].0, payload: $0) } == host)
            #expect(try messages[1].2.withUnsafeBytes { try WorkerMessage(kind: messages[1].0, payload: $0) } == worker)
        }
    }

    // Without this a 25 MiB event body could not reach its plugin, as one frame holds 1 MiB.
    @Test func longMessagesAreCutAndJoined() throws {
        let body = [UInt8](repeating: 7, count: 3 * WireLimits.frameBytesMax + 11)
        let message = WorkerMessage.reply(body)
        let messages = try assemble(message.frames(operation: 5) + WorkerMessage.done(status: 0, statuses: []).frames(operation: 5)) {
            50_000
        }
        #expect(messages.count == 2)
        #expect(try messages[0].2.withUnsafeBytes { try WorkerMessage(kind: messages[0].0, payload: $0) } == message)
    }

    // Without this a worker could make the daemon allocate 4 GiB by one number.
    @Test func liesAboutLengthsAreRefusedAtOnce() {
        var frame = WorkerMessage.reply([1, 2, 3]).frames(operation: 1)
        frame[3] = 0xFF
        #expect(throws: WireError.self) { try assemble(frame) { 1000 } }
        var inner = WorkerMessage.reply([1, 2, 3]).frames(operation: 1)
        inner[WireLimits.headerBytes + 3] = 0x7F
        #expect(throws: WireError.self) { try decode(inner) }
        var count = WorkerMessage.done(status: 0, statuses: [0]).frames(operation: 1)
        count[WireLimits.headerBytes + 7] = 0x80
        #expect(throws: WireError.self) { try decode(count) }
    }

    // Without this a worker could send endless continuations and fill the daemon's memory.
    @Test func endlessContinuationsAreRefused() {
        var assembler = FrameAssembler()
        defer { assembler.deallocate() }
        var piece = WireWriter(capacity: WireLimits.frameBytesMax)
        for _ in 0..<(WireLimits.frameBytesMax / 8) { piece.put(UInt64(0)) }
        var frame = piece.frames(kind: WorkerMessage.Kind.reply.rawValue, operation: 1)
        frame[5] = 1
        #expect(throws: WireError.self) {
            for _ in 0..<80 {
                var offset = 0
                while offset < frame.count {
                    offset += assembler.receive { room in
                        let count = min(room.count, frame.count - offset)
                        room.copyBytes(from: frame[offset..<(offset + count)])
                        return count
                    }
                    try assembler.drain { (_, _, _) throws(WireError) in }
                }
            }
        }
    }

    // Without this another message could hide inside a continued one.
    @Test func aMessageInsideAnotherIsOutOfStep() {
        var first = WorkerMessage.reply([1, 2, 3]).frames(operation: 1)
        first[5] = 1
        let second = WorkerMessage.done(status: 0, statuses: []).frames(operation: 1)
        #expect(throws: WireError(.outOfStep, "kind 75 inside a message of kind 72")) { try assemble(first + second) { 64 } }
    }

    // Without this text that is not UTF-8 would reach the store as a record's key.
    @Test func textMustBeUTF8() {
        var frame = WorkerMessage.violation("abcd").frames(operation: 1)
        frame[frame.count - 1] = 0xFF
        #expect(throws: WireError.self) { try decode(frame) }
    }

    // Without this a mutated message could crash the daemon instead of ending its worker. 60,000 mutations of all kinds,
    // the same in every run.
    @Test func mutatedMessagesNeverCrash() {
        var bits = SeededBits(state: 42)
        var taken = 0
        var refused = 0
        for _ in 0..<60_000 {
            var bytes = Samples.worker(&bits).frames(operation: 9)
            if Bool.random(using: &bits) { bytes += Samples.host(&bits).frames(operation: 9) }
            for _ in 0..<Int.random(in: 1...6, using: &bits) {
                let index = Int.random(in: 0..<bytes.count, using: &bits)
                switch Int.random(in: 0...4, using: &bits) {
                case 0: bytes[index] = .random(in: 0...255, using: &bits)
                case 1: bytes[index] ^= 1 << UInt8.random(in: 0...7, using: &bits)
                case 2: bytes.remove(at: index)
                case 3: bytes.insert(.random(in: 0...255, using: &bits), at: index)
                default: bytes.removeSubrange(index...)
                }
                if bytes.isEmpty { bytes = [0] }
            }
            do throws(WireError) {
                for (kind, _, payload) in try assemble(bytes, pieces: { 4096 }) {
                    let failure: WireError? = payload.withUnsafeBytes { lent in
                        do throws(WireError) {
                            if kind < 64 {
                                _ = try HostMessage(kind: kind, payload: lent)
                            } else {
                                _ = try WorkerMessage(kind: kind, payload: lent)
                            }
                            return nil
                        } catch { return error }
                    }
                    if let failure { throw failure }
                }
                taken += 1
            } catch {
                refused += 1
            }
        }
        #expect(refused > 10_000 && taken > 100, "refused \(refused), taken \(taken)")
    }

    private func decode(_ frames: [UInt8]) throws(WireError) {
        for (kind, _, payload) in try assemble(frames, pieces: { 4096 }) {
            let failure: WireError? = payload.withUnsafeBytes { lent in
                do throws(WireError) {
                    _ = try WorkerMessage(kind: kind, payload: lent)
                    return nil
                } catch { return error }
            }
            if let failure { throw failure }
        }
    }
}
