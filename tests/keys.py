"""A key for all tests that need one and don't care which: making one takes as long as many tests."""

from cryptography.hazmat.primitives.asymmetric import rsa

KEY = rsa.generate_private_key(65537, 2048)
