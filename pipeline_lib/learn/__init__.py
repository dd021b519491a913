"""Models, the training loop and its recorder, augmentation on the device, SwAV features, k-means."""
