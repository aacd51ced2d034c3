// Event call backs: the API objects behind pixels. The v2 collection documents only linking them; creating them is from the earlier
// API, so their event codes are the mock's choice: the words a pixel's event list shows, in lower case.

/// A registered pixel.
struct RingbaCallBack: Sendable {
    var id: String, name: String, url: String, event: String, method: String, contentType: String, body: String?

    /// Writes the object.
    func write(to json: inout JSONText) {
        json.object { json in
            json.put("id", id)
            json.put("name", name)
            json.put("pixelUrl", url)
            json.put("eventCode", event)
            json.put("method", method)
            json.put("contentType", contentType)
            if let body { json.put("postBody", body) }
        }
    }
}

extension RingbaDialect {
    /// Routes below `EventCallBacks`.
    mutating func callBack(_ method: String, _ path: [String], _ last: String, _ request: APIRequest) throws -> Reply {
        switch (method, path.count) {
        case ("GET", 1):
            let transaction = id("TR")
            return .json { json in
                json.object { json in
                    json.put("transactionId", transaction)
                    json.array("eventCallBacks") { json in for item in callBacks { item.write(to: &json) } }
                }
            }
        case ("GET", 2) where path[1] == "macros":
            return .json {
                $0.array(texts: [
                    "[Call:InboundCallId]", "[tag:InboundNumber:Number]", "[Call:ConversionAmount]", "[Call:ConversionPayout]",
                ])
            }
        case ("POST", 1):
            let body = request.document
            guard let url = body?["pixelUrl"]?.text, let event = body?["eventCode"]?.text else {
                throw RingbaRefusal(message: "pixelUrl and eventCode are required")
            }
            let item = RingbaCallBack(
                id: id("EV"), name: body?["name"]?.text ?? "", url: url, event: event.lowercased(),
                method: body?["method"]?.text?.uppercased() ?? "GET",
                contentType: body?["contentType"]?.text ?? "application/json", body: body?["postBody"]?.text)
            callBacks.append(item)
            return .json { item.write(to: &$0) }
        default:
            guard let index = callBacks.firstIndex(where: { $0.id == last }) else { return error(404, "\(last) was not found", code: 101) }
            if method == "DELETE" {
                callBacks.remove(at: index)
                let transaction = id("TR")
                return .json { $0.object { $0.put("transactionId", transaction) } }
            }
            let item = callBacks[index]
            return .json { item.write(to: &$0) }
        }
    }

    /// `PATCH campaigns/{id}/link`.
    mutating func link(_ request: APIRequest, _ book: CallBook) -> Reply {
        let campaign = request.segments.dropFirst(3).first ?? ""
        guard book.catalog.campaigns.contains(where: { $0.code == campaign }) else {
            return error(404, "\(campaign) was not found", code: 101)
        }
        let transaction = id("TR")
        return .json { $0.object { $0.put("transactionId", transaction) } }
    }
}
