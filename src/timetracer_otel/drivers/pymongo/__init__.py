"""pymongo: MongoClient, AsyncMongoClient, and motor, which works through MongoClient.

record    puts the taps in                           hooks     what the taps do, guarded
tracking  what is known of a command under way       servers   what a connection's server said of itself
adoption  clients that were made too early
wires     where the bytes pass, in each version of pymongo
codec     captured bytes -> an exchange              masking   secrets out of BSON
forms     a recorded exchange as BSON, or readable   questions a command in canonical form
replay    pymongo redirected to a stub               redirect  client arguments that lead there
answers   the stub's answers, from a session         transactions  their numbers
topology  the servers that a client sees in replay
names_in_dns  `mongodb+srv://` for who parses it  exceptions  what a miss raises
selecting  selections of a server that fail         selections  where they pass in the driver
unselected  the same ones fail again
dialling  where a client of a forked process finds its stub
object_ids  ObjectIds given back, and renamed        names     where pymongo keeps what the taps need
"""
