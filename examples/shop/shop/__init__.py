"""A small shop: customers place orders over HTTP, PostgreSQL keeps them."""
