"""What every driver of PostgreSQL shares above the protocol (`wire.postgres`): one schema of exchanges, one session.

questions     requests in canonical form             answers    a replay session as PostgreSQL's backend
masking       secrets in an exchange                 stand_ins  what stands for a secret of each type
error_fields  secrets in errors and notices          describe   what a statement says to people
copy_masking  secrets in the data of COPY            cursors    pages of server-side cursors, joined
operations    what an exchange is (`op`)             making     known while a replay's pool makes a connection
refusals      pools that were full, in replay
numbers       of connections and transactions        greetings  what an engine asks when it connects
"""
