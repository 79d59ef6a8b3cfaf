"""toolcrib_workflows."""
