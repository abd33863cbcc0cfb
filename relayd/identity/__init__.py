"""Who may send as whom: proofs of domains."""
