# SPDX-License-Identifier: BSD-2-Clause
"""Fixtures of the labs. A test asks for `make_lab` and gets a lab that is gone when the test is over."""
import os
import signal
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from lablib import names, peers  # noqa: E402
from lablib.lab import Lab  # noqa: E402

FULL = os.environ.get("ZDD_FULL") == "1"
_alive = []


def pytest_sessionstart(session):
    if os.geteuid() != 0:
        pytest.exit("the labs need root: they make network namespaces", 2)
    # The end of a test run that is told to go is the same as Ctrl-C: everything is removed.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    names.sweep()
    peers.build()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    report = (yield).get_result()
    if report.failed:
        for lab in _alive:
            report.sections += [(f"{name} said", text) for name, text in lab.logs()]


def _labs():
    made = []

    def make(**shape):
        lab = Lab(**shape)
        made.append(lab)
        _alive.append(lab)
        return lab

    yield make
    for lab in reversed(made):
        _alive.remove(lab)
        lab.close()


@pytest.fixture
def make_lab():
    """A function that makes labs; see lablib.lab.Shape for what it takes."""
    yield from _labs()


@pytest.fixture(scope="module")
def make_shared_lab():
    """The same for a lab that the tests of a module share."""
    yield from _labs()


@pytest.fixture
def lab(make_lab):
    """The usual lab, its servers running."""
    made = make_lab()
    made.start_backends()
    return made


@pytest.fixture
def full():
    """Whether the sizes of the acceptance are asked for (ZDD_FULL=1), not the quick ones."""
    return FULL
