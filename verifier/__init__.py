"""Property-based verification of theorems about scaling laws: from a claim to a verdict that can be replayed.

The public names are re-exported here; README.md says how to use them, docs/ how to read what they return.
"""

from verifier.claims import (
    AtLeast,
    AtMost,
    Bound,
    Claim,
    Exponent,
    Prediction,
    Proof,
    Reading,
    StraightLine,
    Theta,
    load_pack,
    registered_claims,
)
from verifier.instances import (
    BallTarget,
    BrokenPowerLaw,
    CriticalTarget,
    Exponential,
    ExponentialTarget,
    Finite,
    Ingredient,
    Instance,
    LacunaryTarget,
    LogCorrected,
    LogPeriodic,
    Noise,
    PowerLaw,
    RandomTarget,
    SingleEigenfunction,
    SmootherTarget,
    Spectrum,
    Spiked,
    Target,
    Truncated,
    register_ingredient,
)
from verifier.provenance import version as _version
from verifier.risk.curves import Curve, learning_curve
from verifier.risk.equivalents import effective_dimension, effective_ridge, equivalent_risk, optimal_ridge
from verifier.verdicts.falsify import Budget, Counterexample, Finding, falsify
from verifier.verdicts.judge import judge
from verifier.verdicts.judgement import Judgement
from verifier.verdicts.slopes import Fit, fit_slope

__version__ = _version()

__all__ = [
    "AtLeast",
    "AtMost",
    "BallTarget",
    "Bound",
    "BrokenPowerLaw",
    "Budget",
    "Claim",
    "Counterexample",
    "CriticalTarget",
    "Curve",
    "Exponent",
    "Exponential",
    "ExponentialTarget",
    "Finding",
    "Finite",
    "Fit",
    "Ingredient",
    "Instance",
    "Judgement",
    "LacunaryTarget",
    "LogCorrected",
    "LogPeriodic",
    "Noise",
    "PowerLaw",
    "Prediction",
    "Proof",
    "RandomTarget",
    "Reading",
    "SingleEigenfunction",
    "SmootherTarget",
    "Spectrum",
    "Spiked",
    "StraightLine",
    "Target",
    "Theta",
    "Truncated",
    "effective_dimension",
    "effective_ridge",
    "equivalent_risk",
    "falsify",
    "fit_slope",
    "judge",
    "learning_curve",
    "load_pack",
    "optimal_ridge",
    "register_ingredient",
    "registered_claims",
]
