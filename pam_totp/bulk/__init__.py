"""Many people at once: who they are, what becomes of them, and what they are handed."""
