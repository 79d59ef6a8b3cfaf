"""toolcrib_policies."""
