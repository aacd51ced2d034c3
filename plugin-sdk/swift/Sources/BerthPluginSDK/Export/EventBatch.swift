// One batch of events: a status each, their records together in few host calls.

internal import CBerthPlugin

enum EventBatch {
    static func handle(
        _ handler: any EventHandler, _ context: Context, _ events: UnsafeBufferPointer<berth_event_v1>,
        _ statuses: UnsafeMutablePointer<Int32>
    ) -> Int32 {
        for index in events.indices {
            guard let event = events.baseAddress else { return BERTH_INVALID_ARGUMENT }
            context.item = UInt32(index)
            let mark = context.batch.mark
            do {
                try handler.handle(Event(event + index), context)
                statuses[index] = BERTH_OK
            } catch {
                context.batch.discard(after: mark)
                let status = context.report(error)
                // Nothing of an unfinished batch may count as done: earlier events' records may not have left yet.
                if status == BERTH_CANCELLED { return cancelled(events.count, statuses) }
                statuses[index] = status
            }
        }
        context.item = BERTH_NO_ITEM
        do {
            try context.flush()
            return BERTH_OK
        } catch {
            let status = context.report(error)
            for index in events.indices where statuses[index] == BERTH_OK { statuses[index] = status }
            return status
        }
    }

    private static func cancelled(_ count: Int, _ statuses: UnsafeMutablePointer<Int32>) -> Int32 {
        for index in 0..<count where statuses[index] == BERTH_OK || statuses[index] == BERTH_INTERNAL { statuses[index] = BERTH_CANCELLED }
        return BERTH_CANCELLED
    }
}
