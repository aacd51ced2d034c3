// The [settings.*] of a manifest: what a connection tells its plugin.

import BerthModel

enum SettingReader {
    static let keys = [
        "type", "required", "secret", "default", "minimum", "maximum", "min_length", "max_length", "identifies", "help",
    ]

    static func settings(_ root: ManifestSection) throws(BerthError) -> [String: SettingSpec] {
        var specs: [String: SettingSpec] = [:]
        for (name, section) in try root.namedSections("settings", keys: keys) { specs[name] = try setting(name, section) }
        return specs
    }

    private static func setting(_ name: String, _ section: ManifestSection) throws(BerthError) -> SettingSpec {
        guard let type = try section.choice("type", [SettingSpec.ValueType.string, .integer, .number, .boolean]) else {
            throw section.refusal("type", "is required and missing", hint: "string, integer, number or boolean")
        }
        if try section.bool("secret") == true {
            throw section.refusal(
                "secret",
                "a setting is never secret: the plugin is given all of them, and everybody who may read connections sees them",
                hint: "make it a credential: placements = [{ field = \"\(name)\", in = \"header\", name = \"...\" }]")
        }
        let bounds = try bounds(section, type)
        let value = try defaultValue(section, type)
        if let value, let problem = bounds.problem(with: value) { throw section.refusal("default", problem) }
        return SettingSpec(
            type: type, isRequired: try section.bool("required") ?? false, defaultValue: value, bounds: bounds,
            identifies: try section.bool("identifies") ?? false, help: try section.text("help", lines: true) ?? "")
    }

    private static func defaultValue(_ section: ManifestSection, _ type: SettingSpec.ValueType) throws(BerthError) -> JSONValue? {
        guard let node = section.members["default"] else { return nil }
        switch (type, node) {
        case (.string, .string(let text)): return .string(text)
        case (.integer, .integer(let number)), (.number, .integer(let number)): return .integer(Int64(number))
        case (.number, .number(let number)) where number.isFinite: return .number(number)
        case (.number, .number):
            throw section.refusal("default", "\(node.shown) is no number that JSON can tell", hint: "a finite one")
        case (.boolean, .bool(let flag)): return .bool(flag)
        default: throw section.refusal("default", "\(node.shown) is not of type \(type.rawValue)")
        }
    }

    private static func bounds(_ section: ManifestSection, _ type: SettingSpec.ValueType) throws(BerthError) -> ValueBounds {
        let isNumber = type == .integer || type == .number
        for (key, isBound) in [
            ("minimum", isNumber), ("maximum", isNumber), ("min_length", type == .string), ("max_length", type == .string),
        ]
        where !isBound && section.members[key] != nil {
            throw section.refusal(
                key, "bounds nothing of type \(type.rawValue)",
                hint: "minimum and maximum are for integer and number, min_length and max_length for string")
        }
        let bounds = ValueBounds(
            minimum: try section.number("minimum"), maximum: try section.number("maximum"),
            minLength: try section.integer("min_length", in: 0...65_536), maxLength: try section.integer("max_length", in: 0...65_536))
        if let least = bounds.minimum, let most = bounds.maximum, least > most {
            throw section.refusal("maximum", "is less than minimum: no value keeps both")
        }
        if let least = bounds.minLength, let most = bounds.maxLength, least > most {
            throw section.refusal("max_length", "is less than min_length: no value keeps both")
        }
        return bounds
    }
}
