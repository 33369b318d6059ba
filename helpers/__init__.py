"""LepasLatih: post-train an open language model in Malay, then release it as an agent that does real work.

Importing this package loads nothing heavy; each room imports what it needs when it is used.
"""

__version__ = "0.1.0"
