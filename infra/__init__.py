"""Tables, deployment and the local run. Nothing here is part of the program that Lambda runs."""
