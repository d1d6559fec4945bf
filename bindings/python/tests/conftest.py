"""Stores, pairs of devices, and a real relay for the tests."""

import json
import os
import pathlib
import subprocess
import threading

import pytest

from selkie import EncryptedLocalStore

PASSPHRASE = "seals sleep under water"
ROOT = pathlib.Path(__file__).resolve().parents[3]


@pytest.fixture
def store(tmp_path):
    with EncryptedLocalStore(tmp_path / "app.db", bytes(range(32))) as opened:
        yield opened


def pair(first, place, path, key):
    """Lets a device in: what two people do, in two threads."""
    invitation = first.invite(place, PASSPHRASE)
    shown = []

    def let_in():
        pending = invitation.wait(60)
        shown.append(pending.digits)
        pending.confirm()

    other = threading.Thread(target=let_in)
    other.start()
    digits = []
    joined = EncryptedLocalStore.join(path, place, invitation.code, key, lambda six: not digits.append(six))
    other.join()
    assert shown == digits, "both devices show the same six digits"
    return joined


@pytest.fixture
def devices(tmp_path):
    """Two devices of one vault, and a folder they share."""
    folder = tmp_path / "shared"
    folder.mkdir()
    place = f"folder:{folder}"
    first = EncryptedLocalStore(tmp_path / "first.db", PASSPHRASE)
    second = pair(first, place, tmp_path / "second.db", PASSPHRASE)
    yield first, second, place
    first.close()
    second.close()


@pytest.fixture
def relay(tmp_path):
    """The address of a relay in a process of its own."""
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    command = next((path for path in (target / "release/selkie", target / "debug/selkie") if path.exists()), None)
    if command is None:
        pytest.skip("the command is not built: cargo build -p selkie-cli")
    arguments = ["relay", "serve", "--data", tmp_path / "relay", "--listen", "127.0.0.1:0", "--json", "--end-with-stdin"]
    with subprocess.Popen([command, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        yield json.loads(process.stdout.readline())["url"]
        process.stdin.close()
