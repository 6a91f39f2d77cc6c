"""Lookup tables that hardware takes, by mapping its logic as synthesis does."""
