"""`pam-totp doctor`: what is wrong with this machine's set-up, and the line that puts it right.

A check looks at one thing, changes nothing and needs nothing else to be in order; the checks
stand in modules by their subject, and examine.py runs them.
"""
