// From thrown errors to statuses, with the details handed over on the way.

internal import CBerthPlugin

extension Context {
    /// Tells the daemon why something failed and answers the status to return.
    func report(_ error: any Error) -> Int32 {
        switch error {
        case is CancelledError:
            return BERTH_CANCELLED
        case let error as ProviderError:
            if !error.isReported { fail(error) }
            return error.status.rawValue
        case let error as JSONError:
            // A reply that is not JSON never gets here (`HTTPResponse.json` says remoteDown): this is the adapter's own.
            let failure = ProviderError(.internal, "not JSON: \(error)")
            fail(failure)
            return failure.status.rawValue
        default:
            let failure = ProviderError(.internal, "the adapter failed: \(error)")
            fail(failure)
            return failure.status.rawValue
        }
    }

    private func fail(_ error: ProviderError) {
        let message = Array(error.message.utf8)
        let code = Array(error.remoteCode.utf8)
        message.withUnsafeBufferPointer { message in
            code.withUnsafeBufferPointer { code in
                var failure = berth_failure_v1(
                    struct_size: UInt32(MemoryLayout<berth_failure_v1>.size), status: error.status.rawValue, item: item,
                    remote_status: UInt32(clamping: error.remoteStatus), retry_after_ms: error.retryAfter?.wholeMilliseconds ?? 0,
                    message: berth_plugin_slice(message), remote_code: berth_plugin_slice(code), fields: .empty)
                _ = link.table.fail(link.table.host, operation, &failure)
            }
        }
    }
}

extension Duration {
    /// Rounded up, never negative.
    var wholeMilliseconds: UInt64 {
        let parts = components
        guard parts.seconds >= 0, parts.attoseconds >= 0 else { return 0 }
        let (whole, overflow) = UInt64(parts.seconds).multipliedReportingOverflow(by: 1000)
        return overflow ? .max : whole + UInt64((parts.attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000)
    }
}
