// When scheduled runs begin: scattered within the declared jitter, never early, the same whoever asks and after a restart.

import BerthModel
import BerthSeams
import Logging
import Testing

@testable import BerthEngine

@Suite struct SchedulerTests {
    /// Connections with one schedule each for two streams, and the real scheduler over them.
    private struct Bed {
        static let streams = ["calls", "numbers"].compactMap { StreamName($0) }
        let runs = MemoryRuns(endsAtOnce: true)
        let clock: HandClock
        let directory = ConnectionDirectory()
        let host: ManifestHost
        var scheduler: Scheduler

        init(_ schedule: String, connections: Int, lastRunAt: Timestamp?, now: Timestamp) throws {
            clock = HandClock(now)
            var manifest = try IntakeBed.manifest(nil)
            manifest.streams = Self.streams.map { StreamSpec(name: $0, entity: EntityDefinition.call.name) }
            host = ManifestHost(manifest)
            for number in 1...connections {
                var connection = try IntakeBed.connection(nil, number: UInt64(number), name: "c\(number)")
                connection.schedules = Dictionary(uniqueKeysWithValues: Self.streams.map { ($0, schedule) })
                connection.createdAt = now
                directory.insert(connection)
                guard let lastRunAt else { continue }
                for stream in Self.streams {
                    runs.note(
                        StreamState(connection: connection.id, stream: stream, highWater: nil, lastRunAt: lastRunAt, lastStatus: .success))
                }
            }
            scheduler = Self.scheduler(runs, host, directory, clock)
        }

        /// A scheduler that knows nothing but what is stored, as after a restart.
        mutating func restart() { scheduler = Self.scheduler(runs, host, directory, clock) }

        private static func scheduler(_ runs: MemoryRuns, _ host: ManifestHost, _ directory: ConnectionDirectory, _ clock: HandClock)
            -> Scheduler
        {
            let logger = Logger(label: "test")
            let syncs = SyncService(
                store: runs, host: host, directory: directory, feed: EventFeed(store: runs), clock: clock, metrics: EngineMetrics(),
                logger: logger)
            return Scheduler(
                store: runs, host: host, directory: directory, syncs: syncs, zones: ZoneCatalog { _ in nil }, clock: clock,
                entropy: CountingEntropy(), logger: logger)
        }

        /// Sleeps as long as the scheduler says, or `disturbed` when something else wakes it before.
        func walk(to end: Timestamp, disturbed: Duration = .seconds(60)) async {
            while clock.now() < end {
                let wait = min(await scheduler.queueDueRuns(), disturbed)
                clock.set(clock.now().adding(wait))
            }
        }

        /// When each stream of each connection began, by both names; those with more than one run are left out.
        var begun: [String: Int64] {
            Dictionary(grouping: runs.runs) { "\($0.connection) \($0.stream)" }.compactMapValues {
                $0.count == 1 ? $0[0].createdAt.milliseconds : nil
            }
        }
    }

    private let three = moment(1_772_600_400)  // 2026-03-04T05:00:00Z

    private func expectScattered(_ begun: [String: Int64], count: Int, _ due: Timestamp, _ jitterSeconds: Int64, slack: Int64 = 20) {
        let times = begun.values.map { $0 - due.milliseconds }.sorted()
        #expect(times.count == count)
        guard let first = times.first, let last = times.last else { return }
        #expect(first >= 0, "a run began \(-first) ms before it was due")
        #expect(last <= jitterSeconds * 1000 + slack, "a run began \(last) ms after it was due")
        // Eighty of them: every fifth of the time has its share, and hardly two coincide.
        let fifths = Set(times.map { $0 / (jitterSeconds * 200) })
        #expect(fifths.isSuperset(of: 0..<5), "only in fifths \(fifths.sorted())")
        #expect(Set(times).count > count * 9 / 10)
    }

    // Without scatter all connections ask their providers in the same instant.
    @Test(arguments: [Duration.seconds(60), .seconds(7)]) func cronRunsAreScattered(disturbed: Duration) async throws {
        let bed = try Bed("cron 0 5 * * * jitter=10m", connections: 40, lastRunAt: nil, now: three.adding(seconds: -300))
        await bed.walk(to: three.adding(seconds: 700), disturbed: disturbed)
        expectScattered(bed.begun, count: 80, three, 600)
        let apart = Dictionary(grouping: bed.begun) { $0.key.split(separator: " ")[0] }.values.filter {
            abs($0[0].value - $0[1].value) > 1000
        }
        #expect(apart.count > 30, "streams of one connection begin together")
    }

    // Without scatter connections that were added together stay together.
    @Test func intervalRunsAreScattered() async throws {
        let last = three.adding(seconds: -3600)
        let bed = try Bed("every 1h jitter=10m", connections: 40, lastRunAt: last, now: three.adding(seconds: -60))
        await bed.walk(to: three.adding(seconds: 700))
        expectScattered(bed.begun, count: 80, three, 600)
    }

