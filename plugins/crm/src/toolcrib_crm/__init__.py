"""toolcrib_crm."""
