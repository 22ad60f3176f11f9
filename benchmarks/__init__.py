"""Full-size runs of published protocols: `python -m benchmarks.<architecture>` writes `dlarch_keras/results/`.

`python -m benchmarks` lists them, and `--quick` only sees that they work.
"""

import os

os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")  # before TensorFlow is imported: as in conftest.py
