// The process_* metrics by the names Prometheus clients use, read from /proc when scraped.

#if canImport(Glibc)
    import Glibc
#endif

/// Memory, descriptors, threads and processor time of this process.
struct ProcessMetrics: Sendable {
    func render(to out: inout String) {
        // A missing /proc (a container without it) leaves these out rather than showing zeros.
        if let fields = Self.read("/proc/self/stat")?.split(separator: ")").last?.split(separator: " "), fields.count > 21 {
            let ticks = Double(sysconf(Int32(_SC_CLK_TCK)))
            let cpu = ((Double(fields[11]) ?? 0) + (Double(fields[12]) ?? 0)) / ticks
            let resident = (Double(fields[21]) ?? 0) * Double(sysconf(Int32(_SC_PAGESIZE)))
            Self.append("process_cpu_seconds_total", "counter", "User and system time.", cpu, to: &out)
            Self.append("process_resident_memory_bytes", "gauge", "Resident memory.", resident, to: &out)
            Self.append("process_virtual_memory_bytes", "gauge", "Virtual memory.", Double(fields[20]) ?? 0, to: &out)
            Self.append("process_threads", "gauge", "Threads.", Double(fields[17]) ?? 0, to: &out)
        }
        if let directory = opendir("/proc/self/fd") {
            var count = 0.0
            while readdir(directory) != nil { count += 1 }
            closedir(directory)
            Self.append("process_open_fds", "gauge", "Open descriptors.", max(0, count - 3), to: &out)
        }
        var limit = rlimit()
        if getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 {
            Self.append("process_max_fds", "gauge", "Largest number of descriptors.", Double(limit.rlim_cur), to: &out)
        }
    }

    private static func append(_ name: String, _ kind: String, _ help: String, _ value: Double, to out: inout String) {
        let text = value == value.rounded() && value < 1e15 ? String(Int64(value)) : "\(value)"
        out += "# HELP \(name) \(help)\n# TYPE \(name) \(kind)\n\(name) \(text)\n"
    }

    private static func read(_ path: String) -> String? {
        guard let file = fopen(path, "r") else { return nil }
        defer { fclose(file) }
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = fread(&buffer, 1, buffer.count, file)
        return String(decoding: buffer[..<count], as: UTF8.self)
    }
}
