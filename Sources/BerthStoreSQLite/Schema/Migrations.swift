// The tables that do not depend on entities, forward only. Each step runs in one transaction with its number.
//
//   connection   one row per connection, kept after removal: rows of other tables refer to its number
//   event        the inbox and its queue in one: state, due time and attempt stand beside the delivery
//   dedup        one row per delivery key and connection, kept longer than its event
//   run          sync runs with their checkpoint; stream_state: what runs of a stream reached
//   notice       what subscribers are told; audit: who did what; secret: sealed values
//   rate_limit   what counts against providers' limits, and pauses they asked for; request: the log of requests
//   audit_retention   entries before this time may be deleted; triggers refuse every other change of the audit log

import BerthModel
import GRDB

enum Migrations {
    /// What a step does.
    enum Step: ExpressibleByStringLiteral, Sendable {
        case sql(String)
        case code(@Sendable (Database) throws -> Void)
        init(stringLiteral sql: String) { self = .sql(sql) }
    }

    /// One step from version `number - 1`.
    static let steps: [Step] = [
        """
        CREATE TABLE connection (
          number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, provider TEXT NOT NULL, workspace TEXT NOT NULL, name TEXT NOT NULL,
          status TEXT NOT NULL, failures INTEGER NOT NULL DEFAULT 0, last_error TEXT, last_sync INTEGER, created INTEGER NOT NULL,
          updated INTEGER NOT NULL, definition TEXT NOT NULL, removed INTEGER);
        CREATE UNIQUE INDEX connection_name ON connection (provider, workspace, name) WHERE removed IS NULL;

        CREATE TABLE event (
          sequence INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL, connection INTEGER NOT NULL, kind TEXT NOT NULL,
          state INTEGER NOT NULL, attempt INTEGER NOT NULL DEFAULT 0, due INTEGER NOT NULL, received INTEGER NOT NULL, settled INTEGER,
          epoch INTEGER, unsupported INTEGER NOT NULL DEFAULT 0, ordering TEXT, dedup TEXT NOT NULL, method TEXT NOT NULL,
          query TEXT NOT NULL, headers TEXT NOT NULL, body BLOB NOT NULL, failure TEXT);
        CREATE UNIQUE INDEX event_id ON event (id);
        CREATE INDEX event_due ON event (connection, due, sequence) WHERE state IN (0, 2, 3);
        CREATE INDEX event_order ON event (connection, ordering, sequence) WHERE ordering IS NOT NULL AND state < 4;
        CREATE INDEX event_running ON event (sequence) WHERE state = 1;
        CREATE INDEX event_dead ON event (sequence) WHERE state = 6;

        CREATE TABLE dedup (connection INTEGER NOT NULL, key BLOB NOT NULL, event TEXT NOT NULL, at INTEGER NOT NULL,
          PRIMARY KEY (connection, key)) WITHOUT ROWID;

        CREATE TABLE run (
          number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, connection INTEGER NOT NULL, stream TEXT NOT NULL,
          mode TEXT NOT NULL, cause TEXT NOT NULL, status TEXT NOT NULL, since INTEGER, until INTEGER NOT NULL, created INTEGER NOT NULL,
          started INTEGER, finished INTEGER, pages INTEGER NOT NULL DEFAULT 0, attempts INTEGER NOT NULL DEFAULT 0, counts TEXT NOT NULL,
          error TEXT, checkpoint_schema INTEGER, checkpoint BLOB, epoch INTEGER);
        CREATE UNIQUE INDEX run_open ON run (connection, stream) WHERE status IN ('queued', 'running');

        CREATE TABLE stream_state (connection INTEGER NOT NULL, stream TEXT NOT NULL, high_water INTEGER, last_run INTEGER,
          last_status TEXT, PRIMARY KEY (connection, stream)) WITHOUT ROWID;

        CREATE TABLE notice (sequence INTEGER PRIMARY KEY AUTOINCREMENT, topic TEXT NOT NULL, connection INTEGER NOT NULL,
          at INTEGER NOT NULL, data TEXT NOT NULL);

        CREATE TABLE audit (sequence INTEGER PRIMARY KEY, at INTEGER NOT NULL, kind TEXT NOT NULL, actor TEXT NOT NULL,
          connection INTEGER, detail TEXT NOT NULL, address TEXT);

        CREATE TABLE secret (connection TEXT NOT NULL, slot TEXT NOT NULL, key_id TEXT NOT NULL, sealed BLOB NOT NULL,
          PRIMARY KEY (connection, slot)) WITHOUT ROWID;

        CREATE TABLE entity (name TEXT PRIMARY KEY, definition TEXT NOT NULL) WITHOUT ROWID;
        CREATE TABLE epoch (number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL, began INTEGER NOT NULL);
        """,
        // Deaths of the plugin on an event, apart from attempts: those may also end because the daemon died.
        "ALTER TABLE event ADD COLUMN deaths INTEGER NOT NULL DEFAULT 0",
        """
        CREATE TABLE rate_limit (provider TEXT NOT NULL, connection TEXT NOT NULL, class TEXT NOT NULL, window INTEGER NOT NULL,
          sent TEXT NOT NULL, ahead INTEGER NOT NULL, until INTEGER NOT NULL, PRIMARY KEY (provider, connection, class, window)) WITHOUT ROWID;

        CREATE TABLE request (sequence INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL, provider TEXT NOT NULL, connection TEXT NOT NULL,
          method TEXT NOT NULL, host TEXT NOT NULL, path TEXT NOT NULL, class TEXT, status INTEGER, failure TEXT, milliseconds INTEGER NOT NULL,
          waited INTEGER NOT NULL, bytes INTEGER NOT NULL, tries INTEGER NOT NULL);

        CREATE TABLE audit_retention (before INTEGER NOT NULL);
        INSERT INTO audit_retention VALUES (0);
        CREATE TRIGGER audit_unchanged BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
        CREATE TRIGGER audit_kept BEFORE DELETE ON audit WHEN OLD.at >= (SELECT before FROM audit_retention)
          BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
        """,
        // What a provider asked a run to wait for holds for its stream's schedule, also over restarts.
        "ALTER TABLE stream_state ADD COLUMN not_before INTEGER",
        // When a value was given. Of those that are there nobody knows: their connection's age is the most it can be.
        """
        ALTER TABLE secret ADD COLUMN set_at INTEGER;
        UPDATE secret SET set_at = (SELECT created FROM connection WHERE connection.id = secret.connection);
        """,
        // INSERT OR REPLACE deletes without asking the trigger against deleting. An entry whose number nobody chose has -1 here.
        """
        DROP TRIGGER IF EXISTS audit_appended;
        CREATE TRIGGER audit_appended BEFORE INSERT ON audit
          WHEN NEW.sequence <> -1 AND NEW.sequence <= (SELECT max(sequence) FROM audit)
          BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
        """,
        // Two entities' tables and indexes can't have one name.
        .code(EntityTables.rename),
        // When the boot began that limits' times count from.
        "CREATE TABLE boot (id TEXT PRIMARY KEY, began INTEGER NOT NULL) WITHOUT ROWID",
        // Counts belong to a server. Of those that are there nobody knows which: they hold at each, until their window is over. What was
        // claimed would count until it is written over, which nobody does any more.
        """
        CREATE TABLE rate_limit_by_server (provider TEXT NOT NULL, origin TEXT NOT NULL, connection TEXT NOT NULL, class TEXT NOT NULL,
          window INTEGER NOT NULL, sent TEXT NOT NULL, ahead INTEGER NOT NULL, until INTEGER NOT NULL,
          PRIMARY KEY (provider, origin, connection, class, window)) WITHOUT ROWID;
        INSERT INTO rate_limit_by_server SELECT provider, '', connection, class, window, sent, ahead,
          CASE window WHEN 0 THEN until ELSE min(until, (CAST(strftime('%s', 'now') AS INTEGER) + window + 2) * 1000) END FROM rate_limit;
        DROP TABLE rate_limit;
        ALTER TABLE rate_limit_by_server RENAME TO rate_limit;
        """,
        // Why there was no answer, in words.
        "ALTER TABLE request ADD COLUMN reason TEXT",
        // What of a delivery its signature does not cover. Those that are there are taken as they were.
        "ALTER TABLE event ADD COLUMN unproven INTEGER NOT NULL DEFAULT 0",
    ]

