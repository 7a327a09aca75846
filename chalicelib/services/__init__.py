"""What happens: reads rows, asks the domain, writes rows under conditions."""
