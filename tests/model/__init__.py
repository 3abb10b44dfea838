"""The ledger once more: naive, slow and obvious, written from the design and the contract alone.

It shares no code with the points service. A request of the contract goes in; what the answer, the
events and the lots must be comes out, as plain dictionaries with the contract's field names. An
operation is a function in the module of its concept and a line in `ledger.OPERATIONS`.
"""
