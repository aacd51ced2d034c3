// The writer's side of the one connection that writes: prepared statements by use, and what to do after a commit.

import BerthModel
import BerthSeams
import GRDB

/// Lives on the writer's thread.
final class Writer {
    let database: Database
    let epoch: Int64
    let clock: any WallClock
    let entropy: any Entropy
    private var statements: [StaticKey: PreparedStatement] = [:]
    private var dynamic: [String: PreparedStatement] = [:]
    private var afterCommit: [() -> Void] = []
    private var afterRollback: [() -> Void] = []
    /// Tables of entities, by name.
    var tables: [EntityName: RecordTable] = [:]
    /// Connections by id.
    var owners: [ConnectionID: Owner] = [:]
    /// Counts versions of connections, in the order of their commits.
    var connectionRevision: UInt64 = 0

    /// A connection as records and notices need it.
    struct Owner {
        let number: Int64
        let provider: ProviderName
        let workspace: WorkspaceName
        let isRemoved: Bool
    }

    private struct StaticKey: Hashable {
        let address: UInt
        init(_ sql: StaticString) { address = UInt(bitPattern: sql.utf8Start) }
    }

    init(database: Database, epoch: Int64, clock: any WallClock, entropy: any Entropy) {
        self.database = database
        self.epoch = epoch
        self.clock = clock
        self.entropy = entropy
    }

    private var connection: OpaquePointer {
        guard let connection = database.sqliteConnection else { preconditionFailure("the writer outlived its connection") }
        return connection
    }

    /// The statement for a literal: found by the literal's address, so that the hot path hashes one word.
    func statement(_ sql: StaticString) throws -> PreparedStatement {
        let key = StaticKey(sql)
        if let statement = statements[key] { return statement }
        let statement = try PreparedStatement(connection, "\(sql)")
        statements[key] = statement
        return statement
    }

    /// The statement for a text made at run time (entity tables).
    func statement(dynamic sql: String) throws -> PreparedStatement {
        if let statement = dynamic[sql] { return statement }
        let statement = try PreparedStatement(connection, sql)
        dynamic[sql] = statement
        return statement
    }

    /// Runs a job in a savepoint; answers its error after undoing it.
    func isolated(_ body: () throws -> Void) throws -> BerthError? {
        try statement("SAVEPOINT job").run()
        let commitMark = afterCommit.count
        do {
            try body()
            try statement("RELEASE job").run()
            return nil
        } catch let error where !StoreErrors.isFatal(error) && StoreErrors.translate(error).code != .overloaded {
            afterCommit.removeSubrange(commitMark...)
            try statement("ROLLBACK TO job").run()
            try statement("RELEASE job").run()
            return StoreErrors.translate(error)
        }
    }

    func onCommit(_ action: @escaping () -> Void) { afterCommit.append(action) }
    func onRollback(_ action: @escaping () -> Void) { afterRollback.append(action) }

    func committed() {
        for action in afterCommit { action() }
        afterCommit.removeAll(keepingCapacity: true)
        afterRollback.removeAll(keepingCapacity: true)
    }

    func rolledBack() {
        for action in afterRollback { action() }
        afterCommit.removeAll(keepingCapacity: true)
        afterRollback.removeAll(keepingCapacity: true)
    }

    func finalize() {
        for statement in statements.values { statement.finalize() }
        for statement in dynamic.values { statement.finalize() }
        for table in tables.values { table.finalize() }
        statements.removeAll()
        dynamic.removeAll()
        tables.removeAll()
    }

    /// The owner of rows of a connection, also of a removed one.
    func owner(_ id: ConnectionID) throws -> Owner {
        if let owner = owners[id] { return owner }
        let find = try statement("SELECT number, provider, workspace, removed FROM connection WHERE id = ?1")
        find.bind(1, id.description)
        let owner = try find.first { row in
            guard let provider = ProviderName(row.text(1)), let workspace = WorkspaceName(row.text(2)) else {
                throw BerthError("store_corrupt", "connection \(id) has an unreadable row")
            }
            return Owner(number: row.int64(0), provider: provider, workspace: workspace, isRemoved: !row.isNull(3))
        }
        guard let owner else { throw BerthError(.notFound, "there is no connection \(id)", hint: "berthctl connection list") }
        owners[id] = owner
        return owner
    }

    /// The connection's row has changed: it is looked up anew, also when the change is undone.
    func forgetOwner(_ id: ConnectionID) {
        owners[id] = nil
        onRollback { [unowned self] in owners[id] = nil }
    }

    /// Appends a notice; answers it with its sequence number.
    func notice(_ topic: Notice.Topic, _ connection: ConnectionID, _ owner: Owner, at: Timestamp, data: String) throws -> Notice {
        let insert = try statement("INSERT INTO notice (topic, connection, at, data) VALUES (?1, ?2, ?3, ?4) RETURNING sequence")
        insert.bind(1, topic.rawValue)
        insert.bind(2, owner.number)
        insert.bind(3, at.milliseconds)
        insert.bind(4, data)
        guard let sequence = try insert.first({ $0.int64(0) }) else { throw BerthError(.store, "a notice got no sequence number") }
        return Notice(
            sequence: sequence, topic: topic.rawValue, workspace: owner.workspace, connection: connection, provider: owner.provider, at: at,
            data: data)
    }
}
