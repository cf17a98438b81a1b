"""An ISO 9660 image as it stands on a disc: descriptors, both trees, names, and whose disc it is."""
