// SPDX-License-Identifier: BSD-3-Clause

import ArgumentParser

RedwingRDB.main()
