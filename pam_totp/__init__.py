"""Logins with a system password and the code of an authenticator app."""

__version__ = "0.1.0"
