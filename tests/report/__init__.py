"""The report: its figures, its HTML, and how a browser takes it."""
