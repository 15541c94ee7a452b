"""A catalog of products in MongoDB, once by MongoClient (`web`) and once by AsyncMongoClient (`web_async`)."""
