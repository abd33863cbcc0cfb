"""How a message goes out: plan, header block, signatures. Used at acceptance and on release."""
