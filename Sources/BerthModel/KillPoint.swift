// Labelled points at which a test build kills itself, so that the crash suite can die at each of them once.

#if DEBUG
    import Glibc

    private let chosenKillPoint: String? = getenv("BERTH_KILLPOINT").map { String(cString: $0) }
    /// Milliseconds between a point and the death: time in which an answer that should not be given yet gets out.
    private let killPointDelay = getenv("BERTH_KILLPOINT_DELAY_MS").flatMap { UInt32(String(cString: $0)) } ?? 0
#endif

/// A place where dying must lose nothing and double nothing. Does nothing in release builds.
public enum KillPoint {
    /// Every label in the sources; the crash suite dies at each, and a test compares this list with the sources.
    public static let all = [
        "store.before-commit", "store.after-commit", "dispatch.after-lease", "dispatch.before-settle", "dispatch.after-settle",
        "sync.after-claim", "sync.after-page", "sync.before-finish", "sync.after-finish", "intake.after-verify", "intake.after-accept",
        "grant.before-exchange", "grant.after-spawn", "grant.after-exchange", "grant.before-store", "grant.after-store",
    ]

    /// Kills the process with SIGKILL when BERTH_KILLPOINT names this point and `isMeant`; the thread stands still before that for
    /// BERTH_KILLPOINT_DELAY_MS.
    @inline(__always)
    public static func reach(_ name: StaticString, if isMeant: @autoclosure () -> Bool = true) {
        #if DEBUG
            guard let chosenKillPoint, chosenKillPoint == "\(name)", isMeant() else { return }
            usleep(killPointDelay * 1000)
            kill(getpid(), SIGKILL)
        #endif
    }
}
