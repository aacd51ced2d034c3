// The metrics that Berth promises by name (docs/metrics.md), and where each is counted.

public import BerthModel
public import BerthSeams

/// All metric families; shared by intake, dispatch, sync and outbound.
public final class EngineMetrics: Sendable {
    private static let seconds: [Double] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60]

    private let received = MetricFamily(
        .counter, "berth_webhooks_received_total", "Webhook requests by outcome of intake.", labels: ["provider", "event", "outcome"])
    private let processed = MetricFamily(
        .counter, "berth_webhooks_processed_total", "Attempts at events by outcome.", labels: ["provider", "outcome"])
    private let processing = MetricFamily(
        .histogram, "berth_webhook_processing_seconds", "Time from lease to settled, per event's batch.", labels: ["provider"],
        bounds: seconds)
    private let requests = MetricFamily(
        .counter, "berth_provider_requests_total", "Requests to providers.", labels: ["provider", "endpoint", "status"])
    private let requestSeconds = MetricFamily(
        .histogram, "berth_provider_request_seconds", "Time of requests to providers.", labels: ["provider"], bounds: seconds)
    private let available = MetricFamily(
        .gauge, "berth_provider_available", "1 when the last request that was sent got an answer below 500.", labels: ["provider"])
    private let lag = MetricFamily(
        .gauge, "berth_sync_lag_seconds", "Age of the newest data a stream has seen.", labels: ["connection", "stream"])
    private let syncRecords = MetricFamily(
        .counter, "berth_sync_records_total", "Records read by syncs.", labels: ["provider", "stream", "outcome"])
    private let depth = MetricFamily(.gauge, "berth_queue_depth", "Events in the inbox by state.", labels: ["state"])
    private let generation = MetricFamily(.gauge, "berth_plugin_generation", "Loads of a plugin since start.", labels: ["plugin"])
    private let restarts = MetricFamily(
        .counter, "berth_plugin_restarts_total", "Restarts of a plugin's workers.", labels: ["plugin"])
    private let circuit = MetricFamily(
        .gauge, "berth_circuit_state", "0 closed, 1 half-open, 2 open.", labels: ["provider", "connection"])
    private let cache = MetricFamily(
        .counter, "berth_cache_requests_total", "Requests for answers that are kept, and answers newly kept.",
        labels: ["provider", "outcome"])
    private let cacheBytes = MetricFamily(.gauge, "berth_cache_bytes", "What all kept answers take.")
    private let credentialAge = MetricFamily(
        .gauge, "berth_credentials_age_days", "Whole days since a connection's oldest secret was set.", labels: ["connection"])
    private let credentialsDue = MetricFamily(
        .gauge, "berth_credentials_rotation_due", "Connections whose credentials are due for new ones.")
    private let refused = MetricFamily(
        .counter, "berth_connections_refused_total", "Connections and feeds that a limit refused.", labels: ["listener", "limit"])
    private let subscribers = MetricFamily(.gauge, "berth_feed_subscribers", "Feed subscribers now.")
    private let queuedWrites = MetricFamily(.gauge, "berth_store_queued_writes", "Writes waiting for the next commit.")
    private let process = ProcessMetrics()

    /// All at zero.
    public init() {}

    /// A webhook request was answered.
    public func webhookReceived(provider: String, event: String, outcome: String) {
        received.add(1, [provider, event, outcome])
    }
    func webhookProcessed(provider: ProviderName, outcome: String) { processed.add(1, [provider.text, outcome]) }
    func batchProcessed(provider: ProviderName, events: Int, took: Duration) {
        processing.observe(took.inSeconds, times: UInt64(events), [provider.text])
    }
    /// A request to a provider ended; status 0 when no answer was had. One that was not sent tells nothing of the provider.
    public func providerRequest(provider: String, endpoint: String, status: Int, seconds: Double, isSent: Bool) {
        requests.add(1, [provider, endpoint, !isSent ? "unsent" : status == 0 ? "none" : String(status)])
        guard isSent else { return }
        requestSeconds.observe(seconds, [provider])
        available.set(status > 0 && status < 500 ? 1 : 0, [provider])
    }
    func syncPage(provider: ProviderName, stream: StreamName, counts: RunCounts) {
        let outcomes = [
            ("created", counts.created), ("updated", counts.updated), ("unchanged", counts.unchanged), ("deleted", counts.deleted),
            ("failed", counts.failed),
        ]
        for (outcome, count) in outcomes where count > 0 { syncRecords.add(Double(count), [provider.text, stream.text, outcome]) }
    }
    /// A circuit breaker changed: 0 closed, 1 half-open, 2 open.
    public func circuitState(provider: String, connection: String, state: Int) {
        circuit.set(Double(state), [provider, connection])
    }
    /// Forgets circuits of connections that are gone.
    func keepCircuits(of connections: Set<String>) { circuit.keep { connections.contains($0[1]) } }

    /// Ages as they stand; replaces those of before.
    func credentialAges(_ ages: [(connection: ConnectionID, days: Int)], due: Int) {
        credentialAge.reset()
        for age in ages { credentialAge.set(Double(age.days), ["\(age.connection)"]) }
        credentialsDue.set(Double(due))
    }

    /// The cache was used: hit, revalidated, miss, stored.
    public func cacheUsed(provider: String, outcome: String) { cache.add(1, [provider, outcome]) }

    /// A listener had no place for a connection or a feed; `limit`: share, all, feeds.
    public func connectionRefused(listener: String, limit: String) { refused.add(1, [listener, limit]) }

    /// The exposition text; gauges that mirror the store are read now.
    public func render(store: any Store, answers: (any ResponseCache)?, host: any PluginHost, feed: EventFeed, now: Timestamp) async
        -> String
    {
        if let answers { cacheBytes.set(Double(await answers.bytes())) }
        // A scrape that finds the store unreadable shows the rest: no figure is better than an old one, and health says what is wrong.
        depth.reset()
        if let depths = try? await store.queueDepths() {  // as said above
            for state in EventState.allCases { depth.set(Double(depths[state] ?? 0), [state.rawValue]) }
        }
        lag.reset()
        for state in (try? await store.streamStates(of: nil)) ?? [] {  // as said above
            guard let highWater = state.highWater else { continue }
            lag.set(Double(now.milliseconds - highWater.milliseconds) / 1000, ["\(state.connection)", state.stream.text])
        }
        queuedWrites.set(Double(await store.health().queuedWrites))
        for plugin in await host.plugins() {
            generation.set(Double(plugin.generation), [plugin.manifest.id.text])
            restarts.set(Double(plugin.restarts), [plugin.manifest.id.text])
        }
        subscribers.set(Double(feed.subscriberCount))
        var out = ""
        for family in [
            received, processed, processing, requests, requestSeconds, available, cache, cacheBytes, lag, syncRecords, depth, generation,
            restarts, circuit,
            credentialAge, credentialsDue, refused, subscribers, queuedWrites,
        ] { family.render(to: &out) }
        process.render(to: &out)
        return out
    }
}

extension Duration {
    /// Seconds with fraction.
    var inSeconds: Double { Double(components.seconds) + Double(components.attoseconds) * 1e-18 }
}
