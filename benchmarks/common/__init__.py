"""What the benchmarks share: the runner, clocks, races, training that goes on after a kill."""
