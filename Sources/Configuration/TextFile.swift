// SPDX-License-Identifier: BSD-3-Clause
//
// Small files besides the configuration's own, for rooms that have one (the ACL's). A file is
// replaced as a whole or not at all.

public enum TextFile {
    /// The text of the error when the file can't be read.
    public struct Failure: Error { public let text: String }

    public static func read(_ path: String) throws(Failure) -> [UInt8] {
        switch File.read(path) {
        case .success(let bytes): return bytes
        case .failure(let error): throw Failure(text: error.text)
        }
    }

    /// Why `content` could not be put in the file's place; nil when it is there, on disk.
    public static func replace(_ path: String, with content: [UInt8]) -> String? {
        File.replace(path, with: content)?.text
    }
}
