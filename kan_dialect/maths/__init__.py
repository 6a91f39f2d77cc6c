"""Mathematics without IR: B-splines, named functions and their interval enclosures."""
