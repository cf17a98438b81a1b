"""TOML to typed, frozen values; all validation of the configuration."""
