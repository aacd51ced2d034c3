// swift-tools-version: 6.2
import PackageDescription

// Outside of Berth's tree: .package(path: "/path/to/berth/plugin-sdk/swift")
let sdk: Package.Dependency = .package(path: "../..")

let package = Package(
    name: "callbox",
    products: [.library(name: "callbox", type: .dynamic, targets: ["CallboxPlugin"])],
    dependencies: [sdk],
    targets: [
        .target(name: "CallboxAdapter", dependencies: [.product(name: "BerthPluginSDK", package: "swift")]),
        .target(
            name: "CallboxPlugin", dependencies: ["CallboxAdapter", .product(name: "BerthPluginSDK", package: "swift")],
            // One exported symbol, and in a release no other names at all.
            linkerSettings: [
                .unsafeFlags(["-use-ld=lld", "-Xlinker", "--version-script=\(Context.packageDirectory)/plugin.map"]),
                .unsafeFlags(["-Xlinker", "-s"], .when(configuration: .release)),
            ]),
        .testTarget(
            name: "CallboxAdapterTests",
            dependencies: ["CallboxAdapter", .product(name: "BerthPluginTesting", package: "swift")]),
    ]
)
