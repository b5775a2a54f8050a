"""The smoke: what nobody outside AWS has confirmed about DMS, asked of a real account.

Certifier is built on facts about DMS. Some are documented, some are only likely, and for those the
DMS stand-in of the sandbox has switches. The smoke makes real calls, through the product's own
adapter and plain boto3, and says of each switch what this account does. The same stories run
against the stand-in in the tests, where they have to see exactly what each switch says.

Everything made is named ``smoke-certifier-<run>-...``, tagged ``certifier:smoke``, and deleted.
"""
