// swift-tools-version: 6.2
import PackageDescription

let package = Package(
    name: "berth-plugin-sdk",
    products: [.library(name: "BerthPluginSDK", targets: ["BerthPluginSDK"])],
    targets: [
        .target(name: "BerthPluginSDK")
    ]
)
