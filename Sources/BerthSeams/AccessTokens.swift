// Where requests get short-lived tokens. Outbound asks before each try; who answers renews them, once for all who wait.

public import BerthModel

/// Gives access tokens of connections whose credential is an OAuth grant.
public protocol AccessTokenSource: Sendable {
    /// A token that is good for now: renewed when it is about to expire, by one request however many callers wait.
    /// The failure says what to do; it is `.authDenied` when only a person can mend it.
    func token(of connection: ConnectionID, _ spec: CredentialSpec) async -> Result<AccessToken, AttemptFailure>
    /// The provider refused this token (401): the next caller gets another.
    func refused(_ token: AccessToken, of connection: ConnectionID) async
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
