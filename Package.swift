// swift-tools-version: 6.2
import PackageDescription

/// Settings of every Swift target: complete checking, explicit existentials, imports that say what they expose.
let strict: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
]

let package = Package(
    name: "berth",
    dependencies: [
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-extras", from: "1.35.2"),
        .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-metrics", from: "2.13.0"),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(url: "https://github.com/LebJe/TOMLKit", from: "0.6.0"),
        .package(path: "plugin-sdk/swift"),
    ],
    targets: [
        // Floor 0: the domain's words, and thin C.
        .target(name: "CBerth"),
        .target(name: "CBerthLinux"),
        .target(name: "CBerthPeer"),
        .target(name: "CCurl", linkerSettings: [.linkedLibrary("curl")]),
        .target(name: "BerthModel", swiftSettings: strict),
        // Floor 1: seams, wire, loader, control API.
        .target(name: "BerthSeams", dependencies: ["BerthModel"], swiftSettings: strict),
        .target(name: "BerthControlAPI", dependencies: ["BerthModel"], swiftSettings: strict),
        .target(name: "BerthWire", dependencies: ["BerthModel"], swiftSettings: strict),
        .target(name: "BerthLoader", dependencies: ["BerthModel", "CBerth", "CBerthLinux"], swiftSettings: strict),
        // Floor 2: one outside library each.
        .target(
            name: "BerthStoreSQLite",
            dependencies: [
                "BerthModel", "BerthSeams", .product(name: "GRDB", package: "GRDB.swift"),
                .product(name: "GRDBSQLite", package: "GRDB.swift"), .product(name: "Logging", package: "swift-log"),
                .product(name: "Crypto", package: "swift-crypto"),
            ], swiftSettings: strict),
        .target(
            name: "BerthVault",
            dependencies: [
                "BerthModel", "BerthSeams", .product(name: "Crypto", package: "swift-crypto"), .product(name: "Logging", package: "swift-log"),
            ], swiftSettings: strict),
        .target(
            name: "BerthOutbound",
            dependencies: ["BerthModel", "BerthSeams", "CCurl", .product(name: "Logging", package: "swift-log")], swiftSettings: strict),
        // Floor 3: what Berth is.
        .target(
            name: "BerthEngine",
            dependencies: [
                "BerthModel", "BerthSeams", "BerthControlAPI", .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "Logging", package: "swift-log"),
            ], swiftSettings: strict),
        .target(
            name: "BerthServer",
            dependencies: [
                "BerthModel", "BerthSeams", "BerthControlAPI", "CBerthPeer", .product(name: "HummingbirdCore", package: "hummingbird"),
                .product(name: "HTTPTypes", package: "swift-http-types"), .product(name: "NIOHTTPTypes", package: "swift-nio-extras"),
                .product(name: "NIOExtras", package: "swift-nio-extras"), .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"), .product(name: "Logging", package: "swift-log"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ], swiftSettings: strict),
    ]
)
