// SPDX-License-Identifier: BSD-3-Clause
//
// The append only file, as shutdown and dispatch see it.

extension Server {
    /// Writes and syncs what is left of the AOF; false when that failed and the end must wait.
    func finishAOF() -> Bool { true }
    /// FLUSHALL emptied the data set: a running save is of no use any more, and the file on disk is to
    /// say so too when save points are set.
    func dataSetWasFlushed() {}
}
