"""Packs in the working directory: `python -m` would find them, and installed commands have to as well. Imports nothing heavy."""

from __future__ import annotations

import sys


def import_from(directory: str) -> None:
    """Let modules of a directory be imported, unless they can be already."""
    if "" not in sys.path and directory not in sys.path:
        sys.path.insert(0, directory)
