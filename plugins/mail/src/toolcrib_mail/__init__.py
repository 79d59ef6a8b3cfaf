"""toolcrib_mail."""
