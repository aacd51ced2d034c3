// What comes from workers, over the control socket and from bundles.

import BerthControlAPI
import BerthModel
import BerthPlugins
import BerthWire

/// F1: frames of a worker, in pieces as a socket may give them. What is read must say the same when it is written again.
@Sendable func frames(_ data: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let input = bytes(data, count)
    var assembler = FrameAssembler()
    defer { assembler.deallocate() }
    var offset = 0
    do throws(WireError) {
        while offset < input.count {
            let piece = min(input.count - offset, 1 + Int(input[offset]) * 7)
            let taken = assembler.receive { room in
                let length = min(piece, room.count)
                input.withUnsafeBytes { room.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[offset..<offset + length])) }
                return length
            }
            guard taken > 0 else { break }
            offset += taken
            try assembler.drain { kind, operation, payload throws(WireError) in
                let message = try WorkerMessage(kind: kind, payload: payload)
                let again = message.frames(operation: operation)
                var copy = FrameAssembler()
                defer { copy.deallocate() }
                var at = 0
                while at < again.count {
                    at += copy.receive { room in
                        let length = min(again.count - at, room.count)
                        again.withUnsafeBytes { room.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[at..<at + length])) }
                        return length
                    }
                    try copy.drain { kind, number, payload throws(WireError) in
                        precondition(number == operation)
                        let second = try WorkerMessage(kind: kind, payload: payload)
                        precondition(second == message, "written and read again it is another message")
                    }
                }
            }
        }
    } catch {}
    return 0
}

/// What is read as JSON says the same when it is written and read again; strict reading accepts no more than the other.
@Sendable func json(_ data: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let input = bytes(data, count)
    guard let value = JSONValue(text: input) else {
        if (try? StrictJSON.parse(input)) != nil { preconditionFailure("strict reading accepts what reading refuses") }
        return 0
    }
    precondition(JSONValue(text: Array(value.text.utf8)) == value, "written and read again it is another value")
    return 0
}

/// F5: bodies of the control socket.
@Sendable func control(_ data: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let input = bytes(data, count)
    _ = try? StrictJSON.decode(NewConnection.self, from: input)
    _ = try? StrictJSON.decode(ConnectionChange.self, from: input)
    _ = try? StrictJSON.decode(SyncRequest.self, from: input)
    return 0
}

/// plugin.toml of anybody. Refusals name the file.
@Sendable func manifest(_ data: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    do throws(BerthError) { _ = try ManifestReader().read(text: text(data, count), path: "fuzz.toml") } catch {
        precondition(error.message.contains("fuzz.toml"), "a refusal that names no file: \(error.message)")
    }
    return 0
}
