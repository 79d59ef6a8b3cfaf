"""toolcrib_sandbox."""
