"""One door per library: exceptions in, values out."""
