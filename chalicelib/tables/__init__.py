"""One module for each table. Every DynamoDB write of the program is in here, its conditions named."""
