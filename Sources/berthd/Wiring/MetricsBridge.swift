// Intake and outbound tell of what they did; the metrics count it.

import BerthEngine
import BerthModel
import BerthOutbound

/// Counts for both.
struct MetricsBridge: IntakeObserver, OutboundObserver {
    let metrics: EngineMetrics

    func received(provider: String, kind: String, outcome: IntakeOutcome) {
        metrics.webhookReceived(provider: provider, event: kind, outcome: outcome.rawValue)
    }

    func exchanged(_ exchange: OutboundExchange) {
        metrics.providerRequest(
            provider: exchange.provider.text, endpoint: exchange.requestClass ?? "", status: exchange.status ?? 0,
            seconds: exchange.seconds,
            isSent: exchange.isSent)
    }

    func cacheUsed(_ outcome: CacheOutcome, of provider: ProviderName) {
        metrics.cacheUsed(provider: provider.text, outcome: outcome.rawValue)
    }

    func circuitChanged(_ circuit: CircuitStatus) {
        let state =
            switch circuit.state {
            case .closed: 0
            case .halfOpen: 1
            case .open: 2
            }
        metrics.circuitState(provider: circuit.provider.text, connection: circuit.connection.description, state: state)
    }
}
