"""DKIM signing keys and the master key."""
