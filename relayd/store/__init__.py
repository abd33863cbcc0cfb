"""Where what was accepted is kept: one contract, several stores."""
