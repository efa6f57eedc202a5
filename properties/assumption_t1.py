r"""Assumption T1: the NTK of a transformer has eigenvalues :math:`l_i \sim i^{-\beta}` for all i; LayerNorm and residual maps are
bi-Lipschitz, so that they leave the tail index as it is; the tail index is the minimum over the heads and the MLP.

What mathematics decides. A network with P parameters has at most P eigenvalues: the power law holds for all i for none of them
(T1a/for-all-i). Gradients of disjoint parts add, so that the minimum rule over *all* parts is Weyl's inequality
(T1a/minimum-over-all-parts); the paper's minimum leaves out embeddings, LayerNorms and readout. LayerNorm takes a shift away and
is not bi-Lipschitz on R^d (T1c/layer-norm-is-bi-lipschitz); Theorem 2, to which the proof appeals, is about linear maps of the
features, and for a map of the inputs its conclusion fails for an isometry already (T1c/bi-lipschitz-maps), but holds for maps
under which the law of the inputs keeps its density up to constants (T1c/maps-onto-the-same-set).

What is measured, on small transformers at initialisation and Zipf tokens: the tail over the indices that N sequences resolve, i
from 4 to N/8, with an interval (verifier/risk/tails.py). N = 256 in the search, and 512 fresh sequences in a confirmation. A rule
about tail indices that fails there is no rule for what a learner meets on as many sequences; that it holds farther out nobody can
see. These readings need the extra [transformers] and are open.
"""

from __future__ import annotations

from typing import Any

from properties.strategies.transformers import transformer_instances
from verifier.claims import Exponent, Reading
from verifier.instances import Instance
from verifier.risk.ntk_tails import TailAboveHeaviest, TailBesideWithout
from verifier.testing import check
from verifier.verdicts import ntk_proofs

SOURCE = "Assumption T1; used in appendix A.13 by Theorems 2 and 3"
MINIMUM = r"\beta_{\mathrm{NTK}} = \min\Bigl(\min_h \beta_h,\, \beta_{\mathrm{MLP}}\Bigr)"
EXAMPLES = 13
"""Transformers of a search: 5 to 11 s of CPU time with confirmations, of which two on 512 sequences are half."""


def no_difference(instance: Instance) -> Exponent:
    """The two tail indices are the same."""
    return Exponent(0.0)


def exact(name: str, title: str, **parts: Any) -> Reading:
    """A reading that an argument decides."""
    defaults: dict[str, Any] = {"source": SOURCE, "domain": transformer_instances(), "predict": no_difference}
    return Reading(id=name, title=title, **(defaults | {"prediction": "exact"} | parts))


def measured(name: str, title: str, **parts: Any) -> Reading:
    """A reading about tail indices over 4 <= i <= N/8, measured."""
    defaults: dict[str, Any] = {
        "source": SOURCE,
        "domain": transformer_instances(),
        "predict": no_difference,
        "prediction": "difference of tail indices = 0 over 4 <= i <= N/8",
        "examples": EXAMPLES,
        "expected": None,
    }
    statement = f"For small transformers at initialisation on Zipf tokens, over the indices 4 <= i <= N/8, {title}."
    return Reading(id=name, title=title, statement=statement, **(defaults | parts))


