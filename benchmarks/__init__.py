"""Benchmarks, one command each. Each prints a table with ratios and the number of threads beside every figure."""
