"""Full-size runs of published protocols: `python -m benchmarks.<architecture>` writes `dlarch_keras/results/`.

`python -m benchmarks` lists them, and `--quick` only sees that they work.
"""
