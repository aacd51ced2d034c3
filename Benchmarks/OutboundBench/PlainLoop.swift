// The baseline: libcurl's multi interface driven by curl_multi_poll on one thread, as its own examples do it.

import CCurl

/// One run of the baseline.
final class PlainLoop {
    private let url: String
    private var starts: [UnsafeMutableRawPointer: Double] = [:]
    init(url: String) { self.url = url }

    final class Sink { var bytes: [UInt8] = [] }

    func run(_ count: Int, _ concurrency: Int) -> Figures {
        guard let multi = curl_multi_init() else { fatalError("curl_multi_init") }
        var sinks: [UnsafeMutableRawPointer: Sink] = [:]
        let headers = curl_slist_append(nil, "Authorization: Bearer bench-token")
        var started = 0
        var latencies: [Double] = []
        func begin(_ easy: UnsafeMutableRawPointer) {
            starts[easy] = time()
            sinks[easy]?.bytes.removeAll(keepingCapacity: true)
            curl_multi_add_handle(multi, easy)
            started += 1
        }
        let begun = time()
        for _ in 0..<concurrency {
            guard let easy = curl_easy_init() else { fatalError("curl_easy_init") }
            let sink = Sink()
            sinks[easy] = sink
            ccurl_set_string(easy, CURLOPT_URL, url)
            ccurl_set_headers(easy, headers)
            ccurl_set_long(easy, CURLOPT_NOSIGNAL, 1)
            ccurl_set_bytes_fn(easy, CURLOPT_WRITEFUNCTION) { bytes, size, count, context in
                guard let bytes, let context else { return 0 }
                Unmanaged<Sink>.fromOpaque(context).takeUnretainedValue().bytes.append(
                    contentsOf: UnsafeRawBufferPointer(start: bytes, count: size * count))
                return size * count
            }
            ccurl_set_pointer(easy, CURLOPT_WRITEDATA, Unmanaged.passUnretained(sink).toOpaque())
            begin(easy)
        }
        var running: Int32 = 1
        while latencies.count < count {
            curl_multi_perform(multi, &running)
            var code = CURLE_OK
            while let easy = ccurl_multi_next_done(multi, &code) {
                guard code == CURLE_OK, sinks[easy]?.bytes.count == 1024 else { fatalError("plain: \(code)") }
                latencies.append(time() - (starts[easy] ?? 0))
                curl_multi_remove_handle(multi, easy)
                if started < count { begin(easy) }
            }
            if latencies.count < count { curl_multi_poll(multi, nil, 0, 1000, nil) }
        }
        let seconds = time() - begun
        for easy in sinks.keys { curl_easy_cleanup(easy) }
        curl_multi_cleanup(multi)
        curl_slist_free_all(headers)
        return Figures(seconds: seconds, latencies: latencies)
    }
}