    /// A database of something else gets no tables of ours; an empty one has none yet.
    static func refuseForeign(_ database: Database, path: String?) throws {
        let tables = try String.fetchAll(database, sql: "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
        let isEmpty = tables.isEmpty && path == nil
        guard isEmpty || Set(tables).isSuperset(of: ["connection", "event", "dedup", "epoch"]) else {
            throw BerthError(
                "store_foreign", "\(path ?? "the database") is none of Berth's",
                hint: "set [store] url to a file of its own, or to none yet")
        }
    }

    /// The schema's version, 0 for a new database; throws for one of something else or of a newer program.
    static func refuseUnfit(_ database: Database) throws -> Int {
        let version = try Int.fetchOne(database, sql: "PRAGMA user_version") ?? 0
        guard version <= steps.count else {
            throw BerthError(
                "store_too_new", "the database has schema version \(version), this berthd knows \(steps.count)",
                hint: "install the berthd that wrote it, or restore the backup it made before migrating (berth.db.backup-*)")
        }
        try refuseForeign(database, path: nil)
        return version
    }

    /// Brings the schema up to this program's version. `backup` is called before the first change of a database that
    /// already holds data.
    static func apply(_ database: Database, backup: (Int) throws -> Void) throws {
        let version = try refuseUnfit(database)
        guard version < steps.count else { return }
        if version > 0 { try backup(version) }
        for (index, step) in steps.enumerated().dropFirst(version) {
            try database.inTransaction(.immediate) {
                switch step {
                case .sql(let sql): try database.execute(sql: sql)
                case .code(let run): try run(database)
                }
                try database.execute(sql: "PRAGMA user_version = \(index + 1)")
                return .commit
            }
        }
    }
}
