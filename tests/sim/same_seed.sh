#!/bin/sh
# The same seed gives the same run, event by event.
exec "${C4_BUILDDIR:-.}/tests/sim/storm" --seeds 1..200 -t -q
