// Acceptance: event, dedup key and queue entry in one commit that many deliveries share.

public import BerthModel
@_spi(StoreImplementation) public import BerthSeams
import Crypto
import Synchronization

extension SQLiteStore {
    public func accept(_ delivery: VerifiedDelivery, _ answer: @escaping @Sendable (Result<IntakeReceipt, BerthError>) -> Void) {
        if let refusal = space.refusal() { return answer(.failure(refusal)) }
        let key = Self.dedupKey(delivery.dedupKey)
        let headers = HeaderText.encode(delivery.headers)
        // No savepoint: what can fail here (disk, damage) fails the whole transaction; an unknown connection is found
        // before the first statement changes anything.
        queue.write(isIsolated: false, isDelivery: true, answer) { writer in
            let owner = try writer.owner(delivery.connection)
            // Nobody would ever process it.
            guard !owner.isRemoved else { throw BerthError(.notFound, "connection \(delivery.connection) was removed") }
            let mark = try writer.statement(
                "INSERT INTO dedup (connection, key, event, at) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING")
            let id = delivery.id.description
            mark.bind(1, owner.number)
            mark.bindBlob(2, key)
            mark.bind(3, id)
            mark.bind(4, delivery.receivedAt.milliseconds)
            guard try mark.run() == 1 else { return try Self.duplicate(of: key, owner, delivery, writer) }
            let insert = try writer.statement(
                """
                INSERT INTO event (id, connection, kind, state, due, received, ordering, dedup, method, query, headers, body, unproven)
                VALUES (?1, ?2, ?3, 0, ?4, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
                """)
            insert.bind(1, id)
            insert.bind(2, owner.number)
            insert.bind(3, delivery.kind)
            insert.bind(4, delivery.receivedAt.milliseconds)
            insert.bind(5, delivery.orderingKey)
            insert.bind(6, delivery.dedupKey)
            insert.bind(7, delivery.method)
            insert.bind(8, delivery.query)
            insert.bind(9, headers)
            insert.bindBlob(10, delivery.body)
            insert.bind(11, delivery.unproven.rawValue)
            try insert.run()
            try Self.audit("webhook.accepted", delivery, id, owner.number, writer)
            return IntakeReceipt(event: delivery.id, isDuplicate: false)
        }
    }

    private static func duplicate(
        of key: [UInt8], _ owner: Writer.Owner, _ delivery: VerifiedDelivery, _ writer: Writer
    ) throws -> IntakeReceipt {
        let find = try writer.statement("SELECT event FROM dedup WHERE connection = ?1 AND key = ?2")
        find.bind(1, owner.number)
        find.bindBlob(2, key)
        guard let text = try find.first({ $0.text(0) }), let id = EventID(text) else {
            throw BerthError("store_corrupt", "a dedup key leads to no event")
        }
        try audit("webhook.duplicate", delivery, text, owner.number, writer)
        return IntakeReceipt(event: id, isDuplicate: true)
    }

    private static func audit(_ kind: StaticString, _ delivery: VerifiedDelivery, _ event: String, _ owner: Int64, _ writer: Writer) throws
    {
        let insert = try writer.statement(
            "INSERT INTO audit (at, kind, actor, connection, detail, address) VALUES (?1, ?2, 'provider', ?3, ?4, ?5)")
        insert.bind(1, delivery.receivedAt.milliseconds)
        insert.bindText(2, UnsafeBufferPointer(start: kind.utf8Start, count: kind.utf8CodeUnitCount))
        insert.bind(3, owner)
        insert.bind(4, event + " " + delivery.audit)
        insert.bind(5, delivery.remoteAddress)
        try insert.run()
    }

    /// 128 bits of SHA-256: keys of any length take 16 bytes in the index.
    static func dedupKey(_ text: String) -> [UInt8] {
        var text = text
        return text.withUTF8 { Array(SHA256.hash(data: UnsafeRawBufferPointer($0)).prefix(16)) }
    }
}
