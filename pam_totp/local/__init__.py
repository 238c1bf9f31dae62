"""Local accounts: people whom this program knows and the machine's name service does not."""
