"""One module per engine: connect, fingerprint, publish."""
