"""`wherry tls …`: an authority of one's own, and the certificates for `tcp://` with mutual TLS."""
