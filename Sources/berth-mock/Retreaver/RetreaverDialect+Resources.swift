// Campaigns, numbers, contacts, targets and affiliates of Retreaver.

/// A contact: one phone number and its tags.
struct RetreaverContact: Sendable {
    var id: Int
    var number: String
    var tags: [(key: String, value: String)]
}

extension RetreaverDialect {
    /// `/campaigns.json`, `/campaigns/{id}.json`, `/campaigns/cid/{cid}.json`, `/campaigns/{id}/timers`.
    mutating func campaigns(_ request: APIRequest, _ path: [String], _ book: inout CallBook) -> Reply {
        func write(_ campaign: Catalog.Campaign, _ json: inout JSONText) {
            json.put("cid", campaign.code)
            json.put("name", campaign.name)
            json.put("record_calls", campaign.isRecorded)
            json.put("record_seconds", 3600)
            json.put("dedupe_seconds", 86_400)
            json.put("affiliate_can_pull_number", false)
            json.put("show_key", false)
            json.put("greeting", Optional<String>.none)
            json.array("timers") { json in
                json.object { json in
                    json.object("timer") { json in
                        json.put("id", campaign.numericID + 1)
                        json.put("seconds", 45)
                        json.put("url", "https://postback.example/?c=[click_id]")
                    }
                }
            }
            json.array("menu_options") { _ in }
        }
        if path.count == 1 {
            if request.method == "POST" {
                guard let name = request.field("name", root: "campaign") else { return Self.error(400, "name is required") }
                let number = 7000 + book.catalog.campaigns.count
                let campaign = Catalog.Campaign(
                    code: request.field("cid", root: "campaign") ?? String(number), numericID: 10_010_000 + number, name: name,
                    isRecorded: true)
                book.catalog.campaigns.append(campaign)
                return .json(201) { json in json.object { json in json.object("campaign") { write(campaign, &$0) } } }
            }
            return Self.index(request, "campaign", book.catalog.campaigns.filter { !$0.isDeleted }, write)
        }
        let wanted = path[1] == "cid" ? path.last ?? "" : path[1]
        guard
            let index = book.catalog.campaigns.firstIndex(where: { path[1] == "cid" ? $0.code == wanted : String($0.numericID) == wanted })
        else {
            return Self.error(404, "Not Found")
        }
        guard !book.catalog.campaigns[index].isDeleted else { return Self.error(410, "Gone") }
        if path.last == "timers" { return timer(request) }
        if request.method == "DELETE" {
            book.catalog.campaigns[index].isDeleted = true
            return .empty(204)
        }
        if request.method == "PUT", let name = request.field("name", root: "campaign") { book.catalog.campaigns[index].name = name }
        let campaign = book.catalog.campaigns[index]
        return .json { json in json.object { json in json.object("campaign") { write(campaign, &$0) } } }
    }

    // Known from a third party's documentation only: trigger 9 is start, 5 converted.
    private mutating func timer(_ request: APIRequest) -> Reply {
        guard request.method == "POST", let timer = request.document?["start_timer"] ?? request.document?["passthrough_timer"],
            let pixel = timer["pixels_attributes"]?.members.values.first, let url = pixel["url"]?.text
        else { return Self.error(400, "start_timer with pixels_attributes is required") }
        let event = [9: "call_start", 5: "converted"][timer["trigger_type"]?.integer ?? 9] ?? "call_end"
        timers.append((event, url))
        let id = 50_000 + timers.count
        return .json(201) { json in
            json.object { json in
                json.object("timer") { json in
                    json.put("id", id)
                    json.put("url", url)
                }
            }
        }
    }

    /// `/numbers.json`, `/numbers/{id}.json`. Timers of numbers are not nested, those of campaigns are.
    mutating func numbers(_ request: APIRequest, _ path: [String], _ book: inout CallBook) -> Reply {
        let catalog = book.catalog
        func write(_ number: Catalog.Number, _ json: inout JSONText) {
            json.put("id", number.numericID)
            json.put("number", number.e164)
            json.put("toll_free", number.isTollFree)
            json.put("sid", Optional<String>.none)
            json.put("afid", number.publisher.map { catalog.publishers[$0].code })
            json.put("cid", number.campaign.map { catalog.campaigns[$0].code })
            json.put("uses_campaign_settings", true)
            json.put("greeting", Optional<String>.none)
            json.array("timers") { _ in }
            json.array("menu_options") { _ in }
        }
        if path.count == 1 {
            if request.method == "POST" { return buy(request, &book) }
            let query = request.query
            let found = catalog.numbers.filter { number in
                !number.isDeleted
                    && (query["client_cid"] == nil || number.campaign.map { catalog.campaigns[$0].code } == query["client_cid"])
                    && (query["client_afid"] == nil || number.publisher.map { catalog.publishers[$0].code } == query["client_afid"])
                    && query["sub_id"] == nil
            }
            return Self.index(request, "number", found, write)
        }
        guard let index = catalog.numbers.firstIndex(where: { String($0.numericID) == path[1] }) else {
            return Self.error(404, "Not Found")
        }
        guard !catalog.numbers[index].isDeleted else { return Self.error(410, "Gone") }
        if request.method == "DELETE" {
            book.catalog.numbers[index].isDeleted = true
            return .empty(204)
        }
        if request.method == "PUT" {
            if let cid = request.field("cid", root: "number") {
                book.catalog.numbers[index].campaign = catalog.campaigns.firstIndex { $0.code == cid }
            }
            if let afid = request.field("afid", root: "number") {
                book.catalog.numbers[index].publisher = catalog.publishers.firstIndex { $0.code == afid }
            }
        }
        let number = book.catalog.numbers[index]
        return .json { json in json.object { json in json.object("number") { write(number, &$0) } } }
    }

