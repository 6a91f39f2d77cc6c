"""Properties of a network, proven for all input codes or refuted by codes."""
