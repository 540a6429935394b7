# SPDX-License-Identifier: BSD-3-Clause
"""What the demo, the interop tests and the benchmarks share; Python's standard library only.

resp.py     a RESP client that keeps the exact bytes
servers.py  starting, awaiting and ending servers; free ports; `eventually`
data.py     a data set of every type, the same for the same seed
sync.py     what both ends of a full sync say about it
proxy.py    a TCP proxy that delays, cuts, corrupts, throttles, goes silent
"""
