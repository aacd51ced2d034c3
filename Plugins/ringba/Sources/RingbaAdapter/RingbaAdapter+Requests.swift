// Ringba's way of saying no: `isRateLimited` in a body of any status, error bodies in three shapes.

import BerthPluginSDK

extension RingbaAdapter {
    /// Limits are counted by these classes of the manifest: call logs 5 a second and 80 a minute, details 200 a minute.
    enum RequestClass {
        static let reports = "reports"
        static let details = "details"
    }

    /// Sends and answers a good answer's JSON with the time it was asked; throws what a bad one means.
    func ask(_ request: HTTPRequest, _ context: Context) throws -> (root: JSONNode, answer: HTTPResponse) {
        let answer = try context.http.send(request)
        if (200..<300).contains(answer.status) {
            if answer.body.isEmpty { return (try JSONDocument(Array("{}".utf8)).root, answer) }
            let root = try answer.json()
            try Self.refuseThrottled(root, answer)
            guard root["isSuccessful"]?.bool != false else {
                throw ProviderError(
                    .internal, "Ringba refused: \(root["message"]?.scalarText ?? "isSuccessful is false without a message")",
                    remoteStatus: answer.status, remoteCode: root["messageCode"]?.scalarText ?? "")
            }
            return (root, answer)
        }
        // Some of its 400s are plain text: no JSON then means only that there is no throttle notice in it.
        if let root = (try? JSONDocument(answer.body))?.root {
            try Self.refuseThrottled(root, answer)
            if var error = answer.error {
                error.remoteCode = root["messageCode"]?.scalarText ?? ""
                throw error
            }
        }
        try answer.checked()
        return (try answer.json(), answer)
    }

    /// A throttle notice asks to wait until the named window turns.
    private static func refuseThrottled(_ root: JSONNode, _ answer: HTTPResponse) throws {
        guard root["isRateLimited"]?.bool == true else { return }
        let window: Int64 = root["exceedingRateLimit"]?.string?.lowercased() == "second" ? 1000 : 60_000
        let wait = window - ProviderTime.now.milliseconds % window
        throw ProviderError(
            .throttled, "Ringba's limit for \(root["rateLimitedResource"]?.scalarText ?? "this resource") is used up",
            remoteStatus: answer.status, remoteCode: "isRateLimited", retryAfter: answer.retryAfter ?? .milliseconds(wait))
    }
}
