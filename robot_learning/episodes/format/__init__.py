"""What one episode file holds, and how it is read and written safely."""
