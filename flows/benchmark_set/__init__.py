"""The benchmark set: 20 small networks, the same for everybody, to compare pipelines on."""
