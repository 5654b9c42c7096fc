"""Definitions files as people keep them: snippets of YAML or Markdown, what is found in them, and how it is printed."""
