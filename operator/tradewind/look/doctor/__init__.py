"""The checks of the installation."""
