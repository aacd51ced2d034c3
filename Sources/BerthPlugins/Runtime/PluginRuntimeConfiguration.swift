// How plugins are found and run.

public import BerthModel

/// Settings of the plugin runtime.
public struct PluginRuntimeConfiguration: Sendable {
    /// Folders whose subfolders are bundles, in order of preference.
    public var directories: [String]
    /// Where installed bundles are copied to; scanned after the others.
    public var managedDirectory: String
    /// Where plugins run unless their manifest says otherwise.
    public var isolation: Isolation
    /// Path of berth-worker.
    public var workerPath: String
    /// Whether a worker may run where the kernel lacks Landlock or seccomp.
    public var allowsWeakSandbox: Bool
    /// Who may bring plugins.
    public var signatures = SignaturePolicy.open
    /// Deaths of workers on different work within `quarantineWindow` that take a version out of service.
    public var deathsMax = 3
    /// See `deathsMax`; also how long the quarantine lasts before the version gets another chance.
    public var quarantineWindow: Duration = .seconds(300)
    /// How long a new generation is watched: its first death goes back to the one before.
    public var probation: Duration = .seconds(60)

    /// Settings.
    public init(directories: [String], managedDirectory: String, isolation: Isolation, workerPath: String, allowsWeakSandbox: Bool) {
        self.directories = directories
        self.managedDirectory = managedDirectory
        self.isolation = isolation
        self.workerPath = workerPath
        self.allowsWeakSandbox = allowsWeakSandbox
    }

    /// What lies in the folders now.
    func bundles() -> [BundleDirectory.Finding] {
        BundleDirectory.scan(directories, managed: managedDirectory, policy: signatures)
    }
}
