"""Images without a network in it: resampling, tiles, patches."""
