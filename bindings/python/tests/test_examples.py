"""The demo and the examples do what they say."""

import pathlib
import subprocess
import sys

EXAMPLES = pathlib.Path(__file__).resolve().parent.parent / "examples"


def run(*arguments, given=""):
    ran = subprocess.run([sys.executable, *arguments], input=given, capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def test_the_demo_tells_its_story():
    told = run("-m", "selkie.demo")
    assert "both devices hold the same: {'done': True, 'title': 'Goat milk'}" in told
    assert "holds a word of it" in told


def test_notes_are_kept_offline(tmp_path):
    def notes(*arguments):
        return run(EXAMPLES / "notes.py", tmp_path / "notes.db", *arguments, given="seals sleep under water\n")

    note = notes("add", "Buy milk").strip()
    notes("done", note)
    assert notes("list").split() == [note, "x", "Buy", "milk"]
    assert "your notes are here" in notes("sync", "http://127.0.0.1:9")


def test_field_data_of_three_devices_is_merged():
    told = run(EXAMPLES / "field_data.py")
    assert told == "9 sightings, 18 seals\ntags: rocky, seen by team 0, seen by team 1, seen by team 2\n"
