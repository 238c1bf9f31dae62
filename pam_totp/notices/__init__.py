"""Notices: what happens to an account is told to its person, apart from the login."""
