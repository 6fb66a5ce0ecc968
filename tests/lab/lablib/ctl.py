# SPDX-License-Identifier: BSD-2-Clause
"""zddctl as a person runs it, in an environment of its own."""
import os
import subprocess

import pytest

from .api_peer import ApiPeer
from .proc import BUILD

ZDDCTL = os.path.join(BUILD, "zddctl")
ENVIRONMENT = {"LC_ALL": "C.UTF-8", "PATH": os.environ["PATH"], "TERM": "xterm"}


@pytest.fixture
def peer(tmp_path):
    made = ApiPeer(str(tmp_path / "zddd.sock"))
    yield made
    made.stop()


def zddctl(*args, **environment):
    args = [a if isinstance(a, bytes) else str(a) for a in args]
    return subprocess.run([ZDDCTL, *args], capture_output=True, timeout=60,
                          env={**ENVIRONMENT, **environment})


def ask(peer, *args, code=0):
    done = zddctl("--socket", peer.socket, *args)
    assert done.returncode == code, done
    return done.stdout.decode()


def one_line(done):
    text = done.stderr.decode()
    assert text.startswith("zddctl: ") and text.endswith("\n") and text.count("\n") == 1, text
    return text