    // Without a scatter that depends on nothing but connection, stream and firing, a restart moves runs: some begin twice, some never.
    @Test func restartsMoveNothing() async throws {
        let calm = try Bed("cron 0 5 * * * jitter=10m", connections: 20, lastRunAt: nil, now: three.adding(seconds: -300))
        await calm.walk(to: three.adding(seconds: 700))
        var shaken = try Bed("cron 0 5 * * * jitter=10m", connections: 20, lastRunAt: nil, now: three.adding(seconds: -300))
        for seconds in stride(from: -200 as Int64, through: 700, by: 100) {
            await shaken.walk(to: three.adding(seconds: seconds), disturbed: .seconds(1))
            shaken.restart()
        }
        #expect(calm.begun.count == 40 && shaken.begun.count == 40)
        for (name, time) in calm.begun {
            let other = try #require(shaken.begun[name])
            #expect(abs(other - time) <= 1000, "\(name): \(time) and \(other)")
        }
    }

    // Without this a schedule without jitter begins late, and one that was missed waits for its next time.
    @Test func withoutJitterRunsBeginWhenDue() async throws {
        let bed = try Bed("cron 0 5 * * *", connections: 3, lastRunAt: nil, now: three.adding(seconds: -300))
        await bed.walk(to: three.adding(seconds: 60))
        #expect(bed.begun.count == 6 && bed.begun.values.allSatisfy { (0...20).contains($0 - three.milliseconds) })
        let late = try Bed(
            "cron 0 5 * * * jitter=10m", connections: 3, lastRunAt: three.adding(seconds: -86_400), now: three.adding(seconds: 7200))
        await late.walk(to: three.adding(seconds: 7300))
        #expect(
            late.begun.count == 6 && late.runs.runs.allSatisfy { $0.trigger == .catchUp && $0.createdAt == three.adding(seconds: 7200) })
    }

    // Without this a provider that asks for ten minutes of quiet is asked again a second later.
    @Test func runsWaitAsLongAsTheProviderAsked() async throws {
        let bed = try Bed("every 1s", connections: 1, lastRunAt: three, now: three)
        let connection = try #require(bed.directory.connections().first)
        let quiet = three.adding(seconds: 600)
        bed.runs.note(
            StreamState(
                connection: connection.id, stream: Bed.streams[0], highWater: nil, lastRunAt: three, lastStatus: .failed, notBefore: quiet))
        await bed.walk(to: quiet.adding(seconds: 5))
        let asked = bed.runs.runs.filter { $0.stream == Bed.streams[0] }
        #expect(asked.first.map { (0...20).contains($0.createdAt.milliseconds - quiet.milliseconds) } == true)
        #expect(asked.allSatisfy { $0.trigger == .schedule })
        #expect(bed.runs.runs.count { $0.stream == Bed.streams[1] } > 500, "the other stream waited too")
    }

    // Without this a wrong zone or a slip of the pen reads nothing and says success, or moves the stream to where nobody was.
    @Test func boundsThatHoldNothingAreRefused() async throws {
        let bed = try Bed("every 1h", connections: 1, lastRunAt: nil, now: three)
        let connection = try #require(bed.directory.connections().first)
        var stream = try #require(bed.host.manifest(of: connection.provider)?.streams.first)
        stream.isIncremental = true
        stream.overlapSeconds = 600
        let stood = StreamState(
            connection: connection.id, stream: stream.name, highWater: three.adding(seconds: -3600), lastRunAt: nil, lastStatus: nil)
        func ask(_ mode: ReadMode?, _ since: Int64?, _ until: Int64?) async throws -> SyncRun {
            try await bed.scheduler.enqueue(
                connection, stream, stood, trigger: .manual, mode: mode, since: since.map(three.adding(seconds:)),
                until: until.map(three.adding(seconds:)))
        }
        let refused: [(ReadMode?, Int64?, Int64?, String)] = [
            (nil, nil, 61, "until: "), (.full, nil, 7 * 86_400, "until: "), (nil, -10, -10, "since: "), (.range, -10, -20, "since: "),
            (nil, 30, nil, "since: "), (nil, nil, -4200, "where the stream stands"), (.range, nil, nil, "since: "),
            (.full, -10, nil, "since: "),
        ]
        for (mode, since, until, text) in refused {
            let error = await #expect(throws: BerthError.self) { try await ask(mode, since, until) }
            #expect(error?.code == .invalid && error?.message.contains(text) == true, "\(error?.message ?? "")")
        }
        #expect(bed.runs.runs.isEmpty)
        let taken = try await ask(nil, nil, 60)
        #expect(taken.until == three && taken.since == three.adding(seconds: -4200), "a clock that is a minute ahead")
        #expect(try await ask(.range, -10, -5).until == three.adding(seconds: -5))
        #expect(try await ask(nil, nil, nil).until == three)
    }
}
