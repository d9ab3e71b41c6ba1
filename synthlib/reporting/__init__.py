"""The report on one task of 12_report: its numbers, its sentences, its page."""
