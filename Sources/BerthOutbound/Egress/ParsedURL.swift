// A URL as libcurl itself understands it. The same parsed value is checked and then connected to, so that no
// difference between two parsers can be used to slip past the check.

import CCurl

/// Owns a libcurl URL.
final class ParsedURL {
    let handle: OpaquePointer

    private init(_ handle: OpaquePointer) { self.handle = handle }

    /// Parses an absolute `http` or `https` URL. Userinfo is refused; no scheme is guessed.
    static func parse(_ text: String) -> Result<ParsedURL, Origin.Refusal> {
        guard let handle = curl_url() else { return .failure(Origin.Refusal("out of memory")) }
        let url = ParsedURL(handle)
        let code = curl_url_set(handle, CURLUPART_URL, text, UInt32(CURLU_DISALLOW_USER | CURLU_URLENCODE))
        guard code == CURLUE_OK else {
            return .failure(
                Origin.Refusal(code == CURLUE_USER_NOT_ALLOWED ? "it holds a user name" : String(cString: curl_url_strerror(code))))
        }
        return .success(url)
    }

    deinit { curl_url_cleanup(handle) }

    /// A part as it stands in the URL; nil when absent.
    func part(_ which: CURLUPart, flags: Int32 = 0) -> String? {
        var text: UnsafeMutablePointer<CChar>?
        guard curl_url_get(handle, which, &text, UInt32(flags)) == CURLUE_OK, let text else { return nil }
        defer { curl_free(text) }
        return String(cString: text)
    }

    /// Replaces the query; false when libcurl refuses it.
    func setQuery(_ query: UnsafePointer<CChar>) -> Bool {
        curl_url_set(handle, CURLUPART_QUERY, query, 0) == CURLUE_OK
    }
}
