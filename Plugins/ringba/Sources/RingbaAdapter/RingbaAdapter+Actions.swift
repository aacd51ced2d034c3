// Operations on demand, and the credential's proof. Ringba has no idempotency keys: the writes are sent once and are not
// marked as safe to repeat.

public import BerthPluginSDK

extension RingbaAdapter: ActionPerformer, CredentialChecker {
    /// See the manifest for each action's input.
    public func perform(_ action: ActionRequest, _ reply: inout JSONWriter, _ context: Context) throws {
        switch action.name {
        case "get_call": try getCall(action, &reply, context)
        case "update_call": try updateCall(action, &reply, context)
        case "annotate": try annotate(action, &reply, context)
        case "provision_number": try provisionNumber(action, &reply, context)
        case "release_number": try releaseNumber(action, &reply, context)
        case "get_campaign":
            let (root, _) = try ask(.get(path("campaigns/\(QueryText.encoded(try action.required("campaign_id")))")), context)
            reply.value(json: root.jsonBytes)
        default: throw ProviderError.unsupported("Ringba has no action '\(action.name)'")
        }
    }

    /// `GET /v2/ringbaaccounts`; the connection's account must be among those the token reaches.
    public func checkCredentials(_ context: Context) throws -> ProviderAccount? {
        let (root, _) = try ask(.get("/v2/ringbaaccounts"), context)
        let accounts = root["account"].map { Array($0.elements) } ?? []
        guard let mine = accounts.first(where: { ($0["accountId"] ?? $0["id"])?.scalarText == account || $0["id"]?.scalarText == account })
        else {
            throw ProviderError(
                .authDenied, "the token works, but not for the account \(account); check the setting account_id or the token's user")
        }
        return ProviderAccount(id: account, name: mine["name"]?.scalarText ?? "")
    }

    /// One call with its events and tags, kept as a record as well.
    private func getCall(_ action: ActionRequest, _ reply: inout JSONWriter, _ context: Context) throws {
        let id = try action.required("call_id")
        let request = HTTPRequest.json("POST", path("calllogs/detail"), class: RequestClass.details, isIdempotent: true) { json in
            json.key("InboundCallIds")
            json.beginArray()
            json.value(id)
            json.endArray()
        }
        let (root, answer) = try ask(request, context)
        guard let row = root.at("/report/records")?.elements.first(where: { $0["inboundCallId"]?.scalarText == id }) else {
            throw ProviderError(.notFound, "Ringba knows no call \(id)", remoteStatus: answer.status)
        }
        try emit(call: row, at: answer.askedAt, to: context)
        reply.value(json: row.jsonBytes)
    }

    /// Overrides a call's amounts. The reply holds only the adjusted amounts.
    private func updateCall(_ action: ActionRequest, _ reply: inout JSONWriter, _ context: Context) throws {
        let id = try action.required("call_id")
        let revenue = amount("revenue", of: action)
        let payout = amount("payout", of: action)
        guard revenue != nil || payout != nil else {
            throw ProviderError(.invalidArgument, "update_call needs 'revenue' or 'payout', a decimal number")
        }
        let request = HTTPRequest.json("POST", path("calls/payments/override")) { json in
            json.key("inboundCallId")
            json.value(id)
            json.key("reason")
            json.value(action.input["reason"]?.scalarText ?? "changed through Berth")
            json.key("adjustConversion")
            json.value(revenue != nil)
            json.key("adjustPayout")
            json.value(payout != nil)
            if let revenue {
                json.key("newConversionAmount")
                json.value(json: revenue.utf8)
            }
            if let payout {
                json.key("newPayoutAmount")
                json.value(json: payout.utf8)
            }
        }
        let (root, answer) = try ask(request, context)
        let result = root["result"] ?? root
        try context.upsert("calls", key: id, sourceTime: answer.askedAt, raw: result) { call in
            call.set(.revenue, result["conversionAmount"])
            call.set(.payout, result["payoutAmount"])
            call.set(.currency, currency)
        }
        reply.value(json: result.jsonBytes)
    }

    private func amount(_ name: String, of action: ActionRequest) -> String? {
        action.input[member: name]?.scalarText.flatMap(DecimalText.plain)
    }

    /// Adds annotations: members of `tags` become tag name and value.
    private func annotate(_ action: ActionRequest, _ reply: inout JSONWriter, _ context: Context) throws {
        let id = try action.required("call_id")
        guard let tags = action.input["tags"], tags.kind == .object, tags.count > 0 else {
            throw ProviderError(.invalidArgument, "annotate needs 'tags', an object of names and values")
        }
        let request = HTTPRequest.json("POST", path("calls/annotate"), isIdempotent: true) { json in
            json.key("inboundCallId")
            json.value(id)
            json.key("tags")
            json.beginArray()
            for tag in tags.members {
                json.beginObject()
                json.key("tagType")
                json.value("Annotations")
                json.key("tagName")
                json.value(tag.name.string ?? "")
                json.key("tagValue")
                json.value(tag.value.scalarText ?? "")
                json.endObject()
            }
            json.endArray()
        }
        reply.value(json: try ask(request, context).root.jsonBytes)
    }

    /// Buys a number.
    private func provisionNumber(_ action: ActionRequest, _ reply: inout JSONWriter, _ context: Context) throws {
        let input = action.input
        let request = HTTPRequest.json("POST", path("numbers")) { json in
            json.key("countryCode")
            json.value(input["country"]?.scalarText ?? "US")
            json.key("isTollFree")
            json.value(input["toll_free"].flatMap(Truth.value) ?? false)
            if let areaCode = input["area_code"]?.scalarText {
                json.key("areaCode")
                json.value(areaCode)
            }
            json.key("chargeAccountIfNeeded")
            json.value(input["charge_account_if_needed"].flatMap(Truth.value) ?? false)
            if let campaign = input["campaign_id"]?.scalarText {
                json.key("campaignId")
                json.value(campaign)
            }
        }
        let (root, answer) = try ask(request, context)
        if let id = root["numberId"]?.scalarText, !id.isEmpty {
            let number = root["number"].flatMap { $0.kind == .object ? $0["phoneNumber"] : $0 }
            try context.upsert("numbers", key: id, sourceTime: answer.askedAt, raw: root) { record in
                record.set(.number, number)
                record.set(.tollFree, input["toll_free"].flatMap(Truth.value))
                record.set(.campaignID, input["campaign_id"])
                record.set(.numberStatus, NumberStatus.active)
            }
        }
        reply.value(json: root.jsonBytes)
    }

    /// Gives a number back, unlinking it from its campaign.
    private func releaseNumber(_ action: ActionRequest, _ reply: inout JSONWriter, _ context: Context) throws {
        let id = try action.required("number_id")
        var request = HTTPRequest(method: "DELETE", path: path("numbers/\(QueryText.encoded(id))"))
        request.query = [("unlink", "true")]
        let (root, answer) = try ask(request, context)
        try context.delete("numbers", key: id, sourceTime: answer.askedAt)
        reply.value(json: root.jsonBytes)
    }
}
