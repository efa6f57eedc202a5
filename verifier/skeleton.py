"""``verifier new-pack NAME``: a commented pack and its test, which run as they are."""

from __future__ import annotations

import importlib.util
import keyword
from pathlib import Path

from verifier.records import RecordError, write_new

PACK = '''"""Claims about scaling exponents, to be attacked by the verifier.

Attack all claims, have them on a page to read, run them as tests:

    verifier falsify --pack {name}:CLAIMS
    verifier audit --only NAME --pack {name}:CLAIMS
    python -m pytest test_{name}.py
"""

from __future__ import annotations

from hypothesis import strategies as st

import verifier as vf

# 1. The domain: which instances the claim is about, as a Hypothesis strategy. Short decimals make readable counterexamples,
#    and what comes first in a list is what a counterexample is simplified to. Let it contain everything that the claim
#    covers: a counterexample is only found where one can be drawn.
betas = st.sampled_from([2.0, 1.5, 3.0, 4.0, 1.2, 1.8, 2.5, 5.0])  # eigenvalues l_i = i^-beta
smoothness = st.sampled_from([0.5, 1.0, 0.2, 0.3, 0.7, 0.9])  # source index s
noise = st.sampled_from([1.0, 0.1, 10.0])  # standard deviation of the labels


def instance(beta: float, s: float, sigma: float) -> vf.Instance:
    """One point of the domain: a spectrum, a target and noise."""
    return vf.Instance(
        spectrum=vf.PowerLaw(beta=beta),
        target=vf.CriticalTarget(s=s),
        noise=vf.Noise(sigma=sigma),
    )


# 2. The prediction: what the claim says of one instance. vf.Exponent(a) says that the risk falls as n^-a; vf.AtLeast(a) is an
#    upper bound on the risk, vf.AtMost(a) a lower bound; vf.Theta(a) also excludes logarithms.
def predict(inst: vf.Instance) -> vf.Exponent:
    """2s / (2s + 1/beta), the rate of Caponnetto and De Vito (2007) for s <= 1."""
    return vf.Exponent(2.0 * inst.s / (2.0 * inst.s + 1.0 / inst.beta))


# 3. Hypotheses, if any: predicates that an instance has to meet; where one fails, the claim says nothing.
def not_saturated(inst: vf.Instance) -> bool:
    """s <= 1: ridge regression makes no use of a smoother target."""
    return inst.s <= 1.0


# 4. The claim. Its tuning is "optimal" (the best ridge at each n), "schedule" (n^-(1/(2s + 1/beta))) or a function
#    (instance, n) -> ridge. Its expected verdict is compared with the one that is found, and turns a test red when they
#    differ; leave it out where nobody knows.
CLAIMS = [
    vf.Claim(
        id="NAME/tuned-rate",
        title="the rate of tuned kernel ridge regression",
        statement="With the best ridge, E(n) falls as n^-(2s/(2s + 1/beta)) for s <= 1.",
        source="where the claim is made",
        domain=st.builds(instance, betas, smoothness, noise),
        predict=predict,
        tuning="optimal",
        hypotheses=(not_saturated,),
        expected="SURVIVED",
    ),
]

# 5. Whatever else a pack may bring (spectra, targets, learners and data of its own) is in docs/packs.md of the verifier.
'''

TEST = '''"""Each claim of the pack as a test; a claim that is expected to be false has to be falsified."""

import {name}
import verifier as vf
from verifier.testing import check

READINGS = {name}.CLAIMS


def test_reading(reading: vf.Claim) -> None:
    check(reading)
'''


def new_pack(name: str, out: Path) -> tuple[Path, Path]:
    """Write ``name.py`` and ``test_name.py`` into ``out`` and return their paths; ValueError where that may not be."""
    if not (name.isidentifier() and name.isascii()) or keyword.iskeyword(name):
        raise ValueError(f"NAME is {name!r}: it becomes a module, so give letters, digits and '_', such as my_pack")
    module, test = out / f"{name}.py", out / f"test_{name}.py"
    for path in (module, test):
        if path.exists() or path.is_symlink():
            raise ValueError(f"{path} exists already: choose another name, or remove it first")
    if _importable(name):
        raise ValueError(f"NAME is {name!r}, which Python already imports from elsewhere: choose another name")
    statement = "".join(part.capitalize() for part in name.split("_")) or name
    written: list[Path] = []
    try:
        for path, text in ((module, PACK), (test, TEST)):
            written.append(write_new(path, text.replace("{name}", name).replace("NAME", statement)))
    except RecordError as error:
        for path in written:
            path.unlink(missing_ok=True)  # half a pack is none
        raise ValueError(str(error)) from None
    return module, test


def _importable(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):
        return True
