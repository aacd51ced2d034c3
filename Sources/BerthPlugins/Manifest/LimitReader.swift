// The parts of [http] that say how many requests a provider takes, and how it says "too many".

import BerthModel

/// Reads `rate_limits` and `throttle`.
enum LimitReader {
    private static let units = ["second": 1, "minute": 60, "hour": 3600, "day": 86_400]
    private static let unitNames = ["second", "minute", "hour", "day"]
    private static let longestSeconds = 7 * 86_400

    static func rateLimits(_ section: ManifestSection) throws(BerthError) -> [PluginManifest.RateLimit] {
        var limits: [PluginManifest.RateLimit] = []
        for limit in try section.sections("rate_limits", keys: ["requests", "per", "class", "scope"], max: 32) {
            guard let requests = try limit.integer("requests", in: 1...1_000_000_000) else {
                throw limit.refusal("requests", "is required and missing")
            }
            let made = PluginManifest.RateLimit(
                requests: requests, windowSeconds: try window(limit), requestClass: try limit.text("class"),
                scope: try limit.choice("scope", PluginManifest.RateLimit.Scope.allCases) ?? .connection)
            let isTwice = limits.contains {
                $0.windowSeconds == made.windowSeconds && $0.requestClass == made.requestClass && $0.scope == made.scope
            }
            guard !isTwice else { throw limit.refusal("per", "the same window stands here twice", hint: "keep the smaller number") }
            limits.append(made)
        }
        return limits
    }

    /// `minute`, or a number of them: `15 minutes`.
    private static func window(_ limit: ManifestSection) throws(BerthError) -> Int {
        let per = try limit.requiredText("per")
        let words = per.split(separator: " ", omittingEmptySubsequences: false)
        guard words.count <= 2, let last = words.last,
            let unit = units[last.hasSuffix("s") && words.count == 2 ? String(last.dropLast()) : String(last)]
        else { throw limit.unknownChoice("per", per, unitNames) }
        guard words.count == 2 else { return unit }
        guard let count = Int(words[0]), count > 0, count <= longestSeconds / unit else {
            throw limit.refusal("per", "\"\(per.prefix(40))\" is no length of 1 second to 7 days", hint: "such as minute, or 15 minutes")
        }
        return count * unit
    }

    static func throttles(_ section: ManifestSection) throws(BerthError) -> [ThrottleSpec] {
        var specs: [ThrottleSpec] = []
        let keys = [
            "status", "body", "equals", "header", "retry_after_body", "retry_after_header", "retry_at_next", "retry_after_seconds",
        ]
        for entry in try section.sections("throttle", keys: keys, max: 16) {
            var spec = ThrottleSpec(
                status: try entry.integer("status", in: 100...599), bodyPointer: try pointer("body", entry),
                equals: try value("equals", entry), header: try entry.headerName("header"))
            guard spec.bodyPointer != nil || spec.header != nil || spec.status.map({ $0 >= 400 }) == true else {
                throw entry.refusal(
                    "body", "nothing here tells a refusal from a good answer",
                    hint: "give body (a JSON pointer), header, or a status of 400 and above")
            }
            guard spec.equals == nil || spec.bodyPointer != nil else {
                throw entry.refusal("equals", "there is no body to compare it with", hint: "body = \"/pointer\" says where it stands")
            }
            spec.wait.bodyPointer = try pointer("retry_after_body", entry)
            spec.wait.header = try entry.headerName("retry_after_header")
            if let unit = try entry.text("retry_at_next") {
                guard let seconds = units[unit] else { throw entry.unknownChoice("retry_at_next", unit, unitNames) }
                spec.wait.boundarySeconds = seconds
            }
            spec.wait.seconds = try entry.integer("retry_after_seconds", in: 1...86_400) ?? spec.wait.seconds
            specs.append(spec)
        }
        return specs
    }

    private static func pointer(_ key: String, _ entry: ManifestSection) throws(BerthError) -> String? {
        guard let text = try entry.text(key, max: 256) else { return nil }
        guard text.hasPrefix("/") else {
            throw entry.refusal(key, "\"\(text.prefix(80))\" is not a JSON pointer", hint: "it begins with a slash: /error/code")
        }
        return text
    }

    private static func value(_ key: String, _ entry: ManifestSection) throws(BerthError) -> JSONValue? {
        switch entry.members[key] {
        case nil: return nil
        case .string(let text)?: return .string(text)
        case .integer(let number)?: return .integer(Int64(number))
        case .bool(let flag)?: return .bool(flag)
        case let node?: throw entry.refusal(key, "\(node.shown) stands where a text, a whole number, true or false belongs")
        }
    }
}
