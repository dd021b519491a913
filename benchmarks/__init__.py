"""Speed and memory of the pipeline on the machine at hand: `python -m benchmarks`, or `make bench`."""
