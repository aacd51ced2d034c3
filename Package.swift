// swift-tools-version: 6.2
import PackageDescription

/// Settings of every Swift target: complete checking, explicit existentials, imports that say what they expose.
let strict: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
]

let logging: Target.Dependency = .product(name: "Logging", package: "swift-log")
let crypto: Target.Dependency = .product(name: "Crypto", package: "swift-crypto")
/// RSA signatures, which Crypto alone does not have; the mock verifies JWT bearer assertions with it.
let cryptoExtras: Target.Dependency = .product(name: "CryptoExtras", package: "swift-crypto")
let lifecycle: Target.Dependency = .product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
let arguments: Target.Dependency = .product(name: "ArgumentParser", package: "swift-argument-parser")
let hummingbird: Target.Dependency = .product(name: "HummingbirdCore", package: "hummingbird")
let nio: [Target.Dependency] = [
    .product(name: "NIOCore", package: "swift-nio"), .product(name: "NIOPosix", package: "swift-nio"),
    .product(name: "NIOHTTP1", package: "swift-nio"),
]
let httpTypes: [Target.Dependency] = [
    .product(name: "HTTPTypes", package: "swift-http-types"), .product(name: "NIOHTTPTypes", package: "swift-nio-extras"),
    .product(name: "NIOExtras", package: "swift-nio-extras"),
]

// Floor 0: the domain's words, and thin C.
let floor0: [Target] = [
    .target(name: "CBerth"),
    .target(name: "CBerthHeap"),
    .target(name: "CBerthLinux"),
    .target(name: "CBerthPeer"),
    .target(name: "CCurl", linkerSettings: [.linkedLibrary("curl")]),
    .target(name: "BerthModel", swiftSettings: strict),
]

// Floor 1: seams, wire, loader, control API.
let floor1: [Target] = [
    .target(name: "BerthSeams", dependencies: ["BerthModel"], swiftSettings: strict),
    .target(name: "BerthWire", dependencies: ["BerthModel"], swiftSettings: strict),
    .target(name: "BerthControlAPI", dependencies: ["BerthModel"], swiftSettings: strict),
    .target(name: "BerthLoader", dependencies: ["BerthModel", "CBerth", "CBerthLinux"], swiftSettings: strict),
]

// Floor 2: one outside library each.
let floor2: [Target] = [
    .target(
        name: "BerthStoreSQLite",
        dependencies: [
            "BerthModel", "BerthSeams", .product(name: "GRDB", package: "GRDB.swift"), .product(name: "GRDBSQLite", package: "GRDB.swift"),
            logging, crypto,
        ], swiftSettings: strict),
    .target(name: "BerthVault", dependencies: ["BerthModel", "BerthSeams", crypto, logging], swiftSettings: strict),
    .target(name: "BerthOutbound", dependencies: ["BerthModel", "BerthSeams", "CCurl", logging], swiftSettings: strict),
    .target(
        name: "BerthGrants",
        dependencies: [
            "BerthModel", "BerthSeams", "CBerthLinux", crypto, cryptoExtras, logging,
        ], swiftSettings: strict),
    .target(
        name: "BerthPlugins",
        dependencies: [
            "BerthModel", "BerthSeams", "BerthWire", "BerthLoader", "CBerth", "CBerthLinux", .product(name: "TOMLKit", package: "TOMLKit"),
            crypto, logging,
        ], swiftSettings: strict),
]

// Floors 3 to 5: what Berth is, where it is reached, and what wires it.
let upperFloors: [Target] = [
    .target(name: "BerthEngine", dependencies: ["BerthModel", "BerthSeams", "BerthControlAPI", crypto, logging], swiftSettings: strict),
    .target(
        name: "BerthServer",
        dependencies: ["BerthModel", "BerthSeams", "BerthControlAPI", "CBerthPeer", hummingbird, logging, lifecycle] + nio + httpTypes,
        swiftSettings: strict),
    .executableTarget(
        name: "berthd",
        dependencies: [
            "BerthModel", "BerthSeams", "BerthControlAPI", "BerthEngine", "BerthServer", "BerthStoreSQLite", "BerthVault", "BerthOutbound",
            "BerthGrants", "BerthPlugins", "CBerthHeap", "CBerthLinux", .product(name: "TOMLKit", package: "TOMLKit"),
            .product(name: "UnixSignals", package: "swift-service-lifecycle"), arguments, logging, lifecycle,
        ], swiftSettings: strict),
]

