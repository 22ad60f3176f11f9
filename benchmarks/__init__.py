"""Full-size runs of published protocols: `python -m benchmarks.<architecture>` writes `dlarch_keras/results/`."""
