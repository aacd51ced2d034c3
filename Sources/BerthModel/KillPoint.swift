// Labelled points at which a test build kills itself, so that the crash suite can die at each of them once.

#if DEBUG
    import Glibc

    private let chosenKillPoint: String? = getenv("BERTH_KILLPOINT").map { String(cString: $0) }
#endif

/// A place where dying must lose nothing and double nothing. Does nothing in release builds.
public enum KillPoint {
    /// Every label in the sources; the crash suite dies at each, and a test compares this list with the sources.
    public static let all = [
        "store.accept.before-commit", "store.accept.after-commit", "store.lease.after-commit", "store.settle.before-commit",
        "store.settle.after-commit", "store.page.before-commit", "store.page.after-commit", "store.finish.before-commit",
        "store.finish.after-commit", "dispatch.after-lease", "dispatch.before-settle", "sync.after-claim", "sync.before-finish",
        "sync.after-finish", "intake.after-verify", "intake.after-accept",
    ]

    /// Kills the process with SIGKILL when BERTH_KILLPOINT names this point.
    @inline(__always)
    public static func reach(_ name: StaticString) {
        #if DEBUG
            if let chosenKillPoint, chosenKillPoint == "\(name)" { kill(getpid(), SIGKILL) }
        #endif
    }
}
