// The providers this program plays.

import ArgumentParser

/// One of the providers, by the name its plugin has too.
enum ProviderName: String, Sendable, CaseIterable, Hashable {
    case ringba, retreaver, trackdrive
}

/// What an argument names: a provider with calls, or the authorization server, which has none.
enum PlayedName: Sendable, Equatable, ExpressibleByArgument {
    case provider(ProviderName)
    case oauth

    init?(argument: String) {
        if argument == "oauth" {
            self = .oauth
        } else if let name = ProviderName(rawValue: argument) {
            self = .provider(name)
        } else {
            return nil
        }
    }

    static let allValueStrings = ProviderName.allCases.map(\.rawValue) + ["oauth"]
}
