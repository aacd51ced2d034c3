// The protocol family of an adapter: one protocol to exist, one per ability. An adapter adopts the abilities its
// provider has; the SDK tells the daemon which ones those are. Blocking code throughout: each operation has a thread.

/// One connection to a provider. Create it cheaply: no requests in `init`.
///
/// Operations on one adapter run in parallel up to the manifest's `runtime.max_concurrency`, hence `Sendable`.
public protocol ProviderAdapter: Sendable {
    /// The number of the format of its checkpoints; raise it when `state` changes, and old checkpoints are not resumed.
    static var stateSchema: UInt32 { get }
    /// An adapter for one connection. Throw a `ProviderError(.invalidArgument, ...)` for settings that cannot work.
    init(_ setup: AdapterSetup) throws
}

extension ProviderAdapter {
    /// 1
    public static var stateSchema: UInt32 { 1 }
}

/// `berth.events/1`: turns webhook deliveries, already verified and durable, into records.
public protocol EventHandler: ProviderAdapter {
    /// Maps one delivery. Records it emits are kept if and only if it returns. The same event may come again.
    func handle(_ event: Event, _ context: Context) throws
}

/// `berth.read-stream/1`: reads streams page by page.
public protocol StreamReader: ProviderAdapter {
    /// Reads a stream from `request.state` on: emit records, `checkpoint` after each page, return at the end.
    func read(_ request: ReadRequest, _ context: ReadContext) throws
}

/// `berth.write-records/1`: pushes records to the provider.
public protocol RecordPusher: ProviderAdapter {
    /// Writes one record; emit it as the provider now has it, which is how a new record's key comes back.
    func write(_ record: OutgoingRecord, to stream: String, _ context: Context) throws
}

/// `berth.actions/1`: named operations on demand, declared in the manifest.
public protocol ActionPerformer: ProviderAdapter {
    /// Performs an action and writes its result document. Records it emits are kept when it returns.
    func perform(_ action: ActionRequest, _ reply: inout JSONWriter, _ context: Context) throws
}

/// `berth.credentials/1`: proves a connection's credential.
public protocol CredentialChecker: ProviderAdapter {
    /// One cheap request. Return who the credential belongs to; throw `authDenied` when the provider refuses it.
    func checkCredentials(_ context: Context) throws -> ProviderAccount?
}

/// `berth.verify/1`: signatures that the manifest cannot declare.
public protocol DeliveryVerifier: ProviderAdapter {
    /// Returns when authentic, throws `ProviderError(.authDenied, ...)` when not. No requests allowed here.
    func verify(_ event: Event, _ context: Context) throws
}

/// Whose credential it is, for the operator.
public struct ProviderAccount: Sendable, Hashable {
    /// The provider's id of the account.
    public var id: String
    /// Its name.
    public var name: String
    /// An account.
    public init(id: String, name: String = "") {
        self.id = id
        self.name = name
    }
}
