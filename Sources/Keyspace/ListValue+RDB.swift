// SPDX-License-Identifier: BSD-3-Clause
//
// Lists to RDB and back.

import Memory
import Wing

extension ListValue {
    func write(to writer: borrowing RDBWriter) {
        var nodes = 0
        forEachNode { _ in nodes += 1 }
        writer.count(nodes)
        forEachNode { writer.listNode($0.address) }
    }

    static func read(
        _ reader: RDBReader, _ heap: Heap, _ limits: PackedLimits
    ) throws(RDBFault) -> (ValueKind, Address)? {
        let list = ListValue.make(in: heap)
        do throws(RDBFault) {
            while try reader.nextPart() {
                let text = unsafe reader.part.text.view
                if unsafe reader.part.kind == WING_RDB_PART_LISTPACK {
                    list.append(blob: text, limit: limits.listNode, in: heap)
                } else {
                    list.pushLast(text, limit: limits.listNode, in: heap)
                }
            }
            if list.count > 0 { return (.listQuick, list.address) }
            list.free(in: heap)
            return nil
        } catch {
            list.free(in: heap)
            throw error
        }
    }
}
