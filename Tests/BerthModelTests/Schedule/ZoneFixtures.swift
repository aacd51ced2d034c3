// Zones of the tests: files of the tz database, committed so that results do not depend on the machine.

import BerthModel
import Glibc

enum ZoneFixtures {
    static let folder: String = {
        let parts = #filePath.split(separator: "/").dropLast(2)
        return "/" + parts.joined(separator: "/") + "/Fixtures"
    }()

    static func bytes(_ path: String) throws -> [UInt8] {
        guard let file = fopen("\(folder)/\(path)", "rb") else { throw BerthError(.notFound, "no fixture \(path)") }
        defer { fclose(file) }
        var bytes = [UInt8](repeating: 0, count: 1 << 17)
        let count = fread(&bytes, 1, bytes.count, file)
        return Array(bytes[..<count])
    }

    static func zone(_ name: String) throws -> TZifZone { try TZifZone(bytes("zones/\(name)")) }
}

func moment(_ text: String) -> Timestamp {
    guard let moment = Timestamp(text) else { preconditionFailure("'\(text)' is no time") }
    return moment
}
