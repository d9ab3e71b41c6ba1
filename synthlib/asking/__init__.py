"""Asking a language model: conversations, ways to ask, what is kept of every call, and what it costs."""
