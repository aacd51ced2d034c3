// Sealing, opening, refusing, and changing keys, over a store in memory and key files on disk.

import BerthModel
import BerthSeams
import Foundation
import Synchronization
import Testing

@testable import BerthVault

/// Sealed values in a dictionary.
final class MemorySealed: SealedSecretStore {
    struct Place: Hashable {
        var connection: ConnectionID
        var slot: String
    }
    let values = Mutex<[Place: SealedSecret]>([:])
    let reads = Mutex(0)

    func sealedSecret(connection: ConnectionID, slot: String) async throws(BerthError) -> SealedSecret? {
        reads.withLock { $0 += 1 }
        return values.withLock { $0[Place(connection: connection, slot: slot)] }
    }
    func setSealedSecret(_ secret: SealedSecret, connection: ConnectionID, slot: String) async throws(BerthError) {
        await Task.yield()
        values.withLock { $0[Place(connection: connection, slot: slot)] = secret }
    }
    func removeSealedSecrets(connection: ConnectionID) async throws(BerthError) {
        values.withLock { all in all = all.filter { $0.key.connection != connection } }
    }
    func allSealedSecrets() async throws(BerthError) -> [(connection: ConnectionID, slot: String, secret: SealedSecret)] {
        values.withLock { all in all.map { ($0.key.connection, $0.key.slot, $0.value) } }
    }
}

func connection(_ number: UInt64) -> ConnectionID {
    ConnectionID(time: Timestamp(milliseconds: 1_790_000_000_000), random: (number, number))
}

func key(_ seed: UInt8) -> VaultKey {
    var bytes = [UInt8](repeating: seed, count: 32)
    bytes[31] = seed &+ 1
    return bytes.withUnsafeBytes { VaultKey(bytes: $0)! }
}

func text(_ secret: Secret?) -> String? { secret?.withBytes { String(decoding: $0, as: UTF8.self) } }
func secret(_ text: String) -> Secret { Secret(copying: Array(text.utf8)) }

@Suite struct VaultTests {
    let token = SecretSlot.credential(field: "token")

    @Test func whatIsSetIsReadAgainByAnotherVault() async throws {
        // Without this credentials would be lost at a restart.
        let store = MemorySealed()
        let vault = try await Vault.open(over: store, with: VaultKeyring(current: key(1)))
        try await vault.set(secret("s3cret-ß"), token, of: connection(1))
        #expect(text(try await vault.secret(token, of: connection(1))) == "s3cret-ß")
        let again = try await Vault.open(over: store, with: VaultKeyring(current: key(1)))
        #expect(text(try await again.secret(token, of: connection(1))) == "s3cret-ß")
        #expect(try await again.secret(.webhook(index: 0), of: connection(1)) == nil)
        #expect(try await again.secret(token, of: connection(2)) == nil)
        try await again.set(secret(""), .setting(name: "empty"), of: connection(1))
        #expect(text(try await again.secret(.setting(name: "empty"), of: connection(1))) == "")
    }

    @Test func theStoreHoldsNothingReadable() async throws {
        // Without sealing a stolen database would be stolen credentials; a repeated nonce would open them too.
        let store = MemorySealed()
        let vault = try await Vault.open(over: store, with: VaultKeyring(current: key(1)))
        var nonces: Set<[UInt8]> = []
        for number in 0..<200 {
            try await vault.set(secret("canary-value"), .webhook(index: number), of: connection(1))
        }
        for sealed in store.values.withLock({ Array($0.values) }) {
            #expect(!String(decoding: sealed.bytes, as: UTF8.self).contains("canary"))
            #expect(sealed.bytes.count == 12 + 12 + 16)
            nonces.insert(Array(sealed.bytes.prefix(12)))
        }
        #expect(nonces.count == 200)
    }

