"""What is asked about: spectra, targets, noise, designs, and the instance that joins them."""

from verifier.instances.designs import (
    Design,
    GaussianDesign,
    RademacherDesign,
    StudentDesign,
    UniformDesign,
)
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
    "Design",
    "EmpiricalSpectrum",
    "Exponential",
    "ExponentialTarget",
    "Finite",
    "FittedTail",
    "GaussianDesign",
    "Ingredient",
    "Instance",
    "LacunaryTarget",
    "LogCorrected",
    "LogPeriodic",
    "Noise",
    "PowerLaw",
    "RademacherDesign",
    "RandomTarget",
    "SingleEigenfunction",
    "SmootherTarget",
    "Spectrum",
    "Spiked",
    "StudentDesign",
    "Target",
    "Truncated",
    "UniformDesign",
    "eigenvalues",
    "log_index_at",
    "register_ingredient",
    "tail_index",
]
