r"""Exhibits: what a figure of the paper shows, declared beside the reading that it is offered for, to be drawn again.

A figure is evidence over one window of sample sizes. An exhibit says which instances its curves are of, and draws them in panels:
the first over a window like the figure's, the others as far as it takes to see what becomes of it. An exhibit is data: what its
curves and slopes are is found by :mod:`verifier.verdicts.reproduction`, at the ridge of the claim that carries it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from numbers import Real

from verifier.instances import Instance

LARGEST = 1e30
"""Largest sample size of a panel."""

Window = tuple[float, float]


@dataclass(frozen=True)
class Series:
    """One curve of a panel: its ``label``, the ``instance`` it is the excess risk of, and the exponent that the paper claims for it
    (``claimed``, None where it claims none). ``worth``: what one sample counts on the axis, n_eff/n where a panel is drawn
    against an effective sample size.
    """

    label: str
    instance: Instance
    claimed: float | None = None
    worth: float = 1.0

    def __post_init__(self) -> None:
        _text("label", self.label)
        if not isinstance(self.instance, Instance):
            raise ValueError(f"instance={self.instance!r} of the series {self.label!r} must be an Instance")
        if self.claimed is not None and not _finite(self.claimed):
            raise ValueError(
                f"claimed={self.claimed!r} of the series {self.label!r} must be a finite exponent, or None"
            )
        if not (_finite(self.worth) and self.worth > 0.0):
            raise ValueError(f"worth={self.worth!r} of the series {self.label!r} must be a positive number")


@dataclass(frozen=True)
class Panel:
    """Curves over one range of sample sizes.

    ``variable``: what the axis counts, n or an effective sample size to which the ``worth`` of each series leads; ``n`` and
    ``windows`` are ranges of it. ``n``: the first and the last sample size that is drawn. ``windows``: ranges of n over which
    slopes are fitted, all of n unless given. ``simulated``: the sample sizes, increasing, at which the risk is simulated beside
    the deterministic equivalent. ``text``: what is drawn, in words.
    """

    title: str
    series: tuple[Series, ...]
    n: Window
    windows: tuple[Window, ...] = ()
    simulated: tuple[int, ...] = ()
    text: str = ""
    variable: str = "n"

    def __post_init__(self) -> None:
        _text("title", self.title)
        _text("variable", self.variable)
        if not isinstance(self.series, tuple) or not self.series:
            raise ValueError(f"series={self.series!r} of the panel {self.title!r} must be a tuple of Series, not empty")
        for each in self.series:
            if not isinstance(each, Series):
                raise ValueError(f"series of the panel {self.title!r} holds {each!r}, which is not a Series")
        labels = [each.label for each in self.series]
        if len(set(labels)) < len(labels):
            raise ValueError(f"series of the panel {self.title!r} have the labels {labels}; give each its own")
        _window("n", self.n, self.title)
        object.__setattr__(self, "windows", self.windows or (self.n,))
        for window in self.windows:
            _window("windows", window, self.title)
            if window[0] < self.n[0] or window[1] > self.n[1]:
                raise ValueError(
                    f"windows of the panel {self.title!r} hold {window}, which is not within n={self.n}; draw it too"
                )
        whole = all(isinstance(n, int) and not isinstance(n, bool) and n >= 1 for n in self.simulated)
        if not whole or list(self.simulated) != sorted(set(self.simulated)):
            raise ValueError(
                f"simulated={self.simulated!r} of the panel {self.title!r} must be increasing whole sample sizes"
            )


@dataclass(frozen=True)
class Exhibit:
    """A figure of the paper drawn again: ``panels``, the first as the paper has it, and ``text``, what the figure is and what of
    its parameters is known. ``apart``: a factor, over or under the first curve of a panel, from which on a curve counts as another,
    which is then said; None where the curves are not held against each other.
    """

    panels: tuple[Panel, ...]
    text: str
    apart: float | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.panels, tuple) or not self.panels or not all(isinstance(p, Panel) for p in self.panels):
            raise ValueError(f"panels={self.panels!r} must be a tuple of Panels, not empty")
        _text("text", self.text)
        if self.apart is not None and not (_finite(self.apart) and self.apart > 1.0):
            raise ValueError(f"apart={self.apart!r} must be a factor above 1, or None")


def _finite(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)


def _text(name: str, value: object) -> None:
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"{name}={value!r} of an exhibit must be a text that says something")


def _window(name: str, value: object, title: str) -> None:
    good = isinstance(value, tuple) and len(value) == 2 and all(_finite(end) for end in value)
    if not good or not 1.0 <= value[0] < value[1] <= LARGEST:  # type: ignore[index]
        raise ValueError(
            f"{name}={value!r} of the panel {title!r} must be two sample sizes, the first below the last, up to {LARGEST:g}"
        )
