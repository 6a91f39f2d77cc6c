"""Quantisation-aware training: networks whose bits are learned with the cost of the hardware."""
