// Ringba: call logs by time window, campaigns and numbers as whole lists, tracking pixels as events. The adapter's
// abilities are split by verb over the files beside this one.

public import BerthPluginSDK

/// One Ringba account.
public struct RingbaAdapter: ProviderAdapter {
    /// `RA...`
    let account: String
    /// Of all amounts; Ringba's answers do not name it.
    let currency: String
    /// How far back a first or full read goes.
    let historyDays: Int
    /// Rows per call log page, at most 1000.
    let pageSize: Int

    /// By the settings `account_id`, `currency`, `history_days`, `page_size`.
    public init(_ setup: AdapterSetup) throws {
        account = try setup.requiredText("account_id")
        currency = setup.text("currency") ?? "USD"
        historyDays = try setup.integer("history_days", default: 90, in: 1...3650)
        pageSize = try setup.integer("page_size", default: 1000, in: 1...1000)
    }

    /// A path below the account.
    func path(_ rest: String) -> String { "/v2/\(QueryText.encoded(account))/\(rest)" }
}
