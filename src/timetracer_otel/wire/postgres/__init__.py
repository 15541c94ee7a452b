"""PostgreSQL's frontend/backend protocol 3.0 from the server's side, and what drivers of PostgreSQL share.

answers      what a backend asks for, and gets       backend      one connection: bytes in, bytes out
reader       cuts bytes into client messages         extended     prepared statements and portals
requests     client messages as values               outcomes     a reply in one form, whatever it was
messages     builds server messages                  synthesis    answers that follow from the protocol
recorded     an exchange of the cassette as values   readable     its result for people, and back
rendering    recorded tables as DataRows             description  what Describe says
types        text form <-> binary form, by OID       values       parameters as comparable keys
tokens       SQL as tokens                           statements   SQL normalised, its verb, its parts
transaction  I, T, E and what moves them             secrets      which values of SQL are secret by name
responses    server messages as values                packed       tables whose rows are one piece of bytes
cursors      DECLARE, FETCH, MOVE, CLOSE             copying      COPY: its rows, and its data under way
settings     ParameterStatus, SET and RESET          state        what a connection remembers
"""
