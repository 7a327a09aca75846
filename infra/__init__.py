"""Tables, deployment and the local run. Lambda runs nothing of this package."""
