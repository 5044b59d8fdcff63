"""Measurements, each run from the checkout: `python -m benchmarks.NAME --help`. Figures land in `results/`."""