    private mutating func buy(_ request: APIRequest, _ book: inout CallBook) -> Reply {
        guard let cid = request.field("cid", root: "number"), let afid = request.field("afid", root: "number"),
            let campaign = book.catalog.campaigns.firstIndex(where: { $0.code == cid }),
            let publisher = book.catalog.publishers.firstIndex(where: { $0.code == afid })
        else { return Self.error(400, "afid and cid of an affiliate and a campaign are required") }
        let isTollFree = request.field("type", root: "number") != "Local"
        let number = Catalog.Number(
            code: String(4400 + book.catalog.numbers.count * 11), numericID: 4400 + book.catalog.numbers.count * 11,
            e164: "+1\(isTollFree ? "833" : "646")555\(random.within(2000...9999))", isTollFree: isTollFree, campaign: campaign,
            publisher: publisher,
            allocatedAt: request.now)
        book.catalog.numbers.append(number)
        return .json(201) { json in
            json.object { json in
                json.object("number") { json in
                    json.put("id", number.numericID)
                    json.put("number", number.e164)
                    json.put("toll_free", isTollFree)
                    json.put("afid", afid)
                    json.put("cid", cid)
                }
            }
        }
    }

    /// `/contacts.json` and `/contact_numbers/{+E164}/contact.json`.
    mutating func contacts(_ request: APIRequest, _ path: [String]) -> Reply {
        func write(_ contact: RetreaverContact, _ json: inout JSONText) {
            json.put("id", contact.id)
            json.array("contact_numbers") { json in
                json.object { json in
                    json.put("id", contact.id * 10)
                    json.put("number", contact.number)
                    json.put("description", "mobile")
                }
            }
            json.array("tag_values") { json in
                for (index, tag) in contact.tags.enumerated() {
                    json.object { json in
                        json.put("id", contact.id * 100 + index)
                        json.put("key", tag.key)
                        json.put("value", tag.value)
                        json.put("operator", "==")
                    }
                }
            }
        }
        if path[0] == "contacts", path.count == 1 {
            if request.method == "POST" {
                let number = request.document?["contact"]?["contact_numbers_attributes"]?.elements.first?["number"]?.text
                guard let number else { return Self.error(400, "contact_numbers_attributes is required") }
                let contact = RetreaverContact(id: 900 + contacts.count, number: number, tags: [])
                contacts.append(contact)
                return .json(201) { json in json.object { json in json.object("contact") { write(contact, &$0) } } }
            }
            return Self.index(request, "contact", contacts, write)
        }
        let wanted = path.count > 1 ? path[1] : ""
        guard let index = contacts.firstIndex(where: { path[0] == "contacts" ? String($0.id) == wanted : $0.number == wanted }) else {
            return Self.error(404, "Not Found")
        }
        if request.method == "DELETE" {
            contacts.remove(at: index)
            return .empty(204)
        }
        let contact = contacts[index]
        return .json { json in json.object { json in json.object("contact") { write(contact, &$0) } } }
    }

    /// `/targets.json`, `/targets/tid/{tid}.json`.
    func targets(_ request: APIRequest, _ path: [String], _ book: CallBook) -> Reply {
        Self.named(request, path, "target", "tid", book.catalog.targets.map { ($0.code, $0.numericID, $0.name, $0.number) })
    }

    /// `/api/v1/affiliates.json`, `/affiliates/afid/{afid}.json`.
    func affiliates(_ request: APIRequest, _ path: [String], _ book: CallBook) -> Reply {
        Self.named(request, path, "affiliate", "afid", book.catalog.publishers.map { ($0.code, $0.numericID, $0.name, nil) })
    }

    private static func named(
        _ request: APIRequest, _ path: [String], _ key: String, _ idName: String,
        _ items: [(code: String, id: Int, name: String, number: String?)]
    ) -> Reply {
        func write(_ item: (code: String, id: Int, name: String, number: String?), _ json: inout JSONText) {
            json.put("id", item.id)
            json.put(idName, item.code)
            json.put("name", item.name)
            if let number = item.number { json.put("number", number) }
        }
        guard path.count > 1 else { return index(request, key, items, write) }
        let wanted = path[path.count - 1]
        guard let item = items.first(where: { path[1] == idName ? $0.code == wanted : String($0.id) == wanted }) else {
            return error(404, "Not Found")
        }
        return .json { json in json.object { json in json.object(key) { write(item, &$0) } } }
    }
}