    @Test func aValueOpensOnlyInItsOwnRow() async throws {
        // Without associated data somebody with write access could give one connection another's credential.
        let store = MemorySealed()
        let vault = try await Vault.open(over: store, with: VaultKeyring(current: key(1)))
        try await vault.set(secret("one"), token, of: connection(1))
        let sealed = store.values.withLock { $0.values.first! }
        for (to, slot) in [(connection(2), "credential/token"), (connection(1), "credential/other"), (connection(1), "webhook/0")] {
            store.values.withLock { $0 = [.init(connection: to, slot: slot): sealed] }
            let again = try await Vault.open(over: store, with: VaultKeyring(current: key(1)))
            #expect(again.damaged.count == 1)
            await #expect(throws: BerthError.self) {
                _ = try await again.secret(
                    slot == "webhook/0" ? .webhook(index: 0) : .credential(field: String(slot.dropFirst(11))), of: to)
            }
        }
    }

    @Test func everyFlippedBitIsNoticed() async throws {
        // Without authentication a changed value would open as another secret.
        let store = MemorySealed()
        let vault = try await Vault.open(over: store, with: VaultKeyring(current: key(1)), cacheLimit: 1)
        try await vault.set(secret("abcdefgh"), token, of: connection(1))
        let place = MemorySealed.Place(connection: connection(1), slot: token.text)
        let good = store.values.withLock { $0[place]! }
        for bit in 0..<good.bytes.count * 8 {
            var bad = good
            bad.bytes[bit / 8] ^= 1 << (bit % 8)
            #expect(SealedBox.open(bad, connection: connection(1), slot: token.text, with: key(1)) == nil, "bit \(bit)")
        }
        for length in 0..<good.bytes.count {
            var bad = good
            bad.bytes = Array(good.bytes.prefix(length))
            #expect(SealedBox.open(bad, connection: connection(1), slot: token.text, with: key(1)) == nil)
        }
    }

    @Test func aWrongKeyIsToldAtStart() async throws {
        // Without this the daemon would start well and fail at the first request, maybe days later.
        let store = MemorySealed()
        let vault = try await Vault.open(over: store, with: VaultKeyring(current: key(1)))
        try await vault.set(secret("one"), token, of: connection(1))
        let error = await #expect(throws: BerthError.self) { try await Vault.open(over: store, with: VaultKeyring(current: key(2))) }
        #expect(error?.code == .vaultKey)
        #expect(error?.message.contains(key(1).id) == true)
        #expect(error?.message.contains(key(2).id) == true)
        #expect(error?.hint != nil)
    }

    @Test func openedValuesAreKeptAndDropped() async throws {
        // Without the cache each request would read the database; without dropping an old secret would live on.
        let store = MemorySealed()
        let vault = try await Vault.open(over: store, with: VaultKeyring(current: key(1)))
        try await vault.set(secret("old"), token, of: connection(1))
        for _ in 0..<10 { #expect(text(try await vault.secret(token, of: connection(1))) == "old") }
        #expect(store.reads.withLock { $0 } == 1)
        try await vault.set(secret("new"), token, of: connection(1))
        #expect(text(try await vault.secret(token, of: connection(1))) == "new")
        try await vault.removeAll(of: connection(1))
        #expect(try await vault.secret(token, of: connection(1)) == nil)
        #expect(store.values.withLock { $0.isEmpty })
    }

    @Test func rotationReSealsWhileValuesChange() async throws {
        // Without the turns a re-sealing could bring back a value that was replaced or removed meanwhile.
        let store = MemorySealed()
        let old = try await Vault.open(over: store, with: VaultKeyring(current: key(1)))
        for number in 0..<300 { try await old.set(secret("v\(number)"), token, of: connection(UInt64(number + 1))) }
        let vault = try await Vault.open(over: store, with: VaultKeyring(current: key(2), older: [key(1)]))
        #expect(text(try await vault.secret(token, of: connection(7))) == "v6")
        async let rewrapped = vault.rewrap(batchCount: 16)
        for number in 0..<300 where number % 3 == 0 { try await vault.set(secret("n\(number)"), token, of: connection(UInt64(number + 1))) }
        try await vault.removeAll(of: connection(2))
        _ = try await rewrapped
        #expect(store.values.withLock { all in all.values.allSatisfy { $0.keyID == key(2).id } })
        let alone = try await Vault.open(over: store, with: VaultKeyring(current: key(2)))
        for number in 0..<300 where number != 1 {
            #expect(
                text(try await alone.secret(token, of: connection(UInt64(number + 1)))) == (number % 3 == 0 ? "n\(number)" : "v\(number)"))
        }
        #expect(try await alone.secret(token, of: connection(2)) == nil)
        #expect(try await alone.rewrap() == Vault.Rewrapped(count: 0, alreadyCurrent: 299))
    }
}

@Suite struct VaultKeyTests {
    private func folder() throws -> String {
        let path = NSTemporaryDirectory() + "/berth-vault-\(UInt64.random(in: 0 ... .max))"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        return path
    }
    private func put(_ bytes: [UInt8], _ path: String, mode: mode_t = 0o600) throws {
        try Data(bytes).write(to: URL(fileURLWithPath: path))
        #expect(chmod(path, mode) == 0)
    }

