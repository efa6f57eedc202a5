r"""What the memory of dependent samples does to exponents: the order of the noise term in the degrees of freedom.

With :math:`N \asymp n^q` degrees of freedom the noise term of the equivalent (:mod:`verifier.risk.dependent`) is of the order of
:math:`J_\varepsilon(N/n)\, N/n`. From the functions of :mod:`verifier.risk.responses`, with f of the order of :math:`w^{-h}`,
:math:`f_\varepsilon` of :math:`w^{-h_\varepsilon}` near frequency 0, h = 2H - 1 (0 for short memory) and
:math:`a = h + h_\varepsilon - 1`:

* :math:`a < 0`: :math:`J_\varepsilon` is bounded, and nothing changes; a = 0 brings a logarithm;
* a > 0 and :math:`q \le 2 - 2H_x`: the lowest frequencies of n samples, 1/n, decide, :math:`J_\varepsilon \asymp n^a`;
* a > 0 and larger q: frequencies below :math:`(N/n)^{1/h}` are fitted whole (saturated), :math:`J_\varepsilon \asymp (n/N)^{a/h}`;
* inputs repeated in runs with :math:`P(L \ge k) = k^{-\tau}`, :math:`1 < \tau < 2`, the noise with them:
  :math:`J_\varepsilon \asymp (n/N)^{2 - \tau}`, :math:`2 - \tau = 2H - 1`; :math:`\tau = 2` brings a
  logarithm. Fresh noise: bounded.

The oracle balances that against the bias, :math:`N^{-t'}`. Long memory of the inputs alone, or of the noise alone, changes no
exponent: :math:`a > 0` needs :math:`H_x + H_\varepsilon > 3/2`. That is for centred inputs: the mean of uncentred ones costs
:math:`\sigma^2 n^{2H_\varepsilon - 2}` whatever the inputs (:mod:`verifier.risk.means`).
"""

from __future__ import annotations

from verifier.instances import Dependence, Dependent, Instance, Repeated, UncentredDesign
from verifier.instances.processes import SHORT_MEMORY

EDGE = 1e-9  # Hurst exponents and their sums are compared to rounding


def excess_memory(dependence: Dependence) -> float:
    r"""What decides whether exponents change: :math:`a = 2H_x + 2H_\varepsilon - 3` of processes, :math:`2 - \tau` of runs with
    a tail of exponent tau whose noise is repeated with the inputs, :math:`-1` for what has neither.
    """
    if isinstance(dependence, Repeated):
        if dependence.noise != "repeated":
            return -1.0
        tail = _endless_tail(dependence)
        return -1.0 if tail is None else 2.0 - tail
    if isinstance(dependence, Dependent):
        return 2.0 * (dependence.inputs.hurst + dependence.noise.hurst) - 3.0
    return -1.0


def variance_exponent(dependence: Dependence, q: float) -> float:
    """Exponent of the noise term in n with n^q degrees of freedom, 0 <= q <= 1; 1 - q for independent samples."""
    a = excess_memory(dependence)
    if a <= EDGE:
        return 1.0 - q
    if isinstance(dependence, Repeated):
        return (1.0 - q) * (1.0 - a)
    assert isinstance(dependence, Dependent)
    h = 2.0 * dependence.inputs.hurst - 1.0
    return 1.0 - q - a if q <= 1.0 - h else (1.0 - q) * (1.0 - a / h)


def balanced_power(dependence: Dependence, tail: float) -> float:
    """The q at which the noise term with n^q degrees of freedom is of the order of the bias, n^(-q t'), t' = ``tail`` > 0: that of
    the oracle, 1/(t' + 1) for independent samples.
    """
    a = excess_memory(dependence)
    if a <= EDGE:
        return 1.0 / (tail + 1.0)
    rest = 1.0 - a
    if isinstance(dependence, Dependent):
        h = 2.0 * dependence.inputs.hurst - 1.0
        if rest / (tail + 1.0) <= 1.0 - h:
            return rest / (tail + 1.0)
        rest = 1.0 - a / h
    return rest / (tail + rest)


def mean_exponent(instance: Instance) -> float:
    """Exponent in n of what noise of long memory costs the mean of uncentred inputs, 2 - 2 H; infinite where it costs no more than
    a coordinate does.
    """
    noise = getattr(instance.dependence, "noise", None)
    hurst = float(getattr(noise, "hurst", SHORT_MEMORY))
    uncentred = isinstance(instance.design, UncentredDesign) and instance.sigma > 0.0
    return 2.0 - 2.0 * hurst if uncentred and hurst > SHORT_MEMORY else float("inf")


def averages_out(instance: Instance) -> bool:
    r"""Whether the mean risk is that of typical samples, which the equivalent describes.

    Without a longest run, a sample of n is a single run with the probability :math:`P(R \ge n) \asymp n^{1-\tau}`, and then the
    risk does not fall at all. The mean falls no faster than that: under fresh noise with :math:`\tau \le 2`, and without noise,
    that may be all of the risk. (With repeated noise, and with :math:`\tau > 2`, the typical risk falls more slowly.)
    """
    dependence = instance.dependence
    if not isinstance(dependence, Repeated) or _endless_tail(dependence) is None:
        return True
    tail = _endless_tail(dependence)
    assert tail is not None
    return instance.sigma > 0.0 and (tail > 2.0 or dependence.noise == "repeated")


def _endless_tail(dependence: Repeated) -> float | None:
    """Exponent of the tail of run lengths, None where it is not a power or is cut."""
    tail = getattr(dependence.runs, "tail", None)
    return None if tail is None or getattr(dependence.runs, "longest", None) is not None else float(tail)


def has_logarithm(dependence: Dependence) -> bool:
    """Whether the noise term carries a logarithm, because a sum of correlations diverges as one."""
    return abs(excess_memory(dependence)) <= EDGE
