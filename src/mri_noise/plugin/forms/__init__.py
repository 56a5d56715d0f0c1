"""Forms for settings."""
