"""Files of a build for designs that instantiate the network: wrapper and package."""
