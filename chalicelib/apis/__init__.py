"""HTTP APIs, one package for each desk. They translate requests and answers; services and domain decide."""
