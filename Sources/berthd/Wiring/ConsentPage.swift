// What a person sees after the consent: one line of plain text. Nothing of the request is repeated in it.

import BerthEngine
import BerthModel

enum ConsentPage {
    static func answer(_ fields: [(name: String, value: String)], _ connections: Connections) async -> (status: Int, text: String) {
        do throws(BerthError) {
            let connection = try await connections.complete(fields, expected: nil, actor: "browser")
            if connection.status == .paused, connection.lastError == nil {
                return (200, "\(connection.provider)/\(connection.name) is connected, and still paused. You may close this window.\n")
            }
            guard connection.status == .active else {
                return (
                    200,
                    "The consent is stored, but the provider did not accept it yet: \(connection.lastError ?? "see berthctl connection show").\n"
                )
            }
            return (200, "\(connection.provider)/\(connection.name) is connected. You may close this window.\n")
        } catch {
            return (error.code == .credential ? 502 : 400, "\(error.message)\n\(error.hint.map { "\($0)\n" } ?? "")")
        }
    }
}
