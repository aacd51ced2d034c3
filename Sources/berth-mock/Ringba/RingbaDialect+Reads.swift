// Ringba's lists: each comes whole, without paging.

extension RingbaDialect {
    /// `GET /v2/ringbaaccounts`, the connection test.
    mutating func accounts() -> Reply {
        let transaction = id("TR")
        return .json { json in
            json.object { json in
                json.put("transactionId", transaction)
                json.array("account") { json in
                    json.object { json in
                        json.put("id", account)
                        json.put("accountId", account)
                        json.put("name", "Mock Media")
                        json.put("timeZoneId", "Eastern Standard Time")
                        json.put("enabled", true)
                        json.put("version", 3)
                    }
                }
            }
        }
    }

    /// `GET calllogs/columns`.
    mutating func columns() -> Reply {
        let transaction = id("TR")
        return .json { json in
            json.object { json in
                json.put("isSuccessful", true)
                json.put("transactionId", transaction)
                json.array("columns") { json in
                    for column in RingbaRecord.columns {
                        json.object { json in
                            json.put("id", column.id)
                            json.put("title", column.title)
                            json.array("roles", texts: ["Admin"])
                            json.put("type", column.type)
                            json.put("isTag", false)
                            json.put("groupName", "Call")
                            json.put("filterGroupName", "Call")
                            json.put("supportsFilter", column.type != "DateTime")
                            json.put("supportsSorting", true)
                            json.put("isComputed", false)
                        }
                    }
                }
            }
        }
    }

    /// `POST calllogs/detail`: the records of the ids that exist, with events and tags; no total.
    mutating func detail(_ request: APIRequest, _ book: CallBook) -> Reply {
        let transaction = id("TR")
        let calls = (request.document?["InboundCallIds"]?.elements ?? []).compactMap { $0.text.flatMap { book.call(id: $0) } }
        return .json { json in
            json.object { json in
                json.put("isSuccessful", true)
                json.put("transactionId", transaction)
                json.object("report") { json in
                    json.array("records") { json in
                        for call in calls {
                            json.object { json in
                                RingbaRecord.write(call, catalog: book.catalog, to: &json)
                                Self.writeEvents(call, book.catalog, to: &json)
                                Self.writeTags(call, to: &json)
                            }
                        }
                    }
                }
            }
        }
    }

    private static func writeEvents(_ call: MockCall, _ catalog: Catalog, to json: inout JSONText) {
        func event(_ name: String, _ time: Milliseconds, _ json: inout JSONText, _ more: (inout JSONText) -> Void = { _ in }) {
            json.object { json in
                json.put("name", name)
                json.put("dtStamp", milliseconds: time)
                more(&json)
            }
        }
        json.array("events") { json in
            event("CallPlanDetail", call.startedAt, &json)
            if let target = call.target.map({ catalog.targets[$0] }) {
                event("TargetDialed", call.startedAt + 500, &json) { $0.put("targetId", target.code) }
            }
            if let answered = call.answeredAt { event("ConnectedCall", answered, &json) }
            if let ended = call.endedAt { event("CompletedCall", ended, &json) { $0.put("EndCallSource", call.ending.rawValue) } }
        }
    }

    private static func writeTags(_ call: MockCall, to json: inout JSONText) {
        json.array("message-tags") { json in
            let place = call.caller.place
            for (name, source, value) in [("State", "InboundNumber", place.state), ("ZipCode", "Geo", place.zip)]
                + call.tags.sorted(by: { $0.key < $1.key }).map({ ($0.key, "User", $0.value) })
            {
                json.object { json in
                    json.put("name", name)
                    json.put("source", source)
                    json.put("type", source)
                    json.put("value", value)
                    if let number = Int(value) { json.put("value-num", number) }
                }
            }
        }
    }

    /// `GET campaigns` and `GET campaigns/{id}`.
    mutating func campaigns(_ book: CallBook, only wanted: String?) -> Reply {
        func write(_ campaign: Catalog.Campaign, to json: inout JSONText) {
            json.object { json in
                json.put("id", campaign.code)
                json.put("name", campaign.name)
                json.put("enabled", campaign.isEnabled)
                json.put("accountId", account)
                json.put("version", 2)
                json.array("defaultPayouts") { _ in }
            }
        }
        let transaction = id("TR")
        if let wanted {
            guard let campaign = book.catalog.campaigns.first(where: { $0.code == wanted }) else {
                return error(404, "Campaign \(wanted) was not found", code: 101)
            }
            return .json { json in
                json.object { json in
                    json.put("transactionId", transaction)
                    json.array("campaigns") { write(campaign, to: &$0) }
                }
            }
        }
        return .json { json in
            json.object { json in
                json.put("transactionId", transaction)
                json.array("campaigns") { json in for campaign in book.catalog.campaigns { write(campaign, to: &json) } }
            }
        }
    }

    /// `GET numbers`.
    mutating func numbers(_ book: CallBook) -> Reply {
        let transaction = id("TR")
        return .json { json in
            json.object { json in
                json.put("transactionId", transaction)
                json.array("numbers") { json in
                    for (index, number) in book.catalog.numbers.enumerated() where !number.isDeleted {
                        json.object { json in
                            json.put("id", number.code)
                            json.put("phoneNumber", number.e164)
                            // Some display numbers come without the plus.
                            json.put("displayNumber", index % 3 == 0 ? String(number.e164.dropFirst()) : number.e164)
                            json.put("provider", "Mock Telco")
                            // A spare number's campaign is empty text or not there at all.
                            if let campaign = number.campaign {
                                json.put("campaignId", book.catalog.campaigns[campaign].code)
                            } else if index % 2 == 0 {
                                json.put("campaignId", "")
                            }
                            json.put("allocationDT", number.allocatedAt.rfc3339)
                            json.put("deAllocationDT", "0001-01-01T00:00:00")
                            json.put("isTollFree", number.isTollFree)
                            if let publisher = number.publisher.map({ book.catalog.publishers[$0] }) {
                                json.object("affiliate") { json in
                                    json.put("id", publisher.code)
                                    json.put("name", publisher.name)
                                }
                            }
                            json.put("enabled", true)
                        }
                    }
                }
            }
        }
    }

    /// Publishers, targets, buyers.
    mutating func list(_ key: String, _ items: [(id: String, name: String)]) -> Reply {
        let transaction = id("TR")
        return .json { json in
            json.object { json in
                json.put("transactionId", transaction)
                json.array(key) { json in
                    for item in items {
                        json.object { json in
                            json.put("id", item.id)
                            json.put("name", item.name)
                            json.put("enabled", true)
                            json.put("accountId", account)
                            json.put("version", 1)
                        }
                    }
                }
            }
        }
    }
}
