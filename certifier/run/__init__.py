"""One run over one source: what its steps leave, and every pure decision over that."""
