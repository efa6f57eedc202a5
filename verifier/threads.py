"""One BLAS thread a process: parallel work is over claims, and two threads in each of two workers only wait for each other.

Imports nothing, because it has to run before numpy is loaded: a BLAS reads its thread count once.
"""

from __future__ import annotations

import os

VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")


def one_blas_thread() -> None:
    """Ask every BLAS for one thread, unless the environment says how many already."""
    for variable in VARIABLES:
        os.environ.setdefault(variable, "1")
