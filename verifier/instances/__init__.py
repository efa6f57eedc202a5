"""What is asked about: spectra, targets, noise, and the instance that joins them."""

from verifier.instances.empirical import EmpiricalSpectrum, FittedTail
from verifier.instances.ingredient import Ingredient, register_ingredient
from verifier.instances.instance import Instance
from verifier.instances.noise import Noise
from verifier.instances.spectra import (
    BrokenPowerLaw,
    Exponential,
    Finite,
    LogCorrected,
    LogPeriodic,
    PowerLaw,
    Spectrum,
    Spiked,
    Truncated,
    eigenvalues,
    log_index_at,
    tail_index,
)
from verifier.instances.targets import (
    BallTarget,
    CriticalTarget,
    ExponentialTarget,
    LacunaryTarget,
    RandomTarget,
    SingleEigenfunction,
    SmootherTarget,
    Target,
)

__all__ = [
    "BallTarget",
    "BrokenPowerLaw",
    "CriticalTarget",
    "EmpiricalSpectrum",
    "Exponential",
    "ExponentialTarget",
    "Finite",
    "FittedTail",
    "Ingredient",
    "Instance",
    "LacunaryTarget",
    "LogCorrected",
    "LogPeriodic",
    "Noise",
    "PowerLaw",
    "RandomTarget",
    "SingleEigenfunction",
    "SmootherTarget",
    "Spectrum",
    "Spiked",
    "Target",
    "Truncated",
    "eigenvalues",
    "log_index_at",
    "register_ingredient",
    "tail_index",
]
