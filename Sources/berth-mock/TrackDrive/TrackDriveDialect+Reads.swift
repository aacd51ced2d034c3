// TrackDrive's other lists, and the timeline of a call. `GET /offers` is not in public documentation; its form follows the others.

extension TrackDriveDialect {
    /// `GET /calls/{id}/events`. Times here are ISO with milliseconds and offset.
    func events(_ id: String, _ book: CallBook) -> Reply {
        guard let call = book.call(id: id) else { return Self.error(404, "base", "Call \(id) not found") }
        func time(_ time: Milliseconds) -> String { String((time - 18_000_000).rfc3339.dropLast()) + "-05:00" }
        return .json { json in
            json.object { json in
                json.put("id", call.numericID)
                json.put("uuid", call.externalID)
                json.put("created_at", time(call.startedAt))
                json.array("events") { json in
                    json.object { json in
                        json.put("type", "Leg")
                        json.put("id", call.numericID * 10)
                        json.put("call_sid", call.externalID)
                        json.put("direction", "inbound")
                        json.put("created_at", time(call.startedAt))
                        json.put("answered_at", call.answeredAt.map(time))
                        json.put("end_time", call.endedAt.map(time))
                        json.put("status", call.isLive ? "in-progress" : "completed")
                        json.put("from", call.caller.e164)
                        json.put("to", book.catalog.numbers[call.number].e164)
                        json.put("answered", call.isConnected)
                        json.put("ended", !call.isLive)
                    }
                    if call.hasRecording {
                        json.object { json in
                            json.put("type", "CallRecording")
                            json.put("url", TrackDriveRecord.recordingURL(call))
                        }
                    }
                }
            }
        }
    }

    /// `GET /phone_numbers`: page mode only.
    func phoneNumbers(_ request: APIRequest, _ book: CallBook) -> Reply {
        let query = request.query, catalog = book.catalog
        let size = request.pageSize(min(1000, max(1, query.integer("per_page") ?? 25))), page = max(1, query.integer("page") ?? 1)
        let found = catalog.numbers.enumerated().filter { _, number in
            !number.isDeleted
                && (query["number"] == nil || number.e164 == query["number"] || String(number.e164.dropFirst(2)) == query["number"])
                && (query["offer_id"] == nil || number.campaign.map { String(catalog.campaigns[$0].numericID) } == query["offer_id"])
        }
        let shown = Array(found.dropFirst((page - 1) * size).prefix(size))
        return Self.envelope("phone_numbers") { json in
            json.array("phone_numbers") { json in
                for (index, number) in shown {
                    let plain = String(number.e164.dropFirst(2))
                    json.object { json in
                        json.put("id", number.numericID)
                        json.put("name", "Line \(number.numericID)")
                        json.put("number", number.e164)
                        json.put("plain_number", number.e164)
                        json.put("human_number", "(\(plain.prefix(3))) \(plain.dropFirst(3).prefix(3))-\(plain.suffix(4))")
                        json.put("extension", Optional<String>.none)
                        json.put("offer_id", number.campaign.map { catalog.campaigns[$0].numericID })
                        json.put("traffic_source_id", number.publisher.map { catalog.publishers[$0].numericID })
                        json.put("provider_configuration_id", 3)
                        json.put("ring_pool_id", Optional<Int>.none)
                        json.put("last_call_at", catalog.lastCalls[index]?.trackDriveText)
                        json.object("token_values") { _ in }
                        json.put("country", "US")
                        json.put("area_code_id", Int(plain.prefix(3)))
                        json.put("created_at", number.allocatedAt.trackDriveText)
                        json.put("updated_at", number.allocatedAt.trackDriveText)
                    }
                }
            }
        }
    }

    /// Offers, traffic sources, buyers: page mode only.
    func list(_ request: APIRequest, _ key: String, _ items: [(id: Int, name: String)]) -> Reply {
        let size = request.pageSize(min(1000, max(1, request.query.integer("per_page") ?? 25)))
        let page = max(1, request.query.integer("page") ?? 1)
        return Self.envelope(key) { json in
            json.array(key) { json in
                for item in items.dropFirst((page - 1) * size).prefix(size) {
                    json.object { json in
                        json.put("id", item.id)
                        json.put("name", item.name)
                    }
                }
            }
        }
    }

    /// One of them.
    func single(_ key: String, _ wanted: String, _ items: [(id: Int, name: String)]) -> Reply {
        guard let item = items.first(where: { String($0.id) == wanted }) else { return Self.error(404, "base", "Not found") }
        return Self.envelope(key) { json in
            json.object(key) { json in
                json.put("id", item.id)
                json.put("name", item.name)
            }
        }
    }
}
