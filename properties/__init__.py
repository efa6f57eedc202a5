"""The claims of "Scaling Laws are Redundancy Laws" (Bi and Calhoun 2025, arXiv 2509.20721), one module a statement."""

from __future__ import annotations

from properties import (
    corollary_1,
    equation_3,
    figure_2,
    figure_3,
    figure_4,
    figure_5,
    figure_6,
    figure_7,
    lemma_1,
    lemma_2,
    lemma_3,
    lemma_4,
    lemma_5,
    lemma_6,
    proof_step_a4,
    proposition_1,
    remark_1,
    remark_3,
    remark_4,
    theorem_1,
    theorem_2,
    theorem_3,
    theorem_4,
    theorem_5,
    theorem_5_nystrom,
    theorem_6,
)
from verifier.claims import Reading

STATEMENTS = (
    lemma_1,
    lemma_2,
    lemma_3,
    equation_3,
    theorem_1,
    theorem_2,
    theorem_3,
    proposition_1,
    lemma_5,
    lemma_4,
    theorem_4,
    remark_3,
    theorem_5,
    theorem_5_nystrom,
    lemma_6,
    remark_4,
    theorem_6,
    proof_step_a4,
    corollary_1,
    remark_1,
    figure_2,
    figure_3,
    figure_4,
    figure_5,
    figure_6,
    figure_7,
)

CLAIMS: tuple[Reading, ...] = tuple(reading for statement in STATEMENTS for reading in statement.READINGS)
