// A loaded library is the bytes that were checked, for good, and no two loads are one.

import BerthLoader
import BerthModel
import Foundation
import Testing

@Suite(.serialized) struct IdentityTests {
    // Without sealing, a file replaced or overwritten after the check would run in place of what was checked.
    @Test func aFileReplacedAfterSealingHasNoEffect() throws {
        let path = try Variant.file("replaced", try Data(contentsOf: URL(filePath: try Variant.library("VALUE=10"))))
        let image = try SealedImage(path: path)
        try Data(contentsOf: URL(filePath: try Variant.library("VALUE=11"))).write(to: URL(filePath: path), options: .atomic)
        let plugin = try LoadedPlugin.load(image, named: path)
        #expect(try plugin.act("value").seen.reply == "10")
        // In place, under the feet of the loaded one: with a mapping of the file itself this ends the process.
        let handle = try FileHandle(forWritingTo: URL(filePath: path))
        try handle.truncate(atOffset: 0)
        try handle.write(contentsOf: Data(repeating: 0xEE, count: 4096))
        try handle.close()
        #expect(try plugin.act("value").seen.reply == "10")
        // And what is sealed cannot be written even by those who have the descriptor.
        var byte: UInt8 = 0
        #expect(pwrite(image.descriptor, &byte, 1, 0) == -1 && ftruncate(image.descriptor, 0) == -1)
    }

    // Without this a second load of the same file would share the first one's globals, and a reload restart nothing.
    @Test func theSameBytesTwiceAreTwoPlugins() throws {
        let path = try Variant.library("VALUE=12")
        let first = try LoadedPlugin.load(path)
        #expect(try first.act("created").seen.reply == "1")
        #expect(try first.act("created").seen.reply == "2")
        let second = try LoadedPlugin.load(path)
        #expect(try second.act("created").seen.reply == "1")
        #expect(try first.act("created").seen.reply == "3")
    }

    // Without a path of its own per image, a library whose memory file got the descriptor number of an earlier, closed one
    // would be answered with the earlier one's code: glibc compares the path's text first.
    @Test func aReusedDescriptorNumberGivesTheNewCode() throws {
        var descriptors: [Int32] = [], values: [String] = [], paths: Set<String> = []
        for value in 20..<26 {
            let image = try SealedImage(path: try Variant.library("VALUE=\(value)"))
            descriptors.append(image.descriptor)
            paths.insert(image.path)
            values.append(try LoadedPlugin.load(image, named: "variant").act("value").seen.reply)
        }
        #expect(values == (20..<26).map(String.init))
        #expect(paths.count == 6, "the paths must differ even where descriptors are the same: \(descriptors)")
    }

    // Without RTLD_LOCAL two plugins that both export a function of one name would call each other's.
    @Test func equalNamesInTwoPluginsStayApart() throws {
        let first = try LoadedPlugin.load(try Variant.library("SECOND", "VALUE=30"))
        let second = try LoadedPlugin.load(try Variant.library("SECOND", "VALUE=31"))
        #expect(try first.act("shared").seen.reply == "30")
        #expect(try second.act("shared").seen.reply == "31")
    }

    // Without this a worker could be made to load what someone still can change.
    @Test func anUnsealedDescriptorIsNotAdopted() throws {
        let handle = try #require(FileHandle(forReadingAtPath: try Variant.library()))
        #expect(throws: LoadRefusal.self) { try SealedImage(adopting: dup(handle.fileDescriptor)) }
        let image = try SealedImage(path: try Variant.library("VALUE=13"))
        let adopted = try SealedImage(adopting: dup(image.descriptor))
        #expect(try LoadedPlugin.load(adopted, named: "adopted").act("value").seen.reply == "13")
        #expect(adopted.count == image.count)
    }
}
