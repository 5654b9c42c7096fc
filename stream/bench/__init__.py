"""Benchmarks that anyone can run again: one run, one machine, every figure with what it was measured on."""
