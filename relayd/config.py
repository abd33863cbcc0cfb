"""The config file and the credentials from disk, made into settings; errors carry file and line."""
