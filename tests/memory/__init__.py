"""DynamoDB in memory, for tests: the calls of boto3's client that ``Database`` makes, with the same words and answers.

Exact where our use reaches, and NotImplementedError (or TypeError, for a parameter) where it does not; the contract
suite ``tests/tables/test_contract.py`` shows that it behaves as the other engines do. Messages are close to DynamoDB's,
codes and outcomes are the same. Deterministic: no clock, no chance, no thread; nothing expires until ``expire`` is
called and nothing ever conflicts or throttles. An index follows at once: reads that lag are for a wrapper to show.
Batch reads answer in the reverse of the order asked, since DynamoDB promises none.

A put, get or update of a row of 12 attributes takes some 10 microseconds, a clone time in proportion to the rows.
"""

from tests.memory.client import MemoryDynamoDB as MemoryDynamoDB
