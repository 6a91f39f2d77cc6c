"""Mathematics without IR: B-splines, named functions, and bounds of functions over intervals."""
