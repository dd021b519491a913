"""Sources of images and labels -> the one canonical dataset file. One file per source, imported by name."""
