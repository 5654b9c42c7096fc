"""The report: one HTML file that holds a backtest for people, its charts, and all that is needed to check it.

Read in this order: `recipe` (what a run needs to be run again), `segments`, `customers` and `atlas` (a Result as plain
figures), `document` (all of them together), `markup` and `page` (the document as HTML), `verify`.
"""
