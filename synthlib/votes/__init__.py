"""Votes on texts and on tasks: who cast them, how far they agree, and what classifiers make of the same texts."""
