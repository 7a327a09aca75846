"""One package for each dialect. Wire modules translate; what is decided about money is decided elsewhere."""
