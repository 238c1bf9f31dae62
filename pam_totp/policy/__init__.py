"""Who needs a code, from when and where, and how lockout counts: pure, as of one moment."""
