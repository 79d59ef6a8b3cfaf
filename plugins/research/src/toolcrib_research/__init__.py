"""toolcrib_research."""
