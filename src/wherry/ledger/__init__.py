"""The ledger: what the engine must not forget, in one SQLite file.

One writer. A change and the event that tells of it are one transaction, and the order of events
is the order of their row ids. It stores documents and knows nothing of what they mean: the records
are defined by `engine`. Run-time facts (pids, exit files) are in the exec directory, not here.
"""