READINGS = (
    exact(
        "T1a/for-all-i",
        "the NTK of a transformer has l_i between c1 i^-beta and c2 i^-beta for all i",
        statement="The NTK of a transformer with finitely many parameters has eigenvalues between c1 i^-beta and c2 i^-beta, "
        "c1 > 0, for all i.",
        latex=r"c_1 i^{-\beta} \le \lambda_i(\Theta) \le c_2 i^{-\beta} \text{ for all } i",
        proof=ntk_proofs.the_spectrum_ends,
        expected="FALSIFIED",
        note="For infinite width, or for i up to some share of P, it is a question of measuring.",
    ),
    exact(
        "T1a/minimum-over-all-parts",
        "the tail index of the NTK is the smallest of those of all parts of the parameters",
        statement="If the kernels of finitely many parts of the parameters obey Assumption R, with tail indices b_k, their sum "
        "obeys it with min b_k.",
        latex=r"\Theta = \sum_k \Theta_k \;\Rightarrow\; \beta(\Theta) = \min_k \beta(\Theta_k)",
        proof=ntk_proofs.minimum_over_all_parts,
        expected="SURVIVED",
        note="All parts: embeddings, LayerNorms and readout as well, if they are trained.",
    ),
    measured(
        "T1a/minimum-over-heads-and-mlp",
        "the tail index of the NTK of all parameters is the smallest of those of the heads and the MLP",
        latex=MINIMUM,
        observable=TailAboveHeaviest(whole="everything", parts="heads and MLPs"),
    ),
    measured(
        "T1b/minimum-over-heads",
        "the tail index of attention is the smallest of those of its heads",
        latex=r"\beta_{\mathrm{MHSA}} = \min_h \beta_h",
        observable=TailAboveHeaviest(whole="heads", parts="heads"),
        note="Heads of one block at initialisation have one law, so that their tails differ by chance alone.",
    ),
    exact(
        "T1c/layer-norm-is-bi-lipschitz",
        "LayerNorm is bi-Lipschitz",
        statement="There are c, C > 0 with c |x - x'| <= |LN(x) - LN(x')| <= C |x - x'| for all x, x' in R^d.",
        latex=r"c\,|x - x'| \le |\mathrm{LN}(x) - \mathrm{LN}(x')| \le C\,|x - x'|",
        proof=ntk_proofs.layer_norm_is_bi_lipschitz,
        expected="FALSIFIED",
        note="The paper says: on the data manifold. Then it is an assumption about the data, that no two representations differ "
        "by a shift of all coordinates.",
    ),
    exact(
        "T1c/bi-lipschitz-maps",
        "a bi-Lipschitz map of the inputs leaves the tail index of a kernel as it is",
        statement="For every kernel k and bi-Lipschitz map phi, k(phi(x), phi(x')) has the tail index of k on the same inputs.",
        latex=r"\beta(k \circ \varphi) = \beta(k), \quad c\,|x - x'| \le |\varphi(x) - \varphi(x')| \le C\,|x - x'|",
        proof=ntk_proofs.an_isometry_keeps_the_tail,
        expected="FALSIFIED",
        note="Theorem 2 is about a linear map of the features.",
    ),
    exact(
        "T1c/maps-onto-the-same-set",
        "a map under which the law of the inputs keeps a density between two positive constants leaves the tail index as it is",
        statement="If c <= d phi(P)/dP <= C, k(phi(x), phi(x')) has, under P, eigenvalues between c and C times those of k.",
        latex=r"c \le \tfrac{d\varphi(P)}{dP} \le C \;\Rightarrow\; "
        r"c\,\lambda_i(k) \le \lambda_i(k \circ \varphi) \le C\,\lambda_i(k)",
        proof=ntk_proofs.maps_onto_the_same_set_keep_the_tail,
        expected="SURVIVED",
        note="Bi-Lipschitz maps of a set in R^d onto itself are such maps: the claim in its repairable form.",
    ),
    measured(
        "T1c/layer-norm-leaves-the-tail",
        "the tail index of the NTK with LayerNorm is that without it",
        domain=transformer_instances(layer_norm=True),
        latex=r"\beta_{\mathrm{NTK}}(\text{LayerNorm}) = \beta_{\mathrm{NTK}}(\text{no LayerNorm})",
        observable=TailBesideWithout("layer_norm"),
        note="The same parameters and sequences; only the LayerNorms are left out.",
    ),
    measured(
        "T1c/residual-leaves-the-tail",
        "the tail index of the NTK with residual connections is that without them",
        domain=transformer_instances(residual=True),
        latex=r"\beta_{\mathrm{NTK}}(x + f(x)) = \beta_{\mathrm{NTK}}(f(x))",
        observable=TailBesideWithout("residual"),
        note="The same parameters and sequences; only the residual connections are left out.",
    ),
)


def test_reading(reading: Reading) -> None:
    """The reading survives the search, or is falsified where mathematics says that it must be; open ones are judged."""
    check(reading)
