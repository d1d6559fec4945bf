"""The snippets of the README and the guide run as they stand."""

import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[3]
SNIPPETS = [
    (page, snippet)
    for page in ("README.md", "bindings/python/README.md", "docs/PYTHON.md")
    for snippet in re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(encoding="utf-8"), re.DOTALL)
]


def test_there_are_snippets():
    assert len(SNIPPETS) >= 5


@pytest.mark.parametrize(("page", "snippet"), SNIPPETS)
def test_a_snippet_runs(page, snippet, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    # An address where nobody listens, instead of a name that would be looked up.
    exec(compile(snippet.replace("https://relay.example", "http://127.0.0.1:9"), page, "exec"), {})
