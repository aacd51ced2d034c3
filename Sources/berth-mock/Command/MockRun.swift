// One run from start to signal: builds the parts, listens, sends, and at the end tells what was acknowledged.

import Dispatch
import Glibc
import Hummingbird
import Logging
import NIOCore

/// The running mock.
struct MockRun {
    private let plan: MockPlan
    private let admin: AdminAPI

    /// Builds the parts of `plan`. - Throws: ``MockProblem`` for what cannot be.
    init(_ plan: MockPlan) throws {
        self.plan = plan
        let start = wallClockMilliseconds()
        let ledger = try DeliveryLedger(path: plan.ledgerPath)
        let faults = FaultBoard(plan.faults, seed: plan.seed)
        var providers: [ProviderName: PlayedProvider] = [:], senders: [ProviderName: WebhookSender] = [:]
        for name in plan.providers {
            let book = CallBook(provider: name, seed: plan.seed, liveSeed: plan.liveSeed ?? UInt64(start), count: plan.calls, now: start)
            let provider = PlayedProvider(
                name: name, book: book, dialect: try plan.dialect(name), lateAfterSeconds: plan.lateAfterSeconds,
                clock: wallClockMilliseconds)
            providers[name] = provider
            senders[name] = WebhookSender(
                provider: provider, ledger: ledger, faults: faults, settings: plan.sends[name] ?? SendSettings(),
                runID: String(start, radix: 36),
                clock: wallClockMilliseconds)
        }
        admin = AdminAPI(
            providers: providers, senders: senders, ledger: ledger, tally: RequestTally(), faults: faults, allowsRemote: plan.allowsRemote,
            authorization: plan.oauth.map { AuthorizationServer(settings: $0, clock: wallClockMilliseconds) })
    }

    /// Plays until SIGTERM or SIGINT, then exits with 0; exits with another status when the port cannot be had.
    func run() async throws {
        var logger = Logger(label: "berth-mock")
        logger.logLevel = .error
        let (signals, told) = AsyncStream.makeStream(of: Void.self)
        var sources: [any DispatchSourceSignal] = []
        for number in [SIGTERM, SIGINT] {
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number)
            source.setEventHandler { told.yield() }
            // Until it is registered the signal is lost, and the mock would outlive whoever started it.
            await withCheckedContinuation { registered in
                source.setRegistrationHandler { registered.resume() }
                source.resume()
            }
            sources.append(source)
        }
        let (admin, plan) = (admin, plan)
        let application = Application(
            responder: MockResponder(admin: admin, clock: wallClockMilliseconds),
            configuration: .init(address: .hostname(plan.host, port: plan.port), serverName: nil),
            onServerRunning: { channel in
                let port = channel.localAddress?.port ?? plan.port
                say("berth-mock listening on http://\(plan.host):\(port)")
                for (name, sender) in admin.senders { await sender.start(plan.sends[name] ?? SendSettings()) }
            }, logger: logger)
        Task {
            do {
                try await application.run()
            } catch {
                complain("cannot serve \(plan.host):\(plan.port): \(error)")
                exit(69)
            }
        }
        for await _ in signals { break }
        for source in sources { source.cancel() }
        await finish()
    }

    // Answers in flight get a second; what is still open then is unknown, and says so in the ledger.
    private func finish() async {
        for sender in admin.senders.values { await sender.stop() }
        let deadline = ContinuousClock.now + .seconds(1)
        while ContinuousClock.now < deadline {
            var unfinished = 0
            for sender in admin.senders.values { unfinished += await sender.unfinished }
            if unfinished == 0 { break }
            do { try await Task.sleep(for: .milliseconds(10)) } catch { break }
        }
        await admin.ledger.settleOpen()
        let summary = await admin.summary()
        say(String(decoding: summary.body, as: UTF8.self))
        exit(0)
    }
}
