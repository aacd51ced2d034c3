// Zone files read right, for the table's years and for those the footer's rule covers.

import BerthModel
import Testing

@Suite struct TZifZoneTests {
    // Without the reader's table and rule these offsets, which Python's zoneinfo gave, would differ.
    @Test func agreesWithPython() throws {
        var zones: [Substring: TZifZone] = [:]
        var compared = 0
        for line in String(decoding: try ZoneFixtures.bytes("zone-offsets.txt"), as: UTF8.self).split(separator: "\n") {
            let words = line.split(separator: " ")
            guard words.count == 3, let seconds = Int64(words[1]), let offset = Int64(words[2]) else { continue }
            let zone = try zones[words[0]] ?? ZoneFixtures.zone(String(words[0]))
            zones[words[0]] = zone
            #expect(zone.offsetSeconds(at: Timestamp(milliseconds: seconds * 1000)) == offset, "\(line)")
            compared += 1
        }
        #expect(compared > 400)
    }

    // Without transitions that agree with offsets, schedules would miss or double a change of the clock.
    @Test(arguments: ["Berlin", "New_York", "Lord_Howe", "Dublin", "Troll", "Apia"]) func transitionsAgreeWithOffsets(name: String) throws {
        let zone = try ZoneFixtures.zone(name)
        var at = moment("1850-01-01T00:00:00Z")
        var count = 0
        while let change = zone.transition(after: at), change.moment < moment("2150-01-01T00:00:00Z") {
            #expect(change.moment > at)
            #expect(change.offsetBefore != change.offsetAfter)
            #expect(zone.offsetSeconds(at: change.moment.adding(milliseconds: -1)) == change.offsetBefore, "\(change)")
            #expect(zone.offsetSeconds(at: change.moment) == change.offsetAfter, "\(change)")
            #expect(zone.transition(atOrBefore: change.moment) == change)
            let before = zone.transition(atOrBefore: change.moment.adding(milliseconds: -1))
            #expect(before == nil || before.map { $0.moment <= at } == true)
            at = change.moment
            count += 1
        }
        #expect(count > 10)
    }

    // Without bounds checks a damaged file would crash the daemon: every cut and many flipped bytes are read.
    @Test func damagedFilesAreRefusedOrRead() throws {
        let whole = try ZoneFixtures.bytes("zones/Berlin")
        for count in 0..<whole.count {
            #expect(throws: BerthError.self) { _ = try TZifZone(Array(whole[..<count])) }
        }
        var refused = 0
        for index in 0..<whole.count {
            for flip: UInt8 in [0x01, 0x80, 0xFF] {
                var bytes = whole
                bytes[index] ^= flip
                do {
                    let zone = try TZifZone(bytes)
                    _ = zone.offsetSeconds(at: moment("2026-06-01T00:00:00Z"))
                    _ = zone.transition(after: moment("2060-06-01T00:00:00Z"))
                } catch { refused += 1 }
            }
        }
        #expect(refused > 100)
        #expect(throws: BerthError.self) { _ = try TZifZone([]) }
    }

    // Without the name check a schedule could have the daemon read files outside the zone folder.
    @Test func onlyZoneNamesAreLookedUp() throws {
        let catalog = ZoneCatalog { name in try? ZoneFixtures.bytes("zones/\(name)") }  // a missing fixture is an unknown zone
        #expect(try catalog.zone("Berlin").offsetSeconds(at: moment("2026-07-01T00:00:00Z")) == 7200)
        #expect(try catalog.zone(nil).offsetSeconds(at: moment("2026-07-01T00:00:00Z")) == 0)
        for name in ["../zones/Berlin", "/etc/passwd", "", "Berlin/", "Nowhere", "a b", "."] {
            #expect(throws: BerthError.self) { _ = try catalog.zone(name) }
        }
    }
}
