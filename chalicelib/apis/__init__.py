"""HTTP, one package for each desk. Its modules translate; what is decided about money is decided elsewhere."""
