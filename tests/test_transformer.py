"""Transformers: the ingredient without the extra; with it the network, its NTK by parts, and claims about its tail."""

import dataclasses
import importlib.util
import itertools
import json
import unittest

import numpy as np
import pytest
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st

import verifier as vf
from properties import assumption_t1
from properties.strategies.transformers import transformers
from verifier.claims import Claim, Exponent
from verifier.instances import Instance, TransformerNTK
from verifier.risk import ntk_tails
from verifier.risk import transformer as ntk
from verifier.risk.ntk_tails import TailAboveHeaviest, TailBesideWithout
from verifier.risk.tails import tail_index
from verifier.testing import check
from verifier.verdicts import ntk_proofs
from verifier.verdicts.falsify import FALSIFIED, VACUOUS
from verifier.verdicts.judge import judge

SMALL = TransformerNTK(width=8, heads=2, depth=2, context=4, vocabulary=16, samples=70)
"""70 sequences are a batch and a part of one."""

needs_jax = pytest.mark.skipif(
    importlib.util.find_spec("jax") is None or importlib.util.find_spec("equinox") is None,
    reason="needs the extra [transformers]: jax and equinox",
)


# ------------------------------------------------------------------------------------------- without the extra


def test_an_instance_survives_json_and_says_what_it_is() -> None:
    instance = Instance(TransformerNTK(heads=4, layer_norm=False, sticky=0.3, seed=7))
    again = Instance.from_json(json.loads(json.dumps(instance.to_json())))
    assert again == instance
    assert again.digest == instance.digest
    said = instance.describe()
    assert "4 heads" in said
    assert "without LayerNorm" in said
    assert "repeated with probability 0.3" in said
    assert instance.spectrum.size == 256.0
    assert instance.spectrum.tail_index is None


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("heads", 3, "must divide width=32"),
        ("width", 1, "width=1"),
        ("zipf", -1.0, "zipf=-1.0"),
        ("sticky", 1.0, "sticky=1.0"),
        ("layer_norm", 1, "layer_norm=1 must be True or False"),
        ("depth", 0, "depth=0"),
    ],
)
def test_fields_outside_their_ranges_are_refused(field: str, value: object, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        TransformerNTK(**{field: value})  # type: ignore[arg-type]


def test_without_the_extra_a_claim_is_vacuous_skipped_and_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    ntk._classes.cache_clear()  # another test may have made them
    reading = next(each for each in assumption_t1.READINGS if each.id == "T1b/minimum-over-heads")
    finding = vf.falsify(reading, budget=vf.Budget(examples=40))
    assert finding.verdict == VACUOUS
    assert "the extra [transformers]" in finding.message
    assert finding.agrees is None
    with pytest.raises(unittest.SkipTest, match="the extra"):
        check(reading)
    with pytest.raises(ValueError, match="jax and equinox cannot be imported"):
        ntk.network(SMALL)
    # What an argument decides needs nothing.
    proved = next(each for each in assumption_t1.READINGS if each.id == "T1a/for-all-i")
    assert vf.falsify(proved).verdict == FALSIFIED


def test_tokens_are_zipf_and_repeat_as_asked() -> None:
    transformer = TransformerNTK(vocabulary=50, zipf=1.2, sticky=0.6, context=32)
    tokens = ntk.sequences(transformer, 4000)
    weights = np.arange(1.0, 51.0) ** -1.2
    expected = weights / weights.sum()
    shares = np.bincount(tokens[:, 0], minlength=50) / 4000.0
    assert np.all(np.abs(shares - expected) < 4.5 * np.sqrt(expected / 4000.0))
    repeated = np.mean(tokens[:, 1:] == tokens[:, :-1])
    assert repeated == pytest.approx(0.6 + 0.4 * np.sum(expected**2), abs=0.01)
    assert np.array_equal(tokens, ntk.sequences(transformer, 4000))
    assert not np.array_equal(tokens, ntk.sequences(transformer, 4000, "other"))


def test_groups_and_switches_are_checked() -> None:
    with pytest.raises(ValueError, match="whole='all'"):
        TailAboveHeaviest(whole="all")
    with pytest.raises(ValueError, match="switch='bias'"):
        TailBesideWithout("bias")
    with pytest.raises(ValueError, match="must be a TransformerNTK"):
        ntk_tails.transformer_of(Instance(vf.PowerLaw(2.0)))


@pytest.mark.parametrize(
    ("proof", "holds"),
    [
        (ntk_proofs.the_spectrum_ends, False),
        (ntk_proofs.minimum_over_all_parts, True),
        (ntk_proofs.layer_norm_is_bi_lipschitz, False),
        (ntk_proofs.maps_onto_the_same_set_keep_the_tail, True),
    ],
)
def test_what_arguments_decide(proof: object, holds: bool) -> None:
    assert proof().holds is holds  # type: ignore[operator]


def test_the_counterexample_to_bi_lipschitz_maps_in_numbers() -> None:
    # A second route to ntk_proofs.an_isometry_keeps_the_tail: eigenvalues of the kernel on a fine grid of inputs.
    t = (np.arange(400) + 0.5) / 400.0
    j = np.arange(1.0, 60.0)
    waves = np.cos(np.pi * np.outer(t, j))
    first, second = waves / j, waves / j**2
    constants = (np.sum(j**-4.0), np.sum(j**-2.0))
    before = np.linalg.eigvalsh((first @ first.T + constants[0]) / 400.0)[::-1][1:9]
    after = np.linalg.eigvalsh((second @ second.T + constants[1]) / 400.0)[::-1][1:9]
    assert after == pytest.approx(0.5 * j[:8] ** -4.0, rel=1e-6)
    assert before[1:] == pytest.approx(0.5 * j[1:8] ** -2.0, rel=1e-6)  # the constant, 1.08, is the first


# ---------------------------------------------------------------------------------------------- with the extra


@needs_jax
@pytest.mark.parametrize(
    "transformer",
    [
        dataclasses.replace(SMALL, depth=1),
        pytest.param(dataclasses.replace(SMALL, width=9, heads=3, depth=3, sticky=0.6), marks=pytest.mark.thorough),
        pytest.param(dataclasses.replace(SMALL, heads=1, depth=1, context=1), marks=pytest.mark.thorough),
        pytest.param(dataclasses.replace(SMALL, heads=8, depth=1, context=16), marks=pytest.mark.thorough),
    ],
    ids=["one block", "three heads", "one token", "heads of size one"],
)
def test_outputs_and_kernels_are_those_of_explicit_jacobians(transformer: TransformerNTK) -> None:
    import jax

    model, tokens = ntk.network(transformer), ntk.sequences(transformer, transformer.samples)
    # Scale and shift start at one and zero, where mistakes about them would not show.
    rng = np.random.default_rng(1)
    model = jax.tree.map(lambda leaf: leaf + 0.1 * rng.standard_normal(leaf.shape), model)
    program = jax.jit(
        jax.vmap(
            jax.value_and_grad(lambda m, x, layer_norm, residual: m(x, layer_norm, residual)),
            in_axes=(None, 0, None, None),
        ),
        compiler_options={"xla_backend_optimization_level": 0},
    )
    for layer_norm, residual in itertools.product((True, False), repeat=2):
        switched = dataclasses.replace(transformer, layer_norm=layer_norm, residual=residual)
        with jax.enable_x64(True):
            expected, gradient = jax.tree.map(np.asarray, program(model, tokens, layer_norm, residual))
        assert ntk.outputs(switched, model, tokens) == pytest.approx(expected, rel=1e-9, abs=1e-12)
        found = ntk.kernels(switched, tokens, model=model)
        for name, leaves in ntk._leaves(gradient).items():
            kernel = sum(leaf.reshape(len(leaf), -1) @ leaf.reshape(len(leaf), -1).T for leaf in leaves)
            assert found.parts[name] == pytest.approx(kernel, rel=1e-9, abs=1e-9 * np.abs(kernel).max())


def test_drawn_shapes_are_free_and_shrink_to_the_small_network() -> None:
    drawn: list[TransformerNTK] = []

    @settings(max_examples=150, database=None, derandomize=True, phases=[Phase.generate])
    @given(transformers())
    def collect(transformer: TransformerNTK) -> None:
        drawn.append(transformer)

    collect()
    shapes = {(each.width, each.heads, each.depth, each.context) for each in drawn}
    assert len(shapes) > 75
    assert {each.heads for each in drawn} == set(range(1, 9))
    assert {each.depth for each in drawn} == {1, 2, 3}
    assert {4, 16} < {each.context for each in drawn} <= set(range(4, 17))
    assert min(each.width for each in drawn) == 16
    assert max(each.width for each in drawn) > 56
    simplest = TransformerNTK(width=16, heads=1, depth=1, context=4, vocabulary=128)
    assert find(transformers(), lambda each: each.heads > 2) == dataclasses.replace(simplest, width=18, heads=3)
    assert find(transformers(width=40), lambda each: each.heads > 5).heads == 8  # 6 and 7 do not divide it


@needs_jax
@pytest.mark.thorough
def test_gradients_agree_with_finite_differences() -> None:
    import jax

    model = ntk.network(SMALL)
    tokens = ntk.sequences(SMALL, 3)
    rows = ntk.jacobian(SMALL, model, tokens)
    whole = np.concatenate([rows[name] for name in rows], axis=1)
    rng = np.random.default_rng(0)
    leaves, tree = jax.tree.flatten(model)
    direction = [rng.standard_normal(leaf.shape) for leaf in leaves]
    step = 1e-5
    moved = [
        ntk.outputs(
            SMALL,
            jax.tree.unflatten(
                tree, [leaf + sign * step * along for leaf, along in zip(leaves, direction, strict=True)]
            ),
            tokens,
        )
        for sign in (1.0, -1.0)
    ]
    difference = (moved[0] - moved[1]) / (2.0 * step)
    along = jax.tree.unflatten(tree, [each[None] for each in direction])
    parts = ntk._leaves(along)
    flat = np.concatenate([leaf.reshape(-1) for name in rows for leaf in parts[name]])
    assert whole @ flat == pytest.approx(difference, rel=1e-6)
    assert whole.shape[1] == sum(leaf.size for leaf in leaves)


@needs_jax
@pytest.mark.thorough
def test_the_kernel_is_the_sum_of_its_parts_and_memory_is_bounded() -> None:
    found = ntk.kernels(SMALL)
    rows = ntk.jacobian(SMALL, ntk.network(SMALL), ntk.sequences(SMALL, SMALL.samples))
    whole = np.concatenate(list(rows.values()), axis=1)
    assert found.whole == pytest.approx(whole @ whole.T, rel=1e-10)
    assert len(found.heads) == 4
    assert len(found.mlps) == 2
    assert set(found.parts) == {*found.heads, *found.mlps, ntk.EMBEDDINGS, ntk.NORMS, ntk.READOUT}
    tiled = ntk.kernels(SMALL, entries=1)  # tiles of one batch
    assert tiled.whole == pytest.approx(found.whole, rel=1e-10)
    for kernel in found.parts.values():
        assert np.linalg.eigvalsh(kernel)[0] > -1e-9 * np.trace(kernel)


@needs_jax
def test_switches_do_what_they_say() -> None:
    plain = ntk.kernels(SMALL)
    without = ntk.kernels(dataclasses.replace(SMALL, layer_norm=False))
    assert not np.any(without.parts[ntk.NORMS])  # nothing depends on them
    assert np.any(plain.parts[ntk.NORMS])
    assert not np.allclose(ntk.kernels(dataclasses.replace(SMALL, residual=False)).whole, plain.whole)


@needs_jax
def test_the_spectrum_is_that_of_the_kernel() -> None:
    values = np.exp(SMALL.log_eigenvalues(np.log(np.arange(1.0, 6.0))))
    expected = np.linalg.eigvalsh(ntk.kernels(SMALL).whole)[::-1][:5] / SMALL.samples
    assert values == pytest.approx(expected, rel=1e-9)


@needs_jax
@pytest.mark.thorough
def test_a_claim_that_is_far_off_is_falsified() -> None:
    claim = Claim(
        id="X1/head-against-embeddings",
        title="planted: the tail index of the heads' kernel exceeds the smallest head's by 1.5",
        statement="planted",
        source="tests",
        domain=transformers(residual=True, heads=2, width=8, depth=2, context=4, vocabulary=16).map(Instance),
        predict=lambda instance: Exponent(1.5),
        observable=TailAboveHeaviest(whole="heads", parts="heads"),
        examples=10,
    )
    finding = vf.falsify(claim, budget=vf.Budget(examples=40))
    assert finding.verdict == FALSIFIED
    assert finding.counts.judged <= 15
    assert finding.minimal is not None
    assert finding.minimal.judgement.route == "B"
    again = judge(claim, finding.minimal.instance)
    assert again.exponent is not None
    assert abs(again.exponent) < 0.6


def test_the_number_of_examples_of_a_claim_is_checked() -> None:
    with pytest.raises(ValueError, match="examples=0"):
        Claim(
            id="X1",
            title="",
            statement="",
            source="",
            domain=st.just(Instance(vf.PowerLaw(2.0))),
            predict=lambda instance: Exponent(0.0),
            examples=0,
        )
    assert tail_index(np.eye(8)).reason
