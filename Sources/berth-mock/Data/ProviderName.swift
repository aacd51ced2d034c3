// The providers this program plays.

import ArgumentParser

/// One of the providers, by the name its plugin has too.
enum ProviderName: String, Sendable, CaseIterable, Hashable, ExpressibleByArgument {
    case ringba, retreaver, trackdrive
}
