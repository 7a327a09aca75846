"""What the book desk says of its operations, by what they are about. No request imports it."""
