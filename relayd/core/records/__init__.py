"""DNS records, parsed and judged."""
