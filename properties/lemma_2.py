r"""Lemma 2: the population bias obeys ||f_lambda - f*||^2 <= R^2 lambda^(2s), for every spectrum and every lambda > 0.

With f_i = l_i^s g_i the ratio of the two sides is at most sup_t (t^s / (1 + t))^2 over t = l_i / lambda: at most 1 for
s <= 1, unbounded for s > 1, since ridge saturates.
"""

from __future__ import annotations

from properties.hypotheses import source_condition_in_the_ball
from properties.strategies import instances, single_targets, smoothness, trace_class_spectra
from verifier.claims import Bound, Reading
from verifier.instances import Instance
from verifier.risk.observables import BiasRatio
from verifier.testing import check

SOURCE = "Lemma 2, appendix A.2"
LATEX = r"\lVert f_\lambda - f^* \rVert^2 \le R^2 \lambda^{2s}"


def at_most_one(instance: Instance) -> Bound:
    """The ratio of the two sides never exceeds 1."""
    return Bound(1.0)


READINGS = (
    Reading(
        id="L2/all-s",
        title="the bias is at most R^2 lambda^(2s) for every s > 0",
        statement="For every trace-class spectrum, every target of S-L2 with s > 0 and every lambda > 0, "
        "||f_lambda - f*||^2 <= R^2 lambda^(2s).",
        latex=LATEX,
        source=SOURCE,
        hypotheses=(source_condition_in_the_ball,),
        domain=instances(trace_class_spectra(), single_targets(smoothness(), ("S-L2",))),
        observable=BiasRatio(),
        predict=at_most_one,
        prediction="bias / (R^2 lambda^(2s)) <= 1",
        expected="FALSIFIED",
        note="Quantifiers as printed: for all spectra, targets and lambda, with the constant 1.",
    ),
    Reading(
        id="L2/s-at-most-1",
        title="the bias is at most R^2 lambda^(2s) for s <= 1",
        statement="For every trace-class spectrum, every target of S-L2 with 0 < s <= 1 and every lambda > 0, "
        "||f_lambda - f*||^2 <= R^2 lambda^(2s).",
        latex=LATEX + r", \quad s \le 1",
        source=SOURCE,
        hypotheses=(source_condition_in_the_ball,),
        domain=instances(trace_class_spectra(), single_targets(smoothness(0.05, 1.0), ("S-L2",))),
        observable=BiasRatio(),
        predict=at_most_one,
        prediction="bias / (R^2 lambda^(2s)) <= 1",
        expected="SURVIVED",
    ),
)


def test_reading(reading: Reading) -> None:
    """The reading survives the search, or is falsified where mathematics says that it must be."""
    check(reading)
