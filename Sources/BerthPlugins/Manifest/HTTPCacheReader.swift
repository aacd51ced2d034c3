// [http.cache]: which classes of answers the daemon keeps. It keeps none that no manifest names.

import BerthModel

enum HTTPCacheReader {
    /// nil: no such table.
    static func cache(_ http: ManifestSection) throws(BerthError) -> PluginManifest.Cache? {
        guard let section = try http.section("cache", keys: ["classes", "max_mib"]) else { return nil }
        var seconds: [String: Int] = [:]
        for entry in try section.sections("classes", keys: ["class", "seconds"], max: 64) {
            let name = try entry.requiredText("class", max: 64)
            guard seconds[name] == nil else { throw entry.refusal("class", "\"\(name)\" stands here twice") }
            guard let lifetime = try entry.integer("seconds", in: 1...604_800) else {
                throw entry.refusal("seconds", "is required and missing", hint: "for how long an answer is fresh, such as 3600")
            }
            seconds[name] = lifetime
        }
        guard !seconds.isEmpty else {
            throw section.refusal("classes", "names no request class", hint: "classes = [{ class = \"prospects\", seconds = 3600 }]")
        }
        return PluginManifest.Cache(secondsByClass: seconds, maxMiB: try section.integer("max_mib", in: 1...1024) ?? 16)
    }
}
