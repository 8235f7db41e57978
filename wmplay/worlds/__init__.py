"""The world models, one file per family, and the blocks they share. Knows no training, files or environments."""
