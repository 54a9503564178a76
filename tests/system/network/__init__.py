"""Networks on the real kernel."""
