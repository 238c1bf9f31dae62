"""The command line, `pam-totp`."""
