"""The other end of the bridge: what answers pam_totp.so."""
