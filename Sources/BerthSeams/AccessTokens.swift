// Where requests get short-lived tokens. Outbound asks before each try; who answers renews them, once for all who wait.

public import BerthModel

/// Gives access tokens of connections whose credential is an OAuth grant.
public protocol AccessTokenSource: Sendable {
    /// A token that is good for now: renewed when it is about to expire, by one request however many callers wait.
    /// The failure says what to do; it is `.authDenied` when only a person can mend it.
    func token(of connection: ConnectionID, _ spec: CredentialSpec) async -> Result<AccessToken, AttemptFailure>
    /// The provider refused this token (401): the next caller gets another, where that can help.
    func refused(_ token: AccessToken, of connection: ConnectionID) async
    /// The provider took this token: when it refuses it later, it has ended. Told once per token.
    func accepted(_ token: AccessToken, of connection: ConnectionID) async
    /// Forgets what is kept in memory of a connection that changed.
    func forget(_ connection: ConnectionID) async
}

/// A token and which one it is.
public struct AccessToken: Sendable {
    /// Goes into the Authorization header.
    public var secret: Secret
    /// `Bearer`, or what the provider said.
    public var type: String
    /// Tells tokens of one connection apart.
    public var serial: UInt64
    /// A token.
    public init(secret: Secret, type: String, serial: UInt64) {
        self.secret = secret
        self.type = type
        self.serial = serial
    }
}

/// All that the engine does with OAuth grants.
public protocol Grants: AccessTokenSource {
    /// Begins a person's consent; `redirectURI` is where the provider sends the browser back to.
    func invite(_ connection: ConnectionID, _ spec: CredentialSpec, redirectURI: String) async throws(BerthError) -> ConsentInvitation
    /// Ends a consent with the fields the browser came back with (`code`, `state`, `error`); answers whose it was. The tokens are
    /// stored durably. `expected`: it must be this connection's; the state may then be left out when it has one consent under way.
    func complete(_ fields: [(name: String, value: String)], expected: ConnectionID?) async throws(BerthError) -> ConnectionID
    /// Notes whose account a connection's tokens are for, where their reply does not say it. Throws when it was another one before: then
    /// the tokens are not handed out any more, so that records of two accounts are never mixed.
    func identify(_ connection: ConnectionID, account: String) async throws(BerthError)
    /// Gives tokens back where the provider takes them, as far as it can, and closes in the same turn, also when that failed; answers what
    /// went wrong. What is stored stays.
    func end(_ connection: ConnectionID, _ spec: CredentialSpec?) async -> String?
    /// To be asked before a connection's credentials are replaced: what gives back the grant it lives on, once they are. Nil: there is none,
    /// its provider takes none back, or would end the new one with it. A second consent does this by itself.
    func giving(back connection: ConnectionID, _ spec: CredentialSpec) async -> GrantReturn?
    /// Waits for what is under way with the grant; from then on no token is asked for or stored, and consents under way lead
    /// to nothing, until it is opened or another consent is begun.
    func close(_ connection: ConnectionID) async
    /// Lets tokens be asked for again.
    func open(_ connection: ConnectionID) async
    /// What can be told of a grant.
    func state(of connection: ConnectionID) async -> GrantState
}

/// Gives back what a connection does not live on any more; `spec`: what it lives on now, nil: nothing of ours. What came of it is told as
/// ``GrantNews``. Ends nothing that is still in use.
public typealias GrantReturn = @Sendable (_ spec: CredentialSpec?) async -> Void

/// A grant without its tokens.
public struct GrantState: Sendable, Hashable {
    /// Tokens are there and not known to be refused for good.
    public var isConnected: Bool
    /// Of the access token; nil when it is not known.
    public var expiresAt: Timestamp?
    /// Who it is for, where the manifest says how to tell.
    public var account: String?
    /// Why a person must consent again.
    public var problem: String?
    /// A state.
    public init(isConnected: Bool, expiresAt: Timestamp? = nil, account: String? = nil, problem: String? = nil) {
        self.isConnected = isConnected
        self.expiresAt = expiresAt
        self.account = account
        self.problem = problem
    }
}

/// Where a person consents.
public struct ConsentInvitation: Sendable {
    /// To be opened in a browser.
    public var url: String
    /// Where the provider sends the browser afterwards.
    public var redirectURI: String
    /// Until then.
    public var expiresAt: Timestamp
    /// An invitation.
    public init(url: String, redirectURI: String, expiresAt: Timestamp) {
        self.url = url
        self.redirectURI = redirectURI
        self.expiresAt = expiresAt
    }
}

/// What happened to a grant; the engine turns it into the connection's status and the audit log.
public enum GrantNews: Sendable {
    /// A person consented, and the tokens are stored.
    case connected(ConnectionID, account: String?)
    /// A grant that another took the place of was given back; `problem`: the provider may still hold it.
    case givenBack(ConnectionID, problem: String?)
    /// Renewed in time.
    case renewed(ConnectionID)
    /// A person's consent led to nothing.
    case consentFailed(ConnectionID, BerthError)
    /// Could not be renewed; `isFinal`: only a person can mend it.
    case failed(ConnectionID, BerthError, isFinal: Bool)
}
