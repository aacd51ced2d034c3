// Tables of another length than the host's, in both directions.

import BerthLoader
import BerthModel
import Testing

@Suite struct TableTests {
    // Without this a plugin built with a later header, whose table is longer, would be refused or write over the host's memory.
    @Test(arguments: [1, 8, 500]) func aNewerPluginsLongerTableWorks(_ slots: Int) throws {
        let plugin = try LoadedPlugin.load(try Variant.library("LONGER=\(slots)"))
        #expect(plugin.offered == ["berth.events/1", "berth.actions/1"])
        #expect(try plugin.act("value").status == .ok)
        plugin.shutDown()
    }

    // Without this an older plugin's table would be read beyond its end: destroy and shutdown abort here when they are called.
    @Test(arguments: [24, 28, 31]) func anOlderPluginsShortTableHasOnlyWhatItHas(_ size: Int) throws {
        let plugin = try LoadedPlugin.load(try Variant.library("TABLE_SIZE=\(size)"))
        #expect(plugin.offered.isEmpty)
        let instance = try plugin.makeInstance(connection: "con_1", settings: Array("{}".utf8), baseURL: "").get()
        #expect(instance.perform(name: "value", input: [], idempotencyKey: "", Recorder()) == .unsupported)
        #expect(instance.check(Recorder()) == .unsupported)
        #expect(instance.handle([], Recorder()) == [])
        #expect(instance.read(stream: "calls", mode: 1, since: nil, until: 0, checkpoint: nil, Recorder()) == .unsupported)
        #expect(instance.write(stream: "calls", records: [(.upsert, "", "", [])], Recorder()) == [.unsupported])
        instance.destroy()
        plugin.shutDown()
    }

    // Without this a table that ends with shutdown's first half would be called through half an address.
    @Test(arguments: [32, 39, 40, 47]) func halfAFunctionIsAbsent(_ size: Int) throws {
        let plugin = try LoadedPlugin.load(try Variant.library("TABLE_SIZE=\(size)"))
        #expect(plugin.offered.isEmpty == (size < 40))
        plugin.shutDown()
    }

    // Without this a short interface table before an unmapped page would end the process when it is looked at.
    @Test(arguments: [4, 8, 12]) func aShortInterfaceTableIsAbsent(_ size: Int) throws {
        let plugin = try LoadedPlugin.load(try Variant.library("EVENTS_AT_PAGE_END=\(size)"))
        #expect(plugin.offered == ["berth.actions/1"])
    }

    // Without this a plugin could be given a table for an id that nobody has, or one of another revision than it asked for.
    @Test func theHostAnswersOnlyKnownInterfaces() throws {
        // http/1; unknown; empty; no address; no address with a length; overlong; zeros; http/1 in revision 2
        #expect(try LoadedPlugin.load(try Variant.library()).act("ask").seen.reply == "[1,0,0,0,0,0,0,0]")
    }
}
