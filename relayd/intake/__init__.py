"""The way in: an app speaks SMTP, a message is kept."""
