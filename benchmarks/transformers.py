"""Small transformers: the tail of the NTK by parts, and its exponent against learning curves of NTK regression and of the
network.

    python benchmarks/transformers.py [--seeds 1] [--out benchmarks/results]

Needs the extra [transformers]; a minute of CPU time for each of eight networks and each seed, which draws parameters, sequences,
target and noise. Writes transformer_tails.csv (the tail index of each part of the
parameters on 800 sequences with its interval, and the minimum rule) and transformer_curves.csv (exponents: predicted, of ridge
regression with the NTK, of the trained network).

The target is the output of another random transformer (the same shape, another seed), scaled to variance one, with label noise
sigma. Predicted: with sum over j > k of f_j^2 ~ k^-t, t = 2 beta s, the exponent is 2s'/(2s' + 1/beta), s' = min(s, 1), and 2
beta s' as long as the risk exceeds sigma^2 = .09 by much, so that the noise is not met. t is measured in the eigenbasis of the
kernel on 1600 sequences, over the window of the tail index. The ridge, and the number of steps of the network, are the best at
each n for the mean risk on 800 further sequences, so that no choice of them stands between the curves. Standard errors are over
draws of the sample and the noise, from a pool of 800 sequences for the kernel (at n = 800 the noise alone is drawn afresh).
"""

from __future__ import annotations

import argparse
import csv
import dataclasses
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from verifier.instances import TransformerNTK
from verifier.risk import transformer as ntk
from verifier.risk.streams import stream
from verifier.risk.tails import compared, estimated, slope_weights, slopes

BASE = TransformerNTK(samples=800)
CASES = {
    "plain": BASE,
    "Zipf 0.5": dataclasses.replace(BASE, zipf=0.5),
    "Zipf 1.5": dataclasses.replace(BASE, zipf=1.5),
    "repeats .6": dataclasses.replace(BASE, sticky=0.6),
    "no LayerNorm": dataclasses.replace(BASE, layer_norm=False),
    "no residual": dataclasses.replace(BASE, residual=False),
    "two blocks": dataclasses.replace(BASE, depth=2),
    "width 64, 4 heads": dataclasses.replace(BASE, width=64, heads=4),
}
SIGMA = 0.3
POOL = 800
SIZES = (50, 100, 200, 400, 800)
NETWORK_SIZES = (50, 100, 200, 400)
DRAWS = 8
NETWORK_DRAWS = 3
STEPS, EVERY, RATE = 160, 8, 0.01
RIDGES = np.logspace(-7.0, 1.0, 25)
TEACHER = 1000  # added to the seed


def target(transformer: TransformerNTK, tokens: Any) -> np.ndarray:
    teacher = ntk.network(dataclasses.replace(transformer, seed=transformer.seed + TEACHER))
    f = ntk.outputs(transformer, teacher, tokens)
    return (f - f.mean()) / f.std()


def tails(found: ntk.Kernels, pool: np.ndarray) -> list[dict[str, Any]]:
    total = sum(found.parameters.values())
    whole = slopes(found.whole[np.ix_(pool, pool)], width=total)
    each = {
        part: slopes(kernel[np.ix_(pool, pool)], width=found.parameters[part]) for part, kernel in found.parts.items()
    }
    trained = found.of(found.heads + found.mlps)
    rows = [("whole", estimated(whole)), *((part, estimated(s)) for part, s in each.items())]
    inside = [each[part] for part in found.heads + found.mlps]
    rows.append(("whole - min over heads and MLP", compared(whole, inside)))
    blocks = sorted({part.split(",")[0] for part in found.heads})
    for block in blocks if len(blocks) > 1 else []:
        kernel, count = found.of(tuple(part for part in found.heads + found.mlps if part.startswith(f"{block},")))
        rows.append((block, estimated(slopes(kernel[np.ix_(pool, pool)], width=count))))
    alone = slopes(trained[0][np.ix_(pool, pool)], width=trained[1])
    rows.append(("heads and MLP - min over them", compared(alone, inside)))
    rows.append(("whole - embeddings", estimated(whole, each[ntk.EMBEDDINGS])))
    return [
        {
            "part": part,
            "trace": f"{np.trace(found.parts[part]) / np.trace(found.whole):.4f}" if part in found.parts else "",
            "tail_index": "" if e.reason else f"{e.value:.3f}",
            "half_width": "" if e.reason else f"{e.half_width:.3f}",
            "half_width_window": "" if e.reason else f"{e.of_window:.3f}",
            "note": e.reason,
        }
        for part, e in rows
    ]


