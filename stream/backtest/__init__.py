"""Backtest: the kernel over past events with a journal of its own. What would have been, at a million events a second.

Read in this order: `fitted` (an event as a fixed record before it has a slot), `mapping` and `reading` (files into
columns), `fitting` (columns into records, and what does not fit), `order` (records in time order, whatever they come
from), `partition_run` (one partition: engines, tallies, digest), `crew` (partitions over processes), `run` (the loop),
`result` (what came out).
"""
