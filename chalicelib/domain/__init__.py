"""Pure rules: no AWS, clock, randomness or environment. Can be read without knowing what DynamoDB is."""
