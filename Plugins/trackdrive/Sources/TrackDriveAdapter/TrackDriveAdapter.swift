// TrackDrive: calls by cursor, numbers by page, offers as campaigns, REST hooks and templated webhooks as events. The
// adapter's abilities are split by verb over the files beside this one.

public import BerthPluginSDK

/// One TrackDrive company, which has a host name of its own.
public struct TrackDriveAdapter: ProviderAdapter {
    /// Of all amounts; TrackDrive's answers do not name it.
    let currency: String
    /// How far back a first or full read of calls goes.
    let historyDays: Int
    /// Rows per page.
    let pageSize: Int

    /// By the settings `subdomain` (part of the address), `currency`, `history_days`, `page_size`.
    public init(_ setup: AdapterSetup) throws {
        guard !setup.baseURL.contains("{") else {
            throw ProviderError(
                .invalidArgument, "the setting 'subdomain' is missing: the first part of your TrackDrive address, or set base_url")
        }
        currency = setup.text("currency") ?? "USD"
        historyDays = try setup.integer("history_days", default: 90, in: 1...3650)
        pageSize = try setup.integer("page_size", default: 100, in: 1...1000)
    }

    /// Sends and answers a good answer's JSON; throws what a bad one means. Success and error share one envelope,
    /// `{"status":..., "errors":{...}}`: an error inside a 200 is one too.
    func ask(_ request: HTTPRequest, _ context: Context) throws -> (root: JSONNode, answer: HTTPResponse) {
        let answer = try context.http.send(request).checked()
        if answer.body.isEmpty { return (try JSONDocument(Array("{}".utf8)).root, answer) }
        let root = try answer.json()
        if let status = root["status"]?.int64, !(200..<300).contains(status), let errors = root["errors"], errors.count > 0 {
            var inner = answer
            inner.status = Int(status)
            try inner.checked()
        }
        return (root, answer)
    }
}