    @Test func aNewKeyIsPrivateAndNeverOverwritten() throws {
        // Without O_EXCL a second start could replace the key that everything is sealed with.
        let path = try folder() + "/key"
        let made = try VaultKey.create(at: path)
        var status = stat()
        #expect(stat(path, &status) == 0)
        #expect(status.st_mode & 0o7777 == 0o600)
        #expect(try VaultKey.load(from: path).id == made.id)
        #expect(throws: BerthError.self) { try VaultKey.create(at: path) }
        #expect(try VaultKey.load(from: path).id == made.id)
    }

    @Test func everyFormOfTheSameKeyIsTheSameKey() throws {
        // Without this a key copied in another form would be refused, or taken for another key.
        let raw = (0..<32).map { UInt8($0 * 7 + 1) }
        let hex = raw.map { $0 < 16 ? "0" + String($0, radix: 16) : String($0, radix: 16) }.joined()
        let base64 = Data(raw).base64EncodedString()
        let forms: [[UInt8]] = [
            raw, raw + [10], Array(hex.utf8), Array((hex + "\n").utf8), Array((hex.uppercased() + "\r\n").utf8), Array(base64.utf8),
            Array((base64 + "\n").utf8), Array(base64.dropLast().utf8),
            Array(base64.replacingOccurrences(of: "+", with: "-").replacingOccurrences(of: "/", with: "_").utf8),
        ]
        let path = try folder() + "/key"
        var ids: Set<String> = []
        for form in forms {
            try put(form, path)
            ids.insert(try VaultKey.load(from: path).id)
        }
        #expect(ids.count == 1)
        #expect(ids.first?.count == 16)
    }

    @Test func whatIsNoKeyIsRefused() throws {
        // Without this a short or empty file would be a weak key.
        let path = try folder() + "/key"
        for bytes: [UInt8] in [
            [], [10], Array(repeating: 0, count: 32), Array("short".utf8), Array(repeating: 65, count: 31), Array(repeating: 65, count: 64),
            Array("zz".utf8) + Array(repeating: 65, count: 62), Array(repeating: 66, count: 5000),
        ] {
            try put(bytes, path)
            #expect(throws: BerthError.self, "\(bytes.count) bytes") { try VaultKey.load(from: path) }
        }
    }

    @Test func badProtectionIsRefusedWithTheCommand() throws {
        // Without this a key that everybody can read would be used in silence.
        let path = try folder() + "/key"
        for mode: mode_t in [0o644, 0o640, 0o660, 0o604, 0o602, 0o700, 0o666, 0o4600] {
            try put((0..<32).map { UInt8($0) }, path, mode: mode)
            let error = #expect(throws: BerthError.self) { try VaultKey.load(from: path) }
            #expect(error?.hint == "chmod 0600 \(path)")
        }
        try put((0..<32).map { UInt8($0) }, path, mode: 0o400)
        _ = try VaultKey.load(from: path)
    }

    @Test func onlyRegularFilesAreRead() throws {
        // Without this a link or a pipe put in the key's place would be followed, or would hang the start.
        let folder = try folder()
        try put((0..<32).map { UInt8($0) }, folder + "/key")
        #expect(symlink(folder + "/key", folder + "/link") == 0)
        #expect(mkfifo(folder + "/pipe", 0o600) == 0)
        for name in ["link", "pipe", "", "missing"] {
            let error = #expect(throws: BerthError.self) { try VaultKey.load(from: folder + "/" + name) }
            #expect(error?.hint != nil)
        }
    }

    @Test func theServiceManagersCredentialComesFirst() throws {
        // Without this the unit's LoadCredential= would be ignored.
        let folder = try folder()
        try put((0..<32).map { UInt8($0) }, folder + "/file")
        try put((0..<32).map { UInt8($0 + 1) }, folder + "/file.old")
        let fromFile = try VaultKeyring.load(keyFile: folder + "/file", credentialsDirectory: nil)
        #expect(fromFile.ids.count == 2)
        try put((0..<32).map { UInt8($0 + 2) }, folder + "/berth-vault-key")
        let fromCredential = try VaultKeyring.load(keyFile: folder + "/file", credentialsDirectory: folder)
        #expect(fromCredential.ids.count == 1)
        #expect(!fromFile.ids.contains(fromCredential.current.id))
        #expect(throws: BerthError.self) { try VaultKeyring.load(keyFile: nil, credentialsDirectory: nil) }
    }
}
