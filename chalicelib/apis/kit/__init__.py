"""What all desks share: requests and answers, mounts, preferences."""