def source(kernel: np.ndarray, f: np.ndarray) -> float:
    """t of sum over j > k of f_j^2 ~ k^-t, over 4 <= k <= N/8."""
    vectors = np.linalg.eigh(kernel)[1][:, ::-1]
    energy = (vectors.T @ f) ** 2
    beyond = np.cumsum(energy[::-1])[::-1]  # entry k: the sum over j > k, j from 1
    last = len(f) // 8
    return float(slope_weights(4, last)[0] @ np.log(beyond[1 : last + 1]))


def regression(kernel: np.ndarray, f: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Excess risks of the draws at each n under the best ridge, shape (DRAWS, sizes)."""
    test = np.arange(POOL, len(f))
    risks = np.empty((DRAWS, len(SIZES), len(RIDGES)))
    for d in range(DRAWS):
        order = rng.permutation(POOL)
        y = f[:POOL] + SIGMA * rng.standard_normal(POOL)
        for k, n in enumerate(SIZES):
            rows = order[:n]
            values, vectors = np.linalg.eigh(kernel[np.ix_(rows, rows)] / n)
            scale = values[-1]
            rotated = vectors.T @ y[rows] / n
            across = kernel[np.ix_(test, rows)] @ vectors
            for r, ridge in enumerate(RIDGES):
                estimate = across @ (rotated / (np.maximum(values, 0.0) + ridge * scale))
                risks[d, k, r] = np.mean((estimate - f[test]) ** 2)
    best = risks.mean(axis=0).argmin(axis=1)
    return np.stack([risks[:, k, best[k]] for k in range(len(SIZES))], axis=1)


def trainer(transformer: TransformerNTK) -> Callable[..., np.ndarray]:
    """Adam on the whole sample: risks on further sequences every few steps. Compiled once for each n."""
    jax, jnp, _ = ntk._jax()

    def loss(model: Any, tokens: Any, y: Any, layer_norm: Any, residual: Any) -> Any:
        f = jax.vmap(lambda s: model(s, layer_norm, residual))(tokens)
        return jnp.mean((f - y) ** 2)

    @jax.jit
    def run(start: Any, tokens: Any, y: Any, others: Any, truth: Any, layer_norm: Any, residual: Any) -> Any:
        def step(state: Any, k: Any) -> Any:
            model, m, v = state
            g = jax.grad(loss)(model, tokens, y, layer_norm, residual)
            m = jax.tree.map(lambda a, b: 0.9 * a + 0.1 * b, m, g)
            v = jax.tree.map(lambda a, b: 0.99 * a + 0.01 * b * b, v, g)
            c, e = 1.0 - 0.9 ** (k + 1.0), 1.0 - 0.99 ** (k + 1.0)
            model = jax.tree.map(lambda p, a, b: p - RATE * (a / c) / (jnp.sqrt(b / e) + 1e-8), model, m, v)
            return (model, m, v), None

        def bout(state: Any, b: Any) -> Any:
            state, _ = jax.lax.scan(step, state, b * EVERY + jnp.arange(EVERY))
            return state, loss(state[0], others, truth, layer_norm, residual)

        zero = jax.tree.map(jnp.zeros_like, start)
        return jax.lax.scan(bout, (start, zero, zero), jnp.arange(STEPS // EVERY))[1]

    def train(tokens: Any, y: Any, others: Any, truth: Any) -> np.ndarray:
        model = jax.tree.map(lambda leaf: np.asarray(leaf, np.float32), ntk.network(transformer))
        switches = (np.asarray(transformer.layer_norm), np.asarray(transformer.residual))
        # The output at the start is taken off, as kernel regression does.
        zero = [ntk.outputs(transformer, ntk.network(transformer), each) for each in (tokens, others)]
        at = [np.asarray(part, np.float32) for part in (y + zero[0], truth + zero[1])]
        small = [np.asarray(part, np.int32) for part in (tokens, others)]
        return np.asarray(run(model, small[0], at[0], small[1], at[1], *switches))

    return train


def fitted(risks: np.ndarray, sizes: tuple[int, ...]) -> tuple[float, float]:
    """Minus the slope of the mean risk, and its standard error by leaving out draws."""
    x = np.log(np.asarray(sizes, float))
    w = -(x - x.mean()) / np.sum((x - x.mean()) ** 2)
    whole = float(w @ np.log(risks.mean(axis=0)))
    count = len(risks)
    left = np.array([w @ np.log(np.delete(risks, d, axis=0).mean(axis=0)) for d in range(count)])
    return whole, math.sqrt((count - 1) * float(np.mean((left - left.mean()) ** 2)))


def measured(name: str, transformer: TransformerNTK) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Tail indices by part, and the exponents predicted and measured, of one network."""
    tokens = ntk.sequences(transformer, 2 * POOL, "benchmark")
    f = target(transformer, tokens)
    found = ntk.kernels(transformer, tokens)
    rows = tails(found, np.arange(POOL))
    beta, width = float(rows[0]["tail_index"]), float(rows[0]["half_width"])
    t = source(found.whole, f)
    s = t / (2.0 * beta)
    double = 2.0 * min(s, 1.0)
    rng = stream(transformer.seed, "benchmark", "transformers", name)
    kernel = fitted(regression(found.whole, f, rng), SIZES)
    train = trainer(transformer)
    runs = np.empty((NETWORK_DRAWS, len(NETWORK_SIZES), STEPS // EVERY))
    for d in range(NETWORK_DRAWS):
        order = rng.permutation(POOL)
        y = f[:POOL] + SIGMA * rng.standard_normal(POOL)
        for k, n in enumerate(NETWORK_SIZES):
            picked = order[:n]
            runs[d, k] = train(tokens[picked], y[picked], tokens[POOL:], f[POOL:])
    best = runs.mean(axis=0).argmin(axis=1)
    risks = np.stack([runs[:, k, best[k]] for k in range(len(NETWORK_SIZES))], axis=1)
    network = fitted(risks, NETWORK_SIZES)
    return rows, {
        "beta": f"{beta:.3f}",
        "beta_half_width": f"{width:.3f}",
        "s": f"{s:.3f}",
        "predicted": f"{double / (double + 1.0 / beta):.3f}",
        "noiseless": f"{beta * double:.3f}",
        "kernel": f"{kernel[0]:.3f}",
        "kernel_stderr": f"{kernel[1]:.3f}",
        "network": f"{network[0]:.3f}",
        "network_stderr": f"{network[1]:.3f}",
        "network_risk_50": f"{risks.mean(axis=0)[0]:.4f}",
        "network_risk_400": f"{risks.mean(axis=0)[-1]:.4f}",
        "network_steps": " ".join(str(EVERY * (int(b) + 1)) for b in best),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=1, help="networks of each case, seeds 0, 1, ...")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    options = parser.parse_args()
    of_parts: list[dict[str, Any]] = []
    curves: list[dict[str, Any]] = []
    for name, case in CASES.items():
        for seed in range(options.seeds):
            rows, curve = measured(name, dataclasses.replace(case, seed=seed))
            of_parts += [{"case": name, "seed": seed} | row for row in rows]
            curves.append({"case": name, "seed": seed} | curve)
            print(curves[-1], flush=True)
    for file_name, table in (("transformer_tails.csv", of_parts), ("transformer_curves.csv", curves)):
        with (options.out / file_name).open("w", newline="") as file:
            writer = csv.DictWriter(file, list(table[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(table)


if __name__ == "__main__":
    main()
