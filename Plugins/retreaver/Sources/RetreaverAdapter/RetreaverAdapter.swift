// Retreaver: calls by created or updated time over numbered pages, campaigns and numbers as paged lists, webhooks that
// carry whatever their URL was templated with. The adapter's abilities are split by verb over the files beside this one.

public import BerthPluginSDK

/// One Retreaver company.
public struct RetreaverAdapter: ProviderAdapter {
    /// Sent with every request: without it Retreaver takes the company its user last looked at.
    let company: String
    /// Of all amounts; Retreaver's answers do not name it.
    let currency: String
    /// How far back a first or full read of calls goes.
    let historyDays: Int
    /// Rows per page.
    let pageSize: Int

    /// By the settings `company_id`, `currency`, `history_days`, `page_size`.
    public init(_ setup: AdapterSetup) throws {
        company = try setup.requiredText("company_id")
        currency = setup.text("currency") ?? "USD"
        historyDays = try setup.integer("history_days", default: 90, in: 1...3650)
        pageSize = try setup.integer("page_size", default: 100, in: 1...1000)
    }

    /// Sends with the company's id and throws what a bad answer means. The key is added by the daemon.
    func ask(_ request: HTTPRequest, _ context: Context) throws -> HTTPResponse {
        var request = request
        request.query.append(("company_id", company))
        let answer = try context.http.send(request)
        guard var error = answer.error else { return answer }
        if answer.status == 403 {
            error.message = "Retreaver refused: the setting company_id is not a company of this api_key (403)"
        }
        throw error
    }
}
