"""The page of a run: records in, one HTML file out.

A run directory holds plain records (``findings.json``, ``run.json``, ``evidence.parquet``). This package
turns them into ``report.html``: a single file that opens from disk, asks the network for nothing and can be
read by someone who has never seen the project. It computes no risk, fits no slope and imports nothing that
does, so that a page can be drawn again years later from the records alone.
"""

from reports.page import render, write_report

__all__ = ["render", "write_report"]
