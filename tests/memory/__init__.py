"""In-memory DynamoDB for tests: the calls of boto3's client that ``Database`` makes, with the same parameters and
answers.

It is exact for the calls that the program makes and raises NotImplementedError (TypeError for a parameter) for others;
the contract suite ``tests/tables/test_contract*.py`` compares it with the other engines. Codes and outcomes equal
DynamoDB's; messages are close. It is deterministic: no clock, no randomness, no threads. Rows expire only when
``expire`` is called, and nothing conflicts or throttles. Indexes follow at once; wrappers simulate lag. Batch reads
return rows in reverse order, since DynamoDB promises none.

A put, get or update of a row of 12 attributes takes about 10 microseconds; a clone takes time proportional to the rows.
"""

from tests.memory.client import MemoryDynamoDB as MemoryDynamoDB
