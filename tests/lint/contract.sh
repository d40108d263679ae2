#!/bin/sh
# Every statement of the contract has a test, and doc/compatibility.md says which.
exec "${PYTHON:-python3}" "${C4_SRCDIR:-.}/tests/compat/contract.py" --check
