"""Streams between two chares."""

from . import _c4

Channel = _c4.Channel
