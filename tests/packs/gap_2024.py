"""A pack with ingredients and a simulator of its own: what a researcher brings whose learner or data are not ours.

``Gapped`` is a spectrum by subclassing, ``Notched`` one without (a class with the documented methods, registered by a
decorator), ``Slowed`` a learner that is a power of n worse than kernel ridge regression, ``Exact`` one that agrees with the
deterministic equivalent.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

import verifier as vf

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Gapped(vf.Ingredient):
    """l_1 = height, then i^-beta: a subclass registers itself and needs no JSON code."""

    beta: float
    height: float = 10.0

    size, head, period, assumption_r = math.inf, 2, None, None

    @property
    def tail_index(self) -> float:
        return self.beta

    def log_eigenvalues(self, log_index: Array) -> Array:
        return np.where(log_index < 0.3, math.log(self.height), -self.beta * log_index)

    def describe(self) -> str:
        return f"l_1 = {self.height:g}, then i^-{self.beta:g}"


@vf.register_ingredient
class Notched:
    """i^-beta with the second eigenvalue halved: no base class, JSON of its own."""

    size, head, period, assumption_r = math.inf, 3, None, None

    def __init__(self, beta: float) -> None:
        if not beta > 1.0:
            raise ValueError(f"beta={beta!r} must be greater than 1")
        self.tail_index = float(beta)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Notched) and other.tail_index == self.tail_index

    def __hash__(self) -> int:
        return hash(("Notched", self.tail_index))

    def log_eigenvalues(self, log_index: Array) -> Array:
        notch = np.abs(log_index - math.log(2.0)) < 0.1
        return np.where(notch, -math.log(2.0), 0.0) - self.tail_index * log_index

    def describe(self) -> str:
        return f"i^-{self.tail_index:g} with a notch"

    def to_json(self) -> dict[str, Any]:
        return {"kind": "Notched", "beta": self.tail_index}

    @classmethod
    def from_json(cls, record: Any) -> Notched:
        return cls(float(record["beta"]))


@dataclass(frozen=True)
class Slowed:
    """A learner whose risk is that of kernel ridge regression times n^loss, with one percent of scatter."""

    loss: float

    def simulate(
        self, instance: vf.Instance, n: NDArray[np.int64], lam: Array, generators: Sequence[np.random.Generator]
    ) -> Array:
        risk = vf.equivalent_risk(instance, n=n, lam=lam) * n.astype(float) ** self.loss
        return np.stack([risk * np.exp(0.01 * generator.standard_normal(len(n))) for generator in generators])


class Exact(Slowed):
    """One that says that it has an equivalent, and is right if it loses nothing."""

    equivalent = True


@dataclass(frozen=True)
class Driven(Gapped):
    """A spectrum that carries its simulator, and says what it is without it."""

    simulator = Slowed(0.3)
    plain = vf.PowerLaw(2.0)


def claim(name: str, spectra: st.SearchStrategy[Any], offset: float = 0.0, **more: Any) -> vf.Claim:
    """The exponent of noisy, tuned kernel ridge regression, less ``offset``."""

    def predict(inst: vf.Instance) -> vf.Exponent:
        fast = 2.0 * inst.beta * min(inst.s, 1.0)
        return vf.Exponent(fast / (fast + 1.0) - offset)

    domain = st.builds(
        lambda spectrum, s: vf.Instance(spectrum, vf.CriticalTarget(s=s), vf.Noise(1.0)),
        spectra,
        st.sampled_from([0.5, 0.4, 0.6, 0.3, 0.7]),
    )
    return vf.Claim(
        id=f"Gap/{name}",
        title=name,
        statement="the exponent is 2 beta s/(2 beta s + 1), whatever the learner",
        source="a notebook",
        domain=domain,
        predict=predict,
        **more,
    )


one = st.just(vf.PowerLaw(2.0))
betas = st.sampled_from([2.0, 1.5, 2.5, 3.0])
CLAIMS = [
    claim("gapped", st.builds(Gapped, betas)),
    claim("gapped-wrong", st.builds(Gapped, betas), offset=0.1),
    claim("notched-wrong", st.builds(Notched, betas), offset=0.1),
    claim("slowed", one, simulator=Slowed(0.3)),
    claim("slowed-right", st.builds(vf.PowerLaw, betas), offset=0.3, simulator=Slowed(0.3)),
    claim("exact", st.builds(vf.PowerLaw, betas), simulator=Exact(0.0)),
    claim("exact-not", st.builds(vf.PowerLaw, betas), simulator=Exact(0.3)),
]
