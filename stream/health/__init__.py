"""The health of segments: from a backtest or from live topics into the same figures, words and metrics.

`models.health` does the sums. Read `measured` (a run's arrays into its columns), `live` (rows and published
changes into the arrays of a run), `words` (for people), `exposition` (for Prometheus).
"""
