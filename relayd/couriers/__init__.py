"""Those who deliver: direct to MX, or through an upstream."""
