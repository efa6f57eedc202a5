"""What is computed: spectral sums, deterministic equivalents, Monte Carlo learning curves, keyed random streams."""
