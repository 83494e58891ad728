"""What readers see: all tables and the page of one dashboard, in one atomic step."""
