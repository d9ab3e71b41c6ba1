"""What came back: the audit of a corpus and its card."""
