"""A WebSocket as the entry of a segment: what each side said, in order, and how it ended.

`heard` is the conversation in memory and in pieces, `tap` listens to it, `codec` writes it down, `whole` puts it
together again, `client` says again what the recorded client said, `compare` compares message by message.
"""
