"""Self-service: what people do to their own accounts, asked of the service over admin.socket."""
