// The control socket's file: never wider than its mode, never somebody else's.

import BerthModel
import Foundation
import Glibc
import Testing

@testable import BerthServer

extension Server {
    @Suite struct ControlSocketTests {
        private func folder() throws -> String {
            let path = NSTemporaryDirectory() + "berth-socket-\(UInt64.random(in: 0 ... .max))"
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
            return path
        }

        private func mode(_ path: String) -> mode_t? {
            var info = stat()
            return lstat(path, &info) == 0 ? info.st_mode & 0o777 : nil
        }

        @Test func modeAndEnd() throws {
            // Would break: P10.
            let path = try folder() + "/control.sock"
            let socket = try ControlSocket(path: path, mode: 0o660, group: nil) { _ in }
            #expect(mode(path) == 0o660)
            socket.unlinkName()
            #expect(mode(path) == nil)
            close(socket.descriptor)
        }

        @Test func aLiveSocketStaysADeadOneGoes() throws {
            // Would break: S12.
            let path = try folder() + "/control.sock"
            let first = try ControlSocket(path: path, mode: 0o600, group: nil) { _ in }
            let refusal = #expect(throws: BerthError.self) { _ = try ControlSocket(path: path, mode: 0o660, group: nil) { _ in } }
            #expect(refusal?.code == "control_socket_in_use")
            #expect(mode(path) == 0o600)
            close(first.descriptor)
            let second = try ControlSocket(path: path, mode: 0o660, group: nil) { _ in }
            #expect(mode(path) == 0o660)
            first.unlinkName()
            #expect(mode(path) == 0o660, "an old daemon took the new one's socket away")
            second.unlinkName()
            close(second.descriptor)
        }

        @Test func foreignFilesStay() throws {
            // Would break: a daemon started as root that removes what the path points to.
            let folder = try folder()
            try Data("x".utf8).write(to: URL(filePath: "\(folder)/file"))
            try FileManager.default.createSymbolicLink(atPath: "\(folder)/link", withDestinationPath: "\(folder)/file")
            for name in ["file", "link"] {
                let refusal = #expect(throws: BerthError.self) {
                    _ = try ControlSocket(path: "\(folder)/\(name)", mode: 0o660, group: nil) { _ in }
                }
                #expect(refusal?.hint != nil)
            }
            #expect(FileManager.default.contents(atPath: "\(folder)/link") == Data("x".utf8))
        }

        @Test func aGroupThatIsNotThereIsAWarning() throws {
            // Would break: a start on a machine without the group.
            let path = try folder() + "/control.sock"
            var warnings: [String] = []
            let socket = try ControlSocket(path: path, mode: 0o660, group: "no-such-group-here") { warnings.append($0) }
            #expect(warnings.count == 1)
            socket.unlinkName()
            close(socket.descriptor)
        }
    }
}
