"""The kinds of instances: which theory and which simulation an instance needs.

:data:`verifier.risk.equivalents.ENGINES` and :data:`verifier.risk.curves.SIMULATORS` have an entry a kind.
"""

from __future__ import annotations

from enum import Enum, auto

from verifier.instances import (
    Descent,
    FourierFeatures,
    GaussianDesign,
    Independent,
    Instance,
    MixtureSamples,
    MultiPass,
    NoDrift,
    NystromFeatures,
    SinglePass,
    TransformedDrift,
    TurningDrift,
    UncentredDesign,
)
from verifier.risk.coordinates import is_profiled


class Kind(Enum):
    """What sets an instance apart from ridge regression on independent Gaussian samples; no instance is of two kinds."""

    PLAIN = auto()
    LANDMARKS = auto()
    FOURIER = auto()
    FEATURES = auto()
    PROFILED = auto()
    DEPENDENT = auto()
    UNCENTRED = auto()
    HEADS = auto()
    DRIFTING = auto()
    TURNING = auto()
    MOVED = auto()
    DESCENT = auto()
    DEPENDENT_DESCENT = auto()
    SINGLE_PASS = auto()
    MULTI_PASS = auto()
    MIXTURE_SAMPLES = auto()
    OTHER_DESIGN = auto()


def kind(instance: Instance) -> Kind:
    """The kind of an instance; uncentred samples may depend on one another."""
    if instance.features.finite:
        if isinstance(instance.features, FourierFeatures):
            return Kind.FOURIER
        return Kind.LANDMARKS if isinstance(instance.features, NystromFeatures) else Kind.FEATURES
    if instance.context.several:
        return Kind.HEADS
    if is_profiled(instance):
        return Kind.PROFILED
    if isinstance(instance.design, UncentredDesign):
        return Kind.UNCENTRED
    if instance.dependence != Independent():
        return Kind.DEPENDENT_DESCENT if isinstance(instance.filter, Descent) else Kind.DEPENDENT
    if instance.drift != NoDrift():
        if isinstance(instance.drift, TransformedDrift):
            return Kind.MOVED
        return Kind.TURNING if isinstance(instance.drift, TurningDrift) else Kind.DRIFTING
    if isinstance(instance.filter, Descent):
        return Kind.DESCENT
    if isinstance(instance.filter, SinglePass):
        return Kind.SINGLE_PASS
    if isinstance(instance.filter, MultiPass):
        return Kind.MULTI_PASS
    if isinstance(instance.design, MixtureSamples):
        return Kind.MIXTURE_SAMPLES
    return Kind.PLAIN if isinstance(instance.design, GaussianDesign) else Kind.OTHER_DESIGN
