// swift-tools-version: 6.2
// SPDX-License-Identifier: BSD-3-Clause
//
// The rooms and the arrows between them; ARCHITECTURE.md says what each is for.

import PackageDescription

/// The language rules every Swift room keeps.
let rules: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .strictMemorySafety(),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .treatAllWarnings(as: .error),
]

/// For the rooms on the path of every command: bodies are visible to the rooms above (no call, no
/// copy at a module's edge), and exclusivity is proved at compile time or not checked: one thread
/// owns all of it.
let hot: [SwiftSetting] =
    rules + [
        .unsafeFlags(
            ["-cross-module-optimization", "-enforce-exclusivity=unchecked"],
            .when(configuration: .release))
    ]

let cRules: [CSetting] = [
    .define("_GNU_SOURCE"),
    .unsafeFlags(["-std=c11", "-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Werror"]),
    .unsafeFlags(["-O3"], .when(configuration: .release)),
]

let package = Package(
    name: "redwing",
    products: [
        .executable(name: "redwing-server", targets: ["redwing-server"]),
        .executable(name: "redwing-rdb", targets: ["redwing-rdb"]),
        .library(name: "Wing", targets: ["Wing"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
    ],
    targets: [
        .target(
            name: "Wing", path: "CSources/Wing", exclude: ["Makefile"], cSettings: cRules,
            linkerSettings: [.linkedLibrary("lz4"), .linkedLibrary("z")]),
        .target(
            name: "Platform", path: "CSources/Platform", cSettings: cRules,
            linkerSettings: [
                .linkedLibrary("jemalloc"), .linkedLibrary("crypto"), .linkedLibrary("ssl"),
            ]),
        .target(
            name: "CLua", path: "CSources/Lua", cSettings: cRules,
            linkerSettings: [.linkedLibrary("lua5.1")]),
        .target(name: "Memory", dependencies: ["Platform"], swiftSettings: hot),
        .target(name: "RESP", dependencies: ["Memory"], swiftSettings: hot),
        .target(
            name: "Keyspace", dependencies: ["Memory", "Platform", "Wing"], swiftSettings: hot),
        .target(name: "Replication", dependencies: ["Memory"], swiftSettings: hot),
        .target(name: "Configuration", dependencies: ["Memory"], swiftSettings: rules),
        .target(
            name: "Redwing",
            dependencies: [
                "Memory", "RESP", "Keyspace", "Replication", "Configuration", "Wing", "Platform",
                "CLua",
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: hot),
        .executableTarget(name: "redwing-server", dependencies: ["Redwing"], swiftSettings: rules),
        .executableTarget(
            name: "redwing-rdb",
            dependencies: [
                "Wing", .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: rules),
        .testTarget(name: "MemoryTests", dependencies: ["Memory"], swiftSettings: rules),
        .testTarget(name: "RESPTests", dependencies: ["RESP"], swiftSettings: rules),
        .testTarget(name: "KeyspaceTests", dependencies: ["Keyspace"], swiftSettings: rules),
        .testTarget(name: "ReplicationTests", dependencies: ["Replication"], swiftSettings: rules),
        .testTarget(
            name: "ConfigurationTests", dependencies: ["Configuration", "Memory"],
            swiftSettings: rules),
        .testTarget(
            name: "RedwingTests", dependencies: ["Platform", "Redwing"], swiftSettings: rules),
    ],
    cLanguageStandard: .c11
)
