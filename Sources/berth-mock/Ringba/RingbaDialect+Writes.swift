// Ringba's writes. `adjustConverionByAmount` and `voidConverionAmount` are spelled as the real API spells them.

extension RingbaDialect {
    /// `calls/payments` moves the amounts, `calls/payments/override` sets them. The reply holds only what was adjusted.
    mutating func pay(_ request: APIRequest, isOverride: Bool, _ book: inout CallBook) throws -> Reply {
        let body = request.document
        let call = try call(in: body, book)
        let conversion =
            body?["adjustConversion"]?.boolean == true ? body?[isOverride ? "newConversionAmount" : "adjustConverionByAmount"]?.number : nil
        let payout = body?["adjustPayout"]?.boolean == true ? body?[isOverride ? "newPayoutAmount" : "adjustPayoutByAmount"]?.number : nil
        guard conversion != nil || payout != nil else { throw RingbaRefusal(message: "Nothing to adjust") }
        let after = book.change(call.serial, at: request.now) { call in
            if let conversion {
                call.revenue = isOverride ? Money(conversion) : (call.revenue ?? .zero) + Money(conversion)
                call.isConverted = true
            }
            if let payout { call.payout = isOverride ? Money(payout) : (call.payout ?? .zero) + Money(payout) }
        }
        return adjusted(payout: payout.flatMap { _ in after.payout }, conversion: conversion.flatMap { _ in after.revenue })
    }

    /// `calls/void` takes amounts away again.
    mutating func void(_ request: APIRequest, _ book: inout CallBook) throws -> Reply {
        let body = request.document
        let call = try call(in: body, book)
        let conversion = body?["voidConversion"]?.boolean == true, payout = body?["voidPayout"]?.boolean == true
        let after = book.change(call.serial, at: request.now) { call in
            if conversion {
                call.revenue = (call.revenue ?? .zero) - (body?["voidConverionAmount"]?.number.map { Money($0) } ?? call.revenue ?? .zero)
            }
            if payout {
                call.payout = (call.payout ?? .zero) - (body?["voidPayoutAmount"]?.number.map { Money($0) } ?? call.payout ?? .zero)
            }
        }
        return adjusted(payout: payout ? after.payout : nil, conversion: conversion ? after.revenue : nil)
    }

    /// `calls/annotate` adds tags.
    mutating func annotate(_ request: APIRequest, _ book: inout CallBook) throws -> Reply {
        let body = request.document
        let call = try call(in: body, book)
        let tags = (body?["tags"]?.elements ?? []).compactMap { tag in tag["tagName"]?.text.map { ($0, tag["tagValue"]?.text ?? "") } }
        book.change(call.serial, at: request.now) { call in for (name, value) in tags { call.tags[name] = value } }
        let transaction = id("TR")
        return .json { $0.object { $0.put("transactionId", transaction) } }
    }

    /// `POST numbers` buys one. Area code 999 has no inventory, which the real API answers with 500.
    mutating func buy(_ request: APIRequest, _ book: inout CallBook) throws -> Reply {
        let body = request.document
        guard body?["countryCode"]?.text != nil else { throw RingbaRefusal(message: "countryCode is required") }
        let areaCode = body?["areaCode"]?.text
        if areaCode == "999" { return error(500, "No numbers available in area code 999", code: 0) }
        let isTollFree = body?["isTollFree"]?.boolean ?? (areaCode == nil)
        let e164 = "+1\(isTollFree ? "833" : areaCode ?? "646")555\(random.within(2000...9999))"
        let code = "PV" + e164.dropFirst()
        let campaign = body?["campaignId"]?.text.flatMap { wanted in book.catalog.campaigns.firstIndex { $0.code == wanted } }
        book.catalog.numbers.append(
            Catalog.Number(
                code: code, numericID: 4400 + book.catalog.numbers.count * 11, e164: e164, isTollFree: isTollFree, campaign: campaign,
                publisher: nil,
                allocatedAt: request.now))
        return .json { json in
            json.object { json in
                json.put("numberId", code)
                json.put("number", e164)
            }
        }
    }

    /// `DELETE numbers/{id}?unlink=true`; a number in use needs `unlink`.
    mutating func release(_ wanted: String, _ request: APIRequest, _ book: inout CallBook) -> Reply {
        guard let index = book.catalog.numbers.firstIndex(where: { $0.code == wanted && !$0.isDeleted }) else {
            return error(404, "Number \(wanted) was not found", code: 101)
        }
        if book.catalog.numbers[index].campaign != nil, request.query["unlink"] != "true" {
            return error(400, "Number \(wanted) is linked to a campaign", code: 0)
        }
        book.catalog.numbers[index].isDeleted = true
        let transaction = id("TR")
        return .json { $0.object { $0.put("transactionId", transaction) } }
    }

    private func call(in body: JSONDocument?, _ book: CallBook) throws -> MockCall {
        guard let id = body?["inboundCallId"]?.text else { throw RingbaRefusal(message: "inboundCallId is required") }
        guard let call = book.call(id: id) else { throw RingbaRefusal(message: "Call \(id) was not found") }
        return call
    }

    private mutating func adjusted(payout: Money?, conversion: Money?) -> Reply {
        let transaction = id("TR")
        return .json { json in
            json.object { json in
                json.put("transactionId", transaction)
                json.object("result") { json in
                    if let payout { json.put("payoutAmount", verbatim: payout.shortText) }
                    if let conversion { json.put("conversionAmount", verbatim: conversion.shortText) }
                }
            }
        }
    }
}
