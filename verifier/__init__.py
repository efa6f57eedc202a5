"""Property-based verification of theorems about scaling laws: from a claim to a verdict that can be replayed.

The public names are re-exported here; README.md says how to use them, docs/ how to read what they return. They are loaded
when one of them is first asked for, so that importing the package alone (as pytest does for the plugin) costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
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
        AR1,
        AllFeatures,
        Axis,
        BallTarget,
        BandedShear,
        BlockRotation,
        Blocks,
        BrokenPowerLaw,
        CarriedCoefficients,
        CarriedFunction,
        CodiagonalHeads,
        ComponentTarget,
        Composition,
        Context,
        CriticalTarget,
        Dependence,
        Dependent,
        Design,
        DiagonalTransform,
        Direction,
        DisjointHeads,
        DisjointMixture,
        Drift,
        EmpiricalSpectrum,
        Exponential,
        ExponentialTarget,
        FadingRhos,
        Features,
        Filter,
        Finite,
        FourierFeatures,
        FractionalNoise,
        FrontDrift,
        FullRotation,
        GaussianDesign,
        GaussianFeatures,
        GradientDescent,
        GradientFlow,
        HeavyBall,
        Identity,
        Independent,
        Ingredient,
        Instance,
        LacunaryTarget,
        LogCorrected,
        LogPeriodic,
        Mixture,
        MixtureSamples,
        MovingAverage,
        MultiPass,
        NoDrift,
        Noise,
        NystromFeatures,
        OneHead,
        PerCoordinate,
        Permutation,
        PowerDirection,
        PowerLaw,
        Process,
        Purified,
        RademacherDesign,
        RandomTarget,
        RankOneTransform,
        Reflection,
        RegimeSwitching,
        Repeated,
        Ridge,
        RotatedMixture,
        Runs,
        SingleEigenfunction,
        SinglePass,
        SmootherTarget,
        SparseDirection,
        Spectrum,
        Spiked,
        SpreadRhos,
        SteppedDrift,
        Sticky,
        StudentDesign,
        Target,
        Transform,
        TransformedDrift,
        TransformerNTK,
        Truncated,
        TurningDrift,
        UncentredDesign,
        UniformDesign,
        VectorAutoregression,
        White,
        register_ingredient,
    )
    from verifier.risk.curves import Curve, learning_curve, learning_curves
    from verifier.risk.equivalents import effective_dimension, effective_ridge, equivalent_risk, optimal_ridge
    from verifier.verdicts.conditions import CONDITIONS, Condition, Threshold
    from verifier.verdicts.falsify import Counterexample, Finding, falsify
    from verifier.verdicts.judge import judge
    from verifier.verdicts.judgement import Judgement
    from verifier.verdicts.repair import Repair, repair
    from verifier.verdicts.search import Budget
    from verifier.verdicts.slopes import Fit, fit_slope

    __version__: str

__all__ = [
    "AR1",
    "CONDITIONS",
    "AllFeatures",
    "AtLeast",
    "AtMost",
    "Axis",
    "BallTarget",
    "BandedShear",
    "BlockRotation",
    "Blocks",
    "Bound",
    "BrokenPowerLaw",
    "Budget",
    "CarriedCoefficients",
    "CarriedFunction",
    "Claim",
    "CodiagonalHeads",
    "ComponentTarget",
    "Composition",
    "Condition",
    "Context",
    "Counterexample",
    "CriticalTarget",
    "Curve",
    "Dependence",
    "Dependent",
    "Design",
    "DiagonalTransform",
    "Direction",
    "DisjointHeads",
    "DisjointMixture",
    "Drift",
    "EmpiricalSpectrum",
    "Exponent",
    "Exponential",
    "ExponentialTarget",
    "FadingRhos",
    "Features",
    "Filter",
    "Finding",
    "Finite",
    "Fit",
    "FourierFeatures",
    "FractionalNoise",
    "FrontDrift",
    "FullRotation",
    "GaussianDesign",
    "GaussianFeatures",
    "GradientDescent",
    "GradientFlow",
    "HeavyBall",
    "Identity",
    "Independent",
    "Ingredient",
    "Instance",
    "Judgement",
    "LacunaryTarget",
    "LogCorrected",
    "LogPeriodic",
    "Mixture",
    "MixtureSamples",
    "MovingAverage",
    "MultiPass",
    "NoDrift",
    "Noise",
    "NystromFeatures",
    "OneHead",
    "PerCoordinate",
    "Permutation",
    "PowerDirection",
    "PowerLaw",
    "Prediction",
    "Process",
    "Proof",
    "Purified",
    "RademacherDesign",
    "RandomTarget",
    "RankOneTransform",
    "Reading",
    "Reflection",
    "RegimeSwitching",
    "Repair",
    "Repeated",
    "Ridge",
    "RotatedMixture",
    "Runs",
    "SingleEigenfunction",
    "SinglePass",
    "SmootherTarget",
    "SparseDirection",
    "Spectrum",
    "Spiked",
    "SpreadRhos",
    "SteppedDrift",
    "Sticky",
    "StraightLine",
    "StudentDesign",
    "Target",
    "Theta",
    "Threshold",
    "Transform",
    "TransformedDrift",
    "TransformerNTK",
    "Truncated",
    "TurningDrift",
    "UncentredDesign",
    "UniformDesign",
    "VectorAutoregression",
    "White",
    "effective_dimension",
    "effective_ridge",
    "equivalent_risk",
    "falsify",
    "fit_slope",
    "judge",
    "learning_curve",
    "learning_curves",
    "load_pack",
    "optimal_ridge",
    "register_ingredient",
    "registered_claims",
    "repair",
]

# Where the names above live, in the order in which they are looked for; the imports at the top say the same to tools.
_HOMES = (
    "verifier.claims",
    "verifier.instances",
    "verifier.risk.curves",
    "verifier.risk.equivalents",
    "verifier.verdicts.conditions",
    "verifier.verdicts.falsify",
    "verifier.verdicts.judge",
    "verifier.verdicts.judgement",
    "verifier.verdicts.repair",
    "verifier.verdicts.slopes",
)

if not TYPE_CHECKING:

    def __getattr__(name):
        """Load a public name, or a module of the package, when it is first asked for."""
        if name == "__version__":
            return importlib.import_module("verifier.provenance").version()
        if name in __all__:
            for home in _HOMES:
                module = importlib.import_module(home)
                if hasattr(module, name):
                    globals()[name] = getattr(module, name)
                    return globals()[name]
        if not name.startswith("_"):
            try:
                return importlib.import_module(f"verifier.{name}")
            except ModuleNotFoundError as error:
                if error.name != f"verifier.{name}":
                    raise
        raise AttributeError(f"module 'verifier' has no attribute {name!r}")

    def __dir__():
        """The public names."""
        return sorted([*globals(), *__all__])
