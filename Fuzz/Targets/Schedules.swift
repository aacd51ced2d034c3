// Schedules that people write and zones that a machine's files describe.

import BerthModel

/// F9: schedule expressions. The next moment is later than the one asked from, and its jitter is within bounds.
@Sendable func schedule(_ data: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    do throws(BerthError) {
        let schedule = try Schedule(text(data, count), seed: 7)
        let now = Timestamp(milliseconds: 1_780_000_000_000)
        if let next = schedule.nextFire(after: now, zone: FixedZone.utc) {
            precondition(next.milliseconds > now.milliseconds, "fires before it is asked")
            let late = schedule.jittered(next, seed: 9).milliseconds - next.milliseconds
            precondition(late >= 0 && late <= Int64(schedule.jitterSeconds) * 1000, "jitter of \(late) ms")
        }
    } catch { precondition(!error.message.isEmpty) }
    return 0
}

/// TZif files. A transition after a moment is after it, one before it is not.
@Sendable func zone(_ data: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    do throws(BerthError) {
        let zone = try TZifZone(bytes(data, count))
        for seconds in stride(from: Int64(-4_000_000_000), through: 8_000_000_000, by: 1_000_000_000) {
            let moment = Timestamp(milliseconds: seconds * 1000)
            _ = zone.offsetSeconds(at: moment)
            if let next = zone.transition(after: moment) {
                precondition(next.moment.milliseconds > moment.milliseconds, "a transition before it is asked")
            }
            if let last = zone.transition(atOrBefore: moment) {
                precondition(last.moment.milliseconds <= moment.milliseconds, "a transition too late")
            }
        }
    } catch { precondition(!error.message.isEmpty) }
    return 0
}