// Beside the floors.
let side: [Target] = [
    .executableTarget(name: "berthctl", dependencies: ["BerthControlAPI", "BerthModel", arguments], swiftSettings: strict),
    // The hostile host of `berthctl plugin check`, in C against the public headers alone, and its runner.
    .target(name: "CBerthHostileHost", dependencies: ["CBerth"]),
    .executableTarget(
        name: "berth-plugin-check", dependencies: ["BerthModel", "BerthLoader", "BerthPlugins", "CBerthHostileHost", arguments, crypto],
        swiftSettings: strict),
    .executableTarget(
        name: "berth-worker", dependencies: ["BerthModel", "BerthWire", "BerthLoader", "CBerth", "CBerthLinux"], swiftSettings: strict),
    .executableTarget(
        name: "berth-mock",
        dependencies: [
            .product(name: "Hummingbird", package: "hummingbird"), .product(name: "HTTPTypes", package: "swift-http-types"), arguments,
            crypto, cryptoExtras, logging,
        ]
            + nio, exclude: ["README.md"], swiftSettings: strict),
]

// Programs that measure; see Benchmarks/README.md.
let benchmarks: [Target] = [
    .executableTarget(
        name: "HTTPBaseline",
        dependencies: [hummingbird, logging, lifecycle, .product(name: "UnixSignals", package: "swift-service-lifecycle")] + nio
            + httpTypes,
        path: "Benchmarks/HTTPBaseline", swiftSettings: strict),
    .executableTarget(
        name: "IntakeBench", dependencies: ["BerthEngine", "BerthModel", "BerthSeams", crypto, logging], path: "Benchmarks/IntakeBench",
        swiftSettings: strict),
    .executableTarget(
        name: "OutboundBench", dependencies: ["BerthModel", "BerthSeams", "BerthOutbound", "BerthPlugins", "CCurl", logging],
        path: "Benchmarks/OutboundBench",
        swiftSettings: strict),
    .executableTarget(
        name: "PluginBench", dependencies: ["BerthModel", "BerthSeams", "BerthPlugins", logging], path: "Benchmarks/PluginBench",
        swiftSettings: strict),
]

/// A plugin: the adapter for tests and for the library, and the entry with the one exported symbol.
func plugin(_ id: String, _ name: String) -> [Target] {
    let sdk: Target.Dependency = .product(name: "BerthPluginSDK", package: "swift")
    let testing: Target.Dependency = .product(name: "BerthPluginTesting", package: "swift")
    return [
        .target(name: "\(name)Adapter", dependencies: [sdk], path: "Plugins/\(id)/Sources/\(name)Adapter", swiftSettings: strict),
        .target(
            name: "\(name)Plugin", dependencies: [.target(name: "\(name)Adapter"), sdk], path: "Plugins/\(id)/Sources/\(name)Plugin",
            swiftSettings: strict,
            linkerSettings: [
                .unsafeFlags(["-use-ld=lld", "-Xlinker", "--version-script=\(Context.packageDirectory)/plugin-sdk/swift/plugin.map"]),
                .unsafeFlags(["-Xlinker", "-s"], .when(configuration: .release)),
            ]),
        .testTarget(
            name: "\(name)AdapterTests", dependencies: [.target(name: "\(name)Adapter"), sdk, testing], path: "Plugins/\(id)/Tests",
            swiftSettings: strict),
    ]
}

