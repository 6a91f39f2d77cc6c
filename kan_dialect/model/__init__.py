"""A compiled network as an object: ports, codes, quantisers, training step."""
