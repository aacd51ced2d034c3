// What a worker's socket would not take yet, message by message: each is let go as soon as it is sent, and nothing is copied. Does
// no I/O.

/// Messages on their way out.
struct OutgoingQueue {
    private var messages: [(bytes: [UInt8], sent: Int, isAnswer: Bool)] = []
    private var next = 0

    /// Bytes of answers that are not wholly sent.
    private(set) var answerBytes = 0

    var isEmpty: Bool { next == messages.count }

    /// Adds a message of which `sent` bytes are out already.
    mutating func append(_ bytes: [UInt8], sent: Int, isAnswer: Bool) {
        messages.append((bytes, sent, isAnswer))
        if isAnswer { answerBytes += bytes.count }
    }

    /// Hands bytes to `send` until it takes none; it answers how many it took.
    mutating func flush(_ send: (UnsafeRawBufferPointer) -> Int) {
        while next < messages.count {
            let message = messages[next]
            let count = message.bytes.withUnsafeBytes { send(UnsafeRawBufferPointer(rebasing: $0[message.sent...])) }
            guard count > 0 else { return compact() }
            messages[next].sent += count
            guard messages[next].sent == message.bytes.count else { continue }
            if message.isAnswer { answerBytes -= message.bytes.count }
            messages[next].bytes = []
            next += 1
        }
        messages.removeAll()
        next = 0
    }

    private mutating func compact() {
        guard next > 64, next > messages.count / 2 else { return }
        messages.removeFirst(next)
        next = 0
    }
}
