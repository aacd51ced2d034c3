// Hiding a credential in answers that repeat it. A long answer is searched on a thread of its own: on the loop's, every request of every
// connection would wait as long.

import BerthModel
import BerthSeams
import Dispatch

/// The long answers that are being searched. Of the outbound actor.
struct LongAnswers {
    /// One after another, or a few of them would hold all the memory. Of each connection only one at a time stands in them, so that a
    /// provider of many long answers holds up its own.
    let queue = DispatchQueue(label: "berth-outbound-answers")
    /// Over a mebibyte, of which a few would hold up all that are a page of a list for seconds.
    let largeQueue = DispatchQueue(label: "berth-outbound-large-answers")
    private(set) var waiting: [ConnectionID: [CheckedContinuation<Void, Never>]] = [:]

    /// Where an answer of so many bytes is searched.
    func queue(bytes: Int) -> DispatchQueue { bytes > 1 << 20 ? largeQueue : queue }

    /// False: another answer of the connection is being searched, and `wait` is needed.
    mutating func enter(_ connection: ConnectionID) -> Bool {
        guard waiting[connection] == nil else { return false }
        waiting[connection] = []
        return true
    }

    mutating func wait(_ connection: ConnectionID, _ continuation: CheckedContinuation<Void, Never>) {
        waiting[connection]?.append(continuation)
    }

    /// Gives the place to the one that waited longest.
    mutating func leave(_ connection: ConnectionID) {
        if waiting[connection]?.isEmpty == false { waiting[connection]?.removeFirst().resume() } else { waiting[connection] = nil }
    }
}

extension CurlOutbound {
    /// Bodies up to here are searched at once, in less than half a millisecond (32 MiB take 0.2 s, and 1.4 s if they are made to be slow).
    static let shortBodyBytesMax = 32 << 10

    /// The answer without what it repeats of the credential.
    func hidden(
        _ result: Result<ProviderResponse, AttemptFailure>, _ mask: SecretMask?, of connection: ConnectionID
    ) async -> Result<ProviderResponse, AttemptFailure> {
        guard case .success(var response) = result, let mask else { return result }
        guard response.body.count > Self.shortBodyBytesMax else {
            mask.hide(in: &response)
            return .success(response)
        }
        if !longAnswers.enter(connection) { await withCheckedContinuation { longAnswers.wait(connection, $0) } }
        defer { longAnswers.leave(connection) }
        let long = response
        return await withCheckedContinuation { continuation in
            longAnswers.queue(bytes: long.body.count).async {
                var response = long
                mask.hide(in: &response)
                continuation.resume(returning: .success(response))
            }
        }
    }
}
