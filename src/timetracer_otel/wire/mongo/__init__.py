"""MongoDB's wire protocol and BSON, sans I/O and without the `bson` package: cassettes open where no driver is.

messages       OP_MSG, OP_QUERY, OP_COMPRESSED: bytes in, messages out, and replies
bson           a document as its elements, and plain data as a document
extended_json  BSON <-> canonical Extended JSON v2
decimal128     the decimal number of BSON <-> text
backend        the server's side of one connection
"""
