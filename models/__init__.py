"""The core of segstream: pure, deterministic, no clock, no files, no network.

Read in this order: `events` (what comes in), `customers/row` (what is kept), `features/catalogue` (what can
be said of a customer), `definitions/document` (what a segment is), `segmenter` (the two doors: step and
sweep), `decide` (when an answer becomes a change), `changes` (what goes out), `clusters` (River's part),
`engine` (all of it for one partition).
"""
