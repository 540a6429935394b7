# SPDX-License-Identifier: BSD-3-Clause
"""Fixtures of the interop tests: real servers on free loopback ports, each in a temporary directory.

`farm` starts and ends them; when a test fails, the end of every server's log is in its report. A
missing peer is a failure, not a skip. Redwing is .build/release/redwing-server or $REDWING_SERVER;
with REDWING_SERVER=/usr/bin/redis-server the tests examine themselves.
"""

import os
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "..", "scripts"))
sys.path.insert(0, os.path.dirname(__file__))

from lab.servers import Farm  # noqa: E402


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if report.when == "call" and report.failed:
        for value in getattr(item, "funcargs", {}).values():
            one = getattr(value, "farm", value)
            if isinstance(one, Farm):
                report.sections.append(("server logs", one.logs()))
                break
    return report


@pytest.fixture
def farm():
    with Farm() as one:
        yield one


@pytest.fixture(scope="module")
def shared_farm():
    """For tests of a module that share servers, because they leave them as they found them."""
    with Farm() as one:
        yield one


@pytest.fixture(scope="module")
def pair(shared_farm):
    """Redwing and a stock Redis side by side; see pair.py."""
    from pair import Pair
    with Pair(shared_farm) as both:
        yield both


@pytest.fixture(autouse=True)
def _fresh_pair(request):
    """Each test finds the pair empty, on new connections."""
    if "pair" in request.fixturenames:
        request.getfixturevalue("pair").reset()
    yield
