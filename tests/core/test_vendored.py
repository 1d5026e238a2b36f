"""What others wrote and we carry along is what its page says it is."""

from __future__ import annotations

import hashlib
from pathlib import Path

VENDOR = Path(__file__).parent.parent / "vendor"


def test_every_vendored_file_has_the_hash_that_its_page_names() -> None:
    files = [path for path in sorted(VENDOR.rglob("*")) if path.is_file() and path.name != "README.md"]
    assert files
    for path in files:
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        assert f"| `{path.name}`, SHA-256 | `{sha256}` |" in (path.parent / "README.md").read_text("utf-8")
