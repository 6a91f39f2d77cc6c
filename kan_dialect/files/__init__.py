"""Files and folders: atomic output, manifests, locks, data sets."""
