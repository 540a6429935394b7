// SPDX-License-Identifier: BSD-3-Clause
//
// What commands ask of persistence.

import Configuration
import Memory

extension Server {
    /// FLUSHALL emptied the data set: a running save is of no use any more, and the file on disk is to
    /// say so too when save points are set.
    func dataSetWasFlushed() {
        if loading { return }
        if persistence.job == .saveToDisk { persistence.child?.stop() }
        guard !config.savePoints.isEmpty else { return }
        let changes = dirty
        _ = saveNow()
        dirty = changes
    }
}
