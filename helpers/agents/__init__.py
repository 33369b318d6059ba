"""Agents at work: backends that answer, readers that read letters, and the desk's way through a case."""
