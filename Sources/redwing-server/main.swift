// SPDX-License-Identifier: BSD-3-Clause
//
// The server's program: read the configuration, run.

import Redwing

ServerProgram.run(CommandLine.arguments)