let tests: [Target] = [
    .testTarget(name: "ArchitectureTests", swiftSettings: strict),
    .testTarget(name: "TidyTests", swiftSettings: strict),
    .testTarget(name: "BerthModelTests", dependencies: ["BerthModel"], exclude: ["Fixtures"], swiftSettings: strict),
    .testTarget(name: "BerthWireTests", dependencies: ["BerthWire", "BerthModel"], swiftSettings: strict),
    .testTarget(name: "BerthLoaderTests", dependencies: ["BerthLoader", "BerthModel"], exclude: ["Plugins"], swiftSettings: strict),
    .testTarget(name: "BerthMockTests", dependencies: ["berth-mock", crypto, cryptoExtras], swiftSettings: strict),
    .testTarget(name: "PluginToolsTests", dependencies: ["berthctl", "berth-plugin-check"], exclude: ["Plugins"], swiftSettings: strict),
    .testTarget(name: "BerthPluginsTests", dependencies: ["BerthPlugins", "BerthModel", "BerthSeams", logging], swiftSettings: strict),
    .testTarget(
        name: "Conformance",
        dependencies: ["BerthPlugins", "BerthModel", "BerthSeams", "BerthWire", "CBerthLinux", "berth-worker", logging, crypto],
        path: "Tests/Conformance", exclude: ["Plugins"], swiftSettings: strict),
    .testTarget(
        name: "BerthStoreSQLiteTests", dependencies: ["BerthStoreSQLite", "BerthModel", "BerthSeams", logging], swiftSettings: strict),
    .testTarget(
        name: "BerthGrantsTests", dependencies: ["BerthGrants", "BerthModel", "BerthSeams", "berthd", "berth-mock", logging],
        swiftSettings: strict),
    .testTarget(name: "BerthControlAPITests", dependencies: ["BerthControlAPI", "BerthModel"], swiftSettings: strict),
    .testTarget(
        name: "BerthServerTests",
        dependencies: ["BerthServer", "BerthControlAPI", "BerthModel", "BerthSeams", hummingbird, logging] + nio + httpTypes,
        swiftSettings: strict),
    .testTarget(name: "BerthCtlTests", dependencies: ["berthctl"], swiftSettings: strict),
    .testTarget(name: "BerthVaultTests", dependencies: ["BerthModel", "BerthSeams", "BerthVault"], swiftSettings: strict),
    .testTarget(
        name: "BerthOutboundTests", dependencies: ["BerthModel", "BerthSeams", "BerthOutbound", "BerthStoreSQLite", logging],
        swiftSettings: strict),
    .testTarget(
        name: "BerthEngineTests", dependencies: ["BerthEngine", "BerthModel", "BerthSeams", "BerthControlAPI", crypto, logging],
        swiftSettings: strict),
]

/// Fuzz/, only where `Scripts/fuzz` asks for it: it links only with libFuzzer.
let fuzzing: [Target] =
    Context.environment["BERTH_FUZZ"] == nil
    ? []
    : [
        .executableTarget(
            name: "berth-fuzz",
            dependencies: [
                "BerthModel", "BerthSeams", "BerthWire", "BerthControlAPI", "BerthPlugins", "BerthOutbound", "BerthEngine", "CCurl",
                .product(name: "BerthPluginSDK", package: "swift"),
            ],
            path: "Fuzz/Targets", swiftSettings: strict)
    ]

let package = Package(
    name: "berth",
    products: [
        .executable(name: "berthd", targets: ["berthd"]),
        .executable(name: "berthctl", targets: ["berthctl"]),
        .executable(name: "berth-worker", targets: ["berth-worker"]),
        .executable(name: "berth-plugin-check", targets: ["berth-plugin-check"]),
        .executable(name: "berth-mock", targets: ["berth-mock"]),
        .library(name: "ringba", type: .dynamic, targets: ["RingbaPlugin"]),
        .library(name: "retreaver", type: .dynamic, targets: ["RetreaverPlugin"]),
        .library(name: "trackdrive", type: .dynamic, targets: ["TrackDrivePlugin"]),
    ],
    dependencies: [
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-extras", from: "1.35.2"),
        .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(url: "https://github.com/LebJe/TOMLKit", from: "0.6.0"),
        .package(path: "plugin-sdk/swift"),
    ],
    targets: floor0 + floor1 + floor2 + upperFloors + side + benchmarks + fuzzing + plugin("ringba", "Ringba")
        + plugin("retreaver", "Retreaver")
        + plugin("trackdrive", "TrackDrive") + tests
)
