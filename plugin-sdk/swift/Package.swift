// swift-tools-version: 6.2
import PackageDescription

let strict: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
]

let package = Package(
    name: "berth-plugin-sdk",
    products: [
        .library(name: "BerthPluginSDK", targets: ["BerthPluginSDK"]),
        .library(name: "BerthPluginTesting", targets: ["BerthPluginTesting"]),
    ],
    targets: [
        .target(name: "CBerthPlugin"),
        .target(name: "BerthPluginSDK", dependencies: ["CBerthPlugin"], swiftSettings: strict),
        .target(name: "BerthPluginTesting", dependencies: ["BerthPluginSDK", "CBerthPlugin"], swiftSettings: strict),
        .testTarget(name: "BerthPluginSDKTests", dependencies: ["BerthPluginSDK", "BerthPluginTesting"], swiftSettings: strict),
    ]
)
